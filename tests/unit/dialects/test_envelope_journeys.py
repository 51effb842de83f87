"""Signed state through a client of the other dialect and back: to its issuer exactly, to nobody else."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from strowger.dialects import anthropic, openai_chat
from strowger.dialects.base import Capabilities, DecoderSetup, Dialect, EncoderSetup
from strowger.dialects.envelope import PREFIX
from strowger.ir.response import fold

CHAT, MESSAGES = openai_chat.DIALECT, anthropic.DIALECT
DETAILS = [{"type": "reasoning.text", "text": "hm", "index": 0, "signature": "s", "format": "f"}]


def ids() -> Callable[[str], str]:
    numbers = itertools.count()
    return lambda prefix: f"{prefix}{next(numbers)}"


def delivered(source: Dialect, target: Dialect, origin: str, wire: bytes) -> Any:
    """A stream of an upstream as the whole answer that a client of the other dialect gets."""
    decoder = source.upstream.decoder(DecoderSetup(origin=origin, new_id=ids()))
    response = fold(decoder.feed(wire) + decoder.close())
    return json.loads(target.client.render_response(response, EncoderSetup(model="m", new_id=ids()))[0])


def replayed(client: Dialect, upstream: Dialect, turn: Any, caps: Capabilities) -> Any:
    """The answer in the client's history, as the next request brings it to an upstream."""
    history = [{"role": "user", "content": "hi"}, turn, {"role": "user", "content": "and?"}]
    body = {"model": "m", "max_tokens": 9999, "messages": history}
    request = client.client.parse_request(json.dumps(body).encode())
    return json.loads(upstream.upstream.render_request(request, "m", caps).body)


def chat(*deltas: Any) -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def messages(*blocks: Any) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 1}
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    events: list[Any] = [{"type": "message_start", "message": start}]
    for index, (block, *deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
    events.append({"type": "message_stop"})
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


def test_plain_thinking_comes_home_through_a_messages_client() -> None:
    """As words, for that is what it was; the client's signature is an envelope of ours."""
    answer = delivered(CHAT, MESSAGES, "deepseek", chat({"reasoning_content": "hm"}, {"content": "a"}))
    assert answer["content"][0]["signature"].startswith(PREFIX)
    caps = Capabilities(origin="deepseek", thinking_replay="reasoning_content")
    turn = replayed(MESSAGES, CHAT, {"role": "assistant", "content": answer["content"]}, caps)["messages"][1]
    assert turn == {"role": "assistant", "content": "a", "reasoning_content": "hm"}


def test_reasoning_details_come_home_through_a_messages_client() -> None:
    """Exactly; another upstream gets none of them."""
    answer = delivered(
        CHAT, MESSAGES, "openrouter", chat({"reasoning": "hm", "reasoning_details": DETAILS}, {"content": "a"})
    )
    history = {"role": "assistant", "content": answer["content"]}
    home = Capabilities(origin="openrouter", thinking_replay="reasoning_details")
    assert replayed(MESSAGES, CHAT, history, home)["messages"][1]["reasoning_details"] == DETAILS
    away = Capabilities(origin="elsewhere", thinking_replay="reasoning_details")
    body = json.dumps(replayed(MESSAGES, CHAT, history, away))
    assert "reasoning_details" not in body
    assert PREFIX not in body


def test_thinking_of_a_chat_model_never_reaches_anthropic() -> None:
    """Its envelope is no signature of theirs, and would be refused."""
    answer = delivered(CHAT, MESSAGES, "deepseek", chat({"reasoning_content": "hm"}, {"content": "a"}))
    body = replayed(
        MESSAGES, MESSAGES, {"role": "assistant", "content": answer["content"]}, Capabilities(origin="anthropic")
    )
    assert PREFIX not in json.dumps(body)
    assert "hm" not in json.dumps(body)


def test_signatures_come_home_through_a_chat_client() -> None:
    """Each with its own words, redacted ones without any, byte for byte."""
    answer = delivered(
        MESSAGES,
        CHAT,
        "anthropic",
        messages(
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "one"},
                {"type": "signature_delta", "signature": "sig+1/=="},
            ),
            ({"type": "redacted_thinking", "data": "secret"},),
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "two"},
                {"type": "signature_delta", "signature": "sig2"},
            ),
            ({"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}),
        ),
    )
    turn = answer["choices"][0]["message"]
    assert turn["reasoning_content"] == "onetwo"
    caps = Capabilities(origin="anthropic", thinking="adaptive", thinking_replay="signed")
    blocks = replayed(CHAT, MESSAGES, turn, caps)["messages"][1]["content"]
    assert blocks == [
        {"type": "thinking", "thinking": "one", "signature": "sig+1/=="},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "two", "signature": "sig2"},
        {"type": "text", "text": "a"},
    ]
    other = Capabilities(origin="deepseek", thinking_replay="reasoning_content")
    assert "sig2" not in json.dumps(replayed(CHAT, CHAT, turn, other))
