"""RFC 3339 without a clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.gemini.instants import seconds, written


@given(st.integers(0, 253_402_300_799))
def test_every_second_is_written_as_the_calendar_says(instant: int) -> None:
    """And read again as it was."""
    text = written(instant)
    assert text == datetime.fromtimestamp(instant, UTC).isoformat().replace("+00:00", "Z")
    assert seconds(text) == instant


@pytest.mark.parametrize("day", ["2000-02-29", "2024-02-29", "2100-02-28", "2100-03-01", "1970-01-01", "1999-12-31"])
def test_leap_years(day: str) -> None:
    """Every fourth, but not every hundredth, but every 400th."""
    assert seconds(f"{day}T12:00:00Z") == int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())
    assert written(seconds(f"{day}T12:00:00Z") or 0) == f"{day}T12:00:00Z"


@pytest.mark.parametrize(
    "text,same",
    [
        ("2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05+02:30", "2026-01-02T00:34:05Z"),
        ("2026-01-02t03:04:05-01:00", "2026-01-02T04:04:05Z"),
    ],
)
def test_fractions_and_zones(text: str, same: str) -> None:
    """Nine digits of a second, as Google writes, and offsets from UTC."""
    assert seconds(text) == seconds(same)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2025-02-29T00:00:00Z", "٢" * 20]
)
def test_what_is_no_time(text: str) -> None:
    """Without a zone it could be any; days that do not exist are none."""
    assert seconds(text) is None


@pytest.mark.parametrize("instant", [-1, 253_402_300_800, 10**30])
def test_years_of_other_lengths_are_not_written(instant: int) -> None:
    """No client reads them; an upstream may say anything."""
    assert written(instant) == ""
