"""Laws of the Chat Completions dialect that hold for anything that can be written or sent."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strowger.dialects.base import DecoderSetup, EncoderSetup
from strowger.dialects.openai_chat import DIALECT, FAITHFUL
from strowger.errors import BadRequest, Refused
from strowger.ir.events import (
    ArgumentsDelta,
    Checker,
    Event,
    Failure,
    Finish,
    PartStart,
    PartStop,
    Start,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Text, Thinking, ToolCall
from strowger.ir.response import Response, fold
from tests.properties.cuts import cut, cuts

LEAVES = st.sampled_from([None, True, 0, -1, 2**53, 1.5, "", "text", 'ü\u2028"', "漢🎈"])
JSON = (
    LEAVES
    | st.lists(LEAVES, max_size=2)
    | st.dictionaries(st.sampled_from(["a", "text", "type", ""]), LEAVES, max_size=2)
)
UNKNOWN = st.dictionaries(st.sampled_from(["x_a", "x_ü"]), JSON, max_size=1)
ARGUMENTS = st.dictionaries(st.text(max_size=2), JSON, max_size=2).map(json.dumps)


def decoder_setup() -> DecoderSetup:
    numbers = itertools.count()
    return DecoderSetup(origin="o", new_id=lambda prefix: f"{prefix}{next(numbers)}")


def encoder_setup() -> EncoderSetup:
    return EncoderSetup(model="m", new_id=lambda prefix: f"{prefix}0")


# ---- requests ----


def with_unknown(node: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """The node with members that nobody has heard of."""
    return st.builds(lambda known, unknown: {**unknown, **known}, node, UNKNOWN)


PARTS = st.one_of(
    with_unknown(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()})),
    with_unknown(
        st.fixed_dictionaries(
            {"type": st.just("image_url"), "image_url": with_unknown(st.fixed_dictionaries({"url": st.text()}))}
        )
    ),
    st.fixed_dictionaries({"type": st.just("x_later"), "x_later": JSON}),
)
CONTENT = st.none() | st.text() | st.lists(PARTS, max_size=3)
CALLS = with_unknown(
    st.fixed_dictionaries(
        {
            "id": st.text(max_size=4),
            "type": st.just("function"),
            "function": with_unknown(
                st.fixed_dictionaries({"name": st.text(max_size=4), "arguments": ARGUMENTS | st.text()})
            ),
        }
    )
)
MESSAGES = st.one_of(
    with_unknown(st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user"]), "content": CONTENT})),
    with_unknown(
        st.fixed_dictionaries(
            {"role": st.just("assistant")},
            optional={
                "content": CONTENT,
                "tool_calls": st.none() | st.lists(CALLS, max_size=2),
                "reasoning_content": st.none() | st.text(),
                "reasoning": st.none() | st.text(),
                "refusal": st.none() | st.text(),
                "name": st.none() | st.text(max_size=3),
            },
        )
    ),
    with_unknown(
        st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": st.text(max_size=4), "content": CONTENT})
    ),
)
TOOLS = with_unknown(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": with_unknown(
                st.fixed_dictionaries(
                    {"name": st.text(max_size=5)},
                    optional={
                        "description": st.none() | st.text(max_size=5),
                        "parameters": st.none() | UNKNOWN,
                        "strict": st.none() | st.booleans(),
                    },
                )
            ),
        }
    )
)
BODIES = with_unknown(
    st.fixed_dictionaries(
        {"model": st.text(max_size=5), "messages": st.lists(MESSAGES, max_size=4)},
        optional={
            "stream": st.none() | st.booleans(),
            "temperature": st.none() | st.integers(0, 2) | st.floats(0, 2),
            "stop": st.none() | st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=5),
            "max_tokens": st.none() | st.integers(0, 99999),
            "max_completion_tokens": st.none() | st.integers(0, 99999),
            "tools": st.none() | st.lists(TOOLS, max_size=2),
            "tool_choice": st.sampled_from([None, "auto", "none", "required", "any", "later", {"type": "x_later"}]),
            "reasoning_effort": st.none() | st.text(max_size=4),
            "reasoning": st.none() | UNKNOWN | st.just({"effort": "low", "exclude": True}),
            "thinking": st.none() | UNKNOWN | st.just({"type": "enabled", "budget_tokens": 5}),
            "response_format": st.none() | UNKNOWN | st.just({"type": "json_schema", "json_schema": {"name": "n"}}),
        },
    )
)


@settings(max_examples=60)
@given(BODIES)
def test_requests_come_back_as_they_were(body: dict[str, Any]) -> None:
    """With every unknown member, null and spelling."""
    request = DIALECT.client.parse_request(json.dumps(body).encode())
    drawn = DIALECT.upstream.render_request(request, request.model, FAITHFUL)
    assert json.loads(drawn.body) == body
    assert drawn.losses == ()


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """There is no third way."""
    for read in (DIALECT.client.peek, DIALECT.client.parse_request):
        with suppress(BadRequest):
            read(body)


# ---- answers ----


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """The events of an answer of another dialect."""
    events: list[Event] = [Start("anthropic", "msg_1", draw(st.text(max_size=4)))]
    kinds = draw(st.lists(st.sampled_from("tkc"), max_size=4))
    for index, kind in enumerate(kinds):
        match kind:
            case "t":
                pieces: list[Event] = [TextDelta(index, piece) for piece in draw(PIECES)]
                events += [PartStart(index, Text("")), *pieces, PartStop(index)]
            case "k":
                pieces = [ThinkingDelta(index, piece) for piece in draw(PIECES)]
                events += [PartStart(index, Thinking("")), *pieces, PartStop(index)]
            case _:
                whole = draw(ARGUMENTS)
                pieces = [ArgumentsDelta(index, piece) for piece in (whole[:3], whole[3:]) if piece]
                events += [PartStart(index, ToolCall(f"id{index}", f"f{index}", "")), *pieces, PartStop(index)]
    events.append(UsageUpdate(Usage(draw(st.integers(0, 9)), draw(st.integers(0, 9)), draw(st.none() | st.just(1)))))
    events.append(
        Finish(StopReason.TOOL_USE if "c" in kinds else draw(st.sampled_from([StopReason.END, StopReason.MAX_TOKENS])))
    )
    return events


PIECES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3)


def summary(response: Response) -> tuple[object, ...]:
    """What must survive a journey."""
    return (
        "".join(part.text for part in response.parts if isinstance(part, Text)),
        "".join(part.text for part in response.parts if isinstance(part, Thinking)),
        [(part.id, part.name, part.arguments) for part in response.parts if isinstance(part, ToolCall)],
        response.finish.reason,
        (response.usage.input, response.usage.output, response.usage.cache_read),
    )


def tagged(events: list[Event]) -> bool:
    """Whether the text would be taken for thinking by whoever reads it: then it is, and rightly."""
    return str(summary(fold(events))[0]).lstrip().startswith("<think>")


@given(answers(), cuts())
def test_what_is_encoded_is_decoded(events: list[Event], places: list[int]) -> None:
    """Text, thinking, calls, the reason and the counts, however the bytes are cut on the way."""
    encoder = DIALECT.client.encoder(encoder_setup())
    wire = b"".join(encoder.encode(event) + encoder.heartbeat() for event in events)
    decoder, checker = DIALECT.upstream.decoder(decoder_setup()), Checker()
    back = [event for piece in cut(wire, places) for event in decoder.feed(piece)] + decoder.close()
    for event in back:
        checker.check(event)
    if not tagged(events):
        assert summary(fold(back)) == summary(fold(events))


CHUNKS = st.lists(
    st.one_of(
        st.text(max_size=5).map(lambda text: {"choices": [{"index": 0, "delta": {"content": text}}]}),
        st.text(max_size=5).map(lambda text: {"choices": [{"index": 0, "delta": {"reasoning": text}}]}),
        st.builds(
            lambda index, identity, name, arguments: {
                "choices": [
                    {
                        "delta": {
                            "tool_calls": [
                                {"index": index, "id": identity, "function": {"name": name, "arguments": arguments}}
                            ]
                        }
                    }
                ]
            },
            st.none() | st.integers(0, 2),
            st.none() | st.sampled_from(["", "a", "b"]),
            st.none() | st.sampled_from(["", "f", "g"]),
            st.none() | ARGUMENTS | st.text(max_size=4) | st.just({"a": 1}),
        ),
        st.sampled_from(["stop", "", "error", "later"]).map(
            lambda word: {"choices": [{"delta": {}, "finish_reason": word}]}
        ),
        JSON.map(lambda value: {"choices": [{"index": 0, "delta": value}]}),
        JSON.map(lambda value: {"choices": value, "usage": value}),
        JSON,
    ),
    max_size=8,
).map(lambda values: b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values))


@given(CHUNKS | st.binary(max_size=80), cuts(), st.booleans())
def test_any_stream_is_told_in_order_and_has_one_end(wire: bytes, places: list[int], done: bool) -> None:
    """Whatever is sent and however it is cut: legal events, the same ones, ending once."""
    wire += b"data: [DONE]\n\n" if done else b""
    told = []
    for pieces in ([wire], cut(wire, places)):
        decoder, checker = DIALECT.upstream.decoder(decoder_setup()), Checker()
        events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
        for event in events:
            checker.check(event)
        assert checker.state == "ended"
        told.append(events)
    assert told[0] == told[1]


@given(
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps({"choices": [{"message": value}]}).encode())
    | JSON.map(json.dumps).map(str.encode)
)
def test_any_whole_answer_is_told_or_is_a_failure(body: bytes) -> None:
    """And what is told can be written again; an error is always an error."""
    events = DIALECT.upstream.decode_response(body, decoder_setup())
    checker = Checker()
    for event in events:
        checker.check(event)
    assert checker.state == "ended"
    if not isinstance(events[-1], Failure):
        DIALECT.client.render_response(fold(events), encoder_setup())
    refused = DIALECT.upstream.parse_error(500, {}, body)
    assert isinstance(refused, Refused)
    assert refused.message
