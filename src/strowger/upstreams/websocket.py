"""Responses over WebSockets kept open, with HTTP behind them. What everything else sees as `Upstream`.

A request that may travel over a socket goes on a connection of its conversation, one at a time: requests at the same
time each have their own. Where there is no WebSocket to be had, the request goes over HTTP, as long as nothing of it
has been sent; the host is then left alone for a while. Must not know accounts, routes or clients.
"""

from __future__ import annotations

import asyncio
import random
from hashlib import blake2b
from typing import TYPE_CHECKING

import anyio
import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.errors import Truncated, Unanswered, Unreachable, UpstreamError
from strowger.upstreams.base import Headers, Incoming, Outgoing, Socket, Upstream
from strowger.upstreams.continuation import Asked, Heard, Said, added, news, taken_apart
from strowger.upstreams.dialing import Dialer, Place, place_of
from strowger.upstreams.exchange import Exchange, RefusedIncoming, is_aside, kind_of

if TYPE_CHECKING:
    from strowger.upstreams.frames import FrameConnection, Upgrade

_BETA_HEADER = "openai-beta"
_BETA = "responses_websockets=2026-02-06"

# What belongs to a body or to one hop; the handshake has none and brings its own.
_NOT_SHAKEN = frozenset(
    "accept accept-encoding connection content-length content-type expect keep-alive te trailer transfer-encoding"
    " upgrade".split()
)
# Whoever differs in one of these must not share a connection: it was opened in their name.
_WHOSE = ("api-key", "authorization", "cookie", "originator", "user-agent", "x-api-key", "x-codex-beta-features")
_WHOSE_PREFIXES = ("chatgpt-", "openai-", "x-openai-")
# Of the handshake's headers those that are true of later answers too; limits, ids and versions are not.
_LASTING = frozenset({"x-reasoning-included"})
_NOT_TOLD = frozenset({"connection", "content-length", "content-type", "date", "transfer-encoding", "upgrade"})

_LIMIT_REACHED = "websocket_connection_limit_reached"
_NOT_FOUND = "previous_response_not_found"
# Closed for a reason that the request gave, not the moment: too long, or against a rule of this way.
_WRONG_WAY = frozenset({1003, 1008, 1009})

_STALE_SECONDS = 1.0
_TRIES = 3
# Conversations that may wait side by side under one key, before a new one takes the place of the shortest.
_SIDE_BY_SIDE = 4
# How long a host is left alone after it had no WebSocket for us, and after one handshake that failed.
_SHUNNED_SECONDS = 300.0
_DOUBTED_SECONDS = 60.0
# After a 403, handshakes with that host go one after another, this far apart: the host counts them.
_SPACED_SECONDS = 60.0

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NOTHING = Raw(b"null")


class Limits(Struct, frozen=True):
    """Times in seconds. `life`: after that a connection is not used again, as the vendor ends them at 60 minutes.

    `idle`: how long an unused one is kept, at most `kept` of them. `doubt`: how long a kept one that is used again may
    be without any sign of life, pings included, if it gave such signs before. `spacing`: the pauses before further
    handshakes with a host that refused one for coming too soon.
    """

    handshake: float = 15.0
    life: float = 55 * 60.0
    idle: float = 30 * 60.0
    ping: float = 30.0
    doubt: float = 10.0
    kept: int = 32
    spacing: tuple[float, ...] = (0.25, 1.0)


_LIMITS = Limits()


class _NoSocket(Exception):
    """There is no WebSocket to be had; nothing of the request was sent."""


class _Again(Exception):
    """The connection was at its end; nothing of an answer has come."""


class _Lane:
    """A connection in the pool: whose it is, what it remembers, and the exchange on it."""

    def __init__(self, pool: SocketUpstream, key: bytes, place: Place) -> None:
        self._pool = pool
        self.key = key
        self.place = place
        self.connection: FrameConnection | None = None
        self.exchange: Exchange | None = None
        self.headers: Headers = ()
        self.said: Said | None = None
        self.heard: Heard | None = None
        self.fresh = True
        self.opened = self.kept_since = 0.0

    # ---- as the listener of its connection ----

    def text(self, data: bytes) -> None:
        """A text: the exchange's, or one that nobody asked for."""
        if self.exchange is not None:
            self.exchange.text(data)
        elif not is_aside(kind_of(data)):
            self.drop()

    def lost(self, error: UpstreamError) -> None:
        """The connection is gone."""
        self.said = None
        if self.exchange is not None:
            self.exchange.lost(error)

    # ---- as the line of its exchange ----

    def pause(self) -> None:
        """Read no more for now."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.connection is not None:
            self.connection.resume()

    def free(self, *, good: bool) -> None:
        """The exchange is over."""
        self.exchange = None
        self.said = self.heard.said() if good and self.heard is not None else None
        self.heard = None
        self._pool.give_back(self, good=good)

    # ---- for the pool ----

    @property
    def usable(self) -> bool:
        """Whether a request can be sent on it."""
        return self.connection is not None and self.connection.usable

    def drop(self) -> None:
        """Close at once; whoever waits for an answer is told."""
        self.said = self.heard = None
        if self.connection is not None:
            self.connection.abort()
        if self.exchange is not None:
            self.exchange.lost(Truncated("the connection to the upstream was closed"))

    def leave(self) -> None:
        """Close as one does that was not used."""
        if self.connection is not None:
            self.connection.leave()


class SocketUpstream:
    """The connections. Made inside a running loop; closed with `aclose`, which closes `http` too."""

    def __init__(self, http: Upstream, dialer: Dialer, limits: Limits = _LIMITS) -> None:
        self._http = http
        self._dialer = dialer
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._idle: list[_Lane] = []
        self._busy: set[_Lane] = set()
        self._shunned: dict[str, tuple[float, str]] = {}
        self._spaced: dict[str, tuple[float, anyio.Lock]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, out: Outgoing) -> Incoming:
        """Send and wait for the answer to begin. Raises Unreachable, TimedOut, Truncated or Malformed."""
        if out.socket is None:
            return await self._http.open(out)
        place = place_of(out.url)
        try:
            return await self._over_socket(out, out.socket, place)
        except _NoSocket as none:
            if out.socket.required:
                raise Unreachable(
                    f"no WebSocket with {place.shown}: {none}", hint='`transport = "auto"` would use HTTP instead'
                ) from None
        return await self._http.open(replace(out, socket=None))

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for lane in tuple(self._busy):
            lane.drop()
        for lane in self._idle:
            lane.leave()
        self._idle.clear()
        await self._http.aclose()

    # ---- one request ----

    async def _over_socket(self, out: Outgoing, socket: Socket, place: Place) -> Incoming:
        members = _members(out)
        asked = taken_apart(members) if socket.continuation else None
        self._check_way(place)
        headers = _shaken(out.headers)
        key = _key(place, headers, socket.key)
        kept = True
        for _ in range(_TRIES):
            lane = self._take(key, asked) if kept else None
            if lane is None:
                opened = await self._connect(place, headers, key)
                if isinstance(opened, RefusedIncoming):
                    return opened
                lane = opened
            self._busy.add(lane)
            try:
                return await self._ask(lane, out, members, asked)
            except _Again:
                self._abandon(lane)
                kept = False
            except BaseException:
                self._abandon(lane)
                raise
        raise _NoSocket("its connections end before they answer")

    async def _ask(self, lane: _Lane, out: Outgoing, members: dict[str, Raw], asked: Asked | None) -> Incoming:
        """Send on a connection: only what is new, if that is enough, else everything."""
        said, lane.said = lane.said, None
        start = news(said, asked)
        if said is not None and asked is not None and start is not None:
            exchange = await self._exchange(lane, out, added(said, asked, start), asked)
            if exchange.refusal is None or exchange.refusal.code != _NOT_FOUND:
                return self._told(exchange)
        return self._told(await self._exchange(lane, out, members, asked))

    async def _exchange(self, lane: _Lane, out: Outgoing, members: dict[str, Raw], asked: Asked | None) -> Exchange:
        """Send, and wait for the answer to begin."""
        connection, fresh = lane.connection, lane.fresh
        if connection is None or not connection.usable:
            raise self._unsent(lane)
        lane.heard = Heard(asked) if asked is not None else None
        headers = lane.headers if fresh else tuple(line for line in lane.headers if line[0].lower() in _LASTING)
        exchange = lane.exchange = Exchange(lane, headers, out.aside, lane.heard)
        lane.fresh = connection.idle = False
        begun = self._loop.time()
        text = msgspec.json.encode({"type": "response.create", **members})
        connection.send(text, 0.0 if fresh else self._limits.doubt)
        try:
            await exchange.begun()
        except Truncated as error:
            # a kept connection that was being closed when we took it says so within a round trip
            stale = not (fresh or exchange.noticed) and (connection.dead or self._loop.time() - begun <= _STALE_SECONDS)
            raise self._unanswered(lane, connection.closed_with, fresh=fresh, stale=stale) from error
        return exchange

    def _told(self, exchange: Exchange) -> Incoming:
        refusal = exchange.refusal
        if refusal is None:
            return exchange
        if refusal.code == _LIMIT_REACHED:
            raise _Again
        exchange.close()
        return RefusedIncoming(refusal.status, refusal.headers, refusal.body)

    def _unsent(self, lane: _Lane) -> Exception:
        """What a connection means that was closed before anything was sent on it."""
        if not lane.fresh:
            return _Again()
        return self._shun(lane.place, _DOUBTED_SECONDS, "it was closed right after the handshake")

    def _unanswered(self, lane: _Lane, code: int, *, fresh: bool, stale: bool) -> Exception:
        """What it means that a connection was closed instead of an answer.

        A request is sent again only where it met a kept connection that was just being closed or had long been dead,
        or was itself the reason: any other may have been read, and each reading is paid for.
        """
        if code in _WRONG_WAY:
            return self._shun(lane.place, _DOUBTED_SECONDS, f"it was closed with code {code}")
        if stale:
            return _Again()
        if fresh:
            self._shun(lane.place, _DOUBTED_SECONDS, "it was closed without an answer")
        return Unanswered(f"the upstream closed the WebSocket without an answer: {lane.place.shown}")

    # ---- connections ----

    async def _connect(self, place: Place, headers: Headers, key: bytes) -> _Lane | RefusedIncoming:
        """A new connection, or the answer of a host that wants other credentials. Raises _NoSocket."""
        lane, upgrade = await self._spaced_handshake(place, headers, key)
        told = tuple((name, value) for name, value in upgrade.headers if _is_told(name))
        if upgrade.status == 101:
            lane.headers, lane.opened = told, self._loop.time()
            return lane
        if upgrade.status == 401:
            kind = tuple((name, value) for name, value in upgrade.headers if name.lower() == "content-type")
            return RefusedIncoming(401, (*told, *kind), upgrade.body)
        seconds = _SHUNNED_SECONDS if upgrade.status == 426 else _DOUBTED_SECONDS
        answer = f"the handshake was answered with {upgrade.status}" if upgrade.status else "no handshake came about"
        raise self._shun(place, seconds, answer)

    async def _spaced_handshake(self, place: Place, headers: Headers, key: bytes) -> tuple[_Lane, Upgrade]:
        """A handshake; with a host that refuses those that come too soon after each other, one at a time."""
        if self._spacing(place) is None:
            lane, upgrade = await self._handshake(place, headers, key)
            if upgrade.status != 403:
                return lane, upgrade
        lock = self._spacing(place) or anyio.Lock()
        self._spaced[place.shown] = self._loop.time() + _SPACED_SECONDS, lock
        async with lock:
            self._check_way(place)  # whoever was before us may have found out that there is none
            first, *more = self._limits.spacing
            await anyio.sleep(first * random.uniform(0.5, 1.5))
            lane, upgrade = await self._handshake(place, headers, key)
            for pause in more:
                if upgrade.status != 403:
                    break
                await anyio.sleep(pause * random.uniform(0.5, 1.5))
                lane, upgrade = await self._handshake(place, headers, key)
        return lane, upgrade

    def _spacing(self, place: Place) -> anyio.Lock | None:
        until, lock = self._spaced.get(place.shown, (0.0, None))
        return lock if until > self._loop.time() else None

    async def _handshake(self, place: Place, headers: Headers, key: bytes) -> tuple[_Lane, Upgrade]:
        from strowger.upstreams.frames import FrameConnection  # the library behind it is loaded at the first need

        lane = _Lane(self, key, place)
        connection = await self._dialer.connect(place, lambda: FrameConnection(place, headers, lane, self._limits.ping))
        lane.connection = connection
        try:
            async with asyncio.timeout(self._limits.handshake):
                upgrade = await connection.upgrade()
        except TimeoutError:
            connection.abort()
            raise self._shun(place, _DOUBTED_SECONDS, "the handshake was not answered in time") from None
        except BaseException:
            connection.abort()
            raise
        if upgrade.status != 101:
            connection.abort()
        return lane, upgrade

    def _check_way(self, place: Place) -> None:
        if not place.tls and not self._dialer.goes_straight(place):
            raise _NoSocket("a proxy stands between, and without TLS there is no tunnel")
        until, reason = self._shunned.get(place.shown, (0.0, ""))
        if until > self._loop.time():
            raise _NoSocket(reason)

    def _shun(self, place: Place, seconds: float, reason: str) -> _NoSocket:
        """Use no WebSocket there for a while."""
        self._shunned[place.shown] = self._loop.time() + seconds, reason
        return _NoSocket(reason)

    # ---- kept connections ----

    def _take(self, key: bytes, asked: Asked | None) -> _Lane | None:
        """A kept connection: the one that remembers what the request goes on from, else one that remembers nothing.

        Another conversation's is left to it, unless many wait already.
        """
        now = self._loop.time()
        lanes = [lane for lane in reversed(self._idle) if lane.key == key and self._lasts(lane, now)]
        chosen = next((lane for lane in lanes if news(lane.said, asked) is not None), None)
        if chosen is None:
            chosen = next((lane for lane in lanes if asked is None or lane.said is None), None)
        if chosen is None and len(lanes) >= _SIDE_BY_SIDE:
            chosen = min(lanes, key=_memory)
        if chosen is not None:
            self._idle.remove(chosen)
            if self._dialer.tell is not None:
                self._dialer.tell("used again", chosen.place.shown, now - (chosen.kept_since or now))
        return chosen

    def give_back(self, lane: _Lane, *, good: bool) -> None:
        """After an exchange: keep the connection if it can carry another, else close it."""
        self._busy.discard(lane)
        if lane.connection is None or not good or self._closed or not self._lasts(lane, self._loop.time()):
            lane.drop()
            return
        lane.kept_since = self._loop.time()
        lane.connection.idle = True
        self._idle.append(lane)
        if len(self._idle) > self._limits.kept:
            self._idle.pop(0).leave()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._limits.ping, self._sweep)

    def _abandon(self, lane: _Lane) -> None:
        self._busy.discard(lane)
        lane.drop()

    def _lasts(self, lane: _Lane, now: float) -> bool:
        limits = self._limits
        return lane.usable and now - lane.opened < limits.life and now - (lane.kept_since or now) < limits.idle

    def _sweep(self) -> None:
        """Close what has been unused for long, or comes to its end."""
        self._sweeper, now = None, self._loop.time()
        for lane in self._idle.copy():
            if not self._lasts(lane, now):
                self._idle.remove(lane)
                lane.leave()
                if self._dialer.tell is not None:
                    self._dialer.tell("closed", lane.place.shown, now - (lane.kept_since or now))
        if self._idle:
            self._sweeper = self._loop.call_later(self._limits.ping, self._sweep)


def _memory(lane: _Lane) -> int:
    """How much would be lost with what a connection remembers: single questions are soon asked again."""
    return len(lane.said.digests) if lane.said is not None else 0


def _members(out: Outgoing) -> dict[str, Raw]:
    """The members of a request that a socket can carry. Raises _NoSocket for any other."""
    if out.method != "POST" or any(name.lower() == "content-encoding" for name, _ in out.headers):
        raise _NoSocket("the request is none for it")
    try:
        members = _MEMBERS.decode(out.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _NoSocket("the body is no JSON object") from None
    # the type says what a frame is, and a frame is answered by a stream
    if bytes(members.get("stream", _NOTHING)) != b"true" or "type" in members:
        raise _NoSocket("the request asks for no stream")
    return members


def _shaken(headers: Headers) -> Headers:
    """The headers of a request as those of a handshake, which have to say what the frames are."""
    kept = [line for line in headers if line[0].lower() not in _NOT_SHAKEN and not line[0].lower().startswith("sec-")]
    betas = [value for name, value in kept if name.lower() == _BETA_HEADER]
    if any("responses_websockets" in value for value in betas):
        return tuple(kept)
    rest = (line for line in kept if line[0].lower() != _BETA_HEADER)
    return (*rest, ("OpenAI-Beta", ", ".join((*betas, _BETA))))


def _key(place: Place, headers: Headers, conversation: str) -> bytes:
    """Which requests may share a connection; a digest, as credentials go into it."""
    lower = ((name.lower(), value) for name, value in headers)
    whose = sorted(line for line in lower if line[0] in _WHOSE or line[0].startswith(_WHOSE_PREFIXES))
    told = (place.host, place.port, place.tls, place.path, whose, conversation)
    return blake2b(repr(told).encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _is_told(name: str) -> bool:
    lower = name.lower()
    return lower not in _NOT_TOLD and not lower.startswith("sec-websocket-")
