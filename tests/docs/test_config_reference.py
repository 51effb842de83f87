"""The configuration reference names every key, default, preset and capability that there is, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import msgspec

from strowger.config import checks
from strowger.config.schema import Config, Limits, Match, Network, ProviderConfig, Proxy, RouteConfig, Server
from strowger.dialects.base import Capabilities
from strowger.providers.presets import PRESETS
from tests.house import tree

PAGE = tree.text("docs/reference/config.md")


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: first cell without its marks → the other cells."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"the page has no section {heading}"
    lines = re.findall(r"^\| (`.*) \|$", section[1], re.MULTILINE)
    return {(cells := line.split(" | "))[0].strip("`"): cells[1:] for line in lines}


def defaults(struct: type[msgspec.Struct]) -> dict[str, object]:
    return {field.encode_name: field.default for field in msgspec.structs.fields(struct)}


def settings(section: msgspec.Struct) -> dict[str, object]:
    """Every key of a section as it is by default."""
    return {field.encode_name: getattr(section, field.name) for field in msgspec.structs.fields(section)}


def shown(value: object) -> str:
    """A default as TOML."""
    if isinstance(value, Mapping):
        value = dict(value)
    return f"`{json.dumps(int(value) if isinstance(value, float) and value == int(value) else value)}`"


def test_settings() -> None:
    """Server, limits, log and flows: every key with its default."""
    structs = (("`[server]`", Server), ("`[limits]`", Limits), ("`[network]`", Network), ("`[proxy]`", Proxy))
    for heading, struct in structs:
        table = rows(heading)
        assert table.keys() == defaults(struct).keys()
        for key, value in defaults(struct).items():
            assert table[key][0] == ("none" if value is None else shown(value))
    config = Config()
    others = rows("`[log]`, `[flows]`, `[prices]`, `[metrics]`, `[tracing]` and `[responses]`")
    sections = ("log", "flows", "prices", "metrics", "tracing", "responses")
    expected = {f"{name}.{key}": value for name in sections for key, value in settings(getattr(config, name)).items()}
    assert others.keys() == expected.keys()
    for name, value in expected.items():
        if value is not None:  # what stands for it then is said in words
            assert others[name][0] == shown(value)
    assert rows("`[budgets]`").keys() == settings(config.budgets).keys()


def test_providers_and_routes() -> None:
    """Every key of a provider, of a route and of its conditions."""
    assert rows("`[providers.NAME]`").keys() == defaults(ProviderConfig).keys()
    matches = {f"match.{key}" for key in defaults(Match)}
    assert rows("Routes").keys() == matches | (defaults(RouteConfig).keys() - {"match"})


def test_sections() -> None:
    """Every section of the file has its heading."""
    assert all(f"[{name}" in PAGE for name in defaults(Config))


def test_presets() -> None:
    """Every preset with its dialect, address, variables and models."""
    expected = {
        name: [
            f"`{preset.dialect}`",
            "built in" if preset.base_url == checks.DEMO_URL else f"`{preset.base_url}`",
            ", ".join(f"`{variable}`" for variable in preset.key_env) or "none",
            ", ".join(f"`{glob}`" for glob in preset.models) or "any, by `provider:model`",
        ]
        for name, preset in PRESETS.items()
    }
    assert rows("Presets") == expected


def test_capabilities() -> None:
    """Every capability with its default, and the words that it may be."""
    table = rows("Capabilities")
    assert table.keys() == defaults(Capabilities).keys()
    for key, value in defaults(Capabilities).items():
        assert table[key][0] == shown(value)
        assert all(f'"{word}"' in table[key][1] for word in checks.CHOICES.get(key, ()) if word)
