"""The schema subset of `parameters`, and what is asked of a JSON Schema in the other member."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.gemini_errors import Denied
from tests.fakes.gemini_flavours import model_of
from tests.fakes.gemini_rules import Rules, check_request
from tests.fakes.refusal import Json

PRO = model_of("gemini-2.5-pro")


def declaring(**members: Any) -> Json:
    tools = [{"functionDeclarations": [{"name": "f", "description": "d", **members}]}]
    return {"contents": [{"role": "user", "parts": [{"text": "a"}]}], "tools": tools}


def subset(**member: Any) -> Json:
    return declaring(parameters={"type": "OBJECT", "properties": {"a": member}})


def standard(**members: Any) -> Json:
    return declaring(parametersJsonSchema={"type": "object", **members})


WHERE = "tools[0].function_declarations[0].parameters"
INNER = f'{WHERE}.properties["a"]'
REFUSED: dict[str, tuple[Json, str]] = {
    "properties of a text": (
        subset(type="STRING", properties={"b": {"type": "STRING"}}),
        f"{INNER}.properties: only allowed for OBJECT",
    ),
    "required of a text": (subset(type="STRING", required=["b"]), f"{INNER}.required: only allowed for OBJECT type"),
    "properties without type": (subset(properties={"b": {"type": "STRING"}}), f"{INNER}.properties: only allowed for"),
    "items of an object": (subset(type="STRING", items={"type": "STRING"}), f"{INNER}.items: only allowed for ARRAY"),
    "list of nothing": (subset(type="ARRAY"), f"{INNER}.items: missing field."),
    "enumerated numbers": (subset(type="INTEGER", enum=["1"]), f"{INNER}.enum: only allowed for STRING type"),
    "an empty choice": (subset(type="STRING", enum=["a", ""]), f"{INNER}.enum[1]: cannot be empty"),
    "no choice": (subset(type="STRING", format="enum"), f"{INNER}.enum: should be non-empty for STRING type with enum"),
    "format": (subset(type="STRING", format="uri"), f"{INNER}.format: only 'enum' and 'date-time' are supported"),
    "empty object": (subset(type="OBJECT"), f"{INNER}.properties: should be non-empty for OBJECT type"),
    "unknown required": (
        declaring(parameters={"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a", "b"]}),
        f"{WHERE}.required[1]: property is not defined",
    ),
    "in a list": (subset(type="ARRAY", items={"type": "ARRAY"}), f"{INNER}.items.items: missing field."),
    "in a union": (subset(anyOf=[{"type": "STRING"}, {"type": "ARRAY"}]), f"{INNER}.any_of[1].items: missing field."),
    "in a response": (declaring(response={"type": "ARRAY"}), "response.items: missing field."),
    "standard: no schema": (declaring(parametersJsonSchema="{}"), f"{WHERE}_json_schema: must be a JSON object"),
    "standard: type": (standard(properties={"a": {"type": "text"}}), "unknown type 'text'"),
    "standard: no schema inside": (standard(properties={"a": "string"}), "must be a schema"),
    "standard: reference": (
        standard(properties={"a": {"$ref": "#/$defs/b"}}),
        "reference to undefined schema at #/$defs/b",
    ),
    "standard: reference elsewhere": (standard(items={"$ref": "https://example.com"}), "reference to undefined schema"),
}
TAKEN: dict[str, Json] = {
    "no parameters": declaring(),
    "no arguments": declaring(parameters={"type": "OBJECT", "properties": {}}),
    "every type": declaring(
        parameters={
            "type": "OBJECT",
            "properties": {
                "a": {"type": "string", "enum": ["x"], "format": "enum", "nullable": True, "pattern": "^x$"},
                "b": {"type": "NUMBER", "format": "double", "minimum": 0, "maximum": 1.5},
                "c": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 1, "maxItems": 2},
                "d": {"anyOf": [{"type": "STRING"}, {"type": "NULL"}], "title": "D", "default": "x", "example": 1},
                "e": {},
            },
            "required": ["a"],
            "propertyOrdering": ["b", "a"],
        }
    ),
    "standard schema": standard(
        **{"$schema": "https://json-schema.org/draft/2020-12/schema"},
        properties={
            "a": {"$ref": "#/$defs/b"},
            "c": {"type": ["string", "null"], "const": "x"},
            "d": {"type": "integer", "exclusiveMinimum": 0},
            "e": {"oneOf": [True, {"type": "array", "prefixItems": [{"type": "string"}]}]},
        },
        **{"$defs": {"b": {"type": "string"}}},
        additionalProperties=False,
    ),
    "types in capitals": standard(properties={"a": {"type": "STRING"}}),
    "reference to itself": standard(properties={"a": {"$ref": "#"}}),
    "standard schema of a response": declaring(responseJsonSchema={"type": "string"}),
}


@pytest.mark.parametrize("body, words", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(body: Json, words: str) -> None:
    """A schema that breaks one rule is refused, and the refusal says where."""
    with pytest.raises(Denied) as refusal:
        check_request(body, PRO, Rules())
    assert words in refusal.value.message


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN.keys())
def test_takes(body: Json) -> None:
    """What is legal, and near to what is not, is taken."""
    assert check_request(body, PRO, Rules())["tools"]


@pytest.mark.parametrize(
    "keyword", ["$schema", "additionalProperties", "const", "exclusiveMinimum", "$ref", "oneOf", "allOf"]
)
def test_keywords_outside_the_subset(keyword: str) -> None:
    """Keywords of JSON Schema that the subset lacks are unknown names there."""
    with pytest.raises(Denied) as refusal:
        check_request(declaring(parameters={"type": "OBJECT", keyword: "x"}), PRO, Rules())
    assert f"Unknown name \"{keyword}\" at 'tools[0].function_declarations[0].parameters'" in refusal.value.message
