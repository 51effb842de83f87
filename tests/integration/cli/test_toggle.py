"""`strowger toggle`: the plain command of an agent, on and off, in a home of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import DEADLINE, Strowger

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="wrappers for sh")

CONFIG = '[providers.one]\ndialect = "anthropic"\nbase_url = "http://127.0.0.1:1"\nauth = "env:PLANTED_KEY"\n'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a configuration, and a claude on the path that tells where it is sent. Gives our folder."""
    real = tmp_path / "real" / "claude"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\necho "$ANTHROPIC_BASE_URL $STROWGER_LAUNCHED $*"\nexit 7\n')
    real.chmod(0o755)
    (tmp_path / "config.toml").write_text(CONFIG)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("STROWGER_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PLANTED_KEY", "planted")
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    folder = home / ".local/share/strowger/bin"
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, (folder, real.parent))))
    return folder


def test_on_and_off(strowger: Strowger, own: Path) -> None:
    """Plain `claude` goes through a gateway, and then does not; nothing else in the home is touched."""
    done = strowger("toggle", "claude", "on", "--yes")
    assert (done.returncode, done.stdout) == (0, f"claude: on ({own / 'claude'})\n"), done.stderr
    assert strowger("toggle", "claude", "status").returncode == 0
    ran = subprocess.run(("claude", "-p", "a b"), capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (ran.returncode, ran.stdout.startswith("http://127.0.0.1:")) == (7, True), ran.stderr
    assert ran.stdout.endswith(" claude -p a b\n")
    done = strowger("toggle", "claude")
    assert (done.returncode, done.stdout) == (0, "claude: off\n")
    ran = subprocess.run(("claude", "x"), capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert ran.stdout == "  x\n"
    assert [path for path in own.parents[3].rglob("*") if path.is_file()] == []


def test_the_path_leads_elsewhere(strowger: Strowger, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapper that no shell would find is told to be of no use yet, with the line that mends it."""
    monkeypatch.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])
    done = strowger("toggle", "claude", "on", "--yes")
    assert done.returncode == 0
    assert "`claude` does not go through Strowger yet" in done.stderr
    assert f'add to ~/.bashrc, as its last line: export PATH={own}:"$PATH"' in done.stderr
    status = strowger("toggle", "claude", "status")
    assert (status.returncode, status.stdout.startswith("claude: not yet on: ")) == (1, True)
    assert "not yet on" in strowger("toggle").stdout


@pytest.mark.parametrize("answer", ["y", "n"])
def test_it_asks(own: Path, answer: str) -> None:
    """Nothing is written without a yes."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        command = (sys.executable, "-m", "strowger", "toggle", "claude", "on")
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=DEADLINE, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Write it? [y/N]" in done.stderr
    assert (done.returncode, own.exists()) == ((0, True) if answer == "y" else (1, False))


def test_nothing_is_written(strowger: Strowger, own: Path, tmp_path: Path) -> None:
    """Where nobody can say yes, or the command would not work, or there is no such agent; each is told."""
    assert "nobody is there to say yes" in strowger("toggle", "claude", "on").stderr
    assert "there is no command `codex`" in strowger("toggle", "codex", "on", "--yes").stderr
    assert "there is no profile `none`" in strowger("toggle", "claude", "on", "--yes", "--profile", "none").stderr
    (tmp_path / "config.toml").write_text("")
    assert "no provider is configured" in strowger("toggle", "claude", "on", "--yes").stderr
    assert not own.exists()
