"""A company's proxy: it tunnels for CONNECT, asks for whole URLs itself, and wants to know who is there.

Names are not looked up but found in `hosts`, so that a test can be on `models.test` without a network.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Self

import anyio
import anyio.lowlevel
from msgspec import Struct

from tests.fakes.authority import Authority


class Asked(Struct):
    """What a client of the proxy asked: `CONNECT host:port` or a method and a whole URL, and all headers."""

    line: str
    head: bytes

    @property
    def target(self) -> str:
        """The host and port, or the URL."""
        return self.line.split(" ")[1]


class FakeProxy:
    """`hosts` leads names to ports of 127.0.0.1. `refusal`: the status line with which every CONNECT is refused.

    `silent`: CONNECT is never answered. `broken`: it is answered, and then the connection closes.
    """

    def __init__(
        self,
        hosts: Mapping[str, int],
        *,
        tls: Authority | None = None,
        user: str = "",
        password: str = "",
        refusal: str = "",
        silent: bool = False,
        broken: bool = False,
    ) -> None:
        self.asked: list[Asked] = []
        self._hosts = hosts
        self._tls = tls
        self._credential = b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self._refusal = refusal
        self._silent = silent
        self._broken = broken
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        context = self._tls.serving() if self._tls else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await anyio.lowlevel.checkpoint()

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"{'https' if self._tls else 'http'}://{self.authority}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n", 1)[0].decode()
        self.asked.append(Asked(line, head))
        connect = line.startswith("CONNECT ")
        if self._credential and f"\r\nProxy-Authorization: Basic {self._credential}\r\n".encode() not in head:
            await _say(writer, "407 Proxy Authentication Required")
        elif connect and self._refusal:
            await _say(writer, self._refusal)
        elif connect and self._silent:
            await reader.read()
        elif connect and self._broken:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
        else:
            await self._forward(reader, writer, line, head)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, head: bytes
    ) -> None:
        method, target, _ = line.split(" ")
        name = target if method == "CONNECT" else target.split("/")[2]
        port = self._hosts.get(name)
        if port is None:
            await _say(writer, "502 Bad Gateway")
            return
        near, far = await asyncio.open_connection("127.0.0.1", port)
        self._writers.add(far)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 fake\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            lines = [f"{method} {path} HTTP/1.1", *head.decode("latin-1").split("\r\n")[1:]]
            far.write("\r\n".join(one for one in lines if not one.startswith("Proxy-")).encode("latin-1"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_pump, reader, far)
            await _pump(near, writer)
            tasks.cancel_scope.cancel()
        self._writers.discard(far)
        far.transport.abort()


async def _say(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 4\r\nProxy-Authenticate: Basic\r\n\r\nno!\n".encode())
    await writer.drain()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(64 * 1024):
        sink.write(data)
        await sink.drain()
