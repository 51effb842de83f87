"""Whole assistant messages."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.fields import Fields
from strowger.dialects.openai_chat.assistant import assistant_members, take_assistant
from strowger.ir.request import Refusal, Text, Thinking, ToolCall
from tests.unit.dialects.openai_chat.talk import Json

A = {"type": "text", "text": "a"}


def test_empty_members_count_in_requests_and_not_in_answers() -> None:
    """A client may have to send an empty one back; in an answer it says nothing."""
    message = json.dumps({"content": "", "reasoning_content": "", "refusal": ""}).encode()
    parts, plain = take_assistant(Fields(message))
    assert (parts, plain) == ((Thinking("", form="reasoning_content"), Refusal(""), Text("")), True)
    fields = Fields(message)
    assert take_assistant(fields, keep_empty=False) == ((), False)
    assert set(fields.rest) == {"content", "reasoning_content", "refusal"}


@pytest.mark.parametrize(
    "parts,plain,node",
    [
        ([Text("a"), Text("b")], True, {"content": "ab"}),
        ([Text("a")], False, {"content": [A]}),
        ([Refusal("no"), Text("a")], True, {"refusal": "no", "content": "a"}),
        (
            [Text("a"), Refusal("no")],
            False,
            {"content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]},
        ),
        ([Thinking("beside", form="reasoning")], False, {}),
        ([ToolCall("", "f", "{}", form="function_call")], False, {"function_call": {"name": "f", "arguments": "{}"}}),
        ([], False, {}),
    ],
)
def test_members_are_set_for_what_is_said(parts: list[Text], plain: bool, node: Json) -> None:
    """And for nothing else; thinking beside the content has its own ways."""
    written: Json = {}
    assistant_members(written, parts, plain)
    assert written == node
