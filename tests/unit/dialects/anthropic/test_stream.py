"""Streams."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.dialects.anthropic import DIALECT
from strowger.errors import ErrorKind
from strowger.ir.events import (
    ArgumentsDelta,
    CitationDelta,
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
from strowger.ir.request import Citation, Opaque, ServerToolCall, ServerToolResult, Signed, Text, Thinking, ToolCall
from strowger.ir.response import fold
from tests.unit.dialects.anthropic.transcripts import (
    MESSAGE_STOP,
    PING,
    block_start,
    block_stop,
    check,
    decode,
    decoder_setup,
    delta,
    dumps,
    failure,
    fold_stream,
    message_delta,
    message_start,
    sse,
    text,
    text_block,
    text_start,
)

NULL = Raw(b"null")
WHOLE = (
    message_start(usage={"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 4}),
    PING,
    block_start(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="h"),
    delta(0, "thinking_delta", thinking="m ü"),
    delta(0, "signature_delta", signature="sig"),
    block_stop(0),
    text_start(1),
    text(1, "He"),
    PING,
    text(1, "llo 😀"),
    delta(1, "citations_delta", citation={"type": "x"}),
    block_stop(1),
    block_start(2, type="tool_use", id="toolu_1", name="ls", input={}),
    delta(2, "input_json_delta", partial_json=""),
    delta(2, "input_json_delta", partial_json='{"a"'),
    delta(2, "input_json_delta", partial_json=": 1}"),
    block_stop(2),
    message_delta("tool_use", input_tokens=10, cache_read_input_tokens=4),
    MESSAGE_STOP,
)
EVENTS = [
    Start("anthropic", "msg_1", "claude"),
    UsageUpdate(Usage(input=14, output=1, cache_read=4)),
    PartStart(0, Thinking("")),
    ThinkingDelta(0, "h"),
    ThinkingDelta(0, "m ü"),
    SignatureDelta(0, Signed("anthropic", "anthropic:signature", "sig")),
    PartStop(0),
    PartStart(1, Text("")),
    TextDelta(1, "He"),
    TextDelta(1, "llo 😀"),
    CitationDelta(1, Citation(Raw(b'{"type":"x"}'))),
    PartStop(1),
    PartStart(2, ToolCall("toolu_1", "ls", "")),
    ArgumentsDelta(2, '{"a"'),
    ArgumentsDelta(2, ": 1}"),
    PartStop(2),
    UsageUpdate(Usage(input=14, output=5, cache_read=4)),
    Finish(StopReason.TOOL_USE, "tool_use", None, {"stop_sequence": NULL}),
]


def test_a_whole_stream() -> None:
    """The transcript."""
    assert decode(sse(*WHOLE)) == EVENTS


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_byte_by_byte(end: bytes) -> None:
    """However a stream is cut, inside a character or a line end too, it tells the same."""
    data = sse(*WHOLE).replace(b"\n", end)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == EVENTS


@given(st.lists(st.integers(0, len(sse(*WHOLE))), max_size=12))
def test_any_chunking(cuts: list[int]) -> None:
    """The same for any pieces."""
    data, edges = sse(*WHOLE), sorted({0, *cuts})
    assert decode(*(data[a:b] for a, b in zip(edges, [*edges[1:], len(data)], strict=True))) == EVENTS


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4), st.integers(0, 10**6))
def test_a_damaged_stream_ends_in_order(damage: list[tuple[int, int]], length: int) -> None:
    """Wrong bytes, or an end too early, give legal events with an end or a failure, never an exception."""
    data = bytearray(sse(*WHOLE))
    for position, byte in damage:
        data[position % len(data)] = byte
    check(decode(bytes(data[: length % (2 * len(data))])))


def test_names_of_events_may_be_missing() -> None:
    """The type is in the data too."""
    data = b"".join(b"data: %s\n\n" % dumps(event) for event in WHOLE)
    assert decode(data) == EVENTS


def test_types_may_be_missing() -> None:
    """The name of the event says it then."""
    data = sse(message_start(), *text_block(0, "hi"), message_delta())
    assert decode(data + b"event: ping\ndata: {}\n\nevent: message_stop\ndata: {}\n\n") == decode(
        data + sse(MESSAGE_STOP)
    )


def test_extras_are_kept() -> None:
    """What we do not know of a start, a block or an end comes out again."""
    end = {**message_delta(), "context_management": {"applied_edits": []}}
    end["delta"] = {**end["delta"], "stop_details": {"type": "refusal"}}
    events = decode(
        sse(
            message_start(container=None),
            block_start(0, type="text", text="", newer=1),
            block_stop(0),
            end,
            MESSAGE_STOP,
        )
    )
    assert events[0] == Start("anthropic", "msg_1", "claude", extras={"container": NULL})
    assert events[2] == PartStart(0, Text("", extras={"newer": Raw(b"1")}))
    assert isinstance(events[-1], Finish)
    assert set(events[-1].extras) == {"stop_sequence", "stop_details", "context_management"}


def test_a_stop_sequence() -> None:
    """It is told."""
    end = message_delta("stop_sequence")
    end["delta"]["stop_sequence"] = "END"
    finish = fold_stream(message_start(), end, MESSAGE_STOP).finish
    assert (finish.reason, finish.stop_sequence) == (StopReason.STOP_SEQUENCE, "END")


def test_unknown_events_are_noted() -> None:
    """They are neither content nor an error; a client of the same dialect gets them."""
    news = {"type": "of_next_year", "x": 1}
    assert Note(Raw(dumps(news))) in decode(sse(message_start(), news, message_delta(), MESSAGE_STOP))


def test_redacted_thinking_comes_whole() -> None:
    """Its state is in the head; there is no text."""
    response = fold_stream(
        message_start(),
        block_start(0, type="redacted_thinking", data="d"),
        block_stop(0),
        message_delta(),
        MESSAGE_STOP,
    )
    assert response.parts == (Thinking("", Signed("anthropic", "anthropic:redacted", "d")),)


def test_server_tools() -> None:
    """Their calls grow as ours do, their results come whole."""
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    response = fold_stream(
        message_start(),
        block_start(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"q":1}'),
        block_stop(0),
        block_start(1, **result),
        block_stop(1),
        block_start(2, type="mcp_tool_use", id="m", name="ask", input={}, server_name="wiki"),
        block_stop(2),
        message_delta("pause_turn"),
        MESSAGE_STOP,
    )
    assert response.parts == (
        ServerToolCall("s", "web_search", '{"q":1}', "server_tool_use"),
        ServerToolResult("s", "web_search_tool_result", Raw(dumps(result)), "web_search"),
        ServerToolCall("m", "ask", "{}", "mcp_tool_use", extras={"server_name": Raw(b'"wiki"')}),
    )
    assert response.finish.reason is StopReason.PAUSE


def test_a_compaction_grows_by_its_own_delta() -> None:
    """Blocks that we do not know may have deltas that we do not know: their members are joined."""
    response = fold_stream(
        message_start(),
        block_start(0, type="compaction", content=None, encrypted_content=None),
        delta(0, "compaction_delta", content="so ", encrypted_content="x"),
        delta(0, "compaction_delta", content="far"),
        block_stop(0),
        message_delta("compaction"),
        MESSAGE_STOP,
    )
    whole = {"type": "compaction", "content": "so far", "encrypted_content": "x"}
    assert response.parts == (Opaque("anthropic", "compaction", Raw(dumps(whole))),)


@pytest.mark.parametrize("pieces", [(), ("",), ("{}",)])
def test_a_call_without_arguments_has_an_empty_object(pieces: tuple[str, ...]) -> None:
    """Other dialects' clients parse the arguments: they must be JSON, also where nothing was sent."""
    deltas = [delta(0, "input_json_delta", partial_json=piece) for piece in pieces]
    start = block_start(0, type="tool_use", id="t", name="now", input={})
    response = fold_stream(message_start(), start, *deltas, block_stop(0), message_delta("tool_use"), MESSAGE_STOP)
    assert response.parts == (ToolCall("t", "now", "{}"),)


def test_input_may_come_whole_in_the_start() -> None:
    """A call made by code execution does; if deltas come all the same, they count."""
    start = block_start(0, type="tool_use", id="t", name="f", input={"a": 1})
    end = (block_stop(0), message_delta("tool_use"), MESSAGE_STOP)
    assert fold_stream(message_start(), start, *end).parts == (ToolCall("t", "f", '{"a":1}'),)
    grown = delta(0, "input_json_delta", partial_json='{"a":2}')
    assert fold_stream(message_start(), start, grown, *end).parts == (ToolCall("t", "f", '{"a":2}'),)


def test_free_text_tools_come_back_as_such() -> None:
    """Their text is unwrapped when it is whole."""
    start = block_start(0, type="tool_use", id="t", name="patch", input={})
    pieces = [delta(0, "input_json_delta", partial_json=piece) for piece in ('{"inp', 'ut": "*** \\', 'n"}')]
    data = sse(message_start(), start, *pieces, block_stop(0), message_delta("tool_use"), MESSAGE_STOP)
    events = decode(data, names={"patch": "custom:patch"})
    assert fold(events).parts == (ToolCall("t", "patch", "*** \n", kind="custom"),)


def test_blocks_in_the_start_are_told() -> None:
    """A turn that goes on after a pause may bring what it had."""
    content = [{"type": "text", "text": "so far"}]
    assert fold_stream(message_start(content=content), message_delta(), MESSAGE_STOP).parts == (Text("so far"),)


# ---- oddities of compatible servers ----


def test_overlapping_blocks_are_put_in_order() -> None:
    """The second waits for the end of the first: parts must not overlap, nor may their arguments mix."""
    calls = [block_start(i, type="tool_use", id=f"t{i}", name="f", input={}) for i in (0, 1)]
    grow = [[delta(i, "input_json_delta", partial_json=piece) for piece in (f'{{"i":{i}', "}")] for i in (0, 1)]
    response = fold_stream(
        message_start(), *calls, grow[0][0], grow[1][0], grow[0][1], grow[1][1], block_stop(0), block_stop(1),
        message_delta("tool_use"), MESSAGE_STOP,
    )  # fmt: skip
    assert response.parts == (ToolCall("t0", "f", '{"i":0}'), ToolCall("t1", "f", '{"i":1}'))


def test_blocks_that_never_stop() -> None:
    """The end of the answer is theirs."""
    response = fold_stream(
        message_start(), text_start(0), text(0, "a"), text_start(1), text(1, "b"), message_delta(), MESSAGE_STOP
    )
    assert response.parts == (Text("a"), Text("b"))


def test_one_index_for_all() -> None:
    """A server that counts nothing is still understood."""
    response = fold_stream(
        message_start(),
        text_start(0),
        text(0, "a"),
        text_start(0),
        text(0, "b"),
        block_stop(0),
        message_delta(),
        MESSAGE_STOP,
    )
    assert response.parts == (Text("a"), Text("b"))


def test_deltas_without_a_start() -> None:
    """Text that nobody announced is text; a delta of another kind begins another part."""
    response = fold_stream(
        message_start(),
        delta(0, "thinking_delta", thinking="hm"),
        text(0, "a"),
        text(0, "b"),
        message_delta(),
        MESSAGE_STOP,
    )
    assert response.parts == (Thinking("hm"), Text("ab"))


def test_a_stray_piece_of_arguments_is_dropped() -> None:
    """Nobody knows whose it is."""
    stray = delta(3, "input_json_delta", partial_json="{}")
    assert fold_stream(message_start(), stray, *text_block(0, "a"), message_delta(), MESSAGE_STOP).parts == (Text("a"),)


def test_members_that_are_null() -> None:
    """A delta of nothing is nothing."""
    nothing = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": None}}
    response = fold_stream(
        message_start(), text_start(0), nothing, text(0, "a"), block_stop(0), message_delta(), MESSAGE_STOP
    )
    assert response.parts == (Text("a"),)


def test_members_of_a_wrong_type() -> None:
    """An event that is JSON, but not as it should be, is no reason to lose the answer."""
    odd = {"type": "content_block_delta", "index": "0", "delta": {"type": "text_delta", "text": 5}}
    response = fold_stream(
        message_start(), text_start(0), odd, text(0, "a"), block_stop(0), message_delta(), MESSAGE_STOP
    )
    assert response.parts == (Text("a"),)


def test_a_second_start_is_no_second_answer() -> None:
    """Only its counts are taken."""
    events = decode(sse(message_start(), message_start(usage={"output_tokens": 3}), message_delta(), MESSAGE_STOP))
    assert [type(event) for event in events] == [Start, UsageUpdate, UsageUpdate, UsageUpdate, Finish]


def test_a_missing_start_is_made_up() -> None:
    """Content has come; only ids are invented."""
    events = decode(sse(*text_block(0, "a"), message_delta(), MESSAGE_STOP))
    assert events[0] == Start("anthropic", "msg_1", "")


def test_what_follows_the_end_is_ignored() -> None:
    """The answer is over."""
    data = sse(message_start(), message_delta(), MESSAGE_STOP)
    assert decode(data, data, b"data: [DONE]\n\n") == decode(data)


def test_the_done_of_another_dialect_is_ignored() -> None:
    """Some servers end every stream with it."""
    data = sse(message_start(), message_delta())
    assert decode(data + b"data: [DONE]\n\n" + sse(MESSAGE_STOP)) == decode(data + sse(MESSAGE_STOP))


def test_half_an_emoji_is_mended() -> None:
    """A server that cuts text by UTF-16 units sends halves."""
    broken = sse(text(0, "aHALF")).replace(b"HALF", b"\\ud83d")
    data = sse(message_start(), text_start(0)) + broken + sse(block_stop(0), message_delta(), MESSAGE_STOP)
    assert fold(decode(data)).parts == (Text("a\ufffd"),)


def test_bytes_that_are_no_text_are_mended() -> None:
    """A server that cuts text by bytes sends halves of characters, in a delta or in the start of a block."""
    broken = sse(message_start(), block_start(0, type="text", text="<HALF>"), text(0, "aHALF\u00e9"))
    data = broken.replace(b"HALF", b"\xf0\x9f") + sse(block_stop(0), message_delta(), MESSAGE_STOP)
    assert fold(decode(data)).parts == (Text("<\ufffd>a\ufffd\u00e9"),)


def test_the_rest_of_an_overlapping_block_waits_too() -> None:
    """Its stop comes before the other's end, and text may come for a block that waits."""
    response = fold_stream(
        message_start(), text_start(0), text_start(1), text(1, "b"), block_stop(1), text(0, "a"), block_stop(0),
        message_delta(), MESSAGE_STOP,
    )  # fmt: skip
    assert response.parts == (Text("a"), Text("b"))


def test_two_blocks_wait_for_one_that_never_stops() -> None:
    """At the end they are told in the order in which they came."""
    response = fold_stream(
        message_start(), text_start(0), text_start(1), text_start(2), text(2, "c"), text(1, "b"), text(0, "a"),
        message_delta(), MESSAGE_STOP,
    )  # fmt: skip
    assert response.parts == (Text("a"), Text("b"), Text("c"))


def test_a_block_that_cannot_be_read_is_a_failure() -> None:
    """Also one that waited."""
    odd = block_start(1, type="text", text=5)
    assert failure(decode(sse(message_start(), odd))).code == "malformed"
    assert failure(decode(sse(message_start(), text_start(0), odd, block_stop(0)))).code == "malformed"
    assert failure(decode(sse(message_start(content=[{"type": "text", "text": 5}])))).code == "malformed"


def test_an_end_without_a_reason() -> None:
    """message_stop is an end; the reason is what can be known."""
    assert fold_stream(message_start(), MESSAGE_STOP).finish.reason is StopReason.END
    call = block_start(0, type="tool_use", id="t", name="f", input={})
    assert fold_stream(message_start(), call, MESSAGE_STOP).finish.reason is StopReason.TOOL_USE


# ---- endings ----


def test_a_stream_that_was_cut_is_a_failure() -> None:
    """Half an answer is never an answer."""
    failed = failure(decode(sse(message_start(), text_start(0), text(0, "half"))))
    assert (failed.kind, failed.code) == (ErrorKind.UPSTREAM, "truncated")


def test_a_bare_line_may_be_the_reason() -> None:
    """Some servers write their error between the events, without a frame."""
    line = dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}) + b"\n"
    assert failure(decode(sse(message_start(), text_start(0)) + line)).kind is ErrorKind.OVERLOADED
    assert fold(decode(sse(message_start()) + line + sse(message_delta(), MESSAGE_STOP))).parts == ()


def test_a_stream_that_said_why_it_stopped_is_whole() -> None:
    """Only message_stop is missing, which says nothing more."""
    assert fold_stream(message_start(), *text_block(0, "a"), message_delta()).finish.reason is StopReason.END


def test_counts_without_a_reason_are_no_end() -> None:
    """A message_delta may bring usage only."""
    assert failure(decode(sse(message_start(), message_delta(None)))).code == "truncated"


@pytest.mark.parametrize("data", [b"", b"\n\n", b": comment\n\n", sse(PING)])
def test_nothing_at_all_is_a_failure(data: bytes) -> None:
    """A 200 with an empty stream is not an empty answer."""
    assert failure(decode(data)).code == "truncated"


def test_an_end_without_a_beginning_is_a_failure() -> None:
    """message_stop alone ends nothing."""
    assert failure(decode(sse(MESSAGE_STOP))).code == "empty"


@pytest.mark.parametrize(
    "event, kind, words",
    [
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            ErrorKind.OVERLOADED,
            "Overloaded",
        ),
        (
            {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}},
            ErrorKind.RATE_LIMITED,
            "slow down",
        ),
        ({"type": "error", "error": "it broke"}, ErrorKind.UPSTREAM, "it broke"),
        ({"type": "error", "message": "it broke"}, ErrorKind.UPSTREAM, "it broke"),
        (
            {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "prompt is too long: 5 tokens > 4 maximum"},
            },
            ErrorKind.CONTEXT_OVERFLOW,
            "prompt is too long",
        ),
    ],
)
@pytest.mark.parametrize("before", [(), (message_start(), text_start(0), text(0, "half"))])
def test_errors_in_a_stream(event: Any, kind: ErrorKind, words: str, before: Any) -> None:
    """First or in the middle of a block, with what the upstream said."""
    failed = failure(decode(sse(*before, event, MESSAGE_STOP)))
    assert failed.kind is kind
    assert words in failed.message
    assert failed.raw == Raw(dumps(event))


def test_an_unnamed_error_is_an_error() -> None:
    """Proxies send the error object without this dialect's type."""
    failed = failure(decode(sse(message_start()) + b'data: {"error":{"message":"no","code":529}}\n\n'))
    assert (failed.message, failed.kind) == ("no", ErrorKind.OVERLOADED)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b"event: content_block_delta\ndata: \xff\xfe\n\n",
        b'data: {"type":5,broken\n\n',
        b"data: 5\n\n",
    ],
)
def test_an_event_that_cannot_be_read_is_a_failure(data: bytes) -> None:
    """What it held is lost, so the answer is not whole."""
    assert failure(decode(sse(message_start()) + data)).code == "malformed"


def test_an_endless_event_is_a_failure() -> None:
    """Memory has a limit."""
    decoder = DIALECT.upstream.decoder(decoder_setup())
    events = decoder.feed(b"data: ")
    for _ in range(17):
        events += decoder.feed(b"x" * 1024 * 1024)
    assert failure(check(events)).code == "malformed"
    assert decoder.feed(b"more") == []
    assert decoder.close() == []


def test_a_body_instead_of_a_stream_is_read() -> None:
    """A server that ignores `stream` answers in one piece; so does a proxy with an error, or a page."""
    body = {"type": "message", "id": "msg_1", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    data = b"\n " + dumps(body)
    assert fold(decode(data[:1], data[1:9], data[9:])).parts == (Text("hi"),)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert failure(decode(dumps(error))).kind is ErrorKind.OVERLOADED
    assert "Bad gateway" in failure(decode(b"<html><title>Bad gateway</title></html>")).message


def test_event_by_event_is_as_all_at_once() -> None:
    """Deltas that are like the one before are read by that; nothing else may be taken for them."""
    stream = (
        message_start(),
        text_start(0),
        *(text(0, piece) for piece in ("a", "b", "", 'c"}}', "d\\", "ü", "e\n")),
        delta(0, "citations_delta", citation={"type": "x"}),
        text(5, "stray"),
        text(5, "again"),
        text_start(5),
        text(5, "waits"),
        text(0, "goes on"),
        block_stop(0),
        text(5, "then"),
        block_stop(5),
        block_start(6, type="thinking", thinking="", signature=""),
        *(delta(6, "thinking_delta", thinking=piece) for piece in ("h", "m", "m")),
        block_stop(6),
        text_start(0),
        text(0, "once more"),
        text(0, "the same index"),
        block_stop(0),
        message_delta("end_turn"),
        MESSAGE_STOP,
    )
    assert decode(*(sse(event) for event in stream)) == decode(sse(*stream))
