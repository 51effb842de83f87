"""OpenRouter through the gateway: its reasoning details kept whole, the user's options, our honest name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import msgspec
import pytest

from strowger.config.references import literal
from strowger.config.schema import ProviderConfig
from tests.fakes.chat import KEY, FakeChat
from tests.fakes.flavours import OPENROUTER
from tests.fakes.script import Call, Reply, Say, Think
from tests.integration.gateway.rig import Rig, chat_request, config, gateway

pytestmark = pytest.mark.anyio

MODEL = "anthropic/claude-sonnet-5-5"
TOOL = {"name": "find", "description": "Finds.", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def on_openrouter(**more: Any) -> AsyncIterator[tuple[Rig, FakeChat]]:
    """A gateway whose only provider is OpenRouter's Chat endpoint."""
    async with FakeChat(OPENROUTER) as fake:
        provider = ProviderConfig(
            preset="openrouter", dialect="openai_chat", base_url=fake.base_url + "/v1", auth=literal(KEY), **more
        )
        async with gateway(config({"openrouter": provider})) as rig:
            yield rig, fake


async def test_reasoning_details_come_back_whole() -> None:
    """Through an Anthropic client's thinking block, streamed, and back beside the call that they belong to."""
    async with on_openrouter() as (rig, fake), anthropic.AsyncAnthropic(api_key="any", base_url=rig.url) as client:
        fake.script(Reply(parts=(Think("Look there: 思考."), Call("find", {}))), Reply(parts=(Say("done"),)))
        asked: dict[str, Any] = {"model": MODEL, "max_tokens": 4000, "tools": [TOOL], "thinking": {"type": "adaptive"}}
        first: Any = {"role": "user", "content": "go"}
        async with client.messages.stream(messages=[first], **asked) as stream:
            answer = await stream.get_final_message()
        assert [block.type for block in answer.content] == ["thinking", "tool_use"]
        result = {"type": "tool_result", "tool_use_id": answer.content[1].id, "content": "found"}  # type: ignore[union-attr]
        turns: list[Any] = [
            first,
            {"role": "assistant", "content": answer.content},
            {"role": "user", "content": [result]},
        ]
        await client.messages.create(messages=turns, **asked)
        streamed = [
            detail
            for line in fake.inferences()[0].answer.split(b"\n\n")
            if line.startswith(b"data: {")
            for choice in msgspec.json.decode(line[6:])["choices"]
            for detail in choice["delta"].get("reasoning_details", ())
        ]
        signature = streamed[-1]["signature"]
        assistant = fake.inferences()[1].body["messages"][1]
        assert assistant["reasoning_details"] == [
            {
                "type": "reasoning.text",
                "text": "Look there: 思考.",
                "signature": signature,
                "format": "unknown",
                "index": 0,
            }
        ]


async def test_a_chat_client_has_its_own_details_back() -> None:
    """Same dialect: the very bytes, both ways."""
    async with on_openrouter() as (rig, fake):
        fake.script(Reply(parts=(Think("hm"), Call("find", {}))), Reply(parts=(Say("done"),)))
        tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]
        asked = chat_request(model=MODEL, tools=tools)
        _, _, body = await rig.post("/v1/chat/completions", asked)
        message = msgspec.json.decode(body)["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "x"}
        await rig.post("/v1/chat/completions", asked | {"messages": [*asked["messages"], message, result]})
        assert body == fake.inferences()[0].answer
        assert fake.inferences()[1].body["messages"][1] == message


async def test_options_and_name() -> None:
    """What the configuration says of every request is in it, unless the client has said otherwise; the name that
    OpenRouter shows is ours, or the client's where it has one.
    """
    preferences = {"provider": {"sort": "price", "zdr": True}, "transforms": ["middle-out"]}
    async with on_openrouter(options=preferences) as (rig, fake):
        await rig.post("/v1/chat/completions", chat_request(model=MODEL, transforms=[]), x_title="Mine")
        await rig.post("/v1/messages", {"model": MODEL, "max_tokens": 9, "messages": chat_request()["messages"]})
        verbatim, translated = fake.inferences()
        assert verbatim.body["provider"] == translated.body["provider"] == preferences["provider"]
        assert (verbatim.body["transforms"], translated.body["transforms"]) == ([], ["middle-out"])
        assert (verbatim.header("x-title"), translated.header("x-title")) == ("Mine", "Strowger")
