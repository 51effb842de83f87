"""Imports fit for use, whatever was in the foreign file."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strowger.config.importers import SYSTEMS, Imported, import_table
from strowger.config.importers.draft import table_of
from strowger.config.importers.fitting import fitted
from strowger.config.importers.reading import read_file
from strowger.config.importers.writing import as_toml
from strowger.config.layers import load
from strowger.errors import ConfigError
from strowger.providers.presets import PRESETS
from tests.unit.config.imports.files import FOLDER

FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".json", ".yaml", ".toml"})
TABLES = {name: read_file(FOLDER / name) for name in FILES}

ODD: tuple[object, ...] = (
    *(None, True, -1, 2**70, 0.5, "", "x", "$X", "a,b", "provider:model", "https://h.example/v1", "sk-ant-x", "*", "["),
    *("0.0.0.0", "a b", "\x00", "os.environ/X", [], {}, [{"a": [1]}], {"type": "command", "name": ["x"]}),
)
KEYS = ("codex", "name", "", "a.b", "model", "*")


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in below for place in places(item, (*at, key)))]


def mutated(seed: int) -> dict[str, Any]:
    """A fixture with some of its values replaced, taken out, or put elsewhere."""
    chance = random.Random(seed)
    table: Any = copy.deepcopy(TABLES[chance.choice(FILES)])
    for _ in range(chance.randint(1, 6)):
        *way, last = chance.choice(places(table)[1:] or [("x",)])
        inner = table
        for key in way:
            inner = inner[key]
        odd = copy.deepcopy(chance.choice(ODD))
        if chance.random() < 0.5 or not way:
            inner[last] = odd
        elif isinstance(inner, dict):
            del inner[last]
            inner[chance.choice(KEYS)] = odd
        else:
            inner[last] = copy.deepcopy(inner[0])
    return dict(table)


def check(found: Imported) -> None:
    for profile in (None, *table_of(found.table.get("profiles"))):
        load(env={}, presets=PRESETS, table=found.table, profile=profile)
    as_toml(found, masked=True)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), system=st.sampled_from([None, *SYSTEMS]))
def test_mutated(seed: int, system: str | None) -> None:
    """Whatever a file holds, an import ends with a configuration that passes our checks, or with ConfigError."""
    try:
        found = import_table(mutated(seed), PRESETS, {}, system)
    except ConfigError:
        return
    check(found)


@pytest.mark.parametrize("name", FILES)
def test_fixtures(name: str) -> None:
    """Each fixture is recognised by its content and gives a configuration that passes our checks."""
    found = import_table(TABLES[name], PRESETS, {})
    assert found.system == name.partition(".")[0]
    assert found.taken
    check(found)


def test_every_system_has_a_fixture() -> None:
    """Each system is tested with a file of its own."""
    assert {name.partition(".")[0] for name in FILES} == set(SYSTEMS)


def test_nothing_known() -> None:
    """A file of no known program is an error that says what was expected, as is one with nothing in it for us."""
    with pytest.raises(ConfigError, match="no program") as caught:
        import_table({"something": 1}, PRESETS, {})
    assert "model_list" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="nothing of litellm"):
        import_table({"model_list": []}, PRESETS, {})


def test_what_is_refused_goes() -> None:
    """Whatever our checks refuse is taken out, with what leads to it, and said with their reason; the rest stays."""
    table: dict[str, object] = {
        "server": {"bind": "0.0.0.0", "port": 1},
        "network": {"no_proxy": 5},
        "providers": {"good": {"preset": "openai"}, "bad": {"dialect": "anthropic"}},
        "routes": [{"match": {"model": "*"}, "to": "bad"}, {"match": {"model": "*"}, "to": "good"}],
        "aliases": {"a": "bad:m", "b": "good:m"},
        "profiles": {"p": {"via": "bad"}, "q": {"via": "good"}},
    }
    found = fitted(Imported("x", table, (), ()), PRESETS, {})
    assert found.table == {
        "server": {"port": 1},
        "providers": {"good": {"preset": "openai"}},
        "routes": [{"match": {"model": "*"}, "to": "good"}],
        "aliases": {"b": "good:m"},
        "profiles": {"q": {"via": "good"}},
    }
    assert {"server.bind", "providers.bad", "network", "profiles.p"} <= {note.what for note in found.left}
    assert len(table) == 6
