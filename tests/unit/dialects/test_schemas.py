"""Questions about JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.schemas import is_strict

CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
OPEN: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema,strict",
    [
        (CLOSED, True),
        ({**CLOSED, "properties": {"a": {"type": "string"}}, "required": ["a"]}, True),
        ({**CLOSED, "properties": {"a": {"type": "string"}}}, False),
        (OPEN, False),
        ({**OPEN, "required": ["a"]}, False),
        ({**CLOSED, "properties": {"a": OPEN}, "required": ["a"]}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": OPEN}}, "required": ["a"]}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, OPEN]}}, "required": ["a"]}, False),
        ({**CLOSED, "$defs": {"a": OPEN}}, False),
        ({**CLOSED, "$defs": {"a": CLOSED}}, True),
        ({"type": "string"}, False),
        ({"type": "object", "additionalProperties": False}, True),
        ([1], False),
    ],
)
def test_strict_rules(schema: Any, strict: bool) -> None:
    """Every object closed, every property required, at any depth."""
    assert is_strict(Raw(json.dumps(schema).encode())) is strict


def test_no_schema_is_not_strict() -> None:
    """Nor is a broken one."""
    assert not is_strict(None)
    assert not is_strict(Raw(b"{"))


@pytest.mark.parametrize("required", ["{}", '["a", {}]', "[[]]", "null", "1"])
def test_a_schema_may_hold_anything(required: str) -> None:
    """A client's schema with nonsense in it is not strict, and no reason to break."""
    schema = '{"type":"object","additionalProperties":false,"properties":{"a":{}},"required":%s}'
    assert not is_strict(Raw((schema % required).encode()))
