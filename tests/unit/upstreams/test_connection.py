"""One HTTP connection, without a socket: what arrives in which pieces, and what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest

from strowger.errors import Malformed, Truncated
from strowger.upstreams.connection import Connection, Dropped


class Wire(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def whole(connection: Connection) -> bytes:
    """Everything up to the end."""
    pieces = []
    while piece := await connection.read():
        pieces.append(piece)
    return b"".join(pieces)


def exchange(*pieces: bytes, end: str = "") -> tuple[Connection, Wire, bytes]:
    """Send a request, give these pieces as the answer, then perhaps `eof` or `lost`; the body."""
    connection, wire = Connection(), Wire()

    async def run() -> bytes:
        connection.connection_made(wire)
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
        for piece in pieces:
            connection.data_received(piece)
        if end == "eof":
            connection.eof_received()
        if end:
            connection.connection_lost(None if end == "eof" else ConnectionResetError("reset by peer"))
        await connection.head()
        return await whole(connection)

    return connection, wire, asyncio.run(run())


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Every cut in two, and byte by byte."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]


@pytest.mark.parametrize(
    "answer", [PLAIN, CHUNKED, EARLY + PLAIN, EARLY + CHUNKED], ids=["length", "chunks", "1xx", "1xx chunks"]
)
def test_any_cut_gives_the_same_answer(answer: bytes) -> None:
    """Where the network cuts means nothing; heads of 1xx are no answers."""
    for pieces in cuts(answer):
        connection, _, body = exchange(*pieces)
        assert (connection.status, body) == (200, b"hello")
        assert connection.usable
        assert "Link" not in dict(connection.headers)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    """HTTP/1.0, and servers that close."""
    connection, _, body = exchange(b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo", end="eof")
    assert body == b"hello"
    assert not connection.usable


@pytest.mark.parametrize("cut", [PLAIN[:-1], CHUNKED[:-1], CHUNKED[:-12], b"HTTP/1.1 200 OK\r\nContent-Le"])
@pytest.mark.parametrize("end", ["eof", "lost"])
def test_a_cut_answer_is_truncated(cut: bytes, end: str) -> None:
    """Never half an answer for a whole one."""
    with pytest.raises(Truncated):
        exchange(cut, end=end)


def test_an_answer_without_a_length_that_is_reset_is_truncated() -> None:
    """An end that was not said is no end."""
    with pytest.raises(Truncated, match="reset by peer"):
        exchange(b"HTTP/1.0 200 OK\r\n\r\nhel", end="lost")


@pytest.mark.parametrize("end", ["eof", "lost"])
def test_an_end_before_the_first_byte_is_told_apart(end: str) -> None:
    """Only then may a kept connection have been closing already."""
    with pytest.raises(Dropped):
        exchange(end=end)


@pytest.mark.parametrize(
    "answer",
    [
        b"HELLO\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000,
    ],
)
def test_what_is_not_http_is_refused(answer: bytes) -> None:
    """And the connection is closed: who knows what else would come of it."""
    connection, wire = Connection(), Wire()

    async def run() -> None:
        connection.connection_made(wire)
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
        connection.data_received(answer)
        await connection.head()
        await whole(connection)

    with pytest.raises(Malformed):
        asyncio.run(run())
    assert wire.closed


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        PLAIN + b"EXTRA",
    ],
    ids=["close", "1.0", "bytes behind the end"],
)
def test_a_connection_that_is_not_to_be_kept(answer: bytes) -> None:
    """The answer is good, the connection is not used again."""
    connection, _, body = exchange(answer)
    assert body == b"hello"
    assert not connection.usable


def test_bytes_on_an_idle_connection_make_it_unusable() -> None:
    """They would be taken for the next request's answer."""
    connection, wire, _ = exchange(PLAIN)
    assert connection.usable
    connection.data_received(PLAIN)
    assert wire.closed
    assert not connection.usable


def test_no_content_has_no_body() -> None:
    """204 is whole with its head."""
    connection, _, body = exchange(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (connection.status, body) == (204, b"")
    assert connection.usable


def test_an_unread_answer_stops_the_socket() -> None:
    """Back-pressure by pull: what nobody reads stays with the sender."""
    connection, wire = Connection(), Wire()

    async def run() -> None:
        connection.connection_made(wire)
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 300_000)
        assert not wire.reading
        assert len(await connection.read()) == 300_000
        assert wire.reading

    asyncio.run(run())


def test_header_bytes_survive() -> None:
    """Also those that are not UTF-8, and repeated ones in their order."""
    connection, _, _ = exchange(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: \xff\r\nContent-Length: 0\r\n\r\n")
    assert connection.headers[:2] == (("X-A", "1"), ("x-a", "\udcff"))


def test_many_exchanges_on_one_connection() -> None:
    """State of one answer must not reach the next."""
    connection, wire = Connection(), Wire()

    async def run() -> None:
        connection.connection_made(wire)
        for answer in (PLAIN, CHUNKED, PLAIN):
            connection.send(b"POST / HTTP/1.1\r\n\r\n", b"body")
            connection.data_received(answer)
            await connection.head()
            assert await whole(connection) == b"hello"
            assert connection.usable

    asyncio.run(run())
    assert wire.written == b"POST / HTTP/1.1\r\n\r\nbody" * 3


def test_every_failure_is_one_of_ours() -> None:
    """Whatever the bytes are, a call sees only errors of the tree, or an answer."""
    good = 0
    for position in range(len(CHUNKED)):
        for byte in (0x00, 0x0A, 0x20, 0xFF):
            with suppress(Malformed, Truncated):
                exchange(CHUNKED[:position] + bytes([byte]) + CHUNKED[position + 1 :], end="eof")
                good += 1
    assert 0 < good < len(CHUNKED) * 4


def test_what_is_taken_wakes_no_reader() -> None:
    """Bytes that come while a reader waits are shown to whom it was lent; the reader gets what that does not take, what
    came before it waited, and all that comes with the end.
    """
    shown: list[bytes] = []
    read: list[bytes] = []

    def takes(data: bytes) -> bool:
        shown.append(data)
        return data.startswith(b"t")

    async def run() -> None:
        connection = Connection()
        connection.connection_made(Wire())
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
        connection.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nt0\r\n")
        connection.lend(takes)

        async def reading() -> None:
            while piece := await connection.read():
                read.append(piece)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading)
            for piece in (b"2\r\nt1\r\n2\r\nt2\r\n", b"2\r\nt3\r\n", b"2\r\nu4\r\n", b"2\r\nt5\r\n0\r\n\r\n"):
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                connection.data_received(piece)
        assert connection.usable

    asyncio.run(run())
    assert read == [b"t0", b"u4", b"t5"]
    assert shown == [b"t1t2", b"t3", b"u4"]


def test_what_is_taken_is_no_reason_to_wait() -> None:
    """A socket that was left alone because much had come is read again when somebody has taken that."""
    wire = Wire()

    async def run() -> None:
        connection = Connection()
        connection.connection_made(wire)
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 900001\r\n\r\n")
        connection.lend(lambda _: True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.read)
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            connection.data_received(b"x" * 900000)
            assert wire.reading
            connection.data_received(b"x")

    asyncio.run(run())
