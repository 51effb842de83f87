"""A stream of an upstream, in every shape that is seen in the wild, to events."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.openai_chat import DIALECT
from strowger.dialects.openai_chat.wire import REASONING, REASONING_DETAILS
from strowger.errors import ErrorKind
from strowger.ir.events import (
    CitationDelta,
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
from strowger.ir.request import Refusal, Signed, Text, Thinking, ToolCall
from tests.unit.dialects.openai_chat.talk import (
    DONE,
    Json,
    answer,
    call,
    chunk,
    data,
    events,
    say,
    setup,
    text,
    thinking,
)

STOP = chunk(finish="stop")


def test_a_plain_answer() -> None:
    """Text piece by piece, then the reason, then the end."""
    told = events(chunk({"role": "assistant", "content": ""}, service_tier="default"), say("a"), say("b"), STOP, DONE)
    start = told[0]
    assert isinstance(start, Start)
    assert (start.origin, start.id, start.model, start.created) == ("openai_chat", "chatcmpl-1", "m", 5)
    assert {key: bytes(value) for key, value in start.extras.items()} == {"service_tier": b'"default"'}
    assert told[1:] == [
        PartStart(0, Text("")),
        TextDelta(0, "a"),
        TextDelta(0, "b"),
        PartStop(0),
        Finish(StopReason.END, "stop"),
    ]


def test_the_end_is_held_until_usage_has_come() -> None:
    """OpenAI sends the counts in a chunk of their own behind the finish reason."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    told = events(say("a"), STOP, data({"id": "x", "choices": [], "usage": usage}), DONE)
    assert isinstance(told[-2], UsageUpdate)
    assert told[-2].usage.input == 3
    assert told[-1] == Finish(StopReason.END, "stop")


def test_usage_in_many_chunks_is_merged() -> None:
    """The last word on each count holds."""
    told = events(
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
        chunk(finish="stop", usage={"completion_tokens": 2}),
        DONE,
    )
    assert [event.usage for event in told if isinstance(event, UsageUpdate)] == [Usage(3, 2)]


def test_usage_inside_a_choice_and_in_groqs_corner() -> None:
    """Moonshot and Groq have places of their own for it."""
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 3, "cached_tokens": 2}}
    assert answer(data({"choices": [choice]}), DONE).usage.cache_read == 2
    assert answer(say("a"), chunk(finish="stop", x_groq={"id": "r", "usage": {"prompt_tokens": 4}})).usage.input == 4


# ---- the end ----


def test_a_finish_reason_makes_done_dispensable() -> None:
    """Some servers leave the last line out."""
    assert answer(say("a"), STOP).finish == Finish(StopReason.END, "stop")


def test_done_makes_a_finish_reason_dispensable() -> None:
    """Others leave out the reason."""
    assert answer(say("a"), DONE).finish == Finish(StopReason.END, "")
    assert answer(call(0, "{}", id="1", name="f"), DONE).finish.reason is StopReason.TOOL_USE


@pytest.mark.parametrize("wire", [[say("a")], [call(0, '{"a', id="1", name="f")], [chunk({"role": "assistant"})]])
def test_a_stream_that_just_ends_is_a_failure(wire: list[bytes]) -> None:
    """The end of an answer is never made up."""
    last = events(*wire)[-1]
    assert isinstance(last, Failure)
    assert (last.kind, last.code) == (ErrorKind.UPSTREAM, "truncated")


@pytest.mark.parametrize("wire", [[], [b""], [b": keep-alive\n\n"], [DONE], [data({"choices": []}), DONE]])
def test_a_stream_without_an_answer_is_a_failure(wire: list[bytes]) -> None:
    """So that another upstream may be tried."""
    assert [type(event) for event in events(*wire)] == [Failure]


def test_usage_is_told_even_when_the_stream_was_cut() -> None:
    """It will be billed."""
    told = events(chunk({"content": "a"}, usage={"prompt_tokens": 3}))
    assert isinstance(told[-2], UsageUpdate)


def test_a_second_finish_reason_does_not_count() -> None:
    """OpenRouter repeats it in the chunk with the usage."""
    assert answer(say("a"), chunk(finish="length"), STOP, DONE).finish.reason is StopReason.MAX_TOKENS


def test_an_empty_finish_reason_waits_for_a_better_one() -> None:
    """Some servers send an empty string instead of null."""
    assert answer(chunk({"content": "a"}, finish=""), chunk(finish="length"), DONE).finish.native == "length"


def test_text_behind_the_finish_reason_is_still_text() -> None:
    """Mistral does so."""
    assert text(answer(say("a"), STOP, say("b"), DONE)) == "ab"


def test_what_follows_done_is_not_read() -> None:
    """The answer is over."""
    decoder = DIALECT.upstream.decoder(setup())
    assert isinstance(decoder.feed(say("a") + STOP + DONE)[-1], Finish)
    assert decoder.feed(say("b")) == []
    assert decoder.close() == []


@pytest.mark.parametrize(
    "word,reason",
    [
        ("stop", StopReason.END),
        ("length", StopReason.MAX_TOKENS),
        ("tool_calls", StopReason.TOOL_USE),
        ("function_call", StopReason.TOOL_USE),
        ("content_filter", StopReason.REFUSAL),
        ("sensitive", StopReason.REFUSAL),
        ("model_context_window_exceeded", StopReason.CONTEXT_FULL),
        ("model_length", StopReason.CONTEXT_FULL),
        ("whatever", StopReason.OTHER),
    ],
)
def test_reasons(word: str, reason: StopReason) -> None:
    """A word that is not known is kept."""
    assert answer(say("a"), chunk(finish=word), DONE).finish == Finish(reason, word)


def test_stop_sequences_are_told_where_the_server_tells_them() -> None:
    """vLLM and SGLang do; a token id is no stop sequence."""
    for member in ("stop_reason", "matched_stop"):
        choice = {"index": 0, "delta": {}, "finish_reason": "stop", member: "END"}
        assert answer(say("a"), data({"choices": [choice]})).finish == Finish(StopReason.STOP_SEQUENCE, "stop", "END")
        choice[member] = 199
        assert answer(say("a"), data({"choices": [choice]})).finish.reason is StopReason.END


# ---- errors ----


@pytest.mark.parametrize(
    "wire,kind,words",
    [
        (data({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}), ErrorKind.RATE_LIMITED, "slow down"),
        (data({"error": {"code": 502, "message": "Provider returned error"}}), ErrorKind.UPSTREAM, "Provider returned"),
        (data({"error": "out of memory"}), ErrorKind.UPSTREAM, "out of memory"),
        (data({"error": {"odd": 1}}), ErrorKind.UPSTREAM, "odd"),
        (data({"object": "error", "message": "bad", "code": 400}), ErrorKind.BAD_REQUEST, "bad"),
        (b'event: error\ndata: {"message":"no"}\n\n', ErrorKind.UPSTREAM, "no"),
        (b'event: error\ndata: {"what":"no"}\n\n', ErrorKind.UPSTREAM, "what"),
        (b"event: error\ndata: overloaded\n\n", ErrorKind.UPSTREAM, "overloaded"),
        (b'{"error":{"message":"unframed","type":"server_error"}}\n\n', ErrorKind.UPSTREAM, "unframed"),
        (data({"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}), ErrorKind.UPSTREAM, "error"),
        (chunk(finish="insufficient_system_resource"), ErrorKind.OVERLOADED, "resources"),
        (chunk({}, error={"message": "boom", "code": 429}, finish="error"), ErrorKind.RATE_LIMITED, "boom"),
        (chunk({}, x_groq={"error": "over capacity"}), ErrorKind.UPSTREAM, "over capacity"),
        (
            data({"error": {"message": "prompt is too long: 2 tokens > 1 maximum"}}),
            ErrorKind.CONTEXT_OVERFLOW,
            "too long",
        ),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_errors_inside_a_stream(wire: bytes, kind: ErrorKind, words: str, first: bool) -> None:
    """Wherever they come and however they are written, they end it."""
    last = events(*([] if first else [say("a")]), wire, say("b"), DONE)[-1]
    assert isinstance(last, Failure)
    assert last.kind is kind
    assert words in last.message


def test_the_upstreams_own_error_object_is_kept() -> None:
    """For a client of the same dialect."""
    last = events(data({"error": {"message": "m", "later": 1}}))[-1]
    assert isinstance(last, Failure)
    assert last.raw is not None
    assert json.loads(bytes(last.raw)) == {"message": "m", "later": 1}


def test_a_wait_in_the_words_is_read() -> None:
    """There are no headers inside a stream."""
    last = events(data({"error": {"message": "Please try again in 1.5s", "code": "rate_limit_exceeded"}}))[-1]
    assert isinstance(last, Failure)
    assert last.retry_after == 1.5


def test_an_event_that_is_not_json_ends_the_stream() -> None:
    """What follows cannot be trusted either."""
    last = events(say("a"), b"data: <html>\n\n", say("b"))[-1]
    assert isinstance(last, Failure)
    assert last.code == "malformed"
    assert "<html>" in last.message


def test_a_web_page_instead_of_a_stream() -> None:
    """A proxy in between answered 200 with its own page."""
    (only,) = events(b"<html><title>Sign in</title>", b"<p>please</p></html>")
    assert isinstance(only, Failure)
    assert "Sign in" in only.message


def test_a_whole_answer_instead_of_a_stream() -> None:
    """A server that does not stream is understood all the same."""
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
    assert text(answer(json.dumps(body, indent=1).encode())) == "hi"


def test_an_error_body_instead_of_a_stream() -> None:
    """Spread over lines as it may be, and behind keep-alives."""
    body = json.dumps({"error": {"message": "no", "type": "invalid_request_error"}}, indent=1).encode()
    (only,) = events(b": waiting\n\n" + body)
    assert isinstance(only, Failure)
    assert (only.kind, only.message) == (ErrorKind.BAD_REQUEST, "no")


def test_a_line_of_json_that_is_no_error_is_noise() -> None:
    """Stray lines between events are passed over."""
    assert text(answer(say("a"), b'{"note":1}\n' + say("b"), STOP, DONE)) == "ab"


# ---- framing ----


@pytest.mark.parametrize(
    "wire",
    [
        b"\n\n\n" + say("a") + STOP + DONE,
        (say("a") + STOP + DONE).replace(b"\n", b"\r\n"),
        (say("a") + STOP + DONE).replace(b"data: ", b"data:"),
        b": OPENROUTER PROCESSING\n\n" + say("a") + b": x\n\n" + STOP + b"data: [DONE]",
        b"\xef\xbb\xbf" + say("a") + STOP + DONE,
        b"data:\n\n" + say("a") + b"data: \n\n" + STOP + b"data: [DONE] \n\n",
        b"id: 1\nretry: 5\n" + say("a") + STOP + DONE,
    ],
)
def test_any_way_to_write_sse(wire: bytes) -> None:
    """Byte by byte as well as at once."""
    assert text(answer(wire)) == "a"
    assert events(wire) == events(*(wire[i : i + 1] for i in range(len(wire))))


def test_a_character_split_over_chunks() -> None:
    """Text is decoded event by event, not chunk by chunk."""
    wire = b"data: " + '{"choices":[{"delta":{"content":"ü漢🎈"}}]}\n\n'.encode() + DONE
    for at in range(len(wire)):
        assert text(answer(wire[:at], wire[at:])) == "ü漢🎈"


def test_halves_of_characters_do_not_end_a_stream() -> None:
    """Servers cut text by tokens or by UTF-16 units: what cannot be read is replaced, the rest is read."""
    assert text(answer(b'data: {"choices":[{"delta":{"content":"a\xe6\xbc"}}]}\n\n', say("b"), STOP)) == "a\ufffdb"
    assert text(answer(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', say("b"), STOP)) == "a\ufffdb"


# ---- odd chunks ----


def test_a_chunk_without_choices_is_passed_over() -> None:
    """Azure begins with its filter's verdict on the prompt, without id and model; the answer is that of the next."""
    told = answer(data({"id": "", "model": "", "choices": [], "prompt_filter_results": []}), say("a"), STOP, DONE)
    assert (told.id, told.model, text(told)) == ("chatcmpl-1", "m", "a")


def test_an_answer_without_an_id_gets_one() -> None:
    """The client's library wants one."""
    assert answer(data({"choices": [{"delta": {"content": "a"}}]}), DONE).id == "chatcmpl-0"


@pytest.mark.parametrize(
    "members",
    [
        {"created": 5.7, "choices": [{"index": 0, "delta": {"content": "a", "role": None, "tool_calls": None}}]},
        {"id": 12, "model": None, "choices": [{"delta": {"content": "a", "reasoning": {"odd": 1}}, "index": None}]},
        {"choices": [{"delta": {"content": "a", "tool_calls": {}}, "finish_reason": 3}], "usage": "none"},
        {"choices": ["odd", {"delta": {"content": "a"}, "logprobs": {"content": None}}], "created": "now"},
        {
            "choices": [{"delta": {"content": "a", "function_call": None, "audio": None}}],
            "usage": {"prompt_tokens": "3"},
        },
    ],
)
def test_odd_members_do_not_end_a_stream(members: Json) -> None:
    """What cannot be read is left out, the rest is read."""
    assert text(answer(data(members), DONE)) == "a"


def test_json_that_is_no_object_is_passed_over() -> None:
    """It says nothing we know."""
    assert text(answer(b"data: 1\n\n", b"data: []\n\n", b"data: null\n\n", say("a"), DONE)) == "a"


def test_a_message_instead_of_a_delta() -> None:
    """Servers that pretend to stream send all at once; where both are there, the delta is the news."""
    whole = {"index": 0, "message": {"role": "assistant", "content": "all"}, "finish_reason": "stop"}
    assert text(answer(data({"choices": [whole]}), DONE)) == "all"
    both = {"index": 0, "message": {"content": "ab"}, "delta": {"content": "b"}}
    assert text(answer(say("a"), data({"choices": [both]}), STOP)) == "ab"


def test_further_choices_are_notes() -> None:
    """With n over 1 only the first answer is told in events; a client of this dialect gets the others as they are."""
    other = {"index": 1, "delta": {"content": "x"}}
    for choices in ([other], ["odd", other], [other, {"index": "odd"}]):
        told = events(say("a"), data({"choices": choices}), STOP, DONE)
        assert [json.loads(bytes(event.raw)) for event in told if isinstance(event, Note)] == [other]


def test_logprobs_and_sound_are_notes() -> None:
    """They have no event; null ones, or ones whose members are null, are nothing."""
    logprobs = {"content": [{"token": "a"}]}
    told = events(
        data({"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": logprobs}]}),
        data({"choices": [{"index": 0, "delta": {"audio": {"data": "AA=="}}, "logprobs": {"content": None}}]}),
        STOP,
    )
    notes = [json.loads(bytes(event.raw)) for event in told if isinstance(event, Note)]
    assert notes == [
        {"index": 0, "delta": {}, "finish_reason": None, "logprobs": logprobs},
        {"index": 0, "delta": {"audio": {"data": "AA=="}}, "finish_reason": None},
    ]


def test_annotations_are_citations_of_the_open_text() -> None:
    """Before any text they wait for it; where none comes, or its part is over, they are a note."""
    cited = chunk({"annotations": [{"type": "url_citation"}]})
    assert any(isinstance(event, CitationDelta) for event in events(say("a"), cited, STOP))
    assert any(isinstance(event, CitationDelta) for event in events(cited, say("a"), STOP))
    assert any(isinstance(event, Note) for event in events(cited, STOP))
    assert any(isinstance(event, Note) for event in events(say("a"), chunk({"reasoning": "hm"}), cited, STOP))


def test_refusals_are_parts_of_their_own() -> None:
    """OpenAI tells them apart from text."""
    told = answer(chunk({"refusal": "I "}), chunk({"refusal": "won't"}), STOP)
    assert told.parts == (Refusal("I won't"),)


# ---- thinking ----


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
def test_thinking_then_text(member: str) -> None:
    """Whose thinking it was leaves with its end."""
    told = events(chunk({member: "h"}), chunk({member: "m"}), say("a"), STOP, origin="deepseek")
    assert told[1:6] == [
        PartStart(0, Thinking("", form=member)),
        ThinkingDelta(0, "h"),
        ThinkingDelta(0, "m"),
        SignatureDelta(0, Signed("deepseek", REASONING, "")),
        PartStop(0),
    ]


def test_the_same_thinking_in_two_members_is_told_once() -> None:
    """Some servers fill the old and the new name."""
    assert thinking(answer(chunk({"reasoning": "hm", "reasoning_content": "hm"}), say("a"), STOP)) == "hm"


def test_thinking_in_an_array_of_content() -> None:
    """Mistral's way; a part that is not known is a note."""
    told = events(
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
        chunk({"content": [{"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}]}),
        say("b"),
        STOP,
    )
    assert [type(event) for event in told].count(Note) == 1
    response = answer(*(chunk({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}]}), say("b"), STOP))
    assert (thinking(response), text(response)) == ("hm", "b")


def test_reasoning_details_are_gathered_for_their_issuer() -> None:
    """Pieces of one text become one detail again; sealed ones stay apart."""
    told = answer(
        chunk(
            {
                "reasoning": "a",
                "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0, "format": "f"}],
            }
        ),
        chunk({"reasoning": "b", "reasoning_details": [{"type": "reasoning.text", "text": "b", "index": 0}]}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 1}]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "y", "index": 1}]}),
        say("t"),
        STOP,
        origin="openrouter",
    )
    first = told.parts[0]
    assert isinstance(first, Thinking)
    assert first.text == "ab"
    assert first.signed is not None
    assert (first.signed.origin, first.signed.kind) == ("openrouter", REASONING_DETAILS)
    assert json.loads(first.signed.blob) == [
        {"type": "reasoning.text", "text": "ab", "index": 0, "format": "f", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
        {"type": "reasoning.encrypted", "data": "y", "index": 1},
    ]


def test_details_are_read_where_no_other_member_has_the_text() -> None:
    """And not twice where one has, even in a chunk of its own."""
    details = {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}
    assert thinking(answer(chunk(details), say("a"), STOP)) == "hm"
    assert thinking(answer(chunk({"reasoning": "hm"}), chunk(details), say("a"), STOP)) == "hm"


def test_sealed_thinking_behind_the_text_is_kept() -> None:
    """Gemini through OpenRouter sends it with the tool call."""
    told = answer(
        say("a"),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}),
        call(0, "{}", id="1", name="f"),
        STOP,
        origin="o",
    )
    assert [type(part) for part in told.parts] == [Text, Thinking, ToolCall]


def test_text_between_calls_keeps_its_place() -> None:
    """Each stretch is a part of its own."""
    told = answer(say("a"), call(0, "{}", id="1", name="f"), say("b"), call(1, "{}", id="2", name="g"), STOP)
    assert [type(part) for part in told.parts] == [Text, ToolCall, Text, ToolCall]


def test_numbers_of_events_do_not_grow_with_noise() -> None:
    """Roles on every chunk, empty contents and nulls say nothing."""
    noise = chunk({"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": [], "refusal": ""})
    assert len(events(noise, noise, say("a"), noise, STOP)) == 5
