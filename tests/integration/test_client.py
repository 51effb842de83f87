"""The admin API's client: what it understands, and what it says when nobody answers or the answer is strange."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import anyio
import pytest
from aiohttp import web

from strowger.client import Admin, Prospect, Status
from strowger.config.references import parse_reference
from strowger.config.schema import Match, ProviderConfig, RouteConfig
from strowger.errors import Forbidden, GatewayError, Malformed, TimedOut, Unreachable
from tests.integration.gateway.rig import config, gateway, provider

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the client is written for."""
    return "asyncio"


@asynccontextmanager
async def answering(body: bytes, status: int = 200) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """A gateway that answers everything alike, and what it was asked."""
    asked: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        if status == 0:
            await anyio.sleep_forever()
        await request.read()
        return web.Response(body=body, status=status, headers={"location": "/elsewhere"} if status == 302 else {})

    runner = web.ServerRunner(web.Server(answer, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_versions_may_differ() -> None:
    """What a newer gateway tells besides is passed over, what an older one does not tell has a default."""
    body = (
        b'{"version":"9","uptime_seconds":3.5,"moods":["good"],"calls":{"total":2},'
        b'"providers":[{"name":"a"}],"routes":[{"name":"r","class":["x"]}]}'
    )
    async with answering(body) as (url, asked), Admin(f"{url}/", "secret") as admin:
        status = await admin.status()
    assert (status.version, status.uptime, status.calls.total, status.calls.failed) == ("9", 3.5, 2, 0)
    assert status.providers[0].name == "a"
    assert status.routes[0].request_class == ("x",)
    assert status.launches == Status().launches == ()
    assert asked[0].path == "/_strowger/status"
    assert asked[0].headers["authorization"] == "Bearer secret"


async def test_launches_are_opened_and_closed() -> None:
    """Opening says who and from which process; closing names the launch."""
    async with answering(b'{"id":"l1","token":"t"}', 201) as (url, asked), Admin(url, "secret") as admin:
        launch = await admin.open_launch("claude", 7)
        await admin.close_launch(launch.id)
    assert [(request.method, request.path) for request in asked] == [
        ("POST", "/_strowger/launches"),
        ("DELETE", "/_strowger/launches/l1"),
    ]


async def test_flows_are_plain_data() -> None:
    """Calls are given as the gateway tells them."""
    async with answering(b'{"flows":[{"id":"f"}]}') as (url, asked), Admin(url, "secret") as admin:
        assert await admin.flows(3) == ({"id": "f"},)
    assert asked[0].path_qs == "/_strowger/flows?limit=3"
    async with answering(b'{"id":"f"}') as (url, _), Admin(url, "secret") as admin:
        assert await admin.flow("f") == {"id": "f"}


async def test_after_its_end_it_asks_nobody() -> None:
    """Whoever has kept it is told what it would be told of a gateway that is gone."""
    async with answering(b"{}") as (url, asked):
        async with Admin(url, "secret") as admin:
            pass
        with pytest.raises(Unreachable, match="has ended"):
            await admin.status()
    assert asked == []


@pytest.mark.parametrize(
    "body, status, kind, said",
    [
        (b'{"error":{"message":"no"}}', 403, Forbidden, "no"),
        (b'{"type":"error","error":{"type":"x","message":"gone"}}', 404, GatewayError, "gone"),
        (b"<html>", 502, GatewayError, "status 502"),
        (b"", 302, GatewayError, "status 302"),
        (b"[]", 200, Malformed, "not understood"),
        (b"\xff", 200, Malformed, "not understood"),
    ],
)
async def test_refusals_and_nonsense_are_told(body: bytes, status: int, kind: type[GatewayError], said: str) -> None:
    """What the gateway says is passed on, a redirect is not followed, nonsense is called that; no token is shown."""
    async with answering(body, status) as (url, asked), Admin(url, "secret") as admin:
        with pytest.raises(kind, match=said) as caught:
            await admin.status()
    assert "secret" not in f"{caught.value!r} {caught.value.hint}"
    assert len(asked) == 1


async def test_silence_is_told() -> None:
    """Nobody there, or nobody who answers in time."""
    async with answering(b"", 0) as (url, _), Admin(url, "secret", timeout=0.05) as admin:
        with pytest.raises(TimedOut):
            await admin.status()
    async with Admin(url, "secret") as admin:
        with pytest.raises(Unreachable):
            await admin.models()


async def test_status_does_not_wait_for_commands_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their providers' credentials are not known yet; the others are told, in the order of the configuration."""
    monkeypatch.setattr("strowger.gateway.status._CREDENTIAL_SECONDS", 0.1)
    hanging = {"command": [sys.executable, "-c", "import time; time.sleep(600)"]}
    url = "http://127.0.0.1:9"
    providers = {
        "a": provider("openai_chat", url, auth=hanging),
        "b": provider("openai_chat", url, auth="env:NO_SUCH_KEY"),
        "c": provider("openai_chat", url, auth=hanging),
        "d": provider("openai_chat", url),
        "e": ProviderConfig(
            dialect="openai_chat",
            base_url=url,
            accounts={"here": parse_reference("env:UPSTREAM_KEY"), "gone": parse_reference("env:NO_SUCH_KEY")},
        ),
    }
    async with gateway(config(providers)) as rig, Admin(rig.url, rig.gateway.access.admin_token) as admin:
        status = await admin.status()
    assert [(each.name, each.credential) for each in status.providers] == [
        ("a", "unknown"),
        ("b", "missing"),
        ("c", "unknown"),
        ("d", "ok"),
        ("e", "missing"),
    ]
    assert "account gone" in (status.providers[-1].problem or "")
    assert status.providers[0].problem == "it was not there within 0.1 s"


async def test_what_awaits_a_conversation() -> None:
    """The provider's own list is asked for once, and only that of the provider where the conversation leads."""
    listing = b'{"data":[{"id":"mid","context_length":131072,"top_provider":{"max_completion_tokens":8192}}]}'
    async with answering(listing) as (here, asked), answering(b"{}", 500) as (there, never):
        providers = {
            "a": ProviderConfig(dialect="openai_chat", base_url=f"{here}/v1"),
            "b": ProviderConfig(dialect="openai_chat", base_url=f"{there}/v1"),
        }
        routes = (RouteConfig(match=Match(model="*"), to="a:mid"),)
        async with gateway(config(providers, routes)) as rig:
            async with Admin(rig.url, rig.gateway.access.admin_token) as admin:
                found = await admin.prospect("", ["claude-opus-5-5", "x"], knows=["claude-*"], dialect="anthropic")
                again = await admin.prospect("", ["x"])
    assert found == again == Prospect(131072, "a:mid", 8192)
    assert (len(asked), len(never)) == (1, 0)


async def test_the_status_has_what_that_of_ccode_has() -> None:
    """Programs that ask for it find its four members, in its form, beside our own."""
    providers = {"a": ProviderConfig(dialect="openai_chat", base_url="http://llm.test/v1")}
    async with gateway(config(providers)) as rig:
        headers = {"authorization": f"Bearer {rig.gateway.access.admin_token}"}
        async with rig.session.get(f"{rig.url}/_strowger/status", headers=headers) as answer:
            told = await answer.json()
        async with Admin(rig.url, rig.gateway.access.admin_token) as admin:
            assert (await admin.status()).upstream_host == "llm.test"
    assert (told["ok"], told["upstream_host"], told["requests"]) == (True, "llm.test", 0)
    assert datetime.fromisoformat(told["started_at"]).timestamp() == pytest.approx(told["started"], abs=1)
