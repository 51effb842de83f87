"""Questions about JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.schemas import grammar, is_strict

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


def test_a_large_schema_is_judged_alike() -> None:
    """Only small schemas are remembered."""
    large = {**CLOSED, "description": "x" * 20_000}
    for schema, strict in ((large, True), ({**large, "properties": {"a": {"type": "string"}}}, False)):
        assert [is_strict(Raw(json.dumps(schema).encode())) for _ in range(2)] == [strict, strict]


def test_no_schema_is_not_strict() -> None:
    """Nor is a broken one."""
    assert not is_strict(None)
    assert not is_strict(Raw(b"{"))


@pytest.mark.parametrize("required", ["{}", '["a", {}]', "[[]]", "null", "1"])
def test_a_schema_may_hold_anything(required: str) -> None:
    """A client's schema with nonsense in it is not strict, and no reason to break."""
    schema = '{"type":"object","additionalProperties":false,"properties":{"a":{}},"required":%s}'
    assert not is_strict(Raw((schema % required).encode()))


FLAT = b'{"type":"grammar","syntax":"lark","definition":"start: x"}'
NESTED = b'{"type":"grammar","grammar":{"syntax":"lark","definition":"start: x"}}'


def test_a_grammar_has_two_spellings() -> None:
    """Chat nests it, the Responses API does not; each refuses the other's."""
    assert json.loads(bytes(grammar(Raw(NESTED), nested=False))) == json.loads(FLAT)
    assert json.loads(bytes(grammar(Raw(FLAT), nested=True))) == json.loads(NESTED)
    assert grammar(Raw(FLAT), nested=False) == Raw(FLAT)
    assert grammar(Raw(NESTED), nested=True) == Raw(NESTED)


@pytest.mark.parametrize("written", [b'{"type":"text"}', b'"x"', b"[]", b'{"type":"grammar","grammar":7}'])
def test_a_format_of_another_shape_is_left_alone(written: bytes) -> None:
    """The upstream judges it."""
    assert grammar(Raw(written), nested=False) == Raw(written)
