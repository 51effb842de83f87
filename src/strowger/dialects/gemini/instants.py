"""Points in time as Google writes them (RFC 3339), to and from Unix seconds, by arithmetic alone: no clock, no zone.

Years are counted from March, so that the day that leap years add is a year's last.
"""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
_DAY = 86_400
_DAYS_400 = 146_097
"""Days of 400 years, after which the calendar repeats."""
_EPOCH = 719_468
"""Days from 0000-03-01 to 1970-01-01."""
_MONTHS = (31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29)
"""Days of the months from March on."""
_LAST = 253_402_300_799
"""The end of the year 9999, in Unix seconds."""


def seconds(text: str) -> int | None:
    """Unix seconds, fractions dropped; None for what is not such a time."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    if not (1 <= month <= 12 and 1 <= day <= _longest(year, month) and hour < 24 and minute < 60 and second <= 60):
        return None
    offset = 0
    if found[7]:
        offset = (int(found[8]) * 60 + int(found[9])) * (60 if found[7] == "+" else -60)
    return _days(year, month, day) * _DAY + hour * 3600 + minute * 60 + second - offset


def written(instant: int) -> str:
    """The time in UTC; empty where its year has not four digits."""
    if not 0 <= instant <= _LAST:
        return ""
    days, rest = divmod(instant, _DAY)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def _longest(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 if month == 2 and not leap else _MONTHS[(month - 3) % 12]


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01."""
    if month < 3:
        year -= 1
    before = sum(_MONTHS[: (month - 3) % 12])
    return 365 * year + year // 4 - year // 100 + year // 400 + before + day - 1 - _EPOCH


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01."""
    rounds, left = divmod(days + _EPOCH, _DAYS_400)
    centuries = min(left // 36_524, 3)
    left -= centuries * 36_524
    fours, left = divmod(left, 1461)
    years = min(left // 365, 3)
    left -= years * 365
    month = 0
    while left >= _MONTHS[month]:
        left -= _MONTHS[month]
        month += 1
    year = rounds * 400 + centuries * 100 + fours * 4 + years + (month > 9)
    return year, (month + 2) % 12 + 1, left + 1
