"""Kept connections over real sockets: reuse, staleness, TLS, hang-ups, compression, what may not be sent."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from strowger.errors import Malformed, Truncated, Unreachable
from strowger.upstreams.base import Incoming, Outgoing
from strowger.upstreams.connection import Connection
from strowger.upstreams.http import HttpIncoming, HttpUpstream

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server whose connections are all `talk`; gives its address."""
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{running.sockets[0].getsockname()[1]}"
    finally:
        running.close()
        for writer in writers:
            writer.transport.abort()


async def request(reader: asyncio.StreamReader) -> bytes:
    """One request, whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)


def post(address: str, body: bytes = b"{}", scheme: str = "http", **headers: str) -> Outgoing:
    """A request for that address."""
    return Outgoing("POST", f"{scheme}://{address}/v1/x?y=1", tuple(headers.items()), body)


async def whole(incoming: Incoming) -> bytes:
    """Read to the end and give the connection back."""
    try:
        return await incoming.read_all(10_000_000)
    finally:
        incoming.close()


class Counting:
    """Answers every request with the same bytes; remembers connections and requests."""

    def __init__(self, answer: bytes = OK, close_after: int = 0) -> None:
        self.answer, self.close_after = answer, close_after
        self.connections = 0
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        served = 0
        while True:
            self.requests.append(await request(reader))
            served += 1
            writer.write(self.answer)
            await writer.drain()
            if served == self.close_after:
                return


async def test_a_connection_is_used_again() -> None:
    """One handshake for a session's many calls, and the request is what it should be."""
    counting = Counting()
    async with server(counting) as address, HttpUpstream() as upstream:
        for _ in range(3):
            assert await whole(await upstream.open(post(address, b"{1}", Accept="x"))) == b"ok"
    assert counting.connections == 1
    assert counting.requests[2] == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nHost: %s\r\nAccept: x\r\nContent-Length: 3\r\n\r\n{1}" % address.encode()
    )


async def test_calls_at_once_have_their_own_connections() -> None:
    """An answer belongs to its request."""
    counting = Counting()
    async with server(counting) as address, HttpUpstream() as upstream:
        first = await upstream.open(post(address))
        second = await upstream.open(post(address))
        assert [await whole(first), await whole(second)] == [b"ok", b"ok"]
    assert counting.connections == 2


async def test_an_answer_that_is_not_read_to_its_end_closes_its_connection() -> None:
    """The upstream must notice at once that nobody listens any more."""
    gone = anyio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        try:
            await reader.read()
        finally:
            gone.set()

    async with server(talk) as address, HttpUpstream() as upstream:
        incoming = await upstream.open(post(address))
        assert await incoming.read() == b"half"
        incoming.close()
        with anyio.fail_after(30):
            await gone.wait()


async def test_cancelling_a_wait_closes_the_connection() -> None:
    """Before the head of the answer too: the client pressed Esc while the model was thinking."""
    arrived, gone = anyio.Event(), anyio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        arrived.set()
        try:
            await reader.read()
        finally:
            gone.set()

    async with server(talk) as address, HttpUpstream() as upstream:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(upstream.open, post(address))
                await arrived.wait()
                tasks.cancel_scope.cancel()
            await gone.wait()


async def test_a_stale_connection_is_replaced_once() -> None:
    """A kept connection that the other end was just closing is nobody's fault."""

    class Stale(Counting):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self.requests.append(await request(reader))
            writer.write(OK)
            if self.connections == 1:
                await reader.read(1)  # the next request has come: now it closes
                return
            await reader.read()

    stale = Stale()
    async with server(stale) as address, HttpUpstream() as upstream:
        assert await whole(await upstream.open(post(address))) == b"ok"
        assert await whole(await upstream.open(post(address))) == b"ok"
    assert stale.connections == 2


async def test_a_request_that_may_have_been_read_is_not_sent_again() -> None:
    """Each reading is paid for: a fresh connection that breaks is an error."""
    counting = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal counting
        counting += 1
        await request(reader)

    async with server(talk) as address, HttpUpstream() as upstream:
        with pytest.raises(Unreachable, match="without an answer"):
            await upstream.open(post(address))
    assert counting == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_answers_are_unpacked(coding: str) -> None:
    """Although nobody asked for it."""
    data = gzip.compress(b"hello" * 1000) if coding == "gzip" else zlib.compress(b"hello" * 1000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    async with server(Counting(head + data)) as address, HttpUpstream() as upstream:
        assert await whole(await upstream.open(post(address))) == b"hello" * 1000


class Answered(Connection):
    """A connection whose answer comes in exactly these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__()
        self.named = {"content-encoding": "gzip"}
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        return next(self._pieces, b"")


async def test_gzip_may_come_in_members() -> None:
    """One after another, cut anywhere; what follows the last and is none is padding, half of one is too little."""
    one, two = gzip.compress(b"hello ") + gzip.compress(b""), gzip.compress(b"world")
    for data in (one + two, one + two + b"\0" * 9):
        for cut in range(1, len(data)):
            incoming = HttpIncoming(Answered(data[:cut], data[cut:]), HttpUpstream(), ("", 0, False))
            assert await incoming.read_all(100) == b"hello world"
    with pytest.raises(Truncated):
        await HttpIncoming(Answered(one, two[:9]), HttpUpstream(), ("", 0, False)).read_all(100)


async def test_what_unpacks_to_too_much_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one member, or in many."""
    monkeypatch.setattr("strowger.upstreams.http._MOST_INFLATED", 1000)
    for data in (gzip.compress(b"x" * 1001), gzip.compress(b"x" * 100) * 11):
        with pytest.raises(Malformed, match="unpacks to more"):
            await HttpIncoming(Answered(data), HttpUpstream(), ("", 0, False)).read_all(10_000)


async def test_what_cannot_be_unpacked_is_an_error() -> None:
    """Another coding, rubbish, or half of it."""
    data = gzip.compress(b"hello" * 1000)
    answers = {
        b"zstd\r\nContent-Length: 2\r\n\r\nxx": Malformed,
        b"gzip\r\nContent-Length: 4\r\n\r\nrubb": Malformed,
        b"gzip\r\nContent-Length: 30\r\n\r\n" + data[:30]: Truncated,
    }
    for answer, error in answers.items():
        counting = Counting(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + answer)
        async with server(counting) as address, HttpUpstream() as upstream:
            with pytest.raises(error):
                await whole(await upstream.open(post(address)))


@pytest.mark.parametrize("header", [("x", "a\r\nInjected: 1"), ("x", "a\nb"), ("x\r\ny", "a"), ("x", "a\0b")])
async def test_a_header_cannot_begin_another(header: tuple[str, str]) -> None:
    """Nothing is sent at all."""
    counting = Counting()
    async with server(counting) as address, HttpUpstream() as upstream:
        with pytest.raises(Unreachable, match="line break"):
            await upstream.open(Outgoing("POST", f"http://{address}/", (header,), b""))
    assert counting.requests == []


@pytest.mark.parametrize(
    "url", ["ftp://h/", "http:///x", "http://h:99999/", "http://u:p@h/", "no url", "http://h/\u00e9"]
)
async def test_an_unusable_url_is_an_error_without_its_text(url: str) -> None:
    """It may hold a key."""
    async with HttpUpstream() as upstream:
        with pytest.raises(Unreachable) as caught:
            await upstream.open(Outgoing("GET", url, (), b""))
    assert url not in str(caught.value)


async def test_a_refused_connection_names_the_address() -> None:
    """And not the query, which may hold a key."""
    async with HttpUpstream() as upstream:
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9/x:") as caught:
            await upstream.open(Outgoing("GET", "http://127.0.0.1:9/x?key=secret", (), b""))
    assert "secret" not in caught.value.text


@pytest.mark.parametrize("hosts", [("127.0.0.1",), ("127.0.0.1", "127.0.0.2"), ("255.255.255.255", "127.0.0.1")])
async def test_the_reason_is_told_once(hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses a name has, and however each failed: one reason, in the system's words, no addresses."""

    async def found(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 9)) for host in hosts]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    async with HttpUpstream() as upstream:
        with pytest.raises(Unreachable) as caught:
            await upstream.open(Outgoing("GET", "http://several.test/x", (), b""))
    assert caught.value.message == "no connection to http://several.test/x: connection refused"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, signed by itself."""
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(path) + ".key"]
    subprocess.run([*command, "-out", str(path), *names], check=True, capture_output=True)
    return path


async def test_tls_is_verified(certificate: Path) -> None:
    """A certificate that is not trusted is told apart from a dead host; a trusted one works, and is used again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, str(certificate) + ".key")
    counting = Counting()
    async with server(counting, context) as address:
        async with HttpUpstream() as upstream:
            with pytest.raises(Unreachable, match="certificate is not trusted"):
                await upstream.open(post(address, scheme="https"))
        async with HttpUpstream(tls=ssl.create_default_context(cafile=str(certificate))) as upstream:
            for _ in range(2):
                assert await whole(await upstream.open(post(address, scheme="https"))) == b"ok"
    assert counting.connections == 1


async def test_https_to_a_plain_port_says_so() -> None:
    """The commonest slip in a base_url."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(talk) as address, HttpUpstream() as upstream:
        with pytest.raises(Unreachable, match="no TLS with"):
            await upstream.open(post(address, scheme="https"))


async def test_a_large_request_and_a_large_answer_go_through() -> None:
    """Several megabytes each way, read in the sizes that come."""
    body = b"x" * 3_000_000
    counting = Counting(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + body)
    async with server(counting) as address, HttpUpstream() as upstream:
        assert await whole(await upstream.open(post(address, body))) == body
        assert await whole(await upstream.open(post(address))) == body
    assert counting.requests[0].endswith(body)
    assert counting.connections == 1


async def test_the_environments_proxy_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Companies ask for it; a local model server is never behind one."""
    proxy = Counting()
    async with server(proxy) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        async with server(Counting()) as local, HttpUpstream() as upstream:
            assert await whole(await upstream.open(post(local))) == b"ok"
            assert proxy.requests == []
            assert await whole(await upstream.open(post("api.example"))) == b"ok"
    assert proxy.requests[0].startswith(b"POST http://api.example/v1/x?y=1 HTTP/1.1\r\n")
