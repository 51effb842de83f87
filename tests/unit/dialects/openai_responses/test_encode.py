"""Streams and bodies for our clients."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.envelope import opened
from strowger.dialects.openai_responses.encode import StreamEncoder
from strowger.dialects.openai_responses.response import decode_response
from strowger.errors import ErrorKind, GatewayError, Malformed
from strowger.ir.events import Failure, Finish, Start, StopReason, TextDelta, Usage, UsageUpdate
from strowger.ir.request import Refusal, Signed, Text, Thinking, ToolCall
from strowger.ir.response import fold
from tests.conformance import sdks
from tests.shared import Recording, cases
from tests.unit.dialects.openai_responses.answering import (
    CREATED,
    USAGE,
    added,
    answer,
    body,
    call,
    completed,
    decode,
    decoder_setup,
    done,
    dumps,
    encode,
    encoder_setup,
    items,
    kinds,
    message,
    read,
    reasoning,
    request,
    response,
    sse,
    text,
)

SIGNED = Signed("anthropic", "anthropic:signature", "sig")
ALL = (Thinking("hm", SIGNED), Text("Hello"), ToolCall("toolu_1", "ls", '{"a":1}'))


def test_every_event_of_an_answer() -> None:
    """The transcript that the official clients want: each item begins, grows, is told once more and ends."""
    events, losses = encode(answer(*ALL, reason=StopReason.TOOL_USE, usage=Usage(input=10, output=5)))
    assert losses == []
    assert kinds(events) == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]


def test_items_have_ids_of_their_kind() -> None:
    """Prefixes tell the kinds apart; the id of a call is the client's to answer, and stays what it was."""
    thought, said, called = items(answer(*ALL))
    assert [item["id"][: item["id"].index("_") + 1] for item in (thought, said, called)] == ["rs_", "msg_", "fc_"]
    assert called["call_id"] == "toolu_1"


def test_the_official_client_reads_it() -> None:
    """Strictly: with every member that its types have."""
    encoder = StreamEncoder(encoder_setup())
    stream = b"".join([encoder.encode(event) for event in answer(*ALL, usage=Usage(input=10, output=5))])
    heard = sdks.read_stream("openai_responses", stream)
    assert (heard.thinking, heard.text, [piece.name for piece in heard.calls]) == ("hm", "Hello", ["ls"])
    assert (heard.tokens.input, heard.tokens.output) == (10, 5)


def test_a_body_is_the_end_of_a_stream() -> None:
    """The same members, whoever does not stream."""
    events = answer(*ALL, usage=Usage(input=10, output=5))
    stream, _ = encode(events)
    assert body(events)[0] == stream[-1]["response"]


def test_the_whole_answer_has_every_member() -> None:
    """Typed clients expect all of them, also where the request said nothing."""
    answered, _ = body(answer(Text("hi")))
    assert answered["object"] == "response"
    assert (answered["model"], answered["created_at"], answered["status"]) == ("claude", 99, "completed")
    assert (answered["tools"], answered["tool_choice"], answered["parallel_tool_calls"]) == ([], "auto", True)
    assert answered["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }


def test_when_it_was_complete() -> None:
    """Only a complete answer says so, by the clock of the call; penalties are among what is repeated."""
    last = encode(answer(Text("a")), clock=lambda: 123.9)[0][-1]["response"]
    assert (last["completed_at"], last["frequency_penalty"], last["presence_penalty"]) == (123, 0, 0)
    cut = encode(answer(Text("a"), reason=StopReason.MAX_TOKENS), clock=lambda: 123.9)[0]
    assert [event["response"]["completed_at"] for event in cut if "response" in event] == [None, None, None]
    assert body(answer(Text("a")))[0]["completed_at"] == 99


@pytest.mark.parametrize(
    "reason, status, why",
    [
        (StopReason.END, "completed", None),
        (StopReason.STOP_SEQUENCE, "completed", None),
        (StopReason.TOOL_USE, "completed", None),
        (StopReason.PAUSE, "completed", None),
        (StopReason.MAX_TOKENS, "incomplete", "max_output_tokens"),
        (StopReason.CONTEXT_FULL, "incomplete", "max_output_tokens"),
        (StopReason.REFUSAL, "incomplete", "content_filter"),
    ],
)
def test_how_an_answer_ends(reason: StopReason, status: str, why: str | None) -> None:
    """What is cut is incomplete, and so is the message that it was cut in."""
    events, losses = encode(answer(Text("a"), reason=reason))
    last = events[-1]["response"]
    assert events[-1]["type"] == f"response.{status}"
    assert (last["status"], (last["incomplete_details"] or {}).get("reason")) == (status, why)
    assert (last["output"][0]["status"], losses) == (status, [])


def test_a_refusal_in_words_is_a_completed_answer() -> None:
    """The model's own words say it."""
    last = encode(answer(Refusal("no"), reason=StopReason.REFUSAL))[0][-1]["response"]
    assert last["status"] == "completed"
    assert last["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_an_end_without_a_word_is_a_loss() -> None:
    """It is told as completed."""
    events, losses = encode(answer(Text("a"), reason=StopReason.OTHER))
    assert events[-1]["response"]["status"] == "completed"
    assert [loss.path for loss in losses] == ["status"]


def test_members_of_another_dialect_are_losses() -> None:
    """Of the answer, of its end and of its counts."""
    events = answer(Text("a"), usage=Usage(input=1, output=1, extras={"inference": Raw(b"1")}))
    events[0] = Start("anthropic", "msg_9", "claude", extras={"container": Raw(b'{"id":"c"}')})
    events[-1] = Finish(StopReason.END, "end_turn", extras={"novelty": Raw(b"1")})
    assert sorted(loss.path for loss in encode(events)[1]) == ["container", "novelty", "usage.inference"]


# ---- an upstream of this dialect ----


@pytest.mark.parametrize("case", cases("openai_responses", lambda r: not r.stream and r.status == 200))
def test_every_recorded_body_comes_back(case: Recording) -> None:
    """Equal as JSON, without a loss."""
    data = case.response.content
    events = decode_response(data, decoder_setup())
    if isinstance(events[-1], Failure):
        assert b'"output":[{' not in data  # a count of tokens, an answer that is only queued
        return
    answered, losses = body(events)
    assert answered == json.loads(data)
    assert losses == []


def test_an_own_stream_keeps_its_members() -> None:
    """Ids, states, phases and what the response repeats; the last event adds what the first did not have."""
    said = message("Hello", phase="final_answer")
    thought = reasoning("hm", status="completed")
    wire = (
        {**CREATED, "response": response("in_progress", tools=[{"type": "function", "name": "ls"}])},
        done(0, **thought),
        added(1, **{**said, "content": [], "status": "in_progress"}),
        text(1, "Hello"),
        done(1, **said),
        done(2, **call()),
        {**completed(usage=USAGE, tools=[{"type": "function", "name": "ls"}], service_tier="flex"), "billed": 1},
    )
    events = decode(sse(*wire))
    output = items(events)
    assert output == [thought, said, call()]
    last = encode(events)[0][-1]
    assert last["billed"] == 1
    expected = response(output=output, usage=USAGE, tools=[{"type": "function", "name": "ls"}], service_tier="flex")
    assert last["response"] == expected


def test_an_own_stream_without_a_beginning_is_whole() -> None:
    """created never came: the last event has the members."""
    last = encode(decode(sse(done(0, **message("a")), completed(message("a")))))[0][-1]["response"]
    assert (last["id"], last["status"], last["output"]) == ("resp_1", "completed", [message("a")])


def test_an_answer_that_we_cut_has_its_end() -> None:
    """A stop sequence that the gateway watched for: the upstream's own end never came."""
    events = decode(sse(CREATED, done(0, **message("a")), completed(message("a"))))
    events[-1] = Finish(StopReason.STOP_SEQUENCE, "stop", "x")
    assert encode(events)[0][-1]["response"]["status"] == "completed"


def test_events_of_the_upstream_are_numbered_anew() -> None:
    """What is of no item, and progress of the tool that runs, at the index that it has here."""
    item = {"type": "mcp_call", "id": "m", "name": "roll", "arguments": "{}", "output": "4", "server_label": "dice"}
    progress = {"type": "response.mcp_call.in_progress", "output_index": 3, "item_id": "m"}
    limits = {"type": "codex.rate_limits", "rate_limits": {"a": 1}}
    events, _ = encode(decode(sse(CREATED, limits, added(3, **item), progress, done(3, **item), completed())))
    assert kinds(events)[2:-1] == ["codex.rate_limits", "output_item.added", "mcp_call.in_progress", "output_item.done"]
    assert (events[2]["rate_limits"], events[4]["output_index"]) == ({"a": 1}, 0)


# ---- errors ----


def test_an_error_after_the_beginning_is_a_failed_response() -> None:
    """With the code that clients act upon, what was said so far, and nothing behind it."""
    encoder = StreamEncoder(encoder_setup())
    begun = answer(Text("a"), ToolCall("c", "ls", "{}"))
    stream = b"".join([encoder.encode(event) for event in begun[:-2]])
    stream += encoder.fail(GatewayError("too fast", kind=ErrorKind.RATE_LIMITED, retry_after=1.5))
    last = read(stream)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["status"] == "failed"
    assert last["response"]["error"] == {
        "code": "rate_limit_exceeded",
        "message": "too fast. Please try again in 1.5s.",
    }
    assert len(last["response"]["output"]) == 1
    assert encoder.fail(GatewayError("again")) == b""
    assert encoder.encode(begun[-1]) == b""


def test_an_error_without_a_beginning() -> None:
    """After bytes that passed untouched: a failed response that stands for itself."""
    (failed,) = read(StreamEncoder(encoder_setup()).fail(GatewayError("gone", kind=ErrorKind.UPSTREAM)))
    assert (failed["response"]["error"]["code"], failed["response"]["output"]) == ("server_error", [])


def test_a_failure_event_is_a_failed_response() -> None:
    """For who encodes all events."""
    events, _ = encode([*answer(Text("a"))[:-1], Failure(ErrorKind.CONTEXT_OVERFLOW, "too long")])
    assert events[-1]["response"]["error"]["code"] == "context_length_exceeded"


def test_heartbeats_are_comments() -> None:
    """The clients of this dialect read over them, in any place."""
    encoder = StreamEncoder(encoder_setup())
    events = answer(Text("hi"), usage=Usage(input=1, output=1))
    stream = b"".join([encoder.encode(event) + encoder.heartbeat() for event in events])
    assert sdks.read_stream("openai_responses", stream).text == "hi"


# ---- compactions ----


def _unsealed(item: dict[str, str]) -> Signed | None:
    return opened(item["encrypted_content"])


def test_a_summary_becomes_one_compaction() -> None:
    """Whatever else the model says: a client wants exactly one item, which holds the summary for everyone."""
    asked = request(forms=frozenset({"compaction"}))
    parts = (Thinking("hm", SIGNED), Text("sum"), ToolCall("c", "ls", "{}"), Text("mary"))
    events, losses = encode(answer(*parts), request=asked)
    assert kinds(events) == ["created", "in_progress", "output_item.added", "output_item.done", "completed"]
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["id"][:4]) == ("compaction", "cmp_")
    assert _unsealed(item) == Signed("strowger", "strowger:summary", "summary")
    assert losses == []


def test_the_endpoint_for_compactions_has_a_body_of_its_own() -> None:
    """With four members and the object's name."""
    answered, _ = body(answer(Text("summary"), usage=Usage(input=3, output=2)), form="compact")
    assert set(answered) == {"id", "object", "created_at", "output", "usage"}
    assert answered["object"] == "response.compaction"
    assert _unsealed(answered["output"][0]) == Signed("strowger", "strowger:summary", "summary")


def test_a_compaction_of_the_vendor_passes() -> None:
    """With all that it brings."""
    user = {"type": "message", "id": "msg_u", "role": "user", "content": [{"type": "input_text", "text": "q"}]}
    made = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gA"}
    wire = {"id": "resp_1", "object": "response.compaction", "created_at": 1, "output": [user, made], "usage": USAGE}
    answered, losses = body(decode_response(dumps(wire), decoder_setup()), form="compact")
    assert (answered, losses) == (wire, [])
    asked = request(forms=frozenset({"compaction"}))
    events = decode(sse(CREATED, done(0, **made), completed(made)))
    assert items(events, request=asked) == [made]


def test_a_server_of_this_dialect_that_cannot_compact() -> None:
    """It was asked in words, and its words become the compaction."""
    events = decode(sse(CREATED, done(0, **message("summary")), completed(message("summary"))))
    (item,) = items(events, request=request(forms=frozenset({"compaction"})))
    assert _unsealed(item) == Signed("strowger", "strowger:summary", "summary")


def test_a_compaction_without_a_summary_is_an_error() -> None:
    """Else the client would forget everything."""
    asked = request(forms=frozenset({"compaction"}))
    events, _ = encode(answer(Thinking("hm", SIGNED)), request=asked)
    assert events[-1]["type"] == "response.failed"
    with pytest.raises(Malformed):
        body(answer(Text("  ")), form="compact")


# ---- signed state ----


def test_state_of_another_vendor_is_sealed() -> None:
    """And comes home from the member that clients send back unread."""
    (item,) = items(answer(Thinking("hm", SIGNED)))
    assert opened(item["encrypted_content"]) == SIGNED
    assert item["summary"] == [{"type": "summary_text", "text": "hm"}]


def test_state_of_this_dialect_is_bare() -> None:
    """Exactly the string that the upstream sent; an item without any has none."""
    events = decode(
        sse(CREATED, done(0, **reasoning("a")), done(1, **reasoning(id="rs_2", encrypted_content=None)), completed())
    )
    first, second = items(events)
    assert (first["encrypted_content"], second["encrypted_content"]) == ("blob", None)


def test_thinking_that_nobody_wants() -> None:
    """It leaves no item."""
    assert [item["type"] for item in items(answer(*ALL), thinking_wanted=False)] == ["message", "function_call"]


def test_usage_comes_when_it_comes() -> None:
    """Later counts replace earlier ones."""
    events = answer(Text("a"))
    counted = [
        *events[:1],
        UsageUpdate(Usage(input=9, output=1)),
        *events[1:-1],
        UsageUpdate(Usage(output=4)),
        events[-1],
    ]
    usage = encode(counted)[0][-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (9, 4, 13)


def test_deltas_go_out_at_once() -> None:
    """One event each, nothing is held back."""
    encoder = StreamEncoder(encoder_setup())
    events = answer(Text("a"))
    for event in events[:3]:
        encoder.encode(event)
    sent = encoder.encode(TextDelta(0, 'b"\n'))
    assert sent.count(b"\n\n") == 1
    assert json.loads(sent.split(b"data: ")[1])["delta"] == 'b"\n'


def test_own_and_foreign_say_the_same() -> None:
    """The parts of an answer do not depend on who gave it."""
    events = decode(sse(CREATED, done(0, **message("a", "b")), done(1, **call()), completed(usage=USAGE)))
    started = events[0]
    assert isinstance(started, Start)
    own, foreign = items(events), items([replace(started, origin="other", extras={}), *events[1:]])
    assert [item["type"] for item in own] == [item["type"] for item in foreign]
    assert [part["text"] for part in foreign[0]["content"]] == ["a", "b"]
    assert fold(events).parts
