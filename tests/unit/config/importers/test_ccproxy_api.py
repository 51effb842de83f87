"""ccproxy-api's configuration as ours."""

from __future__ import annotations

from typing import Any

from strowger.config.importers import import_table
from strowger.providers.presets import PRESETS
from tests.unit.config.imports.files import imported


def test_plugins() -> None:
    """Plugins with an address become providers; Codex is paid with a login of our own."""
    table: Any = imported("ccproxy-api.toml").table
    assert list(table["providers"]) == ["codex", "minimax", "company"]
    assert table["providers"]["minimax"]["base_url"] == "https://api.minimax.io/anthropic"
    assert table["providers"]["minimax"]["auth"] == "env:MINIMAX_API_KEY"


def test_mappings() -> None:
    """Model mappings become routes, as far as globs can say them."""
    found = imported("ccproxy-api.toml")
    table: Any = found.table
    assert [(route["match"]["model"], route["to"]) for route in table["routes"]] == [
        ("gpt-5-nano", "codex:gpt-5.4-mini"),
        ("gpt-4o*", "codex:gpt-5.4"),
        ("minimax", "minimax:MiniMax-M3"),
    ]
    assert "plugins.codex.model_mappings[2]" in {note.what for note in found.left}


def test_subscriptions_are_left() -> None:
    """A Claude subscription is left, saying that its vendor's terms are the reason and what there is instead."""
    left = {note.what: note.text for note in imported("ccproxy-api.toml").left}
    assert "Anthropic's own programs" in left["plugins.claude_api"]
    assert "switched off" in left["plugins.copilot"]


def test_server() -> None:
    """With a token, other machines may be let in as they were; without one they are not."""
    table: Any = imported("ccproxy-api.toml").table
    assert table["server"]["bind"] == "0.0.0.0"
    assert table["server"]["allowed_origins"] == ["http://localhost:3000"]
    assert table["log"] == {"level": "warning"}
    open_door = {"plugins": {"codex": {}}, "server": {"host": "0.0.0.0", "port": 1}, "cors": {"allow_origins": ["*"]}}
    found = import_table(open_door, PRESETS, {})
    assert found.table["server"] == {"port": 1}
    assert {"server.host", "cors.allow_origins"} <= {note.what for note in found.left}
