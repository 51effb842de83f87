"""One WebSocket connection: a handshake, then texts out and texts in, with pings and back-pressure.

The protocol is `websockets`' own layer without I/O. Here is what stands around it. Compression is not offered: what is
read here would have to be unpacked for every event. Must not know what the texts mean, nor URLs, credentials or pools.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol, cast

from msgspec import Struct
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from strowger.errors import Malformed, Truncated, UpstreamError
from strowger.upstreams.base import CUT, Headers
from strowger.upstreams.dialing import Place, request_head

# A picture that a model made comes in one text; more than this is no answer.
_MOST_TEXT = 64 * 1024 * 1024

_BINARY_REFUSED = 1003
_GOING_AWAY = 1001

# The library logs headers and texts at DEBUG, credentials included; this logger says nothing, whatever is set above it.
_SILENT = logging.getLogger("strowger.silent")
_SILENT.setLevel(logging.CRITICAL + 1)


class Listener(Protocol):
    """Whose connection it is."""

    def text(self, data: bytes) -> None:
        """A whole text from the upstream."""
        ...

    def lost(self, error: UpstreamError) -> None:
        """There will be no more texts. `Truncated` unless the upstream sent what it must not."""
        ...


class Upgrade(Struct, frozen=True):
    """How the upstream answered the handshake; `status` 101 = the connection stands, 0 = it did not speak HTTP."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Upgrade({self.status})"


class FrameConnection(asyncio.Protocol):
    """The protocol of one connection. `upgrade`, then `send`; the listener is told what comes.

    `idle`: nobody waits for an answer, so that a connection which does not even answer pings is closed. `dead`: it was
    given up because nothing came any more, as after a laptop has slept.
    """

    def __init__(self, place: Place, headers: Headers, listener: Listener, ping_seconds: float) -> None:
        uri = WebSocketURI(place.tls, place.host, place.port, place.path.partition("?")[0], "")
        self._frames = ClientProtocol(uri, max_size=_MOST_TEXT, logger=_SILENT)
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self._frames.key,
            "Sec-WebSocket-Version": "13",
        }
        self._head = request_head("GET", place, (*headers, *upgrade.items()), None)
        self._ping_seconds = ping_seconds
        self._pinger: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[Upgrade] = self._loop.create_future()
        self._pieces: list[bytes] = []
        self._heard = self._pinged = self._loop.time()
        self._gone = self._ponged = False
        self._listener: Listener | None = listener
        self.idle = self.dead = False
        self.closed_with = 0

    def __repr__(self) -> str:
        return f"FrameConnection({self._frames.state.name.lower()})"

    @property
    def usable(self) -> bool:
        """Whether a text may be sent."""
        transport = self._transport
        return (
            not self._gone
            and transport is not None
            and not transport.is_closing()
            and self._frames.state is State.OPEN
            and transport.get_write_buffer_size() == 0
        )

    async def upgrade(self) -> Upgrade:
        """Make the handshake."""
        assert self._transport is not None
        head, self._head = self._head, b""  # it has the credential in it
        self._transport.write(head)
        return await self._answered

    def send(self, text: bytes, doubt: float = 0.0) -> None:
        """Send a text, which is UTF-8. Only while `usable`.

        With `doubt`, in seconds, the other end has so long to show that it is there, if it ever answered a ping.
        """
        if doubt and self._ponged:
            self._frames.send_ping(b"")
            self._loop.call_later(doubt, self._judge, self._loop.time())
        self._frames.send_text(text)
        self._flush()

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close now, whatever is under way; the listener hears no more of it."""
        self._listener = None
        self._gone = True
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Close as one does when there is nothing more to say; nobody waits for the other side."""
        self._listener = None
        self._gone = True
        if self._transport is None:
            return
        if self._frames.state is State.OPEN:
            self._frames.send_close(_GOING_AWAY)
            self._flush()
        self._transport.close()

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes from the upstream."""
        self._heard = self._loop.time()
        self._frames.receive_data(data)
        for event in self._frames.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response):
                self._upgraded(event)
        self._flush()
        if self._frames.handshake_exc is not None:
            self._settle(Upgrade(0))
        if self._frames.parser_exc is not None:
            self._end(Malformed(f"the upstream does not speak WebSocket: {self._frames.parser_exc}"))

    def eof_received(self) -> bool:
        """The upstream has said all; an answer to the handshake may end so."""
        self._frames.receive_eof()
        for event in self._frames.events_received():
            if isinstance(event, Response):
                self._upgraded(event)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        reason = f": {error}" if error is not None and str(error) else ""
        self._end(Truncated(f"the upstream's answer broke off{reason}", hint=CUT))

    # ---- inside ----

    def _upgraded(self, response: Response) -> None:
        refused = isinstance(self._frames.handshake_exc, InvalidStatus)
        if self._frames.handshake_exc is None or refused:
            headers = tuple(response.headers.raw_items())
            self._settle(Upgrade(response.status_code, headers, bytes(response.body or b"")))
        if self._frames.handshake_exc is None:
            self._ping()  # so that it is known early whether this host answers

    def _settle(self, upgrade: Upgrade) -> None:
        if not self._answered.done():
            self._answered.set_result(upgrade)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT and frame.fin:
            if self._listener is not None:
                self._listener.text(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            self._pieces.append(bytes(frame.data))
            if frame.fin:
                pieces, self._pieces = self._pieces, []
                if self._listener is not None:
                    self._listener.text(b"".join(pieces))
        elif frame.opcode is Opcode.PONG:
            self._ponged = True
        elif frame.opcode is Opcode.BINARY:
            self._frames.fail(_BINARY_REFUSED)
            self._end(Malformed("the upstream sent a binary frame"))
        elif frame.opcode is Opcode.CLOSE:
            closed = self._frames.close_rcvd
            self.closed_with = closed.code if closed is not None else 0
            self._end(Truncated(f"the upstream closed the connection inside its answer, code {self.closed_with}"))

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for data in self._frames.data_to_send():
            if data:
                self._transport.write(data)
            else:  # the end of what there is to say
                self._transport.close()

    def _end(self, error: UpstreamError) -> None:
        self._gone = True
        self._settle(Upgrade(0))
        if self._pinger is not None:
            self._pinger.cancel()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.lost(error)
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def _ping(self) -> None:
        """Keeps the way open, and finds out whether it is. Who waits for an answer decides for himself how long."""
        if self._gone or self._frames.state is not State.OPEN:
            return
        if self.idle and self._heard < self._pinged:
            self._give_up()
            return
        self._pinged = self._loop.time()
        self._frames.send_ping(b"")
        self._flush()
        self._pinger = self._loop.call_later(self._ping_seconds, self._ping)

    def _judge(self, since: float) -> None:
        if not self._gone and self._heard < since:
            self._give_up()

    def _give_up(self) -> None:
        self.dead = True
        transport = self._transport
        self._end(Truncated("the upstream answers nothing any more"))
        if transport is not None:
            transport.abort()  # what is still to be sent would wait for ever
