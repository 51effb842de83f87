"""`strowger env`: lines for a shell that lead a client to the gateway that runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.integration.cli.conftest import Served, Strowger

SHOW = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"


def test_nothing_is_running(strowger: Strowger) -> None:
    """There is nothing to lead to: exit code 1, and what to do about it."""
    done = strowger("env", "claude")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_takes_it(served: Served, strowger: Strowger, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluated, it leads to the gateway, and away from everywhere else; odd characters of the user's stay whole."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted-key")
    monkeypatch.setenv("NO_PROXY", "a'b $HOME")
    lines = strowger("env", "--shell", shell, "claude").stdout
    assert "planted-key" not in lines
    program = shutil.which(shell)
    assert program is not None
    done = subprocess.run(
        [program, "-c", f"{lines}\n{SHOW}"], capture_output=True, text=True, check=True, env=os.environ
    )
    found = json.loads(done.stdout)
    assert found["ANTHROPIC_BASE_URL"] == served.url
    assert "ANTHROPIC_API_KEY" not in found
    assert found["NO_PROXY"] == "a'b $HOME,127.0.0.1,localhost"


def test_a_provider_in_the_key(served: Served, strowger: Strowger) -> None:
    """With a provider, the key names it; the model is the one that was chosen."""
    lines = strowger("env", "--shell", "sh", "--via", "demo", "--model", "demo-fast", "claude").stdout.splitlines()
    assert "export ANTHROPIC_AUTH_TOKEN=sk-strowger-demo" in lines
    assert "export ANTHROPIC_MODEL=demo-fast" in lines


def test_other_shells(served: Served, strowger: Strowger) -> None:
    """Each shell has its own words for it."""
    assert f"set -gx ANTHROPIC_BASE_URL '{served.url}'" in strowger("env", "--shell", "fish", "claude").stdout
    assert f"$env:ANTHROPIC_BASE_URL = '{served.url}'" in strowger("env", "--shell", "pwsh", "claude").stdout


def test_what_is_no_variable(served: Served, strowger: Strowger) -> None:
    """Codex takes flags: they follow as a comment. Gemini CLI takes a file: it is there, and stays."""
    told = strowger("env", "--shell", "sh", "codex").stdout
    assert "# and start it as: codex -c" in told
    assert f"{served.url}/v1" in told
    lines = strowger("env", "--shell", "sh", "gemini").stdout
    path = next(line for line in lines.splitlines() if "SYSTEM_SETTINGS_PATH" in line).partition("=")[2]
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["security"]["auth"]["selectedType"] == "gemini-api-key"
