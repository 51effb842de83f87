"""Messages and tools read in one go: what is read equals what reading member by member gives, and the rest is left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.fields import Fields
from strowger.dialects.openai_chat import request, usual
from strowger.ir.request import FunctionTool

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}

USUAL: list[dict[str, Any]] = [
    {"role": "system", "content": "s"},
    {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]},
    {"role": "user", "content": ""},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/i", "detail": "low"}}]},
    {"role": "assistant", "content": "a"},
    {"role": "assistant", "content": ""},
    {"role": "assistant", "content": [{"type": "text", "text": "a"}], "tool_calls": [CALL]},
    {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "assistant"},
    {"role": "tool", "tool_call_id": "c1", "content": "r"},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "r"}]},
]

UNUSUAL: list[Any] = [
    {"role": "narrator", "content": "s"},
    {"role": "user", "content": None},
    {"role": "user", "content": []},
    {"role": "user", "content": "u", "name": "n"},
    {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
    {"role": "assistant", "content": "a", "reasoning_content": "t"},
    {"role": "assistant", "content": "a", "refusal": None},
    {"role": "assistant", "content": []},
    {"role": "assistant", "tool_calls": []},
    {"role": "assistant", "tool_calls": [{**CALL, "index": 0}]},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": CALL["function"]}]},
    {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {"a": 1}}}]},
    {"role": "tool", "tool_call_id": "", "content": "r"},
    {"role": "tool", "content": "r"},
    {"content": "u"},
    7,
]


def raw(value: Any) -> Raw:
    """A value as it stands in a body."""
    return Raw(json.dumps(value).encode())


@pytest.mark.parametrize("value", USUAL, ids=json.dumps)
def test_what_is_usual_is_read_as_it_would_be_otherwise(value: dict[str, Any]) -> None:
    """One reader is only faster than the other."""
    read = usual.message(raw(value))
    assert read is not None
    assert read == request._unusual_message(raw(value), "messages[0]")


@pytest.mark.parametrize("value", UNUSUAL, ids=json.dumps)
def test_what_is_not_is_left_to_the_other(value: Any) -> None:
    """Nothing is guessed at, and no error is ours."""
    assert usual.message(raw(value)) is None


def test_tools() -> None:
    """All or none of them."""
    strict = {"type": "function", "function": {"name": "g", "strict": True}}
    fields = Fields(json.dumps({"tools": [TOOL, strict]}).encode())
    read = usual.tools(fields.rest["tools"])
    assert read == (
        FunctionTool("f", "d", Raw(b'{"type": "object"}')),
        FunctionTool("g", strict=True),
    )
    odd: Any
    for odd in (
        [],
        [TOOL, {"type": "web_search"}],
        [{"function": TOOL["function"]}],
        [{**TOOL, "cache_control": {"type": "ephemeral"}}],
        [{"type": "function", "function": {"name": "f", "parameters": None}}],
        {},
    ):
        assert usual.tools(raw(odd)) is None
