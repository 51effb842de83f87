"""`strowger run` with agents that have no model of their own: what programs in their place are given."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Strowger

SHOW = f"""#!{sys.executable}
import json, os, sys
files = {{name: open(value).read() for name, value in os.environ.items() if name.startswith("STROWGER_PI_")}}
print(json.dumps({{"words": sys.argv[1:], "env": dict(os.environ), "files": files}}))
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    """Something to run."""
    (folder / name).write_text(text)
    (folder / name).chmod(stat.S_IRWXU)


def got(strowger: Strowger, *words: str) -> dict[str, Any]:
    """What a program in an agent's place was given."""
    done = strowger("run", "--demo", *words)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_opencode(there: Path, strowger: Strowger) -> None:
    """All models are in its configuration, and one of them is its own; the token is beside it."""
    program(there, "opencode", SHOW)
    env = got(strowger, "opencode")["env"]
    content = json.loads(env["OPENCODE_CONFIG_CONTENT"])
    models = content["provider"]["strowger"]["models"]
    assert content["model"].removeprefix("strowger/") in models
    assert {"demo-fast", "demo:demo"} & models.keys()
    assert env["STROWGER_LAUNCH_TOKEN"] not in env["OPENCODE_CONFIG_CONTENT"]


def test_pi(there: Path, strowger: Strowger) -> None:
    """Its extension is there while it runs, and gone with it."""
    program(there, "pi", SHOW)
    told = got(strowger, "--model", "demo-fast", "pi", "--", "-p", "hi")
    words = told["words"]
    path = Path(words[words.index("--extension") + 1])
    assert words[-2:] == ["-p", "hi"]
    assert words[words.index("--model") + 1] == "demo-fast"
    assert '"demo-fast"' in told["files"]["STROWGER_PI_EXTENSION"]
    assert not path.exists()
    assert not path.parent.exists()


def test_the_users_own_word_on_the_model(there: Path, strowger: Strowger) -> None:
    """Named behind `--`, it is the only one."""
    program(there, "qwen", SHOW)
    words = got(strowger, "qwen", "--", "-m", "mine")["words"]
    assert words[-2:] == ["-m", "mine"]
    assert "--model" not in words


def test_the_model_of_via(there: Path, strowger: Strowger) -> None:
    """What `--via` names is asked for, under a name that a switch can follow."""
    program(there, "kimi", SHOW)
    assert got(strowger, "--via", "demo:demo-fast", "kimi")["env"]["KIMI_MODEL_NAME"] == "demo-fast"


@pytest.mark.parametrize("version, warned", [("v20.20.2", True), ("v22.19.0", False)])
def test_an_old_node(there: Path, strowger: Strowger, version: str, warned: bool) -> None:
    """Said before the agent dies of it."""
    program(there, "kimi", "#!/usr/bin/env node\n")
    program(there, "node", f'#!/bin/sh\n[ "$1" = --version ] && echo {version}\nexit 0\n')
    done = strowger("run", "--demo", "kimi")
    assert done.returncode == 0
    assert ("warning: kimi-code needs Node.js 22.19 or newer; `node` is 20.20.2" in done.stderr) == warned


def test_not_installed(there: Path, strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """127, with the command that installs it."""
    monkeypatch.setenv("PATH", str(there))
    done = strowger("run", "--demo", "opencode")
    assert done.returncode == 127
    assert "npm install -g opencode-ai" in done.stderr
