"""FakeResponses over a WebSocket: the vendor's SDK and bare frames, what a socket remembers and how it breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from openai import AsyncOpenAI

from tests.fakes.brain import HELLO
from tests.fakes.responses import KEY, FakeResponses, connection_limit, no_sockets, rate_limited
from tests.fakes.responses_flavours import CODEX
from tests.fakes.responses_parts import at_capacity
from tests.fakes.script import Call, Delivery, Hang, Reply, Say, Usage, say

pytestmark = pytest.mark.anyio
CREATE: dict[str, Any] = {
    "type": "response.create",
    "model": "gpt-5.5",
    "store": False,
    "input": [{"role": "user", "content": "hi"}],
}
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


@pytest.fixture
async def fake() -> AsyncIterator[FakeResponses]:
    async with FakeResponses() as server:
        yield server


@asynccontextmanager
async def connected(fake: FakeResponses, key: str = KEY) -> AsyncIterator[ClientWebSocketResponse]:
    url = f"{fake.root}/responses".replace("http:", "ws:")
    headers = {"authorization": f"Bearer {key}"}
    async with ClientSession() as session, session.ws_connect(url, headers=headers, compress=15) as socket:
        yield socket


async def turn(socket: ClientWebSocketResponse, **more: Any) -> list[Any]:
    """The frames that answer one request."""
    await socket.send_json({**CREATE, **more})
    return await rest(socket)


async def rest(socket: ClientWebSocketResponse) -> list[Any]:
    """The frames to the end of a response."""
    events: list[Any] = []
    while not events or events[-1]["type"] not in ENDS:
        events.append(await socket.receive_json(timeout=30))
    return events


async def test_sdk(fake: FakeResponses) -> None:
    """The SDK's socket carries turn after turn; what comes is what HTTP would stream."""
    async with (
        AsyncOpenAI(base_url=fake.root, api_key=KEY, max_retries=0) as sdk,
        sdk.responses.connect() as connection,
    ):
        for _ in range(2):
            await connection.response.create(model="gpt-5.5", input="hi", store=False)
            kinds, texts = [], []
            async for event in connection:
                kinds.append(event.type)
                if event.type == "response.output_text.done":
                    texts.append(event.text)
                if event.type == "response.completed":
                    break
            assert (kinds[0], texts) == ("response.created", [HELLO])
    assert [(seen.method, seen.ended) for seen in fake.inferences()] == [("WS", "sent"), ("WS", "sent")]


async def test_continuing_on_the_same_socket(fake: FakeResponses) -> None:
    """Prewarmed, then continued with only what is new: the socket remembers although nothing is stored."""
    call = Reply(parts=(Call("ls", {}, "call_1"),))
    async with connected(fake) as socket:
        warm = await turn(socket, generate=False)
        assert [event["type"] for event in warm] == ["response.created", "response.completed"]
        fake.script(call)
        first = await turn(socket, previous_response_id=warm[-1]["response"]["id"], input=[])
        output = [{"type": "function_call_output", "call_id": "call_1", "output": "a b"}]
        second = await turn(socket, previous_response_id=first[-1]["response"]["id"], input=output)
    assert "«a b»" in second[-1]["response"]["output"][-1]["content"][0]["text"]


async def test_the_past_is_checked_too(fake: FakeResponses) -> None:
    """What continues has to answer the calls of what it continues."""
    fake.script(Reply(parts=(Call("ls", {}, "call_1"),)))
    async with connected(fake) as socket:
        first = await turn(socket)
        error = (await turn(socket, previous_response_id=first[-1]["response"]["id"]))[-1]
    assert error["error"]["message"] == "No tool output found for function call call_1."
    assert error["status"] == 400


async def test_only_the_last_is_remembered(fake: FakeResponses) -> None:
    """Of what was not stored a socket knows its last response, no other socket's, and none that a failure took away."""
    async with connected(fake) as socket, connected(fake) as other:
        older = (await turn(socket))[-1]["response"]["id"]
        last = (await turn(socket))[-1]["response"]["id"]
        for where, identifier in ((other, last), (socket, older), (socket, last)):
            error = (await turn(where, previous_response_id=identifier))[-1]["error"]
            assert (error["code"], error["param"]) == ("previous_response_not_found", "previous_response_id")
        stored = (await turn(socket, store=True))[-1]["response"]["id"]
        assert (await turn(other, previous_response_id=stored))[-1]["type"] == "response.completed"


async def test_codex_continues_but_never_stores(fake: FakeResponses) -> None:
    """The Codex backend continues on a socket; store has to be false there too, and a socket is a stream anyway."""
    async with FakeResponses(CODEX) as codex, connected(codex) as socket:
        first = await turn(socket, client_metadata={})
        assert first[-1]["response"]["output"] == []
        assert (await turn(socket, previous_response_id=first[-1]["response"]["id"]))[-1][
            "type"
        ] == "response.completed"
        error = (await turn(socket, store=True))[-1]
        assert error["error"]["message"] == "Store must be set to false"


async def test_one_at_a_time(fake: FakeResponses) -> None:
    """While a response is under way on a lane, another is refused there; on another lane it is not."""
    fake.script(say("slow", delivery=Delivery(cut="stall", cut_after=3)))
    async with connected(fake) as socket:
        await socket.send_json(CREATE)
        for _ in range(3):
            await socket.receive_json(timeout=30)
        error = (await turn(socket))[-1]
        assert error["error"]["code"] == "response_already_in_progress"
        events = await turn(socket, stream_id="b")
    assert {event["stream_id"] for event in events} == {"b"}
    assert events[-1]["type"] == "response.completed"


async def test_refusals_are_wrapped(fake: FakeResponses) -> None:
    """A rule that is broken, or a scripted error, is an error frame with its status; the socket stays open."""
    fake.script(rate_limited(7))
    async with connected(fake) as socket:
        limited = (await turn(socket))[-1]
        assert (limited["status"], limited["error"]["code"]) == (429, "rate_limit_exceeded")
        assert limited["headers"]["retry-after"] == "7"
        unknown = (await turn(socket, n=2))[-1]
        assert (unknown["status"], unknown["error"]["code"]) == (400, "unknown_parameter")
        await socket.send_str("{")
        assert "could not parse" in (await rest(socket))[-1]["error"]["message"]
        await socket.send_json({"type": "session.update"})
        assert (await rest(socket))[-1]["error"]["code"] == "invalid_value"
        fake.script(at_capacity())
        assert (await turn(socket))[-1]["type"] == "response.failed"
        assert (await turn(socket))[-1]["type"] == "response.completed"
    seen = fake.inferences()[1]
    assert (seen.status, seen.refused, seen.ended) == (400, "Unknown parameter: 'n'.", "sent")


async def test_steering_is_refused(fake: FakeResponses) -> None:
    """Steering gets the answer of a model that does not have it."""
    async with connected(fake) as socket:
        await socket.send_json({"type": "response.steer", "previous_response_id": "resp_1", "input": "stop"})
        told = await socket.receive_json(timeout=30)
    assert (told["type"], told["error"]["code"]) == ("response.steer.failed", "steering_not_supported")


async def test_life_of_a_socket_ends(fake: FakeResponses) -> None:
    """At the connection limit an error frame says so and the socket is closed."""
    fake.script(connection_limit())
    async with connected(fake) as socket:
        error = (await turn(socket))[-1]
        assert error["error"]["code"] == "websocket_connection_limit_reached"
        assert (await socket.receive(timeout=30)).type is WSMsgType.CLOSE


@pytest.mark.parametrize("upgrade, status", [(no_sockets(), 426), (rate_limited(), 429)])
async def test_handshake_is_refused(upgrade: Any, status: int) -> None:
    """A script can refuse the handshake; HTTP goes on working."""
    async with FakeResponses(upgrade=upgrade) as fake:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(fake):
                pass
        assert refused.value.status == status
        async with AsyncOpenAI(base_url=fake.root, api_key=KEY, max_retries=0) as sdk:
            assert (await sdk.responses.create(model="gpt-5.5", input="hi")).output_text == HELLO


async def test_handshake_needs_a_key(fake: FakeResponses) -> None:
    """A socket opens with a known key only."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(fake, "wrong-key"):
            pass
    assert refused.value.status == 401


@pytest.mark.parametrize("cut", ["drop", "eof", "error", "garbage"])
async def test_broken_off(fake: FakeResponses, cut: Any) -> None:
    """A script can break a response off: the connection is gone, or an error comes, or a frame that is not JSON."""
    fake.script(say("abc", delivery=Delivery(cut=cut, cut_after=4, error=("server_error", "went wrong"))))
    async with connected(fake) as socket:
        await socket.send_json(CREATE)
        for _ in range(4):
            assert (await socket.receive_json(timeout=30))["type"] not in ENDS
        after = await socket.receive(timeout=30)
        if cut == "error":
            assert after.json()["error"]["message"] == "went wrong"
        elif cut == "garbage":
            assert after.data == "{this is not json"
            assert (await rest(socket))[-1]["type"] == "response.completed"
        else:
            assert after.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
    await fake.until(lambda: fake.inferences()[0].ended == "cut")


async def test_no_answer(fake: FakeResponses) -> None:
    """A script can drop the connection before any frame; a binary frame ends it too."""
    fake.script(Hang(drop=True))
    async with connected(fake) as socket:
        await socket.send_json(CREATE)
        assert (await socket.receive(timeout=30)).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
    async with connected(fake) as socket:
        await socket.send_bytes(b"{}")
        assert (await socket.receive(timeout=30)).type is WSMsgType.CLOSE


async def test_scripts_tell_the_same_as_over_http(fake: FakeResponses) -> None:
    """A scripted answer has the same items and usage in frames as in a stream."""
    reply = Reply(parts=(Say("one"), Call("ls", {}, "call_1")), usage=Usage(fresh=3, cached=7, output=5))
    fake.script(reply, reply)
    async with connected(fake) as socket:
        frames = await turn(socket)
    async with AsyncOpenAI(base_url=fake.root, api_key=KEY, max_retries=0) as sdk:
        stream = await sdk.responses.create(model="gpt-5.5", input="hi", stream=True)
        events = [event async for event in stream]
    assert [frame["type"] for frame in frames] == [event.type for event in events]
    assert frames[-1]["response"]["usage"]["input_tokens"] == 10
