"""HTTP to upstreams: kept connections, TLS, no redirects. What everything else sees as `Upstream`.

A redirect is an answer like any other: a credential goes to the host it was meant for or nowhere. Compression is not
asked for; if an upstream compresses all the same, the bytes are decompressed once, here.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections import deque
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any

from strowger import __version__
from strowger.errors import Malformed, Truncated, Unanswered, Unreachable
from strowger.upstreams.base import CUT, ELSEWHERE, Headers, Incoming, Outgoing, gathered
from strowger.upstreams.connection import Connection, Dropped, Taker
from strowger.upstreams.dialing import Dialer, Network, Origin, Place, no_tls, place_of, request_head
from strowger.upstreams.tunnel import refused

USER_AGENT = f"strowger/{__version__}"

# Closed before the servers' usual 60 s, so that a request seldom meets a connection the other end is just closing.
_KEEPALIVE_SECONDS = 30.0
# A kept connection that was being closed when we took it says so within a round trip.
_STALE_SECONDS = 1.0

# No answer of a model comes near this; a compressed one may, if it was made to.
_MOST_INFLATED = 64 * 1024 * 1024
_INFLATE = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

_GZIP = b"\x1f"
"""How every member of a gzip file begins."""


class HttpIncoming:
    """An answer that has begun."""

    __slots__ = ("_connection", "_inflate", "_pool", "header_items", "headers", "status")

    def __init__(self, connection: Connection, pool: HttpUpstream, key: Origin) -> None:
        self._connection: Connection | None = connection
        self._pool = (pool, key)
        self.status = connection.status
        self.header_items: Headers = connection.headers
        self.headers: Mapping[str, str] = connection.named
        encoding = self.headers.get("content-encoding", "").strip().lower()
        self._inflate = zlib.decompressobj(_INFLATE[encoding]) if encoding in _INFLATE else None
        if self._inflate is None and encoding not in ("", "identity"):
            self.close()
            raise Malformed(f"the upstream's answer is encoded as {encoding[:40]!r}, which was not asked for")

    @property
    def ended(self) -> bool:
        """Whether the answer has been read to its end."""
        return self._connection is None or self._connection.ended

    def read(self) -> Coroutine[Any, Any, bytes]:
        """The next bytes, empty at the end; raises Truncated or Malformed."""
        if self._inflate is None and self._connection is not None:
            return self._connection.read()  # without a coroutine around it, which each event would pay for
        return self._read()

    async def _read(self) -> bytes:
        connection = self._connection
        if connection is None or self._inflate is None:
            raise Truncated("the upstream's answer was closed")
        while data := await connection.read():
            if plain := self._inflated(data):
                return plain
        if not self._inflate.eof:
            raise Truncated("the upstream's compressed answer broke off", hint=CUT)
        return b""

    def _inflated(self, data: bytes) -> bytes:
        """What comes of the next compressed bytes. Raises Malformed."""
        inflate = self._inflate
        assert inflate is not None
        pieces: list[bytes] = []
        room = _MOST_INFLATED
        while data:
            if inflate.eof:  # gzip may come in several members; what follows the last and is none is padding
                if not data.startswith(_GZIP):
                    break
                inflate = self._inflate = zlib.decompressobj(_INFLATE["gzip"])
            try:
                plain = inflate.decompress(data, room)
            except zlib.error as error:
                raise Malformed(f"the upstream's answer is badly compressed: {error}") from None
            pieces.append(plain)
            room -= len(plain)
            if inflate.unconsumed_tail or room <= 0:
                raise Malformed("the upstream's compressed answer unpacks to more than any answer is long")
            data = inflate.unused_data
        return b"".join(pieces)

    def lend(self, taker: Taker) -> None:
        """Have what comes shown to somebody before a reader is woken for it, until this is closed."""
        if self._inflate is None and self._connection is not None:
            self._connection.lend(taker)

    async def read_all(self, limit: int) -> bytes:
        """The rest of the body, at most `limit` bytes. Raises Malformed when there are more."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """Keep the connection if the answer was read to its end, else close it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.lend(None)
            pool, key = self._pool
            pool.give_back(connection, key)


class HttpUpstream:
    """The connections. Made inside a running loop; closed with `aclose`. `connect_timeout` is in seconds.

    `network` is how to get out, by default as the environment says. Raises ConfigError where that is of no use.
    """

    def __init__(
        self, connect_timeout: float = 10.0, tls: ssl.SSLContext | None = None, network: Network | None = None
    ) -> None:
        self.dialer = Dialer(connect_timeout, tls, network)
        self._idle: dict[Origin, deque[Connection]] = {}
        self._busy: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, out: Outgoing) -> Incoming:
        """Send and wait for the head of the answer. Raises Unreachable, TimedOut or Malformed.

        A request is sent again only where it met a kept connection that was just being closed: one that broke on a new
        connection, or after a while, may have been read, and each reading is paid for.
        """
        place = place_of(out.url)
        proxy = self.dialer.proxy_for(place)
        if place.tls:  # by a tunnel, of which the host sees nothing
            proxy = None
        length = len(out.body) if out.body or out.method == "POST" else None
        head = request_head(out.method, place, out.headers, length, proxy)
        key = place.origin
        kept = self._take(key)
        if kept is not None:
            begun = time.monotonic()
            if self.dialer.tell is not None:
                self.dialer.tell("used again", place.shown, begun - kept.kept_since)
            try:
                return await self._exchange(kept, key, head, out.body)
            except Dropped as dropped:
                if time.monotonic() - begun > _STALE_SECONDS:
                    raise _unanswered(place, dropped) from None
        connection = await self.dialer.connect(place, Connection)
        try:
            incoming = await self._exchange(connection, key, head, out.body)
        except Dropped as dropped:
            raise _unanswered(place, dropped) from None
        if proxy is not None and incoming.status == 407:
            incoming.close()
            raise refused(proxy, place.name, 407, "Proxy Authentication Required")
        return incoming

    async def _exchange(self, connection: Connection, key: Origin, head: bytes, body: bytes) -> HttpIncoming:
        self._busy.add(connection)
        try:
            connection.send(head, body)
            await connection.head()
            return HttpIncoming(connection, self, key)
        except BaseException:
            self._busy.discard(connection)
            connection.abort()
            raise

    # ---- kept connections ----

    def _take(self, key: Origin) -> Connection | None:
        idle = self._idle.get(key)
        oldest = time.monotonic() - _KEEPALIVE_SECONDS
        while idle:
            connection = idle.pop()
            if connection.usable and connection.kept_since > oldest:
                return connection
            connection.abort()
        return None

    def give_back(self, connection: Connection, key: Origin) -> None:
        """After an exchange: keep the connection if it can be used again, else close it."""
        self._busy.discard(connection)
        if self._closed or not connection.usable:
            connection.abort()
            self._tell_closed(key, 0.0)
            return
        connection.kept_since = time.monotonic()
        self._idle.setdefault(key, deque()).append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_KEEPALIVE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has used for a while."""
        self._sweeper = None
        oldest = time.monotonic() - _KEEPALIVE_SECONDS
        for key, idle in list(self._idle.items()):
            while idle and (idle[0].kept_since <= oldest or not idle[0].usable):
                left = idle.popleft()
                left.abort()
                self._tell_closed(key, time.monotonic() - left.kept_since)
            if not idle:
                del self._idle[key]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(_KEEPALIVE_SECONDS / 2, self._sweep)

    def _tell_closed(self, key: Origin, unused: float) -> None:
        if self.dialer.tell is not None:
            host, port, tls = key
            self.dialer.tell("closed", f"{'https' if tls else 'http'}://{host}:{port}", unused)

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in (*self._busy, *(one for idle in self._idle.values() for one in idle)):
            connection.abort()
        self._idle.clear()

    async def __aenter__(self) -> HttpUpstream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _unanswered(place: Place, dropped: Dropped) -> Unreachable:
    # With TLS 1.3 a host that refuses us says so only after its own part of the handshake; it has read nothing then.
    if isinstance(dropped.cause, ssl.SSLError) and "ALERT" in (dropped.cause.reason or ""):
        return no_tls(place.shown, dropped.cause)
    return Unanswered(f"the upstream closed the connection without an answer: {place.shown}", hint=ELSEWHERE)
