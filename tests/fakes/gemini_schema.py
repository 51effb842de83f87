"""What Gemini refuses in a schema: its own subset where `parameters` is used, JSON Schema where the other member is.

Unknown keywords never come here: gemini_proto has refused them as unknown names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.gemini_errors import Denied
from tests.fakes.refusal import Json

# Says that a member is invalid: path, reason.
Invalid = Callable[[str, str], Denied]
_ONLY = {
    "properties": "OBJECT",
    "required": "OBJECT",
    "propertyOrdering": "OBJECT",
    "items": "ARRAY",
    "minItems": "ARRAY",
    "maxItems": "ARRAY",
    "enum": "STRING",
    "pattern": "STRING",
    "minLength": "STRING",
    "maxLength": "STRING",
}
_SNAKE = {
    "propertyOrdering": "property_ordering",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minLength": "min_length",
    "maxLength": "max_length",
}
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")


def check_schema(schema: Json, path: str, invalid: Invalid) -> None:
    """Refuse what the vendor's own subset has no place for."""
    kind = schema.get("type", "TYPE_UNSPECIFIED")
    for name, only in _ONLY.items():
        if schema.get(name) and kind != only:
            raise invalid(f"{path}.{_SNAKE.get(name, name)}", f"only allowed for {only} type")
    if kind == "ARRAY" and "items" not in schema:
        raise invalid(f"{path}.items", "missing field.")
    if kind == "STRING" and schema.get("format", "enum") not in ("enum", "date-time"):
        raise invalid(f"{path}.format", "only 'enum' and 'date-time' are supported for STRING type")
    if schema.get("format") == "enum" and not schema.get("enum"):
        raise invalid(f"{path}.enum", "should be non-empty for STRING type with enum format")
    if "" in schema.get("enum", ()):
        raise invalid(f"{path}.enum[{schema['enum'].index('')}]", "cannot be empty")
    properties = schema.get("properties", {})
    # At the top of a function's parameters it is how "no arguments" is said, and taken.
    if kind == "OBJECT" and not properties and not path.endswith(".parameters"):
        raise invalid(f"{path}.properties", "should be non-empty for OBJECT type")
    for index, name in enumerate(schema.get("required", ())):
        if name not in properties:
            raise invalid(f"{path}.required[{index}]", "property is not defined")
    for name, child in properties.items():
        check_schema(child, f'{path}.properties["{name}"]', invalid)
    if "items" in schema:
        check_schema(schema["items"], f"{path}.items", invalid)
    for index, child in enumerate(schema.get("anyOf", ())):
        check_schema(child, f"{path}.any_of[{index}]", invalid)


def check_json_schema(schema: Any, path: str, invalid: Invalid) -> None:
    """Refuse what is no JSON Schema: types that do not exist, references that lead nowhere."""
    if not isinstance(schema, dict):
        raise invalid(path, "must be a JSON object")
    _check_node(schema, schema, path, invalid)


def _check_node(node: Any, root: Json, path: str, invalid: Invalid) -> None:
    if isinstance(node, bool):
        return
    if not isinstance(node, dict):
        raise invalid(path, "must be a schema")
    kinds = node.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise invalid(f"{path}.type", f"unknown type {kind!r}")
    reference = node.get("$ref")
    if reference is not None and _target(reference, root) is None:
        raise invalid(path, f"reference to undefined schema at {reference}")
    for name in ("properties", "$defs", "definitions", "patternProperties"):
        for key, child in (node.get(name) or {}).items():
            _check_node(child, root, f'{path}.{name}["{key}"]', invalid)
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, child in enumerate(node.get(name) or ()):
            _check_node(child, root, f"{path}.{name}[{index}]", invalid)
    for name in ("items", "additionalProperties", "not"):
        if name in node:
            _check_node(node[name], root, f"{path}.{name}", invalid)


def _target(reference: Any, root: Json) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node
