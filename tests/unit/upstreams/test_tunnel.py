"""What a proxy is asked for a tunnel, and what its answers mean. Real ones are in the integration tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from strowger.errors import Unreachable
from strowger.upstreams.proxies import proxy_at
from strowger.upstreams.tunnel import Opening

pytestmark = pytest.mark.anyio

PROXY = proxy_at("http://mary:secret-3c@proxy:3128", "HTTPS_PROXY")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wire(asyncio.Transport):
    """Answers in the pieces it is given, then closes."""

    def __init__(self, opening: Opening, *pieces: bytes) -> None:
        super().__init__()
        self._opening = opening
        self._pieces = pieces
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)
        for piece in self._pieces:
            self._opening.data_received(piece)
        self._opening.eof_received()
        self._opening.connection_lost(None)


async def asked(*pieces: bytes, host: str = "api.example") -> bytes:
    """What was written to a proxy that answers so. Raises what the answer means."""
    opening = Opening()
    wire = Wire(opening, *pieces)
    opening.connection_made(wire)
    await opening.ask(host, 443, PROXY)
    return wire.written


async def test_what_is_asked() -> None:
    """The host and its port, twice as it is usual, and who we are."""
    assert await asked(b"HTTP/1.1 200 OK\r\n\r\n") == (
        b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n"
        b"Proxy-Authorization: Basic bWFyeTpzZWNyZXQtM2M=\r\n\r\n"
    )
    assert (await asked(b"HTTP/1.1 200\r\n\r\n", host="fd00::1")).startswith(b"CONNECT [fd00::1]:443 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.0 200 Connection established\r\n\r\n", b"HTTP/1.1 204\r\nX: y\r\n\r\n", b"HTTP/1.1 200 OK\n\n"]
)
@pytest.mark.parametrize("size", [1, 1000])
async def test_a_tunnel(answer: bytes, size: int) -> None:
    """Any 2xx is one, of either version, with any headers, in any pieces."""
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    assert (await asked(*pieces)).startswith(b"CONNECT ")


@pytest.mark.parametrize(
    "answer, said",
    [
        (b"", "gave no connection to api.example:443: it closed the connection"),
        (b"SSH-2.0-x\r\n\r\n", "gave no connection to api.example:443: its answer is not HTTP"),
        (b"\x15\x03\x01" + b"x" * 70_000, "gave no connection to api.example:443: its answer is not HTTP"),
        (b"HTTP/1.1 403 Blocked\r\n\r\npage", "refused to connect to api.example:443: 403 Blocked"),
        (b"HTTP/1.1 502\r\n\r\n", "refused to connect to api.example:443: 502"),
        (b"HTTP/1.1 407 Who?\r\n\r\n", "refused to connect to api.example:443: 407 Who?"),
        (
            b"HTTP/1.1 302 Login\r\nLocation: http://captive.example\r\n\r\n",
            "refused to connect to api.example:443: 302",
        ),
    ],
)
async def test_no_tunnel(answer: bytes, said: str) -> None:
    """The error says which proxy, which host and why, and what to look at; never our password."""
    with pytest.raises(Unreachable) as raised:
        await asked(answer)
    assert raised.value.message.startswith(f"the proxy http://proxy:3128 {said}")
    assert "HTTPS_PROXY" in (raised.value.hint or "")
    assert "secret-3c" not in f"{raised.value.message} {raised.value.hint} {raised.value!r}"
