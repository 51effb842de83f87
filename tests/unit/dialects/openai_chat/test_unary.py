"""Whole answers, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects import envelope
from strowger.dialects.openai_chat import DIALECT
from strowger.dialects.openai_chat.wire import REASONING
from strowger.errors import ErrorKind
from strowger.ir.events import Checker, Failure, Finish, StopReason, Usage
from strowger.ir.request import (
    Citation,
    Opaque,
    Refusal,
    ServerToolCall,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import Response, fold
from tests.unit.dialects.openai_chat.talk import Json, calls, client, setup, text, thinking

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def body(message: Json | None = None, finish: str | None = "stop", **members: Any) -> Json:
    """A whole answer of an upstream."""
    choice: Json = {"index": 0, "finish_reason": finish}
    if message is not None:
        choice["message"] = {"role": "assistant", **message}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice], **members}


def decoded(upstream: Json, origin: str = "", **names: str) -> Response:
    """The answer as it is told, its events checked for their order."""
    events = DIALECT.upstream.decode_response(json.dumps(upstream).encode(), setup(origin, **names))
    checker = Checker()
    for event in events:
        checker.check(event)
    return fold(events)


def rendered(response: Response, **wishes: Any) -> Json:
    """What a client gets."""
    body: Json = json.loads(DIALECT.client.render_response(response, client(**wishes))[0])
    return body


@pytest.mark.parametrize(
    "upstream",
    [
        body({"content": "hi", "refusal": None, "annotations": []}),
        body({"content": ""}),
        body({"content": None}),
        body({}),
        body(None),
        body({"content": "a"}, service_tier="default", system_fingerprint=None, x_groq={"id": "r"}, cost=1.5),
        body({"content": "a"}, finish=None),
        body({"content": "a"}, finish=""),
        body({"content": "a"}, finish="odd"),
        body({"content": None, "tool_calls": [CALL]}, finish="tool_calls"),
        body({"tool_calls": [CALL]}, finish="stop"),
        body(
            {
                "content": "",
                "tool_calls": [{**CALL, "index": 0}, {"id": "2", "function": {"name": "g", "arguments": ""}}],
            }
        ),
        body({"content": "a", "tool_calls": []}),
        body({"content": "a", "tool_calls": None, "function_call": None, "audio": None}),
        body({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, finish="function_call"),
        body({"content": None, "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}}]}),
        body({"content": None, "refusal": "no"}),
        body({"content": "a", "refusal": ""}),
        body({"content": "a", "reasoning_content": "hm"}),
        body({"content": "a", "reasoning_content": "", "reasoning": None}),
        body({"content": "a", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "x": 1}]}),
        body({"content": None, "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}),
        body({"content": "<think>\nhm\n</think>\n\nhi"}),
        body({"content": " <think>hm</think>"}),
        body({"content": "<think>never closed"}),
        body({"content": "a <think>b</think>"}),
        body({"content": "<think>a</think>b", "reasoning": "hm"}),
        body(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "a"},
                ]
            }
        ),
        body({"content": [{"type": "text", "text": "a"}]}),
        body({"content": [{"type": "refusal", "refusal": "no"}]}),
        body({"content": [{"type": "odd"}]}),
        body({"content": []}),
        body({"content": {"title": "unquoted"}}),
        body({"content": "a", "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}]}),
        body({"content": None, "annotations": [{"type": "url_citation"}]}),
        body({"content": None, "audio": {"id": "a", "data": "AA==", "transcript": "t"}}),
        body({"content": "a"}, usage=None),
        body({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 2}),
        body({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": None, "total_tokens": 3, "cost": 0.1}),
        body(
            {"content": "a"},
            usage={"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0}},
        ),
        body({"content": "a"}, usage={"prompt_cache_hit_tokens": 3, "prompt_tokens_details": None}),
        body({"content": "a"}, usage="odd"),
        body({"content": "a"}, id="", model=""),
        {**body(), "choices": [*body({"content": "a"})["choices"], {"index": 1, "message": {"content": "b"}, "x": 1}]},
        {"choices": [{"message": {"content": "a"}}], "id": "x"},
        {"choices": [{"message": None}], "id": "x"},
    ],
)
def test_whole_answers_come_back_as_they_were(upstream: Json) -> None:
    """Unknown members, nulls and odd spellings included."""
    assert rendered(decoded(upstream)) == upstream
    assert DIALECT.client.render_response(decoded(upstream), client())[1] == []


def test_what_an_answer_says() -> None:
    """Thinking, words, calls, the reason and the counts."""
    response = decoded(
        body(
            {"content": "a", "reasoning_content": "hm", "tool_calls": [CALL]},
            usage={"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
        ),
        origin="deepseek",
    )
    assert response.parts == (
        Thinking("hm", Signed("deepseek", REASONING, ""), "reasoning_content"),
        Text("a"),
        ToolCall("1", "f", "{}"),
    )
    assert response.finish.reason is StopReason.TOOL_USE
    assert (response.usage.input, response.usage.output, response.usage.cache_read) == (3, 2, 1)
    assert (response.id, response.model, response.created) == ("chatcmpl-1", "m", 5)


def test_think_tags_at_the_very_start_are_thinking() -> None:
    """Unless the server tells thinking apart itself."""
    response = decoded(body({"content": "<think>\nhm\n</think>\n\nhi"}))
    assert (thinking(response), text(response)) == ("\nhm\n", "hi")
    assert text(decoded(body({"content": "<think>a</think>b", "reasoning": "hm"}))) == "<think>a</think>b"


def test_json_that_was_not_quoted_is_text() -> None:
    """Cloudflare puts the object that was asked for where its text should be."""
    assert json.loads(text(decoded(body({"content": {"a": [1]}})))) == {"a": [1]}


def test_calls_get_names_back_and_ids_they_lack() -> None:
    """A result must be able to name its call."""
    upstream = body({"tool_calls": [{"id": "", "type": "function", "function": {"name": "short", "arguments": "{}"}}]})
    assert calls(decoded(upstream, short="very_long")) == [("call_0", "very_long", "{}")]


def test_stop_sequences_are_told_where_the_server_tells_them() -> None:
    """vLLM does."""
    upstream = body({"content": "a"})
    upstream["choices"][0]["stop_reason"] = "END"
    assert decoded(upstream).finish.reason is StopReason.STOP_SEQUENCE
    assert decoded(upstream).finish.stop_sequence == "END"
    assert rendered(decoded(upstream)) == upstream


@pytest.mark.parametrize(
    "upstream,kind,words",
    [
        (b'{"error":{"message":"filtered","code":"content_filter","status":400}}', ErrorKind.UPSTREAM, "filtered"),
        (b'{"error":"boom"}', ErrorKind.UPSTREAM, "boom"),
        (b'{"object":"error","message":"too fast","code":429}', ErrorKind.RATE_LIMITED, "too fast"),
        (b'{"detail":"not here"}', ErrorKind.UPSTREAM, "not here"),
        (b'{"choices":[]}', ErrorKind.UPSTREAM, "no choices"),
        (b'{"choices":[{"index":0,"message":{},"finish_reason":"error"}]}', ErrorKind.UPSTREAM, "error"),
        (
            b'{"choices":[{"index":0,"finish_reason":"error","error":{"message":"late","code":502}}]}',
            ErrorKind.UPSTREAM,
            "late",
        ),
        (b'{"choices":[1]}', ErrorKind.UPSTREAM, "cannot be read"),
        (b'{"choices":[{"message":{"tool_calls":[{}]}}]}', ErrorKind.UPSTREAM, "cannot be read"),
        (b"<html>", ErrorKind.UPSTREAM, "cannot be read"),
        (b"\xff", ErrorKind.UPSTREAM, "cannot be read"),
        (b"", ErrorKind.UPSTREAM, "cannot be read"),
    ],
)
def test_what_is_no_answer_is_one_failure(upstream: bytes, kind: ErrorKind, words: str) -> None:
    """An error body with status 200, and whatever cannot be read."""
    (only,) = DIALECT.upstream.decode_response(upstream, setup())
    assert isinstance(only, Failure)
    assert only.kind is kind
    assert words in only.message


def test_what_a_stream_told_beside_its_parts_is_a_loss_when_it_is_folded() -> None:
    """Further answers above all."""
    notes = (Raw(b'{"index":1,"delta":{"content":"b"}}'), Raw(b'{"index":0,"delta":{},"logprobs":{}}'))
    response = Response("openai_chat", "1", "m", (Text("a"),), Finish(StopReason.END, "stop"), notes=notes)
    body, lost = DIALECT.client.render_response(response, client())
    assert json.loads(body)["choices"][0]["message"]["content"] == "a"
    assert {loss.path: loss.severity for loss in lost} == {"choices[1]": "error", "choices[0]": "warning"}


# ---- answers of another dialect ----


def foreign(*parts: Any, finish: Finish | None = None, **members: Any) -> Response:
    """An answer that came from Anthropic."""
    return Response("anthropic", "msg_1", "claude", parts, finish or Finish(StopReason.END, "end_turn"), **members)


def test_a_foreign_answer_has_every_member_that_clients_need() -> None:
    """Its id is one of this dialect, its time ours."""
    assert rendered(foreign(Text("hi"), usage=Usage(3, 2, cache_read=1, reasoning=1))) == {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 7,
        "model": "claude",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    }


def test_foreign_calls() -> None:
    """Without words the content is null, and what only the other vendor knows of a call is gone."""
    call = ToolCall("toolu_1", "f", '{"a":1}', extras={"caller": Raw(b"{}")})
    choice = rendered(foreign(call, finish=Finish(StopReason.TOOL_USE, "tool_use")))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
    }


def test_an_empty_foreign_answer_is_an_empty_string() -> None:
    """The official libraries take null for a tool call."""
    assert rendered(foreign())["choices"][0]["message"] == {"role": "assistant", "content": ""}


def test_foreign_thinking_travels_with_its_signature_sealed() -> None:
    """The text where clients look for it, the rest in a detail that they send back unread."""
    signed = Signed("anthropic", "anthropic:signature", "sig")
    redacted = Signed("anthropic", "anthropic:redacted", "data")
    message = rendered(foreign(Thinking("hm", signed), Thinking("", redacted), Text("a")))["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    first, second = message["reasoning_details"]
    assert (first["type"], first["format"], first["length"]) == ("reasoning.text", "strowger", 2)
    assert envelope.opened(first["signature"]) == signed
    assert second["type"] == "reasoning.encrypted"
    assert envelope.opened(second["data"]) == redacted


def test_thinking_that_nobody_wants_is_not_sent() -> None:
    """A client that switched it off does not expect it."""
    message = rendered(foreign(Thinking("hm"), Text("a")), thinking_wanted=False)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    "reason,word",
    [
        (StopReason.END, "stop"),
        (StopReason.STOP_SEQUENCE, "stop"),
        (StopReason.MAX_TOKENS, "length"),
        (StopReason.TOOL_USE, "tool_calls"),
        (StopReason.REFUSAL, "content_filter"),
        (StopReason.PAUSE, "stop"),
        (StopReason.CONTEXT_FULL, "length"),
        (StopReason.COMPACTION, "stop"),
        (StopReason.OTHER, "stop"),
    ],
)
def test_every_reason_has_a_word(reason: StopReason, word: str) -> None:
    """Clients know five."""
    assert rendered(foreign(Text("a"), finish=Finish(reason, "x")))["choices"][0]["finish_reason"] == word


def test_refusals_have_a_member_of_their_own() -> None:
    """The official library looks there."""
    assert rendered(foreign(Refusal("no")))["choices"][0]["message"] == {
        "role": "assistant",
        "refusal": "no",
        "content": None,
    }


def test_what_cannot_be_said_is_a_loss() -> None:
    """Nothing disappears silently."""
    response = foreign(
        Text("a", citations=(Citation(Raw(b"{}")),)),
        ServerToolCall("s", "web_search", "{}"),
        Opaque("anthropic", "compaction", Raw(b"{}")),
        extras={"container": Raw(b"{}"), "stop_details": Raw(b'{"a":1}')},
    )
    _, lost = DIALECT.client.render_response(response, client())
    assert {loss.path for loss in lost} == {"citations", "content", "content[2]", "stop_details"}
