"""What shells are told to complete with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Served, Strowger


def complete(*words: str) -> list[str]:
    """What is offered for the last word."""
    env = {**os.environ, "_STROWGER_COMPLETE": "bash_complete", "COMP_CWORD": str(len(words))}
    env["COMP_WORDS"] = " ".join(("strowger", *words))
    done = subprocess.run([sys.executable, "-m", "strowger"], env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with two providers and two profiles."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[providers.deepseek]\nauth = "env:A"\n[providers.groq]\nauth = "env:B"\n'
        '[profiles.work]\nvia = "groq"\n[profiles.weekend]\nvia = "deepseek"\n'
    )
    monkeypatch.setenv("STROWGER_CONFIG", str(file))
    return file


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_is_one(strowger: Strowger, shell: str) -> None:
    """The shell itself reads it without complaint."""
    script = strowger("completion", shell).stdout
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed here")
    checked = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "_STROWGER_COMPLETE" in script


@pytest.mark.parametrize("shell", ["fish", "pwsh"])
def test_other_shells(strowger: Strowger, shell: str) -> None:
    """Each has a script of its own that asks us."""
    assert "_STROWGER_COMPLETE" in strowger("completion", shell).stdout


def test_commands_and_options() -> None:
    """Both by their beginnings."""
    assert complete("sess") == ["sessions"]
    assert complete("run", "--vi") == ["--via"]


def test_names_of_the_configuration(configured: Path) -> None:
    """Profiles and providers, as the file has them."""
    assert complete("run", "--profile", "w") == ["work", "weekend"]
    assert complete("run", "--via", "") == ["deepseek", "groq"]
    assert complete("switch", "we") == ["weekend"]


def test_calls_that_are_kept(kept: Path, tmp_path: Path) -> None:
    """The newest first, by as much of their ids as tells them apart; sessions, for what became of their caches."""
    there = ("flows", "--file", str(kept))
    assert complete(*there, "show", "") == [f"{number:016d}" for number in (4, 3, 2, 1)]
    assert complete(*there, "replay", "flow_") == [f"flow_{number:016d}" for number in (4, 3, 2, 1)]
    assert complete(*there, "diff", "la") == ["last"]
    assert complete(*there, "cache", "") == ["s-1"]
    assert complete("flows", "--file", str(tmp_path / "none.db"), "show", "") == ["last"]


def test_a_broken_configuration_offers_presets(configured: Path) -> None:
    """Who presses the tab key is not told of mistakes."""
    configured.write_text("[providers")
    assert complete("run", "--profile", "w") == []
    assert complete("run", "--via", "deeps") == ["deepseek", "deepseek-anthropic"]


def test_clients_that_run(served: Served) -> None:
    """The beginning of a session's id and its client's name."""
    ask = "import sys; sys.stdin.read()"
    command = [sys.executable, "-m", "strowger", "run", "--demo", "--quiet", sys.executable, "-c", ask]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        offered: list[str] = []
        while not offered:
            offered = [name for name in complete("switch", "py") if name.startswith("python")]
            assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(20) == 0
