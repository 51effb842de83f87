"""Azure OpenAI through the gateway: both forms of its addresses, keys and Entra's tokens, the content filter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import msgspec
import pytest

from strowger.config.references import literal
from strowger.config.schema import ProviderConfig
from tests.fakes.azure import KEY, FakeAzure, filtered, limited
from tests.fakes.script import Call, Reply, Say
from tests.integration.gateway.rig import Rig, anthropic_request, chat_request, config, gateway

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def on_azure(
    version: str | None = None, header: str = "api-key", key: str = KEY
) -> AsyncIterator[tuple[Rig, FakeAzure]]:
    """A gateway whose only provider is a resource of Azure's."""
    async with FakeAzure(tokens=("entra-token",)) as fake:
        provider = ProviderConfig(
            preset="azure",
            dialect="openai_chat",
            base_url=fake.base_url + "/openai/v1",
            auth=literal(key),
            auth_header=header,
            api_version=version,
        )
        async with gateway(config({"azure": provider})) as rig:
            yield rig, fake


@pytest.mark.parametrize(
    "version, model, path",
    [
        (None, "gpt-5", "/openai/v1/chat/completions"),
        ("2024-10-21", "gpt-5", "/openai/deployments/gpt-5/chat/completions"),
        ("2024-10-21", "my gpt", "/openai/deployments/my gpt/chat/completions"),
    ],
)
async def test_claude_code_on_azure(version: str | None, model: str, path: str) -> None:
    """A tool loop over a stream with the filter's findings in it."""
    async with (
        on_azure(version) as (rig, fake),
        anthropic.AsyncAnthropic(api_key="any", base_url=rig.url, max_retries=0) as client,
    ):
        fake.script(Reply(parts=(Say("looking"), Call("find", {}))), Reply(parts=(Say("done"),)))
        tool = {"name": "find", "description": "Finds.", "input_schema": {"type": "object", "properties": {}}}
        asked: Any = anthropic_request(model=model, tools=[tool])
        async with client.messages.stream(**asked) as stream:
            answer: Any = await stream.get_final_message()
        assert [block.type for block in answer.content] == ["text", "tool_use"]
        result = {"type": "tool_result", "tool_use_id": answer.content[1].id, "content": "x"}
        turns = [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        second: Any = await client.messages.create(**asked | {"messages": [*asked["messages"], *turns]})
        assert second.content[0].text == "done"
        assert {seen.path for seen in fake.inferences()} == {path}
        assert {seen.query for seen in fake.inferences()} == {f"api-version={version}" if version else ""}


async def test_an_entra_token() -> None:
    """Goes as a bearer."""
    async with on_azure(header="authorization", key="entra-token") as (rig, fake):
        assert (await rig.post("/v1/chat/completions", chat_request(model="gpt-5")))[0] == 200
        assert fake.requests[0].header("api-key") is None


@pytest.mark.parametrize("version", [None, "2024-10-21"])
async def test_models(version: str | None) -> None:
    """Are listed at both."""
    async with on_azure(version) as (rig, _), rig.session.get(rig.url + "/v1/models") as response:
        assert "gpt-4o" in [model["id"] for model in (await response.json())["data"]]


async def test_a_prompt_that_is_kept_out() -> None:
    """Is the client's to mend: a 400 with the filter's words, whole to a client of the same dialect."""
    async with on_azure() as (rig, fake):
        fake.script(filtered(), filtered())
        status, _, body = await rig.post(
            "/v1/messages", anthropic_request(model="gpt-5"), anthropic_version="2023-06-01"
        )
        assert (status, msgspec.json.decode(body)["error"]["type"]) == (400, "invalid_request_error")
        assert b"content management policy" in body
        _, _, body = await rig.post("/v1/chat/completions", chat_request(model="gpt-5"))
        assert msgspec.json.decode(body)["error"]["innererror"]["code"] == "ResponsibleAIPolicyViolation"


async def test_an_answer_that_is_cut_off() -> None:
    """By the filter, is a refusal."""
    async with on_azure() as (rig, fake):
        fake.script(Reply(parts=(Say("I"),), stop="refusal"))
        _, _, body = await rig.post("/v1/messages", anthropic_request(model="gpt-5"), anthropic_version="2023-06-01")
        assert msgspec.json.decode(body)["stop_reason"] == "refusal"


async def test_what_is_not_deployed() -> None:
    """Is an unknown model, in the client's words."""
    async with on_azure() as (rig, _):
        status, _, body = await rig.post(
            "/v1/messages", anthropic_request(model="gpt-9"), anthropic_version="2023-06-01"
        )
        assert status == 400
        assert b"deployment for this resource does not exist" in body
        assert (await rig.flow())["error_kind"] == "unknown_model"


async def test_a_limit() -> None:
    """Says when to come back."""
    async with on_azure() as (rig, fake):
        fake.script(*[limited(70)] * 4)
        status, headers, _ = await rig.post(
            "/v1/messages", anthropic_request(model="gpt-5"), anthropic_version="2023-06-01"
        )
        assert (status, headers["retry-after"]) == (429, "70")
