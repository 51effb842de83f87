"""Whole tool calls, in the spellings that are in use."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.fields import Fields
from strowger.dialects.openai_chat.calls import is_function_call, render_call, render_function_call, take_calls
from strowger.errors import BadRequest
from strowger.ir.request import CacheHint, ToolCall
from tests.unit.dialects.openai_chat.talk import Json


def taken(message: Json) -> tuple[list[ToolCall], set[str]]:
    """The calls of a message, and the members that were left."""
    fields = Fields(json.dumps(message).encode())
    return take_calls(fields), set(fields.rest)


def test_both_spellings_may_stand_side_by_side() -> None:
    """The old one last."""
    new = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    calls, rest = taken({"tool_calls": [new], "function_call": {"name": "g", "arguments": "{}"}})
    assert [(call.name, is_function_call(call)) for call in calls] == [("f", False), ("g", True)]
    assert rest == set()


def test_what_says_nothing_is_left() -> None:
    """Null and an empty list are no calls, but members."""
    assert taken({"tool_calls": None, "function_call": None}) == ([], {"tool_calls", "function_call"})
    assert taken({"tool_calls": []}) == ([], {"tool_calls"})


def test_a_call_of_another_dialect_is_written_in_full() -> None:
    """With all the members that servers ask for."""
    call = ToolCall("toolu_1", "f", "{}", cache=CacheHint())
    assert render_call(call) == {
        "id": "toolu_1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "cache_control": {"type": "ephemeral"},
    }
    custom = render_call(ToolCall("1", "f", "x", kind="custom"))
    assert custom == {"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}}


def test_an_id_that_was_given_later_is_written() -> None:
    """A call without one can be given one on the way."""
    assert render_call(ToolCall("new", "f", "{}", form="anonymous"))["id"] == "new"
    assert "id" not in render_call(ToolCall("", "f", "{}", form="anonymous"))


def test_the_old_spelling_has_no_id() -> None:
    """Only a name and arguments, which may be an object or missing."""
    assert render_function_call(ToolCall("", "f", "{}", form="function_call")) == {"name": "f", "arguments": "{}"}
    written = render_function_call(ToolCall("", "f", '{"a":1}', form="function_call object"))
    assert isinstance(written["arguments"], Raw)
    assert render_function_call(ToolCall("", "f", "", form="function_call bare")) == {"name": "f"}


@pytest.mark.parametrize("piece", [{}, {"function": {}}, {"type": "custom", "function": {"name": "f"}}, 5])
def test_a_call_must_name_its_tool(piece: object) -> None:
    """The error says where."""
    with pytest.raises(BadRequest, match=r"tool_calls\[0\]"):
        taken({"tool_calls": [piece]})
