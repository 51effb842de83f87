"""Errors of Chat Completions servers, read and written.

The members are `{"error": {"message", "type", "param", "code"}}`, but imitators send a bare string, the members
without the `error` around them, `detail` (FastAPI), a list (Google), a number as code (OpenRouter), and the useful
words hidden in `metadata.raw`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import ErrorReply
from strowger.dialects.fields import as_str, is_string
from strowger.dialects.openai_chat.chunks import ABSENT, present
from strowger.dialects.openai_chat.wire import NAME
from strowger.dialects.overflow import is_context_overflow
from strowger.dialects.refusals import kind_of, retry_after, unstructured
from strowger.errors import ErrorKind, GatewayError, Refused
from strowger.ir.events import Failure

_TABLE: dict[ErrorKind, tuple[int, str, str | None]] = {
    ErrorKind.BAD_REQUEST: (400, "invalid_request_error", None),
    ErrorKind.UNAUTHENTICATED: (401, "authentication_error", "invalid_api_key"),
    ErrorKind.FORBIDDEN: (403, "permission_error", None),
    ErrorKind.NOT_FOUND: (404, "invalid_request_error", "not_found"),
    ErrorKind.UNKNOWN_MODEL: (404, "invalid_request_error", "model_not_found"),
    ErrorKind.TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
    ErrorKind.CONTEXT_OVERFLOW: (400, "invalid_request_error", "context_length_exceeded"),
    ErrorKind.UNSUPPORTED: (400, "invalid_request_error", "unsupported"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.OVERLOADED: (503, "server_error", "overloaded"),
    ErrorKind.TIMEOUT: (504, "server_error", "timeout"),
    ErrorKind.UPSTREAM: (502, "server_error", "upstream_error"),
    ErrorKind.INTERNAL: (500, "server_error", "internal_error"),
}
"""Status, type and code of each kind."""


# ---- reading ----


class _Metadata(Struct):
    raw: str | None = None
    provider_name: str | None = None


class _Members(Struct):
    message: str | None = None
    detail: Raw = ABSENT
    type: str | None = None
    param: str | None = None
    code: str | int | float | None = None
    metadata: _Metadata | None = None


class _Body(Struct):
    error: Raw = ABSENT


class Told(Struct, frozen=True):
    """What an error object says. `raw` is the object itself."""

    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None
    raw: Raw | None = None


def told(raw: Raw | bytes) -> Told | None:
    """What a JSON text says when it is an error in one of the known shapes, else None."""
    return _told_object(_unwrapped(bytes(raw).decode("utf-8", "replace").encode()))


def _unwrapped(text: bytes) -> bytes:
    """The one item of a list of one."""
    if text[:1] != b"[":
        return text
    try:
        items = msgspec.json.decode(text, type=list[Raw])
    except msgspec.MsgspecError:
        return b""
    return bytes(items[0]) if len(items) == 1 else b""


def _told_object(text: bytes) -> Told | None:
    try:
        inner = msgspec.json.decode(text, type=_Body).error
    except msgspec.MsgspecError:
        return None
    if not present(inner):
        return _members(text, Raw(text))
    if is_string(inner):
        return Told(msgspec.json.decode(inner, type=str), None, None, None, inner)
    return _members(bytes(inner), inner) or Told(bytes(inner).decode()[:300], None, None, None, inner)


def _members(text: bytes, raw: Raw) -> Told | None:
    try:
        seen = msgspec.json.decode(text, type=_Members)
    except msgspec.MsgspecError:
        return _loose_members(text, raw)
    message = seen.message
    if message is None and present(seen.detail):
        message = as_str(seen.detail) if is_string(seen.detail) else bytes(seen.detail).decode()
    if seen.metadata is not None and seen.metadata.raw:
        whose = f"{seen.metadata.provider_name}: " if seen.metadata.provider_name else ""
        message = f"{message or 'error'} ({whose}{seen.metadata.raw})"
    if message is None:
        return None
    code = None if seen.code is None else str(seen.code)
    return Told(message, seen.type, seen.param, code, raw)


def _loose_members(text: bytes, raw: Raw) -> Told | None:
    """The same from an object whose members have types that nobody expected."""
    try:
        seen = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None
    if not isinstance(seen, dict):
        return None
    message = seen.get("message", seen.get("detail"))
    if message is None:
        return None
    words = message if isinstance(message, str) else msgspec.json.encode(message).decode()
    kind, code = seen.get("type"), seen.get("code")
    return Told(words, kind if isinstance(kind, str) else None, None, None if code is None else str(code), raw)


def failure_of(error: Told, status: int = 200) -> Failure:
    """An error inside an answer as the event that ends it."""
    kind = _kind(status, error)
    return Failure(kind, error.message, error.code or error.type, retry_after({}, error.message), error.raw)


def _kind(status: int, error: Told) -> ErrorKind:
    """The code is more telling than the type, but a type may be all there is."""
    kind = kind_of(status, error.message, error.code)
    if error.type is not None and kind in {kind_of(status, ""), ErrorKind.UPSTREAM}:
        return kind_of(status, error.message, error.type)
    return kind


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """An error answer, whatever it is made of. Header names are lower case."""
    seen = told(body.strip()) if body.strip()[:1] in {b"{", b"["} else None
    request_id = headers.get("x-request-id") or headers.get("request-id")
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
        retry_after=retry_after(headers, seen.message),
        param=seen.param,
        code=seen.code or seen.type,
        request_id=request_id,
    )


# ---- writing ----


def error_object(error: GatewayError) -> dict[str, str | None]:
    """The members of an error for our client."""
    _, kind, code = _TABLE[error.kind]
    text = error.text
    if error.kind is ErrorKind.CONTEXT_OVERFLOW and not is_context_overflow(text):
        text = f"the prompt exceeds the model's maximum context length: {text}"
    # A code of the vendor's own is worth more than ours, but not where clients look for a certain one.
    fixed = error.kind in {ErrorKind.CONTEXT_OVERFLOW, ErrorKind.QUOTA_EXHAUSTED, ErrorKind.UNKNOWN_MODEL}
    return {"message": text, "type": kind, "param": error.param, "code": code if fixed else error.code or code}


def failure_object(failure: Failure) -> dict[str, str | None]:
    """The members of a failure inside a stream."""
    error = GatewayError(failure.message, kind=failure.kind, code=failure.code)
    return error_object(error)


def render_error(error: GatewayError) -> ErrorReply:
    """An error before anything was sent. What an upstream of this very dialect said passes as it is."""
    status = _TABLE[error.kind][0]
    headers = _headers(error)
    if isinstance(error, Refused) and error.dialect == NAME and error.body and error.status >= 400:
        return ErrorReply(error.status, error.body, headers)
    return ErrorReply(status, msgspec.json.encode({"error": error_object(error)}), headers)


def _headers(error: GatewayError) -> tuple[tuple[str, str], ...]:
    headers = [("content-type", "application/json")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    if error.kind is ErrorKind.QUOTA_EXHAUSTED:
        headers.append(("x-should-retry", "false"))  # the official SDKs heed it
    return tuple(headers)
