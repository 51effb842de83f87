"""How numbers and tables read."""

from __future__ import annotations

import pytest

from strowger.cli import render


def test_columns_are_aligned() -> None:
    """Each column is as wide as its widest cell, and no line ends in blanks."""
    assert render.table([("a", "bb", ""), ("ccc", "d", "e")], indent=1) == [" a    bb", " ccc  d   e"]
    assert render.table([]) == []
    assert render.table([], header=("A",)) == []
    assert "A" in render.table([("x",)], header=("A",))[0]


def test_nobody_else_steers_the_terminal() -> None:
    """What a vendor calls a model or a limit cannot set a title, move the cursor or begin a line."""
    assert render.table([("a\x1b]0;owned\x07b", "c\rd\n")]) == ["a\ufffd]0;owned\ufffdb  c d"]


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3725, "1h 2m"), (90000, "1d 1h"), (86400, "1d 0h")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    """The two largest units say enough."""
    assert render.duration(seconds) == text


def test_numbers_have_their_nouns() -> None:
    """One call, two calls; what was not measured is a dash."""
    assert [render.count(1, "call"), render.count(2000, "call"), render.count(2, "alias", "aliases")] == [
        "1 call",
        "2,000 calls",
        "2 aliases",
    ]
    assert [render.milliseconds(value) for value in (None, 0.54, 1234.5)] == ["-", "0.5 ms", "1,234 ms"]
