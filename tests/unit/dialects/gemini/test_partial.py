"""Arguments that come in pieces, by the places that they name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.gemini.partial import Arguments, decode_piece
from tests.unit.dialects.gemini.replies import dumps


def assembled(*values: dict[str, Any], args: dict[str, Any] | None = None) -> Any:
    """The arguments after one piece for each value."""
    arguments = Arguments()
    if args is not None:
        values = ({}, *values)
    for i, value in enumerate(values):
        node: dict[str, Any] = {"args": args} if args is not None and not i else {"partialArgs": [value]}
        piece = decode_piece(Raw(dumps(node)))
        assert piece is not None
        arguments.add(piece)
    return json.loads(arguments.text())


def test_a_text_grows() -> None:
    """Pieces of one text are joined in order."""
    first = {"jsonPath": "$.city", "stringValue": "Lon", "willContinue": True}
    assert assembled(first, {"jsonPath": "$.city", "stringValue": "don"}) == {"city": "London"}


def test_values_of_every_type() -> None:
    """Numbers, truth values and nulls come whole."""
    values: list[dict[str, Any]] = [
        {"jsonPath": "$.a", "numberValue": 3},
        {"jsonPath": "$.b", "boolValue": False},
        {"jsonPath": "$.c", "nullValue": "NULL_VALUE"},
        {"jsonPath": "$.d", "numberValue": 2.5},
    ]
    assert assembled(*values) == {"a": 3, "b": False, "c": None, "d": 2.5}


@pytest.mark.parametrize(
    "path, expected",
    [
        ("$.a.b", {"a": {"b": "x"}}),
        ("$.a[1].b", {"a": [None, {"b": "x"}]}),
        ("$.a[0][1]", {"a": [[None, "x"]]}),
        ("$['a.b']['c']", {"a.b": {"c": "x"}}),
        ('$["it\\"s"]', {'it"s': "x"}),
        ("$['it\\'s']", {"it's": "x"}),
    ],
)
def test_places(path: str, expected: Any) -> None:
    """Names with and without quotes, and places in lists; what lies on the way is made."""
    assert assembled({"jsonPath": path, "stringValue": "x"}) == expected


@pytest.mark.parametrize("path", ["$", "", "$[0]", "$.a[999999999]", "$.a[999999999].b", "$" + ".a" * 100])
def test_places_that_cannot_be(path: str) -> None:
    """Arguments are an object; a place far beyond the end of a list would eat the memory."""
    assert assembled({"jsonPath": "$.b", "stringValue": "x"}, {"jsonPath": path, "stringValue": "y"})["b"] == "x"


def test_a_value_in_the_way_gives_way() -> None:
    """A place inside of what was a text."""
    values = [{"jsonPath": "$.a", "stringValue": "x"}, {"jsonPath": "$.a.b", "stringValue": "y"}]
    assert assembled(*values) == {"a": {"b": "y"}}


def test_arguments_that_come_whole() -> None:
    """Pieces may add to them."""
    assert assembled({"jsonPath": "$.b", "numberValue": 2}, args={"a": 1}) == {"a": 1, "b": 2}


def test_what_is_no_piece() -> None:
    """Members of wrong types."""
    assert decode_piece(Raw(b'{"partialArgs":7}')) is None
