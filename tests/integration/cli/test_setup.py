"""Configuration for a command: flags over layers, and warnings where the user sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.cli.setup import load_setup, unset
from strowger.errors import ConfigError


def test_flags_go_over_the_file(tmp_path: Path) -> None:
    """A flag that is given wins, one that is not given changes nothing."""
    file = tmp_path / "config.toml"
    file.write_text("[server]\nport = 4001\ngrace_seconds = 3\n")
    setup = load_setup(file, None, flags={"server.port": 4002, "server.bind": None})
    assert (setup.config.server.port, setup.config.server.bind, setup.path) == (4002, "127.0.0.1", file)
    assert setup.config.server.grace_seconds == 3


def test_the_demo_reads_no_file(tmp_path: Path) -> None:
    """Whatever is wrong with the user's configuration, the demo runs; where it listens can still be said."""
    broken = tmp_path / "config.toml"
    broken.write_text("= = =")
    setup = load_setup(broken, None, demo=True, flags={"server.port": 0, "log.level": "error"})
    assert setup.config.server.port == 0
    assert list(setup.config.providers) == ["demo"]
    with pytest.raises(ConfigError):
        load_setup(broken, None)


def test_warnings_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret in the file is a thing to be told of, and not to be shown."""
    file = tmp_path / "config.toml"
    file.write_text('[providers.openai]\nauth = "sk-planted-secret"\n')
    load_setup(file, None)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"warning: {file}:2:" in printed.err
    assert "planted" not in printed.err


def test_keys_that_are_not_there_are_found_without_fetching(tmp_path: Path) -> None:
    """Said at the start, not by the first call that fails. A local server needs no key, and a command is not run."""
    file = tmp_path / "config.toml"
    text = '[providers.openai]\n[providers.groq]\nauth = "env:MY_KEY"\n[providers.ollama]\n[providers.lmstudio]\n'
    file.write_text(text + '[providers.zai]\nauth = "command:false"\n')
    assert unset(load_setup(file, None).config, {"MY_KEY": "x", "OPENAI_API_KEY": " "}) == {"openai": "OPENAI_API_KEY"}
