"""A client's WebSocket without a socket: the handshake, frames in any cut, silence, and goodbyes."""

from __future__ import annotations

import anyio
import pytest
from websockets.frames import Frame, Opcode

from strowger.errors import BadRequest
from strowger.gateway import frames as module
from strowger.gateway.delivery import ClientGone
from strowger.gateway.frames import SocketFrames, handshake

pytestmark = pytest.mark.anyio

# The example of RFC 6455 §1.3
GOOD = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Connection:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.reading = True
        self.lost = self.is_full = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def listen(self, *, on: bool) -> None:
        self.reading = on

    def close(self) -> None:
        self.lost = True

    abort = close


def opened(max_size: int = 1000) -> tuple[SocketFrames, Connection]:
    """A WebSocket that stands."""
    connection = Connection()
    return SocketFrames(connection, max_size), connection  # type: ignore[arg-type]


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A frame as a client sends it."""
    return Frame(opcode, data, fin).serialize(mask=True)


def code(sent: bytes) -> int:
    """The code of the close frame that was sent last."""
    at = sent.rindex(b"\x88")
    return int.from_bytes(sent[at + 2 : at + 4], "big")


def test_the_handshake_of_the_standard() -> None:
    """The example of the RFC."""
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in handshake(GOOD)


@pytest.mark.parametrize(
    "changed",
    [
        {"sec-websocket-key": "short"},
        {"sec-websocket-key": "dGhlIHNhbXBsZQ=="},
        {"sec-websocket-version": "8"},
        {"connection": "keep-alive"},
    ],
)
def test_what_is_no_handshake_is_refused(changed: dict[str, str]) -> None:
    """Before anything is upgraded."""
    with pytest.raises(BadRequest):
        handshake(GOOD | changed)


@pytest.mark.parametrize("step", [1, 3, 1000])
async def test_frames_in_any_cut(step: int) -> None:
    """Fragments belong together, and a ping between them is answered."""
    frames, connection = opened()
    data = frame(Opcode.TEXT, b"one") + frame(Opcode.TEXT, b"gr\xc3", fin=False) + frame(Opcode.PING, b"?")
    data += frame(Opcode.CONT, b"\xbc\xc3\x9fe")
    for at in range(0, len(data), step):
        frames.feed(data[at : at + step])
    assert [await frames.receive(), await frames.receive()] == ["one", "grüße"]
    assert Frame(Opcode.PONG, b"?").serialize(mask=False) in connection.sent


@pytest.mark.parametrize(
    "data, expected",
    [
        (frame(Opcode.BINARY, b"x"), 1003),
        (frame(Opcode.TEXT, b"\xff"), 1007),
        (frame(Opcode.TEXT, b"x" * 1001), 1009),
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), 1002),
    ],
    ids=["binary", "no text", "too large", "not masked"],
)
async def test_what_cannot_be_read_ends_it(data: bytes, expected: int) -> None:
    """With the code that says why."""
    frames, connection = opened()
    frames.feed(data)
    assert await frames.receive() is None
    assert code(connection.sent) == expected


async def test_a_goodbye_is_answered() -> None:
    """And nothing is sent after it."""
    frames, connection = opened()
    frames.feed(frame(Opcode.CLOSE, b"\x03\xe8"))
    assert await frames.receive() is None
    assert code(connection.sent) == 1000
    with pytest.raises(ClientGone):
        await frames.send("more")


async def test_our_own_goodbye_waits_for_the_clients() -> None:
    """Which may come late, or not at all where the connection is gone."""
    frames, connection = opened()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(frames.close)
        await anyio.wait_all_tasks_blocked()
        assert code(connection.sent) == 1001
        frames.feed(frame(Opcode.CLOSE, b"\x03\xe9"))
    assert connection.lost


async def test_frames_nobody_takes_leave_the_socket_alone() -> None:
    """Until they are taken."""
    frames, connection = opened()
    for number in range(20):
        frames.feed(frame(Opcode.TEXT, str(number).encode()))
    assert not connection.reading
    assert [await frames.receive() for _ in range(20)] == [str(number) for number in range(20)]
    assert connection.reading


async def test_silence_is_asked_about_and_then_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that has vanished does not hold its connection."""
    monkeypatch.setattr(module, "_PING_SECONDS", 0.01)
    monkeypatch.setattr(module, "_PONG_SECONDS", 0.01)
    _, connection = opened()
    with anyio.fail_after(30):
        while not connection.lost:
            await anyio.lowlevel.checkpoint()
    assert connection.sent == Frame(Opcode.PING, b"").serialize(mask=False)
