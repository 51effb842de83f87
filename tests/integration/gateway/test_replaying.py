"""A recorded call once more, over the admin API: to the same model, to another dialect, or only its translation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from strowger.client import Admin
from strowger.config.schema import Flows, Match, RouteConfig
from strowger.errors import GatewayError
from tests.integration.gateway.rig import (
    CHAT_HELLO,
    Rig,
    anthropic_request,
    config,
    gateway,
    provider,
    upstream,
)

pytestmark = pytest.mark.anyio

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "t1", "name": "Read", "input": {"a": 1}}],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 5},
}


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


class Vendors:
    """One that speaks Anthropic's dialect and one that speaks Chat, and what they were sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.path, await request.json(), headers))
        if self.status != 200:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": "no such thing"}}
            return web.json_response(error, status=self.status)
        if request.path.endswith("/chat/completions"):
            return web.Response(body=CHAT_HELLO, content_type="text/event-stream")
        return web.json_response(ANSWER)


@asynccontextmanager
async def recorded(file: Path, **flows: Any) -> AsyncIterator[tuple[Rig, Admin, Vendors]]:
    """A gateway that has answered one call of a session."""
    vendors = Vendors()
    async with upstream(vendors.answer) as url:
        providers = {"claude": provider("anthropic", url), "chat": provider("openai_chat", url)}
        kept = Flows(file=str(file), **flows)
        routes = [RouteConfig(match=Match(model=("m", "qwen:*", "*")), to="claude")]
        async with (
            gateway(config(providers, routes, flows=kept)) as rig,
            Admin(rig.url, rig.gateway.access.admin_token) as admin,
        ):
            headers = {"x_claude_code_session_id": "session-1", "x_api_key": "planted-key"}
            # Claude Code names its session in the body, too.
            said = {"user_id": "user_1_account_2_session_5d0c0b5e-9b1f-4f60-8a1e-0d3a2a3c9f11"}
            body = anthropic_request(strange=5, metadata=said)
            assert (await rig.post("/v1/messages", body, **headers))[0] == 200
            yield rig, admin, vendors


async def test_a_call_is_repeated_where_it_went(tmp_path: Path) -> None:
    """With the same words, in nobody's session, and it says whose repetition it is."""
    async with recorded(tmp_path / "flows.db") as (_, admin, vendors):
        first = (await admin.flow("last"))["id"]
        told = await admin.replay("last")
        assert (told.flow["replay_of"], told.flow["session"], told.flow["outcome"]) == (first, None, "ok")
        assert (told.answer.text, told.answer.stop) == ("Hello", "tool_use")
        assert [(call["name"], json.loads(call["arguments"])) for call in told.answer.calls] == [("Read", {"a": 1})]
        (_, before, _), (_, after, headers) = vendors.asked
        assert before == after
        assert "planted-key" not in str(headers)


async def test_a_call_is_repeated_at_a_vendor_of_another_dialect(tmp_path: Path) -> None:
    """What it would have been like there."""
    async with recorded(tmp_path / "flows.db") as (_, admin, vendors):
        told = await admin.replay("last", "chat:gpt-test")
        assert (told.flow["provider"], told.flow["upstream_model"], told.flow["lane"]) == (
            "chat",
            "gpt-test",
            "translate",
        )
        assert told.answer.text == "Hello you"
        assert vendors.asked[-1][0] == "/v1/chat/completions"


async def test_the_translation_alone_can_be_seen(tmp_path: Path) -> None:
    """Nothing is sent, and what would be lost is told."""
    async with recorded(tmp_path / "flows.db") as (_, admin, vendors):
        told = await admin.translated("last", "chat:gpt-test")
        assert (told["dialect"], told["model"]) == ("openai_chat", "gpt-test")
        assert json.loads(told["body"])["model"] == "gpt-test"
        assert [loss["path"] for loss in told["losses"]] == ["strange"]
        assert len(vendors.asked) == 1


async def test_what_a_call_goes_on_from_is_found_again(tmp_path: Path) -> None:
    """Though it was its client that had been told, and only what was new is on record; a dry run shows all of it."""
    async with recorded(tmp_path / "flows.db") as (rig, admin, vendors):
        _, _, answer = await rig.post("/v1/responses", {"model": "chat:m", "input": "one"})
        more = {"model": "chat:m", "input": "two", "previous_response_id": json.loads(answer)["id"]}
        assert (await rig.post("/v1/responses", more))[0] == 200
        told = await admin.replay("last")
        assert (told.flow["outcome"], told.flow["client"]) == ("ok", "launch:replay")
        (_, before, _), (_, after, _) = vendors.asked[-2:]
        assert before["messages"] == after["messages"]
        assert len(after["messages"]) == 3
        told_of = await admin.translated(str(told.flow["id"]))
        assert json.loads(told_of["body"])["messages"] == after["messages"]


async def test_a_refusal_is_an_answer_too(tmp_path: Path) -> None:
    """The vendor's words are told."""
    async with recorded(tmp_path / "flows.db") as (_, admin, vendors):
        vendors.status = 400
        told = await admin.replay("last")
        assert (told.answer.status, told.answer.error) == (400, "no such thing")
        assert told.flow["outcome"] == "failed"


@pytest.mark.parametrize(
    "to, hint",
    [("nobody:model", "there are: claude, chat"), ("chta:x:y", "did you mean `chat:x:y`?"), ("groq:x", "GROQ_API_KEY")],
)
async def test_who_is_not_there_is_not_asked(tmp_path: Path, to: str, hint: str) -> None:
    """Also where a route takes every model: a provider that is named has to be there."""
    async with recorded(tmp_path / "flows.db") as (_, admin, vendors):
        for ask in (admin.replay, admin.translated):
            with pytest.raises(GatewayError, match="no provider `.*` is configured") as told:
                await ask("last", to)
            assert hint in str(told.value.hint)
        assert len(vendors.asked) == 1


@pytest.mark.parametrize(
    "to, path, model",
    [
        ("chat", "/chat/completions", "m"),
        ("chat:llama3:8b", "/chat/completions", "llama3:8b"),
        ("other", "/v1/messages", "other"),
        ("other:high", "/v1/messages", "other"),
        ("qwen:8b", "/v1/messages", "qwen:8b"),
    ],
)
async def test_what_a_name_leads_to(tmp_path: Path, to: str, path: str, model: str) -> None:
    """A provider alone is asked for the model of the call; a name may end in an effort, or have a route's colons."""
    async with recorded(tmp_path / "flows.db") as (_, admin, vendors):
        await admin.replay("last", to)
        assert (vendors.asked[-1][0][-len(path) :], vendors.asked[-1][1]["model"]) == (path, model)


async def test_a_body_that_is_not_kept_cannot_be_repeated(tmp_path: Path) -> None:
    """The hint names the setting."""
    async with recorded(tmp_path / "flows.db", bodies="none") as (_, admin, vendors):
        with pytest.raises(GatewayError, match="not kept") as told:
            await admin.replay("last")
        assert len(vendors.asked) == 1
        assert "nothing" not in str(told.value)


async def test_a_body_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    """In the words in which it was refused when it came."""
    async with recorded(tmp_path / "flows.db") as (rig, admin, vendors):
        body = b'{"model":"m","messages":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        assert (await rig.post("/v1/messages", body))[0] == 400
        with pytest.raises(GatewayError, match="too deeply"):
            await admin.replay("last")
        assert len(vendors.asked) == 1


async def test_a_flow_that_is_not_there(tmp_path: Path) -> None:
    """Nor is it made up."""
    async with recorded(tmp_path / "flows.db") as (_, admin, _vendors):
        with pytest.raises(GatewayError, match="no flow"):
            await admin.replay("flow_nothing")
