"""Chunks that do not fit."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import Raw

from strowger.dialects.openai_chat.chunks import decode_chunk, decode_delta, present
from tests.unit.dialects.openai_chat.talk import Json


@pytest.mark.parametrize(
    "members,read",
    [
        ({"id": 5}, ("id", None)),
        ({"created": "now"}, ("created", None)),
        ({"choices": {}}, ("choices", None)),
    ],
)
def test_a_member_that_does_not_fit_is_left_out(members: Json, read: tuple[str, object]) -> None:
    """The others are read."""
    chunk = decode_chunk(json.dumps({"model": "m", "usage": {"a": 1}, **members}).encode())
    assert chunk is not None
    assert chunk.model == "m"
    assert bytes(chunk.usage) == b'{"a":1}'
    assert getattr(chunk, read[0]) == read[1]


def test_what_fits_of_a_nested_object_is_read() -> None:
    """However deep the odd member is."""
    piece = {"index": "odd", "id": "1", "function": {"name": 5, "arguments": "{}"}}
    chunk = decode_chunk(json.dumps({"choices": [{"index": None, "delta": {"tool_calls": [piece]}}]}).encode())
    assert chunk is not None
    assert chunk.choices is not None
    (choice,) = chunk.choices
    assert choice.index == 0
    assert choice.delta is not None
    assert choice.delta.tool_calls is not None
    (call,) = choice.delta.tool_calls
    assert (call.index, call.id) == (None, "1")
    assert call.function is not None
    assert (call.function.name, call.function.arguments) == (None, "{}")


def test_what_is_no_object_is_no_chunk() -> None:
    """What is no JSON at all raises."""
    assert decode_chunk(b"[]") is None
    with pytest.raises(msgspec.DecodeError):
        decode_chunk(b"{")


def test_a_message_is_a_big_delta() -> None:
    """Odd members of it are left out, too."""
    assert decode_delta(Raw(b'{"content":"a"}')).content == "a"
    assert decode_delta(Raw(b'{"content":"a","refusal":[]}')).content == "a"
    assert decode_delta(Raw(b"5")).content is None


def test_null_is_absent() -> None:
    """A raw member can be empty, null or something."""
    assert [present(Raw(raw)) for raw in (b"", b"null", b"0", b'{"a":1}')] == [False, False, True, True]
