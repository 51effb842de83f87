"""Times as providers write them."""

from __future__ import annotations

import pytest

from strowger.providers.resets import date, duration, moment

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("6m0s", 360),
        ("1s", 1),
        ("1.5s", 1.5),
        ("20ms", 0.02),
        ("1h2m3s", 3723),
        ("1d", 86400),
        (" 7.66s ", 7.66),
        ("250us", 0.00025),
        ("7", None),
        ("soon", None),
        ("", None),
        ("1s later", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """OpenAI's durations: numbers with units, the largest first, and nothing else around them."""
    found = duration(text)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "text, at",
    [
        ("30", NOW + 30),
        ("0.5", NOW + 0.5),
        ("1790000042", 1_790_000_042),
        ("1790000042500", 1_790_000_042.5),
        ("6m0s", NOW + 360),
        ("2026-09-21T14:13:30Z", NOW + 10),
        ("2026-09-21T16:13:30+02:00", NOW + 10),
        ("Mon, 21 Sep 2026 14:13:30 GMT", NOW + 10),
        ("", None),
        ("later", None),
        ("nan", None),
        ("inf", None),
        ("-3", None),
    ],
)
def test_moments(text: str, at: float | None) -> None:
    """A small number counts from now, a large one is Unix time, a very large one in milliseconds; all else has form."""
    assert moment(text, NOW) == (None if at is None else pytest.approx(at))


@pytest.mark.parametrize(
    "text", ["", "x" * 100_000, "Mon, 99 Foo 2026", "0000-00-00", "Wed, 21 Oct 9999999 07:28:00 GMT"]
)
def test_what_is_no_date(text: str) -> None:
    """Whatever a server writes, reading it as a date does not raise."""
    assert date(text) is None
