"""One open part at a time, in order, nothing lost."""

from __future__ import annotations

from strowger.dialects.sequencer import Sequencer
from strowger.ir.events import ArgumentsDelta, Event, PartStart, PartStop, SignatureDelta, TextDelta, ThinkingDelta
from strowger.ir.request import Signed, Text, Thinking, ToolCall


def tool(identity: str) -> ToolCall:
    return ToolCall(identity, "f", "")


def test_the_open_part_goes_straight_through() -> None:
    """Pieces of the part that is open leave at once; its end leaves with the end of the answer."""
    sequencer, out = Sequencer(), list[Event]()
    slot = sequencer.begin(Text(""), out)
    sequencer.extend(slot, "a", out)
    sequencer.extend(slot, "b", out)
    assert out == [PartStart(0, Text("")), TextDelta(0, "a"), TextDelta(0, "b")]
    sequencer.end(out)
    assert out[3:] == [PartStop(0)]


def test_text_closes_when_something_else_begins() -> None:
    """Text and thinking can always be closed, so what comes behind them need not wait."""
    sequencer, out = Sequencer(), list[Event]()
    sequencer.extend(sequencer.begin(Thinking(""), out), "hm", out)
    sequencer.extend(sequencer.begin(Text(""), out), "a", out)
    assert out == [
        PartStart(0, Thinking("")),
        ThinkingDelta(0, "hm"),
        PartStop(0),
        PartStart(1, Text("")),
        TextDelta(1, "a"),
    ]


def test_a_call_waits_behind_one_whose_arguments_are_not_complete() -> None:
    """Interleaved calls come out one after the other, each whole."""
    sequencer, out = Sequencer(), list[Event]()
    first = sequencer.begin(tool("a"), out)
    second = sequencer.begin(tool("b"), out)
    sequencer.extend(first, '{"x"', out)
    sequencer.extend(second, '{"y":', out)
    assert out == [PartStart(0, tool("a")), ArgumentsDelta(0, '{"x"')]
    sequencer.extend(first, ":1}", out)
    sequencer.extend(second, "2}", out)
    assert out[2:] == [
        ArgumentsDelta(0, ":1}"),
        PartStop(0),
        PartStart(1, tool("b")),
        ArgumentsDelta(1, '{"y":2}'),
    ]
    sequencer.end(out)
    assert out[-1] == PartStop(1)


def test_a_call_with_complete_arguments_makes_room() -> None:
    """The second of two calls that come one after the other streams as it comes."""
    sequencer, out = Sequencer(), list[Event]()
    sequencer.extend(sequencer.begin(tool("a"), out), "{}", out)
    second = sequencer.begin(tool("b"), out)
    sequencer.extend(second, "{", out)
    assert out[2:] == [PartStop(0), PartStart(1, tool("b")), ArgumentsDelta(1, "{")]


def test_braces_that_close_nothing_are_not_the_end() -> None:
    """Arguments that merely end with a brace, or are no object, are not complete."""
    for begun in ('{"a":"}', '{"a":{}', "12", '{"a":1}}'):
        sequencer, out = Sequencer(), list[Event]()
        sequencer.extend(sequencer.begin(tool("a"), out), begun, out)
        sequencer.begin(tool("b"), out)
        assert PartStop(0) not in out, begun


def test_the_end_lets_everything_out_in_order() -> None:
    """A call that never became whole, and what waited behind it, leave at the end as they are."""
    sequencer, out = Sequencer(), list[Event]()
    sequencer.extend(sequencer.begin(tool("a"), out), '{"cut', out)
    sequencer.extend(sequencer.begin(Text(""), out), "after", out)
    sequencer.extend(sequencer.begin(tool("b"), out), "{}", out)
    sequencer.end(out)
    assert out == [
        PartStart(0, tool("a")),
        ArgumentsDelta(0, '{"cut'),
        PartStop(0),
        PartStart(1, Text("")),
        TextDelta(1, "after"),
        PartStop(1),
        PartStart(2, tool("b")),
        ArgumentsDelta(2, "{}"),
        PartStop(2),
    ]
    assert sequencer.count == 3


def test_the_signature_leaves_just_before_the_end_of_its_part() -> None:
    """Signed state is asked for when the part closes, not before."""
    sequencer, out = Sequencer(), list[Event]()
    state: list[str] = []
    slot = sequencer.begin(Thinking(""), out, lambda: Signed("o", "k", "".join(state)))
    sequencer.extend(slot, "hm", out)
    state.append("late")
    sequencer.end(out)
    assert out[2:] == [SignatureDelta(0, Signed("o", "k", "late")), PartStop(0)]


def test_what_comes_for_a_closed_part_is_dropped() -> None:
    """White space behind complete arguments must not open a closed part again."""
    sequencer, out = Sequencer(), list[Event]()
    first = sequencer.begin(tool("a"), out)
    sequencer.extend(first, "{}", out)
    sequencer.begin(tool("b"), out)
    before = list(out)
    sequencer.extend(first, " \n", out)
    assert out == before
