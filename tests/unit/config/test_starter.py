"""The first configuration file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from strowger.config import load
from strowger.config.starter import starter, write_new
from strowger.errors import ConfigError
from strowger.providers.presets import PRESETS


@pytest.mark.parametrize(
    "env, providers",
    [({}, ["anthropic"]), ({"GROQ_API_KEY": "k", "OPENAI_API_KEY": "k"}, ["openai", "groq"])],
)
def test_it_loads(tmp_path: Path, env: dict[str, str], providers: list[str]) -> None:
    """The file is right as it stands, and names the providers whose keys are at hand."""
    path = tmp_path / "c.toml"
    path.write_text(starter(env, PRESETS))
    loaded = load(path, env=env, presets=PRESETS)
    assert list(loaded.config.providers) == providers
    assert not loaded.warnings


def test_logins_are_at_hand_too(tmp_path: Path) -> None:
    """A provider whose login has been made is in the file; where its key is set as well, the key is."""
    logins = tmp_path / "strowger" / "logins"
    logins.mkdir(parents=True)
    for name in ("codex", "kimi"):
        (logins / f"{name}.json").write_text("{}")
    text = starter({"XDG_STATE_HOME": str(tmp_path), "KIMI_API_KEY": "k"}, PRESETS)
    assert '[providers.codex]\nauth = "login:codex"\n' in text
    assert '[providers.kimi]\nauth = "env:KIMI_API_KEY"\n' in text
    assert text.count("\n[providers.") == 2


def test_the_comments_are_right_too(tmp_path: Path) -> None:
    """With the comment signs taken away, the examples are a right configuration but for the key of the alias."""
    lines = starter({"DEEPSEEK_API_KEY": "k", "GROQ_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, PRESETS).splitlines()
    opened = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in lines]
    path = tmp_path / "c.toml"
    path.write_text("\n".join(opened))
    config = load(path, env={}, presets=PRESETS).config
    assert config.routes[0].fallback == ("anthropic",)
    assert config.aliases["fast"].startswith("groq:")
    assert config.providers["company"].models == ("company-*",)


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The file is 0600 and new folders 0700; no draft is left behind."""
    path = tmp_path / "new" / "c.toml"
    write_new(path, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["c.toml"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    """A file is replaced only when that is asked for, and a link to it stays a link."""
    path, link = tmp_path / "c.toml", tmp_path / "link.toml"
    path.write_text("old")
    link.symlink_to(path)
    with pytest.raises(ConfigError, match="there already"):
        write_new(link, "new")
    assert path.read_text() == "old"
    write_new(link, "new", force=True)
    assert path.read_text() == "new"
    assert link.is_symlink()


def test_failures_are_ours(tmp_path: Path) -> None:
    """A place that cannot be written is an error with a hint."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_new(tmp_path / "file" / "c.toml", "a")
