"""The order of parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.dialects.openai_responses.lineup import Lineup
from strowger.ir.events import CitationDelta, Event, PartStart, PartStop, SignatureDelta, TextDelta, ThinkingDelta
from strowger.ir.request import Citation, Signed, Text, Thinking


def test_the_first_goes_straight_through() -> None:
    """Each piece as it comes."""
    lineup, out = Lineup(), list[Event]()
    slot = lineup.begin(lineup.enter(), Text(""), out)
    lineup.grow(slot, "a", out)
    lineup.end(slot, out)
    assert out == [PartStart(0, Text("")), TextDelta(0, "a"), PartStop(0)]


def test_others_wait_with_all_they_say() -> None:
    """Texts, citations and signed state follow in their order when it is their turn."""
    lineup, out = Lineup(), list[Event]()
    first, second = lineup.enter(), lineup.enter()
    cited, signed = Citation(Raw(b"{}")), Signed("o", "k", "b")
    thought = lineup.begin(second, Thinking(""), out)
    lineup.grow(thought, "t", out)
    lineup.sign(thought, signed, out)
    said = lineup.begin(second, Text(""), out)
    lineup.cite(said, cited, out)
    lineup.leave(second, out)
    assert out == []
    lineup.leave(first, out)
    assert out == [
        *(PartStart(0, Thinking("")), ThinkingDelta(0, "t"), SignatureDelta(0, signed), PartStop(0)),
        *(PartStart(1, Text("")), CitationDelta(1, cited), PartStop(1)),
    ]


def test_what_comes_after_an_end_is_lost() -> None:
    """A part that ended was whole."""
    lineup, out = Lineup(), list[Event]()
    slot = lineup.begin(lineup.enter(), Text(""), out)
    lineup.end(slot, out)
    lineup.grow(slot, "late", out)
    lineup.cite(slot, Citation(Raw(b"{}")), out)
    lineup.sign(slot, Signed("o", "k", "b"), out)
    assert out == [PartStart(0, Text("")), PartStop(0)]


@given(st.lists(st.integers(0, 3), max_size=30), st.permutations(range(4)))
def test_nothing_is_mixed_and_nothing_is_lost(said: list[int], ends: list[int]) -> None:
    """Whatever the order of pieces and ends, parts leave in the order of their items, each whole."""
    lineup, out = Lineup(), list[Event]()
    places = [lineup.enter() for _ in range(4)]
    slots = [lineup.begin(place, Text(""), out) for place in places]
    for number, which in enumerate(said):
        lineup.grow(slots[which], f"{number},", out)
    for which in ends:
        lineup.leave(places[which], out)
    expected = ["".join(f"{n}," for n, which in enumerate(said) if which == part) for part in range(4)]
    told = ["".join(e.text for e in out if isinstance(e, TextDelta) and e.index == part) for part in range(4)]
    assert told == expected
    edges = [e.index for e in out if isinstance(e, PartStart | PartStop)]
    assert edges == [0, 0, 1, 1, 2, 2, 3, 3]
