"""The other side of a WebSocket, in memory: the library's server protocol as a transport. No socket, no waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from strowger.upstreams.base import Incoming, Outgoing
from strowger.upstreams.dialing import Dialer, Place, Spoken
from strowger.upstreams.exchange import RefusedIncoming


class Peer(asyncio.Transport):
    """`status`: how the handshake is answered; 0 = not at all, -1 = with something that is not HTTP."""

    def __init__(self, connection: asyncio.Protocol, status: int = 101, body: bytes = b"no") -> None:
        super().__init__()
        self.connection = connection
        self.server = ServerProtocol(max_size=None)
        self.status = status
        self.body = body
        self.handshake: Request | None = None
        self.texts: list[Any] = []
        self.pings = 0
        self.paused = False
        self.aborted = False
        self.closing = False
        self.deaf = False
        self.pongs = True
        self.close_code: int | None = None

    # ---- what a test says ----

    def say(self, *events: Any) -> None:
        """Send events, or texts as they are."""
        for event in events:
            self.server.send_text(event if isinstance(event, bytes) else msgspec.json.encode(event))
        self.flush()

    def binary(self) -> None:
        self.server.send_binary(b"\0")
        self.flush()

    def hang_up(self, code: int = 0) -> None:
        """Close with a code, or as a broken network does."""
        if code:
            self.server.send_close(code)
            self.flush()
        asyncio.get_running_loop().call_soon(self._lose)

    def flush(self) -> None:
        self.raw(b"".join(self.server.data_to_send()))

    def raw(self, data: bytes) -> None:
        if data:
            asyncio.get_running_loop().call_soon(self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if not self.closing:
            self.connection.data_received(data)

    def _lose(self) -> None:
        if not self.closing:
            self.closing = True
            self.connection.connection_lost(None)

    # ---- what the connection asks of its transport ----

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        is_ping = bytes(data[:1]) == b"\x89"
        if self.deaf or (is_ping and not self.pongs):
            self.pings += is_ping
            return
        self.server.receive_data(bytes(data))
        for event in self.server.events_received():
            if isinstance(event, Request):
                self._shake(event)
            elif isinstance(event, Frame):
                self._take(event)
        self.flush()

    def _shake(self, request: Request) -> None:
        self.handshake = request
        if self.status == -1:
            self.raw(b"SSH-2.0-OpenSSH\r\n\r\n")
        elif self.status == 101:
            response = self.server.accept(request)
            response.headers["X-Models-Etag"] = "e1"
            response.headers["X-Reasoning-Included"] = "true"
            response.headers["X-Request-Id"] = "req_1"
            self.server.send_response(response)
        elif self.status:
            response = self.server.reject(self.status, "")
            response.body = self.body
            del response.headers["Content-Length"]
            response.headers["Content-Length"] = str(len(self.body))
            self.server.send_response(response)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT:
            self.texts.append(msgspec.json.decode(frame.data))
        elif frame.opcode is Opcode.PING:
            self.pings += 1
        elif frame.opcode is Opcode.CLOSE:
            self.close_code = self.server.close_rcvd.code if self.server.close_rcvd else None

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


class Switchboard(Dialer):
    """Connects to peers of its own making; `statuses` are for the next ones, then all are accepted.

    `pongs`: whether they answer pings.
    """

    def __init__(self, *statuses: int, behind_proxy: bool = False, pongs: bool = True) -> None:
        super().__init__()
        self.statuses = list(statuses)
        self.pongs = pongs
        self.behind_proxy = behind_proxy
        self.peers: list[Peer] = []

    def goes_straight(self, place: Place) -> bool:
        return not self.behind_proxy

    async def connect(self, place: Place, spoken: Callable[[], Spoken]) -> Spoken:
        connection = spoken()
        peer = Peer(connection, self.statuses.pop(0) if self.statuses else 101)
        peer.pongs = self.pongs
        self.peers.append(peer)
        connection.connection_made(peer)
        return connection


class PlainHttp:
    """HTTP behind the sockets: remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[Outgoing] = []
        self.closed = False

    async def open(self, out: Outgoing) -> Incoming:
        self.asked.append(out)
        return RefusedIncoming(200, (("content-type", "text/event-stream"),), b"over http")

    async def aclose(self) -> None:
        self.closed = True
