"""Values for JSON schemas: valid where the schema is, and never an exception where it is not."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from strowger.demo.schema import instance

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
KEYWORDS = st.sampled_from(
    "type properties required items enum const default anyOf oneOf allOf $ref format minItems minLength maxLength "
    "minimum maximum exclusiveMinimum multipleOf $defs a".split()
)
WORDS = st.sampled_from(["object", "array", "integer", "number", "string", "null", "a", "#", "#/$defs/a", "date"])
ANYTHING = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=25,
)


@pytest.mark.parametrize(
    "schema, value",
    [
        ({}, "demo"),
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "a"}),
        ({"required": ["x"]}, {"x": "x"}),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}, {"n": 1}),
        ({"enum": ["c", "f"]}, "c"),
        ({"const": 4}, 4),
        ({"type": "integer", "minimum": 1, "maximum": 100}, 1),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "minimum": 0.5}, 0.5),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "string", "minLength": 6}, "demo.."),
        ({"type": "string", "maxLength": 2}, "de"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, False),
        ({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": "b"}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "integer"}}}, 1),
    ],
)
def test_the_smallest_value(schema: dict[str, Any], value: Any) -> None:
    """Required properties only, the first of a choice, the nearest bound."""
    assert instance(schema) == value


def test_recursion_ends() -> None:
    """A schema that demands itself for ever gets null in the depth, and a value of bounded size."""
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    written = msgspec.json.encode(instance(schema))
    assert written.startswith(b'{"a":{"a":')
    assert len(written) < 20_000


def test_a_guess_is_asked_by_name() -> None:
    """The caller may know better, for required properties without a fixed value."""
    schema = {"properties": {"city": {"type": "string"}, "unit": {"enum": ["c"]}}, "required": ["city", "unit"]}
    assert instance(schema, lambda name, _: "Paris" if name == "city" else None) == {"city": "Paris", "unit": "c"}


@given(st.dictionaries(KEYWORDS, ANYTHING, max_size=5))
def test_no_schema_breaks_it(schema: dict[str, Any]) -> None:
    """Whatever a client sends as a schema, there is a value, and it can be written as JSON."""
    assert msgspec.json.encode(instance(schema))
