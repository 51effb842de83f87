"""Straight conversations: what comes of them is what comes of the long way."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects import stretches
from strowger.dialects.base import Capabilities, Rendered
from strowger.dialects.openai_chat import straight
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.render import render_request
from strowger.ir.request import (
    Base64,
    CacheHint,
    Citation,
    Image,
    Message,
    Request,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

CAPS = Capabilities(origin="up")
EXTRAS = st.sampled_from([{}, {}, {}, {"odd": Raw(b"1")}])
CACHES = st.sampled_from([None, None, CacheHint()])
TEXTS = st.builds(
    Text,
    st.sampled_from(["a", "b\n", "", " ", "\u00a0", "é"]),
    CACHES,
    st.sampled_from([(), (), (Citation(Raw(b"{}")),)]),
    EXTRAS,
)
IMAGES = st.just(Image(Base64("image/png", "AAAA")))
IDS = st.sampled_from(["1", "2", "3", "a-long-identity", ""])
CALLS = st.builds(
    ToolCall,
    IDS,
    st.sampled_from(["run", "a.b", "a_b"]),
    st.just("{}"),
    st.sampled_from(["function", "custom"]),
    CACHES,
)
SIGNED = Signed("up", "gemini:signature", "blob", "call:1")
THOUGHTS = st.sampled_from([Thinking("hm"), Thinking("", Signed("x", "x:signature", "s")), Thinking("", SIGNED)])
RESULTS = st.builds(
    ToolResult,
    IDS,
    st.lists(st.one_of(TEXTS, TEXTS, IMAGES), max_size=2).map(tuple),
    st.sampled_from([None, False, True]),
    name=st.sampled_from([None, None, "run"]),
    cache=CACHES,
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Turns, mostly in order and with the answers to their calls, sometimes not."""
    said: list[Message] = []
    for _ in range(draw(st.integers(0, 4))):
        role = draw(st.sampled_from(["user", "user", "system"]))
        said.append(_message(draw, role, draw(st.lists(st.one_of(TEXTS, TEXTS, IMAGES), max_size=2))))
        calls = draw(st.lists(CALLS, max_size=2))
        said.append(_message(draw, "assistant", [*draw(st.lists(st.one_of(TEXTS, THOUGHTS), max_size=2)), *calls]))
        results = [replace(draw(RESULTS), call_id=call.id) for call in calls]
        if draw(st.integers(0, 9)) == 0:
            results = draw(st.permutations([*results, *draw(st.lists(RESULTS, max_size=1))]))
        if draw(st.integers(0, 9)) == 0:
            said.append(_message(draw, "system", [Text("in between")]))
        if results:
            said.append(_message(draw, "user", [*results, *draw(st.lists(TEXTS, max_size=1))]))
    return tuple(said)


def _message(draw: st.DrawFn, role: Any, parts: list[Any]) -> Message:
    name = draw(st.sampled_from([None, None, None, None, "ann"]))
    return Message(role, tuple(parts), plain=len(parts) == 1, name=name, extras=draw(EXTRAS))


def rendered(messages: tuple[Message, ...], caps: Capabilities) -> Rendered:
    """The request of another dialect's client, for a Chat server."""
    return render_request(Request("anthropic", "m", messages), "m", caps)


@given(
    conversations(),
    st.builds(
        Capabilities,
        origin=st.just("up"),
        empty_text=st.booleans(),
        cache_hints=st.booleans(),
        tool_result_images=st.booleans(),
        mid_system=st.booleans(),
        thinking_required_in_tool_loops=st.booleans(),
        max_tool_id=st.sampled_from([0, 9]),
        max_tool_name=st.sampled_from([0, 64]),
    ),
)
def test_both_ways_lead_to_one_end(messages: tuple[Message, ...], caps: Capabilities) -> None:
    """Bytes, losses and names are those of the long way, whatever the conversation holds and the target takes."""
    with patch.object(stretches, "_cuts", lambda messages, start: [start]):
        short = rendered(messages, caps)
        with patch.object(straight, "is_straight", return_value=False):
            assert rendered(messages, caps) == short


CALL = Message("assistant", (Text("Look:"), ToolCall("1", "run", "{}"), ToolCall("2", "run", "{}")))
ANSWER = Message("user", (ToolResult("1", (Text("one"),)), ToolResult("2", (Text("two"),)), Text("And?")))
ASK = Message("user", (Text("Hi"),))


@pytest.mark.parametrize(
    "messages, straight_on",
    [
        ((), True),
        ((ASK, CALL, ANSWER), True),
        ((ASK, Message("system", (Text("note"),)), CALL, ANSWER), True),
        ((ASK, ASK), True),
        ((ASK, CALL), False),
        ((ASK, CALL, ASK), False),
        ((ASK, ANSWER), False),
        ((ASK, CALL, CALL, ANSWER), False),
        ((CALL, replace(ANSWER, parts=ANSWER.parts[1::-1])), False),
        ((CALL, ANSWER, ASK), False),
        ((Message("assistant", (Text("a"),)), Message("assistant", (Text("b"),))), False),
        ((ASK, Message("tool", (ToolResult("1"),))), False),
        ((Message("assistant", (CALL.parts[1], CALL.parts[1])), replace(ANSWER, parts=ANSWER.parts[:1] * 2)), False),
        (
            (CALL, replace(ANSWER, parts=(ToolResult("1", (Image(Base64("image/png", "AAAA")),)), ANSWER.parts[1]))),
            False,
        ),
    ],
)
def test_what_is_straight(messages: tuple[Message, ...], straight_on: bool) -> None:
    """Turns in order, every call answered in the next turn of the user, in the order of the calls."""
    caps = replace(CAPS, tool_result_images=False)
    assert straight.is_straight(Job(Request("anthropic", "m", messages), caps), messages) is straight_on


def test_usual_turns() -> None:
    """Text and calls of functions are written at once; what needs a closer look is not."""
    job = Job(Request("anthropic", "m", ()), CAPS)
    assert straight.user(ASK) == {"role": "user", "content": "Hi"}
    assert straight.assistant(job, CALL) is not None
    assert straight.result(job, ToolResult("1", (Text("a"), Text("b")), is_error=True)) == {
        "role": "tool",
        "tool_call_id": "1",
        "content": "[tool error] a\n\nb",
    }
    assert straight.user(Message("user", (Text(" "),))) is None
    assert straight.user(Message("user", (Text("a", CacheHint()),))) is None
    assert straight.assistant(job, Message("assistant", (Thinking("hm"), Text("a")))) is None
    assert straight.result(job, ToolResult("1")) is None
