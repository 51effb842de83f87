"""One HTTP/1.1 connection to an upstream: bytes out, an answer in, one exchange at a time.

Parsing is llhttp's (httptools), strict as it comes: lengths given twice, lengths beside chunks and bare line feeds are
refused. Here is what stands around it: waiting, back-pressure, what an end of input means, and whether the connection
can be used again. Must not know URLs, credentials or pools.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import cast

import httptools

from strowger.errors import Malformed, Truncated, UpstreamError
from strowger.upstreams.base import CUT, ELSEWHERE, Headers
from strowger.upstreams.heads import Head, split

# Some gateways send long security policies and cookies with every answer; our own server takes as much.
MAX_HEAD = 64 * 1024
# More than this unread, and the socket is not read until the reader has caught up.
_HIGH_WATER = 256 * 1024
# More lines than any server sends; with more, each is for the parser to tell.
_MOST_LINES = 256
# A body of less is copied behind its head, which is cheaper than to give both to the system.
_JOINED = 16 * 1024


# How an answer begins that is no 1xx, after which another head would come.
_FINAL = frozenset(b"HTTP/1.1 %d" % first for first in range(2, 6))

_TOO_LONG = Malformed(f"the head of the upstream's answer is longer than {MAX_HEAD // 1024} KB")


@lru_cache(maxsize=1024)
def _name(raw: bytes) -> tuple[str, str]:
    """A header's name as written and in lower case: there are few, and they come with every answer."""
    name = raw.decode("utf-8", "surrogateescape")
    return name, name.lower()


class Dropped(Exception):
    """The connection ended before the first byte of an answer. `cause` is what the system or TLS said, if anything."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__()
        self.cause = cause


Taker = Callable[[bytes], bool]
"""Is shown bytes as they come, and says whether it has taken them. Raises nothing."""


class Connection(asyncio.Protocol):
    """The protocol of one connection. `send`, then `head`, then `read` until empty; then it may be sent on again."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._taker: Taker | None = None
        self._parts: list[bytes] = []
        self._waiting = 0
        self._paused = False
        self._head_bytes = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._split: Head | None = None
        self._has_length = False
        self._has_head = False
        self._complete = True
        self._keeps = False
        self._error: Exception | None = None
        self.status = 0
        self.headers: Headers = ()
        """The answer's, in order; bytes that are not UTF-8 survive as surrogates."""
        self.named: dict[str, str] = {}
        """The same by lower-case name, the last of several."""
        self.kept_since = 0.0

    # ---- for the pool ----

    @property
    def usable(self) -> bool:
        """Whether another request may be sent: the last answer was read to its end, and both sides keep the line."""
        transport = self._transport
        return (
            self._complete
            and self._keeps
            and self._error is None
            and not self._parts
            and transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
        )

    def abort(self) -> None:
        """Close now, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    # ---- an exchange ----

    def send(self, data: bytes, body: bytes) -> None:
        """Write a whole request."""
        assert self._transport is not None
        self._headers = []
        self._head_bytes = self._waiting = self.status = 0
        self._has_length = self._has_head = self._complete = self._keeps = False
        if len(body) < _JOINED:
            self._transport.write(data + body)
        else:
            self._transport.writelines((data, body))

    async def head(self) -> None:
        """Wait for the head of the answer. Raises Dropped, Truncated or Malformed."""
        while not self._has_head:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read(self) -> bytes:
        """All that has arrived, at least one byte; empty at the end of the answer. Raises Truncated or Malformed."""
        while not (parts := self._parts):
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            # as `_wait`, which would be one more coroutine for each event
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._parts, self._waiting = [], 0
        if self._paused:
            self._resume()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def lend(self, taker: Taker | None) -> None:
        """Show what comes to somebody while a reader waits for it, who may take it: the reader is not woken then. The
        end of an answer, and what comes with it, is for the reader.
        """
        self._taker = taker

    @property
    def ended(self) -> bool:
        """Whether the answer has come to its end and has been read."""
        return self._complete and not self._parts

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and not self._is_taken():
            waiter.set_result(None)

    def _is_taken(self) -> bool:
        """Whether somebody has taken what came, so that there is nothing to read."""
        parts = self._parts
        if self._taker is None or not parts or self._complete or self._error is not None:
            return False
        if not self._taker(parts[0] if len(parts) == 1 else b"".join(parts)):
            return False
        self._parts, self._waiting = [], 0
        if self._paused:
            self._resume()
        return True

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes from the upstream."""
        if self._complete:
            self._fail(Malformed("the upstream sent bytes after the end of its answer"))
            return
        try:
            if self._has_head:
                self._parser.feed_data(data)
            else:
                self._begin(data)
        except httptools.HttpParserUpgrade:
            self._fail(Malformed("the upstream wants to speak another protocol"))
        except httptools.HttpParserError as error:
            self._fail(Malformed(f"the upstream's answer is not HTTP: {error}", hint=ELSEWHERE))
        if not self._has_head and self._head_bytes > MAX_HEAD:
            self._fail(_TOO_LONG)
        if self._waiting > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def _begin(self, data: bytes) -> None:
        """Bytes of a head, or a head and what follows it."""
        whole = split(data, MAX_HEAD, _MOST_LINES) if not self._head_bytes and data[:10] in _FINAL else None
        self._head_bytes += len(data)
        if whole is None:
            self._parser.feed_data(data)
            return
        self._split = whole
        whole.show(self._parser.feed_data, data)

    def eof_received(self) -> bool:
        """The upstream has said all. Without a length that is how an answer ends."""
        if self._has_head and not self._complete and not self._has_length:
            self._complete = True
        self._keeps = False
        self._wake()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        self._keeps = False
        if not self._complete and self._error is None:
            self._error = self._broken(error)
        self._wake()

    def _broken(self, error: Exception | None) -> Exception:
        if not self._has_head and self._head_bytes == 0:
            return Dropped(error)
        reason = f": {error}" if error is not None and str(error) else ""
        return Truncated(f"the upstream's answer broke off{reason}", hint=CUT)

    def _fail(self, error: UpstreamError) -> None:
        """Give up the connection. An answer that is all there stays one, whatever comes behind it."""
        if self._error is None and not self._complete:
            self._error = error
        self._keeps = False
        self.abort()
        self._wake()

    # ---- httptools ----

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer."""
        if self._split is None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there; heads of 1xx are followed by another."""
        status = self._parser.get_status_code()
        whole, self._split = self._split, None
        if whole is not None:
            self.headers, self.named = whole.items, whole.named
            self._headed(status)
            return
        if sum([len(name) + len(value) for name, value in self._headers]) > MAX_HEAD:
            self._fail(_TOO_LONG)
            return
        if 100 <= status < 200 and status != 101:
            return
        items: list[tuple[str, str]] = []
        named: dict[str, str] = {}
        for raw, written in self._headers:
            name, low = _name(raw)
            value = written.decode("utf-8", "surrogateescape")
            items.append((name, value))
            named[low] = value
        self.headers, self.named = tuple(items), named
        self._headers = []
        self._headed(status)

    def _headed(self, status: int) -> None:
        self.status = status
        self._has_head = True
        named = self.named
        # 204 and 304 have no body, and the parser ends them itself. A transfer coding that does not end in chunks lasts
        # until the connection closes (RFC 9112 §6.3).
        coding = named.get("transfer-encoding")
        if coding is None:
            self._has_length = "content-length" in named
        else:
            self._has_length = coding.rstrip().lower().endswith("chunked")

    def on_body(self, data: bytes) -> None:
        """Bytes of the body."""
        self._parts.append(data)
        self._waiting += len(data)

    def on_message_complete(self) -> None:
        """The end of an answer, or of a 1xx head."""
        if not self._has_head:
            self._headers = []
            return
        if self.status != 101:  # what follows that head is no HTTP
            self._complete = True
            self._keeps = self._parser.should_keep_alive()
