"""Gemini's API through the gateway: the model in the URL, streams in both framings, Code Assist, counting, models."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google import genai
from google.genai import types

from strowger.config.references import literal
from strowger.config.schema import ProviderConfig
from tests.fakes.anthropic import KEY as ANTHROPIC_KEY
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.gemini import KEY as GEMINI_KEY
from tests.fakes.gemini import FakeGemini
from tests.integration.gateway.raw import END, STREAM, chunk, raw_upstream, saying
from tests.integration.gateway.rig import Rig, config, gateway, sse

# aiohttp discourages what the SDK does with its sessions, in words meant for the SDK's authors.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")]

CLAUDE = "claude-opus-5-5"
FLASH = "gemini-2.5-flash"
ASKED = {"contents": [{"role": "user", "parts": [{"text": "say hi"}]}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def at(dialect: str, url: str, key: str, **capabilities: Any) -> ProviderConfig:
    """A provider that a fake stands for."""
    return ProviderConfig(dialect=dialect, base_url=url, auth=literal(key), capabilities=capabilities)  # type: ignore[arg-type]


@asynccontextmanager
async def on_anthropic() -> AsyncIterator[tuple[Rig, FakeAnthropic]]:
    """A gateway whose only provider speaks Messages."""
    async with FakeAnthropic() as fake:
        provider = at("anthropic", fake.base_url, ANTHROPIC_KEY, origin="anthropic", count_tokens=True)
        async with gateway(config({"cloud": provider}), anthropic_hosts=("127.0.0.1",)) as rig:
            yield rig, fake


@asynccontextmanager
async def on_gemini(**capabilities: Any) -> AsyncIterator[tuple[Rig, FakeGemini]]:
    """A gateway whose only provider speaks Gemini."""
    async with FakeGemini() as fake:
        provider = at("gemini", fake.base_url, GEMINI_KEY, count_tokens=True, **capabilities)
        async with gateway(config({"gem": provider})) as rig:
            yield rig, fake


def sdk(rig: Rig) -> genai.Client:
    """Google's client, pointed at the gateway."""
    return genai.Client(api_key="any", http_options=types.HttpOptions(base_url=rig.url))


def text_of(chunks: list[dict[str, Any]]) -> str:
    """The text in chunks of a stream, thoughts left out."""
    parts = [
        part
        for chunk in chunks
        for candidate in chunk.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
    ]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


async def test_the_sdk_on_another_dialect() -> None:
    """Whole and streamed, with the model that the URL names."""
    async with on_anthropic() as (rig, fake), sdk(rig).aio as client:
        whole = await client.models.generate_content(model=CLAUDE, contents="say hi")
        assert whole.text
        stream = await client.models.generate_content_stream(model=CLAUDE, contents="say hi")
        assert "".join([chunk.text or "" async for chunk in stream])
        assert [seen.body["model"] for seen in fake.inferences()] == [CLAUDE, CLAUDE]


async def test_the_sdk_on_its_own_dialect() -> None:
    """Bytes pass; the vendor's key goes out and the client's does not."""
    async with on_gemini() as (rig, fake), sdk(rig).aio as client:
        assert (await client.models.generate_content(model=FLASH, contents="say hi")).text
        stream = await client.models.generate_content_stream(model=FLASH, contents="say hi")
        assert "".join([chunk.text or "" async for chunk in stream])
        assert (await rig.flow())["lane"] == "verbatim"
        for seen in fake.inferences():
            assert seen.header("x-goog-api-key") == GEMINI_KEY
            assert "any" not in str(seen.headers)


async def test_a_stream_as_one_array() -> None:
    """Without `alt=sse` Google sends one JSON array, and so do we: on its own lane and in translation."""
    async with on_gemini() as (rig, _):
        status, headers, body = await rig.post(f"/v1beta/models/{FLASH}:streamGenerateContent", ASKED)
        assert (status, headers["x-strowger-lane"]) == (200, "verbatim")
        assert text_of(json.loads(body))
    async with on_anthropic() as (rig, _):
        status, headers, body = await rig.post(f"/v1beta/models/{CLAUDE}:streamGenerateContent", ASKED)
        assert (status, headers["content-type"]) == (200, "application/json")
        chunks = json.loads(body)
        assert text_of(chunks)
        assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("whole", [True, False])
async def test_an_array_from_who_sends_events_unasked(*, whole: bool) -> None:
    """Hosts that imitate Google may know one framing only; the client reads the other, also when it breaks off."""
    said = sse({"candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "index": 0}]})
    ended = sse({"candidates": [{"content": {"parts": [{"text": "!"}]}, "finishReason": "STOP", "index": 0}]})
    pieces = (STREAM, chunk(said), *((chunk(ended),) if whole else ()), END)
    async with raw_upstream(saying(*pieces)) as url, gateway(config({"gem": at("gemini", url, GEMINI_KEY)})) as rig:
        status, headers, body = await rig.post(f"/v1beta/models/{FLASH}:streamGenerateContent", ASKED)
    assert (status, headers["content-type"]) == (200, "application/json")
    chunks = json.loads(body)
    assert text_of(chunks) == ("hello!" if whole else "hello")
    assert ("error" in chunks[-1]) is not whole


async def test_older_ways_to_call() -> None:
    """A key in the query, no version in the path, snake_case members: what LiteLLM and aider send."""
    body = {"contents": ASKED["contents"], "system_instruction": {"parts": [{"text": "be brief"}]}}
    async with on_gemini() as (rig, fake):
        path = f"/models/{FLASH}:streamGenerateContent?key=their-own-key&alt=sse"
        status, headers, answer = await rig.post(path, body)
        assert (status, headers["x-strowger-lane"]) == (200, "verbatim")
        assert answer.startswith(b"data: ")
        (seen,) = fake.inferences()
        assert seen.header("x-goog-api-key") == GEMINI_KEY
        assert "their-own-key" not in f"{seen.path} {seen.headers} {rig.log.getvalue()}"


async def test_a_token_of_ours_in_googles_header() -> None:
    """A client of this dialect puts the gateway's token where it puts its key."""
    async with FakeGemini() as fake:
        guarded = config({"gem": at("gemini", fake.base_url, GEMINI_KEY)}, client_token=literal("the-token"))
        async with gateway(guarded) as rig:
            path = f"/v1beta/models/{FLASH}:generateContent"
            assert (await rig.post(path, ASKED))[0] == 403
            assert (await rig.post(path, ASKED, x_goog_api_key="wrong"))[0] == 403
            assert (await rig.post(path, ASKED, x_goog_api_key="the-token"))[0] == 200
            assert (await rig.post(f"{path}?key=the-token", ASKED))[0] == 200
            assert "the-token" not in "".join(str(seen.headers) + seen.path for seen in fake.requests)


async def test_code_assist_clients_on_any_dialect() -> None:
    """The envelope comes off and goes on again; what is asked around the calls is answered too."""
    asked = {"model": CLAUDE, "project": "p", "user_prompt_id": "u", "request": {**ASKED, "session_id": "s"}}
    async with on_anthropic() as (rig, _):
        status, _, body = await rig.post("/v1internal:generateContent", asked)
        assert status == 200
        assert text_of([json.loads(body)["response"]])
        status, _, body = await rig.post("/v1internal:streamGenerateContent?alt=sse", asked)
        chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]
        assert text_of([chunk["response"] for chunk in chunks])
        status, _, body = await rig.post("/v1internal:loadCodeAssist", {"metadata": {}})
        assert (status, json.loads(body)["currentTier"]["id"]) == (200, "standard-tier")
        assert (await rig.post("/v1internal:launchRocket", {}))[0] == 404


async def test_tokens_are_counted() -> None:
    """By the provider, in whichever dialect it counts."""
    async with on_gemini() as (rig, fake), sdk(rig).aio as client:
        counted = await client.models.count_tokens(model=FLASH, contents="how many tokens are these?")
        assert counted.total_tokens
        assert fake.requests[-1].path.endswith(":countTokens")
    async with on_anthropic() as (rig, anthropic), sdk(rig).aio as client:
        counted = await client.models.count_tokens(model=CLAUDE, contents="how many tokens are these?")
        assert counted.total_tokens
        assert anthropic.requests[-1].path.endswith("/count_tokens")
    async with on_gemini() as (rig, fake):
        asked = {"model": FLASH, "messages": [{"role": "user", "content": "how many?"}]}
        status, headers, body = await rig.post("/v1/messages/count_tokens", asked)
        assert (status, "x-strowger-estimate" in headers) == (200, False)
        assert json.loads(body)["input_tokens"] > 0


async def test_models_are_listed_in_googles_shape() -> None:
    """With their limits, as the SDK reads them; the vendor's own list is asked for."""
    async with on_gemini() as (rig, _), sdk(rig).aio as client:
        listed = {model.name: model async for model in await client.models.list()}
        assert listed[f"models/{FLASH}"].input_token_limit
        one = await client.models.get(model=FLASH)
        assert one.name == f"models/{FLASH}"


async def test_errors_are_googles() -> None:
    """An unknown model, a body that is no JSON, an upstream's refusal: google.rpc, with the vendor's own words."""
    async with on_gemini() as (rig, _):
        for path, body, status, word in (
            (f"/v1beta/models/{FLASH}:generateContent", b"{", 400, "INVALID_ARGUMENT"),
            (f"/v1beta/models/{FLASH}:generateContent", {**ASKED, "nonsense": 1}, 400, "INVALID_ARGUMENT"),
            ("/v1beta/models/no-such-model:generateContent", ASKED, 404, "NOT_FOUND"),
        ):
            got, _, answer = await rig.post(path, body)
            assert (got, json.loads(answer)["error"]["status"]) == (status, word)
            assert json.loads(answer)["error"]["code"] == status
