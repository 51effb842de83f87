"""JSON schemas as Anthropic's constrained decoding takes them.

Answers in a shape, and strict tools, are held to their schema by the vendor, which refuses schemas it cannot hold
them to: objects must be closed, and limits on numbers, lengths and counts are unknown to it. A limit that has to go
is said in the description, so that the model still sees it. Knows no request.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

_LIMITS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "patternProperties", "propertyNames", "contains",
)  # fmt: skip
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_NESTED = ("items", "not", "if", "then", "else")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")


def enforceable(schema: Raw) -> tuple[Raw, bool]:
    """The schema, changed where it has to be, and whether it was."""
    tree: Any = msgspec.json.decode(schema)
    return (Raw(msgspec.json.encode(tree)), True) if _enforce(tree) else (schema, False)


def _enforce(node: Any) -> bool:
    if not isinstance(node, dict):
        return False
    changed = _close(node) | _say_limits(node)
    inner = [node.get(key) for key in _NESTED]
    for key in _LISTS:
        inner += node[key] if isinstance(node.get(key), list) else []
    for key in _MAPS:
        inner += node[key].values() if isinstance(node.get(key), dict) else []
    for child in inner:
        changed |= _enforce(child)
    return changed


def _close(node: dict[str, Any]) -> bool:
    kind = node.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in node
    if not is_object or node.get("additionalProperties") is False:
        return False
    node["additionalProperties"] = False
    return True


def _say_limits(node: dict[str, Any]) -> bool:
    limits = {key: node.pop(key) for key in _LIMITS if key in node}
    if node.get("minItems", 0) not in (0, 1):
        limits["minItems"] = node.pop("minItems")
    if isinstance(node.get("format"), str) and node["format"] not in _FORMATS:
        limits["format"] = node.pop("format")
    if not limits:
        return False
    said = ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in limits.items())
    described = node.get("description")
    node["description"] = f"{described} ({said})" if isinstance(described, str) and described else said
    return True
