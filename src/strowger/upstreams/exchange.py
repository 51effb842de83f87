"""One request on a WebSocket and its answer, told as HTTP would have told it: a status, headers, and SSE bytes.

Events go on as they come, each in its SSE frame. An error that comes instead of an answer becomes a status with a JSON
body. What belongs to no answer (limits, keep-alives, timings) is handed to `aside`. Must not know how connections are
made or kept, nor what the events say to a client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from strowger.errors import Truncated, UpstreamError
from strowger.upstreams.base import Headers, gathered
from strowger.upstreams.continuation import Heard

# More than this unread, and the connection is not read until the reader has caught up.
_HIGH_WATER = 256 * 1024

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})
_KEEPALIVE = "keepalive"
# What it carries stands in the headers of an HTTP answer.
_METADATA = "response.metadata"

# What one request did wrong says nothing of the connection.
_REQUESTS_FAULT = frozenset({400, 404, 409, 413, 422, 429})

# The status of an error that came without one, by its code or type. What is not here is told inside the stream.
_STATUS = {
    "authentication_error": 401,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "token_expired": 401,
    "usage_limit_reached": 429,
    "usage_not_included": 429,
}
_HOP = frozenset(
    "connection content-encoding content-length content-type keep-alive te trailer transfer-encoding upgrade".split()
)


class _Kind(Struct):
    type: str = ""


class _Error(Struct):
    code: str | int | None = None
    type: str | None = None


class _Nested(Struct):
    error: _Error | str | None = None


class _Wrapped(Struct):
    code: str | int | None = None
    status: int | str | None = None
    status_code: int | str | None = None
    error: _Error | str | None = None
    body: _Nested | str | None = None

    @property
    def fault(self) -> _Error:
        """The error itself, wherever it stands."""
        nested = self.body.error if isinstance(self.body, _Nested) else None
        return next((error for error in (self.error, nested) if isinstance(error, _Error)), _Error(self.code))


_KIND = msgspec.json.Decoder(_Kind)
_WRAPPED = msgspec.json.Decoder(_Wrapped)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_HEADERS = msgspec.json.Decoder(dict[str, str | int | float | list[Raw] | dict[str, Raw] | bool | None])


class Refusal(Struct, frozen=True):
    """An error that came instead of an answer: what HTTP would have said, and the vendor's code."""

    status: int
    headers: Headers
    body: bytes
    code: str

    def __repr__(self) -> str:
        return f"Refusal({self.status}, {self.code})"


class Line(Protocol):
    """The connection under an exchange."""

    def pause(self) -> None:
        """Read no more for now."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def free(self, *, good: bool) -> None:
        """The exchange is over; `good`: the connection can carry another."""
        ...


class Exchange:
    """An answer as it comes. `begun` first; then it is an `Incoming`, unless there is a `refusal`.

    `noticed`: the upstream has said something to the request, if not yet of an answer.
    """

    def __init__(
        self, line: Line, headers: Headers, aside: Callable[[bytes], None] | None, heard: Heard | None
    ) -> None:
        self._line = line
        self._aside = aside
        self._heard = heard
        self._parts: list[bytes] = []
        self._waiting = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self._over = False
        self._closed = False
        self._good = False
        self.answered = self.noticed = False
        self.refusal: Refusal | None = None
        self.status = 200
        self.header_items: Headers = (*headers, ("content-type", "text/event-stream"))

    # ---- Incoming ----

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""
        return {name.lower(): value for name, value in self.header_items}

    @property
    def ended(self) -> bool:
        """Whether the answer has come to its end and has been read."""
        return self._over and not self._parts

    async def read(self) -> bytes:
        """All events that have arrived, at least one; empty at the end. Raises Truncated or Malformed."""
        while True:
            parts = self._parts
            if parts:
                self._parts, self._waiting = [], 0
                if self._paused:
                    self._paused = False
                    self._line.resume()
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if self._closed:
                raise Truncated("the upstream's answer was closed")
            if self._over:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read_all(self, limit: int) -> bytes:
        """The rest of the answer. Raises Malformed when it is longer than `limit` bytes."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """Let the connection go: kept if the answer has come to its end, else closed."""
        if not self._closed:
            self._closed = True
            if self._paused:
                self._line.resume()
            self._line.free(good=self._over and self._good)

    # ---- for whoever opened it ----

    async def begun(self) -> None:
        """Wait until there is an answer, or a refusal. Raises Truncated or Malformed when there will be neither."""
        while not self.answered and self.refusal is None:
            if self._error is not None:
                raise self._error
            await self._wait()

    # ---- what comes ----

    def text(self, data: bytes) -> None:
        """A text from the upstream."""
        kind = kind_of(data)
        if kind.startswith("response."):  # nearly all of them
            self._event(kind, data)
        elif is_aside(kind):
            self.noticed = self.noticed or kind != _KEEPALIVE
            if self._aside is not None:
                self._aside(data)
            if kind == _KEEPALIVE and self.answered and not self._over:
                self._push(b": keepalive\n\n")
        elif kind == "error" and not self.answered and not self._over and (refusal := refusal_of(data)) is not None:
            self._over, self.refusal = True, refusal
            self._good = refusal.status in _REQUESTS_FAULT
            self._wake()
        else:
            self._event(kind, data)

    def lost(self, error: UpstreamError) -> None:
        """There will be no more. Of an answer that is all there nobody needs to know how its connection ended."""
        self._good = False
        if not self._over:
            self._error = error
            self._wake()

    def _event(self, kind: str, data: bytes) -> None:
        if self._over:
            self._good = False  # whose answer is that?
            return
        if self._heard is not None:
            self._heard.event(kind, data)
        if kind in _LAST:
            self._over = True
            self._good = kind != "error"
        if not self.answered:
            self.answered = kind != _METADATA
        self._push(as_sse(kind, data))

    def _push(self, piece: bytes) -> None:
        self._parts.append(piece)
        self._waiting += len(piece)
        if self._waiting > _HIGH_WATER and not self._paused and not self._over:
            self._paused = True
            self._line.pause()
        self._wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class RefusedIncoming:
    """A refusal as an answer that has been read already."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.header_items = headers
        self._body = body

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""
        return {name.lower(): value for name, value in self.header_items}

    @property
    def ended(self) -> bool:
        """Whether the body has been read."""
        return not self._body

    async def read(self) -> bytes:
        """The body, once."""
        body, self._body = self._body, b""
        return body

    async def read_all(self, limit: int) -> bytes:
        """The body. Raises Malformed when it is longer than `limit` bytes."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """Nothing is held."""


def kind_of(data: bytes) -> str:
    """The type of an event; empty for what is none."""
    try:
        return _KIND.decode(data).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def is_aside(kind: str) -> bool:
    """Whether an event of this type is no part of an answer."""
    return kind == _KEEPALIVE or kind.startswith(("codex.", "responsesapi."))


def as_sse(kind: str, data: bytes) -> bytes:
    """An event in its SSE frame. JSON may have line breaks between its values, SSE has them only between its lines."""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(data.splitlines())
    return _named(kind) + data + b"\n\n"


@lru_cache(maxsize=256)
def _named(kind: str) -> bytes:
    return f"event: {kind}\ndata: ".encode() if kind and kind.isprintable() else b"data: "


def refusal_of(data: bytes) -> Refusal | None:
    """An error event as an HTTP answer; None when it has no status and its code tells none."""
    try:
        told, members = _WRAPPED.decode(data), _MEMBERS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    error = told.fault
    known = (_STATUS[word] for word in (error.code, error.type) if isinstance(word, str) and word in _STATUS)
    said = str(told.status or told.status_code or next(known, 0))
    status = int(said) if said.isdecimal() else 0
    if not 400 <= status < 600:
        return None
    headers = (*_headers_of(members), ("content-type", "application/json"))
    return Refusal(status, headers, _body_of(members), str(error.code or error.type or ""))


def _body_of(members: dict[str, Raw]) -> bytes:
    """The error as the HTTP API words it."""
    body = members.get("body")
    if body is not None and bytes(body).startswith(b"{"):
        return bytes(body)
    shown = {name: members[name] for name in ("error", "detail") if name in members}
    if not shown:
        plain = {name: members[name] for name in ("message", "code", "param") if name in members}
        return msgspec.json.encode({"error": {"type": Raw(b"null"), **plain}})
    return msgspec.json.encode(shown)


def _headers_of(members: dict[str, Raw]) -> Headers:
    try:
        given = _HEADERS.decode(members.get("headers", Raw(b"{}")))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    lines = ((name, _worded(value)) for name, value in given.items() if isinstance(value, str | int | float))
    return tuple((name, value) for name, value in lines if _travels(name) and value.isprintable())


def _worded(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _travels(name: str) -> bool:
    lower = name.lower()
    return lower not in _HOP and not lower.startswith("sec-") and name.isascii() and name.replace("-", "").isalnum()
