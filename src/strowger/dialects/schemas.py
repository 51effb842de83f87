"""Questions about JSON schemas that more than one dialect asks. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

_NESTED = ("items", "additionalItems", "not", "if", "then", "else")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")


def is_strict(schema: Raw | None) -> bool:
    """Whether a schema keeps the rules of OpenAI's strict mode: every object, however deep, closes its properties
    with `additionalProperties: false` and requires all of them.
    """
    if schema is None:
        return False
    try:
        node = msgspec.json.decode(schema)
    except msgspec.MsgspecError:
        return False
    return isinstance(node, dict) and _is_object(node) and _strict(node)


def _is_object(node: dict[str, Any]) -> bool:
    return node.get("type") == "object" or "properties" in node


def _strict(node: object) -> bool:
    if not isinstance(node, dict):
        return True
    if _is_object(node):
        properties = node.get("properties", {})
        required = node.get("required", [])
        if node.get("additionalProperties") is not False or not isinstance(properties, dict):
            return False
        # a schema is the client's: its members may be anything
        if not isinstance(required, list) or any(not isinstance(name, str) for name in required):
            return False
        if set(required) != set(properties):
            return False
    inner: list[object] = [node[key] for key in _NESTED if key in node]
    for key in _LISTS:
        inner += node[key] if isinstance(node.get(key), list) else []
    for key in _MAPS:
        inner += node[key].values() if isinstance(node.get(key), dict) else []
    return all(_strict(child) for child in inner)
