"""Times as providers write them: seconds, milliseconds, `6m0s`, HTTP dates, RFC 3339, Unix time. Pure; the clock is
handed in. Must not know which header or body they stood in.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001, "µs": 0.000001}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|[dhms])")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|[dhms]))+")
# Numbers from here on are Unix time: nobody asks for thirty years of patience; from there on in milliseconds.
_UNIX_FROM = 1_000_000_000.0
_UNIX_MILLIS_FROM = 100_000_000_000.0
# Longer texts are no times, and expensive to look at.
_LONGEST = 64


def duration(text: str) -> float | None:
    """Seconds of `6m0s`, `1.5s`, `20ms`, `1d2h`; None for anything else."""
    whole = text.strip()[:_LONGEST]
    if not _DURATION.fullmatch(whole):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(whole))


def date(text: str) -> float | None:
    """Unix time of an RFC 3339 time (Anthropic) or an HTTP date (RFC 9110 §5.6.7); None for anything else."""
    text = text.strip()[:_LONGEST]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, IndexError, TypeError):
            return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


def moment(text: str, now: float) -> float | None:
    """The Unix time that a text names; a plain number is Unix time, or seconds from `now`. None for what is no time."""
    whole = text.strip()[:_LONGEST]
    try:
        number = float(whole)
    except ValueError:
        length = duration(whole)
        return date(whole) if length is None else now + length
    if not math.isfinite(number) or number < 0:
        return None
    if number >= _UNIX_MILLIS_FROM:
        return number / 1000
    return number if number >= _UNIX_FROM else now + number
