"""Responses over a WebSocket with clients that do not behave: no answer goes on unread, and none is mixed up."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest
import websockets

from tests.fakes.script import Delivery, Reply, Say, say
from tests.integration.conformance.responses_calls import ended, heard, socket, text_of, turn
from tests.integration.conformance.vendors import DIALECTS, Vendor, behind
from tests.integration.gateway.rig import CHAT_HELLO, config, gateway, provider, upstream

pytestmark = pytest.mark.anyio

SLOW = Reply(parts=(Say("word " * 200),), deltas=200, delivery=Delivery(pause=0.01))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_complaints(caplog: pytest.LogCaptureFixture) -> Any:
    """Whatever a client does, the server does not stumble."""
    yield
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == []


def create(**members: Any) -> str:
    """A frame that asks for an answer."""
    return msgspec.json.encode({"type": "response.create", **members}).decode()


@asynccontextmanager
async def answering(dialect: str = "anthropic") -> AsyncIterator[tuple[Vendor, aiohttp.ClientWebSocketResponse]]:
    """A connection on which a long answer has begun."""
    async with behind(dialect) as vendor:
        vendor.fake.script(SLOW)
        async with socket(vendor.rig) as opened:
            await opened.send_str(create(model=vendor.model, input="Go on."))
            with anyio.fail_after(30):
                while json.loads(await opened.receive_str())["type"] != "response.output_text.delta":
                    pass
            yield vendor, opened


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_client_that_closes_ends_the_upstreams_answer(dialect: str) -> None:
    """As soon as the close frame is there, not when the answer would be over."""
    async with answering(dialect) as (vendor, opened):
        await opened.close()
        await vendor.fake.until(lambda: vendor.fake.inferences()[0].ended == "left")
        assert (await vendor.rig.flow())["outcome"] == "cancelled"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_connection_that_breaks_ends_the_upstreams_answer(dialect: str) -> None:
    """Without a word of goodbye."""
    async with answering(dialect) as (vendor, opened):
        transport = opened._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()
        await vendor.fake.until(lambda: vendor.fake.inferences()[0].ended == "left")
        assert (await vendor.rig.flow())["outcome"] == "cancelled"


async def test_calls_that_come_at_once_are_answered_one_by_one() -> None:
    """Events of two answers are never mixed."""
    async with behind("anthropic") as vendor, socket(vendor.rig) as opened:
        vendor.fake.script(*[say(f"answer {number}") for number in range(5)])
        for number in range(5):
            await opened.send_str(create(model=vendor.model, input=f"question {number}"))
        answers = [ended(await heard(opened)) for _ in range(5)]
        assert [text_of(answer) for answer in answers] == [f"answer {number}" for number in range(5)]


async def test_a_frame_in_pieces_is_one_frame() -> None:
    """Fragments belong together, however many."""
    async with behind("openai_chat") as vendor:
        url = vendor.rig.url.replace("http", "ws") + "/v1/responses"
        async with websockets.connect(url, proxy=None) as opened:
            frame = create(model=vendor.model, input="grüße ☎")
            await opened.send([frame[at : at + 7] for at in range(0, len(frame), 7)])
            kinds: list[str] = []
            with anyio.fail_after(30):
                while kinds[-1:] != ["response.completed"]:
                    kinds.append(json.loads(await opened.recv())["type"])
        assert "grüße ☎" in vendor.fake.inferences()[0].raw.decode()


@pytest.mark.parametrize(
    "opcode, payload, code",
    [
        (aiohttp.WSMsgType.BINARY, create(model="m", input="x").encode(), aiohttp.WSCloseCode.UNSUPPORTED_DATA),
        (aiohttp.WSMsgType.TEXT, b"\xff\xfe", aiohttp.WSCloseCode.INVALID_TEXT),
        (aiohttp.WSMsgType.TEXT, b'"' + b"a" * (1024 * 1024 + 1) + b'"', aiohttp.WSCloseCode.MESSAGE_TOO_BIG),
    ],
    ids=["binary", "no UTF-8", "too large"],
)
async def test_frames_that_cannot_be(opcode: aiohttp.WSMsgType, payload: bytes, code: int) -> None:
    """The connection is closed with the code that says why."""
    async with upstream(_hello) as url:
        small = config({"up": provider("openai_chat", url)}, max_body_mb=1)
        async with gateway(small) as rig, socket(rig) as opened:
            await opened._writer.send_frame(payload, opcode)
            message = await opened.receive(5)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)


async def _hello(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
    return aiohttp.web.Response(body=CHAT_HELLO, content_type="text/event-stream")


async def test_half_a_frame_and_silence() -> None:
    """A client that dies within a frame leaves nothing behind, and others are served meanwhile."""
    async with behind("gemini") as vendor:
        async with socket(vendor.rig) as opened:
            transport = opened._response.connection.transport  # type: ignore[union-attr]
            assert transport is not None
            transport.write(b"\x81\xfe\x10\x00" + b"mask" + b"half a frame")
            async with socket(vendor.rig) as other:
                assert ended(await turn(other, {"model": vendor.model, "input": "Hi."}))["status"] == "completed"
            transport.abort()
        assert len(vendor.fake.inferences()) == 1


async def test_many_connections() -> None:
    """Each with its own history."""
    async with behind("openai_chat") as vendor:

        async def talk(number: int) -> None:
            async with socket(vendor.rig) as opened:
                asked = {"model": vendor.model, "store": False}
                first = ended(await turn(opened, {**asked, "input": f"I am number {number}."}))
                more = {**asked, "input": f"Who is {number}?", "previous_response_id": first["id"]}
                assert ended(await turn(opened, more))["status"] == "completed"

        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(talk, number)
        second = [seen.body["messages"] for seen in vendor.fake.inferences() if len(seen.body["messages"]) > 1]
        assert len(second) == 60
        for messages in second:
            number = messages[0]["content"].removeprefix("I am number ").removesuffix(".")
            assert messages[-1]["content"] == f"Who is {number}?"


async def test_a_shutdown_lets_the_answer_end() -> None:
    """What is under way comes to its end; then the connection is closed as by one who goes away."""
    go = anyio.Event()
    first, rest = CHAT_HELLO.split(b"\n\n", 2)[:2], CHAT_HELLO.split(b"\n\n", 2)[2]

    async def halting(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        response = aiohttp.web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"\n\n".join([*first, b""]))
        await go.wait()
        await response.write(rest)
        await response.write_eof()
        return response

    async def when_nobody_is_let_in(port: int) -> None:
        with anyio.fail_after(30):
            while True:
                try:
                    await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
                except OSError:
                    go.set()
                    return
                await anyio.lowlevel.checkpoint()

    messages: list[aiohttp.WSMessage] = []

    async def listen(opened: aiohttp.ClientWebSocketResponse) -> None:
        with anyio.fail_after(30):
            while not messages or messages[-1].type is aiohttp.WSMsgType.TEXT:
                messages.append(await opened.receive())

    async with upstream(halting) as url, aiohttp.ClientSession() as session, anyio.create_task_group() as tasks:
        async with gateway(config({"up": provider("openai_chat", url)}, grace_seconds=5)) as rig:
            opened = await session.ws_connect(f"{rig.url}/v1/responses", autoclose=False)
            await opened.send_str(create(model="m", input="Hi."))
            messages.append(await opened.receive(5))
            tasks.start_soon(listen, opened)
            tasks.start_soon(when_nobody_is_let_in, int(rig.url.rpartition(":")[2]))
    assert json.loads(messages[-2].data)["type"] == "response.completed"
    assert (messages[-1].type, messages[-1].data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)


@pytest.mark.parametrize(
    "path, status", [("/v1/responses", 400), ("/v1/messages", 404), ("/v1/responses/compact", 404)]
)
async def test_a_handshake_that_is_none(path: str, status: int) -> None:
    """An upgrade without a key, and one where there is no WebSocket, are refused in words."""
    async with behind("anthropic") as vendor:
        headers = {"connection": "upgrade", "upgrade": "websocket"}
        async with vendor.rig.session.get(vendor.rig.url + path, headers=headers) as response:
            assert response.status == status
            assert len((await response.json())["error"]["message"]) > 10
