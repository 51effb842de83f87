"""Answers for Anthropic's clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT
from strowger.dialects.base import Loss
from strowger.dialects.envelope import opened
from strowger.errors import ErrorKind, GatewayError
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
from strowger.ir.request import (
    Audio,
    Base64,
    Citation,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import Response, fold, unfold
from tests.unit.dialects.anthropic.transcripts import (
    MESSAGE_STOP,
    block_start,
    block_stop,
    decode,
    delta,
    encode,
    encoder_setup,
    foreign,
    frames,
    message_delta,
    message_start,
    paths,
    sse,
    text_block,
)

END = Finish(StopReason.END, "stop")
OWN = Signed("anthropic", "anthropic:signature", "sig")
REDACTED = Signed("anthropic", "anthropic:redacted", "data")
KIMI = Signed("moonshot", "openai_chat:reasoning", "")


def _whole(*parts: Part, origin: str = "openai_chat", **members: Any) -> Response:
    return Response(**{"origin": origin, "id": "chatcmpl-1", "model": "gpt", "parts": parts, "finish": END, **members})


def _body(response: Response, **setup: Any) -> tuple[dict[str, Any], list[Loss]]:
    rendered, losses = DIALECT.client.render_response(response, encoder_setup(**setup))
    return json.loads(rendered), losses


# ---- streams ----


def test_a_foreign_stream() -> None:
    """Every event in its frame, every object full: clients read members without asking whether they are there."""
    events = foreign(
        PartStart(0, Thinking("")),
        ThinkingDelta(0, "hm"),
        SignatureDelta(0, KIMI),
        PartStop(0),
        PartStart(1, Text("")),
        TextDelta(1, "h\n"),
        PartStop(1),
        PartStart(2, ToolCall("call_1", "ls", "")),
        ArgumentsDelta(2, '{"a":1}'),
        PartStop(2),
        UsageUpdate(Usage(input=20, output=9, cache_read=15, reasoning=4)),
        Finish(StopReason.TOOL_USE, "tool_calls"),
    )
    sent, losses = encode(events)
    assert sent == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "asked-for",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 7, "output_tokens": 1},
            },
        },
        block_start(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature=sent[3]["delta"]["signature"]),
        block_stop(0),
        *text_block(1, "h\n"),
        block_start(2, type="tool_use", id="call_1", name="ls", input={}),
        delta(2, "input_json_delta", partial_json='{"a":1}'),
        block_stop(2),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 15,
                "output_tokens": 9,
                "output_tokens_details": {"thinking_tokens": 4},
            },
        },
        {"type": "message_stop"},
    ]  # fmt: skip
    assert opened(sent[3]["delta"]["signature"]) == KIMI
    assert losses == []


def test_the_start_does_not_wait() -> None:
    """A foreign upstream's first sign of life is passed on at once; an own one's waits for the usage beside it."""
    encoder = DIALECT.client.encoder(encoder_setup())
    assert encoder.encode(Start("openai_chat", "x", "gpt"))
    own = DIALECT.client.encoder(encoder_setup())
    assert own.encode(Start("anthropic", "msg_9", "claude")) == b""
    [start] = frames(own.encode(UsageUpdate(Usage(input=12, output=3, cache_write=2))))
    assert start["message"]["usage"] == {"input_tokens": 10, "cache_creation_input_tokens": 2, "output_tokens": 3}
    assert start["message"]["id"] == "msg_9"


@pytest.mark.parametrize(
    "origin, model, said",
    [
        ("anthropic", "claude", "claude"),
        ("anthropic", "", "asked-for"),
        ("openai_chat", "gpt", "asked-for"),
        ("openai_chat", "", "asked-for"),
    ],
)
def test_the_model_is_never_missing(origin: str, model: str, said: str) -> None:
    """Claude Code forgets the thinking of an answer by a model that it did not ask for, so it is the one it asked for;
    an upstream of this dialect says itself which.
    """
    sent, _ = encode([Start(origin, "", model), END])
    assert sent[0]["message"]["model"] == said


def test_heartbeats_are_pings() -> None:
    """Also before the start."""
    encoder = DIALECT.client.encoder(encoder_setup())
    assert frames(encoder.heartbeat()) == [{"type": "ping"}]


def test_an_own_stream_comes_out_as_it_was() -> None:
    """Unknown events, extras, citations, server tools and compactions included."""
    start = message_start(container=None)
    compaction = {"type": "compaction", "content": "so far"}
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    stream = (
        start,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": []}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"x": 1}}},
        {"type": "content_block_stop", "index": 0},
        {"type": "of_next_year", "x": 1},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "d"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": result},
        {"type": "content_block_stop", "index": 2},
        {"type": "content_block_start", "index": 3, "content_block": {"type": "compaction", "content": None}},
        {"type": "content_block_delta", "index": 3, "delta": {**compaction, "type": "compaction_delta"}},
        {"type": "content_block_stop", "index": 3},
        {**message_delta("pause_turn", input_tokens=10), "context_management": {"applied_edits": []}},
        MESSAGE_STOP,
    )
    sent, losses = encode(decode(sse(*stream)))
    assert sent == list(stream)
    assert losses == []


@pytest.mark.parametrize(
    "finish, parts, word",
    [
        (Finish(StopReason.END, "stop"), (), "end_turn"),
        (Finish(StopReason.END, "stop"), (ToolCall("c", "f", "{}"),), "tool_use"),
        (Finish(StopReason.MAX_TOKENS, "length"), (ToolCall("c", "f", "{"),), "max_tokens"),
        (Finish(StopReason.REFUSAL, "content_filter"), (), "refusal"),
        (Finish(StopReason.END, "stop"), (Refusal("no"),), "refusal"),
        (Finish(StopReason.STOP_SEQUENCE, "stop", "END"), (), "stop_sequence"),
        (Finish(StopReason.CONTEXT_FULL, "length"), (), "model_context_window_exceeded"),
        (Finish(StopReason.OTHER, "eos_of_next_year"), (), "end_turn"),
        (Finish(StopReason.OTHER, "eos_of_next_year"), (ToolCall("c", "f", "{}"),), "tool_use"),
    ],
)
def test_stop_reasons(finish: Finish, parts: tuple[Part, ...], word: str) -> None:
    """The same word in a stream and in a body; what was called must be run, what is unknown is said to be."""
    response = _whole(*parts, finish=finish)
    sent, losses = encode(unfold(response))
    assert sent[-2]["delta"]["stop_reason"] == word
    assert _body(response)[0]["stop_reason"] == word
    assert [loss.path for loss in losses] == (["stop_reason"] if word == "end_turn" and finish.native != "stop" else [])


def test_what_this_dialect_cannot_say_is_left_out() -> None:
    """Without a gap in the blocks, and as a loss."""
    parts = (
        Opaque("openai_chat", "video", Raw(b"{}")),
        Text("a"),
        Audio("AAAA", "wav"),
        ServerToolCall("s", "x", "{}"),
        Image(Base64("image/png", "AAAA")),
        Text("b"),
    )
    sent, losses = encode(unfold(_whole(*parts)))
    starts = [event["index"] for event in sent if event["type"] == "content_block_start"]
    assert starts == [0, 1]
    assert [loss.severity for loss in losses] == ["warning", "error", "info", "error"]
    body, losses = _body(_whole(*parts))
    assert [block["text"] for block in body["content"]] == ["a", "b"]
    assert len(losses) == 4


def test_extras_of_another_dialect_are_not_sent() -> None:
    """They are told as losses, once."""
    part = Text("a", extras={"annotations": Raw(b"[1]")})
    sent, losses = encode(
        unfold(_whole(part, extras={"system_fingerprint": Raw(b'"x"'), "provider_name": Raw(b'"y"')}))
    )
    assert set(sent[0]["message"]) == set(message_start()["message"])
    assert paths(losses) == ["system_fingerprint", "provider_name", "content.annotations"]
    citing = foreign(
        PartStart(0, Text("")),
        CitationDelta(0, Citation(Raw(b"1"))),
        CitationDelta(0, Citation(Raw(b"2"))),
        PartStop(0),
        END,
    )
    assert paths(encode(citing)[1]) == ["content.citations"]


def test_notes_are_for_their_own() -> None:
    """An event of another dialect means nothing here."""
    note = Note(Raw(b'{"type":"x"}'))
    assert len(encode(foreign(note, END))[0]) == 3


def test_unwanted_thinking_is_not_shown() -> None:
    """A client that switched thinking off gets none, and no gap where it was."""
    response = _whole(Thinking("hm", KIMI), Text("a"))
    sent, _ = encode(unfold(response), thinking_wanted=False)
    assert [event["index"] for event in sent if "index" in event] == [0, 0, 0]
    assert [block["type"] for block in _body(response, thinking_wanted=False)[0]["content"]] == ["text"]


@pytest.mark.parametrize(
    "failed, kind, words",
    [
        (Failure(ErrorKind.OVERLOADED, "busy"), "overloaded_error", "busy"),
        (Failure(ErrorKind.UPSTREAM, "cut", "truncated"), "api_error", "cut"),
        (
            Failure(ErrorKind.CONTEXT_OVERFLOW, "maximum context length is 4 tokens"),
            "invalid_request_error",
            "prompt is too long",
        ),
    ],
)
def test_failures_are_error_events(failed: Failure, kind: str, words: str) -> None:
    """In the middle of a block too, with nothing after it: no end that did not come."""
    sent, _ = encode([Start("openai_chat", "x", "gpt"), PartStart(0, Text("")), TextDelta(0, "half"), failed])
    assert sent[-1]["type"] == "error"
    assert sent[-1]["error"]["type"] == kind
    assert words in sent[-1]["error"]["message"]
    assert not {"message_delta", "message_stop", "content_block_stop"} & {event["type"] for event in sent}


def test_an_own_failure_keeps_its_words() -> None:
    """Clients act on them."""
    raw = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded", "details": {}},
        "request_id": "r",
    }
    sent, _ = encode(decode(sse(message_start(), raw)))
    assert sent[-1] == raw


def test_errors_of_ours_in_a_stream() -> None:
    """The same object as before the stream."""
    [event] = frames(
        DIALECT.client.encoder(encoder_setup()).fail(GatewayError("silent for 300 s", kind=ErrorKind.TIMEOUT))
    )
    assert event == {"type": "error", "error": {"type": "timeout_error", "message": "silent for 300 s"}}


# ---- bodies ----


def test_a_foreign_body() -> None:
    """Full, like the vendor's own."""
    response = _whole(
        Thinking("hm", KIMI),
        Text("hi"),
        ToolCall("call_1", "ls", '{"a":1}'),
        finish=Finish(StopReason.TOOL_USE, "tool_calls"),
        usage=Usage(input=20, output=9, cache_read=15),
    )
    body, losses = _body(response)
    assert opened(body["content"][0].pop("signature")) == KIMI
    assert body == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "asked-for",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "hi"},
            {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 15,
            "output_tokens": 9,
        },
    }
    assert losses == []


def test_arguments_that_are_no_object() -> None:
    """They are given under a name that says so, and it is a serious loss."""
    body, losses = _body(_whole(ToolCall("c", "f", '{"a": "cut'), ToolCall("d", "f", "")))
    assert [block["input"] for block in body["content"]] == [{"raw_arguments": '{"a": "cut'}, {}]
    assert [(loss.path, loss.severity) for loss in losses] == [("content[0].input", "error")]


def test_usage_that_nobody_told() -> None:
    """The members are there; the input is the estimate, no output is invented."""
    assert _body(_whole(Text("a")))[0]["usage"] == {"input_tokens": 7, "output_tokens": 0}
    assert encode(unfold(_whole(Text("a"))))[0][-2]["usage"] == {"output_tokens": 0}


@pytest.mark.parametrize(
    "signed, origin",
    [
        (OWN, "anthropic"),
        (REDACTED, "anthropic"),
        (KIMI, "anthropic"),
        (None, "anthropic"),
        (OWN, "openai_chat"),
        (KIMI, "openai_chat"),
        (Signed("openrouter", "openai_chat:reasoning_details", "[]"), "openai_chat"),
        (None, "openai_chat"),
    ],
)
def test_signed_state_makes_the_round(signed: Signed | None, origin: str) -> None:
    """What a client gets as a signature, it sends back, and it is what it was: own as it is, foreign in an envelope."""
    part = Thinking("" if signed == REDACTED else "hm", signed)
    body, _ = _body(_whole(part, origin=origin))
    history = {"model": "m", "messages": [{"role": "assistant", "content": body["content"]}]}
    [back] = DIALECT.client.parse_request(json.dumps(history).encode()).messages[0].parts
    assert isinstance(back, Thinking)
    assert (back.text, back.signed) == (part.text, part.signed)
    raw = signed is not None and signed.origin == origin == "anthropic"
    assert not raw or (body["content"][0].get("signature") or body["content"][0].get("data")) == signed.blob  # type: ignore[union-attr]


_words = st.text(max_size=8)
_ids = st.text(min_size=1, max_size=8)
_parts: st.SearchStrategy[Any] = st.one_of(
    st.builds(Text, _words),
    st.builds(Thinking, _words, st.sampled_from([OWN, KIMI, None])),
    st.builds(ToolCall, _ids, _words, st.sampled_from(["{}", '{"a":[1,"é"]}', '{"b":{}}'])),
    st.builds(ServerToolCall, _ids, _words, st.just('{"q":1}'), st.just("server_tool_use")),
    st.just(
        ServerToolResult(
            "s", "web_search_tool_result", Raw(b'{"type":"web_search_tool_result","tool_use_id":"s"}'), "web_search"
        )
    ),
)


@given(st.lists(_parts, max_size=4), st.sampled_from(["anthropic", "openai_chat"]))
def test_what_is_encoded_is_decoded(parts: list[Part], origin: str) -> None:
    """Text, tool calls and their order, stop reason and usage survive the wire, whoever answered."""
    response = _whole(
        *parts,
        origin=origin,
        id="msg_1",
        usage=Usage(input=9, output=3, cache_read=4, cache_write=0),
        finish=Finish(StopReason.MAX_TOKENS, "max_tokens"),
    )
    encoder = DIALECT.client.encoder(encoder_setup())
    back = fold(decode(b"".join(encoder.encode(event) for event in unfold(response))))
    kept = [part for part in parts if origin == "anthropic" or not isinstance(part, ServerToolCall | ServerToolResult)]
    assert [_said(part) for part in back.parts] == [_said(part) for part in kept]
    assert (back.finish.reason, back.usage.input, back.usage.output) == (StopReason.MAX_TOKENS, 9, 3)


def _said(part: Part) -> Part:
    return replace(part, signed=None, extras={}) if isinstance(part, Thinking) else part


@given(st.lists(_parts, max_size=4))
def test_a_stream_and_a_body_say_the_same(parts: list[Part]) -> None:
    """Two views of one answer."""
    response = _whole(*parts, origin="anthropic", id="msg_1", usage=Usage(input=9, output=3))
    events: list[Event] = list(unfold(response))
    encoder = DIALECT.client.encoder(encoder_setup())
    streamed = fold(decode(b"".join(encoder.encode(event) for event in events)))
    whole = json.loads(DIALECT.client.render_response(response, encoder_setup())[0])
    assert json.loads(DIALECT.client.render_response(streamed, encoder_setup())[0])["content"] == whole["content"]


def test_free_text_is_wrapped_piece_by_piece() -> None:
    """The input is an object: the text of a custom tool is a string in it, in streams as in bodies."""
    call = ToolCall("t", "patch", 'a "b"\n\u00e9\\', kind="custom")
    told: list[Event] = [Start("openai_responses", "r", "m"), PartStart(0, replace(call, arguments=""))]
    told += [ArgumentsDelta(0, piece) for piece in (call.arguments[:4], "", call.arguments[4:])]
    told += [PartStop(0), PartStart(1, Text("")), TextDelta(1, "x"), PartStop(1), Finish(StopReason.TOOL_USE)]
    sent, losses = encode(told)
    pieces = [event["delta"] for event in sent if event["type"] == "content_block_delta"]
    assert json.loads("".join(piece.get("partial_json", "") for piece in pieces)) == {"input": call.arguments}
    assert pieces[-1] == {"type": "text_delta", "text": "x"}
    assert losses == []
    body, _ = _body(_whole(call))
    assert body["content"][0]["input"] == {"input": call.arguments}


@pytest.mark.parametrize("model", ["gpt", ""])
def test_a_foreign_model_goes_by_the_clients_name_for_it(model: str) -> None:
    """Claude Code 2.1.197 forgets the thinking of an answer that names another model than it asked for."""
    body, _ = _body(_whole(Text("hi"), model=model))
    assert body["model"] == "asked-for"
    assert _body(_whole(Text("hi"), origin="anthropic"))[0]["model"] == "gpt"


@pytest.mark.parametrize(
    "parts, kinds",
    [
        ((Text("hi"), Thinking("", KIMI)), ["text"]),
        ((Thinking("", KIMI), Text("hi")), ["thinking", "text"]),
        ((Text("hi"), Thinking("", KIMI), ToolCall("call_1", "ls", "{}")), ["text", "thinking", "tool_use"]),
        ((Text("hi"), Thinking("hm", KIMI)), ["text", "thinking"]),
        ((Thinking("", KIMI),), ["thinking"]),
        ((Thinking("", KIMI), Thinking("", KIMI)), ["thinking"]),
    ],
    ids=["last", "first", "before a call", "with words", "alone", "two"],
)
def test_nothing_to_show_is_never_last(parts: tuple[Part, ...], kinds: list[str]) -> None:
    """Clients take the last block for the answer, so signed state without words may not stand there."""
    response = _whole(*parts)
    body, losses = _body(response)
    assert [block["type"] for block in body["content"]] == kinds
    assert bool(losses) == (len(kinds) < len(parts))
    events, _ = encode(unfold(response))
    started = [event for event in events if event["type"] == "content_block_start"]
    assert [event["content_block"]["type"] for event in started] == kinds
    assert [event["index"] for event in events if event["type"] == "content_block_stop"] == list(range(len(kinds)))
