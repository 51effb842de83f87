"""The fake Kimi refuses what the real one refuses, and takes what it takes."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.fakes.kimi import KEY, FakeKimi

pytestmark = pytest.mark.anyio

BODY = {"model": "kimi-for-coding", "messages": [{"role": "user", "content": "hi"}]}
LOGIN = {
    "authorization": "Bearer t",
    "x-msh-device-id": "d",
    "x-msh-platform": "strowger",
    "user-agent": "strowger/1",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(fake: FakeKimi, body: dict[str, Any], path: str = "/chat/completions", **headers: str) -> tuple[int, str]:
    lines = {name.replace("_", "-"): value for name, value in headers.items()} or {"authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{fake.base_url}/coding/v1{path}", json=body, headers=lines) as response,
    ):
        return response.status, await response.text()


def tool(**schema: Any) -> dict[str, Any]:
    function = {"name": "f", "parameters": {"type": "object", "properties": {"x": schema}}}
    return {"tools": [{"type": "function", "function": function}]}


@pytest.mark.parametrize(
    "more, status",
    [
        ({}, 200),
        ({"thinking": {"type": "enabled", "effort": "max", "keep": "all"}}, 200),
        ({"thinking": {"type": "enabled", "effort": "xhigh"}}, 400),
        ({"thinking": {"type": "adaptive"}}, 400),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, 400),
        ({"model": "k2.6"}, 404),
        (tool(type="string"), 200),
        (tool(enum=["a"]), 400),
        (tool(type="string", anyOf=[{"type": "string"}]), 400),
        (tool(anyOf=[{"minLength": 1}]), 400),
        ({**tool(type="string"), "tool_choice": "required"}, 400),
        ({**tool(type="string"), "tool_choice": "required", "thinking": {"type": "disabled"}}, 200),
        ({"messages": [{"role": "user", "content": " "}]}, 400),
    ],
)
async def test_bodies(more: dict[str, Any], status: int) -> None:
    """Thinking, schemas, forced tools, empty texts."""
    async with FakeKimi() as fake:
        assert (await ask(fake, {**BODY, **more}))[0] == status


@pytest.mark.parametrize(
    "change, status",
    [
        ({}, 200),
        ({"x-msh-device-id": "other"}, 401),
        ({"x-msh-platform": "kimi_cli"}, 403),
        ({"user-agent": "KimiCLI/1.37.0"}, 403),
        ({"user-agent": "curl/8"}, 403),
        ({"authorization": "Bearer wrong"}, 401),
    ],
)
async def test_logins(change: dict[str, str], status: int) -> None:
    """A token is good on its own device, for who says its own name."""
    async with FakeKimi(devices={"t": "d"}) as fake:
        assert (await ask(fake, BODY, **{**LOGIN, **change}))[0] == status


async def test_messages() -> None:
    """The same models in Anthropic's dialect, with a bare key."""
    async with FakeKimi() as fake:
        status, text = await ask(
            fake, {**BODY, "max_tokens": 9}, "/messages", x_api_key=KEY, anthropic_version="2023-06-01"
        )
        assert status == 200
        assert '"type":"message"' in text
