"""A model without room: the same again for as long as the budget allows, then the next of `capacity_fallback`."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from strowger.config.references import parse_reference
from strowger.config.schema import Match, ProviderConfig, RouteConfig
from tests.fakes.chat import FakeChat
from tests.fakes.gemini import KEY, FakeGemini
from tests.fakes.gemini_errors import capacity_exhausted, overloaded, quota_exhausted, rate_limited, refuse
from tests.fakes.script import Delivery, Refuse, Step, say
from tests.fakes.server import Seen
from tests.integration.gateway.faults import QUICK
from tests.integration.gateway.rig import Rig, config, gateway

pytestmark = pytest.mark.anyio

PRO, FLASH, LITE = "gemini-3.1-pro-preview", "gemini-3-flash-preview", "gemini-2.5-flash"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Crowded(FakeGemini):
    """Gemini's API, where each model has its own trouble."""

    def __init__(self) -> None:
        super().__init__(any_model=True)
        self.steps: dict[str, deque[Step]] = {}
        self.full: dict[str, Step] = {}
        self._model = ""

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        self._model = asked_model(seen)
        return await super().answer(request, seen)

    def next_step(self, body: dict[str, Any], otherwise: Any) -> Step:
        steps = self.steps.get(self._model)
        step = steps.popleft() if steps else self.full.get(self._model)
        return step or say(f"from {self._model}", deltas=1)

    def asked(self) -> list[str]:
        """The models that were asked, in their order."""
        return [asked_model(seen) for seen in self.inferences()]


def asked_model(seen: Seen) -> str:
    """The model in a URL."""
    return seen.path.rpartition("/")[2].partition(":")[0]


@asynccontextmanager
async def crowded(*fallback: str) -> AsyncIterator[tuple[Rig, Crowded]]:
    """A gateway in front of it, and of another provider behind that."""
    async with Crowded() as fake, FakeChat() as spare:
        spare.script(*[say("from spare", deltas=1)] * 9)
        providers = {
            "google": ProviderConfig(
                dialect="gemini",
                base_url=fake.base_url,
                auth=parse_reference(KEY),
                capacity_fallback=fallback,
            ),
            "spare": ProviderConfig(
                dialect="openai_chat", base_url=spare.base_url, auth=parse_reference("fake-chat-key")
            ),
        }
        routes = [RouteConfig(match=Match(model="*"), to=f"google:{PRO}", fallback=("spare:gpt",))]
        async with gateway(config(providers, routes, retries=QUICK)) as rig:
            yield rig, fake


async def ask(rig: Rig, **more: Any) -> tuple[int, dict[str, str], bytes]:
    """A call of an Anthropic client, which knows nothing of Gemini."""
    body = {"model": "claude-x", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    return await rig.post("/v1/messages", body | more)


FULL = [
    ("no capacity", capacity_exhausted(), 2),
    ("overloaded", overloaded(), 2),
    ("a minute's limit", rate_limited(60), 1),
    ("a day's quota of the model", quota_exhausted(), 1),
    ("at the first event", say("x", delivery=Delivery(cut="error", error=("UNAVAILABLE", "overloaded"))), 2),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name, step, tries", FULL, ids=[name for name, _, _ in FULL])
async def test_the_next_model_fills_in(name: str, step: Step, tries: int, stream: bool) -> None:
    """After its turns of trying; the client reads its own model's name, the flow and the headers say who answered."""
    async with crowded(FLASH, LITE) as (rig, fake):
        fake.full[PRO] = step
        code, headers, answer = await ask(rig, stream=stream)
        flow = await rig.flow()
    assert code == 200
    assert f"from {FLASH}".encode() in answer
    assert b'"model":"claude-x"' in answer
    assert fake.asked() == [PRO] * tries + [FLASH]
    assert headers["x-strowger-route"] == f"google:{FLASH}"
    assert headers["x-strowger-attempts"].endswith(f"; google:{FLASH} ok")
    assert flow["upstream_model"] == FLASH


async def test_a_moment_without_room_is_waited_out() -> None:
    """Another model is no match for the one that was asked for, so that one is asked again first."""
    async with crowded(FLASH) as (rig, fake):
        fake.steps[PRO] = deque([rate_limited(0.02)])
        _, headers, answer = await ask(rig, stream=True)
    assert fake.asked() == [PRO, PRO]
    assert f"from {PRO}".encode() in answer
    assert headers["x-strowger-route"] == f"google:{PRO}"


async def test_who_rests_is_not_asked_again() -> None:
    """While the limit that the vendor named lasts, the next model answers at once."""
    async with crowded(FLASH) as (rig, fake):
        fake.full[PRO] = rate_limited(60)
        for _ in range(3):
            assert (await ask(rig, stream=True))[0] == 200
        header = (await ask(rig, stream=True))[1]["x-strowger-attempts"]
    assert fake.asked() == [PRO, FLASH, FLASH, FLASH, FLASH]
    assert header == f"1; google:{PRO} resting_rate_limited; google:{FLASH} ok"


async def test_one_after_another_then_the_next_target() -> None:
    """The chain in its order; when none of it has room, the route goes on."""
    async with crowded(FLASH, LITE) as (rig, fake):
        fake.full = dict.fromkeys((PRO, FLASH), overloaded())
        assert f"from {LITE}".encode() in (await ask(rig, stream=True))[2]
        fake.full[LITE] = capacity_exhausted(model=LITE)
        _, headers, answer = await ask(rig, stream=True)
    assert fake.asked() == [PRO, PRO, FLASH, FLASH, LITE, PRO, PRO, FLASH, FLASH, LITE, LITE]
    assert b"from spare" in answer
    assert headers["x-strowger-route"] == "spare:gpt"


@pytest.mark.parametrize(
    "step, route",
    [
        (refuse("INVALID_ARGUMENT", "bad"), None),
        (refuse("PERMISSION_DENIED", "not allowed"), "spare:gpt"),
        (refuse("NOT_FOUND", "models/x is not found"), "spare:gpt"),
        (refuse("INTERNAL", "oops"), "spare:gpt"),
    ],
)
async def test_only_want_of_room_is_a_reason(step: Refuse, route: str | None) -> None:
    """Another model does not mend a bad request, a refused key or a broken host."""
    async with crowded(FLASH) as (rig, fake):
        fake.full[PRO] = step
        code, headers, _ = await ask(rig)
    assert FLASH not in fake.asked()
    assert (code == 200, headers.get("x-strowger-route")) == (route is not None, route)


async def test_without_a_chain_nothing_fills_in() -> None:
    """Nobody gets a model that they have not asked for, unless the configuration says so."""
    async with crowded() as (rig, fake):
        fake.full[PRO] = capacity_exhausted()
        _, headers, _ = await ask(rig)
    assert fake.asked() == [PRO, PRO]
    assert headers["x-strowger-route"] == "spare:gpt"


async def test_a_client_of_the_same_dialect() -> None:
    """The body goes as it is, to the URL of the other model; the answer comes back as it is."""
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    async with crowded(FLASH) as (rig, fake):
        fake.full[PRO] = capacity_exhausted()
        code, headers, answer = await rig.post(f"/v1beta/models/{PRO}:generateContent", body)
    assert (code, headers["x-strowger-lane"]) == (200, "verbatim")
    assert fake.asked() == [PRO, PRO, FLASH]
    assert f"from {FLASH}" in msgspec.json.decode(answer)["candidates"][0]["content"]["parts"][0]["text"]
