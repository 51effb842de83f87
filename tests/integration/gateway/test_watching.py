"""The event stream of the admin API over a socket: what is told when, who may listen, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import pytest
from aiohttp import web
from anyio.abc import TaskStatus

from strowger.client import Admin, Event
from strowger.errors import Forbidden, GatewayError
from strowger.providers.quota import Reading
from tests.integration.gateway.rig import (
    CHAT_HELLO,
    Rig,
    chat_chunk,
    chat_request,
    config,
    gateway,
    provider,
    sse,
    upstream,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


@pytest.fixture(autouse=True)
def quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulse comes each second; a test does not wait for that."""
    monkeypatch.setattr("strowger.gateway.watching.PULSE_SECONDS", 0.05)


class Upstream:
    """An answer that stays open until it is let go."""

    def __init__(self) -> None:
        self.go = anyio.Event()
        self.troubled = False
        self.asked = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked += 1
        if self.troubled and self.asked == 1:
            return web.json_response({"error": {"message": "no room"}}, status=503)
        if self.troubled:
            await self.go.wait()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(sse(chat_chunk({"role": "assistant", "content": "He"})))
        await self.go.wait()
        await response.write(CHAT_HELLO)
        return response


@asynccontextmanager
async def running(**server: Any) -> AsyncIterator[tuple[Rig, Admin, Upstream]]:
    """A gateway, its admin client, and what stands behind it."""
    behind = Upstream()
    async with (
        upstream(behind.answer) as url,
        gateway(config({"up": provider("openai_chat", url)}, **server)) as rig,
        Admin(rig.url, rig.gateway.access.admin_token) as admin,
    ):
        yield rig, admin, behind


async def until(events: AsyncIterator[Event], kind: str, **wanted: object) -> dict[str, Any]:
    """The next event of a kind in which these members have these values."""
    with anyio.fail_after(20):
        async for event in events:
            if event.kind == kind and all(event.data.get(name) == value for name, value in wanted.items()):
                told: dict[str, Any] = event.data
                return told
    raise AssertionError(f"the stream ended before {kind} {wanted}")


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until it is so."""
    with anyio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await anyio.sleep(0.005)


async def test_a_call_is_told_as_it_goes() -> None:
    """Who watches sees it begin, sees it grow each second, and sees it end; who comes later is told that it runs."""
    async with (
        running() as (rig, admin, behind),
        anyio.create_task_group() as tasks,
        aclosing(admin.events()) as events,
    ):
        assert (await until(events, "pulse"))["running"] == 0
        tasks.start_soon(rig.post, "/v1/chat/completions", chat_request(stream=True))
        began = await until(events, "flow", outcome="running")
        assert began["path"] == "/v1/chat/completions"
        opened = await until(events, "flow", id=began["id"], provider="up")
        assert opened["outcome"] == "running"
        pulse = await until(events, "pulse", running=1, calls=1)
        while not pulse["flows"]:
            pulse = await until(events, "pulse")
        assert pulse["flows"][0]["id"] == began["id"]
        assert pulse["flows"][0]["response_bytes"] > 0
        assert pulse["bytes_per_second"] > 0
        async with aclosing(admin.events()) as late:
            assert (await until(late, "flow"))["id"] == began["id"]
        behind.go.set()
        ended = await until(events, "flow", id=began["id"], outcome="ok")
        assert ended["tokens"] == {"input": 9, "output": 2}
        assert (await until(events, "pulse", running=0))["calls"] == 1


async def test_another_attempt_is_told() -> None:
    """Of a call that waits, it is seen what was tried so far; once, not with each pulse."""
    async with (
        running() as (rig, admin, behind),
        anyio.create_task_group() as tasks,
        aclosing(admin.events()) as events,
    ):
        behind.troubled = True
        await until(events, "pulse")
        tasks.start_soon(rig.post, "/v1/chat/completions", chat_request(stream=True))
        began = await until(events, "flow")
        assert (began["model"], began["outcome"], began["attempts"]) == ("m", "running", [])
        told = began
        while [attempt["status"] for attempt in told["attempts"]] != [503, 0]:
            told = await until(events, "flow")
        assert (told["outcome"], told["first_byte_ms"]) == ("running", None)
        kinds = [(await anext(events)).kind for _ in range(6)]
        assert "flow" not in kinds
        behind.go.set()
        await until(events, "flow", outcome="ok")


async def test_a_filter_is_kept_to() -> None:
    """`where` chooses calls; a filter that is none is told with a hint, before the stream begins."""
    async with running() as (rig, admin, behind), aclosing(admin.events("model:b")) as events:
        behind.go.set()
        await until(events, "pulse")
        for model in ("a", "b"):
            await rig.post("/v1/chat/completions", chat_request(model=model))
        assert (await until(events, "flow"))["model"] == "b"
        with pytest.raises(GatewayError, match="no field `modell`") as refused:
            await anext(admin.events("modell:b"))
        assert "`model`" in (refused.value.hint or "")


async def test_changes_of_the_quota_are_told() -> None:
    """At the beginning and when it has changed, not each second."""
    async with running() as (rig, admin, _), aclosing(admin.events()) as events:
        assert await until(events, "quota") == {"accounts": [], "resting": [], "breakers": []}
        kinds = [(await anext(events)).kind for _ in range(6)]
        assert "pulse" in kinds
        assert "quota" not in kinds
        up = rig.gateway.line.routes.providers["up"]
        rig.gateway.line.health.note(up, None, Reading(at=1000.0, plan="pro"))
        assert (await until(events, "quota"))["accounts"][0]["plan"] == "pro"


async def test_without_the_token_nothing_is_told() -> None:
    """Not even that there is a stream."""
    async with running() as (rig, _, _), Admin(rig.url, "wrong") as stranger:
        with pytest.raises(Forbidden, match="admin token") as refused:
            await anext(stranger.events())
    assert "pid file" in (refused.value.hint or "")


async def test_who_leaves_is_forgotten() -> None:
    """The queue of a watcher goes with the connection."""
    async with running() as (rig, admin, _):
        async with aclosing(admin.events()) as events:
            await until(events, "pulse")
            assert rig.gateway.feed.watched == 1
        await eventually(lambda: not rig.gateway.feed.watched)


async def test_the_stream_ends_with_the_gateway() -> None:
    """A gateway that is told to stop does not wait for who watches it, and the stream has a proper end."""
    seen: list[str] = []

    async def watch(admin: Admin, *, task_status: TaskStatus[None]) -> None:
        async for event in admin.events():
            if not seen:
                task_status.started()
            seen.append(event.kind)
        seen.append("the end")

    async def watched() -> None:
        async with anyio.create_task_group() as tasks, Admin(rig.url, rig.gateway.access.admin_token) as admin:
            await tasks.start(watch, admin)
            await stopping.wait()

    stopping = anyio.Event()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            async with running(grace_seconds=600) as (rig, _, _):
                tasks.start_soon(watched)
                await eventually(lambda: bool(seen))
            stopping.set()
    assert seen[-1] == "the end"
