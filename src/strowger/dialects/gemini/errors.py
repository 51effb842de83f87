"""Errors of Google's APIs (`google.rpc.Status` as JSON), read and written.

What an error means is in its details rather than in its words: a minute's limit and a day's have one message and one
status. Streams that are a JSON array hold the error as its element, so a list of one is taken for its item.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from strowger.dialects.base import ErrorReply
from strowger.dialects.gemini.members import Json
from strowger.dialects.gemini.wire import NAME
from strowger.dialects.overflow import is_context_overflow, overflow_numbers
from strowger.dialects.refusals import kind_of, retry_after, unstructured
from strowger.errors import ErrorKind, GatewayError, Refused, UpstreamError
from strowger.ir.events import Failure

_RPC = "type.googleapis.com/google.rpc."

_KINDS: dict[str, ErrorKind] = {
    "INVALID_ARGUMENT": ErrorKind.BAD_REQUEST,
    "FAILED_PRECONDITION": ErrorKind.BAD_REQUEST,
    "OUT_OF_RANGE": ErrorKind.BAD_REQUEST,
    "ALREADY_EXISTS": ErrorKind.BAD_REQUEST,
    "UNAUTHENTICATED": ErrorKind.UNAUTHENTICATED,
    "PERMISSION_DENIED": ErrorKind.FORBIDDEN,
    "NOT_FOUND": ErrorKind.NOT_FOUND,
    "UNIMPLEMENTED": ErrorKind.UNSUPPORTED,
    "RESOURCE_EXHAUSTED": ErrorKind.RATE_LIMITED,
    "UNAVAILABLE": ErrorKind.OVERLOADED,
    "DEADLINE_EXCEEDED": ErrorKind.TIMEOUT,
    "INTERNAL": ErrorKind.UPSTREAM,
    "UNKNOWN": ErrorKind.UPSTREAM,
    "DATA_LOSS": ErrorKind.UPSTREAM,
    "ABORTED": ErrorKind.UPSTREAM,
    "CANCELLED": ErrorKind.UPSTREAM,
}
"""Canonical codes."""

_REASONS: dict[str, ErrorKind] = {
    "API_KEY_INVALID": ErrorKind.UNAUTHENTICATED,
    "API_KEY_EXPIRED": ErrorKind.UNAUTHENTICATED,
    "ACCESS_TOKEN_EXPIRED": ErrorKind.UNAUTHENTICATED,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": ErrorKind.UNAUTHENTICATED,
    "CREDENTIALS_MISSING": ErrorKind.UNAUTHENTICATED,
    "VALIDATION_REQUIRED": ErrorKind.FORBIDDEN,
    "SERVICE_DISABLED": ErrorKind.FORBIDDEN,
    "BILLING_DISABLED": ErrorKind.QUOTA_EXHAUSTED,
    "QUOTA_EXHAUSTED": ErrorKind.QUOTA_EXHAUSTED,
    "INSUFFICIENT_G1_CREDITS_BALANCE": ErrorKind.QUOTA_EXHAUSTED,
    "RATE_LIMIT_EXCEEDED": ErrorKind.RATE_LIMITED,
    "MODEL_CAPACITY_EXHAUSTED": ErrorKind.OVERLOADED,
}
"""Reasons of an ErrorInfo; they say more than the code."""

_TABLE: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.BAD_REQUEST: (400, "INVALID_ARGUMENT"),
    ErrorKind.UNAUTHENTICATED: (401, "UNAUTHENTICATED"),
    ErrorKind.FORBIDDEN: (403, "PERMISSION_DENIED"),
    ErrorKind.NOT_FOUND: (404, "NOT_FOUND"),
    ErrorKind.UNKNOWN_MODEL: (404, "NOT_FOUND"),
    ErrorKind.TOO_LARGE: (400, "INVALID_ARGUMENT"),
    ErrorKind.CONTEXT_OVERFLOW: (400, "INVALID_ARGUMENT"),
    ErrorKind.UNSUPPORTED: (400, "INVALID_ARGUMENT"),
    ErrorKind.RATE_LIMITED: (429, "RESOURCE_EXHAUSTED"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "RESOURCE_EXHAUSTED"),
    ErrorKind.OVERLOADED: (503, "UNAVAILABLE"),
    ErrorKind.TIMEOUT: (504, "DEADLINE_EXCEEDED"),
    ErrorKind.UPSTREAM: (502, "INTERNAL"),
    ErrorKind.INTERNAL: (500, "INTERNAL"),
}
"""Status and canonical code of each kind."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?")
_NO_LIMIT_LEFT = re.compile(r"limit: ?0(?![\d.])", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodels/\S+ is not found|publisher model .{1,300} (?:was )?not found", re.IGNORECASE)
# No limit of the account's: the model has no room. Vertex says so to those who have bought none ("error-code-429").
_NO_ROOM = re.compile(r"no capacity available|vertex-ai/\S*error-code-429|experiencing high demand", re.IGNORECASE)
_NO_MONEY = re.compile(r"spending cap", re.IGNORECASE)
_NO_KEY = re.compile(r"api key (?:not valid|expired|not found)|unregistered callers", re.IGNORECASE)
_LONGEST = 300


# ---- reading ----


class Told:
    """What an error object says: its words, its codes, and what its details add. `raw` is the object itself."""

    __slots__ = ("brief", "code", "daily", "delay", "message", "param", "raw", "reason", "status")

    def __init__(self, message: str, raw: Raw | None = None) -> None:
        self.message = message
        self.raw = raw
        self.code = self.status = self.reason = ""
        self.param: str | None = None
        self.delay: float | None = None
        self.daily = self.brief = False


def told(body: bytes | Raw) -> Told | None:
    """What a JSON text says when it is an error, in Google's shape or a proxy's; else None."""
    try:
        seen = msgspec.json.decode(bytes(body).decode("utf-8", "replace"))
    except (msgspec.MsgspecError, RecursionError):
        return None
    if isinstance(seen, list) and len(seen) == 1:
        seen = seen[0]
    if not isinstance(seen, dict):
        return None
    error = seen.get("error")
    if error is None:
        message = seen.get("message", seen.get("detail"))
        return None if message is None else _read(seen, message)
    if not isinstance(error, dict):
        found = Told(str(seen.get("error_description") or error), _raw(error))
        found.status = error if isinstance(error, str) else ""
        return found
    return _read(error, error.get("message"))


def _read(error: dict[str, Any], message: object) -> Told:
    raw = _raw(error)
    words = message if isinstance(message, str) else ""
    found = Told(words or _text(error.get("status")) or bytes(raw).decode()[:_LONGEST], raw)
    found.code = _text(error.get("code"))
    found.status = _text(error.get("status")) or _text(error.get("type"))
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            _add(found, detail)
    return found


def _add(found: Told, detail: dict[str, Any]) -> None:
    """One of the details: its type is told by its members as well as by its name."""
    if "reason" in detail:
        found.reason = _text(detail["reason"])
    if "retryDelay" in detail:
        found.delay = _seconds(_text(detail["retryDelay"]))
    metadata = detail.get("metadata")
    if found.delay is None and isinstance(metadata, dict):
        found.delay = _seconds(_text(metadata.get("quotaResetDelay")))
    for violation in _objects(detail.get("violations")):
        quota = _text(violation.get("quotaId"))
        if "PerDay" in quota or "Daily" in quota or violation.get("quotaValue") == "0":
            found.daily = True
        elif "PerMinute" in quota:
            found.brief = True
    for violation in _objects(detail.get("fieldViolations")):
        found.param = found.param or _text(violation.get("field")) or None


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def _seconds(duration: str) -> float | None:
    """A duration as Google writes it: `34.07s`, `900ms`, `5h10m30.5s`."""
    parts = _DURATION.fullmatch(duration)
    if parts is None or not duration:
        return None
    hours, minutes, rest, unit = parts.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest or 0) * (0.001 if unit == "ms" else 1)


def _kind(status: int, error: Told) -> ErrorKind:
    text = error.message
    if error.daily or (_NO_LIMIT_LEFT.search(text) and status in {200, 429, 503}):
        return ErrorKind.QUOTA_EXHAUSTED
    if error.reason in _REASONS:
        return _REASONS[error.reason]
    if is_context_overflow(text, error.code):
        return ErrorKind.CONTEXT_OVERFLOW
    if _NO_KEY.search(text):
        return ErrorKind.UNAUTHENTICATED
    if _NO_MODEL.search(text):
        return ErrorKind.UNKNOWN_MODEL
    if _NO_MONEY.search(text):
        return ErrorKind.QUOTA_EXHAUSTED
    if _NO_ROOM.search(text) and not error.brief:
        return ErrorKind.OVERLOADED
    if error.status == "RESOURCE_EXHAUSTED" and (error.brief or error.delay is not None or "check quota" in text):
        return ErrorKind.RATE_LIMITED  # the words for it are those of an empty account
    number = int(error.code) if status == 200 and error.code.isdigit() and len(error.code) == 3 else status
    kind = kind_of(number, text, error.status if not error.code or error.code.isdigit() else error.code)
    if kind in {ErrorKind.QUOTA_EXHAUSTED, ErrorKind.UNKNOWN_MODEL, ErrorKind.OVERLOADED}:
        return kind
    return _KINDS.get(error.status, kind)


def failure_of(error: Told) -> Failure:
    """An error inside an answer as the event that ends it."""
    kind = _kind(200, error)
    return Failure(kind, error.message, _code(error), _delay({}, error), error.raw)


def _code(error: Told) -> str | None:
    return error.reason or error.status or error.code or None


def _delay(headers: Mapping[str, str], error: Told) -> float | None:
    return error.delay if error.delay is not None else retry_after(headers, error.message)


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """An error answer, whatever it is made of. Header names are lower case."""
    seen = told(body.strip()) if body.strip()[:1] in {b"{", b"["} else None
    request_id = headers.get("x-goog-request-id") or headers.get("x-request-id")
    if seen is None:
        message = unstructured(status, body)
        return Refused(
            message,
            status=status,
            body=body,
            kind=kind_of(status, message),
            retry_after=retry_after(headers, message),
            request_id=request_id,
        )
    return Refused(
        seen.message,
        status=status,
        body=body,
        dialect=NAME,
        kind=_kind(status, seen),
        retry_after=_delay(headers, seen),
        param=seen.param,
        code=_code(seen),
        request_id=request_id,
    )


# ---- writing ----


def error_object(error: GatewayError) -> Json:
    """The `error` member for our client."""
    code, status = _TABLE[_kind_for_client(error)]
    details: list[Json] = []
    if error.kind is ErrorKind.QUOTA_EXHAUSTED:
        # Clients go on asking after a plain 429: this is the reason that they give up at.
        details.append(_info("QUOTA_EXHAUSTED"))
        violation = {"subject": "upstream", "description": error.message, "quotaId": "PerDay"}
        details.append({"@type": f"{_RPC}QuotaFailure", "violations": [violation]})
    elif error.kind is ErrorKind.RATE_LIMITED:
        details.append(_info("RATE_LIMIT_EXCEEDED"))
    if error.retry_after is not None:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    if error.param:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]})
    text = overflow_text(error.text) if error.kind is ErrorKind.CONTEXT_OVERFLOW else error.text
    node: Json = {"code": code, "message": text, "status": status}
    if details:
        node["details"] = details
    return node


def _kind_for_client(error: GatewayError) -> ErrorKind:
    """A credential of ours that was refused is no 401: clients would log their user out for it."""
    if error.kind is ErrorKind.UNAUTHENTICATED and isinstance(error, UpstreamError):
        return ErrorKind.FORBIDDEN
    return error.kind


def _info(reason: str) -> Json:
    return {"@type": f"{_RPC}ErrorInfo", "reason": reason, "domain": "cloudcode-pa.googleapis.com", "metadata": {}}


def overflow_text(text: str) -> str:
    """Google's words for a prompt that does not fit, with the numbers where they are known."""
    if "exceeds the maximum number of tokens allowed" in text:
        return text
    numbers = overflow_numbers(text)
    if numbers is None:
        return f"The input token count exceeds the maximum number of tokens allowed: {text}"
    got, limit = numbers
    return f"The input token count ({got}) exceeds the maximum number of tokens allowed ({limit}). {text}"


def failure_object(failure: Failure) -> Json:
    """The `error` member for a failure inside a stream."""
    error = UpstreamError(failure.message, kind=failure.kind, code=failure.code, retry_after=failure.retry_after)
    return error_object(error)


def render_error(error: GatewayError) -> ErrorReply:
    """An error before anything was sent. What an upstream of this very dialect said passes as it is."""
    headers = [("content-type", "application/json; charset=UTF-8")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    if isinstance(error, Refused) and error.dialect == NAME and error.body and error.status >= 400:
        return ErrorReply(error.status, error.body, tuple(headers))
    body = msgspec.json.encode({"error": error_object(error)})
    return ErrorReply(_TABLE[_kind_for_client(error)][0], body, tuple(headers))
