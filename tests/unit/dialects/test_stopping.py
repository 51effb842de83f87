"""Stop sequences that the gateway itself watches for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.stopping import StopWatch, cut
from strowger.ir.events import (
    ArgumentsDelta,
    Checker,
    Event,
    Finish,
    PartStart,
    PartStop,
    Start,
    StopReason,
    TextDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Text, ToolCall
from strowger.ir.response import fold

START = Start("x", "id", "m")


def said(*pieces: str) -> list[Event]:
    """An answer of one text in pieces."""
    deltas: list[Event] = [TextDelta(0, piece) for piece in pieces]
    return [START, PartStart(0, Text("")), *deltas, PartStop(0), Finish(StopReason.END)]


def streamed(events: list[Event], *stops: str) -> list[Event]:
    """The events, one at a time, through a watch."""
    watch = StopWatch(stops)
    return [out for event in events for out in watch.passed([event])]


def text_of(events: list[Event]) -> str:
    """All text of the events."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_the_text_ends_before_the_sequence() -> None:
    """The sequence itself is not part of the answer, and the reason names it."""
    events = streamed(said("one STO", "P two"), "STOP")
    assert text_of(events) == "one "
    assert events[-1] == Finish(StopReason.STOP_SEQUENCE, stop_sequence="STOP")


def test_the_longest_of_several_wins() -> None:
    """Of sequences that begin at one place the longest is meant."""
    assert streamed(said("a--->b"), "-", "--->")[-1] == Finish(StopReason.STOP_SEQUENCE, stop_sequence="--->")


def test_what_only_looked_like_one_comes_after_all() -> None:
    """A beginning that was held back is given when the text goes on otherwise, or ends."""
    assert text_of(streamed(said("a ST", "AR"), "STOP")) == "a STAR"
    assert text_of(streamed(said("a STO"), "STOP")) == "a STO"


def test_arguments_of_tools_are_not_looked_at() -> None:
    """Stop sequences are about what the model says, not about what it writes into a file."""
    call: list[Event] = [START, PartStart(0, ToolCall("c", "t", "")), ArgumentsDelta(0, "STOP"), PartStop(0)]
    events = [*call, Finish(StopReason.TOOL_USE)]
    assert streamed(events, "STOP") == events


def test_a_whole_answer_keeps_what_it_cost() -> None:
    """The tokens of the whole answer were spent, also those behind the sequence."""
    events = said("a STOP b")
    events.insert(-1, UsageUpdate(Usage(input=1, output=2)))
    response = fold(cut(events, ("STOP",)))
    assert response.usage == Usage(input=1, output=2)
    assert response.finish.stop_sequence == "STOP"
    assert cut(events, ()) is events
    assert cut(events, ("x",)) == events


@given(st.lists(st.text("ab-", max_size=4)), st.lists(st.text("ab-", min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_cut_of_the_text_gives_the_same(pieces: list[str], stops: list[str]) -> None:
    """However the text comes in pieces, it ends before the first sequence, in legal order."""
    events = streamed(said(*pieces), *stops)
    checker = Checker()
    for event in events:
        checker.check(event)
    whole = "".join(pieces)
    ends = [at for stop in stops if (at := whole.find(stop)) >= 0]
    assert text_of(events) == (whole[: min(ends)] if ends else whole)
