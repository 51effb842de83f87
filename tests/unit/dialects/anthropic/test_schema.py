"""Schemas that constrained decoding takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.anthropic.schema import enforceable
from tests.unit.dialects.anthropic.transcripts import dumps


def _enforced(schema: Any) -> tuple[Any, bool]:
    written, changed = enforceable(Raw(dumps(schema)))
    return json.loads(bytes(written)), changed


def test_a_good_schema_keeps_its_bytes() -> None:
    """Nothing is written anew without need: caches see bytes."""
    raw = Raw(b'{ "type":"object", "additionalProperties":false, "properties":{"a":{"enum":[1, 2]}} }')
    assert enforceable(raw) == (raw, False)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}},
        {"properties": {}},
        {"type": ["object", "null"], "properties": {}},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
)
def test_objects_are_closed(schema: dict[str, Any]) -> None:
    """An object must say that it has no other members."""
    assert _enforced(schema) == ({**schema, "additionalProperties": False}, True)


@pytest.mark.parametrize(
    "path",
    [("properties", "x"), ("$defs", "x"), ("items",), ("anyOf", 0), ("allOf", 0), ("not",)],
)
def test_all_objects_are_found(path: tuple[str | int, ...]) -> None:
    """However deep they are."""
    inner: Any = {"type": "object", "properties": {}}
    for step in reversed(path):
        inner = [inner] if isinstance(step, int) else {step: inner}
    found, changed = _enforced({"additionalProperties": False, **inner})
    for step in path:
        found = found[step]
    assert changed
    assert found["additionalProperties"] is False


def test_limits_are_described() -> None:
    """What cannot be enforced is still said to the model."""
    schema = {"type": "integer", "description": "A byte", "minimum": 0, "maximum": 255, "format": "uint8"}
    assert _enforced(schema) == (
        {"type": "integer", "description": 'A byte (minimum: 0, maximum: 255, format: "uint8")'},
        True,
    )
    assert _enforced({"type": "array", "minItems": 2}) == ({"type": "array", "description": "minItems: 2"}, True)


def test_what_is_supported_stays() -> None:
    """Known formats, and a list that must not be empty."""
    assert not _enforced({"type": "array", "minItems": 1, "items": {"type": "string", "format": "date-time"}})[1]


def test_a_property_may_be_called_like_a_limit() -> None:
    """Names of members are not keywords."""
    schema = {"type": "object", "additionalProperties": False, "properties": {"minimum": {"type": "number"}}}
    assert _enforced(schema) == (schema, False)
