"""What the ChatGPT backend says of an account's limits: in the headers of its answers, and in an event beside them.

Headers are `x-codex-primary-used-percent`, `-window-minutes`, `-reset-at`, the same for `secondary`, and
`x-codex-credits-…`; limits of single models come as families of the same headers under another name, which has a
`…-limit-name` of its own. The event `codex.rate_limits` tells the same as JSON. Pure. Must not know what is done about
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from strowger.providers.quota import Credits, Reading, Window

_FAMILY = re.compile(r"x-([a-z0-9][a-z0-9_-]*?)-(primary|secondary)-used-percent")
_OWN = "codex"
_FULL = 100.0


class _Span(Struct):
    """A window in the event."""

    used_percent: float | None = None
    window_minutes: float | None = None
    reset_at: float | None = None
    reset_after_seconds: float | None = None


class _Limits(Struct):
    allowed: bool | None = None
    limit_reached: bool | None = None
    primary: _Span | None = None
    secondary: _Span | None = None


class _Credits(Struct):
    has_credits: bool = False
    unlimited: bool = False
    balance: str | float | None = None


class _Event(Struct):
    type: str = ""
    plan_type: str | None = None
    rate_limits: _Limits | None = None
    credits: _Credits | None = None
    metered_limit_name: str | None = None
    limit_name: str | None = None


_EVENT = msgspec.json.Decoder(_Event)


def from_headers(headers: Mapping[str, str], now: float) -> Reading | None:
    """The reading in the headers of an answer, names in lower case; None when they say nothing of limits."""
    windows: list[Window] = []
    # The windows of the account first, then those of single models.
    for name in sorted(headers, key=lambda header: (not header.startswith(f"x-{_OWN}-"), header)):
        found = _FAMILY.fullmatch(name)
        if found is not None:
            windows.append(_window(headers, found[1], found[2], now))
    credits = _credits(headers)
    reached = headers.get("x-codex-rate-limit-reached-type", "")
    if not windows and credits is None and not reached:
        return None
    used_up = any(_is_full(window) for window in windows if window.name in ("primary", "secondary"))
    return Reading(
        at=now,
        windows=tuple(windows),
        credits=credits,
        plan=headers.get("x-codex-plan-type") or None,
        limit_reached=bool(reached) or used_up,
    )


def from_event(event: bytes, now: float) -> Reading | None:
    """The reading in an event of the stream; None when it is about something else."""
    if b'"codex.rate_limits"' not in event:
        return None
    try:
        told = _EVENT.decode(event)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    limits = told.rate_limits
    if told.type != "codex.rate_limits" or limits is None:
        return None
    family = told.metered_limit_name or told.limit_name or _OWN
    spans = (("primary", limits.primary), ("secondary", limits.secondary))
    windows = tuple(_spanned(_named(family, place), span, now) for place, span in spans if span is not None)
    credits = told.credits
    return Reading(
        at=now,
        windows=windows,
        credits=None
        if credits is None
        else Credits(
            has_credits=credits.has_credits,
            unlimited=credits.unlimited,
            balance=None if credits.balance is None else f"{credits.balance}",
        ),
        plan=told.plan_type,
        limit_reached=limits.limit_reached is True or limits.allowed is False,
    )


def _window(headers: Mapping[str, str], family: str, place: str, now: float) -> Window:
    stem = f"x-{family}-{place}"
    resets_at, after = _number(headers.get(f"{stem}-reset-at")), _number(headers.get(f"{stem}-reset-after-seconds"))
    return Window(
        name=_named(headers.get(f"x-{family}-limit-name") or family, place),
        of_some=family != _OWN,
        used_percent=_number(headers.get(f"{stem}-used-percent")),
        minutes=_number(headers.get(f"{stem}-window-minutes")),
        resets_at=now + after if resets_at is None and after is not None else resets_at,
    )


def _spanned(name: str, span: _Span, now: float) -> Window:
    after = span.reset_after_seconds
    return Window(
        name=name,
        of_some=" " in name,
        used_percent=span.used_percent,
        minutes=span.window_minutes,
        resets_at=now + after if span.reset_at is None and after is not None else span.reset_at,
    )


def _named(family: str, place: str) -> str:
    return place if family == _OWN else f"{family} {place}"


def _is_full(window: Window) -> bool:
    return window.used_percent is not None and window.used_percent >= _FULL


def _credits(headers: Mapping[str, str]) -> Credits | None:
    has = headers.get("x-codex-credits-has-credits")
    unlimited = headers.get("x-codex-credits-unlimited")
    balance = headers.get("x-codex-credits-balance")
    if has is None and unlimited is None and balance is None:
        return None
    return Credits(has_credits=_flag(has), unlimited=_flag(unlimited), balance=balance or None)


def _flag(text: str | None) -> bool:
    return text is not None and text.strip().lower() in {"true", "1"}


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e12 else None  # no window has more, and NaN is none
