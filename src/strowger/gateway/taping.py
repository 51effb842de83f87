"""Both ends of a call, with a tape running: what an upstream sends, and what the client gets, as it goes by.

Must not know what becomes of the tape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from strowger.flows.tape import Message, Tape
from strowger.gateway.replies import Onward
from strowger.upstreams.base import Headers, Incoming, Outgoing, gathered

if TYPE_CHECKING:  # delivery knows, far below, who sends; and that is us
    from strowger.gateway.delivery import Reply


def sent(tape: Tape, out: Outgoing) -> None:
    """A request leaves for an upstream."""
    tape.begin("forwarded", f"{out.method} {out.url}", out.headers, out.body)


class TapedIncoming:
    """An upstream's answer."""

    __slots__ = ("_message", "_read", "_tape", "beneath")

    def __init__(self, incoming: Incoming, tape: Tape) -> None:
        self.beneath = incoming
        """The answer itself; who reads from it notes what came."""
        self._read = incoming.read
        self._tape = tape
        self._message = tape.begin("upstream_response", str(incoming.status), incoming.header_items)

    @property
    def status(self) -> int:
        """As the answer's."""
        return self.beneath.status

    @property
    def headers(self) -> Mapping[str, str]:
        """As the answer's."""
        return self.beneath.headers

    @property
    def header_items(self) -> Headers:
        """As the answer's."""
        return self.beneath.header_items

    @property
    def ended(self) -> bool:
        """As the answer's."""
        return self.beneath.ended

    def note(self, piece: bytes) -> None:
        """Some bytes have come, past `read`."""
        self._tape.add(self._message, piece)

    async def read(self) -> bytes:
        """The next bytes, which are on the tape then."""
        piece = await self._read()
        if piece:
            self.note(piece)
        return piece

    async def read_all(self, limit: int) -> bytes:
        """The rest, which is on the tape then. Raises Malformed."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """As the answer's."""
        self.beneath.close()


class TapedReply(Onward):
    """The answer that the client gets. Who writes to the reply beneath notes what was written."""

    __slots__ = ("_message", "_tape")

    def __init__(self, reply: Reply, tape: Tape) -> None:
        super().__init__(reply)
        self._tape = tape
        self._message: Message | None = None

    def note(self, piece: bytes) -> None:
        """Some bytes have been sent, past `write`."""
        if self._message is not None:
            self._tape.add(self._message, piece)

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a stream."""
        self._message = self._tape.begin("client_response", str(status), headers)
        await self.beneath.start(status, headers)

    async def write(self, data: bytes) -> None:
        """Send."""
        self.note(data)
        await self.beneath.write(data)

    async def end(self, data: bytes = b"") -> None:
        """The last bytes of a stream."""
        if data:
            self.note(data)
        await self.beneath.end(data)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Everything at once."""
        self._tape.begin("client_response", str(status), headers, body)
        await self.beneath.whole(status, headers, body)
