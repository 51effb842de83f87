"""Schemas from Google's subset and to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.gemini.schema import cleaned, from_google, to_google
from tests.unit.dialects.gemini.asking import Json, raw


def standard(schema: Json) -> Any:
    """Google's schema as JSON Schema."""
    return json.loads(bytes(from_google(raw(schema))[0]))


def reduced(schema: object) -> Any:
    """JSON Schema in Google's subset; None for no arguments."""
    found = to_google(raw(schema))[0]
    return None if found is None else json.loads(bytes(found))


def property_of(schema: object) -> Any:
    """A property's schema in Google's subset."""
    return reduced({"type": "object", "properties": {"a": schema}})["properties"]["a"]


def dropped(schema: object) -> frozenset[str]:
    """The keywords that had to go."""
    return to_google(raw({"type": "object", "properties": {"a": schema}}))[1]


# ---- from Google's ----


def test_types_in_capitals_are_those_of_json_schema() -> None:
    """At every depth; names of properties are not types."""
    assert standard({"type": "OBJECT", "properties": {"STRING": {"type": "ARRAY", "items": {"type": "STRING"}}}}) == {
        "type": "object",
        "properties": {"STRING": {"type": "array", "items": {"type": "string"}}},
    }


def test_nullable_is_a_type() -> None:
    """JSON Schema has the type null; an enum must then allow it."""
    assert standard({"type": "STRING", "nullable": True, "enum": ["a"]}) == {
        "type": ["string", "null"],
        "enum": ["a", None],
    }
    assert standard({"type": "string", "nullable": False}) == {"type": "string"}
    assert standard({"anyOf": [{"type": "STRING"}], "nullable": True}) == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }


def test_what_protobuf_writes_otherwise() -> None:
    """Enums by number, counts as texts, names in snake_case, an order of properties."""
    assert standard(
        {"type": 6, "property_ordering": ["a"], "properties": {"a": {"any_of": [{"type": 1, "minLength": "2"}]}}}
    ) == {"type": "object", "properties": {"a": {"anyOf": [{"type": "string", "minLength": 2}]}}}


def test_an_unspecified_type_is_none() -> None:
    """It says nothing."""
    assert standard({"type": "TYPE_UNSPECIFIED", "description": "a"}) == {"description": "a"}


def test_json_schema_stays_byte_for_byte() -> None:
    """Key order and spacing matter to prompt caches."""
    schema = Raw(b'{ "type" : "object", "properties": {"type": {"type":"string"}} }')
    assert from_google(schema) == (schema, False)


# ---- to Google's ----


def test_types_go_in_capitals_with_what_google_knows() -> None:
    """Limits, formats, descriptions and requirements stay."""
    assert reduced(
        {
            "$schema": "x",
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "a": {"type": "string", "description": "d", "minLength": 1, "pattern": "x", "format": "date-time"},
                "b": {"type": "integer", "minimum": 0, "maximum": 9, "format": "int32", "default": 1},
                "c": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
            },
            "required": ["a", "gone"],
        }
    ) == {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING", "description": "d", "minLength": 1, "pattern": "x", "format": "date-time"},
            "b": {"type": "INTEGER", "minimum": 0, "maximum": 9, "format": "int32", "default": 1},
            "c": {"type": "ARRAY", "items": {"type": "BOOLEAN"}, "maxItems": 3},
        },
        "required": ["a"],
    }


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "object", "properties": {}}, {}, True])
def test_no_arguments_are_no_schema(schema: object) -> None:
    """Google refuses an object without properties."""
    assert reduced(schema) is None


def test_an_object_of_any_keys_has_one_to_show() -> None:
    """Below the top, too, Google wants properties."""
    found = property_of({"type": "object", "additionalProperties": {"type": "string"}})
    assert found["type"] == "OBJECT"
    assert found["properties"]
    assert dropped({"type": "object", "additionalProperties": {"type": "string"}}) == {"additionalProperties"}


@pytest.mark.parametrize(
    "schema, node",
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"]}),
        ({"enum": ["x", "y"]}, {"type": "STRING", "enum": ["x", "y"]}),
        ({"enum": ["x", None]}, {"type": "STRING", "enum": ["x"]}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"allOf": [{"type": "string"}, {"description": "d"}]}, {"type": "STRING", "description": "d"}),
    ],
)  # fmt: skip
def test_what_google_says_otherwise(schema: Json, node: Json) -> None:
    """The meaning stays, in words that Google has."""
    assert property_of(schema) == node


def test_an_enum_of_numbers_is_told_in_words() -> None:
    """Google's enums are of texts."""
    assert property_of({"type": "integer", "enum": [1, 2], "description": "d"}) == {
        "type": "INTEGER",
        "description": "d (one of: 1, 2)",
    }
    assert dropped({"type": "integer", "enum": [1, 2]}) == {"enum"}


@pytest.mark.parametrize(
    "schema, keyword",
    [
        ({"type": "integer", "exclusiveMinimum": 0}, "exclusiveMinimum"),
        ({"type": "object", "propertyNames": {"pattern": "a"}}, "propertyNames"),
        ({"type": "string", "format": "uri"}, "format"),
        ({"type": "array", "items": [{"type": "string"}]}, "items"),
        ({"not": {"type": "string"}, "type": "integer"}, "not"),
        ({"description": "anything"}, "values of any type"),
        ({"type": "string", "const": 5}, "const"),
    ],
)  # fmt: skip
def test_keywords_that_have_to_go_are_told(schema: Json, keyword: str) -> None:
    """Each of them is a loss."""
    assert dropped(schema) == {keyword}


@pytest.mark.parametrize("name", ["$defs", "definitions"])
def test_references_are_written_out(name: str) -> None:
    """Google's own schema has none."""
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": f"#/{name}/A", "description": "d"}},
        name: {"A": {"type": "string"}},
    }
    assert reduced(schema)["properties"]["a"] == {"type": "STRING", "description": "d"}


def test_a_reference_that_comes_back_to_itself_is_cut() -> None:
    """A tree of a tree of a tree ends somewhere, and the loss says so."""
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    found, lost = to_google(raw(tree))
    assert found is not None
    assert lost == {"$ref"}
    assert json.loads(bytes(found))["properties"]["next"]["type"] == "OBJECT"


def test_references_that_multiply_do_not_run_away() -> None:
    """Each level refers to the next one twice: two to the fortieth schemas, in a few lines."""
    levels = {
        f"l{i}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/l{i + 1}"} for k in "ab"}} for i in range(40)
    }
    schema = {"$ref": "#/$defs/l0", "$defs": {**levels, "l40": {"type": "string"}}}
    assert len(bytes(to_google(raw(schema))[0] or b"")) < 5_000_000


def test_parts_that_refer_to_each_other_end() -> None:
    """`allOf` may be circular as well."""
    names = {
        a: {"allOf": [{"$ref": f"#/$defs/{b}"}, {"properties": {a: {"type": "string"}}}]} for a, b in ("AB", "BC", "CB")
    }
    assert set(reduced({"$ref": "#/$defs/A", "$defs": names})["properties"]) == {"A", "B", "C"}


# ---- JSON Schema where Google takes it ----


def test_json_schema_is_left_alone() -> None:
    """`parametersJsonSchema` takes it; references inside are fine."""
    schema = raw({"$schema": "x", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}})
    assert cleaned(schema) == (schema, frozenset())


def test_a_reference_to_nothing_goes() -> None:
    """Google refuses it, with the whole request."""
    found, lost = cleaned(
        raw({"properties": {"a": {"$ref": "#/$defs/A", "description": "d"}, "b": {"$ref": "http://x"}}})
    )
    assert json.loads(bytes(found)) == {"properties": {"a": {"description": "d"}, "b": {}}}
    assert lost == {"$ref"}
