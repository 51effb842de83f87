"""What was said, for who asks for it."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.base import NOWHERE, Dialect, Spot
from strowger.dialects.gemini import DIALECT as GEMINI
from strowger.dialects.openai_chat import DIALECT as CHAT
from strowger.dialects.openai_responses import DIALECT as RESPONSES
from strowger.telemetry.content import answered, asked

TURNS = {
    "model": "m", "max_tokens": 5, "system": "be brief",
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "look"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "é"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
    ],
    "tools": [{"name": "find", "description": "d", "input_schema": {"type": "object"}}],
}  # fmt: skip


def test_turns_in_the_conventions_form() -> None:
    """Texts, thinking, calls and results; of an image that there was one."""
    said = {name: json.loads(text) for name, text in asked(ANTHROPIC, json.dumps(TURNS).encode(), NOWHERE).items()}
    assert said == {
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "look"}, {"type": "image"}]},
            {"role": "assistant", "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "t1", "name": "find", "arguments": {"q": "é"}},
            ]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "found"}]},
        ],
        "gen_ai.tool.definitions": [
            {"type": "function", "name": "find", "description": "d", "parameters": {"type": "object"}}
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "dialect, body, spot",
    [
        (CHAT, {"model": "m", "messages": [{"role": "user", "content": "hi"}]}, NOWHERE),
        (RESPONSES, {"model": "m", "input": "hi"}, NOWHERE),
        (GEMINI, {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, Spot("m", stream=False)),
    ],
)
def test_every_dialect_says_the_same(dialect: Dialect, body: dict[str, object], spot: Spot) -> None:
    """One form for all, which is why there is one."""
    said = asked(dialect, json.dumps(body).encode(), spot)
    assert json.loads(said["gen_ai.input.messages"]) == [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]


STREAM = b"".join(
    b"data: " + json.dumps(chunk).encode() + b"\n\n"
    for chunk in (
        {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a "}}]},
        {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "b"}}]},
        {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
)


def test_a_stream_is_one_message() -> None:
    """However many pieces it came in."""
    said = answered(CHAT, STREAM + b"data: [DONE]\n\n", "end")
    assert json.loads(said["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "a b"}], "finish_reason": "end"}
    ]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{", b'{"a": 1}', b"[1]", STREAM[:90], b"\x00\xff" * 50])
def test_what_cannot_be_read_is_left_out(body: bytes) -> None:
    """A span without content is better than none."""
    assert answered(CHAT, body, "") == {}
    assert asked(CHAT, body, NOWHERE) == {}
