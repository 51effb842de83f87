"""What a transport to an upstream offers. Knows nothing of dialects, routes or credentials' origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct

from strowger.errors import Malformed

Headers = tuple[tuple[str, str], ...]

CUT = "ask again; where long answers are always cut, something in between may limit them"
"""What to do about an answer that broke off."""

ELSEWHERE = "is `base_url` right, its port, and whether it is http or https?"
"""What to look at where nobody is found who speaks HTTP."""


class Socket(Struct, frozen=True):
    """That a request may travel over a WebSocket kept open for it, and for which conversation.

    Requests of one `key` share a connection, one after another. `continuation`: a request that only adds to the last
    one of its connection may say so instead of repeating it. `required`: where there is no WebSocket, the request
    fails instead of going over plain HTTP.
    """

    key: str
    continuation: bool = False
    required: bool = False


class Outgoing(Struct, frozen=True):
    """A request ready to leave, credentials included: never log or print one.

    `aside` is told what an upstream says beside its answer (events about limits, one JSON object each).
    """

    method: str
    url: str
    headers: Headers
    body: bytes
    socket: Socket | None = None
    aside: Callable[[bytes], None] | None = None

    def __repr__(self) -> str:
        return f"Outgoing({self.method} {self.url}, {len(self.body)} bytes)"


class Incoming(Protocol):
    """An answer that has begun. Must be closed, also after an error."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name (the last of several)."""
        ...

    @property
    def header_items(self) -> Headers:
        """Headers as received, in order."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the answer has been read to its end."""
        ...

    async def read(self) -> bytes:
        """The next bytes as soon as there are any, empty at the end. Raises Truncated when the transfer breaks."""
        ...

    async def read_all(self, limit: int) -> bytes:
        """The rest of the body. Raises Malformed when it is longer than `limit` bytes."""
        ...

    def close(self) -> None:
        """Stop the answer now: the connection is closed unless the body was read to its end."""
        ...


class Upstream(Protocol):
    """A transport."""

    async def open(self, out: Outgoing) -> Incoming:
        """Send and wait for the answer's head. Raises Unreachable or TimedOut."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


async def gathered(read: Callable[[], Awaitable[bytes]], limit: int) -> bytes:
    """Everything that `read` gives up to its end, at most `limit` bytes. Raises Malformed when there are more."""
    pieces: list[bytes] = []
    size = 0
    while piece := await read():
        size += len(piece)
        if size > limit:
            raise Malformed(f"the upstream's answer is longer than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)
