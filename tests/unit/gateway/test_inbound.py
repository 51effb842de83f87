"""One connection of a client, without a socket: requests in any cut of their bytes, in order, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from strowger.errors import GatewayError
from strowger.gateway.delivery import ClientGone
from strowger.gateway.inbound import ClientConnection, Request, Waits

pytestmark = pytest.mark.anyio

LONG = Waits(60, 60, 60, 60)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Transport(asyncio.Transport):
    """What a connection writes, and whether it is read and open."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.reading = True
        self.closed = False
        self.protocol: ClientConnection | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            assert self.protocol is not None
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 50000) if name == "peername" else default


class Desk:
    """Answers each request with its method, target and body; `/no` is refused at its head, `/wait` waits for `go`."""

    def __init__(self) -> None:
        self.admitted: list[Request] = []
        self.served: list[tuple[str, str, bytes]] = []
        self.errors: list[str] = []
        self.go = anyio.Event()
        self.cancelled = False
        self.left = False

    def admit(self, request: Request) -> None:
        self.admitted.append(request)
        if request.target == "/no":
            request.refuse(404, (), b"no")
        elif "expect" in request.headers:
            request.go_on()

    async def serve(self, request: Request) -> None:
        body = request.body
        try:
            if request.target == "/wait":
                await self.go.wait()
            if request.target == "/stream":
                await request.reply.start(200, (("X", "y"),))
                await request.reply.write(b"one")
                await request.reply.end(b"two")
            else:
                await request.reply.whole(200, (), body or request.method.encode())
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        except ClientGone:
            request.connection.abort()
        self.served.append((request.method, request.target, body))

    def refuse(self, request: Request, error: GatewayError) -> None:
        self.errors.append(error.message)
        request.refuse(400, (), error.message.encode())

    def connected(self, connection: ClientConnection) -> None:
        pass

    def gone(self, connection: ClientConnection) -> None:
        self.left = True


@asynccontextmanager
async def connected(waits: Waits = LONG) -> AsyncIterator[tuple[ClientConnection, Transport, Desk]]:
    """A connection of which requests of up to 1000 bytes of body and 2000 of head are taken."""
    desk, transport = Desk(), Transport()
    async with anyio.create_task_group() as tasks:
        connection = ClientConnection(desk, waits, tasks.start_soon, max_body=1000, max_head=2000)
        transport.protocol = connection
        connection.connection_made(transport)
        yield connection, transport, desk
        if not transport.closed:
            transport.close()
            await until(lambda: desk.left)


async def until(condition: object) -> None:
    """Let the loop run until something is so."""
    assert callable(condition)
    with anyio.fail_after(30):
        while not condition():
            await anyio.lowlevel.checkpoint()


def post(target: str, body: bytes, *lines: bytes) -> bytes:
    """A request with a body of a declared length."""
    head = (b"POST %b HTTP/1.1" % target.encode(), b"Host: x", *lines, b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


CHUNKED = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 10_000])
async def test_any_cut_of_the_bytes_gives_the_same_requests(step: int) -> None:
    """With lengths and with chunks, one behind another."""
    data = post("/a", b"hello") + CHUNKED + b"GET /b?x=1 HTTP/1.1\r\nHost: x\r\n\r\n" + post("/d", b"")
    async with connected() as (connection, transport, desk):
        for at in range(0, len(data), step):
            connection.data_received(data[at : at + step])
        await until(lambda: len(desk.served) == 4)
        assert desk.served == [
            ("POST", "/a", b"hello"),
            ("POST", "/c", b"abcdefg"),
            ("GET", "/b?x=1", b""),
            ("POST", "/d", b""),
        ]
        assert transport.sent.count(b"HTTP/1.1 200 OK\r\n") == 4
        assert not transport.closed


async def test_headers_are_kept_as_written_and_found_in_lower_case() -> None:
    """Order, case and bytes that are no text survive."""
    async with connected() as (connection, _, desk):
        connection.data_received(b"GET / HTTP/1.1\r\nHOST: x\r\nX-Two: 1\r\nx-two: caf\xe9\r\n\r\n")
        request = desk.admitted[0]
        assert request.items == (("HOST", "x"), ("X-Two", "1"), ("x-two", "caf\udce9"))
        assert request.headers == {"host": "x", "x-two": "caf\udce9"}


async def test_who_does_not_wait_for_answers_is_not_read() -> None:
    """While an answer is under way, a next request waits, and the socket with it."""
    async with connected() as (connection, transport, desk):
        connection.data_received(post("/wait", b"1") + post("/a", b"2"))
        await until(lambda: len(desk.admitted) == 1)
        was_read = [transport.reading]
        desk.go.set()
        await until(lambda: len(desk.served) == 2)
        assert [*was_read, transport.reading] == [False, True]
        assert [target for _, target, _ in desk.served] == ["/wait", "/a"]


async def test_thousands_of_refused_requests_at_once() -> None:
    """Each is answered, in order, and none on top of another's stack."""
    async with connected() as (connection, transport, desk):
        connection.data_received(post("/wait", b"") + post("/no", b"x") * 5000)
        desk.go.set()
        await until(lambda: transport.sent.count(b"HTTP/1.1 404 ") == 5000)
        connection.data_received(post("/a", b"still"))
        await until(lambda: desk.served[-1][2] == b"still")


async def test_the_body_of_a_refused_request_is_thrown_away() -> None:
    """The connection goes on behind it."""
    async with connected() as (connection, transport, desk):
        whole = post("/no", b"z" * 900)
        connection.data_received(whole[:-10])
        assert transport.sent.startswith(b"HTTP/1.1 404 ")
        connection.data_received(whole[-10:] + post("/a", b"next"))
        await until(lambda: desk.served == [("POST", "/a", b"next")])


async def test_a_body_nobody_wants_is_not_read_for_ever() -> None:
    """Then the connection is closed."""
    async with connected(Waits(60, 60, 60, 0.01)) as (connection, transport, desk):
        connection.data_received(post("/no", b"z" * 900)[:-10])
        await until(lambda: desk.left)
        assert transport.sent.startswith(b"HTTP/1.1 404 ")


async def test_a_body_that_grows_too_large_is_refused() -> None:
    """Chunks have no length that could be looked at before."""
    async with connected() as (connection, _, desk):
        connection.data_received(CHUNKED.split(b"3\r\n", maxsplit=1)[0])
        for _ in range(11):
            connection.data_received(b"64\r\n" + b"z" * 100 + b"\r\n")
        assert len(desk.errors) == 1
        assert "larger than" in desk.errors[0]
        assert not desk.admitted[0].parts


BAD = {
    "rubbish": b"\x16\x03\x01\x02\x00\x01",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "chunks before they were invented": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "a control character": b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "a long head": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 2000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 300 + b"\r\n",
    "a bad chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_not_http_is_answered_once_and_the_connection_closed(case: str) -> None:
    """Nothing behind it is taken for a request."""
    async with connected() as (connection, transport, desk):
        connection.data_received(BAD[case])
        connection.data_received(post("/a", b"smuggled"))
        await until(lambda: desk.left)
        assert transport.sent.count(b"HTTP/1.1 400 ") == 1
        assert b"Connection: close" in transport.sent
        assert desk.served == []


async def test_an_endless_head_is_not_kept() -> None:
    """It is refused before it ends, for it may never."""
    async with connected() as (connection, _, desk):
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
        for _ in range(30):
            connection.data_received(b"a" * 100)
        assert len(desk.errors) == 1


async def test_rubbish_behind_a_request_waits_for_its_answer() -> None:
    """The answer is whole, then comes the refusal."""
    async with connected() as (connection, transport, desk):
        connection.data_received(post("/wait", b"1") + b"rubbish\r\n\r\n")
        assert transport.sent == b""
        desk.go.set()
        await until(lambda: desk.left)
        assert transport.sent.index(b" 200 OK") < transport.sent.index(b" 400 ")


async def test_leaving_cancels_what_is_done_for_the_client() -> None:
    """At once, not at the next write."""
    async with connected() as (connection, transport, desk):
        connection.data_received(post("/wait", b"1"))
        await until(lambda: len(desk.admitted) == 1)
        await anyio.lowlevel.checkpoint()
        transport.close()
        await until(lambda: desk.left)
        await until(lambda: desk.cancelled)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", post("/a", b"x") + b"GET / HT"])
async def test_a_head_is_not_waited_for_for_ever(begun: bytes) -> None:
    """Neither the first nor a later one."""
    async with connected(Waits(0.01, 0.01, 60, 60)) as (connection, transport, desk):
        if begun:
            connection.data_received(begun)
        await until(lambda: desk.left)
        assert b" 400 " not in transport.sent


async def test_a_body_is_not_waited_for_for_ever() -> None:
    """Whoever sends it is told."""
    async with connected(Waits(60, 60, 0.01, 60)) as (connection, transport, desk):
        connection.data_received(post("/a", b"x" * 100)[:-1])
        await until(lambda: desk.left)
        assert b"nothing of the body came" in transport.sent


@pytest.mark.parametrize(
    "request_line, lines, kept",
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: keep-alive\r\n", True),
    ],
)
async def test_a_connection_is_kept_as_the_client_wants_it(request_line: bytes, lines: bytes, kept: bool) -> None:
    """And told so."""
    async with connected() as (connection, transport, desk):
        connection.data_received(request_line + b"\r\nHost: x\r\n" + lines + b"\r\n")
        await until(lambda: len(desk.served) == 1)
        assert (b"Connection: close" in transport.sent) is not kept
        assert transport.closed is not kept


async def test_an_old_client_gets_a_stream_without_chunks() -> None:
    """Its end is the connection's."""
    async with connected() as (connection, transport, desk):
        connection.data_received(b"GET /stream HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        await until(lambda: desk.left)
        assert transport.sent.endswith(b"\r\n\r\nonetwo")
        assert b"chunked" not in transport.sent


@pytest.mark.parametrize("step", [1, 10_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_an_offer_of_another_protocol_is_declined_with_its_body_read(chunked: bool, step: int) -> None:
    """curl offers HTTP/2 with every request that it is told to, bodies included."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    body = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" if chunked else b"Content-Length: 3\r\n\r\nabc"
    data = b"POST /a HTTP/1.1\r\nHost: x\r\n" + offer + body + post("/b", b"next")
    async with connected() as (connection, _, desk):
        for at in range(0, len(data), step):
            connection.data_received(data[at : at + step])
        await until(lambda: len(desk.served) == 2)
        assert desk.served == [("POST", "/a", b"abc"), ("POST", "/b", b"next")]


async def test_a_client_that_asks_whether_to_go_on_is_told() -> None:
    """Before its body."""
    async with connected() as (connection, transport, desk):
        whole = post("/a", b"body", b"Expect: 100-continue")
        connection.data_received(whole[:-4])
        assert transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.data_received(b"body")
        await until(lambda: len(desk.served) == 1)


async def test_a_connection_that_is_to_finish_ends_with_its_answer() -> None:
    """And one without a request at once."""
    async with connected() as (connection, transport, desk):
        connection.data_received(post("/wait", b"1") + post("/a", b"2"))
        connection.finish()
        assert not transport.closed
        desk.go.set()
        await until(lambda: desk.left)
        assert b"Connection: close" in transport.sent
        assert len(desk.served) == 1
    async with connected() as (connection, transport, _):
        connection.finish()
        assert transport.closed


async def test_a_slow_client_is_waited_for() -> None:
    """Whoever writes waits while the transport is full."""
    async with connected() as (connection, transport, desk):
        connection.pause_writing()
        connection.data_received(post("/a", b"1"))
        await until(lambda: transport.sent)
        await anyio.lowlevel.checkpoint()
        assert desk.served == []
        connection.resume_writing()
        await until(lambda: len(desk.served) == 1)
