"""Asking a proxy for a tunnel to a host. Must not know what is spoken through it."""

from __future__ import annotations

import asyncio
import re
from typing import cast

from strowger.errors import Unreachable
from strowger.upstreams.proxies import Proxy

_MOST_HEAD = 64 * 1024

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")


class Opening(asyncio.Protocol):
    """A connection to a proxy, from which a tunnel is to come."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._received = bytearray()
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # ---- as a protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The proxy is there."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, but not by inheritance

    def data_received(self, data: bytes) -> None:
        """Some of the answer."""
        self._received += data
        if b"\r\n\r\n" in self._received or b"\n\n" in self._received or len(self._received) > _MOST_HEAD:
            self._answer()

    def eof_received(self) -> None:
        """The proxy has no more to say."""
        self._answer()

    def connection_lost(self, error: Exception | None) -> None:
        """The proxy is gone."""
        self._answer()

    def _answer(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    # ---- for who connects ----

    async def ask(self, host: str, port: int, proxy: Proxy) -> None:
        """Wait for the tunnel. Raises Unreachable when the proxy does not give it."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
        self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._answered
        found = _STATUS.match(self._received)
        if found is None:
            said = "it closed the connection" if not self._received else "its answer is not HTTP"
            raise Unreachable(
                f"the proxy {proxy.shown} gave no connection to {target}: {said}",
                hint=f"is {proxy.named_by} the address of an HTTP proxy?",
            )
        status = int(found[1])
        if not 200 <= status < 300:
            raise refused(proxy, target, status, (found[2] or b"").decode("latin-1"))


def refused(proxy: Proxy, target: str, status: int, reason: str) -> Unreachable:
    """What a proxy's refusal means to its user. The answer's body is a page for people, and is not quoted."""
    said = f"{status} {reason.strip()[:80]}".strip()
    if status == 407:
        known = "other" if proxy.authorization else "a"
        hint = f"it wants {known} user and password: {proxy.named_by} = http://user:password@{proxy.host}:{proxy.port}"
    else:
        hint = f"may it connect to that host? NO_PROXY lists hosts to be reached without the proxy of {proxy.named_by}"
    return Unreachable(f"the proxy {proxy.shown} refused to connect to {target}: {said}", hint=hint)
