"""Folding events to a response, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.errors import ErrorKind
from strowger.ir.events import (
    ArgumentsDelta,
    Checker,
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
from strowger.ir.request import (
    Citation,
    Opaque,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import IncompleteError, Response, fold, unfold

START = Start("anthropic", "msg_1", "m", created=7)
FINISH = Finish(StopReason.END, "end_turn")

_words = st.text(max_size=12)
_raw = st.sampled_from([Raw(b"1"), Raw(b'{"a":[]}'), Raw(b"null")])
_extras = st.dictionaries(st.sampled_from(["x", "y"]), _raw, max_size=2)
_signed = st.none() | st.builds(Signed, st.just("o"), st.just("k"), _words)
_parts: st.SearchStrategy[Any] = st.one_of(
    st.builds(Text, _words, citations=st.lists(_raw, max_size=2).map(tuple), extras=_extras),
    st.builds(Thinking, _words, _signed, extras=_extras),
    st.builds(Refusal, _words),
    st.builds(ToolCall, _words, _words, _words, extras=_extras),
    st.builds(ServerToolCall, _words, _words, _words),
    st.builds(ServerToolResult, _words, _words, _raw),
    st.builds(Opaque, _words, _words, _raw),
)
_count = st.none() | st.integers(0, 10**6)
_responses = st.builds(
    Response,
    origin=_words,
    id=_words,
    model=_words,
    parts=st.lists(_parts, max_size=5).map(tuple),
    finish=st.builds(Finish, st.sampled_from(StopReason), _words, st.none() | _words, _extras),
    usage=st.builds(Usage, _count, _count, _count, _count, _count, extras=_extras),
    created=_count,
    notes=st.lists(_raw, max_size=2).map(tuple),
    extras=_extras,
)


@given(_responses)
def test_unfold_and_fold_are_inverse(response: Response) -> None:
    """A streaming and a non-streaming answer are two views of one thing."""
    assert fold(unfold(response)) == response


@given(_responses)
def test_unfold_is_a_legal_stream(response: Response) -> None:
    """Encoders may rely on the order of events wherever they come from."""
    checker = Checker()
    for event in unfold(response):
        checker.check(event)
    assert checker.state == "ended"


def test_deltas_are_joined_by_part() -> None:
    """Text, thinking with its signature, citations and arguments each end up in their own part, in order."""
    signed = Signed("anthropic", "anthropic:signature", "sig")
    response = fold(
        [
            START,
            PartStart(0, Thinking("")),
            ThinkingDelta(0, "hm"),
            ThinkingDelta(0, "m"),
            SignatureDelta(0, signed),
            PartStop(0),
            UsageUpdate(Usage(input=3)),
            PartStart(1, Text("")),
            TextDelta(1, "a"),
            CitationDelta(1, Citation(Raw(b"1"))),
            TextDelta(1, "b"),
            PartStop(1),
            PartStart(2, ToolCall("c", "f", "")),
            ArgumentsDelta(2, '{"a"'),
            ArgumentsDelta(2, ":1}"),
            PartStop(2),
            Note(Raw(b'{"type":"news"}')),
            UsageUpdate(Usage(output=9)),
            FINISH,
        ]
    )
    assert response.parts == (
        Thinking("hmm", signed),
        Text("ab", citations=(Citation(Raw(b"1")),)),
        ToolCall("c", "f", '{"a":1}'),
    )
    assert response.usage == Usage(input=3, output=9)
    assert response.notes == (Raw(b'{"type":"news"}'),)
    assert (response.id, response.created, response.finish) == ("msg_1", 7, FINISH)


def test_a_failure_is_not_a_response() -> None:
    """Half an answer is never taken for a whole one: the failure comes out."""
    failure = Failure(ErrorKind.OVERLOADED, "busy")
    with pytest.raises(IncompleteError) as caught:
        fold([START, PartStart(0, Text("")), TextDelta(0, "half"), failure])
    assert caught.value.failure == failure


@pytest.mark.parametrize("events", [[], [START], [FINISH]])
def test_start_and_finish_are_needed(events: list[Any]) -> None:
    """A stream that just stops has no response, and no failure to show either."""
    with pytest.raises(IncompleteError) as caught:
        fold(events)
    assert caught.value.failure is None
