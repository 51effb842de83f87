"""Streams."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.openai_responses import DIALECT
from strowger.errors import ErrorKind
from strowger.ir.events import (
    ArgumentsDelta,
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
from strowger.ir.request import Opaque, Refusal, ServerToolCall, ServerToolResult, Signed, Text, Thinking, ToolCall
from strowger.ir.response import fold
from tests.shared import Recording, cases, recording
from tests.unit.dialects.openai_responses.answering import (
    CREATED,
    IN_PROGRESS,
    USAGE,
    added,
    call,
    completed,
    decode,
    decoder_setup,
    done,
    dumps,
    failure,
    grows,
    message,
    reasoning,
    response,
    sse,
    text,
    told,
    whole,
)

ANNOTATION = {"type": "url_citation", "url": "http://a", "title": "A", "start_index": 0, "end_index": 2}
OUTPUT = (
    reasoning("hm ü"),
    {**message("Hello 😀"), "content": [{"type": "output_text", "text": "Hello 😀", "annotations": [ANNOTATION]}]},
    call(),
)
WHOLE = (
    CREATED,
    IN_PROGRESS,
    added(0, type="reasoning", id="rs_1", summary=[], encrypted_content="half"),
    {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0},
    grows("reasoning_summary_text", 0, "h", summary_index=0),
    grows("reasoning_summary_text", 0, "m ü", summary_index=0, obfuscation="xyz"),
    done(0, **OUTPUT[0]),
    added(1, **{**OUTPUT[1], "status": "in_progress", "content": []}),
    {
        "type": "response.content_part.added",
        "output_index": 1,
        "content_index": 0,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    text(1, "Hel"),
    {"type": "keepalive"},
    text(1, "lo 😀"),
    {
        "type": "response.output_text.annotation.added",
        "output_index": 1,
        "content_index": 0,
        "annotation_index": 0,
        "annotation": ANNOTATION,
    },
    {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "Hello 😀"},
    {
        "type": "response.content_part.done",
        "output_index": 1,
        "content_index": 0,
        "part": OUTPUT[1]["content"][0],
    },
    done(1, **OUTPUT[1]),
    added(2, **{**OUTPUT[2], "status": "in_progress", "arguments": ""}),
    grows("function_call_arguments", 2, '{"a"'),
    grows("function_call_arguments", 2, ":1}"),
    {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": '{"a":1}'},
    done(2, **OUTPUT[2]),
    completed(*OUTPUT, usage=USAGE),
)


def kinds(events: list[Any]) -> list[type]:
    """What kinds of events they are."""
    return [type(event) for event in events]


def test_a_whole_stream() -> None:
    """The transcript: everything is told as it comes, once."""
    events = decode(sse(*WHOLE))
    assert kinds(events) == [
        *(Start, PartStart, ThinkingDelta, ThinkingDelta, SignatureDelta, PartStop),
        *(PartStart, TextDelta, TextDelta, CitationDelta, PartStop),
        *(PartStart, ArgumentsDelta, ArgumentsDelta, PartStop),
        *(UsageUpdate, Finish),
    ]
    folded = fold(events)
    thought, said, called = folded.parts
    assert isinstance(thought, Thinking)
    assert isinstance(said, Text)
    assert isinstance(called, ToolCall)
    assert (thought.text, thought.signed) == ("hm ü", Signed("openai", "openai_responses:reasoning", "blob", "rs_1"))
    assert (said.text, said.citations[0].url, said.citations[0].end) == ("Hello 😀", "http://a", 2)
    assert (called.id, called.name, called.arguments) == ("call_1", "ls", '{"a":1}')
    assert (folded.id, folded.model, folded.created) == ("resp_1", "gpt", 5)
    assert (folded.finish.reason, folded.finish.native) == (StopReason.TOOL_USE, "completed")
    usage = folded.usage
    assert (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning) == (10, 4, 2, 5, 3)


def test_a_stream_tells_what_its_last_event_tells() -> None:
    """The same parts, counts and end as the same answer in one piece."""
    one, other = told(*WHOLE), whole(*OUTPUT, usage=USAGE)
    assert (one.parts, one.usage, one.finish.reason) == (other.parts, other.usage, other.finish.reason)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_byte_by_byte(end: bytes) -> None:
    """However a stream is cut, inside a character or a line end too, it tells the same."""
    data = sse(*WHOLE).replace(b"\n", end)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == decode(sse(*WHOLE))


@given(st.lists(st.integers(0, len(sse(*WHOLE))), max_size=12))
def test_any_chunking(cuts: list[int]) -> None:
    """The same for any pieces."""
    data, edges = sse(*WHOLE), sorted({0, *cuts})
    assert decode(*(data[a:b] for a, b in zip(edges, [*edges[1:], len(data)], strict=True))) == decode(data)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4), st.integers(0, 10**6))
def test_a_damaged_stream_ends_in_order(damage: list[tuple[int, int]], length: int) -> None:
    """Wrong bytes, or an end too early, give legal events with an end or a failure, never an exception."""
    data = bytearray(sse(*WHOLE))
    for position, byte in damage:
        data[position % len(data)] = byte
    events = decode(bytes(data[: length % len(data) + 1]))
    assert isinstance(events[-1], Finish | Failure)


def test_what_is_skipped_is_one_growing_text() -> None:
    """A delta is skipped once the answer has begun; nothing else ever is, nor half an event, nor two."""
    decoder = DIALECT.upstream.decoder(decoder_setup())
    frames = [sse(event) for event in WHOLE]
    assert not decoder.skips(frames[9])
    for frame in frames[:8]:
        decoder.feed(frame)
    skipped = [i for i, frame in enumerate(frames) if decoder.skips(frame)]
    assert skipped == [4, 5, 9, 11, 17, 18]
    assert not decoder.skips(frames[9] + frames[10])
    assert not decoder.skips(frames[9][:-1])


# ---- when an answer begins, and how it ends ----


def test_a_refusal_before_any_output_is_all_there_is() -> None:
    """created, then failed: the failure is the first event, so that it can still be an HTTP status."""
    error = {"code": "rate_limit_exceeded", "message": "Slow down. Please try again in 1.2s."}
    events = decode(
        sse(CREATED, IN_PROGRESS, {**completed(kind="failed"), "response": response("failed", error=error)})
    )
    assert kinds(events) == [Failure]
    assert isinstance(events[0], Failure)
    assert (events[0].kind, events[0].retry_after) == (ErrorKind.RATE_LIMITED, 1.2)


def test_an_answer_begins_with_its_first_item() -> None:
    """A model that thinks unseen has begun: its client is told."""
    decoder = DIALECT.upstream.decoder(decoder_setup())
    assert decoder.feed(sse(CREATED, IN_PROGRESS)) == []
    assert kinds(decoder.feed(sse(added(0, type="reasoning", id="rs_1", summary=[])))) == [Start]


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "code": "server_is_overloaded", "message": "busy", "param": None},
        {"type": "error", "error": {"type": "x", "code": "slow_down", "message": "busy"}},
        {"type": "error", "status": 503, "body": {"error": {"code": "slow_down", "message": "busy"}}},
    ],
)
def test_an_error_event_in_each_of_its_shapes(error: dict[str, Any]) -> None:
    """The members stand in the event, in an object of it, or deeper (WebSockets)."""
    failed = failure(CREATED, added(0, **message()), text(0, "a"), error)
    assert (failed.kind, failed.message) == (ErrorKind.OVERLOADED, "busy")


def test_an_error_in_the_middle_fails_an_open_part() -> None:
    """What was said stays said; nothing follows."""
    events = decode(sse(CREATED, added(0, **message()), text(0, "a"), {"type": "error", "message": "x", "code": "y"}))
    assert kinds(events) == [Start, PartStart, TextDelta, Failure]


@pytest.mark.parametrize(
    "reason, expected, native",
    [
        ("max_output_tokens", StopReason.MAX_TOKENS, "max_output_tokens"),
        ("content_filter", StopReason.REFUSAL, "content_filter"),
        ("steered", StopReason.OTHER, "steered"),
        (None, StopReason.MAX_TOKENS, "incomplete"),
    ],
)
def test_an_incomplete_answer_says_why(reason: str | None, expected: StopReason, native: str) -> None:
    """An answer that is cut is not one that ended; a word that is not known stays what it is."""
    details = None if reason is None else {"reason": reason}
    finish = told(CREATED, done(0, **message("a")), completed(kind="incomplete", incomplete_details=details)).finish
    assert (finish.reason, finish.native) == (expected, native)


@pytest.mark.parametrize("upto", range(len(WHOLE)))
def test_a_stream_without_its_last_event_is_cut(upto: int) -> None:
    """Wherever it stops."""
    last = decode(sse(*WHOLE[:upto]))[-1]
    assert isinstance(last, Failure)
    assert last.code == "truncated"


def test_a_cancelled_answer_is_none() -> None:
    """Nor is one that is told to be still on its way."""
    assert failure(CREATED, {"type": "response.cancelled", "response": response("cancelled")}).code == "cancelled"
    beside = {"type": "response.failed", "error": {"message": "slow down", "code": 429}}  # as Perplexity has it
    assert failure(CREATED, beside).kind is ErrorKind.RATE_LIMITED


def test_a_bare_error_line_is_the_reason_of_a_cut() -> None:
    """Some servers write errors without framing."""
    last = decode(sse(CREATED) + b'{"error":{"message":"no","code":"insufficient_quota"}}\n')[-1]
    assert isinstance(last, Failure)
    assert last.kind is ErrorKind.QUOTA_EXHAUSTED


def test_an_answer_that_is_no_stream_is_read_as_one() -> None:
    """A server that ignores `stream`."""
    events = decode(dumps(response(output=[message("hi")])))
    assert [part.text for part in fold(events).parts if isinstance(part, Text)] == ["hi"]


def test_a_page_of_a_proxy_is_a_failure_in_words() -> None:
    """HTML with status 200."""
    last = decode(b"<html><title>Bad gateway</title></html>")[-1]
    assert isinstance(last, Failure)
    assert "Bad gateway" in last.message


def test_nonsense_between_events_is_a_failure() -> None:
    """An event that is no JSON object cannot be guessed."""
    last = decode(sse(CREATED) + b"data: nonsense\n\n")[-1]
    assert isinstance(last, Failure)
    assert last.code == "malformed"


def test_half_characters_do_not_end_a_stream() -> None:
    """A lone half of a surrogate pair, or half of a UTF-8 character, becomes U+FFFD."""
    one = b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a\\ud83d"}\n\n'
    two = b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"b\xf0\x9f"}\n\n'
    events = decode(sse(CREATED) + one + two + sse(completed()))
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["a\ufffd", "b\ufffd"]


# ---- what servers leave out ----


def test_a_minimal_stream() -> None:
    """created, done, completed: what Codex needs at least. Items are told from their ends."""
    folded = told(CREATED, done(0, **OUTPUT[0]), done(1, **OUTPUT[1]), done(2, **OUTPUT[2]), completed())
    assert folded.parts == whole(*OUTPUT).parts


def test_an_answer_that_only_its_last_event_tells() -> None:
    """No item was told before."""
    assert told(CREATED, completed(*OUTPUT)).parts == whole(*OUTPUT).parts
    assert told(completed(*OUTPUT)).parts == whole(*OUTPUT).parts


def test_an_item_that_was_forgotten_follows_at_the_end() -> None:
    """The last event has more items than were told."""
    folded = told(CREATED, done(0, **message("a")), completed(message("a"), call()))
    assert [type(part) for part in folded.parts] == [Text, ToolCall]


def test_the_last_event_may_have_no_items() -> None:
    """The ChatGPT backend leaves `output` empty: it is made of what was told."""
    folded = told(*WHOLE[:-1], completed())
    assert folded.parts == whole(*OUTPUT).parts


def test_items_without_an_end_end_with_the_answer() -> None:
    """What the last event says of them is the rest."""
    folded = told(CREATED, added(0, **message()), text(0, "Hel"), completed(message("Hello")))
    assert [part.text for part in folded.parts if isinstance(part, Text)] == ["Hello"]
    folded = told(CREATED, added(0, **message()), text(0, "Hel"), completed())
    assert [part.text for part in folded.parts if isinstance(part, Text)] == ["Hel"]


def test_arguments_that_came_with_the_beginning_of_a_call() -> None:
    """And neither in deltas nor at an end."""
    folded = told(CREATED, added(0, **call()), completed())
    assert [part.arguments for part in folded.parts if isinstance(part, ToolCall)] == ['{"a":1}']


def test_deltas_of_an_item_that_never_began() -> None:
    """It begins with them."""
    folded = told(CREATED, text(0, "a"), text(0, "b"), completed())
    assert [part.text for part in folded.parts if isinstance(part, Text)] == ["ab"]


def test_ends_without_an_index_belong_to_what_is_open() -> None:
    """Some servers leave `output_index` out."""
    end = {"type": "response.output_item.done", "item": message("ab")}
    folded = told(CREATED, added(0, **message()), text(0, "a"), end, completed())
    assert [part.text for part in folded.parts if isinstance(part, Text)] == ["ab"]


def test_an_item_that_ends_twice_is_told_once() -> None:
    """The second end says nothing new."""
    folded = told(CREATED, done(0, **message("a")), done(0, **message("a")), completed())
    assert len(folded.parts) == 1


def test_a_place_that_is_used_again_is_another_item() -> None:
    """Servers that give every item the index 0."""
    folded = told(
        CREATED, added(0, **message()), text(0, "a"), added(0, **call(arguments="")), done(0, **call()), completed()
    )
    assert [type(part) for part in folded.parts] == [Text, ToolCall]


def test_a_text_that_only_its_end_tells() -> None:
    """output_text.done without deltas; content_part.done without either."""
    begun = (CREATED, added(0, **message()))
    one = told(*begun, {"type": "response.output_text.done", "output_index": 0, "text": "all"}, completed())
    part = {"type": "output_text", "text": "all", "annotations": [ANNOTATION]}
    two = told(*begun, {"type": "response.content_part.done", "output_index": 0, "part": part}, completed())
    assert [p.text for p in (*one.parts, *two.parts) if isinstance(p, Text)] == ["all", "all"]
    assert isinstance(two.parts[0], Text)
    assert len(two.parts[0].citations) == 1


# ---- kinds of items ----


def test_items_that_interleave_leave_in_order() -> None:
    """The first that has not ended goes through, the other waits; nothing is mixed and nothing is lost."""
    events = decode(
        sse(
            CREATED,
            added(0, **call(call_id="a", arguments="")),
            added(1, **call(call_id="b", arguments="")),
            grows("function_call_arguments", 0, "[1"),
            grows("function_call_arguments", 1, "[2"),
            grows("function_call_arguments", 0, "]"),
            grows("function_call_arguments", 1, "]"),
            done(1, **call(call_id="b", arguments="[2]")),
            done(0, **call(call_id="a", arguments="[1]")),
            completed(),
        )
    )
    folded = fold(events)
    assert [(p.id, p.arguments) for p in folded.parts if isinstance(p, ToolCall)] == [("a", "[1]"), ("b", "[2]")]
    assert [e.text for e in events if isinstance(e, ArgumentsDelta) and e.index == 0] == ["[1", "]"]


def test_several_parts_of_a_message() -> None:
    """Each content part is a part; the first holds the message's own members."""
    content = [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}]
    item = message(phase="final_answer") | {"content": content}
    folded = told(
        CREATED,
        added(0, **message(phase="final_answer")),
        text(0, "a"),
        grows("refusal", 0, "n", content_index=1),
        done(0, **item),
        completed(),
    )
    assert [(type(p), p.text) for p in folded.parts if isinstance(p, Text | Refusal)] == [(Text, "a"), (Refusal, "no")]
    assert b"final_answer" in bytes(folded.parts[0].extras["message"])  # type: ignore[union-attr]
    assert "message" not in folded.parts[1].extras  # type: ignore[union-attr]


def test_parts_of_a_summary_are_paragraphs() -> None:
    """They are one thinking, with an empty line between."""
    folded = told(
        CREATED,
        added(0, type="reasoning", id="rs_1", summary=[]),
        grows("reasoning_summary_text", 0, "a", summary_index=0),
        grows("reasoning_summary_text", 0, "b", summary_index=1),
        done(0, **reasoning("a", "b")),
        completed(),
    )
    assert [part.text for part in folded.parts if isinstance(part, Thinking)] == ["a\n\nb"]


def test_thinking_itself_instead_of_a_summary() -> None:
    """Open models tell what they think; a summary that follows is not told twice."""
    item = reasoning("short", content=[{"type": "reasoning_text", "text": "long"}])
    folded = told(
        CREATED,
        added(0, type="reasoning", id="rs_1", summary=[]),
        grows("reasoning_text", 0, "long", content_index=0),
        grows("reasoning_summary_text", 0, "short", summary_index=0),
        done(0, **item),
        completed(),
    )
    assert [(p.text, p.form) for p in folded.parts if isinstance(p, Thinking)] == [("long", "content")]


def test_thinking_without_text_keeps_its_state() -> None:
    """The signed state comes in a delta, where it is noted; without encrypted content the id is the state."""
    events = decode(
        sse(CREATED, done(0, **reasoning()), done(1, **reasoning(id="rs_2", encrypted_content=None)), completed())
    )
    assert [e.signed for e in events if isinstance(e, SignatureDelta)] == [
        Signed("openai", "openai_responses:reasoning", "blob", "rs_1"),
        Signed("openai", "openai_responses:plain", "", "rs_2"),
    ]


def test_a_compaction_is_signed_state() -> None:
    """Only its issuer can read it."""
    folded = told(CREATED, done(0, type="compaction", id="cmp_1", encrypted_content="gA"), completed())
    assert [p.signed for p in folded.parts if isinstance(p, Thinking)] == [
        Signed("openai", "openai_responses:compaction", "gA", "cmp_1")
    ]


def test_a_call_of_a_tool_with_free_text() -> None:
    """Its input grows like arguments."""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "apply_patch", "status": "completed"}
    folded = told(
        CREATED,
        added(0, **item, input=""),
        grows("custom_tool_call_input", 0, "*** Be"),
        {"type": "response.custom_tool_call_input.done", "output_index": 0, "input": "*** Begin"},
        done(0, **item, input="*** Begin"),
        completed(),
    )
    (part,) = folded.parts
    assert isinstance(part, ToolCall)
    assert (part.kind, part.name, part.arguments) == ("custom", "apply_patch", "*** Begin")


def test_names_of_tools_are_restored() -> None:
    """Shortened names become the client's; a namespace is the first part of the name."""
    setup = decoder_setup(names={"short": "long_name"})
    folded = told(
        CREATED,
        done(0, **call(name="short")),
        done(1, **call(call_id="2", name="spawn", namespace="agents")),
        done(2, **call(call_id="3", name="found", namespace="found")),
        completed(),
        setup=setup,
    )
    assert [p.name for p in folded.parts if isinstance(p, ToolCall)] == ["long_name", "agents.spawn", "found"]


def test_a_web_search_is_told_as_it_happens() -> None:
    """The call when it begins, its query and what was found when it ends; it is counted."""
    action = {"type": "search", "query": "q", "sources": [{"type": "url", "url": "http://a"}]}
    events = decode(
        sse(
            CREATED,
            added(0, type="web_search_call", id="ws_1", status="in_progress"),
            {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
            done(0, type="web_search_call", id="ws_1", status="completed", action=action),
            done(1, type="web_search_call", id="ws_2", status="completed", action={"type": "open_page", "url": "u"}),
            completed(usage=USAGE),
        )
    )
    assert events[1] == PartStart(0, ServerToolCall("ws_1", "web_search", "", "web_search_call"))
    folded = fold(events)
    search, found = folded.parts[:2]
    assert isinstance(search, ServerToolCall)
    assert search.arguments == '{"query":"q"}'
    assert isinstance(found, ServerToolResult)
    assert (found.call_id, found.name, [page.url for page in found.found]) == ("ws_1", "web_search", ["http://a"])
    assert folded.usage.searches == 1


def test_progress_of_a_tool_at_the_provider_is_noted() -> None:
    """While it is told; of an item that is told whole at its end, nothing is."""
    progress = {"type": "response.mcp_call.in_progress", "output_index": 0, "item_id": "m"}
    item = {"type": "mcp_call", "id": "m", "name": "roll", "arguments": "{}", "output": "4", "server_label": "dice"}
    events = decode(sse(CREATED, added(0, **{**item, "output": None}), progress, done(0, **item), completed()))
    assert kinds(events)[:3] == [Start, PartStart, Note]
    listed = {"type": "mcp_list_tools", "id": "l", "server_label": "dice", "tools": []}
    events = decode(sse(CREATED, added(0, **listed), progress, done(0, **listed), completed()))
    assert kinds(events) == [Start, PartStart, PartStop, Finish]


def test_what_only_this_dialect_knows_stays_whole() -> None:
    """Unknown items are opaque; unknown events are notes, also when they come before the answer begins."""
    limits = {"type": "codex.rate_limits", "rate_limits": {}}
    events = decode(sse(CREATED, limits, done(0, type="new_call", id="n"), {"type": "response.new"}, completed()))
    assert kinds(events) == [Start, Note, PartStart, PartStop, Note, Finish]
    assert isinstance(events[2], PartStart)
    assert isinstance(events[2].part, Opaque)
    assert events[2].part.kind == "new_call"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "local_shell_call", "id": "i", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "shell_call", "id": "i", "call_id": "c", "action": {"commands": ["ls"]}, "environment": None},
        {"type": "apply_patch_call", "id": "i", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
        {"type": "tool_search_call", "id": "i", "call_id": "c", "execution": "client", "arguments": {"q": 1}},
    ],
)
def test_calls_that_the_client_runs(item: dict[str, Any]) -> None:
    """They are calls, and the answer waits for their results."""
    folded = told(CREATED, added(0, **item), done(0, **item), completed())
    (part,) = folded.parts
    assert isinstance(part, ToolCall)
    assert part.id == "c"
    assert part.form == item["type"]
    assert folded.finish.reason is StopReason.TOOL_USE


def test_usage_may_be_missing() -> None:
    """Then nothing is counted."""
    assert told(CREATED, completed()).usage == Usage()


# ---- recordings of odd servers ----


def test_done_mark_in_a_responses_stream() -> None:
    """OpenRouter ends with `[DONE]`, which says nothing here."""
    events = decode(recording("openrouter__ce5434cd9a891c81").response.content)
    assert isinstance(events[-1], Finish)


def test_comments_between_events() -> None:
    """OpenRouter keeps the connection alive with bare comments."""
    events = decode(recording("openrouter__4d54082e0d7b0a6c").response.content)
    assert isinstance(events[-1], Finish)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("openai__73e3582100934653", ErrorKind.RATE_LIMITED),
        ("openai__3fe2716533d2fb30", ErrorKind.QUOTA_EXHAUSTED),
    ],
)
def test_error_event_in_a_stream(name: str, kind: ErrorKind) -> None:
    """An error before any output is the whole answer."""
    (failed,) = decode(recording(name).response.content)
    assert isinstance(failed, Failure)
    assert failed.kind is kind


def test_codex_backend_completes_with_an_empty_output() -> None:
    """The parts are those of the items that were told."""
    folded = fold(decode(recording("chatgpt-codex__ae0f0ac5b683c11c").response.content))
    assert any(isinstance(part, Text) and part.text for part in folded.parts)


def test_keepalive_obfuscation_and_phase() -> None:
    """Padding and keep-alives say nothing; the phase of a message comes back to its own dialect."""
    events = decode(recording("openai__67d05a1cae6dec3b").response.content)
    assert not [event for event in events if isinstance(event, Note)]
    events = decode(recording("github-copilot__2d2a55f60e147339").response.content)
    texts = [part for part in fold(events).parts if isinstance(part, Text)]
    assert any(b'"phase"' in bytes(part.extras["message"]) for part in texts if "message" in part.extras)


def test_ids_that_differ_in_every_event() -> None:
    """GitHub Copilot's: items are known by their place."""
    folded = fold(decode(recording("github-copilot__2d2a55f60e147339").response.content))
    assert [type(part) for part in folded.parts] == [Thinking, Text]


@pytest.mark.parametrize("case", cases("openai_responses", lambda r: r.stream and r.status == 200))
def test_every_recorded_stream_is_legal_in_any_pieces(case: Recording) -> None:
    """Cut in pieces of an odd size, a recording tells what it tells in one."""
    data = case.response.content
    assert decode(*(data[i : i + 113] for i in range(0, len(data), 113))) == decode(data)
