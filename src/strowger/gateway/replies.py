"""Answers as HTTP/1.1: heads, chunks, ends. A head leaves together with the first bytes of its body.

The other half of `inbound`, and what goes between it and an answer. Must not know what an answer says.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from strowger.errors import ErrorKind, GatewayError
from strowger.upstreams.base import Headers

if TYPE_CHECKING:
    from strowger.gateway.delivery import Reply
    from strowger.gateway.inbound import Request

_END = b"0\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}
# They end with their head, whatever it says (RFC 9110 §6.4.1).
_BODILESS = frozenset({204, 304})


class Onward:
    """What goes before another reply, and does something with all that is sent."""

    __slots__ = ("beneath",)

    def __init__(self, beneath: Reply) -> None:
        self.beneath = beneath
        """The reply itself."""

    @property
    def started(self) -> bool:
        """As the reply's."""
        return self.beneath.started

    @property
    def streaming(self) -> bool:
        """As the reply's."""
        return self.beneath.streaming

    async def start(self, status: int, headers: Headers) -> None:
        """As the reply's."""
        await self.beneath.start(status, headers)


class _Clock:
    """The `Date` line, written once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def line(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
        return self._line


_DATE = _Clock()


class HttpReply:
    """A reply as an HTTP response. `extra` goes onto every response (CORS for origins that are allowed)."""

    __slots__ = ("_chunked", "_head", "_request", "extra", "started", "streaming")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._head = b""
        self._chunked = False
        self.extra: Headers = ()
        self.started = False
        self.streaming = False

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a stream. Nothing here waits, and no other write comes between its head and its first bytes."""
        request = self._request
        self._chunked = request.modern
        if not self._chunked:
            request.keeps = False  # only the end of the connection tells the end of the answer
        self._head = self._lines(status, headers, "Transfer-Encoding: chunked" if self._chunked else "")
        self.started = self.streaming = True

    async def write(self, data: bytes) -> None:
        """Send bytes of a stream, and wait while the client does not take them. Raises ClientGone."""
        if not data:
            return
        connection = self._request.connection
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._head:
            data, self._head = self._head + data, b""
        connection.send(data)
        if connection.is_full:
            await connection.drained()

    @property
    def keeps_up(self) -> bool:
        """Whether a stream is on its way to a client that takes what it is sent."""
        return not self._head and self.streaming and self._request.connection.keeps_up

    def push(self, data: bytes) -> bool:
        """Send bytes of a stream that is on its way, and do not wait. False, and nothing is sent, where that would not
        do: the client takes less than it is sent, or is gone.
        """
        if not self.keeps_up:
            return False
        self._request.connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return True

    async def end(self, data: bytes = b"") -> None:
        """Send the last bytes of a stream and its end. Raises ClientGone."""
        request = self._request
        connection = request.connection
        self.streaming = False
        if self._chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else _END
        data, self._head = self._head + data, b""
        connection.send(data)
        request.over = True
        if connection.is_full:
            await connection.drained()

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send everything at once. Raises ClientGone."""
        connection = self._request.connection
        self.say(status, headers, body)
        if connection.is_full:
            await connection.drained()

    def say(self, status: int, headers: Headers, body: bytes) -> None:
        """Send everything at once, and do not look how it is taken. Raises ClientGone."""
        request = self._request
        bare = status in _BODILESS
        head = self._lines(status, headers, "" if bare else f"Content-Length: {len(body)}")
        self.started = True
        request.connection.send(head if bare or request.is_head else head + body)
        request.over = True

    def _lines(self, status: int, headers: Headers, length: str) -> bytes:
        """A head. Raises GatewayError for a header that could begin another one."""
        request = self._request
        lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} "]
        lines += [f"{name}: {value}" for name, value in headers]
        if self.extra:
            lines += [f"{name}: {value}" for name, value in self.extra]
        if length:
            lines.append(length)
        lines.append(_DATE.line())
        lines.append("Server: strowger")
        if not request.keeps or request.connection.closing:
            request.keeps = False
            lines.append("Connection: close")
        elif not request.modern:
            lines.append("Connection: keep-alive")
        said = "".join(lines)
        if "\r" in said or "\n" in said or "\0" in said:
            raise GatewayError("a header of the answer holds a line break", kind=ErrorKind.INTERNAL)
        lines.append("\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")
