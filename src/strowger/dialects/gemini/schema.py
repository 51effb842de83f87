"""Schemas of tools and answers: from Google's subset of OpenAPI to JSON Schema, and from JSON Schema to what Google
takes.

Google writes types in capitals and `nullable` where JSON Schema has the type "null". Its `parameters` know few
keywords; `parametersJsonSchema` takes JSON Schema, but not all of it. Knows no request.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

Node = dict[str, Any]

_TYPE = re.compile(rb'"type"\s*:\s*"?([A-Za-z\d])')
_LOWER = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_TYPES = ("type_unspecified", "string", "number", "integer", "boolean", "array", "object", "null")
"""By number, as protobuf may write them."""
_CAMEL = {
    "any_of": "anyOf",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "additional_properties": "additionalProperties",
}
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})

_NESTED = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_UNIONS = ("anyOf", "oneOf")

_KEPT = frozenset(
    {
        "type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required",
        "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf", "propertyOrdering",
        "default", "items", "minimum", "maximum",
    }
)  # fmt: skip
"""What Google's own schema has members for."""
_SHAPES = frozenset({"type", "properties", "anyOf", "oneOf", "allOf", "$ref"})
"""Without any of them a schema allows everything, and says nothing."""
_SILENT = frozenset(
    {"$schema", "$id", "$comment", "$defs", "definitions", "$anchor", "examples", "deprecated", "title", "strict"}
)
"""What can go without a word: it limits nothing."""
_ONLY = {
    "properties": "object",
    "required": "object",
    "propertyOrdering": "object",
    "minProperties": "object",
    "maxProperties": "object",
    "items": "array",
    "minItems": "array",
    "maxItems": "array",
    "pattern": "string",
    "minLength": "string",
    "maxLength": "string",
    "minimum": "number",
    "maximum": "number",
}
"""Keywords that Google takes beside one type only; an integer is a number."""
_FORMATS = {
    "string": frozenset({"enum", "date-time"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
_DEEPEST = 32
_MOST = 20_000
"""Schemas inside a schema, references followed: a few lines can refer to each other without end."""
_ANY_KEYS: Node = {"any": {"type": "STRING", "description": "Other keys are allowed as well."}}
"""An object without properties is refused below the top, although there is no other way to say that keys are free."""


# ---- from Google's ----


def from_google(schema: Raw) -> tuple[Raw, bool]:
    """A schema as JSON Schema, and whether it had to be changed: what is JSON Schema already stays byte for byte."""
    first = _TYPE.search(schema)  # nobody writes some types in capitals and others not
    if (first is None or first[1][0] in _LOWER) and b'"nullable"' not in bytes(schema):
        return schema, False
    tree = msgspec.json.decode(schema)
    return (Raw(msgspec.json.encode(tree)), True) if _standard(tree) else (schema, False)


def _standard(node: object) -> bool:
    if not isinstance(node, dict):
        return False
    changed = _standard_names(node) | _standard_type(node)
    for child in _children(node):
        changed |= _standard(child)
    return changed


def _standard_names(node: Node) -> bool:
    old = [key for key in node if key in _CAMEL]
    for key in old:
        node[_CAMEL[key]] = node.pop(key)
    changed = bool(old)
    for key in _COUNTS & node.keys():
        if isinstance(node[key], str) and node[key].isdigit():
            node[key] = int(node[key])
            changed = True
    for key in ("propertyOrdering", "property_ordering"):
        changed |= node.pop(key, None) is not None
    return changed


def _standard_type(node: Node) -> bool:
    kind, changed = node.get("type"), False
    if isinstance(kind, int) and not isinstance(kind, bool) and 0 <= kind < len(_TYPES):
        kind, changed = _TYPES[kind], True
    if isinstance(kind, str) and kind != kind.lower():
        kind, changed = kind.lower(), True
    if kind == "type_unspecified":
        del node["type"]
        kind = None
    elif changed:
        node["type"] = kind
    nullable = node.pop("nullable", None)
    if nullable is True:
        _allow_null(node, kind)
    return changed or nullable is not None


def _allow_null(node: Node, kind: object) -> None:
    if isinstance(kind, str):
        node["type"] = [kind, "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"].append(None)
    elif isinstance(node.get("anyOf"), list):
        node["anyOf"].append({"type": "null"})


def _children(node: Node) -> list[object]:
    """The schemas inside a schema."""
    inside: list[object] = [node[key] for key in _NESTED if key in node]
    for key in _LISTS:
        inside += node[key] if isinstance(node.get(key), list) else []
    for key in _MAPS:
        inside += node[key].values() if isinstance(node.get(key), dict) else []
    return inside


# ---- to Google's ----


class Reduction:
    """One schema on its way into Google's subset. `dropped` are the keywords that had to go."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._left = _MOST
        self.dropped: set[str] = set()

    def reduced(self, node: object, trail: tuple[str, ...] = (), depth: int = 0) -> Node:
        """The schema of a node in Google's words. `trail`: the references that led here, where cycles are cut."""
        self._left -= 1
        if not isinstance(node, dict) or depth > _DEEPEST or self._left < 0:
            return self._untyped({})
        node, trail = self._resolved(node, trail)
        node = self._flattened(node, trail)
        out: Node = {key: node[key] for key in ("title", "description", "default") if node.get(key) is not None}
        options = self._options(node)
        kinds, nullable = _kinds(node)
        if options is not None:
            self._put_options(out, options, trail, depth, nullable=nullable)
            self.dropped |= {key for key in node if key in _ONLY}
            return out
        if len(kinds) > 1:
            bare = {**node, "description": None, "title": None, "default": None}
            out["anyOf"] = [self.reduced({**bare, "type": kind}, trail, depth + 1) for kind in kinds]
        elif kinds:
            self._put_typed(out, node, kinds[0], trail, depth)
        else:
            self._untyped(out)
        if nullable:
            out["nullable"] = True
        self._note(node)
        return out

    def _untyped(self, out: Node) -> Node:
        """A value that may be anything: Google wants a type, and a text can say the most."""
        self.dropped.add("values of any type")
        out["type"] = "STRING"
        return out

    def _resolved(self, node: Node, trail: tuple[str, ...]) -> tuple[Node, tuple[str, ...]]:
        """The node with its reference replaced by what it points to."""
        while isinstance(reference := node.get("$ref"), str):
            target = None if reference in trail else _pointed(self._root, reference)
            beside = {key: value for key, value in node.items() if key != "$ref"}
            if not isinstance(target, dict):
                self.dropped.add("$ref")
                return {"type": "object", **beside}, trail
            trail = (*trail, reference)
            node = {**target, **beside}
        return node, trail

    def _flattened(self, node: Node, trail: tuple[str, ...]) -> Node:
        """The node with what `allOf` adds to it."""
        parts = node.get("allOf")
        self._left -= 1
        if not isinstance(parts, list) or self._left < 0:
            return node
        merged = {key: value for key, value in node.items() if key != "allOf"}
        for part in parts:
            if not isinstance(part, dict):
                continue
            part = self._flattened(*self._resolved(part, trail))
            for key, value in part.items():
                held = merged.get(key)
                if key == "properties" and isinstance(held, dict) and isinstance(value, dict):
                    merged[key] = {**held, **value}
                elif key == "required" and isinstance(held, list) and isinstance(value, list):
                    merged[key] = list(dict.fromkeys([*held, *value]))
                else:
                    merged.setdefault(key, value)
        return merged

    def _options(self, node: Node) -> list[object] | None:
        for key in _UNIONS:
            if isinstance(node.get(key), list) and node[key]:
                return list(node[key])
        return None

    def _put_options(
        self, out: Node, options: list[object], trail: tuple[str, ...], depth: int, *, nullable: bool
    ) -> None:
        """A choice among schemas; the null among them becomes `nullable`, and one alone is no choice."""
        real = [option for option in options if not (isinstance(option, dict) and option.get("type") == "null")]
        reduced = [self.reduced(option, trail, depth + 1) for option in real]
        if len(reduced) == 1:
            described = {key: out[key] for key in out if key in reduced[0]}
            out.update(reduced[0])
            out.update(described)
        elif reduced:
            out["anyOf"] = reduced
        if nullable or len(real) < len(options):
            out["nullable"] = True

    def _put_typed(self, out: Node, node: Node, kind: str, trail: tuple[str, ...], depth: int) -> None:
        out["type"] = kind.upper()
        self._put_enum(out, node, kind)
        for key, only in _ONLY.items():
            fits = only == kind or (only == "number" and kind == "integer")
            if not fits or node.get(key) is None or key in {"properties", "required", "items"}:
                continue
            out[key] = node[key]
        form = node.get("format")
        if isinstance(form, str):
            if form in _FORMATS.get(kind, ()):
                out["format"] = form
            else:
                self.dropped.add("format")
        if kind == "array":
            items = node.get("items")
            if isinstance(items, list):
                self.dropped.add("items")
                items = items[0] if items else {}
            out["items"] = {"type": "STRING"} if items in (None, True, {}) else self.reduced(items, trail, depth + 1)
        elif kind == "object":
            self._put_properties(out, node, trail, depth)

    def _put_enum(self, out: Node, node: Node, kind: str) -> None:
        values = [node["const"]] if "const" in node else node.get("enum")
        if not isinstance(values, list):
            return
        words = [value for value in values if isinstance(value, str) and value]
        if kind == "string" and words:
            out["enum"] = words
        elif any(value is not None for value in values):
            self.dropped.add("const" if "const" in node else "enum")
            said = ", ".join(msgspec.json.encode(value).decode() for value in values)
            out["description"] = (
                f"{out['description']} (one of: {said})" if out.get("description") else f"one of: {said}"
            )

    def _put_properties(self, out: Node, node: Node, trail: tuple[str, ...], depth: int) -> None:
        properties = node.get("properties")
        if not isinstance(properties, dict) or not properties:
            if depth:
                out["properties"] = _ANY_KEYS
            return
        out["properties"] = {name: self.reduced(child, trail, depth + 1) for name, child in properties.items()}
        required = node.get("required")
        if isinstance(required, list):
            known = [name for name in required if isinstance(name, str) and name in properties]
            if known:
                out["required"] = known

    def _note(self, node: Node) -> None:
        """Remember which keywords went."""
        for key in node.keys() - _KEPT - _SILENT - {"$ref", "allOf", "const"}:
            if key == "additionalProperties" and node[key] in (False, True):
                continue
            self.dropped.add(key)


def _kinds(node: Node) -> tuple[list[str], bool]:
    """The types of a node, without null, and whether null is one of them. A type that is not said is guessed."""
    kind = node.get("type")
    nullable = node.get("nullable") is True
    if isinstance(kind, list):
        words = [word.lower() for word in kind if isinstance(word, str)]
        return [word for word in words if word != "null"], nullable or "null" in words
    if isinstance(kind, str):
        return ([kind.lower()], nullable) if kind.lower() != "null" else ([], True)
    if "properties" in node:
        return ["object"], nullable
    if "items" in node:
        return ["array"], nullable
    values = [node["const"]] if "const" in node else node.get("enum")
    if isinstance(values, list) and values:
        return (["string"] if any(isinstance(value, str) for value in values) else []), nullable
    return [], nullable


def _pointed(root: Node, reference: str) -> object:
    """What a reference inside this schema points to; None when it leads nowhere."""
    if not reference.startswith("#"):
        return None
    node: object = root
    for step in reference[1:].strip("/").split("/"):
        if step:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def to_google(schema: Raw) -> tuple[Raw | None, frozenset[str]]:
    """A JSON schema in Google's subset (None: it takes no arguments), and the keywords that had to go."""
    tree = msgspec.json.decode(schema)
    if not isinstance(tree, dict) or not tree.keys() & _SHAPES:
        return None, frozenset()
    reduction = Reduction(tree)
    reduced = reduction.reduced(tree)
    if not reduced.get("properties") and reduced.get("type", "OBJECT") == "OBJECT":
        return None, frozenset(reduction.dropped)
    return Raw(msgspec.json.encode(_untitled(reduced))), frozenset(reduction.dropped)


def _untitled(node: Node) -> Node:
    node.pop("title", None)
    return node


_REFERENCE = b'"$ref"'


def cleaned(schema: Raw) -> tuple[Raw, frozenset[str]]:
    """A JSON schema for the members that take one, and the keywords that had to go: references that lead nowhere."""
    if _REFERENCE not in bytes(schema):
        return schema, frozenset()
    tree = msgspec.json.decode(schema)
    dropped: set[str] = set()
    return (
        (Raw(msgspec.json.encode(tree)), frozenset(dropped)) if _clean(tree, tree, dropped) else (schema, frozenset())
    )


def _clean(node: object, root: Node, dropped: set[str]) -> bool:
    if not isinstance(node, dict):
        return False
    changed = False
    reference = node.get("$ref")
    if reference is not None and (not isinstance(reference, str) or not isinstance(_pointed(root, reference), dict)):
        del node["$ref"]
        dropped.add("$ref")
        changed = True
    for child in _children(node):
        changed |= _clean(child, root, dropped)
    return changed
