"""Kimi Code through the gateway: both of its dialects, by key and by login, and what its validator minds."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strowger.auth.oauth import Tokens
from strowger.auth.stores import Login, LoginStore
from strowger.config.references import Secret, literal, parse_reference
from strowger.config.schema import ProviderConfig
from tests.fakes.chat import prompt_too_long
from tests.fakes.flavours import KIMI
from tests.fakes.issuer_kimi import KimiIssuer
from tests.fakes.kimi import KEY, FakeKimi, exhausted, not_admitted, used_up
from tests.fakes.script import Call, Reply, Say, Think, Usage
from tests.integration.gateway.rig import ENV, Rig, anthropic_request, chat_request, config, gateway

pytestmark = pytest.mark.anyio

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
# What MCP servers really send: an enum without a type, a type beside an anyOf, references, one of them in a circle.
ODD_SCHEMA = {
    "type": "object",
    "properties": {
        "mode": {"enum": ["a", "b"]},
        "size": {"type": "string", "anyOf": [{"pattern": "^x"}, {"type": "integer"}]},
        "where": {"$ref": "#/$defs/place", "description": "there"},
        "list": {"items": {"minimum": 3}},
    },
    "$defs": {"place": {"properties": {"street": {}}}},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def on_kimi(dialect: str = "openai_chat", fake: FakeKimi | None = None) -> AsyncIterator[tuple[Rig, FakeKimi]]:
    """A gateway whose only provider is Kimi in this dialect."""
    preset, path = ("kimi", "/coding/v1") if dialect == "openai_chat" else ("kimi-anthropic", "/coding")
    async with fake or FakeKimi() as fake:
        provider = ProviderConfig(
            preset=preset,
            dialect=dialect,  # type: ignore[arg-type]
            base_url=fake.base_url + path,
            auth=literal(KEY),
        )
        async with gateway(config({"kimi": provider})) as rig:
            yield rig, fake


def tool(schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": "find", "description": "Finds.", "input_schema": schema}


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
@pytest.mark.parametrize("name", ["kimi-for-coding", "kimi-k2.6", "k2.6", "kimi:k2.6", "claude-kimi-kimi-for-coding"])
async def test_names(dialect: str, name: str) -> None:
    """Its model goes by the names that are in use for it, in both of its dialects."""
    async with on_kimi(dialect) as (rig, fake):
        status, _, body = await rig.post("/v1/messages", anthropic_request(model=name), anthropic_version="2023-06-01")
        assert status == 200, body
        assert fake.inferences()[-1].body["model"] == "kimi-for-coding"


async def test_a_tool_loop_for_claude_code() -> None:
    """Thinking goes out with an effort and comes back with the call; a picture stands in the result; an odd schema is
    mended, and nothing is sent that is empty.
    """
    async with on_kimi() as (rig, fake):
        first = Reply(
            parts=(Think("I should look."), Call("find", {"mode": "a"})), usage=Usage(fresh=40, cached=60, output=9)
        )
        fake.script(first, Reply(parts=(Say("seen"),)))
        asked = anthropic_request(
            model="kimi-for-coding",
            tools=[tool(ODD_SCHEMA)],
            thinking={"type": "adaptive"},
            output_config={"effort": "xhigh"},
        )
        status, _, body = await rig.post("/v1/messages", asked, anthropic_version="2023-06-01")
        assert status == 200, body
        answer = msgspec.json.decode(body)
        assert [block["type"] for block in answer["content"]] == ["thinking", "tool_use"]
        assert answer["usage"] == answer["usage"] | {"input_tokens": 40, "cache_read_input_tokens": 60}
        sent = fake.inferences()[0].body
        assert sent["thinking"] == {"type": "enabled", "effort": "max"}
        assert not {"reasoning_effort", "max_tokens"} & sent.keys()
        parameters = sent["tools"][0]["function"]["parameters"]
        assert parameters["properties"] == {
            "mode": {"enum": ["a", "b"], "type": "string"},
            "size": {"anyOf": [{"pattern": "^x", "type": "string"}, {"type": "integer"}]},
            "where": {
                "properties": {"street": {"type": "string"}},
                "description": "there",
                "type": "object",
            },
            "list": {"items": {"minimum": 3, "type": "number"}, "type": "array"},
        }
        picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        result = {"type": "tool_result", "tool_use_id": answer["content"][1]["id"], "content": [picture]}
        again = asked | {
            "messages": [
                *asked["messages"],
                {"role": "assistant", "content": answer["content"]},
                {"role": "user", "content": [result]},
            ]
        }
        status, _, body = await rig.post("/v1/messages", again, anthropic_version="2023-06-01")
        assert status == 200, body
        assistant, shown = fake.inferences()[1].body["messages"][-2:]
        assert assistant["reasoning_content"] == "I should look."
        assert "content" not in assistant
        assert (shown["role"], shown["content"][0]["type"]) == ("tool", "image_url")


async def test_a_chat_client() -> None:
    """A Chat client's own words for thinking pass, its empty texts do not; videos and kept thinking do."""
    async with on_kimi() as (rig, fake):
        calls = [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}]
        video = {"type": "video_url", "video_url": {"url": "ms://file-1"}}
        asked = chat_request(
            model="kimi-for-coding",
            thinking={"type": "enabled", "effort": "low", "keep": "all"},
            tools=[{"type": "function", "function": {"name": "find", "parameters": ODD_SCHEMA}}],
            messages=[
                {"role": "user", "content": [{"type": "text", "text": ""}, video]},
                {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": calls},
                {"role": "tool", "tool_call_id": "c1", "content": [video]},
            ],
        )
        status, _, body = await rig.post("/v1/chat/completions", asked)
        assert status == 200, body
        sent = fake.inferences()[0].body
        assert sent["thinking"] == asked["thinking"]
        assert sent["messages"] == [
            {"role": "user", "content": [video]},
            {"role": "assistant", "reasoning_content": "hm", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c1", "content": [video]},
        ]


async def test_thinking_off() -> None:
    """Switched off it is off, and no effort is beside it."""
    async with on_kimi() as (rig, fake):
        body = anthropic_request(model="k3", thinking={"type": "disabled"}, output_config={"effort": "high"})
        assert (await rig.post("/v1/messages", body, anthropic_version="2023-06-01"))[0] == 200
        assert fake.inferences()[0].body["thinking"] == {"type": "disabled"}


async def test_usage_of_a_stream() -> None:
    """Tokens that are told inside the last choice are counted."""
    async with on_kimi() as (rig, fake):
        fake.script(Reply(parts=(Say("hi"),), usage=Usage(fresh=30, cached=70, output=5)))
        body = anthropic_request(model="kimi-for-coding", stream=True)
        status, _, answer = await rig.post("/v1/messages", body, anthropic_version="2023-06-01")
        assert status == 200
        assert b'"cache_read_input_tokens":70' in answer


@pytest.mark.parametrize(
    "step, status, word",
    [
        (exhausted(), 402, "billing_error"),
        (used_up(), 402, "billing_error"),
        (not_admitted(), 403, "permission_error"),
    ],
)
async def test_refusals(step: Any, status: int, word: str) -> None:
    """A quota that is used up is told as one whatever its status, so that nobody asks ten times more; a client that is
    not admitted is told so.
    """
    async with on_kimi() as (rig, fake):
        fake.script(step)
        got, headers, body = await rig.post(
            "/v1/messages", anthropic_request(model="kimi-for-coding"), anthropic_version="2023-06-01"
        )
        assert (got, msgspec.json.decode(body)["error"]["type"]) == (status, word)
        assert headers.get("x-should-retry") == ("false" if status == 402 else None)


async def test_what_claude_code_compacts_on() -> None:
    """A prompt that is too long is told in the words that Claude Code knows, with the numbers."""
    async with on_kimi() as (rig, fake):
        fake.script(prompt_too_long(KIMI))
        status, _, body = await rig.post(
            "/v1/messages", anthropic_request(model="kimi-for-coding"), anthropic_version="2023-06-01"
        )
        message = msgspec.json.decode(body)["error"]["message"]
        assert status == 400
        assert message.startswith("prompt is too long: 300000 tokens > 262144 maximum")


async def test_models() -> None:
    """Its list says how much a model holds, and whether it sees."""
    async with on_kimi() as (rig, _), rig.session.get(rig.url + "/v1/models") as response:
        listed = {model["id"]: model for model in (await response.json())["data"]}
        assert listed["kimi-for-coding"]["context_length"] == 262_144
        assert listed["k3"]["context_length"] == 1_048_576


# ---- a login ----


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
async def test_a_login(dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token goes in our own name on its own device, whatever the client says of itself; after a 401 it is refreshed
    on that device, once, and the call repeated.
    """
    async with KimiIssuer() as issuer, FakeKimi(issuer=issuer) as fake:
        monkeypatch.setitem(ENV, "HOME", str(tmp_path))
        monkeypatch.setitem(ENV, "STROWGER_KIMI_ISSUER", issuer.base_url)
        store = LoginStore({"HOME": str(tmp_path)})
        device = store.device_id()
        answer = issuer.login(device=device)
        now = time.time()
        tokens = Tokens(
            access=Secret(answer["access_token"]),
            refresh=Secret(answer["refresh_token"]),
            expires_at=now + 900,
            lifetime=900.0,
        )
        store.save(Login("kimi", tokens, obtained_at=now, refreshed_at=now, device_id=device))
        preset, path = ("kimi", "/coding/v1") if dialect == "openai_chat" else ("kimi-anthropic", "/coding")
        provider = ProviderConfig(
            preset=preset,
            dialect=dialect,  # type: ignore[arg-type]
            base_url=fake.base_url + path,
            auth=parse_reference("login:kimi"),
        )
        theirs = {"user_agent": "KimiCLI/1.37.0", "x_msh_device_id": "theirs", "x_msh_os_version": "9"}
        path = "/v1/chat/completions" if dialect == "openai_chat" else "/v1/messages"
        asked = {"model": "k2.6", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        async with gateway(config({"kimi": provider})) as rig:
            for _ in range(2):
                status, _, body = await rig.post(path, asked, anthropic_version="2023-06-01", **theirs)
                assert status == 200, body
                issuer.grants[0].access.clear()
        assert [seen.status for seen in fake.inferences()] == [200, 401, 200]
        assert issuer.count("/api/oauth/token") == 1
        for seen in fake.inferences():
            assert (seen.header("x-msh-platform"), seen.header("x-msh-device-id")) == ("strowger", device)
            assert (seen.header("user-agent") or "").startswith("strowger/")
            assert seen.header("x-msh-os-version") is None
