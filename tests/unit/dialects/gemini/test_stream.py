"""Streams of Gemini to events: however they are framed and cut, and whatever servers leave out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.gemini.stream import StreamDecoder, decode_body
from strowger.errors import ErrorKind
from strowger.ir.events import (
    CitationDelta,
    Failure,
    Finish,
    Note,
    PartStart,
    SignatureDelta,
    Start,
    StopReason,
    TextDelta,
    UsageUpdate,
)
from strowger.ir.request import (
    Found,
    Image,
    Opaque,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import fold
from tests.shared import recording
from tests.unit.dialects.gemini.replies import (
    answer,
    array,
    call,
    chunk,
    dumps,
    events,
    failed,
    setup,
    sse,
    text,
)

LAST = chunk(text(""), finish="STOP")


def signed(blob: str, identity: str = "") -> Signed:
    return Signed("google", "gemini:signature", blob, identity)


# ---- framing ----


@pytest.mark.parametrize("size", [1, 3, 16, 10_000])
@pytest.mark.parametrize("written", [sse, array, lambda *chunks: sse(*chunks).replace(b"\r\n", b"\n")])
def test_however_it_is_framed_and_cut(written: Any, size: int) -> None:
    """SSE with either line end and an array give the same events, wherever the bytes are cut."""
    chunks = [chunk(text("Häl")), chunk(text("lo, ] \\ [{")), chunk(call("f", {"a": "}"}), finish="STOP")]
    wire = written(*chunks)
    pieces = [wire[i : i + size] for i in range(0, len(wire), size)]
    assert fold(events(*pieces)) == fold(events(sse(*chunks)))


def test_a_byte_order_mark_and_blanks_before_the_first_byte() -> None:
    """What the stream is shows behind them."""
    for wire in (sse(chunk(text("a")), LAST), array(chunk(text("a")), LAST)):
        told = events(b"\xef\xbb", b"\xbf", b"\r\n", wire)
        assert fold(told).parts == (Text("a"),)


def test_text_comes_through_at_once() -> None:
    """Nothing is held back until the end, neither in SSE nor in an array."""
    for wire in (sse(chunk(text("a"))), b"[" + dumps(chunk(text("a")))):
        out = StreamDecoder(setup()).feed(wire)
        assert [type(event) for event in out] == [Start, PartStart, TextDelta]


def test_the_envelope_of_code_assist_is_opened() -> None:
    """By itself; what stands beside the answer is kept."""
    wrapped = [{"response": each, "traceId": "t"} for each in (chunk(text("a")), chunk(text("b")), LAST)]
    response = answer(*wrapped)
    assert response.parts == (Text("ab"),)
    assert bytes(response.extras["traceId"]) == b'"t"'
    assert response.id == "r1"


def test_a_whole_body_instead_of_a_stream() -> None:
    """A server that does not stream, and an error before the stream begins."""
    told = events(json.dumps(chunk(text("a"), finish="STOP"), indent=1).encode())
    assert fold(told).parts == (Text("a"),)
    refusal = events(b'{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}')
    assert failed(refusal).kind is ErrorKind.OVERLOADED
    page = events(b"<html><title>Bad</title></html>")
    assert failed(page).code == "malformed"
    assert "Bad" in failed(page).message


@pytest.mark.parametrize("noise", [b"data: [DONE]\n\n", b": comment\n\n", b"data: \n\n", b"event: x\n\n"])
def test_noise_of_other_dialects(noise: bytes) -> None:
    """Proxies end and interrupt streams as they are used to."""
    assert fold(events(sse(chunk(text("a")), LAST) + noise)).parts == (Text("a"),)
    assert fold(events(noise + sse(chunk(text("a")), LAST))).parts == (Text("a"),)


def test_half_a_character_does_not_end_a_stream() -> None:
    """Neither half of an emoji in an escape, nor half of its bytes."""
    for half in (b"\\ud83d", b"\xf0\x9f"):
        wire = sse(chunk(text("a?b")), LAST).replace(b"?", half)
        parts = fold(events(wire)).parts
        assert isinstance(parts[0], Text)
        assert parts[0].text.startswith("a")
        assert parts[0].text.endswith("b")


# ---- heads and ends ----


def test_the_head() -> None:
    """Id, model and time as Google tells them; other members are kept."""
    response = answer(
        chunk(text("a"), createTime="2025-08-19T15:20:47.464265Z", turnToken="t"),
        LAST,
    )
    assert (response.id, response.model, response.created) == ("r1", "gemini-3", 1755616847)
    assert bytes(response.extras["turnToken"]) == b'"t"'
    odd = answer(chunk(text("a"), createTime="yesterday", responseId=""), LAST)
    assert (odd.id, odd.created) == ("", None)


@pytest.mark.parametrize(
    "word, reason",
    [
        ("STOP", StopReason.END),
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        ("SAFETY", StopReason.REFUSAL),
        ("RECITATION", StopReason.REFUSAL),
        ("PROHIBITED_CONTENT", StopReason.REFUSAL),
        ("OTHER", StopReason.OTHER),
        ("SOMETHING_NEW", StopReason.OTHER),
        (1, StopReason.END),
        (2, StopReason.MAX_TOKENS),
        (3, StopReason.REFUSAL),
        (99, StopReason.OTHER),
    ],
)
def test_reasons(word: str | int, reason: StopReason) -> None:
    """Words, and the numbers of the enum."""
    assert answer(chunk(text("a"), finish=word)).finish.reason is reason


@pytest.mark.parametrize("word", ["STOP", "OTHER", "UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL"])
def test_calls_count_more_than_the_reason(word: str) -> None:
    """Google says STOP after calls, and calls a call unexpected that it made all the same."""
    finish = answer(chunk(call("f", {}), finish=word)).finish
    assert (finish.reason, finish.native) == (StopReason.TOOL_USE, word)


@pytest.mark.parametrize("word", ["UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL", "TOO_MANY_TOOL_CALLS"])
def test_reasons_that_mean_it_failed(word: str) -> None:
    """Asking again may help, so they are failures of the upstream."""
    failure = failed(events(sse(chunk(finish=word))))
    assert (failure.kind, failure.code) == (ErrorKind.UPSTREAM, word)
    assert failure.raw is not None
    assert json.loads(bytes(failure.raw))["finishReason"] == word


def test_a_limit_counts_more_than_calls() -> None:
    """The arguments of the last call may be cut short."""
    assert answer(chunk(call("f", {}), finish="MAX_TOKENS")).finish.reason is StopReason.MAX_TOKENS


def test_text_after_the_reason() -> None:
    """Some servers give a reason in every chunk; the last one counts."""
    response = answer(chunk(text("a"), finish="STOP"), chunk(text("b"), finish="MAX_TOKENS"), chunk(text("c")))
    assert response.parts == (Text("abc"),)
    assert response.finish.native == "MAX_TOKENS"


def test_a_stream_without_a_reason_was_cut() -> None:
    """Also one that holds nothing at all; what was counted so far is told."""
    for wire in (sse(chunk(text("a"))), b"[" + dumps(chunk(text("a"))) + b",", b"", b"[]"):
        told = events(wire)
        assert failed(told).code == "truncated"
        assert any(isinstance(event, UsageUpdate) for event in told) == (len(wire) > 2)


def test_a_prompt_that_was_blocked() -> None:
    """It is a refusal, not an error, though there is no candidate."""
    for reason in ("SAFETY", 1):
        feedback = {"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 3}}
        response = answer(feedback)
        assert response.finish.reason is StopReason.REFUSAL
        assert (response.parts, response.usage.input) == ((), 3)


def test_what_the_candidate_says_beside_is_kept() -> None:
    """The latest of each member; empty ones say nothing against fuller ones."""
    first = chunk(text("a"), beside={"urlContextMetadata": {"urlMetadata": []}, "groundingMetadata": {}})
    last = chunk(text("b"), finish="STOP", beside={"avgLogprobs": -1.5, "urlContextMetadata": {}})
    extras = answer(first, last).finish.extras
    assert json.loads(bytes(extras["urlContextMetadata"])) == {"urlMetadata": []}
    assert bytes(extras["avgLogprobs"]) == b"-1.5"
    assert bytes(extras["finishReason"]) == b'"STOP"'


# ---- parts ----


def test_texts_and_thoughts() -> None:
    """Neighbours of one kind are one part, also within a chunk; empty texts are none."""
    response = answer(
        chunk(text("", thought=True)),
        chunk(text("hm", thought=True), text("m", thought=True)),
        chunk(text("a")),
        chunk(text("")),
        chunk(text("b"), text("again", thought=True)),
        LAST,
    )
    assert response.parts == (Thinking("hmm"), Text("ab"), Thinking("again"))


def test_a_signature_on_a_thought_ends_it() -> None:
    """What follows is another thought."""
    told = events(
        sse(
            chunk(text("a", thought=True)),
            chunk(text("", thought=True, thoughtSignature="s")),
            chunk(text("b", thought=True)),
            LAST,
        )
    )
    assert SignatureDelta(0, signed("s")) in told
    assert fold(told).parts == (Thinking("a", signed("s")), Thinking("b"))
    alone = answer(chunk({"thought": True, "thoughtSignature": "s"}), LAST)
    assert alone.parts == (Thinking("", signed("s")),)


def test_a_signature_on_a_text_stands_behind_it() -> None:
    """Whether on its last piece or on an empty one; text that follows is another text."""
    for pieces in ([text("ab", thoughtSignature="s")], [text("ab"), text("", thoughtSignature="s")]):
        response = answer(*(chunk(piece) for piece in pieces), chunk(text("c")), LAST)
        assert response.parts == (Text("ab"), Thinking("", signed("s", "text")), Text("c"))


def test_a_signature_without_a_text() -> None:
    """After a call, or all alone."""
    response = answer(chunk(call("f", {}, id="1")), chunk(text("", thoughtSignature="s"), finish="STOP"))
    assert [type(part) for part in response.parts] == [ToolCall, Thinking]
    assert answer(chunk(text("", thoughtSignature="s"), finish="STOP")).parts == (Thinking("", signed("s", "text")),)


def test_calls() -> None:
    """With Google's id or one of ours, compact arguments, and the client's own name for the tool."""
    told = answer(
        chunk(call("f_1a2b", {"a": [1, {"b": None}]}, id="google-1"), call("g")),
        LAST,
        names={"f_1a2b": "f/original"},
    )
    assert told.parts == (
        ToolCall("google-1", "f/original", '{"a":[1,{"b":null}]}'),
        ToolCall("call_1", "g", "{}", form="no_id no_args"),
    )


def test_arguments_are_compact_wherever_they_come_from() -> None:
    """An array is indented."""
    response = fold(events(array(chunk(call("f", {"a": [1, 2]}, id="1"), finish="STOP"))))
    assert response.parts == (ToolCall("1", "f", '{"a":[1,2]}'),)


def test_a_signature_on_a_call_stands_before_it() -> None:
    """And says which call it belongs to."""
    response = answer(chunk(call("f", {}, part_thoughtSignature="s"), call("f", {})), LAST)
    assert [type(part) for part in response.parts] == [Thinking, ToolCall, ToolCall]
    assert response.parts[0] == Thinking("", signed("s", "call:call_1"))
    assert isinstance(response.parts[1], ToolCall)
    assert response.parts[1].id == "call_1"


def test_signatures_belong_to_whom_the_setup_says() -> None:
    """Without a word about it, to Google."""
    wire = sse(chunk(text("a", thought=True, thoughtSignature="s")), LAST)
    for origin, expected in (("antigravity", "antigravity"), ("", "google")):
        part = fold(events(wire, origin=origin)).parts[0]
        assert isinstance(part, Thinking)
        assert part.signed == Signed(expected, "gemini:signature", "s")


def test_a_custom_tool_gets_its_text() -> None:
    """The object that stands for it is opened, whole or in pieces."""
    names = {"patch": "custom:patch"}
    whole = answer(chunk(call("patch", {"input": "*** a\n"}, id="1")), LAST, names=names)
    pieces = answer(
        chunk(call("patch", id="1", willContinue=True)),
        chunk(call(partialArgs=[{"jsonPath": "$.input", "stringValue": "*** a\n"}])),
        LAST,
        names=names,
    )
    assert whole.parts == pieces.parts == (ToolCall("1", "patch", "*** a\n", "custom"),)


def test_arguments_in_pieces() -> None:
    """A call begins with its name, grows by places, and ends with a piece that does not go on."""
    told = events(
        sse(
            chunk(call("f", willContinue=True, part_thoughtSignature="s")),
            chunk(call(partialArgs=[{"jsonPath": "$.a", "stringValue": "x", "willContinue": True}], willContinue=True)),
            chunk(call(partialArgs=[{"jsonPath": "$.a", "stringValue": "y"}], willContinue=True)),
            chunk(call()),
            chunk(call("g", willContinue=True)),
            chunk(text("t")),
            chunk(text(""), finish="STOP"),
        ),
        names={"g": "other"},
    )
    assert fold(told).parts == (
        Thinking("", signed("s", "call:call_1")),
        ToolCall("call_1", "f", '{"a":"xy"}', form="no_id"),
        ToolCall("call_2", "other", "{}", form="no_id"),
        Text("t"),
    )
    assert isinstance(told[-1], Finish)
    assert told[-1].reason is StopReason.TOOL_USE


def test_code_that_google_ran() -> None:
    """A call of the provider's own and its result, under one id where Google gives none."""
    response = answer(
        chunk({"executableCode": {"language": "PYTHON", "code": "1"}}),
        chunk({"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "x"}}),
        LAST,
    )
    ran, result = response.parts
    assert isinstance(ran, ServerToolCall)
    assert isinstance(result, ServerToolResult)
    assert (ran.name, ran.id) == ("code_execution", "srvtoolu_1")
    assert json.loads(ran.arguments) == {"language": "PYTHON", "code": "1"}
    assert (result.call_id, result.name, result.error) == ("srvtoolu_1", "code_execution", "OUTCOME_FAILED")


def test_pictures_and_what_nobody_knows() -> None:
    """A picture is one to everyone; an unknown part stays as it is."""
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    response = answer(chunk(picture, {"hologram": {"x": 1}}, {}), LAST)
    assert isinstance(response.parts[0], Image)
    assert response.parts[1] == Opaque("gemini", "hologram", Raw(b'{"hologram":{"x":1}}'))
    assert len(response.parts) == 2


def test_a_text_with_members_of_its_own() -> None:
    """It is not joined with others, and is counted where citations are placed; an empty one says nothing."""
    beside = {"groundingMetadata": {**GROUNDING, "groundingSupports": [SUPPORT]}}
    odd = chunk(text("one ", x_odd=1), text("", x_odd=2))
    response = answer(chunk(text("a")), odd, chunk(text("two"), finish="STOP", beside=beside))
    texts = [part for part in response.parts if isinstance(part, Text)]
    assert [(part.text, dict(part.extras)) for part in texts] == [
        ("a", {}),
        ("one ", {"x_odd": Raw(b"1")}),
        ("two", {}),
    ]
    assert [(each.start, each.end) for each in texts[2].citations] == [(0, 3)]


def test_further_candidates_are_noted() -> None:
    """Only the first is the answer."""
    two = chunk(text("a"))
    two["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}})
    told = events(sse(two, {"candidates": [{"index": 1, "finishReason": "STOP"}]}, LAST))
    assert fold(told).parts == (Text("a"),)
    assert sum(isinstance(event, Note) for event in told) == 2


def test_probabilities_are_noted_as_they_come() -> None:
    """They have no event."""
    told = events(sse(chunk(text("a"), beside={"logprobsResult": {"chosenCandidates": []}}), LAST))
    notes = [json.loads(bytes(event.raw)) for event in told if isinstance(event, Note)]
    assert notes == [{"candidates": [{"logprobsResult": {"chosenCandidates": []}}]}]


# ---- what it is drawn from ----

SUPPORT = {"segment": {"startIndex": 5, "endIndex": 8, "text": "two"}, "groundingChunkIndices": [0]}
GROUNDING = {
    "webSearchQueries": ["q"],
    "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
    "groundingSupports": [{"segment": {"startIndex": 4, "endIndex": 7, "text": "two"}, "groundingChunkIndices": [0]}],
}


def test_grounding_is_a_search_and_citations() -> None:
    """Told at the end, on the text that is still open though it was signed."""
    told = events(
        sse(
            chunk(text("one ")),
            chunk(text("two")),
            chunk(text("", thoughtSignature="s")),
            chunk(text(""), finish="STOP", beside={"groundingMetadata": GROUNDING}),
        )
    )
    response = fold(told)
    words, _, searched, result = response.parts
    assert isinstance(words, Text)
    assert [(each.url, each.start, each.end) for each in words.citations] == [("https://a", 4, 7)]
    assert isinstance(searched, ServerToolCall)
    assert isinstance(result, ServerToolResult)
    assert json.loads(searched.arguments) == {"query": "q"}
    assert result.found == (Found("https://a", "A"),)
    assert response.usage.searches == 1


def test_citations_of_the_last_of_several_texts() -> None:
    """They count from its beginning; those of texts that are over are left out."""
    supports = [
        {"segment": {"endIndex": 3, "text": "one"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 3, "endIndex": 6, "text": "two"}, "groundingChunkIndices": [0]},
    ]
    beside = {"groundingMetadata": {**GROUNDING, "groundingSupports": supports}}
    told = events(sse(chunk(text("one")), chunk(call("f", {})), chunk(text("two"), finish="STOP", beside=beside)))
    cited = [event for event in told if isinstance(event, CitationDelta)]
    assert [(event.index, event.citation.start, event.citation.end) for event in cited] == [(2, 0, 3)]


def test_recitations_are_citations() -> None:
    """Google tells the source of what a model repeats."""
    sources = [{"startIndex": 0, "endIndex": 3, "uri": "https://s"}]
    response = answer(chunk(text("abc"), finish="STOP", beside={"citationMetadata": {"citationSources": sources}}))
    words = response.parts[0]
    assert isinstance(words, Text)
    assert [each.url for each in words.citations] == ["https://s"]
    assert "citationMetadata" in response.finish.extras


# ---- counts ----


def test_counts_are_those_of_the_last_chunk() -> None:
    """A sum of everything leaves nothing of earlier ones; what has no sum is added to them."""
    first = chunk(text("a"), usageMetadata={"promptTokenCount": 5, "cachedContentTokenCount": 4, "totalTokenCount": 5})
    last = chunk(text(""), finish="STOP", usageMetadata={"candidatesTokenCount": 2})
    usage = answer(first, last).usage
    assert (usage.input, usage.cache_read, usage.output) == (5, 4, 2)
    usage = answer(first, LAST).usage
    assert (usage.input, usage.cache_read, usage.output) == (10, None, 2)


# ---- errors ----


def test_an_error_inside_the_stream() -> None:
    """As an event, as bare JSON of one line or of many, and as an element of an array; what was counted is told."""
    error = {"error": {"code": 429, "message": "later", "status": "RESOURCE_EXHAUSTED"}}
    first = chunk(text("a"))
    wires = [
        sse(first, error),
        sse(first) + dumps(error),
        sse(first) + json.dumps(error, indent=2).encode() + b"\n",
        array(first, error),
        array(first, error)[:-1],
    ]
    for wire in wires:
        told = events(wire)
        assert failed(told).kind is ErrorKind.RATE_LIMITED
        assert isinstance(told[-2], UsageUpdate)


def test_nothing_follows_a_failure() -> None:
    """Whatever still comes."""
    decoder = StreamDecoder(setup())
    assert isinstance(decoder.feed(sse({"error": {"code": 500, "message": "x"}}))[-1], Failure)
    assert decoder.feed(sse(chunk(text("a")))) == []
    assert decoder.close() == []


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b"5",
        b'{"candidates":5}',
        b'{"candidates":[{"content":{"parts":5}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":5}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"a"',
    ],
)
def test_what_cannot_be_read_is_a_failure(data: bytes) -> None:
    """Never an exception, in whatever chunk it comes."""
    for before in (b"", sse(chunk(text("a")))):
        assert failed(events(before + b"data: " + data + b"\n\n")).code == "malformed"


def test_a_head_that_cannot_be_read_is_no_beginning() -> None:
    """What it counted is not told either."""
    told = events(sse({"responseId": 5, "usageMetadata": {"promptTokenCount": 1}}))
    assert [type(event) for event in told] == [Failure]


def test_a_frame_without_end_is_a_failure() -> None:
    """Memory is bounded."""
    for begin in (b"data: ", b"[{"):
        decoder = StreamDecoder(setup())
        piece = b"x" * 4_000_000
        out = decoder.feed(begin) + [event for _ in range(5) for event in decoder.feed(piece)]
        assert failed(out).code == "malformed"


# ---- bodies ----


def test_a_body_that_is_the_array_of_a_stream() -> None:
    """A client that asks for a stream without SSE gets one, and may be given it whole."""
    chunks = [chunk(text("a")), chunk(text("b")), LAST]
    assert fold(decode_body(b" " + array(*chunks), setup())) == answer(*chunks)
    assert fold(decode_body(dumps(chunk(text("a"), finish="STOP")), setup())).parts == (Text("a"),)


# ---- skipping ----


def test_chunks_of_text_may_be_skipped() -> None:
    """Those that say nothing of the end, of signatures or of calls, whatever their line ends."""
    decoder = StreamDecoder(setup())
    plain = sse(chunk(text("a")))
    assert not decoder.skips(plain)  # the first brings the head
    decoder.feed(plain)
    assert decoder.skips(plain)
    assert decoder.skips(plain.replace(b"\r\n", b"\n"))
    assert decoder.skips(sse(chunk(text('"finishReason"'))))
    for telling in (
        sse(LAST),
        sse(chunk(text("a", thoughtSignature="s"))),
        sse(chunk(call("f", {}))),
        plain + plain,
        plain[:-2],
        sse({"error": {}}),
    ):
        assert not decoder.skips(telling)
    decoder.feed(plain[:10])
    assert not decoder.skips(plain)


# ---- recordings ----


def recorded(name: str) -> Any:
    """The events of a recorded answer."""
    return events(recording(name).response.content)


def test_recorded_unframed_error() -> None:
    """Vertex AI ends a stream with indented JSON that is no event."""
    failure = failed(recorded("vertex__dd8c96216ae58577"))
    assert (failure.code, failure.message) == ("CANCELLED", "The operation was cancelled.")


def test_recorded_unexpected_tool_call() -> None:
    """A candidate without content, only with a reason."""
    assert failed(recorded("google__c96d6ee0c1ca7e7b")).code == "UNEXPECTED_TOOL_CALL"


def test_recorded_signature_on_an_empty_text() -> None:
    """CRLF stream; the signature comes with the reason, on a text without words."""
    response = fold(recorded("google__570e3efc79a4142f"))
    words, state = response.parts
    assert isinstance(words, Text)
    assert json.loads(words.text)["title"] == "Seattle Rust Users Group"
    assert state == Thinking("", signed("signature_REDACTED_1", "text"))
    assert (response.usage.input, response.usage.output, response.usage.reasoning) == (14, 435, 398)


def test_recorded_array() -> None:
    """A stream without `alt=sse`: thoughts, then JSON in pieces."""
    response = fold(recorded("google__dc88daa6a72c6063"))
    assert [type(part) for part in response.parts] == [Thinking, Text, Thinking]
    assert isinstance(response.parts[1], Text)
    assert json.loads(response.parts[1].text)["name"] == "Carol"


def test_recorded_arguments_in_pieces() -> None:
    """Parallel calls, each in pieces, some ended by an empty one."""
    response = fold(recorded("google__2c034fa8c472a8fd"))
    calls = [(part.name, part.arguments) for part in response.parts if isinstance(part, ToolCall)]
    assert calls[0] == ("read_theme", "{}")
    assert calls[1:] == [("read_screen", f'{{"id":"{name}"}}') for name in "ABC"]
