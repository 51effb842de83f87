"""Calls, sessions and limits in the words of a cell."""

from __future__ import annotations

from typing import Any

import pytest

from strowger.tui import words
from strowger.tui.state import Group, Place, Tally


@pytest.mark.parametrize(
    "number, said",
    [(None, "-"), (0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12.3k"), (999_950, "1.0M"), (123_456_789, "123M")],
)
def test_counts_are_short(number: int | None, said: str) -> None:
    """Five signs at most."""
    assert words.amount(number) == said


@pytest.mark.parametrize(
    "value, said",
    [(0.0005, "0 ms"), (0.25, "250 ms"), (5.04, "5.0 s"), (65, "1m 05s"), (3_700, "1h 01m"), (90_000, "1d 01h")],
)
def test_times_are_short(value: float, said: str) -> None:
    """In the unit that fits."""
    assert words.seconds(value) == said


def test_who_pays_is_seen() -> None:
    """Money, the value of a plan's traffic in brackets, and what is free."""
    assert words.cost({"billing": "metered", "billed_usd": 0.0123}) == "$0.0123"
    assert words.cost({"billing": "plan", "billed_usd": 2.5}) == "($2.50)"
    assert words.cost({"billing": "free", "billed_usd": 0.0}) == "free"
    assert words.cost({"billing": "metered", "billed_usd": None}) == "-"
    assert words.spent(Tally(money=1.5, value=3.0)) == "$1.50 ($3.00)"
    assert words.spent(Tally(value=3.0)) == "($3.00)"


def test_a_branch_says_what_runs_and_what_failed() -> None:
    """By signs, as not everybody sees colours."""
    group = Group(Place("session-abc"), "claude shop", Tally(calls=5, running=1, failed=2, money=0.5), [])
    assert words.branch(group) == "claude shop session-  5 ▶1 ✗2  $0.5000"


def test_bars_are_as_high_as_the_highest() -> None:
    """And as many as there is room for."""
    assert words.sparkline([0, 1, 2, 4, 8], 4) == "▁▂▄█"
    assert words.sparkline([0, 0], 9) == "  "
    assert words.sparkline([1.0], 0) == ""


def test_limits_say_when_they_begin_anew() -> None:
    """A share where it is told, or where it can be worked out."""
    known: list[tuple[str, dict[str, Any]]] = [
        ("codex", {"name": "5h", "used_percent": 81.2, "resets_at": 4600.0}),
        ("up", {"name": "tokens", "limit": 1000, "remaining": 250}),
        ("up", {"name": "odd"}),
    ]
    assert list(words.windows(iter(known), 1000.0)) == ["codex 5h 81% used, anew in 1h 00m", "up tokens 75% used"]


def test_control_characters_are_not_shown() -> None:
    """A model's name may try to move the cursor."""
    assert words.plain("a\x1b[2Jb\nc") == "a [2Jb c"
