"""What a failure means for the rest of a call: try the same again, try another, wait, or tell the client. Pure.

The rule of what moves on is the one that gateways for Claude Code follow: 5xx, 429, 401, 403, 404, silence and
unreachable hosts do; other 4xx are the request's fault everywhere. The same target is only asked again where it refused
the request or was not reached at all: what may have been worked on is paid for, and whoever wants it twice can ask
twice. Must not know which targets there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from strowger.errors import (
    ClientError,
    CredentialError,
    ErrorKind,
    GatewayError,
    Malformed,
    Refused,
    TimedOut,
    Truncated,
    Unanswered,
    Unreachable,
    Unsupported,
)
from strowger.providers.quota import Reading
from strowger.providers.resets import date, moment

LIMITS = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.QUOTA_EXHAUSTED})
"""Kinds that say that an account has had enough for now."""

_MOVE_ON = frozenset({401, 403, 404, 408, 429})
# The same in other words: some say with a 400 that an account is empty, or that it has no such model.
_AS_GOOD = LIMITS | {ErrorKind.UNKNOWN_MODEL}
_REQUESTS_FAULT = frozenset(
    {ErrorKind.BAD_REQUEST, ErrorKind.CONTEXT_OVERFLOW, ErrorKind.TOO_LARGE, ErrorKind.UNSUPPORTED}
)
_PASSING = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.UPSTREAM, ErrorKind.TIMEOUT})
# Not implemented, HTTP version not supported: it will not be otherwise in a second.
_LASTING = frozenset({501, 505})
# A proxy before the model has lost patience with it: it was thinking, which is paid for, and would need as long again.
_WORKED_ON = frozenset({504, 524})
# The code of a failure that our own decoder found: the upstream was answering.
_UNREADABLE = "malformed"

_NEVER = 1e9

# Members of error bodies that say when: Unix time, or seconds from now.
_RESETS = re.compile(rb'"(resets?_at|resets_in_seconds|reset_after_seconds)"\s*:\s*"?(\d+(?:\.\d+)?)')
_SEARCHED = 65536
_RESET_HEADERS = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")


def moves_on(error: GatewayError) -> bool:
    """Whether another target may succeed where this one failed."""
    if isinstance(error, Refused):
        if error.status == 200:
            return error.kind not in _REQUESTS_FAULT
        return error.status >= 500 or error.status in _MOVE_ON or error.kind in _AS_GOOD
    return not isinstance(error, ClientError) or isinstance(error, Unsupported)


def merits_another_try(error: GatewayError) -> bool:
    """Whether the same target with the same account may succeed in a moment, and asking again costs nothing."""
    if isinstance(error, Unreachable):
        return not isinstance(error, Unanswered)
    if not isinstance(error, Refused) or error.kind not in _PASSING or error.code == _UNREADABLE:
        return False
    if any(name.lower() == "x-should-retry" and value.strip() == "false" for name, value in error.headers):
        return False
    return error.status in {200, 408, 429} or (error.status >= 500 and error.status not in _LASTING | _WORKED_ON)


def is_capacity(error: GatewayError) -> bool:
    """Whether this model has no room now, or no quota, while another of the same provider may.

    An issuer that is busy is no model without room: every model of the provider waits for it.
    """
    if isinstance(error, CredentialError):
        return False
    return error.kind is ErrorKind.OVERLOADED or error.kind in LIMITS


def is_outage(error: GatewayError) -> bool:
    """Whether the host, not the request or the account, is at fault: what a breaker counts."""
    if isinstance(error, Refused):
        return error.status >= 500 or (error.status == 200 and error.kind in _PASSING - LIMITS)
    return isinstance(error, Unreachable | TimedOut | Truncated | Malformed)


def refused_credential(error: GatewayError) -> bool:
    """Whether the provider has seen the credential of an account and does not take it."""
    if isinstance(error, CredentialError):
        return isinstance(error.__cause__, Refused)
    return isinstance(error, Refused) and error.kind in {ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN}


def most_telling(errors: list[GatewayError]) -> GatewayError:
    """Which of the failures of a call the client hears of.

    A limit says when to come back, and of several the one that ends first; a refused key what to mend. Of equals the
    last one: it is what the user would see by asking again.
    """
    return max(reversed(errors), key=_weight)


def _weight(error: GatewayError) -> tuple[int, float]:
    if error.kind in LIMITS:
        # Too fast is over soon, also where nobody says when; an empty account may stay so.
        unknown = 0.0 if error.kind is ErrorKind.RATE_LIMITED else _NEVER
        return 4, -(unknown if error.retry_after is None else error.retry_after)
    if error.kind in {ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN}:
        return 3, 0.0
    if error.kind in {ErrorKind.NOT_FOUND, ErrorKind.UNKNOWN_MODEL, ErrorKind.UNSUPPORTED}:
        return 2, 0.0
    return 1, 0.0


# ---- how long to wait ----


def told_wait(error: GatewayError, now: float, reading: Reading | None = None) -> float | None:
    """For how many seconds a refusal wants to be left alone; None when it does not say. `now` is Unix time.

    `reading` is what its headers say of the account's limits. Of an exhausted account the longest time counts: a short
    `retry-after` is meant for those who only were too fast.
    """
    if not isinstance(error, Refused):
        return error.retry_after
    headers = {name.lower(): value for name, value in error.headers}
    said = _retry_date(headers, now) if error.retry_after is None else error.retry_after
    if error.kind not in LIMITS:
        return said  # the headers about limits come with every answer
    waits = (said, _in_body(error.body, now), _of_windows(reading, now), _bare_reset(headers, now))
    found = [wait for wait in waits if wait is not None]
    return max(found, default=None) if error.kind is ErrorKind.QUOTA_EXHAUSTED else next(iter(found), None)


def _retry_date(headers: Mapping[str, str], now: float) -> float | None:
    """A `retry-after` that is a date; by the sender's own clock, where it shows that."""
    at = date(headers.get("retry-after", ""))
    if at is None:
        return None
    theirs = date(headers.get("date", ""))
    return max(0.0, at - (now if theirs is None else theirs))


def _in_body(body: bytes, now: float) -> float | None:
    found = _RESETS.search(body[:_SEARCHED])
    if found is None:
        return None
    at = moment(found[2].decode(), now)
    return None if at is None else max(0.0, at - now)


def _of_windows(reading: Reading | None, now: float) -> float | None:
    """Until the last of the windows that are used up begins anew."""
    used_up = reading.used_up(now) if reading is not None else ()
    ends = [window.resets_at for window in used_up if window.resets_at is not None]
    return max(ends) - now if ends else None


def _bare_reset(headers: Mapping[str, str], now: float) -> float | None:
    """A reset that belongs to no window by name."""
    is_rejected = headers.get("anthropic-ratelimit-unified-status") == "rejected"
    for name in ("anthropic-ratelimit-unified-reset", *_RESET_HEADERS) if is_rejected else _RESET_HEADERS:
        if name in headers and (at := moment(headers[name], now)) is not None:
            return max(0.0, at - now)
    return None
