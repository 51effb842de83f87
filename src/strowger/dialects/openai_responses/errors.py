"""Errors of Responses servers, read and written.

OpenAI writes `{"error": {"message", "type", "param", "code"}}`; the ChatGPT backend `{"detail"}`, xAI a bare string
beside a code, WebSockets put all of it under `body`. Inside an answer it is a failed response, or an `error` event with
or without an object of its own. Codex acts on the code of a failed response and on its words.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import ErrorReply
from strowger.dialects.fields import mended
from strowger.dialects.openai_responses.wire import NAME
from strowger.dialects.overflow import is_context_overflow
from strowger.dialects.refusals import kind_of, retry_after, unstructured
from strowger.errors import ErrorKind, GatewayError, Refused, UpstreamError
from strowger.ir.events import Failure

Members = dict[str, Raw]

_MEMBERS = msgspec.json.Decoder(Members)
_STRING = msgspec.json.Decoder(str)
_NUMBER = msgspec.json.Decoder(int | float)

_KINDS = {
    "server_error": ErrorKind.UPSTREAM,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "invalid_prompt": ErrorKind.BAD_REQUEST,
    "bio_policy": ErrorKind.BAD_REQUEST,
    "cyber_policy": ErrorKind.BAD_REQUEST,
    "misalignment": ErrorKind.BAD_REQUEST,
    "misalignment_policy_violation": ErrorKind.BAD_REQUEST,
    "data_residency_mismatch": ErrorKind.BAD_REQUEST,
    "content_filter": ErrorKind.BAD_REQUEST,
    "invalid_encrypted_content": ErrorKind.BAD_REQUEST,
    "previous_response_not_found": ErrorKind.NOT_FOUND,
    "vector_store_timeout": ErrorKind.TIMEOUT,
    "invalid_image": ErrorKind.BAD_REQUEST,
    "image_too_large": ErrorKind.BAD_REQUEST,
    "image_too_small": ErrorKind.BAD_REQUEST,
    "image_parse_error": ErrorKind.BAD_REQUEST,
    "image_content_policy_violation": ErrorKind.BAD_REQUEST,
    "image_file_too_large": ErrorKind.BAD_REQUEST,
    "image_file_not_found": ErrorKind.BAD_REQUEST,
    "unsupported_image_media_type": ErrorKind.BAD_REQUEST,
    "empty_image_file": ErrorKind.BAD_REQUEST,
    "failed_to_download_image": ErrorKind.BAD_REQUEST,
}
"""What the vendor's own codes mean; what is common to many vendors is known elsewhere."""

_TABLE: dict[ErrorKind, tuple[int, str, str | None]] = {
    ErrorKind.BAD_REQUEST: (400, "invalid_request_error", None),
    ErrorKind.UNAUTHENTICATED: (401, "authentication_error", "invalid_api_key"),
    ErrorKind.FORBIDDEN: (403, "permission_error", None),
    ErrorKind.NOT_FOUND: (404, "invalid_request_error", "not_found"),
    ErrorKind.UNKNOWN_MODEL: (400, "invalid_request_error", "model_not_found"),
    ErrorKind.TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
    ErrorKind.CONTEXT_OVERFLOW: (400, "invalid_request_error", "context_length_exceeded"),
    ErrorKind.UNSUPPORTED: (400, "invalid_request_error", "unsupported"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.OVERLOADED: (503, "server_error", "server_is_overloaded"),
    ErrorKind.TIMEOUT: (504, "server_error", "timeout"),
    ErrorKind.UPSTREAM: (502, "server_error", "upstream_error"),
    ErrorKind.INTERNAL: (500, "server_error", "internal_error"),
}
"""Status, type and code of each kind."""

_FAILED = {
    ErrorKind.CONTEXT_OVERFLOW: "context_length_exceeded",
    ErrorKind.RATE_LIMITED: "rate_limit_exceeded",
    ErrorKind.QUOTA_EXHAUSTED: "insufficient_quota",
    # Not `server_is_overloaded`: after that Codex gives up, and advises to take another model.
    ErrorKind.OVERLOADED: "server_error",
    ErrorKind.UPSTREAM: "server_error",
    ErrorKind.TIMEOUT: "server_error",
    ErrorKind.INTERNAL: "server_error",
}
"""Codes of a failed response. `invalid_prompt`, for all others, is the one after which Codex does not try again."""

_FIXED = frozenset({ErrorKind.CONTEXT_OVERFLOW, ErrorKind.QUOTA_EXHAUSTED, ErrorKind.UNKNOWN_MODEL})
"""Kinds whose code clients look for; elsewhere a vendor's own code is worth more than ours."""


# ---- reading ----


class Told(Struct, frozen=True):
    """What an error object says. `wait` is in seconds, `raw` the object itself."""

    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None
    wait: float | None = None
    raw: Raw | None = None


def told(raw: Raw | bytes) -> Told | None:
    """What a JSON text says when it is an error in one of the known shapes, else None."""
    seen = members(raw)
    if seen is None:
        return None
    inner = seen.get("error", _NULL)
    if bytes(inner) == b"null" and (body := members(seen.get("body", _NULL))) is not None:
        inner = body.get("error", _NULL)
    if bytes(inner) == b"null":
        return _flat(seen, Raw(raw))
    error = members(inner)
    if error is not None:
        return _flat(error, inner) or Told(_readable(inner), raw=inner)
    words = string(inner)
    return Told(words or _readable(inner), code=_code(seen), raw=inner)


def _flat(seen: Members, raw: Raw) -> Told | None:
    """An error whose members stand in this very object."""
    message = string(seen.get("message"))
    if message is None and "detail" in seen:
        message = string(seen["detail"]) or _readable(seen["detail"])
    kind, code = string(seen.get("type")), _code(seen)
    if message is None and (code is None or kind is None):
        return None
    wait = _number(seen.get("resets_in_seconds"))
    return Told(message or code or "", kind, string(seen.get("param")), code, wait, raw)


def members(raw: Raw | bytes | None) -> Members | None:
    """The members of a JSON object, None for anything else."""
    if raw is None:
        return None
    try:
        return _MEMBERS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        return _MEMBERS.decode(mended(bytes(raw).decode("utf-8", "replace").encode()))
    except msgspec.MsgspecError:
        return None


def string(raw: Raw | None) -> str | None:
    """The value of a raw string, None for anything else."""
    try:
        return None if raw is None else _STRING.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _code(seen: Members) -> str | None:
    raw = seen.get("code")
    number = _number(raw)
    return string(raw) if number is None else f"{number:g}"


def _number(raw: Raw | None) -> float | None:
    try:
        return None if raw is None else _NUMBER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _readable(raw: Raw) -> str:
    return bytes(raw)[:300].decode("utf-8", "replace")


_NULL = Raw(b"null")


def kind_of_error(status: int, error: Told) -> ErrorKind:
    """What an error means. The code is more telling than the type, but a type may be all there is."""
    kind = kind_of(status, error.message, error.code)
    plain = kind in {kind_of(status, ""), ErrorKind.UPSTREAM}
    lower = error.message.lower()
    if status == 200 and error.code in _KINDS and kind not in _FIXED:
        return _KINDS[error.code]
    if plain and "incorrect api key" in lower:  # xAI says so with a 400
        return ErrorKind.UNAUTHENTICATED
    if plain and "model is not supported" in lower:  # the ChatGPT backend
        return ErrorKind.UNKNOWN_MODEL
    if plain and error.type is not None and error.type != "error":
        return kind_of(status, error.message, error.type)
    return kind


def failure_of(error: Told) -> Failure:
    """An error inside an answer as the event that ends it."""
    wait = retry_after({}, error.message)
    return Failure(
        kind_of_error(200, error),
        error.message,
        error.code or error.type,
        error.wait if wait is None else wait,
        error.raw,
    )


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """An error answer, whatever it is made of. Header names are lower case."""
    seen = told(body)
    if seen is None and (seen := told(beside := _in_header(headers))) is not None:
        body = beside
    request_id = headers.get("x-request-id") or headers.get("x-oai-request-id") or headers.get("request-id")
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
    wait = retry_after(headers, seen.message)
    return Refused(
        seen.message,
        status=status,
        body=body,
        dialect=NAME,
        kind=kind_of_error(status, seen),
        retry_after=seen.wait if wait is None else wait,
        param=seen.param,
        code=seen.code or seen.type,
        request_id=request_id,
    )


def _in_header(headers: Mapping[str, str]) -> bytes:
    """The error that the ChatGPT backend also puts into a header; the body may be the page of somebody in between."""
    try:
        return binascii.a2b_base64(headers.get("x-error-json", ""))
    except (binascii.Error, ValueError):
        return b""


# ---- writing ----


def render_error(error: GatewayError) -> ErrorReply:
    """An error before anything was sent. What an upstream of this very dialect said passes as it is."""
    headers = _headers(error)
    if isinstance(error, Refused) and error.dialect == NAME and error.body and error.status >= 400:
        return ErrorReply(error.status, error.body, headers)
    kind = error.kind
    if kind is ErrorKind.UNAUTHENTICATED and isinstance(error, UpstreamError):
        kind = ErrorKind.FORBIDDEN  # our credential was refused; after a 401 a client renews its own
    status, word, code = _TABLE[kind]
    own = None if kind in _FIXED else error.code
    body = {"error": {"message": _text(error), "type": word, "param": error.param, "code": own or code}}
    return ErrorReply(status, msgspec.json.encode(body), headers)


def failed_object(error: GatewayError) -> dict[str, str]:
    """The error of a failed response: the code that clients act upon, and the wait in the words that Codex reads."""
    code = _FAILED.get(error.kind, "invalid_prompt")
    if error.code in _KINDS and error.kind not in _FIXED:
        code = error.code
    text = _text(error)
    if error.kind is ErrorKind.RATE_LIMITED and error.retry_after is not None and retry_after({}, text) is None:
        text = f"{text.rstrip('.')}. Please try again in {error.retry_after:g}s."
    return {"code": code, "message": text}


def _text(error: GatewayError) -> str:
    text = error.text
    if error.kind is ErrorKind.CONTEXT_OVERFLOW and not is_context_overflow(text):
        return f"the input exceeds the context window of this model: {text}"
    return text


def _headers(error: GatewayError) -> tuple[tuple[str, str], ...]:
    headers = [("content-type", "application/json")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    if error.kind is ErrorKind.QUOTA_EXHAUSTED:
        headers.append(("x-should-retry", "false"))  # the official SDKs heed it
    return tuple(headers)
