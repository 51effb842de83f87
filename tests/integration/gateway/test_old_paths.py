"""Addresses under which other programs have served the same: what was configured for them goes on working."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.integration.gateway.rig import CHAT_HELLO, chat_request, config, gateway, provider, upstream

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _hello(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=CHAT_HELLO, headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize(
    "path, headers, session",
    [
        ("/up/0199-a7/chat/completions", {}, "0199-a7"),
        ("/up/0199-a7/v1/chat/completions", {}, "0199-a7"),
        ("/up/v1/chat/completions", {"session_id": "0199-a8"}, "0199-a8"),
        ("/api/v1/chat/completions", {"session_id": "0199-a8"}, "0199-a8"),
    ],
)
async def test_a_conversation_may_be_named_in_the_path(path: str, headers: dict[str, str], session: str) -> None:
    """Or in a header with an underscore: it is the session that routes, the store and the provider see."""
    async with upstream(_hello) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        lines = {"content-type": "application/json", **headers}
        async with rig.session.post(rig.url + path, json=chat_request(stream=True), headers=lines) as response:
            assert response.status == 200
            await response.read()
        assert (await rig.flow())["session"] == session
