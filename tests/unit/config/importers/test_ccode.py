"""ccode's configuration as ours."""

from __future__ import annotations

from typing import Any

from strowger.config.importers import import_table
from strowger.providers.presets import PRESETS
from tests.unit.config.imports.files import imported


def test_profiles() -> None:
    """A profile becomes a provider, by its address, and a profile with the same slots."""
    table: Any = imported("ccode.yaml").table
    assert table["providers"]["deepseek-anthropic"] == {"auth": "env:DEEPSEEK_API_KEY", "auth_header": "authorization"}
    assert table["profiles"]["deepseek"] == {
        "via": "deepseek-anthropic:deepseek-v4-pro",
        "models": {
            "opus": "deepseek-anthropic:deepseek-v4-pro",
            "haiku": "deepseek-anthropic:deepseek-v4-flash",
            "subagent": "deepseek-anthropic:deepseek-v4-flash",
        },
        "proxy": {"port": 8301},
        "env": {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32000"},
        "always_control": True,
    }


def test_key_or_token() -> None:
    """A token goes into `Authorization`, a key into `x-api-key`; a model may be a plain name."""
    table: Any = imported("ccode.yaml").table
    assert table["providers"]["gateway"]["auth_header"] == "x-api-key"
    assert table["profiles"]["gateway"] == {"via": "gateway:company-large"}


def test_without_an_address() -> None:
    """A profile without an address is Anthropic's own if there is a key; a login of the client's is left."""
    found = imported("ccode.yaml")
    table: Any = found.table
    assert table["providers"]["anthropic"] == {"auth": "env:ANTHROPIC_API_KEY"}
    left = {note.what: note.text for note in found.left}
    assert "own login" in left["profiles.default"]
    assert "cloud" in left["profiles.cloud"]
    assert "default" not in table["profiles"]


def test_settings() -> None:
    """Where its gateway listens is taken over, and that Remote Control is wanted."""
    found: Any = imported("ccode.yaml")
    assert found.table["proxy"] == {"enabled": True, "bind": "127.0.0.1", "port": 8300, "pid_file": "/tmp/ccode.pid"}
    left = {note.what: note.text for note in found.left}
    assert found.table["launch"] == {"always_control": True}
    assert [name for name, each in found.table["profiles"].items() if each.get("always_control")] == ["deepseek"]
    assert "profiles.deepseek.env.ANTHROPIC_MODEL" in left


def test_a_bind_to_the_outside_is_left() -> None:
    """It would need a token here, which there is none of there."""
    proxy = {"bind": "0.0.0.0", "allow_external_bind": True, "unheard": 1}
    profile = {"anthropic_base_url": "https://llm.example.com", "anthropic_auth_token": "planted", "proxy": proxy}
    found = import_table({"profiles": {"p": profile}}, PRESETS, {})
    table: Any = found.table
    assert table["profiles"]["p"]["proxy"] == {"allow_external_bind": True}
    assert {"profiles.p.proxy.bind", "profiles.p.proxy.unheard"} <= {note.what for note in found.left}


def test_a_subscription_is_left() -> None:
    """The token of a Claude subscription is not taken over."""
    profile = {"anthropic_base_url": "https://api.anthropic.com", "anthropic_auth_token": "sk-ant-oat01-planted"}
    found = import_table({"profiles": {"p": profile}}, PRESETS, {})
    assert "planted" not in repr(found)
    assert any("subscription" in note.text for note in found.left)
