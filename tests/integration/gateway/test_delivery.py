"""Delivery: heartbeats, silence, hang-ups, slow clients, shutdown. Deadlines are generous bounds, not measurements."""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import web

from strowger.config.schema import Match, RouteConfig
from strowger.dialects.openai_chat.response import ChatDecoder
from strowger.gateway.endpoints import Call
from strowger.gateway.lanes import Asked
from strowger.ir.events import Event
from strowger.ir.request import Request
from tests.integration.gateway.rig import (
    ANTHROPIC_HELLO,
    CHAT_HELLO,
    anthropic_request,
    chat_chunk,
    chat_request,
    config,
    gateway,
    provider,
    sse,
    upstream,
)

pytestmark = pytest.mark.anyio

HEADERS = {"content-type": "text/event-stream"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Slow:
    """An upstream that sends `first`, then waits for `go` (or for ever), then sends `rest`."""

    def __init__(self, first: bytes, rest: bytes = b"", *, before_headers: bool = False) -> None:
        self.first, self.rest, self.before_headers = first, rest, before_headers
        self.go = anyio.Event()
        self.arrived = anyio.Event()
        self.left = anyio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers=HEADERS)
        try:
            self.arrived.set()
            if self.before_headers:
                await self.go.wait()
            await response.prepare(request)
            if self.first:
                await response.write(self.first)
            if not self.before_headers:
                await self.go.wait()
            await response.write(self.rest)
        except asyncio.CancelledError:
            self.left.set()
            raise
        return response


async def test_a_silent_upstream_means_pings_for_the_client() -> None:
    """Clients abort a stream that says nothing; the pings stop when the answer goes on."""
    slow = Slow(ANTHROPIC_HELLO[:20], ANTHROPIC_HELLO[20:])
    slow.first, slow.rest = _split(CHAT_HELLO, b'data: {"id":"chatcmpl-1"', 2)
    async with upstream(slow) as url:
        async with gateway(config({"up": provider("openai_chat", url)}, heartbeat_seconds=0.03)) as rig:
            async with rig.session.post(rig.url + "/v1/messages", json=anthropic_request(stream=True)) as response:
                got = b""
                with anyio.fail_after(30):
                    while got.count(b"event: ping") < 3:
                        got += await response.content.readany()
                slow.go.set()
                got += await response.content.read()
    assert got.rstrip().endswith(b'{"type":"message_stop"}')


async def test_pings_come_even_before_the_upstream_has_answered_at_all() -> None:
    """A model that thinks before its first byte: the stream begins for the ping's sake."""
    slow = Slow(b"", CHAT_HELLO, before_headers=True)
    async with upstream(slow) as url:
        async with gateway(config({"up": provider("openai_chat", url)}, heartbeat_seconds=0.03)) as rig:
            async with rig.session.post(rig.url + "/v1/messages", json=anthropic_request(stream=True)) as response:
                assert response.status == 200
                got = await response.content.readuntil(b"\n\n")
                slow.go.set()
                got += await response.content.read()
    assert got.startswith(b"event: ping")
    assert got.count(b"event: message_start") == 1
    assert got.rstrip().endswith(b'{"type":"message_stop"}')


async def test_a_failure_after_a_ping_is_told_inside_the_stream() -> None:
    """The status is gone by then."""

    async def handler(request: web.Request) -> web.Response:
        await anyio.sleep(0.2)
        return web.Response(status=500, text="broken")

    async with upstream(handler) as url:
        async with gateway(config({"up": provider("openai_chat", url)}, heartbeat_seconds=0.03)) as rig:
            status, _, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
            flow = await rig.flow()
    assert status == 200
    error = answer[answer.index(b"event: error") :]
    assert b"broken" in error
    assert flow["response_bytes"] == len(error)  # pings are no part of the answer


async def test_a_fallback_is_still_possible_after_a_ping() -> None:
    """Nothing of an answer has been sent yet."""

    async def failing(request: web.Request) -> web.Response:
        await anyio.sleep(0.1)
        return web.Response(status=503, text="later")

    async def good(request: web.Request) -> web.Response:
        return web.Response(body=CHAT_HELLO, headers=HEADERS)

    async with upstream(failing) as a, upstream(good) as b:
        routes = [RouteConfig(match=Match(model="*"), to="a", fallback=("b",))]
        providers = {"a": provider("openai_chat", a), "b": provider("openai_chat", b)}
        async with gateway(config(providers, routes, heartbeat_seconds=0.02)) as rig:
            _, _, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
    assert b"event: ping" in answer
    assert answer.rstrip().endswith(b'{"type":"message_stop"}')


@pytest.mark.parametrize("dialect", ["anthropic", "openai_chat"])
async def test_a_dead_silence_ends_in_an_error(dialect: str) -> None:
    """Heartbeats must not hide a dead upstream for ever."""
    whole = ANTHROPIC_HELLO if dialect == "anthropic" else CHAT_HELLO
    slow = Slow(whole[: whole.index(b"\n\n", 40) + 2])
    async with upstream(slow) as url:
        async with gateway(
            config({"up": provider(dialect, url)}, heartbeat_seconds=0.05, idle_timeout_seconds=0.3)
        ) as rig:
            with anyio.fail_after(30):
                _, _, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
                await slow.left.wait()
            flow = await rig.flow()
    assert b"event: error" in answer
    assert b"silent for 0.3 seconds" in answer
    assert (flow["outcome"], flow["error_kind"]) == ("failed", "timeout")


async def test_a_silence_before_the_answer_is_a_status_or_a_fallback() -> None:
    """Without a stream there is no ping, so the status can still be told."""
    slow = Slow(b"", before_headers=True)
    async with upstream(slow) as url:
        async with gateway(config({"up": provider("openai_chat", url)}, idle_timeout_seconds=0.1)) as rig:
            with anyio.fail_after(30):
                status, _, answer = await rig.post("/v1/messages", anthropic_request())
    assert status == 504
    assert b"silent" in answer


@pytest.mark.parametrize("dialect", ["anthropic", "openai_chat"])
@pytest.mark.parametrize("early", [True, False])
async def test_a_client_that_hangs_up_closes_the_upstream(dialect: str, early: bool) -> None:
    """The user pressed Esc: the upstream must stop generating, and the flow says cancelled."""
    whole = ANTHROPIC_HELLO if dialect == "anthropic" else CHAT_HELLO
    slow = Slow(whole[: whole.index(b"\n\n", 40) + 2], before_headers=early)
    async with upstream(slow) as url, gateway(config({"up": provider(dialect, url)})) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))
        body = msgspec.json.encode(anthropic_request(stream=True))
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        with anyio.fail_after(30):
            await slow.arrived.wait()
            if not early:
                await reader.readuntil(b"event: ")
            writer.close()
            await slow.left.wait()
        flow = await rig.flow()
    assert flow["outcome"] == "cancelled"


async def test_what_breaks_between_two_connections_breaks_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that an event brings out while the call waits ends that call as any other does: told in its stream, and in
    its flow.
    """
    feed = ChatDecoder.feed

    def breaks(self: ChatDecoder, data: bytes) -> list[Event]:
        if b"boom" in data:
            raise ValueError("boom")
        return feed(self, data)

    monkeypatch.setattr(ChatDecoder, "feed", breaks)
    slow = Slow(sse(chat_chunk({"role": "assistant", "content": "Hi"})), sse(chat_chunk({"content": "boom"})))
    async with upstream(slow) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        async with rig.session.post(rig.url + "/v1/messages", json=anthropic_request(stream=True)) as response:
            got = await response.content.readuntil(b"text_delta")
            slow.go.set()
            got += await response.content.read()
        flow = await rig.flow()
    assert b"event: error" in got
    assert b"something broke inside the gateway" in got
    assert flow["outcome"] == "failed"
    assert flow["notes"] == ["internal error: ValueError: boom"]


async def test_a_slow_client_slows_the_upstream() -> None:
    """Back-pressure by pull: an unread answer does not pile up in the gateway."""
    piece = sse(chat_chunk({"content": "x" * 60_000}))
    written = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        for _ in range(2000):
            await response.write(piece)
            written += len(piece)
        return response

    async with upstream(handler) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", int(rig.url.rsplit(":", 1)[1])))
        body = msgspec.json.encode(chat_request(stream=True))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        await asyncio.get_running_loop().sock_sendall(sock, head + body)
        before = -1
        with anyio.fail_after(30):
            while written != before or not written:  # until the upstream can write no more
                before = written
                await anyio.sleep(0.3)
        sock.close()
    assert written < 40_000_000, "120 MB were offered; only the sockets' own buffers may fill"


async def test_shutdown_lets_running_answers_finish() -> None:
    """SIGTERM in the middle of an answer: the client gets all of it."""
    slow = Slow(*_split(CHAT_HELLO, b'data: {"id":"chatcmpl-1"', 2))
    answer: list[bytes] = []
    async with upstream(slow) as url, anyio.create_task_group() as tasks:

        async def ask(rig: Any) -> None:
            answer.append((await rig.post("/v1/messages", anthropic_request(stream=True)))[2])

        async with gateway(config({"up": provider("openai_chat", url)}, grace_seconds=5.0)) as rig:
            tasks.start_soon(ask, rig)
            await slow.arrived.wait()

            async def release() -> None:
                await anyio.sleep(0.05)
                slow.go.set()

            tasks.start_soon(release)
            # the rig's own session must outlive the server for this
            with anyio.fail_after(30):
                await rig.flow()
    assert answer[0].rstrip().endswith(b'{"type":"message_stop"}')


async def test_shutdown_ends_what_does_not_finish_in_time() -> None:
    """The grace is a limit; upstream connections are closed with the gateway."""
    slow = Slow(CHAT_HELLO[: CHAT_HELLO.index(b"\n\n") + 2])
    async with upstream(slow) as url, anyio.create_task_group() as tasks:

        async def ask(url: str) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
            body = msgspec.json.encode(anthropic_request(stream=True))
            writer.write(
                b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await reader.read()
            writer.close()

        with anyio.fail_after(30):
            async with gateway(config({"up": provider("openai_chat", url)}, grace_seconds=0.1)) as rig:
                tasks.start_soon(ask, rig.url)
                await slow.arrived.wait()
            await slow.left.wait()
        flow = next(iter(rig.gateway.recorder.latest(1)))
    assert flow.outcome == "cancelled"


def _split(body: bytes, mark: bytes, number: int) -> tuple[bytes, bytes]:
    """`body` cut before the `number`-th occurrence of `mark` (from 0)."""
    at = -1
    for _ in range(number + 1):
        at = body.index(mark, at + 1)
    return body[:at], body[at:]


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What comes until the gateway closes the connection."""
    with anyio.fail_after(30):
        return await reader.read(-1)


@pytest.mark.parametrize("begun", [b"", b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
async def test_a_connection_must_ask_something(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a whole head is closed; one whose call takes longer than that is not."""
    monkeypatch.setattr("strowger.gateway.server._FIRST_HEAD_SECONDS", 0.5)
    slow = Slow(CHAT_HELLO, before_headers=True)
    async with upstream(slow) as url, gateway(config({"c": provider("openai_chat", url)})) as rig:
        where = ("127.0.0.1", int(rig.url.rpartition(":")[2]))
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                status, _, _ = await rig.post("/v1/chat/completions", chat_request(stream=True))
                assert status == 200

            tasks.start_soon(call)
            with anyio.fail_after(30):
                await slow.arrived.wait()
            # Its time ends after the call's would have.
            reader, writer = await asyncio.open_connection(*where)
            writer.write(begun)
            assert await closed(reader) == b""
            slow.go.set()
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
async def test_a_connection_is_not_kept_for_ever(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an answer the next whole head is waited for, not longer than a while."""
    monkeypatch.setattr("strowger.gateway.server._KEEPALIVE_SECONDS", 0.2)
    async with gateway(config({"c": provider("openai_chat", "http://127.0.0.1:9")})) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rpartition(":")[2]))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + begun)
        assert (await closed(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@pytest.mark.parametrize("dialect", ["anthropic", "openai_chat"])
async def test_a_request_is_not_kept_while_its_answer_comes(dialect: str) -> None:
    """Answers take minutes, requests are large, and there may be hundreds at a time."""
    whole = ANTHROPIC_HELLO if dialect == "anthropic" else CHAT_HELLO
    at = whole.index(b"\n\n", 40) + 2
    slow = Slow(whole[:at], whole[at:])

    def all_of_them() -> list[object]:
        gc.collect()
        # Not by `isinstance`: a process that runs many tests has millions of objects.
        return [one for one in gc.get_objects() if type(one) in (Asked, Request, Call)]

    # What other tests of this process have left, in the traceback of an error for instance, is not ours.
    earlier = all_of_them()
    known = set(map(id, earlier))

    def held() -> set[str]:
        new = [one for one in all_of_them() if id(one) not in known and not _is_bare(one)]
        return {type(one).__name__ if not isinstance(one, Call) else "body" for one in new}

    async with upstream(slow) as url, gateway(config({"up": provider(dialect, url)})) as rig:
        async with rig.session.post(rig.url + "/v1/messages", json=anthropic_request(stream=True)) as response:
            await response.content.readuntil(b"\n\n")
            assert held() == set()
            slow.go.set()
            assert (await response.read()).rstrip().endswith(b'{"type":"message_stop"}')


def _is_bare(one: object) -> bool:
    """Whether this is a call whose body has been let go."""
    return isinstance(one, Call) and not one.body
