"""A client's WebSocket: text frames in and out over a connection that was upgraded.

The protocol is that of `websockets`, without its sockets: masks, fragments, limits, the closing handshake. Here is the
step from HTTP, and when silence means that nobody is there. Must not know what frames say.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections import deque
from collections.abc import Mapping

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from strowger.errors import BadRequest
from strowger.gateway.delivery import ClientGone
from strowger.gateway.inbound import ClientConnection

# RFC 6455 §1.3
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = "13"
_KEY_BYTES = 16
# A peer that has vanished is noticed by this; the bytes also keep middleboxes from closing a quiet connection.
_PING_SECONDS = 30.0
_PONG_SECONDS = 15.0
# Frames that were received and not taken; then the socket is left alone for a while.
_WAITING = 8


def handshake(headers: Mapping[str, str]) -> bytes:
    """The answer to a request for a WebSocket. Raises BadRequest for one that is none."""
    key = headers.get("sec-websocket-key", "").strip()
    try:
        decoded = base64.b64decode(key.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        decoded = b""
    upgrading = "upgrade" in {word.strip().lower() for word in headers.get("connection", "").split(",")}
    if len(decoded) != _KEY_BYTES or headers.get("sec-websocket-version", "").strip() != _VERSION or not upgrading:
        raise BadRequest(
            "this is not the handshake of a WebSocket", hint="`sec-websocket-key` and its like belong to it"
        )
    accept = base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\nServer: strowger\r\n\r\n"
    )


class SocketFrames:
    """A WebSocket's text frames. Messages are at most `max_size` bytes."""

    def __init__(self, connection: ClientConnection, max_size: int) -> None:
        self._connection = connection
        self._protocol = Protocol(Side.SERVER, max_size=max_size)
        self._pieces: list[bytes] = []
        self._opcode = Opcode.TEXT
        self._texts: deque[str] = deque()
        self._paused = False
        self._over = False
        self._heard = True
        self._changed: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_PING_SECONDS, self._ping)

    # ---- for the connection ----

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        self._heard = True
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and not self._over:
                self._frame(event)
        if self._protocol.state is not State.OPEN:
            self._end()
        elif len(self._texts) > _WAITING and not self._paused:
            self._paused = True
            self._connection.listen(on=False)

    def lost(self) -> None:
        """The connection is gone."""
        self._end()

    # ---- for who reads and writes ----

    async def receive(self) -> str | None:
        """The next text frame; a client that sends anything else has left the protocol."""
        while not self._texts:
            if self._over:
                return None
            await self._change()
        text = self._texts.popleft()
        if self._paused and not self._texts:
            self._paused = False
            self._connection.listen(on=True)
        return text

    async def send(self, text: str) -> None:
        """Send a text frame. Raises ClientGone."""
        if self._protocol.state is not State.OPEN:
            raise ClientGone
        self._protocol.send_text(text.encode("utf-8", "replace"))
        self._flush()
        if self._connection.is_full:
            await self._connection.drained()

    async def close(self) -> None:
        """Say goodbye, and wait for the client's."""
        self._timer.cancel()
        self._leave(CloseCode.GOING_AWAY, "")
        while self._protocol.state is State.CLOSING and not self._connection.lost:
            await self._change()

    # ---- within ----

    def _frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._opcode = frame.opcode
        elif frame.opcode is not Opcode.CONT:
            return  # pings have been answered already
        self._pieces.append(bytes(frame.data))
        if not frame.fin:
            return
        message, self._pieces = b"".join(self._pieces), []
        if self._opcode is not Opcode.TEXT:
            self._leave(CloseCode.UNSUPPORTED_DATA, "frames are JSON, as text")
            return
        try:
            self._texts.append(message.decode())
        except UnicodeDecodeError:
            self._leave(CloseCode.INVALID_DATA, "the text is not UTF-8")
            return
        self._wake()

    def _leave(self, code: CloseCode, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        self._end()

    def _flush(self) -> None:
        """Send what the protocol has to say; nothing at all is its way to hang up."""
        for data in self._protocol.data_to_send():
            if not data:
                self._connection.close()
            elif not self._connection.lost:
                self._connection.send(data)

    def _end(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _change(self) -> None:
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _ping(self) -> None:
        """Look whether there was a sign of life. Where there was none, ask for one; where there is none then, end."""
        if self._over:
            return
        if self._heard:
            self._heard = False
            self._timer = self._loop.call_later(_PING_SECONDS, self._ask)
        else:
            self._connection.abort()

    def _ask(self) -> None:
        if not self._heard and self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()
        self._timer = self._loop.call_later(_PONG_SECONDS, self._ping)
