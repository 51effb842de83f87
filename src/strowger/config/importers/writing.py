"""An imported configuration as the text of a file, in the order in which a person would write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strowger.config.describe import toml_key, toml_value
from strowger.config.importers.draft import Imported, table_of, tables_in
from strowger.config.references import MASK, BadReference, looks_sensitive, parse_reference

_HEAD = """\
# Imported from {system} by `strowger config import`. `strowger config check` looks for mistakes,
# `strowger config show --origin` says where each value in force came from.
"""
_ORDER = ("server", "network", "limits", "retries", "log")
_SECRETS = {"auth", "client_token", "proxy"}


def as_toml(found: Imported, *, masked: bool = False) -> str:
    """The file. `masked` shows `***` for secrets that stand in it, so that it can be printed."""
    blocks = [_HEAD.format(system=found.system)]
    for header, table in _tables(found.table):
        lines = [f"{toml_key(key)} = {toml_value(_shown(key, value, masked))}" for key, value in table.items()]
        blocks.append("\n".join([header, *lines]) + "\n")
    return "\n".join(blocks)


def _tables(table: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for section in _ORDER:
        if section in table:
            yield f"[{section}]", table_of(table[section])
    for name, provider in table_of(table.get("providers")).items():
        yield f"[providers.{toml_key(name)}]", table_of(provider)
    for _, route in tables_in(table.get("routes")):
        yield "[[routes]]", route
    for section in ("aliases", "launch"):
        if section in table:
            yield f"[{section}]", table_of(table[section])
    for name, profile in table_of(table.get("profiles")).items():
        yield f"[profiles.{toml_key(name)}]", table_of(profile)


def _shown(key: str, value: object, masked: bool) -> object:
    if not masked:
        return value
    if key in {"accounts", "headers", "env"}:
        return {
            name: _hidden(item) if key == "accounts" or looks_sensitive(name) else item
            for name, item in table_of(value).items()
        }
    if key == "proxy":
        return MASK if "@" in str(value) else value
    return _hidden(value) if key in _SECRETS else value


def _hidden(value: object) -> object:
    """A reference as it is; a mask for a text that is itself the secret."""
    try:
        return MASK if parse_reference(value).kind == "literal" else value
    except BadReference:
        return MASK
