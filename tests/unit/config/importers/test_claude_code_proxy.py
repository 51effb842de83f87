"""The configuration of raine's claude-code-proxy as ours."""

from __future__ import annotations

from typing import Any

from strowger.config.importers import import_table
from strowger.providers.presets import PRESETS
from tests.unit.config.imports.files import imported


def of(table: dict[str, object]) -> dict[str, Any]:
    return dict(import_table(table, PRESETS, {}, "claude-code-proxy").table)


def test_codex() -> None:
    """Transport, continuation and tier have counterparts; a fixed model and effort become a route."""
    table: Any = imported("claude-code-proxy.json").table
    assert table["providers"]["codex"] == {
        "transport": "websocket",
        "continuation": True,
        "options": {"service_tier": "priority"},
    }
    assert table["routes"][0]["to"] == "codex:gpt-5.4:medium"


def test_alias_provider() -> None:
    """Whoever answers for Claude's names does so here: Kimi by a route, Codex by itself."""
    table: Any = imported("claude-code-proxy.json").table
    assert table["routes"][1] == {"match": {"model": "claude-*"}, "to": "kimi:kimi-for-coding", "name": "alias"}
    assert of({"aliasProvider": "codex"}) == {"providers": {"codex": {}}}
    fixed = of({"aliasProvider": "codex", "codex": {"model": "gpt-5.4"}})
    assert fixed["routes"][0]["match"]["model"][0] == "claude-*"


def test_effort_alone() -> None:
    """An effort without a model is what launches are given."""
    assert of({"codex": {"effort": "high"}})["launch"] == {"effort": "high"}


def test_what_is_left() -> None:
    """Other names than our own, other hosts for a vendor's login and other vendors' logins are left."""
    left = {note.what: note.text for note in imported("claude-code-proxy.json").left}
    assert {"codex.originator", "codex.userAgent", "kimi.userAgent", "kimi.baseUrl", "cursor"} <= left.keys()
    assert "codex.baseUrl" not in left


def test_settings() -> None:
    """Address, port and verbosity have counterparts; other machines are not let in without a token."""
    table: Any = imported("claude-code-proxy.json").table
    assert table["server"] == {"bind": "127.0.0.1", "port": 18765}
    assert table["log"] == {"level": "debug"}
    assert "server" not in of({"aliasProvider": "kimi", "bindAddress": "0.0.0.0"})


def test_variables_go_over_the_file() -> None:
    """As they do there; what they name is looked at as if it stood in the file, and said to be from where it is."""
    env = {
        "CCP_CODEX_MODEL": "gpt-5.5",
        "CCP_CODEX_EFFORT": "xhigh",
        "CCP_CODEX_PREVIOUS_RESPONSE_ID": "1",
        "CCP_CODEX_ORIGINATOR": "somebody_else",
        "CCP_LOG_VERBOSE": "true",
        "CCP_KIMI_BASE_URL": "",
        "PORT": "1",
    }
    given = {"aliasProvider": "codex", "codex": {"model": "gpt-5.4", "transport": "http"}}
    found = import_table(given, PRESETS, env, "claude-code-proxy")
    table: Any = found.table
    assert table["providers"] == {"codex": {"transport": "http", "continuation": True}}
    assert table["routes"][0]["to"] == "codex:gpt-5.5:xhigh"
    assert table["log"] == {"level": "debug"}
    assert "server" not in table
    assert given["codex"] == {"model": "gpt-5.4", "transport": "http"}
    taken = {note.what: note.text for note in found.taken}
    assert taken["CCP_CODEX_MODEL"] == "read as codex.model, which it goes before"
    assert "codex.originator" in {note.what for note in found.left}
