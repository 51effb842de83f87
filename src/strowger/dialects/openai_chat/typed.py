"""Schemas of tools for validators that want every property to say its type and to refer to nothing elsewhere.

Moonshot's refuses much that is right: a property with an `enum` alone, a `$ref`, a type beside an `anyOf` instead of
inside it. What is done about it changes how a schema is written, not what it allows. Pure; a schema that cannot be read
stays as it is, for the vendor to say what is wrong.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

_SMALL = 65_536
# Referring to each other, a few definitions can spell out more than any validator reads.
_MOST_NODES = 20_000
_DEFINITIONS = ("$defs", "definitions")
_CHOICES = ("anyOf", "oneOf")
_UNTYPED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
_ONE = ("additionalProperties", "contains", "propertyNames", "not", "if", "then", "else", "items")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_NAMED = ("properties", "patternProperties", "dependentSchemas", *_DEFINITIONS)
# Members that tell of what type a schema is, the more telling first.
_TELLING = (
    ("object", frozenset({"properties", "patternProperties", "additionalProperties", "required", "propertyNames"})),
    ("array", frozenset({"items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"})),
    ("string", frozenset({"pattern", "format", "minLength", "maxLength"})),
    ("number", frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})),
)
_TYPES = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))

Node = dict[str, Any]


def typed(schema: Raw) -> Raw:
    """The same schema, every property with a type and without references, but for those that lead in circles."""
    written = bytes(schema)
    return _seen(written) if len(written) <= _SMALL else _typed(written)


def _typed(written: bytes) -> Raw:
    try:
        root = msgspec.json.decode(written)
        if not isinstance(root, dict):
            return Raw(written)
        whole = _Inlining(root).node(root, frozenset())
    except (msgspec.MsgspecError, RecursionError, _TooLargeError):
        return Raw(written)
    if "#/" not in written.decode("utf-8", "replace") or not _refers(whole):
        for key in _DEFINITIONS:
            whole.pop(key, None)
    _inside(whole)
    return Raw(msgspec.json.encode(whole))


_seen = lru_cache(maxsize=1024)(_typed)  # agents send the same tools with every turn


class _TooLargeError(Exception):
    """Spelled out, the schema is larger than anybody reads."""


class _Inlining:
    """Puts what is referred to in the place of the reference."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._nodes = 0

    def node(self, value: Any, within: frozenset[str]) -> Any:
        """A copy; `within` are the references that led here."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise _TooLargeError
        if isinstance(value, list):
            return [self.node(item, within) for item in value]
        if not isinstance(value, dict):
            return value
        where = value.get("$ref")
        meant = self._found(where) if isinstance(where, str) and where not in within else None
        if meant is None:
            return {key: self.node(item, within) for key, item in value.items()}
        inner = self.node(meant, within | {str(where)})
        return inner | {key: self.node(item, within) for key, item in value.items() if key != "$ref"}

    def _found(self, where: str) -> Node | None:
        if not where.startswith("#/"):
            return None
        at: Any = self._root
        for step in where[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            at = at.get(key) if isinstance(at, dict) else None
        return at if isinstance(at, dict) else None


def _refers(node: Any) -> bool:
    """Whether a reference is left outside of the definitions."""
    if isinstance(node, list):
        return any(_refers(item) for item in node)
    if not isinstance(node, dict):
        return False
    return isinstance(node.get("$ref"), str) or any(
        _refers(item) for key, item in node.items() if key not in _DEFINITIONS
    )


def _inside(node: Node) -> None:
    """Mend all schemas in this one."""
    for key in _ONE:
        if isinstance(node.get(key), dict):
            _mend(node[key])
    for key in _MANY:
        for item in node[key] if isinstance(node.get(key), list) else ():
            if isinstance(item, dict):
                _mend(item)
    for key in _NAMED:
        for item in node[key].values() if isinstance(node.get(key), dict) else ():
            if isinstance(item, dict):
                _mend(item)


def _mend(node: Node) -> None:
    if "type" in node:
        for key in _CHOICES:
            branches = node.get(key)
            if isinstance(branches, list) and branches and all(isinstance(branch, dict) for branch in branches):
                kind = node.pop("type", None)
                for branch in branches:
                    if kind is not None and not _UNTYPED & branch.keys():
                        branch.setdefault("type", kind)
    elif not _UNTYPED & node.keys():
        node["type"] = _type_of(node)
    _inside(node)


def _type_of(node: Node) -> str | list[str]:
    values = node["enum"] if isinstance(node.get("enum"), list) else [node["const"]] if "const" in node else []
    kinds = list(dict.fromkeys(_type_of_value(value) for value in values))
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    if kinds:
        return kinds[0] if len(kinds) == 1 else kinds
    return next((kind for kind, telling in _TELLING if telling & node.keys()), "string")


def _type_of_value(value: object) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "null")
