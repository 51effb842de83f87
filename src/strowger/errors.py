"""Every error Strowger raises on purpose, each with its kind and a hint. Imports nothing of ours.

The tree (an exception that is not in it is a bug of ours, answered as 500 `internal`):

    GatewayError(message, kind, hint, retry_after)
     ├ ConfigError                    the configuration is wrong; the command line exits 2
     ├ ClientError                    the caller's fault
     │   ├ BadRequest                 malformed JSON, wrong types, impossible values
     │   ├ UnknownModel               no route leads to the model that was asked for
     │   ├ UnknownPath                nothing is served at this path
     │   ├ Forbidden                  a foreign Host or Origin, no client token, or a wrong one
     │   ├ TooLarge                   the body is over the limit
     │   └ Unsupported                what is asked for cannot be carried to the chosen upstream
     ├ OverBudget                     what the user set as the most to spend has been spent
     ├ CredentialError                ours for the upstream: missing, unreadable, or not allowed to travel there
     │   └ LoginNeeded                there is no login, or its issuer takes it no more
     └ UpstreamError
         ├ Refused                    it answered with an error status or an error event
         ├ Unreachable                no connection: DNS, refused, TLS
         │   └ Unanswered             the request was sent, and the connection closed without a word
         ├ TimedOut                   silent for longer than the idle limit
         ├ Truncated                  the stream ended before its end
         └ Malformed                  it sent what its dialect does not allow
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """What went wrong, in words that every dialect can say. Closed: dialects map each to a status and a shape."""

    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UNKNOWN_MODEL = "unknown_model"
    TOO_LARGE = "too_large"
    CONTEXT_OVERFLOW = "context_overflow"
    UNSUPPORTED = "unsupported"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    UPSTREAM = "upstream"
    INTERNAL = "internal"


class GatewayError(Exception):
    """Base of the tree.

    `message` is one sentence, lower case, without a full stop. `hint` says what to do next.
    `retry_after` is in seconds. `param` names the request field at fault, `code` a vendor's or our own short code.
    """

    kind: ErrorKind = ErrorKind.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind or type(self).kind
        self.hint = hint
        self.retry_after = retry_after
        self.param = param
        self.code = code

    @property
    def text(self) -> str:
        """Message and hint in one line, as it is shown to a client."""
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class ConfigError(GatewayError):
    """The configuration cannot be used. `where` is `file:line` when it is known."""

    kind = ErrorKind.INTERNAL

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class ClientError(GatewayError):
    """The caller's fault; repeating the same request gives the same error."""

    kind = ErrorKind.BAD_REQUEST


class BadRequest(ClientError):
    """The body or a header cannot be understood."""


class UnknownModel(ClientError):
    """No route matches; `available` lists what would have matched."""

    kind = ErrorKind.UNKNOWN_MODEL

    def __init__(self, message: str, *, available: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint, param="model", code="model_not_found")
        self.available = available


class UnknownPath(ClientError):
    """Nothing is served at this path, or not with this method."""

    kind = ErrorKind.NOT_FOUND


class Forbidden(ClientError):
    """The request may not be made from there or by this client."""

    kind = ErrorKind.FORBIDDEN


class TooLarge(ClientError):
    """The request is over a limit of ours."""

    kind = ErrorKind.TOO_LARGE


class Unsupported(ClientError):
    """The request asks for something that the chosen upstream has no way to do."""

    kind = ErrorKind.UNSUPPORTED


class OverBudget(GatewayError):
    """What the user set as the most to spend has been spent. No waiting mends that, and no other upstream."""

    kind = ErrorKind.QUOTA_EXHAUSTED


class CredentialError(GatewayError):
    """Our credential for an upstream is missing, unreadable, or not allowed to travel there.

    It reaches the client as 403, not 401: Claude Code retries a 401 for minutes, and other clients log their user out.
    """

    kind = ErrorKind.FORBIDDEN


class LoginNeeded(CredentialError):
    """There is no login, or its issuer takes it no more: only the user can mend that, by logging in."""


class UpstreamError(GatewayError):
    """The upstream failed. Another target may be tried while nothing has been sent to the client."""

    kind = ErrorKind.UPSTREAM


class Refused(UpstreamError):
    """The upstream answered with an error.

    `status` is its HTTP status (200 when the error came inside a started stream), `body` and `headers` are as
    received, `dialect` is the one they are written in: for a client of that dialect they pass untouched.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: bytes = b"",
        dialect: str = "",
        kind: ErrorKind | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, kind=kind, hint=hint, retry_after=retry_after, param=param, code=code)
        self.status = status
        self.body = body
        self.headers = headers
        self.dialect = dialect
        self.request_id = request_id


class Unreachable(UpstreamError):
    """No connection could be made."""


class Unanswered(Unreachable):
    """The connection closed before any answer. The request may have been read, and then it is paid for."""


class TimedOut(UpstreamError):
    """Silent for longer than the idle limit."""

    kind = ErrorKind.TIMEOUT


class Truncated(UpstreamError):
    """The upstream's stream ended before its terminal event."""


class Malformed(UpstreamError):
    """The upstream sent what its dialect does not allow."""
