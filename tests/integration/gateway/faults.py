"""Upstreams that fail as a test says, for each key on its own, and gateways in front of one, two or four ways to go."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from strowger.config.references import parse_reference
from strowger.config.schema import Config, Match, ProviderConfig, Retries, RouteConfig
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.chat import FakeChat
from tests.fakes.script import Delivery, Refuse, Reply, Step, say
from tests.fakes.server import Seen
from tests.integration.gateway.rig import Rig, config, gateway

WORK, HOME, SPARE = "planted-work-9d1f", "planted-home-77ab", "planted-spare-c0de"
QUOTED = b"QUOTED"
"""Stands in an error for the key that was sent, as some servers say it."""
MODEL = "claude-sonnet-4-5"
QUICK = Retries(
    first_delay_seconds=0.002, longest_delay_seconds=0.05, budget_seconds=0.5, cooldown_seconds=60, breaker_failures=0
)
_key: ContextVar[str] = ContextVar("key", default="")


class Troubled(FakeAnthropic):
    """Anthropic's API for two keys. Each key has its own trouble: some steps first, then one that lasts, if any."""

    def __init__(self) -> None:
        super().__init__(keys=(WORK, HOME), any_model=True)
        self.steps: dict[str, deque[Step]] = {WORK: deque(), HOME: deque()}
        self.lasting: dict[str, Step] = {}

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        _key.set(seen.header("x-api-key") or "")
        return await super().answer(request, seen)

    def next_step(self, body: dict[str, Any], otherwise: Any) -> Step:
        key = _key.get()
        step = self.steps[key].popleft() if self.steps[key] else self.lasting.get(key)
        if isinstance(step, Refuse):
            return replace(step, body=step.body.replace(QUOTED, key.encode()))
        return step or say(f"from {'work' if key == WORK else 'home'}", deltas=1)

    def asked(self, key: str) -> int:
        """How many calls came with a key."""
        return sum(seen.header("x-api-key") == key for seen in self.inferences())


class Ways:
    """A gateway and what is behind it: `main` with one or two accounts, and `spare`, another dialect's, if wanted."""

    def __init__(self, rig: Rig, main: Troubled, spare: FakeChat) -> None:
        self.rig = rig
        self.main = main
        self.spare = spare

    async def ask(self, *, stream: bool = True, session: str = "", **more: Any) -> tuple[int, dict[str, str], bytes]:
        """One call of an Anthropic client."""
        body = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        headers = {"x-claude-code-session-id": session} if session else {}
        return await self.rig.post("/v1/messages", body | more, **headers)


def settings(url: str, spare: str, *, accounts: int, targets: int, retries: Retries = QUICK, **more: Any) -> Config:
    """A configuration with so many accounts and targets; keywords go to the provider or, as in `config`, elsewhere."""
    provider = {name: more.pop(name) for name in ("spread", "capacity_fallback") if name in more}
    keys = {"work": WORK, "home": HOME} if accounts == 2 else {"work": WORK}
    providers = {
        "main": ProviderConfig(
            dialect="anthropic",
            base_url=url,
            accounts={name: parse_reference(key) for name, key in keys.items()},
            **provider,
        ),
        "spare": ProviderConfig(dialect="openai_chat", base_url=spare, auth=parse_reference(SPARE)),
    }
    fallback = ("spare:gpt",) if targets == 2 else ()
    routes = [RouteConfig(match=Match(model="*"), to="main", fallback=fallback)]
    return config(providers, routes, retries=retries, **more)


@asynccontextmanager
async def ways(*, accounts: int = 1, targets: int = 1, **more: Any) -> AsyncIterator[Ways]:
    """A gateway in front of fakes that are well, so far."""
    async with Troubled() as main, FakeChat(keys=(SPARE,)) as spare:
        spare.script(*[say("from spare", deltas=1)] * 200)
        async with gateway(settings(main.base_url, spare.base_url, accounts=accounts, targets=targets, **more)) as rig:
            yield Ways(rig, main, spare)


def broken(cut: Any, after: int, **delivery: Any) -> Reply:
    """An answer whose stream breaks after so many events."""
    return say("one two three four", delivery=Delivery(cut=cut, cut_after=after, **delivery))
