"""The ways to log in against issuers that are as strict as the real ones, in their own time."""

from __future__ import annotations

import http.client
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import anyio.to_thread
import pytest

from strowger.auth.issuers import holder_of, issuer_for
from strowger.auth.login import LoginFlow
from strowger.auth.oauth import DeviceCode, Exchange, Tokens, ask_refresh, read_tokens
from strowger.errors import CredentialError
from strowger.providers.exchange import exchange
from strowger.upstreams.http import HttpUpstream
from tests.fakes.issuer import FakeIssuer
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.issuer_kimi import KimiIssuer

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400.0
DEVICE = "0d3c5f5e-6a52-4a53-9d0b-1f3f6d6f7a10"


@pytest.fixture
def anyio_backend() -> str:
    """The loop of the HTTP transport."""
    return "asyncio"


@pytest.fixture
async def line() -> AsyncIterator[Exchange]:
    async with HttpUpstream() as upstream:
        yield exchange(upstream)


class User:
    """Waits in the issuer's time, and writes down what he is told and what comes of it."""

    def __init__(self, name: str, fake: FakeIssuer, line: Exchange) -> None:
        self.issuer = issuer_for(name, {f"STROWGER_{name.upper()}_ISSUER": fake.base_url})
        self.fake = fake
        self.told: list[str] = []
        self.tokens: Tokens | None = None
        self.url = ""
        self.flow = LoginFlow(
            self.issuer,
            exchange=line,
            teller=self,
            keep=self._keep,
            device_id=DEVICE,
            now=fake.clock.now,
            sleep=self._sleep,
        )

    async def _keep(self, tokens: Tokens) -> None:
        self.tokens = tokens

    async def _sleep(self, seconds: float) -> None:
        self.fake.clock.forward(seconds)

    def page(self, url: str) -> None:
        """The browser goes there when it is asked for what it ends at."""
        self.url = url

    def code(self, device: DeviceCode) -> None:
        """The user has it."""
        self.told.append("code")

    async def pasted(self) -> str:
        """The address at which the browser ends."""
        return await anyio.to_thread.run_sync(_sent_to, self.url)

    def waiting(self, left: float) -> None:
        """Not yet."""
        self.told.append("waiting")

    def slower(self, interval: float) -> None:
        """Too often."""
        self.told.append(f"every {interval:g}")

    def trouble(self, problem: str) -> None:
        """It may come right."""
        self.told.append(problem)

    def skewed(self, seconds: float) -> None:
        """A wrong clock."""
        self.told.append("skewed")


def _sent_to(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().headers["location"]
    connection.close()
    return location


async def test_codex_takes_what_we_send(line: Exchange) -> None:
    """PKCE, redirect URI and form are as the issuer wants them, and its tokens can be refreshed."""
    async with CodexIssuer(at=NOON) as fake:
        user = User("codex", fake, line)
        await user.flow.by_pasting()
        assert user.tokens is not None
        assert user.tokens.refresh is not None
        assert fake.accepts(user.tokens.access.reveal())
        assert user.tokens.expires_at == NOON + fake.lifetime
        id_token = user.tokens.id_token
        holder = holder_of(user.issuer, id_token.reveal() if id_token else "", "")
        assert (holder.account_id, holder.email, holder.plan) == (fake.account.id, fake.account.email, "pro")
        again = read_tokens(user.issuer, await line(ask_refresh(user.issuer, user.tokens.refresh)), now=NOON)
        assert fake.accepts(again.access.reveal())
        assert user.told == []


async def test_codex_device(line: Exchange) -> None:
    """The device's grant is exchanged at the issuer's own redirect URI."""
    async with CodexIssuer(at=NOON) as fake:
        user = User("codex", fake, line)
        await user.flow.by_device()
        assert user.tokens is not None
        assert fake.accepts(user.tokens.access.reveal())


async def test_codex_device_is_given_up(line: Exchange) -> None:
    """After a quarter of an hour nobody waits any longer."""
    async with CodexIssuer(at=NOON, user="waits") as fake:
        user = User("codex", fake, line)
        with pytest.raises(CredentialError, match="before the code expired"):
            await user.flow.by_device()
        assert fake.clock.now() == NOON + 900


async def test_kimi_is_never_hurried(line: Exchange) -> None:
    """The issuer says `slow_down` now and then; after each we ask less often, so it has no reason of its own."""
    async with KimiIssuer(at=NOON, patience=3) as fake:
        fake.slows = 2
        user = User("kimi", fake, line)
        await user.flow.by_device()
        assert user.told == ["code", "every 10", "every 15", "waiting", "waiting", "waiting"]
        assert fake.clock.now() == NOON + 5 + 10 + 4 * 15
        assert user.tokens is not None
        assert fake.accepts(user.tokens.access.reveal())


async def test_kimi_binds_to_the_device(line: Exchange) -> None:
    """The tokens are good for the device that asked, and are refreshed from it."""
    async with KimiIssuer(at=NOON) as fake:
        user = User("kimi", fake, line)
        await user.flow.by_device()
        assert user.tokens is not None
        assert user.tokens.refresh is not None
        assert fake.grants[0].device == DEVICE
        refused = await line(ask_refresh(user.issuer, user.tokens.refresh, device_id="another"))
        granted = await line(ask_refresh(user.issuer, user.tokens.refresh, device_id=DEVICE))
        assert (refused.status, granted.status) == (401, 200)


async def test_kimi_denied_and_forgotten(line: Exchange) -> None:
    """A no ends it at once, a code that nobody confirmed when it has expired."""
    async with KimiIssuer(at=NOON, user="denies") as fake:
        with pytest.raises(CredentialError, match="denied"):
            await User("kimi", fake, line).flow.by_device()
        fake.user = "waits"
        with pytest.raises(CredentialError, match="before the code expired"):
            await User("kimi", fake, line).flow.by_device()
        assert fake.grants == []
