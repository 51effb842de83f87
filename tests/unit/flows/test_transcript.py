"""What was said, as people read it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from strowger.dialects.base import Dialect, Spot
from strowger.flows.transcript import Piece, answered, asked
from strowger.gateway.app import DIALECTS

ANTHROPIC = DIALECTS["anthropic"]


def test_a_request_is_read_turn_by_turn() -> None:
    """System, thoughts, calls and results are told apart; media say how large they are."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA" * 3}}
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "is_error": True,
        "content": [{"type": "text", "text": "no"}, image],
    }
    body = {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be brief"}],
        "tools": [{"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
                ],
            },
            {"role": "user", "content": [result, image]},
        ],
    }  # fmt: skip
    found = asked(ANTHROPIC, json.dumps(body).encode())
    assert found is not None
    assert found.tools == (("Bash", "runs"),)
    assert [(turn.role, [(piece.kind, piece.title) for piece in turn.pieces]) for turn in found.turns] == [
        ("system", [("text", "")]),
        ("user", [("text", "")]),
        ("assistant", [("thinking", ""), ("call", "Bash")]),
        ("user", [("result", "t1, an error"), ("media", "image")]),
    ]
    assert found.turns[2].pieces[1].text == '{\n  "command": "ls"\n}'
    assert found.turns[3].pieces[0].text == "no\n[image: image/png, 9 bytes]"
    assert asked(ANTHROPIC, b'{"model":') is None


CHAT = {"choices": [{"index": 0, "delta": {"content": "Hello"}}], "id": "c", "model": "m", "object": "x"}
ANSWERS: Mapping[str, bytes] = {
    "anthropic": b'{"type":"message","id":"m","role":"assistant","model":"m",'
    b'"content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}',
    "openai_chat": f"data: {json.dumps(CHAT)}\n\n".encode(),
    "openai_responses": b'{"id":"r","object":"response","status":"completed","model":"m","output":[{"type":"message",'
    b'"id":"i","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}]}',
    "gemini": b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP"}]}',
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_in_every_dialect(name: str) -> None:
    """At once or as a stream; one that was cut says so, after what there is of it."""
    dialect: Dialect = DIALECTS[name]
    turn = answered(dialect, ANSWERS[name])
    assert turn is not None
    assert turn.pieces[0] == Piece("text", "Hello")
    assert [piece.title for piece in turn.pieces[1:]] == (["it failed"] if name == "openai_chat" else [])


def test_what_cannot_be_read_is_none() -> None:
    """Whoever shows it shows the bytes then; an answer of another kind says so. What a URL says is given along."""
    assert asked(ANTHROPIC, b"<html>") is None
    assert asked(ANTHROPIC, b'{"model":"m","messages":' + b"[" * 50_000) is None
    assert answered(ANTHROPIC, b'{"content":' + b"[" * 50_000) is None
    page = answered(ANTHROPIC, b"<html>")
    assert page is not None
    assert page.pieces[0].title == "it failed"
    gemini = asked(DIALECTS["gemini"], b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}', Spot("m", True))
    assert gemini is not None
    assert gemini.turns[0].pieces == (Piece("text", "hi"),)
