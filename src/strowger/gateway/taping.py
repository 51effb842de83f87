"""Both ends of a call, with a tape running: what an upstream sends, and what the client gets, as it goes by.

Must not know what becomes of the tape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from strowger.flows.tape import Message, Tape
from strowger.upstreams.base import Headers, Incoming, Outgoing, gathered

if TYPE_CHECKING:  # delivery knows, far below, who sends; and that is us
    from strowger.gateway.delivery import Reply


def sent(tape: Tape, out: Outgoing) -> None:
    """A request leaves for an upstream."""
    tape.begin("forwarded", f"{out.method} {out.url}", out.headers, out.body)


class TapedIncoming:
    """An upstream's answer."""

    __slots__ = ("_incoming", "_message", "_read", "_tape")

    def __init__(self, incoming: Incoming, tape: Tape) -> None:
        self._incoming = incoming
        self._read = incoming.read
        self._tape = tape
        self._message = tape.begin("upstream_response", str(incoming.status), incoming.header_items)

    @property
    def status(self) -> int:
        """As the answer's."""
        return self._incoming.status

    @property
    def headers(self) -> Mapping[str, str]:
        """As the answer's."""
        return self._incoming.headers

    @property
    def header_items(self) -> Headers:
        """As the answer's."""
        return self._incoming.header_items

    @property
    def ended(self) -> bool:
        """As the answer's."""
        return self._incoming.ended

    async def read(self) -> bytes:
        """The next bytes, which are on the tape then."""
        piece = await self._read()
        if piece:
            self._tape.add(self._message, piece)
        return piece

    async def read_all(self, limit: int) -> bytes:
        """The rest, which is on the tape then. Raises Malformed."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """As the answer's."""
        self._incoming.close()


class TapedReply:
    """The answer that the client gets."""

    __slots__ = ("_message", "_reply", "_tape")

    def __init__(self, reply: Reply, tape: Tape) -> None:
        self._reply = reply
        self._tape = tape
        self._message: Message | None = None

    @property
    def started(self) -> bool:
        """As the reply's."""
        return self._reply.started

    @property
    def streaming(self) -> bool:
        """As the reply's."""
        return self._reply.streaming

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a stream."""
        self._message = self._tape.begin("client_response", str(status), headers)
        await self._reply.start(status, headers)

    async def write(self, data: bytes) -> None:
        """Send."""
        if self._message is not None:
            self._tape.add(self._message, data)
        await self._reply.write(data)

    async def end(self, data: bytes = b"") -> None:
        """The last bytes of a stream."""
        if data and self._message is not None:
            self._tape.add(self._message, data)
        await self._reply.end(data)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Everything at once."""
        self._tape.begin("client_response", str(status), headers, body)
        await self._reply.whole(status, headers, body)
