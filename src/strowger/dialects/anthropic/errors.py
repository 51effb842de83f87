"""Errors of the Messages API: reading an upstream's, and writing ours for a client.

Claude Code acts on status, type and wording, so both follow what it was seen to recognise. Knows nothing of streams
beyond the error event.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.anthropic.wire import ERRORS, KINDS_OF_ERROR, NAME
from strowger.dialects.base import ErrorReply
from strowger.dialects.fields import Fields
from strowger.dialects.overflow import overflow_numbers
from strowger.dialects.refusals import kind_of, retry_after, unstructured
from strowger.errors import BadRequest, ErrorKind, GatewayError, OverBudget, Refused, UpstreamError
from strowger.ir.events import Failure

JSON_HEADER = ("content-type", "application/json")


_STRING = msgspec.json.Decoder(str)


class _Found(Struct):
    message: str
    code: str | None = None
    param: str | None = None
    request_id: str | None = None


def _found(body: bytes) -> _Found | None:
    """The error in a JSON body, by any of the names that servers of this dialect, and proxies before them, use."""
    seen = _members(Raw(body))
    if seen is None:
        return None
    request_id = _string(seen.get("request_id"))
    raw = seen.get("error")
    if raw is None or bytes(raw) == b"null":
        message = _string(seen.get("message")) or _string(seen.get("detail"))
        return None if message is None else _Found(message, request_id=request_id)
    error = _members(raw)
    if error is None:
        return _Found(_string(raw) or _readable(raw), request_id=request_id)
    number = error.get("code")
    code = _string(error.get("type")) or _string(number) or (None if number is None else _readable(number))
    message = _string(error.get("message")) or code or _readable(raw)
    return _Found(message, code, _string(error.get("param")), request_id)


def _members(raw: Raw) -> dict[str, Raw] | None:
    try:
        return Fields(raw).rest
    except BadRequest:
        return None


def _string(raw: Raw | None) -> str | None:
    try:
        return None if raw is None else _STRING.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _readable(raw: Raw) -> str:
    return bytes(raw)[:300].decode("utf-8", "replace")


def _kind(status: int, found: _Found) -> ErrorKind:
    """Words before types: a vendor's type says less (a context overflow is an invalid_request_error)."""
    kind = kind_of(status, found.message, found.code)
    if kind in {ErrorKind.CONTEXT_OVERFLOW, ErrorKind.QUOTA_EXHAUSTED, ErrorKind.UNKNOWN_MODEL}:
        return kind
    if "credit balance is too low" in found.message:  # the vendor's own way to say it, with status 400
        return ErrorKind.QUOTA_EXHAUSTED
    if found.code == "not_found_error" and found.message.startswith("model:"):
        return ErrorKind.UNKNOWN_MODEL
    return KINDS_OF_ERROR.get(found.code or "", kind)


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """An error answer of an upstream, whatever it is made of. Header names are lower case."""
    found = _found(body)
    if found is None:
        message = unstructured(status, body)
        return Refused(
            message,
            status=status,
            body=body,
            kind=kind_of(status, body[:4096].decode("utf-8", "replace")),
            retry_after=retry_after(headers),
            request_id=headers.get("request-id"),
        )
    return Refused(
        found.message,
        status=status,
        body=body,
        dialect=NAME,
        kind=_kind(status, found),
        retry_after=retry_after(headers, found.message),
        param=found.param,
        code=found.code,
        request_id=found.request_id or headers.get("request-id"),
    )


def failure(data: bytes) -> Failure | None:
    """An error inside a stream, or in a body with status 200; None when the data holds no error."""
    found = _found(data)
    if found is None:
        return None
    return Failure(_kind(200, found), found.message, found.code, retry_after({}, found.message), Raw(data))


def render_error(error: GatewayError) -> ErrorReply:
    """An error before anything was sent. One of an upstream of this dialect keeps its own words and status."""
    headers = [JSON_HEADER]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    if isinstance(error, Refused) and error.dialect == NAME and error.body and error.status >= 400:
        return ErrorReply(error.status, error.body, tuple(headers))
    status, body = described(error)
    if error.kind is ErrorKind.QUOTA_EXHAUSTED:
        headers.append(("x-should-retry", "false"))  # else Claude Code asks ten times more
    return ErrorReply(status, body, tuple(headers))


def described(error: GatewayError) -> tuple[int, bytes]:
    """Status and error object of any error of ours."""
    kind = error.kind
    if kind is ErrorKind.UNAUTHENTICATED and isinstance(error, UpstreamError):
        kind = ErrorKind.FORBIDDEN  # our credential was refused: Claude Code repeats a 401 for minutes
    # A budget is a limit of the user's own, not an unpaid bill: at a 402 Claude Code would send the user to Anthropic.
    status, word = (429, "rate_limit_error") if isinstance(error, OverBudget) else ERRORS[kind]
    text = overflow_text(error.text) if kind is ErrorKind.CONTEXT_OVERFLOW else error.text
    return status, error_object(word, text, getattr(error, "request_id", None))


def failure_object(failed: Failure, *, own: bool) -> bytes:
    """A failure of an upstream as an error object; its own words where it spoke this dialect."""
    if own and failed.raw is not None and b'"type"' in bytes(failed.raw):
        return bytes(failed.raw)
    text = overflow_text(failed.message) if failed.kind is ErrorKind.CONTEXT_OVERFLOW else failed.message
    return error_object(ERRORS[failed.kind][1], text, None)


def overflow_text(text: str) -> str:
    """Words that make Claude Code compact the conversation, with the numbers where they are known."""
    if "prompt is too long" in text.lower():
        return text
    numbers = overflow_numbers(text)
    if numbers is None:
        return f"prompt is too long: {text}"
    return f"prompt is too long: {numbers[0]} tokens > {numbers[1]} maximum ({text})"


def error_object(word: str, text: str, request_id: str | None) -> bytes:
    """The error object of this dialect."""
    error: dict[str, object] = {"type": "error", "error": {"type": word, "message": text}}
    if request_id is not None:
        error["request_id"] = request_id
    return msgspec.json.encode(error)
