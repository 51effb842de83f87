"""Bugs that translators to and from the Responses API are known for, each with the issues where it hurt.

Names in brackets are public projects and issue numbers. Anthropic stands for the other side of answers.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects import envelope
from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.openai_responses import DIALECT
from strowger.errors import ErrorKind, GatewayError
from strowger.ir.events import ArgumentsDelta, Failure, Finish, StopReason, TextDelta, Usage
from strowger.ir.request import CustomTool, Refusal, Signed, Text, Thinking, ToolCall
from strowger.ir.response import fold
from tests.unit.dialects.openai_responses.answering import (
    CREATED,
    IN_PROGRESS,
    USAGE,
    added,
    answer,
    body,
    call,
    completed,
    decode,
    decoder_setup,
    done,
    encode,
    encoder_setup,
    failure,
    grows,
    items,
    message,
    reasoning,
    request,
    response,
    sse,
    text,
    told,
    whole,
)


def claude(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """What Claude Code reads of a stream."""
    encoder = ANTHROPIC.client.encoder(encoder_setup())
    stream = b"".join([encoder.encode(event) for event in decode(sse(*events))])
    return [json.loads(block.split("data: ", 1)[1]) for block in stream.decode().split("\n\n")[:-1]]


def blocks(events: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Index and kind of each block."""
    return [(e["index"], e["content_block"]["type"]) for e in events if e["type"] == "content_block_start"]


def stop_reason(events: list[dict[str, Any]]) -> str:
    """Why it ended."""
    return next(str(e["delta"]["stop_reason"]) for e in events if e["type"] == "message_delta")


def test_text_after_a_tool_opens_a_new_block() -> None:
    """It was glued to the text before the tool (CCR PR 1356)."""
    seen = claude(CREATED, done(0, **message("a")), done(1, **call()), done(2, **message("b")), completed())
    assert blocks(seen) == [(0, "text"), (1, "tool_use"), (2, "text")]


def test_a_second_thinking_segment_opens_a_new_block() -> None:
    """It was lost, and the start came twice (CCR 1725, LiteLLM 33224)."""
    wire = (CREATED, IN_PROGRESS, done(0, **reasoning("a")), done(1, **message("b")), done(2, **reasoning("c")))
    seen = claude(*wire, completed())
    assert blocks(seen) == [(0, "thinking"), (1, "text"), (2, "thinking")]
    assert [event["type"] for event in seen].count("message_start") == 1


def test_block_indices_are_our_own() -> None:
    """They were the upstream's output_index, which skips (LiteLLM 13373, CPA 3720)."""
    assert blocks(claude(CREATED, done(3, **message("a")), done(7, **call()), completed())) == [
        (0, "text"),
        (1, "tool_use"),
    ]


def test_parallel_arguments_do_not_mix() -> None:
    """Deltas of two calls came by turns (praxis 266, sglang 39782)."""
    wire = [CREATED, added(0, **call(call_id="a", arguments="")), added(1, **call(call_id="b", arguments=""))]
    wire += [grows("function_call_arguments", index, piece) for piece in ("[1", ",2", "]") for index in (0, 1)]
    folded = told(*wire, completed())
    assert [(p.id, p.arguments) for p in folded.parts if isinstance(p, ToolCall)] == [("a", "[1,2]"), ("b", "[1,2]")]


@pytest.mark.parametrize("end", ["arguments", "item", "answer"])
def test_arguments_that_come_at_the_end_are_not_lost(end: str) -> None:
    """The tool was called with {}: deltas never came (LiteLLM 25321)."""
    wire = [CREATED, added(0, **call(arguments=""))]
    if end == "arguments":
        wire.append({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"a":1}'})
    elif end == "item":
        wire.append(done(0, **call()))
    folded = told(*wire, completed(call()))
    assert [p.arguments for p in folded.parts if isinstance(p, ToolCall)] == ['{"a":1}']


def test_arguments_are_not_told_twice() -> None:
    """Deltas, arguments.done, item.done and the last event all hold them (LiteLLM 25321)."""
    wire = (
        CREATED,
        added(0, **call(arguments="")),
        grows("function_call_arguments", 0, '{"a":1}'),
        {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"a":1}'},
        done(0, **call()),
        completed(call()),
    )
    assert [e.text for e in decode(sse(*wire)) if isinstance(e, ArgumentsDelta)] == ['{"a":1}']


def test_tool_calls_are_in_the_stream_and_text_is_there_once() -> None:
    """Calls were missing, text was doubled (ccproxy-api 35 and 5)."""
    wire = (
        CREATED,
        added(0, **message()),
        text(0, "Hello"),
        done(0, **message("Hello")),
        completed(message("Hello"), call()),
    )
    events = decode(sse(*wire))
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["Hello"]
    assert any(isinstance(part, ToolCall) for part in fold(events).parts)


@pytest.mark.parametrize("before", [(), (CREATED,), (CREATED, added(0, **message()), text(0, "Hel"))])
def test_a_cut_stream_is_an_error_not_an_end(before: tuple[dict[str, Any], ...]) -> None:
    """Half an answer was taken for whole (OmniRoute 7699, CPA 3996)."""
    last = decode(sse(*before))[-1]
    assert isinstance(last, Failure)
    assert last.code == "truncated"


def test_an_upstream_that_fails_before_it_speaks_is_an_http_error() -> None:
    """An end came without a start; here there is only the failure, so that a status can tell it (9router 1779)."""
    (failed,) = decode(sse(CREATED, {"type": "error", "code": "server_error", "message": "no"}))
    assert isinstance(failed, Failure)


def test_an_error_inside_an_item_comes_in_order() -> None:
    """It was written into an open item, and more followed (cc-switch PR 7044)."""
    encoder = DIALECT.client.encoder(encoder_setup())
    for event in answer(Text("a"))[:3]:
        encoder.encode(event)
    assert encoder.fail(GatewayError("no", kind=ErrorKind.UPSTREAM)).count(b"\n\n") == 1
    assert encoder.fail(GatewayError("no")) == b""
    assert encoder.encode(Finish(StopReason.END)) == b""


def test_a_tool_call_is_reported_as_one() -> None:
    """`completed` was told as end_turn, so nothing ran the tool (OmniRoute 3980)."""
    assert stop_reason(claude(CREATED, done(0, **call()), completed(call()))) == "tool_use"


def test_a_limit_is_reported_as_one() -> None:
    """An incomplete answer passed for whole; its half arguments are kept as they came (CPA 5439)."""
    wire = (CREATED, added(0, **call(arguments="")), grows("function_call_arguments", 0, '{"a'))
    last = completed(kind="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert stop_reason(claude(*wire, last)) == "max_tokens"
    assert [p.arguments for p in told(*wire, last).parts if isinstance(p, ToolCall)] == ['{"a']


def test_a_limit_of_another_vendor_is_incomplete() -> None:
    """And not `completed`."""
    assert encode(answer(Text("a"), reason=StopReason.MAX_TOKENS))[0][-1]["type"] == "response.incomplete"


def test_cached_tokens_are_counted_once() -> None:
    """They are part of the input here, and beside it at Anthropic (langfuse 22, copilot-api 210)."""
    usage = next(e["usage"] for e in claude(CREATED, completed(usage=USAGE)) if e["type"] == "message_delta")
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (4, 4, 2)
    counted = body(answer(Text("a"), usage=Usage(input=10, cache_read=4, cache_write=2, output=5)))[0]["usage"]
    assert (counted["input_tokens"], counted["input_tokens_details"]["cached_tokens"]) == (10, 4)


def test_encrypted_reasoning_comes_home() -> None:
    """It was lost on its way through a client of another dialect (bifrost 5410, CPA 3189)."""
    seen = claude(CREATED, done(0, **reasoning("hm")), completed())
    signature = next(e["delta"]["signature"] for e in seen if e.get("delta", {}).get("type") == "signature_delta")
    assert envelope.opened(signature) == Signed("openai", "openai_responses:reasoning", "blob", "rs_1")


def test_reasoning_is_whole_only_at_its_end() -> None:
    """The blob of the item's beginning is another one, which the server refuses."""
    begun = {**reasoning(encrypted_content="half"), "summary": []}
    (part,) = told(CREATED, added(0, **begun), done(0, **reasoning()), completed()).parts
    assert isinstance(part, Thinking)
    assert part.signed is not None
    assert part.signed.blob == "blob"


def test_foreign_signatures_are_never_bare() -> None:
    """A bare one would be replayed to OpenAI, which refuses it (CPA 2172)."""
    (item,) = items(answer(Thinking("hm", Signed("anthropic", "anthropic:signature", "sig"))))
    assert item["encrypted_content"].startswith(envelope.PREFIX)


def test_reasoning_without_a_signature_is_nobodys() -> None:
    """None is made up; an item without any would come back as OpenAI's own (CPA PR 570)."""
    (item,) = items(answer(Thinking("hm")))
    assert envelope.opened(item["encrypted_content"]) == Signed("", "openai_responses:plain", "")


def test_keepalives_are_not_content() -> None:
    """Events of their own and comments say nothing (headroom 902, OmniRoute 10524)."""
    data = sse(CREATED, {"type": "keepalive"}, done(0, **message("a")), completed())
    assert fold(decode(b": hi\n\n" + data)).parts == fold(decode(data.replace(b"\n\n", b"\n\n: x\n\n"))).parts


def test_shortened_tool_names_come_back() -> None:
    """Also those of deltas (ida-pro-mcp 129)."""
    wire = sse(CREATED, added(0, **call(name="short", arguments="")), done(0, **call(name="short")), completed())
    folded = fold(decode(wire, setup=decoder_setup(names={"short": "very_long"})))
    assert [p.name for p in folded.parts if isinstance(p, ToolCall)] == ["very_long"]


def test_apply_patch_is_no_function() -> None:
    """Codex's freeform tool was answered with a function call, which it cannot run (CPA 5753)."""
    asked = request(tools=(CustomTool("apply_patch"),))
    (item,) = items(answer(ToolCall("c", "apply_patch", '{"input":"*** Begin Patch"}')), request=asked)
    assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin Patch")


def test_ids_of_items_and_of_calls_are_two_things() -> None:
    """`fc_` and `call_` were mixed (ccproxy-api PR 65)."""
    (item,) = items(answer(ToolCall("toolu_1", "ls", "{}")))
    assert item["id"].startswith("fc_")
    assert item["call_id"] == "toolu_1"
    assert [p.id for p in told(CREATED, done(0, **call()), completed()).parts if isinstance(p, ToolCall)] == ["call_1"]


def test_an_empty_output_at_the_end_is_no_empty_answer() -> None:
    """The ChatGPT backend leaves it out; clients that do not stream got nothing."""
    answered, _ = body(decode(sse(CREATED, done(0, **message("a")), completed())))
    assert answered["output"] == [message("a")]


def test_a_refusal_is_no_empty_success() -> None:
    """A filter in the middle, or the model's own words."""
    cut = completed(kind="incomplete", incomplete_details={"reason": "content_filter"})
    assert stop_reason(claude(CREATED, done(0, **message("a")), cut)) == "refusal"
    said = message() | {"content": [{"type": "refusal", "refusal": "no"}]}
    assert stop_reason(claude(CREATED, done(0, **said), completed())) == "refusal"
    assert [p.text for p in told(CREATED, done(0, **said), completed()).parts if isinstance(p, Refusal)] == ["no"]


def test_an_error_with_status_200_is_seen_before_content() -> None:
    """It passed for an answer, so that no other target was tried."""
    error = {"code": "server_is_overloaded", "message": "busy"}
    failed = failure(CREATED, IN_PROGRESS, {"type": "response.failed", "response": response("failed", error=error)})
    assert failed.kind is ErrorKind.OVERLOADED
    (failed_body,) = DIALECT.upstream.decode_response(b'{"error":{"message":"no","code":"x"}}', decoder_setup())
    assert isinstance(failed_body, Failure)


def test_objects_are_always_full() -> None:
    """Clients crash on what is missing (routatic 19)."""
    events, _ = encode(answer(Text("a")))
    for event in events:
        if "response" in event:
            assert {"id", "object", "created_at", "model", "output", "usage", "tools", "error"} <= set(
                event["response"]
            )


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_sse_is_read_by_its_grammar(end: bytes) -> None:
    """A byte order mark, no space behind the colon, any line end."""
    data = sse(CREATED, done(0, **message("ü")), completed()).replace(b"data: ", b"data:").replace(b"\n", end)
    assert isinstance(decode(b"\xef\xbb\xbf" + data)[-1], Finish)


def test_a_status_that_waits_for_the_client_is_a_tool_call() -> None:
    """`requires_action`, a word of an older API, was taken for a failure or for the end (AIClient2API 471)."""
    end = {"type": "response.completed", "response": response("requires_action", output=[call()])}
    answered = told(CREATED, done(0, **call()), end)
    assert answered.finish.reason is StopReason.TOOL_USE
    assert whole(call(), status="requires_action").finish.reason is StopReason.TOOL_USE


@pytest.mark.parametrize("kind", ["reasoning_text", "reasoning_summary_text"])
def test_thinking_in_every_spelling_is_one_part(kind: str) -> None:
    """Open models tell what they think as a text, OpenAI's as a summary; both are thinking, and told once."""
    place = {"content_index": 0} if kind == "reasoning_text" else {"summary_index": 0}
    begun = {"type": "reasoning", "id": "rs_1", "summary": []}
    ended = (
        {**begun, "content": [{"type": "reasoning_text", "text": "hm so"}]}
        if kind == "reasoning_text"
        else {**begun, "summary": [{"type": "summary_text", "text": "hm so"}]}
    )
    wire = [CREATED, added(0, **begun), grows(kind, 0, "hm ", **place), grows(kind, 0, "so", **place), done(0, **ended)]
    thought, said = told(*wire, done(1, **message("a")), completed(ended, message("a"))).parts
    assert isinstance(thought, Thinking)
    assert thought.text == "hm so"
    assert isinstance(said, Text)
    assert said.text == "a"


def test_usage_that_comes_only_at_the_end_is_the_answers() -> None:
    """The first event has none; the client is told an estimate, then the truth (vercel/ai 17326, claude-code 22575)."""
    seen = claude(CREATED, done(0, **message("a")), completed(message("a"), usage=USAGE))
    assert seen[0]["message"]["usage"]["input_tokens"] == 7
    assert next(e["usage"]["output_tokens"] for e in seen if e["type"] == "message_delta") == 5
