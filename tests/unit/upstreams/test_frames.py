"""One WebSocket connection and a peer in memory: the handshake, texts in any frames, pings, and every way to end."""

from __future__ import annotations

import asyncio
import logging

import pytest
from websockets.frames import Frame, Opcode

from strowger.errors import Malformed, Truncated, Unreachable, UpstreamError
from strowger.upstreams.dialing import place_of
from strowger.upstreams.frames import FrameConnection
from tests.unit.upstreams.peer import Peer

pytestmark = pytest.mark.anyio
PLACE = place_of("http://a.example/v1/responses?x=1")
SECRET = "sk-very-secret"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Ear:
    """Remembers what the connection told."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.errors: list[UpstreamError] = []

    def text(self, data: bytes) -> None:
        self.texts.append(data)

    def lost(self, error: UpstreamError) -> None:
        self.errors.append(error)


def pair(status: int = 101, ping: float = 60.0) -> tuple[FrameConnection, Peer, Ear]:
    """A connection and what is at its other end."""
    ear = Ear()
    connection = FrameConnection(PLACE, (("Authorization", SECRET),), ear, ping)
    peer = Peer(connection, status)
    connection.connection_made(peer)
    return connection, peer, ear


async def settle() -> None:
    """Let what is on its way arrive."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_handshake() -> None:
    """The request has our headers and the library's; what the upstream answers comes back with its headers."""
    connection, peer, _ = pair()
    upgrade = await connection.upgrade()
    assert (upgrade.status, ("X-Models-Etag", "e1") in upgrade.headers) == (101, True)
    assert peer.handshake is not None
    assert peer.handshake.path == "/v1/responses?x=1"
    assert peer.handshake.headers["Authorization"] == SECRET
    assert "Sec-WebSocket-Extensions" not in peer.handshake.headers
    assert connection.usable


@pytest.mark.parametrize("status", [401, 403, 404, 426, 503])
async def test_refused(status: int) -> None:
    """A handshake that is refused tells status and body, and the connection is of no use."""
    connection, _, _ = pair(status)
    upgrade = await connection.upgrade()
    assert (upgrade.status, upgrade.body) == (status, b"no")
    assert not connection.usable


async def test_no_http() -> None:
    """Whatever does not speak HTTP has no status."""
    connection, _, _ = pair(-1)
    assert (await connection.upgrade()).status == 0


@pytest.mark.parametrize(
    "answer", ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", ""]
)
async def test_no_websocket(answer: str) -> None:
    """A host that says 101 without proof, or hangs up, has no WebSocket."""
    connection, peer, _ = pair(0)
    peer.raw(answer.encode())
    peer.hang_up()
    assert (await connection.upgrade()).status == 0


def test_bad_header() -> None:
    """A header that could begin another one is not sent."""

    async def make() -> None:
        FrameConnection(PLACE, (("A", "b\r\nC: d"),), Ear(), 60.0)

    with pytest.raises(Unreachable):
        asyncio.run(make())


async def test_texts() -> None:
    """Texts come whole, whether in one frame or many, in one piece or byte by byte, with pings between."""
    connection, peer, ear = pair()
    await connection.upgrade()
    peer.say(b'{"a":1}')
    peer.server.send_text(b"on", fin=False)
    peer.server.send_ping(b"")
    peer.server.send_continuation("e ü".encode(), fin=True)
    for byte in b"".join(peer.server.data_to_send()):
        peer.raw(bytes([byte]))
    await settle()
    assert ear.texts == [b'{"a":1}', "one ü".encode()]


async def test_sending() -> None:
    """A text goes out masked, in one frame."""
    connection, peer, _ = pair()
    await connection.upgrade()
    connection.send(b'{"a":1}')
    assert peer.texts == [{"a": 1}]


async def test_binary() -> None:
    """There are no binary frames in this protocol; whoever sends one is not understood."""
    connection, peer, ear = pair()
    await connection.upgrade()
    peer.binary()
    await settle()
    assert [type(error) for error in ear.errors] == [Malformed]
    assert (connection.usable, peer.close_code) == (False, 1003)


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff", b"HTTP/1.1 200 OK\r\n" + b"x" * 99, b"\x81\x7f" + b"\x00\x00\xff" * 3]
)
async def test_no_frames(data: bytes) -> None:
    """Bytes that are no frames, or announce one that is too large, end the connection."""
    connection, peer, ear = pair()
    await connection.upgrade()
    peer.raw(data)
    await settle()
    assert [type(error) for error in ear.errors] == [Malformed]
    assert not connection.usable


@pytest.mark.parametrize("code", [0, 1000, 1011])
async def test_lost(code: int) -> None:
    """A connection that ends, politely or not, ends once."""
    connection, peer, ear = pair()
    await connection.upgrade()
    peer.hang_up(code)
    await settle()
    assert [type(error) for error in ear.errors] == [Truncated]
    assert (connection.closed_with, connection.usable) == (code, False)


async def test_half_a_frame() -> None:
    """The end of input inside a frame is a broken answer."""
    connection, peer, ear = pair()
    await connection.upgrade()
    peer.raw(Frame(Opcode.TEXT, b"half of it").serialize(mask=False)[:6])
    await settle()
    connection.eof_received()
    peer.hang_up()
    await settle()
    assert ([type(error) for error in ear.errors], ear.texts) == ([Truncated], [])


async def test_abort_and_leave() -> None:
    """Abort closes at once and says nothing; leaving says good-bye. Neither is told to the listener."""
    for polite in (False, True):
        connection, peer, ear = pair()
        await connection.upgrade()
        if polite:
            connection.leave()
        else:
            connection.abort()
        assert (peer.closing, peer.aborted, peer.close_code) == (True, not polite, 1001 if polite else None)
        await settle()
        assert (ear.errors, connection.usable) == ([], False)
        connection.abort()
        connection.leave()


async def test_flow() -> None:
    """Reading stops and goes on as the reader says; of a connection that is gone it makes no difference."""
    connection, peer, _ = pair()
    await connection.upgrade()
    connection.pause()
    paused = peer.paused
    connection.resume()
    assert (paused, peer.paused) == (True, False)
    connection.abort()
    await settle()
    connection.pause()
    connection.resume()
    assert not peer.paused


async def until(peer: Peer, pings: int) -> None:
    async with asyncio.timeout(5):
        while peer.pings < pings and not peer.closing:  # noqa: ASYNC110  the peer is plain data
            await asyncio.sleep(0.002)


async def test_pings() -> None:
    """Pings go out as long as the connection stands, and are answered."""
    connection, peer, ear = pair(ping=0.01)
    await connection.upgrade()
    connection.idle = True
    await until(peer, 3)
    assert (peer.pings >= 3, connection.usable, ear.errors) == (True, True, [])
    connection.abort()


@pytest.mark.parametrize("idle", [True, False])
async def test_unanswered_pings(idle: bool) -> None:
    """An idle connection that answers no ping is dead; during an answer somebody else decides how long to wait."""
    connection, peer, ear = pair(ping=0.01)
    await connection.upgrade()
    connection.idle = idle
    peer.deaf = True
    await until(peer, 4)
    assert (peer.closing, len(ear.errors), connection.usable) == ((True, 1, False) if idle else (False, 0, True))
    connection.abort()


async def test_silence(caplog: pytest.LogCaptureFixture) -> None:
    """The library would log headers and texts at DEBUG; nothing is logged, and nothing of it is printed."""
    with caplog.at_level(logging.DEBUG):
        connection, peer, _ = pair()
        upgrade = await connection.upgrade()
        connection.send(b'"words"')
        peer.say(b'"words"')
        await settle()
    ours = [record for record in caplog.records if record.name not in {"asyncio", "websockets.server"}]
    assert ours == []
    assert SECRET not in f"{connection!r} {upgrade!r} {vars(connection)!r}"
