"""What calls cost, and budgets, through a whole gateway in front of a strict vendor."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import pytest
from msgspec.structs import replace

from strowger.client import Admin
from strowger.config.layers import Choice, Loaded
from strowger.config.schema import Budget, Budgets, Config, Flows, Prices
from tests.fakes.anthropic import KEY, FakeAnthropic
from tests.fakes.script import Usage, say
from tests.integration.gateway.rig import Rig, anthropic_request, chat_request, config, gateway, provider

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-5"
NO_BUDGETS = Budgets()
# A dollar for each thousand tokens of the answer, and nothing else: sums that can be read.
PRICES = f'[[prices]]\nmodel = "{MODEL}"\nat = ["127.*"]\ninput = 0\noutput = 1000\n'


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


class Here:
    """A vendor, and gateways in front of it that keep their calls in one store."""

    def __init__(self, vendor: FakeAnthropic, tmp_path: Path) -> None:
        self.vendor = vendor
        self.prices = tmp_path / "prices.toml"
        self.prices.write_text(PRICES)
        self.flows = Flows(file=str(tmp_path / "flows.db"), bodies="none")

    def config(self, budgets: Budgets = NO_BUDGETS, **more: object) -> Config:
        """A configuration whose calls are paid by the token, although the vendor is on this machine."""
        up = provider("anthropic", self.vendor.base_url, **{"billing": "metered", "models": ("claude-*",), **more})
        return replace(config({"up": up}, flows=self.flows), budgets=budgets, prices=Prices(file=str(self.prices)))

    @asynccontextmanager
    async def gateway(self, config: Config, again: Callable[[Choice], Loaded] | None = None) -> AsyncIterator[Rig]:
        """A gateway, until the block ends."""
        async with gateway(config, env={"UPSTREAM_KEY": KEY}, again=again) as rig:
            yield rig

    async def ask(
        self, rig: Rig, session: str = "s1", output: int = 1000, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """A call of a session, answered with so many tokens, which is what it costs in thousandths of a dollar."""
        self.vendor.script(say("Hello", usage=Usage(fresh=50, cached=30, stored=20, output=output)))
        answer = await rig.post(
            "/v1/messages", anthropic_request(model=MODEL, stream=True), x_claude_code_session_id=session, **headers
        )
        await rig.flow()
        return answer

    @property
    def asked(self) -> int:
        """How often the vendor was asked."""
        return len(self.vendor.inferences())


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    """The vendor runs in a thread of its own."""
    with FakeAnthropic().in_thread() as vendor:
        yield Here(vendor, tmp_path)


async def test_a_call_has_its_price(here: Here) -> None:
    """The flow says who paid and how much, cached tokens counted once; without a price it says so."""
    here.prices.write_text(
        f'[[prices]]\nmodel = "{MODEL}"\ninput = 10\noutput = 100\ncache_read = 1\ncache_write = 20\n'
    )
    async with here.gateway(here.config()) as rig:
        assert (await here.ask(rig))[0] == 200
        flow = await rig.flow()
        assert (flow["billing"], flow["tokens"]["input"]) == ("metered", 100)
        assert flow["billed_usd"] == pytest.approx((50 * 10 + 30 * 1 + 20 * 20 + 1000 * 100) / 1e6)
    async with here.gateway(here.config(billing="plan")) as rig:
        await here.ask(rig)
        assert (await rig.flow())["billing"] == "plan"
    async with here.gateway(here.config(billing=None)) as rig:
        await here.ask(rig)
        flow = await rig.flow()
        assert (flow["billing"], flow["billed_usd"]) == ("free", 0.0)


async def test_a_session_is_warned_then_stopped(here: Here) -> None:
    """The third call is told that the budget is near, the fourth is refused before the vendor hears of it; another
    session goes on, in whatever dialect.
    """
    budgets = Budgets(session=Budget(warn=2, stop=3))
    async with here.gateway(here.config(budgets)) as rig:
        assert "x-strowger-budget" not in (await here.ask(rig))[1]
        await here.ask(rig)
        status, headers, _ = await here.ask(rig)
        assert (status, headers["x-strowger-budget"]) == (200, "session $2.00 of $3.00")
        status, headers, body = await here.ask(rig)
        error = json.loads(body)["error"]
        assert (status, headers["x-should-retry"], error["type"]) == (429, "false", "rate_limit_error")
        assert error["message"].startswith("spend limit reached: this session has cost $3.00, and the budget is $3.00")
        assert "[budgets.session]" in error["message"]
        assert "retry-after" not in headers
        flow = await rig.flow()
        assert (flow["outcome"], flow["error_kind"], flow["attempts"]) == ("stopped", "quota_exhausted", [])
        async with Admin(rig.url, rig.gateway.access.admin_token) as admin:
            calls = (await admin.status()).calls
        assert (calls.total, calls.failed, calls.stopped) == (4, 0, 1)
        assert here.asked == 3
        here.vendor.forget()
        assert (await here.ask(rig, "s2"))[0] == 200
        chat = chat_request(model=MODEL)
        status, _, body = await rig.post("/v1/chat/completions", chat, x_claude_code_session_id="s1")
        assert (status, json.loads(body)["error"]["code"]) == (429, "insufficient_quota")
    told = [json.loads(line) for line in _log(rig.log) if '"event":"budget"' in line]
    assert [(line["note"], line["of"], line["limit_usd"]) for line in told] == [
        ("is nearly used up", "s1", 2),
        ("is used up", "s1", 3),
    ]


def _log(log: io.StringIO) -> list[str]:
    return log.getvalue().splitlines()


async def test_a_restart_forgets_nothing(here: Here) -> None:
    """A gateway that is started anew knows what the session and the day have cost."""
    async with here.gateway(here.config()) as rig:
        await here.ask(rig, output=2500)
    async with here.gateway(here.config(Budgets(session=Budget(stop=2), day=Budget(stop=3)))) as rig:
        assert (await here.ask(rig))[0] == 429
        here.vendor.forget()
        assert (await here.ask(rig, "s2"))[0] == 200
        status, _, body = await here.ask(rig, "s3")
        assert (status, "today has cost $3.50" in json.loads(body)["error"]["message"]) == (429, True)


async def test_a_call_in_flight_is_finished(here: Here) -> None:
    """Who is over while an answer comes gets the whole of it."""
    async with here.gateway(here.config(Budgets(session=Budget(stop=0.5)))) as rig:
        status, _, body = await here.ask(rig, output=9000)
        assert status == 200
        assert b"message_stop" in body
        assert (await here.ask(rig))[0] == 429


async def test_a_raised_budget_and_new_prices_hold_at_once(here: Here) -> None:
    """Both are read anew with the configuration, while the gateway runs."""
    configs = [here.config(Budgets(session=Budget(stop=1)))]
    async with here.gateway(configs[0], lambda _: Loaded(configs[0], {})) as rig:
        await here.ask(rig)
        assert (await here.ask(rig))[0] == 429
        here.vendor.forget()
        configs[0] = replace(configs[0], budgets=Budgets(session=Budget(stop=5)))
        await anyio.to_thread.run_sync(here.prices.write_text, PRICES.replace("output = 1000", "output = 3000"))
        assert await rig.gateway.settings.reload() == ()
        assert (await here.ask(rig))[0] == 200
        assert (await rig.flow())["billed_usd"] == pytest.approx(3)


async def test_a_profile_has_its_own_budget(here: Here) -> None:
    """A launch that goes by a profile is held to what that says, also after a reload; others are not."""
    everybody, cheap = here.config(), here.config(Budgets(profile=Budget(stop=1)))

    def again(choice: Choice) -> Loaded:
        return Loaded(cheap if choice.profile else everybody, {}, profiles=("cheap",))

    async with here.gateway(everybody, again) as rig:
        launch = rig.gateway.access.open_launch("claude", 1)
        await rig.gateway.settings.switch(launch.id, "cheap")
        bearer = f"Bearer {launch.token}"
        assert (await here.ask(rig, "s1", authorization=bearer))[0] == 200
        assert (await rig.flow())["profile"] == "cheap"
        status, _, body = await here.ask(rig, "s2", authorization=bearer)
        assert (status, "the profile cheap has cost $1.00 today" in json.loads(body)["error"]["message"]) == (429, True)
        await rig.gateway.settings.reload()
        assert (await here.ask(rig, "s2", authorization=bearer))[0] == 429
        here.vendor.forget()
        assert (await here.ask(rig, "s2"))[0] == 200
        await rig.gateway.settings.switch(launch.id, "default")
        assert (await here.ask(rig, "s2", authorization=bearer))[0] == 200
