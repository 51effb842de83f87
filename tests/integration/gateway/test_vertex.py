"""Vertex AI through the gateway: Gemini and Claude in a project, with an access token that a command prints."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import pytest

from strowger.config.references import SecretRef
from strowger.config.schema import ProviderConfig
from tests.fakes.gemini import FakeGemini
from tests.fakes.gemini_flavours import VERTEX
from tests.fakes.script import Call, Reply, Say, Think
from tests.fakes.vertex import PROJECT, TOKEN, FakeVertex, exhausted
from tests.integration.gateway.rig import Rig, anthropic_request, config, gateway

pytestmark = pytest.mark.anyio

CLAUDE = "claude-sonnet-4-5@20250929"
TOOL = {"name": "find", "description": "Finds.", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def printed(tmp_path: Path) -> Path:
    """What the command prints."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


def write(printed: Path, token: str) -> None:
    printed.write_text(token)


def at(preset: str, base_url: str, printed: Path) -> ProviderConfig:
    dialect, publisher = ("gemini", "google") if preset == "vertex" else ("anthropic", "anthropic")
    command = SecretRef("command", args=(sys.executable, "-c", f"print(open({str(printed)!r}).read())"))
    return ProviderConfig(
        preset=preset,
        dialect=dialect,  # type: ignore[arg-type]
        base_url=f"{base_url}/v1/projects/{PROJECT}/locations/us-east5/publishers/{publisher}",
        auth=command,
        auth_header="authorization",
    )


@asynccontextmanager
async def on_claude(printed: Path) -> AsyncIterator[tuple[Rig, FakeVertex]]:
    async with FakeVertex() as fake, gateway(config({"cloud": at("vertex-anthropic", fake.base_url, printed)})) as rig:
        yield rig, fake


@asynccontextmanager
async def on_gemini(printed: Path) -> AsyncIterator[tuple[Rig, FakeGemini]]:
    async with (
        FakeGemini(VERTEX, keys=(TOKEN,)) as fake,
        gateway(config({"cloud": at("vertex", fake.base_url, printed)})) as rig,
    ):
        yield rig, fake


def sdk(rig: Rig) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key="any", base_url=rig.url, max_retries=0)


async def test_claude_for_its_own_client(printed: Path) -> None:
    """Whole, streamed and counted; betas that Vertex does not know stay behind."""
    async with on_claude(printed) as (rig, fake), sdk(rig) as client:
        fake.script(*[Reply(parts=(Think("hm"), Say("grüße"), Call("find", {})))] * 2)
        asked: Any = anthropic_request(model=CLAUDE, tools=[TOOL])
        betas = {"anthropic-beta": "effort-2025-11-24,context-1m-2025-08-07,structured-outputs-2025-12-15"}
        whole = await client.messages.create(**asked, extra_headers=betas)
        async with client.messages.stream(**asked) as stream:
            streamed = await stream.get_final_message()
        for answer in (whole, streamed):
            assert [block.type for block in answer.content] == ["thinking", "text", "tool_use"]
        first, second = fake.inferences()
        assert first.path.endswith(f"/models/{CLAUDE}:rawPredict")
        assert second.path.endswith(":streamRawPredict")
        assert first.header("anthropic-beta") == "context-1m-2025-08-07"
        expected = asked | {"anthropic_version": "2026-10-21"}  # the version that the client asks for
        del expected["model"]
        assert first.body == expected
        counted = await client.messages.count_tokens(model=CLAUDE, messages=asked["messages"])
        assert counted.input_tokens
        assert fake.requests[-1].path.endswith("/models/count-tokens:rawPredict")
        assert fake.requests[-1].body["model"] == CLAUDE


async def test_claude_for_another_client(printed: Path) -> None:
    """A Chat client is translated for, and asks for a stream underneath."""
    async with on_claude(printed) as (rig, fake):
        status, _, body = await rig.post(
            "/v1/chat/completions", {"model": CLAUDE, "messages": [{"role": "user", "content": "hi"}]}
        )
        assert status == 200, body
        assert fake.inferences()[0].path.endswith(":streamRawPredict")


@pytest.mark.parametrize("stream", [False, True])
async def test_errors_of_the_project(printed: Path, stream: bool) -> None:
    """Google's own are told in Anthropic's words, Claude's as they are."""
    async with on_claude(printed) as (rig, fake):
        fake.script(*[exhausted()] * 4)
        asked = anthropic_request(model=CLAUDE, stream=stream)
        status, _, body = await rig.post("/v1/messages", asked, anthropic_version="2023-06-01")
        assert (status, msgspec.json.decode(body)["error"]["type"]) == (429, "rate_limit_error")
        fake.forget()
        wrong = asked | {"messages": []}
        status, _, body = await rig.post("/v1/messages", wrong, anthropic_version="2023-06-01")
        assert status == 400
        assert body == fake.requests[-1].answer


async def test_a_token_that_has_grown_old(printed: Path) -> None:
    """After a 401 the command is asked again, and the request repeated."""
    async with on_claude(printed) as (rig, fake):
        asked = anthropic_request(model=CLAUDE)
        assert (await rig.post("/v1/messages", asked, anthropic_version="2023-06-01"))[0] == 200
        fake.tokens = ("ya29.the-next-one",)
        write(printed, "ya29.the-next-one")
        assert (await rig.post("/v1/messages", asked, anthropic_version="2023-06-01"))[0] == 200
        assert [seen.status for seen in fake.requests] == [200, 401, 200]


async def test_gemini_for_claude_code(printed: Path) -> None:
    """A tool loop of an Anthropic client on Gemini in a project, signatures and all."""
    async with on_gemini(printed) as (rig, fake), sdk(rig) as client:
        asked: Any = anthropic_request(model="gemini-3.5-flash", tools=[TOOL], thinking={"type": "adaptive"})
        fake.script(Reply(parts=(Think("hm"), Call("find", {}))), Reply(parts=(Say("done"),)))
        async with client.messages.stream(**asked) as stream:
            answer = await stream.get_final_message()
        call = next(block for block in answer.content if block.type == "tool_use")
        turns = [
            *asked["messages"],
            {"role": "assistant", "content": answer.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "found"}]},
        ]
        second = await client.messages.create(**asked | {"messages": turns})
        assert second.content[-1].text == "done"
        assert fake.requests[0].path == (
            f"/v1/projects/{PROJECT}/locations/us-east5/publishers/google/models/gemini-3.5-flash:streamGenerateContent"
        )


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent?alt=sse"])
async def test_gemini_for_its_own_client(printed: Path, method: str) -> None:
    """The very bytes."""
    async with on_gemini(printed) as (rig, fake):
        body = b'{"contents": [ {"role":"user","parts":[{"text":"hi"}]} ]}'
        status, _, answer = await rig.post(f"/v1beta/models/gemini-2.5-flash:{method}", body)
        assert status == 200
        assert fake.requests[0].raw == body
        assert answer == fake.requests[0].answer


async def test_models(printed: Path) -> None:
    """Both lists are those of a publisher, under the names that can be asked for."""
    async with on_gemini(printed) as (rig, _), rig.session.get(rig.url + "/v1/models") as response:
        assert "gemini-3.5-flash" in [model["id"] for model in (await response.json())["data"]]
    async with on_claude(printed) as (rig, _), rig.session.get(rig.url + "/v1/models") as response:
        assert "claude-opus-4-8" in [model["id"] for model in (await response.json())["data"]]
