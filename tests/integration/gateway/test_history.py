"""What the admin API tells of calls, over a socket: pages from memory and from disk, messages, bodies, differences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
import pytest
from aiohttp import web

from strowger.client import Admin
from strowger.config.schema import Flows
from strowger.errors import GatewayError
from tests.integration.gateway.rig import (
    CHAT_HELLO,
    KEY,
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

PATH = "/v1/chat/completions"


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


async def hello(request: web.Request) -> web.StreamResponse:
    """An upstream that answers quickly, or refuses the model `bad`, or waits with the model `slow`."""
    body = await request.json()
    if body["model"] == "bad":
        return web.json_response({"error": {"message": "<b>no</b>", "type": "invalid_request_error"}}, status=400)
    if body["model"] == "slow":
        await anyio.sleep_forever()
    if body["model"] == "echo":
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "x-seen": KEY})
        await response.prepare(request)
        await response.write(sse(chat_chunk({"role": "assistant", "content": f"your key is {KEY}"})))
        await anyio.sleep_forever()
    return web.Response(body=CHAT_HELLO, content_type="text/event-stream")


@asynccontextmanager
async def running(flows: Flows) -> AsyncIterator[tuple[Rig, Admin]]:
    """A gateway with a store, and its admin client."""
    async with (
        upstream(hello) as url,
        gateway(config({"up": provider("openai_chat", url)}, flows=flows, grace_seconds=0.0)) as rig,
        Admin(rig.url, rig.gateway.access.admin_token) as admin,
    ):
        yield rig, admin


@pytest.fixture
def stored(tmp_path: Path) -> Flows:
    """Two calls in memory, all on disk."""
    return Flows(keep=2, file=str(tmp_path / "flows.db"))


async def on_disk(admin: Admin, calls: int) -> None:
    """Waits until so many calls that are over are written."""
    with anyio.fail_after(20):
        while (await admin.page("-outcome:running", count=True)).count != calls:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.01)


async def test_pages(stored: Flows) -> None:
    """Newest first, each call once, from memory and from disk alike; `next` leads on, and ends."""
    async with running(stored) as (rig, admin):
        for number in range(5):
            await rig.post(PATH, chat_request(model=f"m{number}", stream=True))
        await on_disk(admin, 5)
        first = await admin.page(limit=2, count=True)
        assert [flow["model"] for flow in first.flows] == ["m4", "m3"]
        assert first.count == 5
        second = await admin.page(limit=2, before=first.next)
        third = await admin.page(limit=2, before=second.next)
        assert [flow["model"] for page in (second, third) for flow in page.flows] == ["m2", "m1", "m0"]
        assert (second.count, third.next) == (None, None)
        assert [flow["model"] for flow in await admin.flows(where="model:m1,m4")] == ["m4", "m1"]


async def test_running_calls_are_on_the_first_page(stored: Flows) -> None:
    """Whatever the limit; a filter for them finds them, and one for those that are over does not."""
    async with running(stored) as (rig, admin), anyio.create_task_group() as tasks:
        await rig.post(PATH, chat_request(model="quick"))
        tasks.start_soon(rig.post, PATH, chat_request(model="slow"))
        with anyio.fail_after(20):
            while not await admin.flows(where="outcome:running model:slow"):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert [flow["model"] for flow in await admin.flows(1)] == ["slow", "quick"]
        assert [flow["model"] for flow in await admin.flows(9, "-outcome:running")] == ["quick"]
        tasks.cancel_scope.cancel()


async def test_one_call(stored: Flows) -> None:
    """By its id, by the beginning of it, as the last; of old ones the disk knows."""
    async with running(stored) as (rig, admin):
        for number in range(4):
            await rig.post(PATH, chat_request(model=f"m{number}"))
        await on_disk(admin, 4)
        oldest = (await admin.flows())[-1]
        assert (await admin.flow(oldest["id"]))["model"] == "m0"
        assert (await admin.flow(oldest["id"][:-3]))["id"] == oldest["id"]
        assert (await admin.flow("last"))["model"] == "m3"
        for name in ("flow_0000", "a b?c"):
            with pytest.raises(GatewayError, match="no flow") as refused:
                await admin.flow(name)
            assert refused.value.hint


async def test_what_went_over_the_wires(stored: Flows) -> None:
    """Heads without credentials, sizes and moments; bodies as bytes, as lines and event by event. At once."""
    async with running(stored) as (rig, admin):
        _, headers, answer = await rig.post(PATH, chat_request(stream=True), authorization="Bearer client-secret")
        flow = headers["x-strowger-flow"]
        messages = await admin.messages(flow)
        kinds = ["client_request", "forwarded", "upstream_response", "client_response"]
        assert [message.kind for message in messages] == kinds
        assert messages[0].line == f"POST {PATH}"
        assert KEY not in repr(messages)
        assert "client-secret" not in repr(messages)
        assert messages[3].size == messages[3].kept == len(answer)
        assert messages[3].last_ms is not None
        assert await admin.body(flow, "client_response") == answer
        lines = await admin.lines(flow, "client_request", offset=1, limit=2)
        assert (lines.offset, len(lines.lines)) == (1, 2)
        assert lines.total > 3
        events = await admin.answer_events(flow, "upstream_response", 0)
        assert events.total == len(events.events) == 6
        assert events.events[1].kind == "chat.completion.chunk"
        assert '"Hello"' in events.events[1].data


async def test_a_running_call_can_be_looked_at(stored: Flows) -> None:
    """What has come so far is told, and no credential in it, also where the provider repeats one."""
    async with running(stored) as (rig, admin), anyio.create_task_group() as tasks:
        tasks.start_soon(rig.post, PATH, chat_request(model="echo", stream=True))
        with anyio.fail_after(20):
            while not (flows := await admin.flows(where="outcome:running response_bytes:>0")):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            flow = flows[0]["id"]
            while len(await admin.messages(flow)) < 4:  # noqa: ASYNC110 - the requests are on their way to the disk
                await anyio.sleep(0.01)
        said = (await admin.transcript(flow, last=0)).answer
        assert said is not None
        assert ["your key" in piece.text for piece in said.pieces] == [True]
        body = await admin.body(flow, "upstream_response")
        assert b"your key is" in body
        assert KEY not in f"{body!r} {await admin.messages(flow)} {await admin.body(flow, 'client_response')!r}"
        tasks.cancel_scope.cancel()


async def test_odd_bytes_of_a_running_call_are_told(stored: Flows) -> None:
    """Its head is still as it came; JSON has no word for bytes that are no text."""
    async with running(stored) as (rig, admin):
        body = b'{"model":"slow","messages":[]}'
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n".encode()
        async with await anyio.connect_tcp("127.0.0.1", int(rig.url.rpartition(":")[2])) as stream:
            await stream.send(head + b"X-Odd: y\xff\r\n\r\n" + body)
            with anyio.fail_after(20):
                while not (flows := await admin.flows(where="outcome:running")):  # noqa: ASYNC110 - nobody tells
                    await anyio.sleep(0.01)
            asked = (await admin.messages(flows[0]["id"]))[0]
            assert [value for name, value in asked.headers if name == "X-Odd"] == ["y\ufffd"]


async def test_what_was_said(stored: Flows) -> None:
    """As people read it: the last turns with their pieces, and the answer; nothing where nothing is kept."""
    async with running(stored) as (rig, admin):
        said = [{"role": "user", "content": text} for text in ("one", "two", "x" * 30_000)]
        await rig.post(PATH, chat_request(messages=said, stream=True))
        found = await admin.transcript("last", last=2)
        assert (found.readable, found.earlier) == (True, 1)
        assert [(turn.role, turn.pieces[0].text[:3]) for turn in found.turns] == [("user", "two"), ("user", "xxx")]
        assert found.turns[1].pieces[0].left_out == 10_000
        assert found.answer is not None
        assert [piece.text for piece in found.answer.pieces] == ["Hello you"]
        await rig.post(PATH, b"{")
        broken = await admin.transcript("last")
        assert (broken.readable, broken.turns, broken.answer) == (False, (), None)


async def test_bytes_are_no_page(stored: Flows) -> None:
    """What a model wrote is saved, never shown by the browser itself."""
    async with running(stored) as (rig, _):
        await rig.post(PATH, chat_request(model="bad"))
        token = {"authorization": f"Bearer {rig.gateway.access.admin_token}"}
        url = f"{rig.url}/_strowger/flows/last/body?kind=client_response"
        async with rig.session.get(url, headers=token) as answer:
            assert b"<b>no</b>" in await answer.read()
            assert answer.content_type == "application/octet-stream"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"] == "attachment"


async def test_what_was_changed(stored: Flows) -> None:
    """The client's request beside the one that was forwarded."""
    async with running(stored) as (rig, admin):
        await rig.post(PATH, chat_request(model="up:other", stream=True))
        found = await admin.compare("last")
        assert found.line[0] == f"POST {PATH}"
        assert found.line[1].startswith("POST http://127.0.0.1")
        assert (found.likeness, found.number, found.numbers) == ("different", 0, (0,))
        assert any(line.startswith("-") and "up:other" in line for line in found.body)
        with pytest.raises(GatewayError, match="no forwarded number 7"):
            await admin.compare("last", 7)


async def test_sums(stored: Flows) -> None:
    """By what calls have in common, and by session with the tree of its agents."""
    async with running(stored) as (rig, admin):
        session = {"x_claude_code_session_id": "s-1", "user_agent": "claude-cli/2"}
        sub = {"x_claude_code_agent_id": "a-1", "x_claude_code_agent_type": "Explore"}
        await rig.post(PATH, chat_request(model="m1", stream=True), **session)
        await rig.post(PATH, chat_request(model="m2", stream=True), **session, **sub)
        await rig.post(PATH, chat_request(model="bad"))
        await on_disk(admin, 3)
        usage = await admin.usage(("provider", "model"), since="1h")
        assert usage.by == ("provider", "model")
        assert sorted((row["calls"], row["errors"]) for row in usage.rows) == [(1, 1), (2, 0)]
        assert (await admin.usage(where="outcome:cancelled")).rows == ()
        (found,) = await admin.sessions()
        assert (found.session, found.program, found.calls, found.input) == ("s-1", "claude", 2, 18)
        (main,) = found.agents
        assert (main.agent_id, main.calls, main.own["calls"]) == (None, 2, 1)
        assert [(agent.agent_id, agent.agent_type, agent.calls) for agent in main.children] == [("a-1", "Explore", 1)]
        assert await admin.sessions("session:other") == ()


@pytest.mark.parametrize(
    "path, said",
    [
        ("flows?where=modell:x", "no field"),
        ("flows?limit=many", "limit: expected a number"),
        ("flows?before=-1", "before: expected a number"),
        ("flows/last/body?kind=secret", "there is no"),
        ("flows/last/body?as=html", "there is no form"),
        ("flows/last/nothing", "has nothing at"),
        ("usage?by=mood", "cannot be put together"),
        ("usage?since=7d%20model:x", "expected one time"),
        ("nothing", "has nothing at"),
    ],
)
async def test_errors_say_what_to_do(stored: Flows, path: str, said: str) -> None:
    """As JSON, whoever asks, with a hint beside the message."""
    async with running(stored) as (rig, _):
        await rig.post(PATH, chat_request())
        token = {"authorization": f"Bearer {rig.gateway.access.admin_token}", "anthropic-version": "2023-06-01"}
        async with rig.session.get(f"{rig.url}/_strowger/{path}", headers=token) as answer:
            error = (await answer.json())["error"]
            assert answer.status in (400, 404)
            assert said in error["message"]
            assert error["hint"]


async def test_without_a_store(tmp_path: Path) -> None:
    """Memory is all there is: it is told, and so is what is missing."""
    async with running(Flows(store=False, file=str(tmp_path / "flows.db"))) as (rig, admin):
        await rig.post(PATH, chat_request(model="m1"))
        await rig.post(PATH, chat_request(model="m2"))
        assert [flow["model"] for flow in await admin.flows(where="model:m1")] == ["m1"]
        assert (await admin.flow("last"))["model"] == "m2"
        assert await admin.messages("last") == ()
        assert (await admin.store()).on is False
        for asking in (admin.usage(), admin.sessions()):
            with pytest.raises(GatewayError, match="nothing is stored") as refused:
                await asking
            assert "flows.store" in (refused.value.hint or "")
    assert not (tmp_path / "flows.db").exists()


async def test_only_with_the_token(stored: Flows) -> None:
    """A client's token is not enough, and nothing is told before."""
    async with running(stored) as (rig, _), aiohttp.ClientSession() as stranger:
        for path in (
            "flows",
            "flows/last",
            "flows/last/body",
            "usage",
            "sessions",
            "cache",
            "store",
            "events",
            "quota",
        ):
            async with stranger.get(f"{rig.url}/_strowger/{path}") as answer:
                assert answer.status == 403, path
