"""Upstreams that say exactly the bytes of a script, and clients that send exactly theirs: no HTTP library between."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.lowlevel

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[bool | None]]
"""Given a request, head and body together, writes the answer. False closes the connection, else it is kept."""

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


@asynccontextmanager
async def raw_upstream(script: Script) -> AsyncIterator[str]:
    """A server whose every answer is written by `script`; gives its URL."""
    open_connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                if await script(head + body, writer) is False:
                    break
                await writer.drain()
        open_connections.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**26)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in open_connections:
            writer.transport.abort()


def saying(*pieces: bytes, close: bool = False) -> Script:
    """A script that writes the pieces one after another, each on its own, then keeps the connection or closes it."""

    async def script(request: bytes, writer: asyncio.StreamWriter) -> bool:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await anyio.lowlevel.checkpoint()
        return not close

    return script


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def exchange(url: str, sent: bytes, seconds: float = 5.0) -> bytes:
    """Everything that a server answers to exactly these bytes until it closes the connection."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.write(sent)
    try:
        with anyio.fail_after(seconds):
            return await reader.read(-1)
    finally:
        writer.transport.abort()


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    """A POST request as bytes; the connection ends with its answer."""
    lines = (b"Host: 127.0.0.1", b"Connection: close", b"Content-Type: application/json", *headers)
    head = b"\r\n".join((b"POST " + path.encode() + b" HTTP/1.1", *lines, b"Content-Length: %d" % len(body)))
    return head + b"\r\n\r\n" + body
