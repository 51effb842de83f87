"""The file that an import writes."""

from __future__ import annotations

import tomllib

from strowger.config.importers import Imported
from strowger.config.importers.writing import as_toml

TABLE: dict[str, object] = {
    "server": {"client_token": "planted-token", "port": 1},
    "network": {"proxy": "http://me:planted-word@h:1"},
    "providers": {
        "a b": {"auth": "planted-key", "headers": {"X-Api-Key": "planted-header", "X-Team": "compilers"}},
        "b": {"auth": "env:B", "accounts": {"x": "planted-account", "y": "env:Y"}},
    },
    "routes": [{"match": {"model": "*"}, "to": "b"}],
    "aliases": {"q.r": "b:m"},
    "profiles": {"p": {"via": "b", "env": {"SOME_TOKEN": "planted-env", "LANG": "C"}}},
}


def found(table: dict[str, object]) -> Imported:
    return Imported("x", table, (), ())


def test_round() -> None:
    """The text means exactly the table, whatever the names."""
    assert tomllib.loads(as_toml(found(TABLE))) == TABLE


def test_masked() -> None:
    """To be printed, no secret is in it; references and plain texts are."""
    text = as_toml(found(TABLE), masked=True)
    assert "planted" not in text
    assert '"env:B"' in text
    assert "compilers" in text
    assert 'LANG = "C"' in text
