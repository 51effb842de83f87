"""The order of events, and counting tokens."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.errors import ErrorKind
from strowger.ir.events import (
    ArgumentsDelta,
    Checker,
    Event,
    Failure,
    Finish,
    IllegalEventError,
    Note,
    PartStart,
    PartStop,
    Start,
    StopReason,
    TextDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Text, ToolCall

START = Start("anthropic", "msg_1", "m")
FINISH = Finish(StopReason.END)
FAILURE = Failure(ErrorKind.UPSTREAM, "cut")
USAGE = UsageUpdate(Usage(output=1))


def _check(*events: Event) -> str:
    checker = Checker()
    for event in events:
        checker.check(event)
    return checker.state


@pytest.mark.parametrize(
    "events",
    [
        (START, FINISH),
        (START, PartStart(0, Text("")), TextDelta(0, "a"), PartStop(0), FINISH),
        (START, PartStart(0, Text("")), PartStop(0), PartStart(1, Text("")), PartStop(1), FINISH),
        (START, USAGE, PartStart(0, Text("")), USAGE, Note(Raw(b"{}")), PartStop(0), USAGE, FINISH),
        (FAILURE,),
        (START, FAILURE),
        (START, PartStart(0, Text("")), TextDelta(0, "a"), FAILURE),
    ],
)
def test_legal_orders_end(events: tuple[Event, ...]) -> None:
    """Parts one after another, counts and notes in between, an end or a failure at any time."""
    assert _check(*events) == "ended"


@pytest.mark.parametrize(
    "events",
    [
        pytest.param((FINISH,), id="an end without a start"),
        pytest.param((USAGE,), id="counts before the start"),
        pytest.param((START, START), id="two starts"),
        pytest.param((START, TextDelta(0, "a")), id="a delta without a part"),
        pytest.param((START, PartStop(0)), id="a stop without a part"),
        pytest.param((START, PartStart(1, Text(""))), id="parts are counted from 0"),
        pytest.param((START, PartStart(0, Text("")), PartStart(1, Text(""))), id="parts do not overlap"),
        pytest.param((START, PartStart(0, Text("")), PartStop(0), PartStart(0, Text(""))), id="an index comes once"),
        pytest.param((START, PartStart(0, Text("")), PartStop(0), PartStart(2, Text(""))), id="no index is left out"),
        pytest.param((START, PartStart(0, Text("")), TextDelta(1, "a")), id="a delta of another part"),
        pytest.param((START, PartStart(0, Text("")), PartStop(1)), id="a stop of another part"),
        pytest.param(
            (START, PartStart(0, ToolCall("c", "f", "")), PartStop(0), ArgumentsDelta(0, "{}")), id="a late delta"
        ),
        pytest.param((START, PartStart(0, Text("")), FINISH), id="an end inside a part"),
        pytest.param((START, FINISH, FINISH), id="two ends"),
        pytest.param((START, FINISH, FAILURE), id="a failure after the end"),
        pytest.param((FAILURE, START), id="anything after a failure"),
    ],
)
def test_illegal_orders_are_caught(events: tuple[Event, ...]) -> None:
    """Every other order is a decoder's bug, and is caught at the step that is wrong, not before."""
    _check(*events[:-1])
    with pytest.raises(IllegalEventError):
        _check(*events)


def test_later_counts_replace_earlier_ones() -> None:
    """Counts are cumulative: what a later event states counts, what it leaves out stays."""
    first = Usage(input=10, output=1, cache_read=4, extras={"service_tier": Raw(b'"standard"')})
    last = Usage(output=7, reasoning=3, extras={"speed": Raw(b'"fast"')})
    assert first.merged(last) == Usage(
        input=10,
        output=7,
        cache_read=4,
        reasoning=3,
        extras={"service_tier": Raw(b'"standard"'), "speed": Raw(b'"fast"')},
    )


def test_zero_is_a_count() -> None:
    """An upstream that says 0 has said something; one that is silent has not."""
    assert Usage(cache_write=5).merged(Usage(cache_write=0)).cache_write == 0
    assert Usage(cache_write=5).merged(Usage()).cache_write == 5


def test_an_estimate_ends_when_counts_come() -> None:
    """The upstream's own counts make an estimate a count; silence does not."""
    estimate = Usage(input=100, estimated=True)
    assert estimate.merged(Usage(input=98, output=2)).estimated is False
    assert estimate.merged(Usage(cache_read=0)).estimated is True
