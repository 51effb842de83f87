"""Schemas for validators that want a type everywhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from strowger.dialects.openai_chat.typed import typed


def mended(schema: Any) -> Any:
    return msgspec.json.decode(typed(Raw(msgspec.json.encode(schema))))


def of_property(schema: dict[str, Any]) -> Any:
    return mended({"type": "object", "properties": {"x": schema}})["properties"]["x"]


@pytest.mark.parametrize(
    "schema, kind",
    [
        ({"enum": ["a"]}, "string"),
        ({"enum": [1, 2.5]}, "number"),
        ({"enum": [1]}, "integer"),
        ({"enum": [True]}, "boolean"),
        ({"enum": ["a", None]}, ["string", "null"]),
        ({"const": {"a": 1}}, "object"),
        ({"properties": {}}, "object"),
        ({"items": {"type": "string"}}, "array"),
        ({"minLength": 2}, "string"),
        ({"maximum": 2}, "number"),
        ({"description": "anything"}, "string"),
    ],
)
def test_a_missing_type_is_told_by_the_rest(schema: dict[str, Any], kind: Any) -> None:
    """Values tell it, then the members that only one type has; what says nothing is a text."""
    assert of_property(schema) == {**schema, "type": kind}


def test_a_type_beside_a_choice_goes_into_it() -> None:
    """Each branch has the type that stood beside them, unless it has its own or is a choice itself."""
    branches = [{"pattern": "^x"}, {"type": "integer"}, {"anyOf": [{"type": "null"}]}]
    assert of_property({"type": "string", "anyOf": branches}) == {
        "anyOf": [{"pattern": "^x", "type": "string"}, {"type": "integer"}, {"anyOf": [{"type": "null"}]}]
    }


def test_references_are_spelled_out() -> None:
    """What is referred to stands in place of the reference, with what stood beside it; unused definitions go."""
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/p~1q", "description": "mine"}},
        "$defs": {"p/q": {"type": "string", "description": "theirs"}},
    }
    assert mended(schema) == {"type": "object", "properties": {"a": {"type": "string", "description": "mine"}}}


def test_a_circle_stays() -> None:
    """What refers to itself cannot be spelled out: the inner reference stays, and its definition with it."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    result = mended({"type": "object", "properties": {"first": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}})
    assert result["properties"]["first"]["properties"]["next"] == {"$ref": "#/$defs/node"}
    assert "node" in result["$defs"]


@pytest.mark.parametrize("written", [b"[1]", b"not json", b"true"])
def test_what_is_no_schema_stays(written: bytes) -> None:
    """The vendor says what is wrong with it."""
    assert bytes(typed(Raw(written))) == written


def test_a_bomb_stays_small() -> None:
    """Definitions that multiply are left as they are instead of filling the memory."""
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for number in range(1, 30):
        defs[f"d{number}"] = {"properties": {side: {"$ref": f"#/$defs/d{number - 1}"} for side in "ab"}}
    written = msgspec.json.encode({"properties": {"x": {"$ref": "#/$defs/d29"}}, "$defs": defs})
    assert bytes(typed(Raw(written))) == written


def test_right_schemas_keep_their_meaning() -> None:
    """A schema that says all of its types comes back equal, the members of the root untouched."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "array", "items": {"type": "integer"}}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert mended(schema) == schema
