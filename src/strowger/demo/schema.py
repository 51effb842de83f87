"""The smallest value that a JSON schema accepts, for arguments and for structured output.

Pure. Covers what agents and SDKs send (local references, unions, enums, bounds, nested objects); of `pattern` it
knows nothing. A keyword of the wrong type counts as absent: the schema comes from the network. Where the schema
leaves a choice, a `Guess` may name a value by the property's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
Guess = Callable[[str, Schema], Any]
"""A value for a property by its name and schema, or `None` for no opinion."""

_DEPTH = 12
_MOST_ITEMS = 8
_MOST_NODES = 500
_LONGEST = 1000
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "demo@example.com",
    "uri": "http://127.0.0.1/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "hostname": "localhost",
}


def instance(schema: Schema, guess: Guess | None = None) -> Any:
    """A minimal value for a schema: required properties only. Recursion ends with null at a fixed depth and size."""
    return _Builder(schema, guess).value("", schema)


def kind_of(schema: object) -> str:
    """The schema's type in lower case; the first that is not null of several; told by its keywords if unsaid."""
    found = _table(schema)
    kind = found.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    if "properties" in found or "required" in found:
        return "object"
    return "array" if "items" in found else "string"


class _Builder:
    """Builds one value; counts the nodes it makes, since a recursive schema could ask for any number of them."""

    def __init__(self, root: Schema, guess: Guess | None) -> None:
        self._root = root
        self._guess = guess
        self._left = _MOST_NODES

    def value(self, name: str, given: object, depth: int = _DEPTH) -> Any:
        self._left -= 1
        if depth == 0 or self._left < 0:
            return None
        schema = _plain(given, self._root)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for choice in _items(schema.get("enum")):
            return choice
        guessed = self._guess(name, schema) if self._guess and name else None
        return self._minimal(name, schema, depth - 1) if guessed is None else guessed

    def _minimal(self, name: str, schema: Schema, depth: int) -> Any:
        match kind_of(schema):
            case "object":
                properties = _table(schema.get("properties"))
                names = [key for key in _items(schema.get("required")) if isinstance(key, str)]
                return {key: self.value(key, properties.get(key), depth) for key in names}
            case "array":
                fewest = min(_whole(schema.get("minItems")) or 0, _MOST_ITEMS)
                return [self.value(name, schema.get("items"), depth) for _ in range(fewest)]
            case "integer" | "number" as kind:
                number = _number(schema)
                return math.ceil(number) if kind == "integer" else number
            case "boolean":
                return False
            case "null":
                return None
            case _:
                return _string(name, schema)


def _plain(given: object, root: Schema) -> Schema:
    """The schema with references followed, the first useful branch of a union taken, and `allOf` merged."""
    schema = _table(given)
    for _ in range(_DEPTH):
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "oneOf", "allOf")}
        if "$ref" in schema:
            schema = rest | _follow(schema["$ref"], root)
        elif branches := _items(schema.get("anyOf")) or _items(schema.get("oneOf")):
            schema = rest | _table(next((each for each in branches if kind_of(each) != "null"), branches[0]))
        elif parts := _items(schema.get("allOf")):
            for part in parts:
                rest = _merge(rest, _table(part))
            schema = rest
        else:
            break
    return schema


def _merge(one: Schema, other: Schema) -> Schema:
    both = one | other
    if "properties" in one or "properties" in other:
        both["properties"] = _table(one.get("properties")) | _table(other.get("properties"))
        both["required"] = [*_items(one.get("required")), *_items(other.get("required"))]
    return both


def _follow(reference: object, root: Schema) -> Schema:
    """The schema at a local reference such as `#/$defs/Item`; anything else accepts everything."""
    found: object = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        if step:
            found = _table(found).get(step.replace("~1", "/").replace("~0", "~"))
    return _table(found)


def _number(schema: Schema) -> float:
    step = _whole(schema.get("multipleOf")) or 0
    low, high = _figure(schema.get("minimum")), _figure(schema.get("maximum"))
    above, below = _figure(schema.get("exclusiveMinimum")), _figure(schema.get("exclusiveMaximum"))
    if above is not None:
        low = above + (step or 1)
    if below is not None:
        high = below - (step or 1)
    value: float = 1 if low is None else low
    if high is not None and value > high:
        value = high
    return math.ceil(value / step) * step if step else value


def _string(name: str, schema: Schema) -> str:
    text = _FORMATS.get(str(schema.get("format")), name.replace("_", " ") or "demo")
    text = text.ljust(min(_whole(schema.get("minLength")) or 0, _LONGEST), ".")
    return text[: _whole(schema.get("maxLength"))]


def _table(value: object) -> Schema:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _figure(value: object) -> float | None:
    """A number of a sane size: JSON allows 1e999, which decodes to infinity, and integers without bound."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _whole(value: object) -> int | None:
    figure = _figure(value)
    return int(figure) if figure is not None and figure >= 0 else None
