"""Questions about JSON schemas that more than one dialect asks. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

_NOTHING = Raw(b"null")
_NESTED = ("items", "additionalItems", "not", "if", "then", "else")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")


def is_strict(schema: Raw | None) -> bool:
    """Whether a schema keeps the rules of OpenAI's strict mode: every object, however deep, closes its properties
    with `additionalProperties: false` and requires all of them.
    """
    if schema is None:
        return False
    written = bytes(schema)
    return _seen_strict(written) if len(written) <= _SMALL else _is_strict(written)


def _is_strict(schema: bytes) -> bool:
    try:
        node = msgspec.json.decode(schema)
    except msgspec.MsgspecError:
        return False
    return isinstance(node, dict) and _is_object(node) and _strict(node)


_SMALL = 16_384
_seen_strict = lru_cache(maxsize=1024)(_is_strict)  # agents send the same tools with every turn


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


class _Grammar(Struct):
    type: str = ""
    syntax: Raw = _NOTHING
    definition: Raw = _NOTHING
    grammar: Raw = _NOTHING


def grammar(written: Raw, *, nested: bool) -> Raw:
    """The format of a free-text tool in the other of OpenAI's two spellings: Chat nests the grammar in an object of
    that name. What is not of either is left alone.
    """
    try:
        given = msgspec.json.decode(written, type=_Grammar)
        if given.type == "grammar" and not nested and bytes(given.grammar) != bytes(_NOTHING):
            given = msgspec.json.decode(given.grammar, type=_Grammar)
        elif given.type != "grammar" or not nested or bytes(given.grammar) != bytes(_NOTHING):
            return written
    except msgspec.MsgspecError:
        return written
    members = {"syntax": given.syntax, "definition": given.definition}
    node: dict[str, object] = {"type": "grammar", **({"grammar": members} if nested else members)}
    return Raw(msgspec.json.encode(node))
