"""Signed state through a client of another dialect and back: to its issuer exactly, to nobody else."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from strowger.dialects import anthropic, gemini, openai_chat, openai_responses
from strowger.dialects.base import Capabilities, DecoderSetup, Dialect, EncoderSetup
from strowger.dialects.envelope import PREFIX
from strowger.ir.events import Event
from strowger.ir.response import fold, unfold

CHAT, MESSAGES = openai_chat.DIALECT, anthropic.DIALECT
RESPONSES, GEMINI = openai_responses.DIALECT, gemini.DIALECT
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


# ---- issuers that speak neither of the two ----

CALLS = [("f", {"a": 1}), ("g", {})]
GOOGLES = {
    "candidates": [
        {
            "index": 0,
            "finishReason": "STOP",
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "Let me look.", "thoughtSignature": "dGV4dA=="},
                    {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "Y2FsbA=="},
                    {"functionCall": {"id": "c2", "name": "g", "args": {}}},
                ],
            },
        }
    ],
    "modelVersion": "gemini-3.5-flash",
    "responseId": "r",
}
OPENAIS = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5.5",
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "secret1",
        },
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
        },
        {"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": "secret2"},
        *(
            {
                "id": f"fc_{i}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"c{i}",
                "name": name,
                "arguments": json.dumps(arguments),
            }
            for i, (name, arguments) in enumerate(CALLS, 1)
        ),
    ],
}
SECRETS = ("dGV4dA==", "Y2FsbA==", "secret1", "secret2", PREFIX)
HOMES = {
    "google": (GEMINI, GOOGLES, Capabilities(origin="google", thinking="level", thought_signatures=True)),
    "openai": (RESPONSES, OPENAIS, Capabilities(origin="openai")),
}
AWAY = [
    (MESSAGES, Capabilities(origin="anthropic", thinking="adaptive", thinking_replay="signed")),
    (MESSAGES, Capabilities(origin="zai", thinking="budget", thinking_replay="any")),
    (CHAT, Capabilities(origin="deepseek", thinking="thinking", thinking_replay="reasoning_content")),
    (CHAT, Capabilities(origin="openrouter", thinking="reasoning", thinking_replay="reasoning_details")),
    (RESPONSES, Capabilities(origin="xai")),
    (GEMINI, Capabilities(origin="somebody", thinking="level")),
]


def next_request(source: Dialect, answer: Any, client: Dialect, origin: str, *, stream: bool) -> bytes:
    """The answer in a client's history, with results for its calls, as its next request."""
    events: list[Event] = source.upstream.decode_response(
        json.dumps(answer).encode(), DecoderSetup(origin=origin, new_id=ids())
    )
    if stream:
        encoder = client.client.encoder(EncoderSetup(model="m", new_id=ids()))
        wire = b"".join(encoder.encode(event) for event in events)
        decoder = client.upstream.decoder(DecoderSetup(origin="", new_id=ids()))
        events = list(unfold(fold(decoder.feed(wire) + decoder.close())))
    told = json.loads(client.client.render_response(fold(events), EncoderSetup(model="m", new_id=ids()))[0])
    if client is CHAT:
        turn = told["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in turn["tool_calls"]]
    else:
        turn = {"role": "assistant", "content": told["content"]}
        used = [block["id"] for block in told["content"] if block["type"] == "tool_use"]
        results = [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": i, "content": "ok"} for i in used]}
        ]
    history = [{"role": "user", "content": "hi"}, turn, *results]
    return json.dumps({"model": "m", "max_tokens": 9999, "messages": history}).encode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", [MESSAGES, CHAT], ids=["messages", "chat"])
def test_thought_signatures_come_home(client: Dialect, stream: bool) -> None:
    """Each on the part that it signs."""
    _, answer, caps = HOMES["google"]
    request = client.client.parse_request(next_request(GEMINI, answer, client, "google", stream=stream))
    body = json.loads(GEMINI.upstream.render_request(request, "m", caps).body)
    assert body["contents"][1]["parts"] == [
        {"text": "Let me look.", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "Y2FsbA=="},
        {"functionCall": {"id": "c2", "name": "g", "args": {}}},
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", [MESSAGES, CHAT], ids=["messages", "chat"])
def test_encrypted_reasoning_comes_home(client: Dialect, stream: bool) -> None:
    """As the items that it came in, under their ids."""
    _, answer, caps = HOMES["openai"]
    request = client.client.parse_request(next_request(RESPONSES, answer, client, "openai", stream=stream))
    body = json.loads(RESPONSES.upstream.render_request(request, "m", caps).body)
    reasoning = [item for item in body["input"] if item["type"] == "reasoning"]
    assert [(item["id"], item["encrypted_content"]) for item in reasoning] == [("rs_1", "secret1"), ("rs_2", "secret2")]
    assert [part["text"] for part in reasoning[0]["summary"]] == ["hm"]


@pytest.mark.parametrize("upstream, caps", AWAY, ids=[caps.origin for _, caps in AWAY])
@pytest.mark.parametrize("client", [MESSAGES, CHAT], ids=["messages", "chat"])
@pytest.mark.parametrize("issuer", list(HOMES))
def test_others_get_none_of_it(issuer: str, client: Dialect, upstream: Dialect, caps: Capabilities) -> None:
    """The text and the calls are there, and nothing that only its issuer could read."""
    source, answer, _ = HOMES[issuer]
    request = client.client.parse_request(next_request(source, answer, client, issuer, stream=False))
    body = upstream.upstream.render_request(request, "m", caps).body.decode()
    assert not [secret for secret in SECRETS if secret in body]
    assert "Let me look." in body
    assert all(f'"{call_id}"' in body for call_id in ("c1", "c2"))
