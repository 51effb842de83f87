"""What all fakes share: that they can be reached over TLS, by whoever trusts their authority and nobody else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.authority import Authority
from tests.fakes.chat import FakeChat
from tests.fakes.gemini import FakeGemini
from tests.fakes.responses import FakeResponses
from tests.fakes.server import FakeServer

pytestmark = pytest.mark.anyio

FAKES: tuple[Callable[..., FakeServer], ...] = (FakeAnthropic, FakeChat, FakeGemini, FakeResponses)


@pytest.mark.parametrize("make", FAKES)
async def test_every_fake_speaks_tls(make: Callable[..., FakeServer]) -> None:
    """Its URL says so, a client that trusts the authority is answered, and the request is on the record."""
    authority = Authority()
    async with make(tls=authority) as fake, aiohttp.ClientSession() as session:
        assert fake.base_url == f"https://127.0.0.1:{fake.port}"
        async with session.get(f"{fake.base_url}/nowhere", ssl=authority.trusting()) as response:
            assert response.status >= 400
    assert [seen.path for seen in fake.requests] == ["/nowhere"]


async def test_nobody_else_trusts_the_authority(tmp_path: Path) -> None:
    """Neither a client with the system's certificates nor one with another authority's gets as far as a request."""
    async with FakeChat(tls=Authority()) as fake, aiohttp.ClientSession() as session:
        for context in (ssl.create_default_context(), Authority().trusting()):
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(fake.base_url, ssl=context)
    assert fake.requests == []


async def test_a_bundle_is_what_a_client_reads(tmp_path: Path) -> None:
    """For clients that are told by a path, as a subprocess is."""
    authority = Authority()
    context = ssl.create_default_context(cafile=authority.bundle(tmp_path))
    async with FakeChat(tls=authority) as fake, aiohttp.ClientSession() as session:
        async with session.get(f"{fake.base_url}/nowhere", ssl=context) as response:
            assert response.status == 404
