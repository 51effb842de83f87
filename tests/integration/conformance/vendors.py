"""A running gateway in front of each of the four strict fakes, for tests that ask the same of every dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import openai
from msgspec import Struct

from strowger.config.references import literal
from strowger.config.schema import ProviderConfig
from tests.fakes import anthropic, chat, gemini, responses
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.chat import FakeChat
from tests.fakes.gemini import FakeGemini
from tests.fakes.responses import FakeResponses
from tests.fakes.server import FakeServer
from tests.integration.gateway.rig import Rig, config, gateway

# One that thinks, and one that takes temperatures, for each vendor.
THINKS = {
    "anthropic": "claude-opus-5-5",
    "openai_chat": "gpt-5.5",
    "openai_responses": "gpt-5.5",
    "gemini": "gemini-2.5-flash",
}
PLAIN = {
    "anthropic": "claude-sonnet-4-5",
    "openai_chat": "gpt-4.1",
    "openai_responses": "gpt-4.1",
    "gemini": "gemini-2.0-flash",
}
DIALECTS = tuple(THINKS)


class Vendor(Struct):
    """A gateway whose only provider is `fake`. `model` is one of that vendor's."""

    dialect: str
    rig: Rig
    fake: FakeServer
    model: str

    def sdk(self, **options: Any) -> openai.AsyncOpenAI:
        """OpenAI's client, pointed at the gateway; it validates what it receives."""
        options = {"max_retries": 0, "timeout": 10, **options}
        return openai.AsyncOpenAI(base_url=f"{self.rig.url}/v1", api_key="any", **options)

    def sent(self) -> Any:
        """The body of the last request that the vendor was asked to answer."""
        return self.fake.inferences()[-1].body


@asynccontextmanager
async def behind(dialect: str, model: str = "", **capabilities: Any) -> AsyncIterator[Vendor]:
    """A gateway for one vendor, of which it knows what the preset says. Without a `model` it is the one that thinks."""
    async with _FAKES[dialect][0]() as running:
        providers = {"vendor": _provider(dialect, running, **capabilities)}
        async with gateway(config(providers), anthropic_hosts=("127.0.0.1",)) as rig:
            yield Vendor(dialect, rig, running, model or THINKS[dialect])


@asynccontextmanager
async def behind_all() -> AsyncIterator[tuple[Rig, dict[str, FakeServer]]]:
    """One gateway for all four vendors; a model is asked for as `dialect:model`, underscores left out."""
    async with AsyncExitStack() as stack:
        fakes = {dialect: await stack.enter_async_context(fake()) for dialect, (fake, _, _) in _FAKES.items()}
        providers = {provider_of(dialect): _provider(dialect, fakes[dialect]) for dialect in fakes}
        rig = await stack.enter_async_context(gateway(config(providers), anthropic_hosts=("127.0.0.1",)))
        yield rig, fakes


def provider_of(dialect: str) -> str:
    """The name of the provider that speaks it."""
    return dialect.replace("_", "")


def _provider(dialect: str, fake: FakeServer, **capabilities: Any) -> ProviderConfig:
    return ProviderConfig(
        preset=_PRESETS[dialect],
        dialect=dialect,  # type: ignore[arg-type]
        base_url=fake.base_url + _FAKES[dialect][1],
        auth=literal(_FAKES[dialect][2]),
        capabilities=capabilities,
    )


_FAKES: dict[str, tuple[type[FakeServer], str, str]] = {
    "anthropic": (FakeAnthropic, "", anthropic.KEY),
    "openai_chat": (FakeChat, "/v1", chat.KEY),
    "openai_responses": (FakeResponses, "/v1", responses.KEY),
    "gemini": (FakeGemini, "", gemini.KEY),
}
_PRESETS = {
    "anthropic": "anthropic",
    "openai_chat": "openai",
    "openai_responses": "openai-responses",
    "gemini": "google",
}
