"""Calls, sessions and limits in the words of a cell."""

from __future__ import annotations

import time
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


def test_who_pays_is_seen() -> None:
    """Money, and the value of a plan's traffic in brackets."""
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
    assert list(words.windows(iter(known), 1000.0)) == ["codex 5h 81% used, anew in 1h 0m", "up tokens 75% used"]


def test_a_row_has_a_cell_for_each_column() -> None:
    """Names of models may try to move the cursor; a call of another day says on which."""
    now = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))
    call = {"outcome": "ok", "started": now - 60, "model": "a\x1b[2Jb\nc", "status": 200, "duration_ms": 65_000.0}
    row = words.cells(call, (0, 0), now)
    assert row == ("✓", "11:59:00", "a\ufffd[2Jb c", "-", "200", "-", "-", "-", "-", "1m 5s")
    assert len(row) == len(words.COLUMNS)
    assert words.cells({**call, "started": now - 86_400}, (0, 0), now)[1] == "2026-11-20 12:00"
    assert words.cells({**call, "outcome": "running"}, (7, 900), now)[4:] == ("7 ev", "-", "-", "-", "-", "1m 0s")
