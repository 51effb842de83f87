"""Claude on Bedrock through the gateway: Anthropic's own client on one side, the strict fake on the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import openai
import pytest

from strowger.config.references import SecretRef, literal
from strowger.config.schema import ProviderConfig
from tests.fakes.authority import Authority
from tests.fakes.bedrock import PROFILE, TOKEN, FakeBedrock, refuse
from tests.fakes.script import Call, Delivery, Reply, Say, Think
from tests.integration.gateway.rig import Rig, anthropic_request, config, gateway

pytestmark = pytest.mark.anyio

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-8-v1:0"
SECRET = "secret/+=of-mine"
SPOKEN = Reply(parts=(Think("hm"), Say("grüße, 電話交換機"), Call("f", {"a": [1, 2]})))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def on_bedrock(key: str = TOKEN, **more: Any) -> AsyncIterator[tuple[Rig, FakeBedrock]]:
    """A gateway whose only provider is Bedrock."""
    async with FakeBedrock() as fake:
        provider = ProviderConfig(
            preset="bedrock",
            dialect="anthropic",
            base_url=fake.base_url,
            auth=literal(key),
            auth_header="authorization",
            **more,
        )
        async with gateway(config({"bedrock": provider})) as rig:
            yield rig, fake


def sdk(rig: Rig) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key="any", base_url=rig.url, max_retries=0)


def asked(**more: Any) -> Any:
    return anthropic_request(model=PROFILE, **more)


@pytest.mark.parametrize("model", [PROFILE, ARN, "bedrock:" + PROFILE])
@pytest.mark.parametrize("piece", [0, 1, 700])
async def test_an_anthropic_client(model: str, piece: int) -> None:
    """Whole and streamed, by the id of a model, a profile or an ARN, however the frames are cut."""
    async with on_bedrock() as (rig, fake), sdk(rig) as client:
        fake.script(SPOKEN, msgspec.structs.replace(SPOKEN, delivery=Delivery(piece=piece)))
        whole = await client.messages.create(**asked() | {"model": model})
        async with client.messages.stream(**asked() | {"model": model}) as stream:
            streamed = await stream.get_final_message()
        for answer in (whole, streamed):
            assert [block.type for block in answer.content] == ["thinking", "text", "tool_use"]
            assert answer.content[1].text == "grüße, 電話交換機"  # type: ignore[union-attr]
            assert answer.content[2].input == {"a": [1, 2]}  # type: ignore[union-attr]
        flow = await rig.flow()
        assert (flow["outcome"], flow["attempts"][0]["lane"]) == ("ok", "verbatim")


async def test_the_envelope() -> None:
    """The model and the stream leave the body, version and betas enter it; all else stays as it was written."""
    async with on_bedrock() as (rig, fake):
        betas = "claude-code-20250219,oauth-2025-04-20,interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20"
        body = b'{"model":"%b", "max_tokens" : 9,"messages":[ {"role":"user","content":"h\\u00fc"} ],"stream":false}'
        status, headers, _ = await rig.post(
            "/v1/messages", body % PROFILE.encode(), anthropic_version="2023-06-01", anthropic_beta=betas
        )
        seen = fake.inferences()[0]
        assert (status, bool(headers["request-id"])) == (200, True)
        assert seen.raw == (
            b'{"max_tokens":9,"messages":[ {"role":"user","content":"h\\u00fc"} ],'
            b'"anthropic_version":"bedrock-2023-05-31","anthropic_beta":'
            b'["claude-code-20250219","interleaved-thinking-2025-05-14","tool-search-tool-2025-10-19"]}'
        )
        assert (seen.header("anthropic-beta"), seen.header("anthropic-version")) == (None, None)
        assert seen.header("authorization") == f"Bearer {TOKEN}"


async def test_a_newer_version_keeps_its_name() -> None:
    """What the cloud has no name of its own for goes by the client's."""
    async with on_bedrock() as (rig, fake):
        await rig.post("/v1/messages", asked(), anthropic_version="2026-10-21")
        assert fake.inferences()[0].body["anthropic_version"] == "2026-10-21"


async def test_a_client_of_another_dialect() -> None:
    """OpenAI's client has text and calls, streamed and whole; signed thinking goes back to who signed it."""
    async with (
        on_bedrock() as (rig, fake),
        openai.AsyncOpenAI(api_key="any", base_url=rig.url + "/v1", max_retries=0) as client,
    ):
        fake.script(SPOKEN, SPOKEN, Reply(parts=(Say("done"),)))
        turns: list[Any] = [{"role": "user", "content": "hi"}]
        whole = await client.chat.completions.create(model=PROFILE, messages=turns)
        stream = await client.chat.completions.create(model=PROFILE, messages=turns, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        assert whole.choices[0].message.content == text == "grüße, 電話交換機"
        message: Any = whole.choices[0].message.model_dump(exclude_none=True)
        turns += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "3"}]
        tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
        await client.chat.completions.create(model=PROFILE, messages=turns, tools=tools, reasoning_effort="high")
        sent = fake.inferences()[2].body["messages"][1]["content"]
        assert [block["type"] for block in sent] == ["thinking", "text", "tool_use"]


@pytest.mark.parametrize(
    "named, words, status, kind",
    [
        ("ThrottlingException", "Too many tokens, please wait", 429, "rate_limit_error"),
        ("ServiceQuotaExceededException", "You have exceeded a quota", 429, "rate_limit_error"),
        ("ServiceUnavailableException", "try later", 503, "overloaded_error"),
        ("ModelTimeoutException", "too slow", 408, "timeout_error"),
        ("ModelErrorException", "it broke", 500, "api_error"),
        ("AccessDeniedException", "You don't have access to the model", 403, "permission_error"),
        ("ResourceNotFoundException", "This model version has reached the end of its life", 404, "not_found_error"),
        ("ValidationException", "messages: field required", 400, "invalid_request_error"),
    ],
)
async def test_errors(named: str, words: str, status: int, kind: str) -> None:
    """AWS's errors are told in Anthropic's words, for a stream and for a whole answer alike."""
    async with on_bedrock() as (rig, fake):
        for stream in (False, True):
            fake.script(*[refuse(named, words)] * 3)
            got, _, body = await rig.post("/v1/messages", asked(stream=stream), anthropic_version="2023-06-01")
            error = msgspec.json.decode(body)["error"]
            assert (got, error["type"]) == (status, kind)
            assert words in error["message"]
            fake.forget()


async def test_a_prompt_that_is_too_long() -> None:
    """Is told in the words that Claude Code compacts on."""
    async with on_bedrock() as (rig, fake):
        fake.script(refuse("ValidationException", "Input is too long for requested model."))
        status, _, body = await rig.post("/v1/messages", asked(), anthropic_version="2023-06-01")
        assert status == 400
        assert msgspec.json.decode(body)["error"]["message"].startswith("prompt is too long")


async def test_a_refused_token() -> None:
    """Ours, not the client's: it is told what to mend, and is not logged out."""
    async with on_bedrock("wrong") as (rig, _):
        status, _, body = await rig.post("/v1/messages", asked(), anthropic_version="2023-06-01")
        assert status == 403
        assert "API Key is valid" in msgspec.json.decode(body)["error"]["message"]


async def test_an_exception_inside_a_stream() -> None:
    """Before the answer it is a status; after its beginning an error event, which the official client raises."""
    async with on_bedrock() as (rig, fake), sdk(rig) as client:
        early = Delivery(cut="error", cut_after=0, error=("throttlingException", "slow down"))
        late = Delivery(cut="error", cut_after=4, error=("modelStreamErrorException", "it broke"))
        fake.script(*[Reply(parts=(Say("x"),), delivery=early)] * 2)
        with pytest.raises(anthropic.RateLimitError, match="slow down"):
            async with client.messages.stream(**asked()) as stream:
                await stream.get_final_message()
        fake.forget()
        fake.script(Reply(parts=(Say("x"),), delivery=late))
        with pytest.raises(anthropic.APIError, match="it broke"):
            async with client.messages.stream(**asked()) as stream:
                await stream.get_final_message()


async def test_a_stream_that_breaks() -> None:
    """Inside a frame it is told as broken, never as an answer that is whole."""
    async with on_bedrock() as (rig, fake), sdk(rig) as client:
        fake.script(Reply(parts=(Say("x" * 500),), delivery=Delivery(cut="eof", cut_after=5)))
        with pytest.raises(anthropic.APIError):
            async with client.messages.stream(**asked()) as stream:
                await stream.get_final_message()
        assert (await rig.flow())["outcome"] == "failed"


async def test_models() -> None:
    """Its profiles of Claude's models are listed, and nobody else's."""
    async with on_bedrock() as (rig, _), rig.session.get(rig.url + "/v1/models") as response:
        names = [model["id"] for model in (await response.json())["data"]]
        assert PROFILE in names
        assert not any("llama" in name for name in names)


async def test_counting() -> None:
    """Bedrock counts otherwise, so there is an estimate, which says so."""
    async with on_bedrock() as (rig, fake):
        status, headers, _ = await rig.post("/v1/messages/count_tokens", asked(), anthropic_version="2023-06-01")
        assert status == 200
        assert headers["x-strowger-estimate"]
        assert not fake.requests


async def test_an_anthropic_key_stays_home() -> None:
    """A key of Anthropic's own does not travel to a cloud."""
    async with on_bedrock("sk-ant-api03-planted") as (rig, fake):
        status, _, body = await rig.post("/v1/messages", asked(), anthropic_version="2023-06-01")
        assert status == 403
        assert b"may not be sent" in body
        assert not fake.requests


# ---- signed requests ----


def keyed(monkeypatch: pytest.MonkeyPatch, session: str) -> None:
    """The user's AWS credentials."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAFAKE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": session,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def on_signed_bedrock() -> AsyncIterator[tuple[Rig, FakeBedrock]]:
    """A gateway that signs what it sends."""
    async with FakeBedrock(tokens=(), secrets={"AKIAFAKE": SECRET}, session="s1") as fake:
        provider = ProviderConfig(
            preset="bedrock",
            dialect="anthropic",
            base_url=fake.base_url,
            auth=SecretRef("aws"),
            auth_header="authorization",
            region="eu-west-1",
        )
        async with gateway(config({"bedrock": provider})) as rig:
            yield rig, fake


@pytest.mark.parametrize("model", [PROFILE, ARN])
@pytest.mark.parametrize("stream", [False, True])
async def test_signed_requests(monkeypatch: pytest.MonkeyPatch, model: str, stream: bool) -> None:
    """With the user's own credentials, for any name; the secret is in none of them."""
    keyed(monkeypatch, "s1")
    async with on_signed_bedrock() as (rig, fake):
        asking = anthropic_request(model=model, stream=stream)
        status, _, body = await rig.post("/v1/messages", asking, anthropic_version="2023-06-01")
        assert status == 200, body
        seen = fake.inferences()[0]
        assert "/eu-west-1/bedrock/aws4_request" in (seen.header("authorization") or "")
        assert SECRET not in str(seen.headers) + rig.log.getvalue()
        async with rig.session.get(rig.url + "/v1/models") as response:
            assert PROFILE in [model["id"] for model in (await response.json())["data"]]


async def test_a_session_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a 403 at AWS; the credentials are looked up again, and the request is repeated once."""
    keyed(monkeypatch, "s0")
    async with on_signed_bedrock() as (rig, fake):
        status, _, body = await rig.post("/v1/messages", asked(), anthropic_version="2023-06-01")
        assert (status, [seen.status for seen in fake.inferences()]) == (403, [403, 403])
        assert b"expired" in body
        fake.forget()
        keyed(monkeypatch, "s1")
        status, _, _ = await rig.post("/v1/messages", asked(), anthropic_version="2023-06-01")
        assert status == 200


# ---- over TLS ----


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_tls(tmp_path: Path, trusted: bool) -> None:
    """As in the world: to a host whose certificate is trusted, and to no other."""
    authority = Authority()
    async with FakeBedrock(tls=authority) as fake:
        provider = ProviderConfig(
            preset="bedrock",
            dialect="anthropic",
            base_url=fake.base_url,
            auth=literal(TOKEN),
            auth_header="authorization",
            ca_file=authority.bundle(tmp_path) if trusted else None,
        )
        async with gateway(config({"bedrock": provider})) as rig, sdk(rig) as client:
            if trusted:
                async with client.messages.stream(**asked()) as stream:
                    assert (await stream.get_final_message()).content
            else:
                with pytest.raises(anthropic.APIError):
                    await client.messages.create(**asked())
                assert not fake.requests
