"""What every provider owes to a client, asked of strict stand-ins, and by hand of the real ones.

    STROWGER_CONTRACT="anthropic openai" .venv/bin/python -m pytest tests/contract

asks these presets at their own hosts, with the keys and logins of whoever runs it (each costs a few cents); without the
variable nothing leaves the machine. The client is the official Anthropic SDK, so every dialect but one is translated.
STROWGER_CONTRACT_MODELS="openai=gpt-5.5 google=gemini-3-pro" chooses other models than those below.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from msgspec import Struct

from strowger.config.references import parse_reference
from strowger.config.schema import Match, ProviderConfig, RouteConfig
from strowger.providers.presets import PRESETS
from tests.fakes import anthropic as fake_anthropic
from tests.fakes import chat as fake_chat
from tests.fakes import gemini as fake_gemini
from tests.fakes import kimi as fake_kimi
from tests.fakes import responses as fake_responses
from tests.fakes.brain import RESULT
from tests.fakes.flavours import DEEPSEEK, OPENAI
from tests.fakes.server import FakeServer
from tests.integration.gateway.rig import Rig, config, gateway

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

REAL = frozenset(os.environ.get("STROWGER_CONTRACT", "").split())
OTHER_MODELS = dict(pair.split("=", 1) for pair in os.environ.get("STROWGER_CONTRACT_MODELS", "").split())

BASH: dict[str, Any] = {
    "name": "bash",
    "description": "Runs a shell command and gives its output.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
# The stand-ins act on the word in capitals, models on the sentence.
ASK = "RUN_TOOL: call the tool `bash` with the command `echo strowger-e2e-$((40+2))`, then repeat what it says."


class Case(Struct, frozen=True):
    """A preset, a model of it, the stand-in for its host, where that host begins below the stand-in, and its key."""

    preset: str
    model: str
    fake: Callable[[], FakeServer]
    path: str
    key: str


CASES = (
    Case("anthropic", "claude-sonnet-5", fake_anthropic.FakeAnthropic, "", fake_anthropic.KEY),
    Case("openai-responses", "gpt-5.5", fake_responses.FakeResponses, "/v1", fake_responses.KEY),
    Case("openai", "gpt-5.5", lambda: fake_chat.FakeChat(OPENAI), "/v1", fake_chat.KEY),
    Case("deepseek", "deepseek-v4-pro", lambda: fake_chat.FakeChat(DEEPSEEK), "", fake_chat.KEY),
    Case("google", "gemini-3-flash-preview", fake_gemini.FakeGemini, "", fake_gemini.KEY),
    Case("perplexity", "perplexity/sonar", fake_responses.FakeResponses, "/v1", fake_responses.KEY),
    Case("kimi", "kimi-for-coding", fake_kimi.FakeKimi, "/coding/v1", fake_kimi.KEY),
)


class Asked(Struct):
    """A provider behind a gateway, and a client in front of it."""

    case: Case
    rig: Rig
    client: AsyncAnthropic
    model: str


def only_real(name: str) -> Case:
    """A preset that has no stand-in here, and is asked for all the same."""
    return Case(name, OTHER_MODELS.get(name, ""), FakeServer, "", "")


@pytest.fixture(
    params=[*CASES, *(only_real(name) for name in sorted(REAL - {case.preset for case in CASES}))],
    ids=lambda c: c.preset,
)
async def asked(request: pytest.FixtureRequest) -> AsyncIterator[Asked]:
    """Each provider in turn, real where it was asked for and as a stand-in otherwise."""
    case: Case = request.param
    model = OTHER_MODELS.get(case.preset, case.model)
    if case.preset in REAL:
        preset = PRESETS[case.preset]
        reference = preset.auth or f"env:{next((n for n in preset.key_env if os.environ.get(n)), preset.key_env[0])}"
        own = ProviderConfig(
            preset=case.preset,
            dialect=preset.dialect,
            base_url=preset.base_url,
            auth=parse_reference(reference),
            auth_header=preset.auth_header,
            models=preset.models,
        )
        async with opened(own, dict(os.environ)) as rig, client_of(rig) as client:
            yield Asked(case, rig, client, model)
        return
    if REAL:
        pytest.skip("real providers were asked for, and this is none of them")
    fake = case.fake()
    with fake.in_thread():
        preset = PRESETS[case.preset]
        own = ProviderConfig(
            preset=case.preset,
            dialect=preset.dialect,
            base_url=fake.base_url + case.path,
            auth=parse_reference("env:CONTRACT_KEY"),
            auth_header=preset.auth_header,
            models=preset.models,
        )
        async with opened(own, {"CONTRACT_KEY": case.key}) as rig, client_of(rig) as client:
            yield Asked(case, rig, client, model)


def opened(own: ProviderConfig, env: dict[str, str]) -> Any:
    """A gateway with this provider alone."""
    route = RouteConfig(match=Match(model="*"), to="it")
    return gateway(config({"it": own}, (route,)), env=env)


def client_of(rig: Rig) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=rig.url, api_key="none", max_retries=0)


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def test_it_answers(asked: Asked) -> None:
    """A question gets a text, a reason to stop, and counted tokens."""
    said = [{"role": "user", "content": "Say hello in one word."}]
    message = await asked.client.messages.create(model=asked.model, max_tokens=2000, messages=said)  # type: ignore[arg-type]
    assert text_of(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0


async def test_it_streams(asked: Asked) -> None:
    """The same as a stream comes in pieces that add up to the whole, and the flow says that all went well."""
    said: Any = [{"role": "user", "content": "Count from one to ten, in words."}]
    async with asked.client.messages.stream(model=asked.model, max_tokens=2000, messages=said) as stream:
        pieces = [piece async for piece in stream.text_stream]
        whole = await stream.get_final_message()
    assert len(pieces) > 1
    assert "".join(pieces) == text_of(whole)
    flow = await asked.rig.flow()
    assert (flow["outcome"], flow["status"]) == ("ok", 200)


async def test_it_calls_a_tool_and_goes_on(asked: Asked) -> None:
    """A tool loop: the call has arguments that fit, its result is taken, and the answer uses it."""
    messages: list[Any] = [{"role": "user", "content": ASK}]
    first = await asked.client.messages.create(model=asked.model, max_tokens=4000, messages=messages, tools=[BASH])  # type: ignore[list-item]
    calls = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert [call.name for call in calls] == ["bash"]
    assert "strowger-e2e" in str(calls[0].input)
    messages.append({"role": "assistant", "content": [block.to_dict() for block in first.content]})
    result = {"type": "tool_result", "tool_use_id": calls[0].id, "content": RESULT}
    messages.append({"role": "user", "content": [result]})
    second = await asked.client.messages.create(model=asked.model, max_tokens=4000, messages=messages, tools=[BASH])  # type: ignore[list-item]
    assert RESULT in text_of(second)


async def test_it_lists_its_models(asked: Asked) -> None:
    """Its own list is read without trouble, and what is on it can be asked for."""
    listed = [model.id async for model in asked.client.models.list(limit=1000)]
    assert listed
    assert asked.rig.gateway.models.problems(asked.rig.gateway.line.routes) == {}


async def test_a_wrong_key_is_no_logout(asked: Asked) -> None:
    """A key that the host refuses is our own 403, not a 401 at which clients log their user out."""
    preset = PRESETS[asked.case.preset]
    (provider,) = asked.rig.gateway.line.routes.providers.values()
    wrong = ProviderConfig(
        preset=asked.case.preset,
        dialect=preset.dialect,
        base_url=provider.base_url,
        auth=parse_reference("env:WRONG"),
        auth_header=preset.auth_header,
    )
    async with opened(wrong, {"WRONG": "sk-this-is-no-key-of-anybody"}) as rig, client_of(rig) as client:
        with pytest.raises(anthropic.PermissionDeniedError, match="refused the configured credential"):
            await client.messages.create(model=asked.model, max_tokens=20, messages=[{"role": "user", "content": "hi"}])
