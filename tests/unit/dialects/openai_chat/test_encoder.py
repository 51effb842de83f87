"""Events to a client's stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects import envelope
from strowger.dialects.openai_chat import DIALECT
from strowger.dialects.openai_chat.wire import REASONING, REASONING_DETAILS
from strowger.errors import BadRequest, ErrorKind, Truncated
from strowger.ir.events import (
    ArgumentsDelta,
    CitationDelta,
    Event,
    Failure,
    Finish,
    Note,
    PartStart,
    PartStop,
    SignatureDelta,
    Start,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Citation, Refusal, ServerToolCall, Signed, Text, Thinking, ToolCall
from tests.unit.dialects.openai_chat.talk import Json, answer, calls, client, encoded, text, thinking

START = Start("anthropic", "msg_1", "claude")
END = Finish(StopReason.END, "end_turn")


def part(index: int, head: Any, *deltas: Event) -> list[Event]:
    """A whole part."""
    return [PartStart(index, head), *deltas, PartStop(index)]


def deltas(told: list[Event], **wishes: Any) -> list[Json]:
    """The deltas of the chunks between the first and the last."""
    chunks, _ = encoded([START, *told, END], usage_wanted=False, **wishes)
    return [chunk["choices"][0]["delta"] for chunk in chunks[1:-2]]


def test_a_whole_stream() -> None:
    """The role first; the reason, the counts and the end last. Every chunk has every member."""
    chunks, losses = encoded([START, *part(0, Text(""), TextDelta(0, 'a"')), UsageUpdate(Usage(3, 2)), END])
    frame = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 7, "model": "claude", "usage": None}

    def choice(delta: Json, finish: str | None = None) -> Json:
        return {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    assert chunks == [
        choice({"role": "assistant", "content": ""}),
        choice({"content": 'a"'}),
        choice({}, "stop"),
        {**frame, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
        {},
    ]
    assert losses == []


def test_counts_only_for_those_who_asked() -> None:
    """A chunk without choices breaks clients that do not expect it."""
    chunks, _ = encoded([START, UsageUpdate(Usage(3, 2)), END], usage_wanted=False)
    assert all("usage" not in chunk for chunk in chunks)
    assert [len(chunk["choices"]) for chunk in chunks[:-1]] == [1, 1]


def test_the_model_is_the_one_asked_for_when_none_is_named() -> None:
    """And an id of this dialect stays."""
    chunks, _ = encoded([Start("anthropic", "chatcmpl-9", "", created=3), END])
    assert (chunks[0]["model"], chunks[0]["id"], chunks[0]["created"]) == ("asked", "chatcmpl-9", 3)


def test_extras_of_this_dialect_are_on_every_chunk() -> None:
    """Those of another are a loss."""
    chunks, _ = encoded([Start("openai_chat", "x", "m", extras={"service_tier": Raw(b'"flex"')}), END])
    assert {chunk.get("service_tier") for chunk in chunks[:-1]} == {"flex"}
    chunks, losses = encoded([Start("anthropic", "x", "m", extras={"container": Raw(b'{"a":1}')}), END])
    assert "container" not in chunks[0]
    assert [loss.path for loss in losses] == ["container"]


def test_calls_one_after_the_other() -> None:
    """Id, type and name once, then the arguments under the same index."""
    assert deltas(
        part(0, ToolCall("1", "f", ""), ArgumentsDelta(0, '{"a"'), ArgumentsDelta(0, ":1}"))
        + part(1, Text(""), TextDelta(1, "t"))
        + part(2, ToolCall("2", "g", "{}", kind="custom"), ArgumentsDelta(2, "x"))
    ) == [
        {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {"content": "t"},
        {"tool_calls": [{"index": 1, "id": "2", "type": "custom", "custom": {"name": "g", "input": "{}"}}]},
        {"tool_calls": [{"index": 1, "custom": {"input": "x"}}]},
    ]


def test_refusals_and_text_do_not_mix() -> None:
    """A text after a refusal is content again."""
    told = part(0, Refusal(""), TextDelta(0, "no")) + part(1, Text("whole"), TextDelta(1, "!"))
    assert deltas(told) == [{"refusal": "no"}, {"content": "whole"}, {"content": "!"}]


def test_thinking_and_its_sealed_signature() -> None:
    """The signature follows the text in a detail; a redacted one stands alone."""
    signed, redacted = Signed("anthropic", "anthropic:signature", "s"), Signed("anthropic", "anthropic:redacted", "d")
    told = part(0, Thinking(""), ThinkingDelta(0, "h"), ThinkingDelta(0, "m"), SignatureDelta(0, signed))
    first, second, detail, sealed = deltas(told + part(1, Thinking("", redacted)))
    assert (first, second) == ({"reasoning_content": "h"}, {"reasoning_content": "m"})
    assert detail["reasoning_details"][0]["length"] == 2
    assert envelope.opened(detail["reasoning_details"][0]["signature"]) == signed
    assert envelope.opened(sealed["reasoning_details"][0]["data"]) == redacted
    assert (detail["reasoning_details"][0]["index"], sealed["reasoning_details"][0]["index"]) == (0, 1)


def test_thinking_that_nobody_wants_is_not_sent() -> None:
    """Neither the text nor what belongs to it."""
    signed = Signed("anthropic", "anthropic:signature", "s")
    told = part(0, Thinking(""), ThinkingDelta(0, "hm"), SignatureDelta(0, signed)) + part(
        1, Text(""), TextDelta(1, "a")
    )
    assert deltas(told, thinking_wanted=False) == [{"content": "a"}]


def test_state_of_this_dialect_is_sent_as_it_came() -> None:
    """Reasoning details raw; thinking that is not signed needs nothing."""
    details = Signed("openrouter", REASONING_DETAILS, '[{"type":"reasoning.encrypted","data":"x"}]')
    told: list[Event] = [Start("openai_chat", "1", "m")]
    told += part(0, Thinking(""), SignatureDelta(0, details)) + part(
        1, Thinking(""), SignatureDelta(1, Signed("o", REASONING, ""))
    )
    chunks, _ = encoded([*told, END], usage_wanted=False)
    assert [chunk["choices"][0]["delta"] for chunk in chunks[1:-2]] == [{"reasoning_details": json.loads(details.blob)}]


def test_notes_and_citations_of_this_dialect_pass() -> None:
    """A citation of another that is not of a web page has no form."""
    note = Raw(b'{"index":1,"delta":{"content":"b"}}')
    told: list[Event] = [PartStart(0, Text("")), CitationDelta(0, Citation(Raw(b'{"a":1}'))), PartStop(0), Note(note)]
    chunks, losses = encoded([Start("openai_chat", "1", "m"), *told, END])
    assert chunks[1]["choices"][0]["delta"] == {"annotations": [{"a": 1}]}
    assert chunks[2]["choices"] == [{"index": 1, "delta": {"content": "b"}}]
    assert losses == []
    chunks, losses = encoded([START, *told, END], usage_wanted=False)
    assert len(chunks) == 3
    assert [loss.path for loss in losses] == ["citations"]


def test_parts_without_a_form_are_a_loss() -> None:
    """With all that belongs to them."""
    told = part(0, ServerToolCall("1", "web_search", ""), ArgumentsDelta(0, "{}"))
    chunks, losses = encoded([START, *told, END], usage_wanted=False)
    assert len(chunks) == 3
    assert [loss.path for loss in losses] == ["content"]


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_reason_has_a_word(reason: StopReason) -> None:
    """One of the five that clients know."""
    chunks, _ = encoded([START, Finish(reason, "x")], usage_wanted=False)
    assert chunks[1]["choices"][0]["finish_reason"] in {"stop", "length", "tool_calls", "content_filter"}


def test_a_word_that_is_not_known_is_a_loss() -> None:
    """The client is told the nearest."""
    _, losses = encoded([START, Finish(StopReason.OTHER, "odd")])
    assert losses[0].path == "finish_reason"


def test_a_failure_ends_the_stream_without_done() -> None:
    """The answer is not done; the official library raises on it."""
    failure = Failure(ErrorKind.OVERLOADED, "busy", "overloaded_error")
    chunks, _ = encoded([START, failure, END])
    assert chunks[-1] == {
        "error": {"message": "busy", "type": "server_error", "param": None, "code": "overloaded_error"}
    }
    assert len(chunks) == 2


def test_an_upstreams_own_error_object_passes() -> None:
    """For a client of its dialect."""
    failure = Failure(ErrorKind.OVERLOADED, "busy", raw=Raw(b'{"message":"busy","later":1}'))
    chunks, _ = encoded([Start("openai_chat", "1", "m"), failure])
    assert chunks[-1] == {"error": {"message": "busy", "later": 1}}


def test_an_error_of_ours_ends_the_stream_once() -> None:
    """Also before anything was sent."""
    encoder = DIALECT.client.encoder(client())
    wire = encoder.fail(Truncated("cut", hint="try again"))
    assert json.loads(wire.removeprefix(b"data: "))["error"]["message"] == "cut (hint: try again)"
    assert encoder.fail(BadRequest("again")) == b""


def test_a_heartbeat_is_a_comment() -> None:
    """Any client reads over it."""
    assert DIALECT.client.encoder(client()).heartbeat() == b": keep-alive\n\n"


def test_what_is_encoded_is_decoded() -> None:
    """Text, thinking, calls, reason and counts survive the way to the client and back."""
    told = [
        START,
        *part(0, Thinking(""), ThinkingDelta(0, "hm")),
        *part(1, Text(""), TextDelta(1, "ü\n\u2028"), TextDelta(1, "b")),
        *part(2, ToolCall("1", "f", ""), ArgumentsDelta(2, '{"a":1}')),
        *part(3, ToolCall("2", "g", "")),
        UsageUpdate(Usage(9, 8, cache_read=7, cache_write=1, reasoning=6)),
        Finish(StopReason.TOOL_USE, "tool_use"),
    ]
    encoder = DIALECT.client.encoder(client())
    back = answer(*(encoder.encode(event) for event in told))
    assert (thinking(back), text(back)) == ("hm", "ü\n\u2028b")
    assert calls(back) == [("1", "f", '{"a":1}'), ("2", "g", "")]
    assert back.finish.reason is StopReason.TOOL_USE
    assert (back.usage.input, back.usage.output, back.usage.cache_read, back.usage.cache_write) == (9, 8, 7, 1)
