"""Bugs that gateways like this one had, each named for what a user saw; the answers of Gemini.

Gemini stands on either side: as the upstream whose answers a coding agent of another dialect waits for, and as the
dialect of a client whose history has to bring everything home.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.base import Capabilities
from strowger.dialects.gemini import DIALECT
from strowger.errors import ErrorKind, UpstreamError
from strowger.ir.events import (
    ArgumentsDelta,
    Event,
    Failure,
    Finish,
    PartStart,
    PartStop,
    Start,
    StopReason,
    TextDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Signed, Text, Thinking, ToolCall
from strowger.ir.response import fold
from tests.unit.dialects.gemini.replies import (
    answer,
    array,
    body,
    call,
    chunk,
    client,
    dumps,
    encoded,
    events,
    failed,
    parts_of,
    sealed,
    setup,
    sse,
    text,
    thought,
    told,
    whole,
)

LAST = chunk(text(""), finish="STOP")


def starts(out: list[Event]) -> list[type]:
    """The types of the parts that began, in order."""
    return [type(event.part) for event in out if isinstance(event, PartStart)]


# ---- Gemini is the upstream ----


def test_text_after_a_call_is_a_part_of_its_own() -> None:
    """It was glued to the text before the call."""
    out = events(sse(chunk(text("a")), chunk(call("f", {})), chunk(text("b")), LAST))
    assert starts(out) == [Text, ToolCall, Text]
    assert [event.text for event in out if isinstance(event, TextDelta)] == ["a", "b"]


def test_a_second_thought_begins_anew() -> None:
    """It was lost, or crashed the stream, and the answer began twice."""
    out = events(sse(chunk(text("1", thought=True)), chunk(text("a")), chunk(text("2", thought=True)), LAST))
    assert starts(out) == [Thinking, Text, Thinking]
    assert sum(isinstance(event, Start) for event in out) == 1


def test_parts_are_numbered_without_gaps() -> None:
    """Signatures, searches and empty texts shifted the numbers."""
    grounding = {"webSearchQueries": ["q"]}
    out = events(
        sse(
            chunk(text("hm", thought=True, thoughtSignature="1"), text("a"), text("", thoughtSignature="2")),
            chunk(call("f", {}, part_thoughtSignature="3"), call("g", willContinue=True)),
            chunk(call()),
            chunk(text("b"), finish="STOP", beside={"groundingMetadata": grounding}),
        )
    )
    began = [event.index for event in out if isinstance(event, PartStart)]
    assert began == [event.index for event in out if isinstance(event, PartStop)] == list(range(9))


def test_parallel_calls_keep_their_own_arguments() -> None:
    """Several come in one chunk, often without ids."""
    response = answer(chunk(call("f", {"a": 1}), call("f", {"a": 2}), call("g", {"b": 3})), LAST)
    calls = [part for part in response.parts if isinstance(part, ToolCall)]
    assert [json.loads(each.arguments) for each in calls] == [{"a": 1}, {"a": 2}, {"b": 3}]
    assert len({each.id for each in calls}) == 3


def test_arguments_arrive_although_they_come_whole() -> None:
    """The tool was called with `{}`: nobody sent a delta."""
    out = events(sse(chunk(call("f", {"a": 1}, id="1")), LAST))
    assert [event.text for event in out if isinstance(event, ArgumentsDelta)] == ['{"a":1}']
    assert ArgumentsDelta(0, "{}") in events(sse(chunk(call("f")), LAST))


def test_a_stream_that_just_ends_is_not_the_end() -> None:
    """Half an answer was taken for whole."""
    for wire in (sse(chunk(text("a")), chunk(call("f", willContinue=True))), b"", array(chunk(text("a")))):
        assert failed(events(wire)).code == "truncated"


def test_calls_are_the_reason_though_google_says_stop() -> None:
    """The agent took STOP for the end of the turn and did not run the tool."""
    assert answer(chunk(call("f", {}), finish="STOP")).finish.reason is StopReason.TOOL_USE
    assert fold(whole(body(call("f", {})))).finish.reason is StopReason.TOOL_USE


def test_a_full_answer_is_told_from_a_finished_one() -> None:
    """MAX_TOKENS was shown as completed; a call that was cut keeps what came."""
    partial = [{"jsonPath": "$.a", "stringValue": "x", "willContinue": True}]
    response = answer(
        chunk(call("f", willContinue=True)),
        chunk(call(partialArgs=partial, willContinue=True)),
        chunk(finish="MAX_TOKENS"),
    )
    assert response.finish.reason is StopReason.MAX_TOKENS
    assert [part.arguments for part in response.parts if isinstance(part, ToolCall)] == ['{"a":"x"}']


@pytest.mark.parametrize("value", [{"usageMetadata": {"promptTokenCount": 5}}, {"candidates": []}, {}])
def test_chunks_without_candidates_are_passed_over(value: Any) -> None:
    """`candidates[0]` was taken for granted."""
    assert answer(chunk(text("a")), value, LAST).parts == (Text("a"),)
    assert answer(value, chunk(text("a")), LAST).parts == (Text("a"),)


def test_cached_tokens_are_counted_once() -> None:
    """Google's prompt holds them; a client that adds them to it was billed twice, on its screen."""
    usage = answer(
        chunk(text("a"), finish="STOP", usageMetadata={"promptTokenCount": 9, "cachedContentTokenCount": 6})
    ).usage
    assert (usage.input, usage.cache_read) == (9, 6)


def test_thoughts_are_not_counted_twice_either() -> None:
    """They stand beside the candidates on this wire, and inside the output everywhere else."""
    counts = {"promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 6}
    usage = answer(chunk(text("a"), finish="STOP", usageMetadata=counts)).usage
    assert (usage.output, usage.reasoning) == (5, 3)
    chunks, _ = encoded(told(Text("a"), before=[UsageUpdate(Usage(input=1, output=5, reasoning=3))]))
    assert chunks[-1]["usageMetadata"] == counts


def test_a_blocked_prompt_is_not_an_empty_success() -> None:
    """There was no text and no error, and the agent stopped without a word."""
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    assert answer(blocked).finish.reason is StopReason.REFUSAL
    assert fold(whole(blocked)).finish.reason is StopReason.REFUSAL


def test_a_refusal_in_the_middle_is_a_refusal() -> None:
    """Text came before it."""
    assert answer(chunk(text("a")), chunk(finish="SAFETY")).finish.reason is StopReason.REFUSAL


def test_an_error_under_a_status_of_success_is_an_error() -> None:
    """As a body, as the first event, and as the first element: before content, so that another target may be tried."""
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    for out in (whole(error), events(sse(error)), events(array(error)), events(dumps(error))):
        assert [type(event) for event in out] == [Failure]
        assert failed(out).kind is ErrorKind.OVERLOADED


def test_bytes_that_are_cut_anywhere() -> None:
    """Inside a character, inside CRLF, inside an escape."""
    wire = sse(chunk(text('ü💡\\"')), LAST)
    for at in range(len(wire)):
        assert fold(events(wire[:at], wire[at:])).parts == (Text('ü💡\\"'),)


def test_the_stream_is_not_held_until_its_end() -> None:
    """Indented arrays were parsed when they were whole, so that the first word came last."""
    decoder = DIALECT.upstream.decoder(setup())
    wire = array(chunk(text("a")), LAST)
    first = wire.index(b"\r\n,\r\n")
    assert TextDelta(0, "a") in decoder.feed(wire[:first])


def test_a_minute_is_not_a_day() -> None:
    """One 429 benched the account: only the name of the quota tells how long it lasts."""
    for quota, kind in (("PerMinute", ErrorKind.RATE_LIMITED), ("PerDay", ErrorKind.QUOTA_EXHAUSTED)):
        violations = [{"quotaId": f"GenerateRequests{quota}PerProjectPerModel"}]
        error = {"code": 429, "message": "You exceeded your current quota", "details": [{"violations": violations}]}
        refused = DIALECT.upstream.parse_error(429, {}, dumps({"error": {**error, "status": "RESOURCE_EXHAUSTED"}}))
        assert refused.kind is kind


def test_arguments_that_come_in_pieces_and_whole_are_told_once() -> None:
    """The last part of a call that came in pieces may repeat it, and the arguments were doubled."""
    piece = [{"jsonPath": "$.a", "stringValue": "x"}]
    begun = call("f", id="1", partialArgs=piece, willContinue=True)
    for end in (call("f", {"a": "x"}, id="1"), call()):
        (made,) = answer(chunk(begun), chunk(end, finish="STOP")).parts
        assert isinstance(made, ToolCall)
        assert json.loads(made.arguments) == {"a": "x"}


def test_a_thought_in_many_chunks_is_one() -> None:
    """Each chunk became a block of its own."""
    parts = answer(chunk(text("h", thought=True)), chunk(text("m", thought=True)), chunk(text("a")), LAST).parts
    assert parts == (Thinking("hm"), Text("a"))


def test_counts_of_each_chunk_are_not_added_up() -> None:
    """They grow from chunk to chunk, and the last is the truth [vercel/ai 17326]."""
    counts = [{"promptTokenCount": 10, "candidatesTokenCount": so_far} for so_far in (1, 5)]
    usage = answer(
        chunk(text("a"), usageMetadata=counts[0]), chunk(text("b"), finish="STOP", usageMetadata=counts[1])
    ).usage
    assert (usage.input, usage.output) == (10, 5)


# ---- Gemini is the client's dialect ----


def replayed(*parts: Any, origin: str = "google", signatures: bool = True) -> list[Any]:
    """What an upstream of Gemini is sent when the parts of an answer are history."""
    history = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": list(parts)},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "1"}}}]},
    ]
    request = DIALECT.client.parse_request(dumps({"contents": history}))
    caps = Capabilities(origin=origin, thought_signatures=signatures, thinking="level")
    sent = json.loads(DIALECT.upstream.render_request(request, "m", caps).body)
    model: list[Any] = next(content["parts"] for content in sent["contents"] if content["role"] == "model")
    return model


def test_the_signature_of_a_call_comes_home_on_the_call() -> None:
    """Google answered 400: the call had lost its thought signature."""
    out = events(sse(chunk(call("f", {}, id="1", part_thoughtSignature="c2ln")), LAST))
    parts = parts_of(encoded(out)[0])
    assert parts == [{"functionCall": {"name": "f", "args": {}, "id": "1"}, "thoughtSignature": "c2ln"}]
    assert replayed(*parts) == parts


def test_a_signature_of_another_vendor_is_not_sent_to_google() -> None:
    """Google answered 400: what stood there was Anthropic's, in an envelope of ours."""
    parts = parts_of(encoded(told(thought("hm", sealed("QUJD")), ToolCall("1", "f", "{}")))[0])
    kept = [part for part in parts if not part.get("thought")]  # as Google's own client keeps it
    sent = replayed(*kept)
    assert "QUJD" not in json.dumps(sent)
    assert all(part.get("thoughtSignature") in {None, "skip_thought_signature_validator"} for part in sent)


def test_foreign_state_survives_a_client_that_drops_thoughts() -> None:
    """Gemini CLI sends back calls and texts only, so the words that were signed have to travel with the signature."""
    parts = parts_of(encoded(told(thought("hm", sealed()), Text("a"), ToolCall("1", "f", "{}")))[0])
    kept = [part for part in parts if not part.get("thought")]
    history = [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": kept}]
    request = DIALECT.client.parse_request(dumps({"contents": history}))
    assert request.messages[1].parts == (
        Thinking("hm", Signed("anthropic", "anthropic:signature", "sig")),
        Text("a"),
        ToolCall("1", "f", "{}"),
    )


def test_an_error_after_the_beginning_is_no_end() -> None:
    """A reason was made up for a stream that had broken."""
    encoder = DIALECT.client.encoder(client())
    out = b"".join(encoder.encode(event) for event in told(Text("a"))[:3])
    out += encoder.fail(UpstreamError("gone", kind=ErrorKind.UPSTREAM))
    assert b"finishReason" not in out
    assert failed(events(out)).message == "gone"
    assert encoder.encode(Finish(StopReason.END)) == b""


def test_keep_alives_do_not_break_the_reader() -> None:
    """Comments did: Google's SDK for Python takes every line without `data: ` for JSON."""
    encoder = DIALECT.client.encoder(client())
    out = [encoder.heartbeat()] + [encoder.encode(event) + encoder.heartbeat() for event in told(Text("a"))]
    lines = b"".join(out).splitlines()
    assert all(not line or line.startswith(b"data: ") for line in lines)


def test_objects_are_always_full() -> None:
    """Clients crash on what is missing: candidates without parts, an answer without an id or a model [routatic 19]."""
    chunks, _ = encoded(told(), usage_wanted=True)
    for each in chunks:
        assert each["candidates"][0]["content"]["role"] == "model"
        assert isinstance(each["candidates"][0]["content"]["parts"], list)
        assert each["responseId"]
        assert each["modelVersion"]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
