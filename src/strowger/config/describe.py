"""A loaded configuration as text for people and machines: every value in force, and where it came from.

Shows references to secrets, never a secret. Must not know where the text is printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import msgspec

from strowger.config.layers import Loaded
from strowger.config.lines import Path
from strowger.config.references import SecretRef, looks_sensitive
from strowger.config.schema import Budget

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(loaded: Loaded, *, origins: bool = False) -> str:
    """The configuration in force as TOML; with `origins`, each value says in a comment where it came from."""
    lines: list[str] = []
    for path, table in _tables(loaded):
        lines += ["", _header(path)] if lines else [_header(path)]
        for key, value in table.items():
            line = f"{toml_key(key)} = {toml_value(_plain(value, key))}"
            lines.append(f"{line}  # {loaded.origin((*path, key)).text}" if origins else line)
    return "\n".join(lines) + "\n"


def as_json(loaded: Loaded, *, origins: bool = False) -> str:
    """The same as JSON; with `origins`, it is a list of key, value and origin."""
    if not origins:
        whole = {
            field.encode_name: getattr(loaded.config, field.name) for field in msgspec.structs.fields(loaded.config)
        }
        return json.dumps(_plain(whole), indent=2, ensure_ascii=False) + "\n"
    listed = [
        {
            "key": ".".join(str(step) for step in (*path, key)),
            "value": _plain(value, key),
            "origin": loaded.origin((*path, key)).text,
        }
        for path, table in _tables(loaded)
        for key, value in table.items()
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def _tables(loaded: Loaded) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Each table with its key path, in the order of the schema."""
    config = loaded.config
    yield ("server",), _fields(config.server)
    yield ("limits",), _fields(config.limits)
    yield ("network",), _fields(config.network)
    yield ("retries",), _fields(config.retries)
    for name, provider in config.providers.items():
        yield ("providers", name), _fields(provider)
    for number, route in enumerate(config.routes):
        yield ("routes", number), _fields(route)
    if config.aliases:
        yield ("aliases",), config.aliases
    yield ("launch",), _fields(config.launch)
    yield ("proxy",), _fields(config.proxy)
    yield ("log",), _fields(config.log)
    yield ("flows",), _fields(config.flows)
    yield ("prices",), _fields(config.prices)
    yield ("budgets",), _fields(config.budgets)
    yield ("metrics",), _fields(config.metrics)
    yield ("tracing",), _fields(config.tracing)
    yield ("responses",), _fields(config.responses)


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    """Field values by their TOML names, without those that are not set: TOML has no null."""
    fields = ((field.encode_name, getattr(struct, field.name)) for field in msgspec.structs.fields(struct))
    return {name: value for name, value in fields if value is not None and value not in ((), {}) and value != Budget()}


def _plain(value: object, key: str = "") -> object:
    match value:
        case SecretRef():
            is_plain_header = value.literal is not None and key.startswith("headers.") and not looks_sensitive(key)
            return value.literal.reveal() if is_plain_header and value.literal is not None else value.text
        case msgspec.Struct():
            return {name: _plain(item, name) for name, item in _fields(value).items()}
        case Mapping():
            inner = "headers." if key == "headers" else ""
            return {str(name): _plain(item, f"{inner}{name}") for name, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]
        case _:
            return value


def _header(path: Path) -> str:
    name = ".".join(toml_key(step) for step in path if isinstance(step, str))
    return f"[[{name}]]" if isinstance(path[-1], int) else f"[{name}]"


def toml_key(key: str) -> str:
    """A key as TOML has it."""
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def toml_value(value: object) -> str:
    """A value as TOML has it, in one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items()) + " }"
        case list():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case _:
            # A JSON string is a TOML string as well, but for one control character that JSON lets stand.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
