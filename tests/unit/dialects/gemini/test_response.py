"""Whole answers of Gemini to events; what is read and rendered again is equal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.envelope import wrapped
from strowger.dialects.gemini.encode import render_response
from strowger.dialects.gemini.errors import parse_error
from strowger.dialects.gemini.response import decode_response
from strowger.errors import ErrorKind
from strowger.ir.events import StopReason
from strowger.ir.request import Audio, Image, Opaque, ServerToolCall, Signed, Text, Thinking, ToolCall
from strowger.ir.response import Response, fold
from tests.shared import recording
from tests.unit.dialects.gemini.replies import (
    answer,
    body,
    call,
    chunk,
    client,
    dumps,
    events,
    failed,
    setup,
    text,
    whole,
)


def read(value: Any, names: dict[str, str] | None = None) -> Response:
    """A body, folded."""
    return fold(whole(value, names))


def written(response: Response) -> Any:
    """The body that a client of this dialect gets."""
    return json.loads(render_response(response, client())[0])


GROUNDING = {
    "webSearchQueries": ["q"],
    "searchEntryPoint": {"renderedContent": "<div>"},
    "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
    "groundingSupports": [{"segment": {"endIndex": 3, "text": "one"}, "groundingChunkIndices": [0]}],
}


@pytest.mark.parametrize(
    "value",
    [
        body(text("a")),
        body(text("a"), text("b", thought=True, thoughtSignature="s"), text("c", thoughtSignature="s")),
        body(text("a"), text("", thoughtSignature="s")),
        body({"thoughtSignature": "s"}),
        body(text("")),
        body({}),
        body(text("a", thought=False, x_unknown=[1])),
        body(call("f", {"a": 1.50}, id="1", part_thoughtSignature="s"), call("g", {}), call("h")),
        body(call("f", None, id="", x_unknown={"y": None}, part_x={"z": 1})),
        body({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"}),
        body({"executableCode": {"id": "e", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}),
        body({"codeExecutionResult": {"outcome": "OUTCOME_OK"}, "thoughtSignature": "s"}),
        body({"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["q"]}, "id": "t"}}),
        body({"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "s"}),
        body({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
        body({"hologram": {"x": 1}}),
        body(text("one"), beside={"groundingMetadata": GROUNDING}),
        body(text("one"), beside={"groundingMetadata": {}, "safetyRatings": [], "avgLogprobs": -0.5}),
        body(text("one"), beside={"citationMetadata": {"citations": [{"uri": "https://s", "endIndex": 3}]}}),
        body(text("a"), finish=1),
        body(text("a"), finish=None),
        body(text("a"), createTime="2025-08-19T15:20:47.464265Z", promptFeedback={"safetyRatings": []}),
        {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
        {"candidates": [{"content": {}, "index": 0}]},
        {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]},
        {"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": {}},
        {"candidates": [{"finishReason": "STOP"}, {"index": 1, "content": {"parts": [{"text": "b"}]}}]},
        {"candidates": [{}], "usageMetadata": {"promptTokenCount": 1}},
        {"candidates": [], "promptFeedback": {"blockReasonMessage": "m"}, "modelVersion": "m"},
        {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"},
        {"candidates": None, "promptFeedback": {"blockReason": "OTHER"}},
        {"usageMetadata": {"promptTokenCount": 1}},
        {"candidates": [{"content": {"parts": [{"text": "a"}], "role": None}, "finishReason": None}], "x": None},
        {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finish_reason": "STOP"}], "model_version": "m"},
    ],
)
def test_what_is_read_comes_back(value: Any) -> None:
    """Members that nobody knows, what is missing and what is null included."""
    assert written(read(value)) == value


def test_an_envelope_is_opened_and_closed() -> None:
    """Code Assist's: what stands beside the answer stands there again."""
    value = {"response": body(text("a")), "traceId": "t"}
    response = read(value)
    assert response.parts == (Text("a"),)
    assert json.loads(render_response(response, client(form="code_assist"))[0]) == value


def test_a_body_and_a_stream_are_one_answer() -> None:
    """The same parts, end and counts."""
    parts = [text("hm", thought=True), text("hello"), call("f", {"a": 1})]
    beside = {"groundingMetadata": {**GROUNDING, "groundingSupports": []}}
    streamed = answer(*(chunk(part) for part in parts[:-1]), chunk(parts[-1], finish="STOP", beside=beside))
    assert read(body(*parts, beside=beside)) == streamed


def test_parts() -> None:
    """Each as what it is to everyone."""
    response = read(
        body(
            text("hm", thought=True, thoughtSignature="s1"),
            text("a", thoughtSignature="s2"),
            call("f_1", {"a": 1}, part_thoughtSignature="s3"),
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"hologram": {}},
        ),
        {"f_1": "f.original"},
    )
    kind = "gemini:signature"
    assert response.parts[:5] == (
        Thinking("hm", Signed("google", kind, "s1")),
        Text("a"),
        Thinking("", Signed("google", kind, "s2", "text")),
        Thinking("", Signed("google", kind, "s3", "call:call_1")),
        ToolCall("call_1", "f.original", '{"a":1}', form="no_id"),
    )
    assert [type(part) for part in response.parts[5:]] == [Image, Audio, ServerToolCall, Opaque]
    assert response.finish.reason is StopReason.TOOL_USE


def test_an_envelope_from_an_upstream_is_its_own_state() -> None:
    """A gateway behind a gateway: what it sealed goes back to it as it came, and its words stand beside it already."""
    blob = wrapped(Signed("anthropic", "anthropic:signature", "sig"), "hm")
    parts = [text("hm", thought=True), call("f", {}, id="1", part_thoughtSignature=blob)]
    state = Thinking("", Signed("google", "gemini:signature", blob, "call:1"))
    expected = (Thinking("hm"), state, ToolCall("1", "f", "{}"))
    assert read(body(*parts)).parts == answer(chunk(*parts, finish="STOP")).parts == expected


def test_citations_go_to_the_text_that_they_are_of() -> None:
    """Places count through all texts on the wire, and from the beginning of each in ours."""
    supports = [
        {"segment": {"endIndex": 3, "text": "one"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 3, "endIndex": 6, "text": "two"}, "groundingChunkIndices": [0]},
    ]
    beside = {"groundingMetadata": {**GROUNDING, "groundingSupports": supports}}
    response = read(body(text("one"), text("hm", thought=True), text("two"), beside=beside))
    places = [[(each.start, each.end) for each in part.citations] for part in response.parts if isinstance(part, Text)]
    assert places == [[(0, 3)], [(0, 3)]]
    assert response.usage.searches == 1


def test_a_prompt_that_was_blocked_is_a_refusal() -> None:
    """There is no candidate, and no error."""
    finish = read({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}).finish
    assert (finish.reason, finish.native) == (StopReason.REFUSAL, "PROHIBITED_CONTENT")


@pytest.mark.parametrize(
    "value, kind, code",
    [
        ({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}, ErrorKind.OVERLOADED, "UNAVAILABLE"),
        ([{"error": {"code": 503, "message": "m"}}], ErrorKind.OVERLOADED, "503"),
        ({"response": {"error": {"code": 400, "message": "m"}}}, ErrorKind.BAD_REQUEST, "400"),
        (body(finish="MALFORMED_FUNCTION_CALL"), ErrorKind.UPSTREAM, "MALFORMED_FUNCTION_CALL"),
        (b"<html>", ErrorKind.UPSTREAM, "malformed"),
        (b"", ErrorKind.UPSTREAM, "malformed"),
        (b'{"candidates":[{"content"', ErrorKind.UPSTREAM, "malformed"),
        ({"choices": []}, ErrorKind.UPSTREAM, "malformed"),
        ({"candidates": 7}, ErrorKind.UPSTREAM, "malformed"),
        ({"candidates": [7]}, ErrorKind.UPSTREAM, "malformed"),
        (body({"functionCall": {"args": {}}}), ErrorKind.UPSTREAM, "malformed"),
    ],
)
def test_failures(value: Any, kind: ErrorKind, code: str) -> None:
    """Errors, answers that failed, and what is no answer give one Failure and nothing else."""
    told = whole(value)
    failure = failed(told)
    assert len(told) == 1
    assert (failure.kind, failure.code) == (kind, code)


def test_an_answer_that_is_too_deep() -> None:
    """It is a failure like any other that cannot be read, also as a chunk and as an error."""
    deep = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x":%b}}}]}}]}'
    deep %= b"[" * 5000 + b"]" * 5000
    assert failed(whole(deep)).code == "malformed"
    for wire in (b"data: " + deep + b"\n\n", b"[" + deep + b"]"):
        assert failed(events(wire)).code == "malformed"
    assert parse_error(500, {}, b'{"error":' + b"[" * 5000).kind is ErrorKind.UPSTREAM


def test_bytes_that_are_no_utf_8() -> None:
    """A server cut a character in two; the rest of the answer can be read."""
    raw = dumps(body(text("a?b"))).replace(b"?", b"\xf0\x9f")
    assert fold(decode_response(raw, setup())).parts == (Text("a\ufffdb"),)


# ---- recordings ----


def test_recorded_error_with_200() -> None:
    """A minute's limit under a status of success."""
    failure = failed(whole(recording("google__f09b976a29796d3c").response.content))
    assert (failure.kind, failure.retry_after) == (ErrorKind.RATE_LIMITED, 34.4)


def test_recorded_numeric_enums() -> None:
    """Vertex AI writes numbers where it is asked to."""
    raw = recording("vertex__268e12e6f39fd6c9").response.content
    response = fold(whole(raw))
    assert (response.finish.reason, response.finish.native) == (StopReason.END, "STOP")
    assert written(response) == json.loads(raw)


def test_recorded_calls_that_were_not_expected() -> None:
    """UNEXPECTED_TOOL_CALL beside a call: the client shall run it."""
    response = fold(whole(recording("vertex__1e46ba543469fc9d").response.content))
    assert (response.finish.reason, response.finish.native) == (StopReason.TOOL_USE, "UNEXPECTED_TOOL_CALL")
