"""The configuration of starbaser's ccproxy as ours."""

from __future__ import annotations

from typing import Any

from tests.unit.config.imports.files import imported


def test_sources_of_tokens() -> None:
    """Commands and files are taken; what prints a variable is that variable; a shell is there where one is needed."""
    providers: Any = imported("ccproxy.yaml").table["providers"]
    assert providers["deepseek-anthropic"] == {"auth": "env:DEEPSEEK_API_KEY"}
    assert providers["company"]["auth"] == {"command": ["sh", "-c", "vault read llm | jq -r .key"]}
    assert providers["gemini"]["auth"] == {"file": "~/.secrets/gemini"}
    assert providers["codex"] == {}


def test_logins_of_other_programs_are_left() -> None:
    """OAuth logins of Anthropic's and Google's programs are left, also where a command reads them."""
    found = imported("ccproxy.yaml")
    left = {note.what: note.text for note in found.left}
    assert "its own programs" in left["providers.anthropic"]
    assert "login of another program" in left["providers.claude-in-disguise"]
    assert "anthropic" not in str(dict(found.table).get("providers", {})).replace("deepseek-anthropic", "")


def test_transforms() -> None:
    """Rules on models become routes, in their order; rules on hosts, and what globs cannot say, are left."""
    found = imported("ccproxy.yaml")
    table: Any = found.table
    assert [(route["match"]["model"], route["to"]) for route in table["routes"]] == [
        ("gpt-4o*", "company:large"),
        ("claude-*haiku*", "deepseek-anthropic:deepseek-chat"),
    ]
    left = {note.what for note in found.left}
    assert {"inspector.transforms[0]", "inspector.transforms[2]", "inspector.transforms[1].match_path"} <= left


def test_settings() -> None:
    """Address, port, log level and what to take when Gemini has no room have counterparts."""
    table: Any = imported("ccproxy.yaml").table
    assert table["server"] == {"bind": "127.0.0.1", "port": 4001}
    assert table["log"] == {"level": "info"}
    assert table["providers"]["gemini"]["capacity_fallback"] == ["gemini-2.5-pro", "gemini-2.5-flash"]
