"""Where our files are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from strowger.config.paths import config_file, flows_file, runtime_dir, state_dir

posix = pytest.mark.skipif(sys.platform == "win32", reason="XDG directories are for POSIX systems")


def test_named_file_wins() -> None:
    """$STROWGER_CONFIG names the file itself."""
    assert config_file({"STROWGER_CONFIG": "/x/y.toml", "XDG_CONFIG_HOME": "/c"}) == Path("/x/y.toml")


@posix
def test_xdg() -> None:
    """The XDG variables move the directories."""
    env = {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}
    assert config_file(env) == Path("/c/strowger/config.toml")
    assert state_dir(env) == Path("/s/strowger")
    assert runtime_dir(env) == Path("/r/strowger")
    assert flows_file(env, None) == Path("/s/strowger/flows.db")
    assert flows_file(env, "/x/calls.db") == Path("/x/calls.db")


@posix
def test_fallbacks() -> None:
    """Without the variables, or with relative ones, which the specification tells to ignore, home is used."""
    env = {"HOME": "/h", "XDG_CONFIG_HOME": "relative"}
    assert config_file(env) == Path("/h/.config/strowger/config.toml")
    assert state_dir(env) == Path("/h/.local/state/strowger")
    assert runtime_dir(env) == Path("/h/.local/state/strowger/run")


def test_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows everything is below %APPDATA%."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert config_file({"APPDATA": "/a"}) == Path("/a/strowger/config.toml")
