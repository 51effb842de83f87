"""Anthropic's own clients for Bedrock and Vertex, pointed at the gateway, in front of any provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anthropic
import msgspec
import pytest
import yarl

from strowger.config.references import literal
from strowger.config.schema import ProviderConfig
from tests.fakes import anthropic as messages
from tests.fakes import chat
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.chat import FakeChat
from tests.fakes.flavours import DEEPSEEK
from tests.fakes.script import Call, Delivery, Reply, Say, Think
from tests.fakes.server import FakeServer
from tests.integration.gateway.rig import Rig, config, gateway

pytestmark = pytest.mark.anyio

BEDROCK_MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
VERTEX_MODEL = "claude-sonnet-4-5@20250929"
SPOKEN = Reply(parts=(Think("hm"), Say("grüße, 電話"), Call("f", {"a": 1})))
ASKED: dict[str, Any] = {"max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def on(fake: FakeServer, dialect: str, key: str) -> AsyncIterator[Rig]:
    """A gateway in front of a fake, with a token of its own."""
    async with fake:
        provider = ProviderConfig(dialect=dialect, base_url=fake.base_url, auth=literal(key))  # type: ignore[arg-type]
        settings = config({"up": provider}, client_token=literal("ours"))
        async with gateway(settings, anthropic_hosts=("127.0.0.1",)) as rig:
            yield rig


def bedrock(rig: Rig) -> anthropic.AsyncAnthropicBedrock:
    return anthropic.AsyncAnthropicBedrock(api_key="ours", aws_region="us-east-1", base_url=rig.url, max_retries=0)


def vertex(rig: Rig) -> anthropic.AsyncAnthropicVertex:
    return anthropic.AsyncAnthropicVertex(
        region="us-east5", project_id="p", access_token="ours", base_url=rig.url + "/v1", max_retries=0
    )


@pytest.mark.parametrize("cloud, model", [(bedrock, BEDROCK_MODEL), (vertex, VERTEX_MODEL)])
@pytest.mark.parametrize(
    "fake, dialect, key, lane",
    [
        (lambda: FakeAnthropic(any_model=True), "anthropic", messages.KEY, "verbatim"),
        (lambda: FakeChat(DEEPSEEK), "openai_chat", chat.KEY, "translate"),
    ],
)
async def test_any_provider(cloud: Any, model: str, fake: Any, dialect: str, key: str, lane: str) -> None:
    """Whole and streamed, on both lanes."""
    server = fake()
    async with on(server, dialect, key) as rig, cloud(rig) as client:
        server.script(SPOKEN, SPOKEN)
        whole = await client.messages.create(**ASKED, model=model)
        async with client.messages.stream(**ASKED, model=model) as stream:
            streamed = await stream.get_final_message()
        for answer in (whole, streamed):
            assert [block.type for block in answer.content] == ["thinking", "text", "tool_use"]
            assert answer.content[1].text == "grüße, 電話"
        assert server.inferences()[0].body["model"] == model
        assert "anthropic_version" not in server.inferences()[0].body
        assert (await rig.flow())["attempts"][0]["lane"] == lane


@pytest.mark.parametrize("cloud, model", [(bedrock, BEDROCK_MODEL), (vertex, VERTEX_MODEL)])
async def test_errors(cloud: Any, model: str) -> None:
    """Before a stream and inside it, of the upstream and our own, as those clients know them."""
    server = FakeAnthropic(any_model=True)
    async with on(server, "anthropic", messages.KEY) as rig, cloud(rig) as client:
        with pytest.raises(anthropic.BadRequestError, match="messages"):
            await client.messages.create(**ASKED | {"messages": []}, model=model)
        server.script(Reply(parts=(Say("x"),), delivery=Delivery(cut="error", cut_after=3)))
        with pytest.raises(anthropic.APIError, match="Overloaded"):
            async with client.messages.stream(**ASKED, model=model) as stream:
                await stream.get_final_message()


async def test_counting() -> None:
    """Vertex's clients can count."""
    server = FakeAnthropic(any_model=True)
    async with on(server, "anthropic", messages.KEY) as rig, vertex(rig) as client:
        counted = await client.messages.count_tokens(model=VERTEX_MODEL, messages=ASKED["messages"])
        assert counted.input_tokens


async def test_betas_and_signatures() -> None:
    """Betas of a body are a header again; what the client signed with stays here."""
    server = FakeAnthropic(any_model=True)
    async with on(server, "anthropic", messages.KEY) as rig, aiohttp.ClientSession() as session:
        url = yarl.URL(f"{rig.url}/model/arn%3Aaws%3Abedrock%3Ar%3A1%3Ainference-profile%2Fx/invoke", encoded=True)
        body = {**ASKED, "anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["context-1m-2025-08-07"]}
        headers = {
            "authorization": "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=planted",
            "x-amz-security-token": "planted",
            "x-strowger-token": "ours",
        }
        async with session.post(url, data=msgspec.json.encode(body), headers=headers) as response:
            assert response.status == 200, await response.text()
        seen = server.inferences()[0]
        assert seen.body["model"] == "arn:aws:bedrock:r:1:inference-profile/x"
        assert seen.header("anthropic-beta") == "context-1m-2025-08-07"
        assert seen.header("anthropic-version") == "2023-06-01"
        assert "planted" not in str(seen.headers)


async def test_nobody_else() -> None:
    """Without our token there is nothing, in the words of the cloud."""
    async with on(FakeAnthropic(), "anthropic", messages.KEY) as rig, aiohttp.ClientSession() as session:
        async with session.post(f"{rig.url}/model/m/invoke", json=ASKED) as response:
            assert response.status == 403
            assert response.headers["x-amzn-errortype"] == "AccessDeniedException"
            assert "message" in await response.json()
