"""The line to an issuer, over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from strowger.auth.oauth import Ask
from strowger.errors import Malformed, TimedOut, Truncated, Unreachable
from strowger.providers.exchange import MAX_REPLY_BYTES, exchange
from strowger.upstreams.http import HttpUpstream
from tests.fakes.issuer import PlainIssuer

pytestmark = pytest.mark.anyio
FORM = (("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", "strowger/test"))


@pytest.fixture
def anyio_backend() -> str:
    """The loop of the HTTP transport."""
    return "asyncio"


@pytest.fixture
async def issuer() -> AsyncIterator[PlainIssuer]:
    async with PlainIssuer() as server:
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with HttpUpstream() as transport:
        yield transport


def ask(issuer: PlainIssuer, token: str = "rt") -> Ask:
    """A refresh."""
    body = f"grant_type=refresh_token&client_id={issuer.client_id}&refresh_token={token}".encode()
    return Ask("POST", f"{issuer.base_url}/token", FORM, body)


async def test_an_answer_is_whole(issuer: PlainIssuer, upstream: HttpUpstream) -> None:
    """What was asked arrives as it is; the answer comes with its status and headers, whatever they are."""
    send = exchange(upstream)
    login = issuer.login()
    granted = await send(ask(issuer, login["refresh_token"]))
    assert (granted.status, granted.headers["content-type"]) == (200, "application/json")
    assert b"access_token" in granted.body
    refused = await send(ask(issuer))
    assert (refused.status, b"invalid_grant" in refused.body) == (400, True)
    assert [(seen.method, seen.path, seen.header("user-agent")) for seen in issuer.requests] == [
        ("POST", "/token", "strowger/test")
    ] * 2
    assert "rt" not in repr(refused)


async def test_silence_ends(issuer: PlainIssuer, upstream: HttpUpstream) -> None:
    """An issuer that does not answer is left after a while; who it was is told, and nothing of what was asked."""
    issuer.hold = True
    with pytest.raises(TimedOut, match=f"^{issuer.base_url} did not answer within 0.05 seconds$"):
        await exchange(upstream, timeout=0.05)(ask(issuer))
    issuer.hold = False


async def test_broken_answers(issuer: PlainIssuer, upstream: HttpUpstream) -> None:
    """A hang-up, an endless body and a port without a server are errors of the tree."""
    send = exchange(upstream)
    issuer.fails("/token", 0)
    with pytest.raises((Unreachable, Truncated)):
        await send(ask(issuer))
    issuer.fails("/token", 200, b"x" * (MAX_REPLY_BYTES + 1))
    with pytest.raises(Malformed):
        await send(ask(issuer))
    with pytest.raises(Unreachable):
        await send(Ask("POST", "http://127.0.0.1:9/token", FORM, b""))
