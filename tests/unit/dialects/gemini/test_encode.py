"""Events as Gemini's clients get them, and whether Google's own SDK can read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.envelope import thought_in
from strowger.dialects.gemini.encode import StreamEncoder, render_response
from strowger.dialects.gemini.stream import StreamDecoder
from strowger.errors import ErrorKind, UpstreamError
from strowger.ir.events import (
    Event,
    Failure,
    Finish,
    Note,
    PartStart,
    Start,
    StopReason,
    TextDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Citation, Refusal, ServerToolResult, Signed, Text, Thinking, ToolCall
from strowger.ir.response import Response, fold
from tests.unit.dialects.gemini.replies import (
    body,
    call,
    checked,
    chunk,
    client,
    encoded,
    events,
    parts_of,
    sealed,
    search,
    setup,
    sse,
    text,
    thought,
    told,
    whole,
)

PARTS = (Thinking("hm", sealed()), Text("one"), ToolCall("c1", "f", '{"a":1}'))


def wire(told: list[Event], **wishes: Any) -> bytes:
    encoder = StreamEncoder(client(**wishes))
    return b"".join(encoder.encode(event) for event in told)


# ---- streams ----


def test_a_stream() -> None:
    """Thoughts and texts as they come, a call whole, and the counts with the reason; every chunk names the answer."""
    usage = UsageUpdate(Usage(input=10, output=5, cache_read=4, reasoning=2))
    chunks, losses = encoded(told(*PARTS, before=[usage]))
    parts = parts_of(chunks)
    assert parts[:2] == [{"text": "hm", "thought": True}, {"text": "one"}]
    assert parts[2]["functionCall"] == {"id": "c1", "name": "f", "args": {"a": 1}}
    assert thought_in(parts[2]["thoughtSignature"]) == Thinking("hm", sealed())
    for each in chunks:
        assert (each["modelVersion"], each["responseId"]) == ("model-1", "id-1")
        assert each["createTime"] == "2023-11-14T22:13:20Z"
        types.GenerateContentResponse.model_validate(each)
    assert ["finishReason" in each["candidates"][0] for each in chunks] == [False, False, False, True]
    assert chunks[-1]["usageMetadata"] == {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 15,
    }
    assert losses == []


def test_each_delta_is_a_chunk_at_once() -> None:
    """Framed as Google frames it."""
    encoder = StreamEncoder(client())
    encoder.encode(Start("anthropic", "id-1", "m"))
    encoder.encode(PartStart(0, Text("")))
    assert encoder.encode(TextDelta(0, 'a"\n')) == (
        b'data: {"candidates":[{"content":{"parts":[{"text":"a\\"\\n"}],"role":"model"},"index":0}],'
        b'"modelVersion":"m","responseId":"id-1"}\r\n\r\n'
    )


@pytest.mark.parametrize("form", ["", "array", "code_assist"])
def test_every_form_is_read_back(form: str) -> None:
    """As the same answer."""
    decoder = StreamDecoder(setup())
    response = fold(checked(decoder.feed(wire(told(*PARTS), form=form)) + decoder.close()))
    assert [type(part) for part in response.parts] == [Thinking, Text, Thinking, ToolCall]
    assert response.parts[3] == ToolCall("c1", "f", '{"a":1}')
    assert response.finish.reason is StopReason.TOOL_USE


def test_an_array_is_json() -> None:
    """From the first byte to the last, also when nothing was said."""
    for parts in ((), PARTS, PARTS[2:]):
        found = json.loads(wire(told(*parts), form="array"))
        assert found[-1]["candidates"][0]["finishReason"] == "STOP"


def test_the_envelope_of_code_assist() -> None:
    """Every chunk is in one."""
    chunks, _ = encoded(told(*PARTS), form="code_assist")
    assert all(list(each) == ["response"] for each in chunks)


def test_a_client_that_wants_no_thoughts() -> None:
    """Gets none, but what it has to bring home."""
    chunks, _ = encoded(told(*PARTS), thinking_wanted=False)
    parts = parts_of(chunks)
    assert [next(iter(part)) for part in parts] == ["text", "functionCall"]
    assert thought_in(parts[1]["thoughtSignature"]) == Thinking("hm", sealed())


def test_state_without_a_call_stands_behind_the_text() -> None:
    """The text has gone, so it is on an empty one, as Google does it; or on a thought where there was no text."""
    parts = parts_of(encoded(told(*PARTS[:2]))[0])
    assert [part["text"] for part in parts] == ["hm", "one", ""]
    assert thought_in(parts[2]["thoughtSignature"]) == Thinking("hm", sealed())
    alone = parts_of(encoded(told(thought("", sealed())))[0])
    assert [(part["text"], part["thought"]) for part in alone] == [("", True)]


def test_heartbeats_are_blank() -> None:
    """Google's SDK takes a comment for broken JSON; an array has room for nothing."""
    assert StreamEncoder(client()).heartbeat().strip() == b""
    assert StreamEncoder(client()).heartbeat()
    assert StreamEncoder(client(form="array")).heartbeat() == b""


def test_members_of_an_indented_answer_stay_on_one_line() -> None:
    """A line break would end the event."""
    call = ToolCall("1", "f", '{\n  "a": 1\n}')
    chunks, _ = encoded(told(call))
    assert parts_of(chunks)[0]["functionCall"]["args"] == {"a": 1}


def test_what_it_is_drawn_from_comes_with_the_reason() -> None:
    """Searches and citations of any origin."""
    cited = Text("one", citations=(Citation(Raw(b"{}"), "https://a", "A", start=0, end=3),))
    chunks, _ = encoded(told(search("q"), ServerToolResult("srvtoolu_1", "k", Raw(b"{}"), "web_search"), cited))
    grounding = chunks[-1]["candidates"][0]["groundingMetadata"]
    assert grounding["webSearchQueries"] == ["q"]
    assert grounding["groundingChunks"] == [{"web": {"uri": "https://a", "title": "A"}}]
    assert grounding["groundingSupports"][0]["segment"] == {"endIndex": 3, "text": "one"}
    assert len(parts_of(chunks)) == 1


@pytest.mark.parametrize(
    "parts, finish, word",
    [
        ((Text("a"),), Finish(StopReason.STOP_SEQUENCE, "stop_sequence", "x"), "STOP"),
        ((Text("a"),), Finish(StopReason.MAX_TOKENS), "MAX_TOKENS"),
        ((Text("a"),), Finish(StopReason.REFUSAL), "SAFETY"),
        ((Refusal("a"),), Finish(StopReason.END), "SAFETY"),
        ((Text("a"),), Finish(StopReason.OTHER, "weird"), "OTHER"),
        ((PARTS[2],), Finish(StopReason.OTHER, "weird"), "STOP"),
        ((PARTS[2],), Finish(StopReason.TOOL_USE), "STOP"),
        ((), Finish(StopReason.PAUSE), "STOP"),
    ],
)
def test_reasons(parts: Any, finish: Finish, word: str) -> None:
    """In Google's words; one that has none is a loss."""
    chunks, losses = encoded(told(*parts, finish=finish))
    candidate = chunks[-1]["candidates"][0]
    assert (candidate["finishReason"], candidate["index"]) == (word, 0)
    assert candidate["content"] == {"parts": [{"text": ""}], "role": "model"}
    assert [loss.path for loss in losses] == (["finishReason"] if word == "OTHER" else [])


def test_members_of_another_dialect_are_losses() -> None:
    """Of the answer, its end, its parts and its counts."""
    extra = {"x_odd": Raw(b"1")}
    before = UsageUpdate(Usage(input=1, extras=extra))
    out = told(Text("a", extras=extra), before=[before], finish=Finish(StopReason.END, extras=extra))
    assert isinstance(out[0], Start)
    out[0] = replace(out[0], extras=extra)
    _, losses = encoded(out)
    assert sorted(loss.path for loss in losses) == ["content.x_odd", "usage.x_odd", "x_odd"]


# ---- answers of this dialect ----


def test_an_own_stream_keeps_what_it_had() -> None:
    """Signatures where they stood, members of the candidate, counts as they were."""
    usage = {"promptTokenCount": 3, "totalTokenCount": 3, "trafficType": "ON_DEMAND"}
    source = [
        chunk(text("hm", thought=True), createTime="2025-08-19T15:20:47Z"),
        chunk(text("", thought=True, thoughtSignature="s1")),
        chunk(text("one")),
        chunk(text("", thoughtSignature="s2")),
        chunk(call("f", {}, part_thoughtSignature="s3"), call("g", {}, id="2")),
        chunk(text(""), finish="STOP", beside={"avgLogprobs": -1.5}, usageMetadata=usage),
    ]
    out = events(sse(*source))
    chunks, losses = encoded(out)
    assert losses == []
    assert parts_of(chunks) == [
        {"text": "hm", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "s1"},
        {"text": "one"},
        {"text": "", "thoughtSignature": "s2"},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s3"},
        {"functionCall": {"name": "g", "args": {}, "id": "2"}},
    ]
    last = chunks[-1]
    assert last["usageMetadata"] == usage
    assert last["createTime"] == "2025-08-19T15:20:47Z"
    assert (last["candidates"][0]["avgLogprobs"], last["candidates"][0]["finishReason"]) == (-1.5, "STOP")
    assert fold(events(sse(*chunks))).parts == fold(out).parts


def test_an_own_blocked_prompt_has_no_candidate() -> None:
    """As it came."""
    chunks, _ = encoded(events(sse({"promptFeedback": {"blockReason": "SAFETY"}})))
    assert "candidates" not in chunks[-1]
    assert chunks[-1]["promptFeedback"] == {"blockReason": "SAFETY"}


def test_an_own_answer_that_gave_no_reason_gets_one() -> None:
    """A stream without a reason was cut, to every client."""
    for value in (body(text("a"), finish=None), body(text("a"), finish=None, beside={"finishReason": None})):
        chunks, _ = encoded(whole(value))
        assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


def test_notes_pass_to_clients_of_this_dialect_only() -> None:
    """They are chunks."""
    note = Note(Raw(b'{"candidates":[{"index":1}]}'))
    own, _ = encoded(told(Text("a"), origin="gemini", before=[note]))
    assert own[1] == {"candidates": [{"index": 1}]}
    assert len(encoded(told(Text("a"), before=[note]))[0]) == 2


# ---- errors ----


def read_by_the_sdk(stream: bytes) -> list[Any]:
    """What Google's SDK for Python makes of a stream: its lines, and bare JSON by its braces."""
    from google.genai import _api_client

    raw, data, found = _api_client._RawJsonLineBuffer(), [], []
    for line in stream.decode().splitlines():
        if line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif line:
            found.append(raw.add_line(line))
        elif data:
            found.append("\n".join(data))
            data = []
    return [json.loads(each) for each in [*found, raw.flush()] if each]


@pytest.mark.parametrize("form", ["", "code_assist"])
def test_an_error_inside_a_stream_is_bare_json(form: str) -> None:
    """SDKs of all languages raise that, and some pass over an event that is an error."""
    encoder = StreamEncoder(client(form=form))
    begun = b"".join(encoder.encode(event) for event in told(Text("a"))[:3])
    stream = begun + encoder.heartbeat() + encoder.fail(UpstreamError("busy", kind=ErrorKind.OVERLOADED))
    last = read_by_the_sdk(stream)[-1]
    assert last["error"] == {"code": 503, "message": "busy", "status": "UNAVAILABLE"}
    assert encoder.fail(UpstreamError("again")) == b""
    assert encoder.encode(Finish(StopReason.END)) == b""


def test_an_error_ends_an_array() -> None:
    """It is its last element, also when it is the first."""
    for begin in ([], told(Text("a"))[:3]):
        encoder = StreamEncoder(client(form="array"))
        stream = b"".join(encoder.encode(event) for event in begin)
        found = json.loads(stream + encoder.fail(UpstreamError("busy", kind=ErrorKind.TIMEOUT)))
        assert found[-1]["error"]["code"] == 504


def test_a_failure_of_the_upstream() -> None:
    """In its own words where it spoke this dialect."""
    raw = Raw(b'{"code":418,"message":"teapot"}')
    failure = Failure(ErrorKind.RATE_LIMITED, "later", "x", 2.0, raw)
    foreign = wire([Start("anthropic", "1", "m"), failure])
    assert json.loads(foreign)["error"]["status"] == "RESOURCE_EXHAUSTED"
    own = wire([Start("gemini", "1", "m"), failure])
    assert json.loads(own) == {"error": {"code": 418, "message": "teapot"}}
    assert json.loads(wire([failure]))["error"]["code"] == 429


def test_an_own_answer_that_failed_by_its_reason() -> None:
    """Clients of this dialect act upon the reason itself."""
    for form in ("", "array"):
        stream = wire(events(sse(chunk(finish="MALFORMED_FUNCTION_CALL"))), form=form)
        chunks = json.loads(stream) if form else [json.loads(stream.removeprefix(b"data: "))]
        assert chunks[-1]["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"


# ---- bodies ----


def rendered(*parts: Any, origin: str = "anthropic", **members: Any) -> Any:
    finish = members.pop("finish", Finish(StopReason.END))
    response = Response(origin, "id-1", "model-1", parts, finish, **members)
    return json.loads(render_response(response, client(input_estimate=7))[0])


def test_a_body() -> None:
    """All of it in one candidate."""
    value = rendered(*PARTS, usage=Usage(input=1, output=2), created=1_700_000_000)
    types.GenerateContentResponse.model_validate(value)
    parts = value["candidates"][0]["content"]["parts"]
    assert [next(iter(part)) for part in parts] == ["text", "text", "functionCall"]
    assert value["candidates"][0]["finishReason"] == "STOP"
    assert value["usageMetadata"]["totalTokenCount"] == 3
    assert (value["modelVersion"], value["responseId"]) == ("model-1", "id-1")


def test_a_body_of_nothing() -> None:
    """It has a candidate all the same, and the prompt as it was guessed."""
    value = rendered(finish=Finish(StopReason.REFUSAL))
    assert value["candidates"][0]["content"]["parts"] == [{"text": ""}]
    assert value["candidates"][0]["finishReason"] == "SAFETY"
    assert value["usageMetadata"]["promptTokenCount"] == 7


def test_what_came_in_pieces_is_not_put_together() -> None:
    """Further candidates of a stream are a loss."""
    response = Response("gemini", "1", "m", (Text("a"),), Finish(StopReason.END), notes=(Raw(b"{}"),))
    assert [loss.path for loss in render_response(response, client())[1]] == ["candidates"]


def test_signatures_are_bytes_to_the_sdk() -> None:
    """It decodes them from base64, and refuses what is none."""
    value = rendered(thought("hm", Signed("openai", "openai_responses:reasoning", "enc", "rs_1")), PARTS[2])
    parsed = types.GenerateContentResponse.model_validate(value)
    assert parsed.candidates is not None
    again = json.loads(parsed.model_dump_json(by_alias=True, exclude_none=True))
    signature = again["candidates"][0]["content"]["parts"][-1]["thoughtSignature"]
    assert thought_in(signature) == Thinking("hm", Signed("openai", "openai_responses:reasoning", "enc", "rs_1"))
