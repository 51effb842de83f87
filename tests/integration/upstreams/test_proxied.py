"""Requests go through the proxy that the environment names, and only those that it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from strowger.errors import Malformed, Truncated, Unreachable
from strowger.upstreams.base import Outgoing
from strowger.upstreams.http import HttpUpstream

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\nX-Seen: One\r\nContent-Length: 5\r\n\r\nhello"
OUT = Outgoing("POST", "http://models.test/v1/x?y=1", (("Authorization", "Bearer k"), ("X-Mine", "a")), b'{"a":1}')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Proxy:
    """A proxy that answers everything itself, with the same bytes, and remembers what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.asked.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def proxy(monkeypatch: pytest.MonkeyPatch, answer: bytes = ANSWER, **env: str) -> AsyncIterator[Proxy]:
    """A running proxy that the environment names."""
    running = Proxy(answer)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name, value in {"http_proxy": running.url, **env}.items():
        monkeypatch.setenv(name, value)
    try:
        yield running
    finally:
        server.close()


async def test_the_proxy_gets_the_whole_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its absolute target, its headers and its body; and its answer is the answer."""
    async with proxy(monkeypatch) as running, HttpUpstream() as upstream:
        incoming = await upstream.open(OUT)
        assert (incoming.status, incoming.headers["x-seen"]) == (200, "One")
        assert ("X-Seen", "One") in incoming.header_items
        assert await incoming.read_all(100) == b"hello"
        incoming.close()
    (asked,) = running.asked
    assert asked.startswith(b"POST http://models.test/v1/x?y=1 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer k\r\n" in asked
    assert b"\r\nX-Mine: a\r\n" in asked
    assert asked.endswith(b'\r\n\r\n{"a":1}')


async def test_a_large_body_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written in pieces, with its length."""
    body = b"x" * 2_000_000
    async with proxy(monkeypatch) as running, HttpUpstream() as upstream:
        incoming = await upstream.open(Outgoing("POST", OUT.url, OUT.headers, body))
        incoming.close()
    assert running.asked[0].endswith(body)


async def test_this_machine_is_never_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model on loopback is reached straight, whatever the environment says."""
    async with proxy(monkeypatch) as other, HttpUpstream() as upstream:
        direct = Proxy(ANSWER)
        server = await asyncio.start_server(direct.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        incoming = await upstream.open(Outgoing("POST", f"http://127.0.0.1:{port}/v1/x", (), b"{}"))
        assert await incoming.read_all(100) == b"hello"
        incoming.close()
        server.close()
    assert other.asked == []
    assert direct.asked[0].startswith(b"POST /v1/x HTTP/1.1\r\n")


async def test_a_broken_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends before its length, and one that is longer than what is allowed."""
    async with proxy(monkeypatch, ANSWER.replace(b": 5", b": 9")), HttpUpstream() as upstream:
        incoming = await upstream.open(OUT)
        with pytest.raises(Truncated):
            await incoming.read_all(100)
        incoming.close()
        incoming = await upstream.open(OUT)
        with pytest.raises(Malformed):
            await incoming.read_all(3)
        incoming.close()


async def test_an_encoding_that_was_not_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could read it."""
    answer = ANSWER.replace(b"X-Seen: One", b"Content-Encoding: odd")
    async with proxy(monkeypatch, answer), HttpUpstream() as upstream:
        with pytest.raises(Malformed, match="encoded as 'odd'"):
            await upstream.open(OUT)


@pytest.mark.parametrize("answer", [b"", b"\x00 this is not HTTP\r\n\r\n"], ids=["silence", "noise"])
async def test_a_useless_proxy_is_told_without_the_query(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    """The error names the upstream by host and path; the query may hold a key."""
    async with proxy(monkeypatch, answer) as running, HttpUpstream() as upstream:
        with pytest.raises((Unreachable, Malformed), match=r"models\.test/v1/x") as caught:
            await upstream.open(OUT)
    assert "y=1" not in str(caught.value)
    assert len(running.asked) == 1, "a request that may have been read is not sent again"


async def test_a_dead_proxy_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that does not listen is told as such."""
    async with proxy(monkeypatch):
        pass
    async with HttpUpstream() as upstream:
        with pytest.raises(Unreachable):
            await upstream.open(OUT)
