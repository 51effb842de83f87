"""What a failure means for the rest of a call."""

from __future__ import annotations

import pytest

from strowger.errors import (
    BadRequest,
    CredentialError,
    ErrorKind,
    GatewayError,
    LoginNeeded,
    Malformed,
    Refused,
    TimedOut,
    Truncated,
    Unanswered,
    Unreachable,
    Unsupported,
)
from strowger.gateway.failures import (
    is_capacity,
    is_outage,
    merits_another_try,
    most_telling,
    moves_on,
    refused_credential,
    told_wait,
)
from strowger.providers.quota import Reading, Window

NOW = 1_790_000_000.0
K = ErrorKind


def refused(status: int, kind: ErrorKind, code: str | None = None, body: bytes = b"", **headers: str) -> Refused:
    """An error answer; underscores in header names are hyphens."""
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Refused("no", status=status, kind=kind, code=code, body=body, headers=lines)


@pytest.mark.parametrize(
    "error, moves, again, outage",
    [
        (refused(400, K.BAD_REQUEST), False, False, False),
        (refused(400, K.QUOTA_EXHAUSTED), True, False, False),
        (refused(400, K.UNKNOWN_MODEL), True, False, False),
        (refused(401, K.UNAUTHENTICATED), True, False, False),
        (refused(402, K.QUOTA_EXHAUSTED), True, False, False),
        (refused(403, K.FORBIDDEN), True, False, False),
        (refused(404, K.NOT_FOUND), True, False, False),
        (refused(408, K.TIMEOUT), True, True, False),
        (refused(409, K.BAD_REQUEST), False, False, False),
        (refused(413, K.TOO_LARGE), False, False, False),
        (refused(422, K.BAD_REQUEST), False, False, False),
        (refused(429, K.RATE_LIMITED), True, True, False),
        (refused(429, K.QUOTA_EXHAUSTED), True, False, False),
        (refused(500, K.UPSTREAM), True, True, True),
        (refused(501, K.UPSTREAM), True, False, True),
        (refused(502, K.UPSTREAM), True, True, True),
        (refused(503, K.OVERLOADED), True, True, True),
        (refused(504, K.TIMEOUT), True, False, True),
        (refused(524, K.TIMEOUT), True, False, True),
        (refused(529, K.OVERLOADED), True, True, True),
        (refused(529, K.OVERLOADED, x_should_retry="false"), True, False, True),
        (refused(200, K.OVERLOADED), True, True, True),
        (refused(200, K.RATE_LIMITED), True, True, False),
        (refused(200, K.CONTEXT_OVERFLOW), False, False, False),
        (refused(200, K.UPSTREAM, "malformed"), True, False, True),
        (Unreachable("no connection"), True, True, True),
        (Unanswered("closed"), True, False, True),
        (TimedOut("silent"), True, False, True),
        (Truncated("broke off"), True, False, True),
        (Malformed("not HTTP"), True, False, True),
        (CredentialError("not set"), True, False, False),
        (LoginNeeded("log in"), True, False, False),
        (Unsupported("strict"), True, False, False),
        (BadRequest("wrong"), False, False, False),
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{getattr(value, 'status', '')}" if isinstance(value, Exception) else None
    ),
)
def test_what_a_failure_means(error: GatewayError, moves: bool, again: bool, outage: bool) -> None:
    """Another target may help against all but the request's own faults; the same one is asked again only where it
    refused for the moment or was not reached; a breaker counts what a host is at fault for.
    """
    assert (moves_on(error), merits_another_try(error), is_outage(error)) == (moves, again, outage)


def test_a_refused_credential() -> None:
    """One that the provider has seen; a variable that is not set tells nothing of an account."""
    seen = CredentialError("refused")
    seen.__cause__ = refused(401, K.UNAUTHENTICATED)
    assert refused_credential(seen)
    assert refused_credential(refused(403, K.FORBIDDEN))
    assert not refused_credential(CredentialError("not set"))
    assert not refused_credential(refused(403, K.QUOTA_EXHAUSTED))


def test_the_most_telling_failure() -> None:
    """Limits, then refused keys, then missing models, then all else; of limits the first to end, of equals the last."""
    late, soon = refused(429, K.RATE_LIMITED), refused(429, K.QUOTA_EXHAUSTED)
    late.retry_after, soon.retry_after = 3600, 20
    key, model = CredentialError("key"), refused(404, K.NOT_FOUND)
    first, last = refused(500, K.UPSTREAM), refused(502, K.UPSTREAM)
    assert most_telling([first, late, soon, key, model, last]) is soon
    assert most_telling([first, key, model, last]) is key
    assert most_telling([first, model, last]) is model
    assert most_telling([first, last]) is last
    empty, fast = refused(429, K.QUOTA_EXHAUSTED), refused(429, K.RATE_LIMITED)
    assert most_telling([fast, empty]) is fast
    assert most_telling([empty, late]) is late


@pytest.mark.parametrize(
    "headers, body, seconds",
    [
        ({"retry_after": "Mon, 21 Sep 2026 14:13:50 GMT"}, b"", 30),
        ({"retry_after": "Mon, 21 Sep 2026 14:13:50 GMT", "date": "Mon, 21 Sep 2026 14:13:45 GMT"}, b"", 5),
        ({"retry_after": "Mon, 21 Sep 2026 14:00:00 GMT"}, b"", 0),
        ({"retry_after": "soon"}, b"", None),
        ({}, b'{"error":{"resets_at":1790000900}}', 900),
        ({}, b'{"error":{"resets_in_seconds": 12.5}}', 12.5),
        ({}, b'{"error":{"resets_at":"1790000007"}}', 7),
        ({}, b'{"error":{"message":"resets_at 5"}}', None),
        ({"x_ratelimit_reset": "1790000060"}, b"", 60),
        ({"x_ratelimit_reset": "1790000060000"}, b"", 60),
        ({"x_ratelimit_reset": "2s"}, b"", 2),
        ({"ratelimit_reset": "9"}, b"", 9),
        (
            {"anthropic_ratelimit_unified_status": "rejected", "anthropic_ratelimit_unified_reset": "1790000300"},
            b"",
            300,
        ),
        (
            {"anthropic_ratelimit_unified_status": "allowed", "anthropic_ratelimit_unified_reset": "1790000300"},
            b"",
            None,
        ),
        ({}, b"", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    """Dates by the sender's clock where it shows that, members of the body, resets in headers."""
    assert told_wait(refused(429, K.RATE_LIMITED, body=body, **headers), NOW) == (
        None if seconds is None else pytest.approx(seconds)
    )


def test_what_the_dialect_has_read_comes_first() -> None:
    """`retry-after` in seconds or milliseconds, google.rpc.RetryInfo and words are the dialects' to read."""
    error = refused(429, K.RATE_LIMITED, body=b'{"resets_at":1790000900}')
    error.retry_after = 1.2
    assert told_wait(error, NOW) == 1.2
    assert told_wait(TimedOut("silent"), NOW) is None


def test_headers_about_limits_are_not_meant_for_other_failures() -> None:
    """They come with every answer: a broken host is not to be left alone until the next minute begins."""
    broken = refused(502, K.UPSTREAM, body=b'{"resets_at":1790000900}', x_ratelimit_reset="1790000060")
    assert told_wait(broken, NOW) is None
    busy = refused(503, K.OVERLOADED, retry_after="Mon, 21 Sep 2026 14:13:22 GMT", x_ratelimit_reset="1790000060")
    assert told_wait(busy, NOW) == 2


def test_windows_that_are_used_up() -> None:
    """Where nothing else says when, the last of the empty windows does; one with something left is not meant."""
    windows = (
        Window(name="requests", remaining=0, resets_at=NOW + 5),
        Window(name="tokens", used_percent=100, resets_at=NOW + 40),
        Window(name="week", used_percent=99, resets_at=NOW + 90000),
        Window(name="past", used_percent=100, resets_at=NOW - 5),
    )
    assert told_wait(refused(429, K.RATE_LIMITED), NOW, Reading(at=NOW, windows=windows)) == 40


def test_an_exhausted_account_waits_for_the_longest_time() -> None:
    """A gateway of the vendor's may add a short `retry-after` to what only a new week mends."""
    error = refused(429, K.QUOTA_EXHAUSTED, body=b'{"error":{"type":"usage_limit_reached","resets_at":1790007200}}')
    error.retry_after = 1.0
    assert told_wait(error, NOW) == 7200


def test_a_busy_issuer_is_no_model_without_room() -> None:
    """Another model of the provider would wait for the same login."""
    assert not is_capacity(CredentialError("the issuer is busy", kind=ErrorKind.OVERLOADED))
    assert is_capacity(Refused("no room", status=503, kind=ErrorKind.OVERLOADED))
