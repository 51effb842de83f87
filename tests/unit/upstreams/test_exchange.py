"""An answer over a WebSocket, told as HTTP would have told it: events as SSE, errors as statuses, asides aside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import msgspec
import pytest

from strowger.errors import Malformed, Truncated
from strowger.upstreams.exchange import Exchange, RefusedIncoming, as_sse, refusal_of

pytestmark = pytest.mark.anyio
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DONE = {"type": "response.completed", "response": {"id": "resp_1"}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Line:
    """A connection that only remembers what was asked of it."""

    def __init__(self) -> None:
        self.flow: list[str] = []
        self.freed: list[bool] = []

    def pause(self) -> None:
        self.flow.append("pause")

    def resume(self) -> None:
        self.flow.append("resume")

    def free(self, *, good: bool) -> None:
        self.freed.append(good)


class Played:
    """An exchange and what stands around it; `say` is the upstream."""

    def __init__(self) -> None:
        self.line = Line()
        self.asides: list[Any] = []
        self.exchange = Exchange(self.line, (("X-A", "b"),), self._aside, None)

    def _aside(self, data: bytes) -> None:
        self.asides.append(msgspec.json.decode(data)["type"])

    def say(self, *events: Any) -> None:
        for event in events:
            self.exchange.text(event if isinstance(event, bytes) else msgspec.json.encode(event))


def sse(event: Any) -> bytes:
    return f"event: {event['type']}\ndata: {msgspec.json.encode(event).decode()}\n\n".encode()


def ended(exchange: Exchange) -> bool:
    return exchange.ended


async def test_answer() -> None:
    """Events become SSE bytes; the last one ends the answer and leaves the connection good for another."""
    played = Played()
    played.say(CREATED)
    await played.exchange.begun()
    assert (played.exchange.status, dict(played.exchange.headers)) == (
        200,
        {"x-a": "b", "content-type": "text/event-stream"},
    )
    played.say(DONE)
    assert not ended(played.exchange)
    assert await played.exchange.read_all(1000) == sse(CREATED) + sse(DONE)
    assert ended(played.exchange)
    played.exchange.close()
    played.exchange.close()
    assert played.line.freed == [True]


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete", "response.failed"])
async def test_ends(kind: str) -> None:
    """However a response ends, its connection can carry another."""
    played = Played()
    played.say({"type": kind})
    assert await played.exchange.read_all(1000) == sse({"type": kind})
    played.exchange.close()
    assert played.line.freed == [True]


async def test_asides() -> None:
    """Limits and timings go aside, before, inside and after the answer; they neither begin nor end it."""
    played = Played()
    kinds = ("codex.rate_limits", "responsesapi.websocket_timing", "codex.response.metadata", "keepalive")
    played.say(*({"type": kind} for kind in kinds))
    assert not played.exchange.answered
    played.say(CREATED, {"type": kinds[0]}, DONE, {"type": kinds[1]})
    assert await played.exchange.read_all(1000) == sse(CREATED) + sse(DONE)
    assert played.asides == [*kinds, kinds[0], kinds[1]]
    played.exchange.close()
    assert played.line.freed == [True]


async def test_keepalive() -> None:
    """A sign of life inside an answer is passed on as a comment, so that nobody takes the silence for an end."""
    played = Played()
    played.say(CREATED, {"type": "keepalive"}, DONE)
    assert await played.exchange.read_all(1000) == sse(CREATED) + b": keepalive\n\n" + sse(DONE)


@pytest.mark.parametrize("aside", [True, False])
async def test_nobody_listens_aside(aside: bool) -> None:
    """Where nobody wants to know of limits, they are passed over."""
    exchange = Exchange(Line(), (), None, None)
    if aside:
        exchange.text(b'{"type":"codex.rate_limits"}')
    exchange.text(msgspec.json.encode(DONE))
    assert await exchange.read_all(1000) == sse(DONE)


async def test_metadata_does_not_begin() -> None:
    """What stands for headers may come before an error that is still the answer's status."""
    played = Played()
    played.say({"type": "response.metadata"}, {"type": "error", "status": 429, "error": {"code": "x"}})
    await played.exchange.begun()
    assert played.exchange.refusal is not None
    assert played.exchange.refusal.status == 429


async def test_error_inside() -> None:
    """An error after the answer has begun is passed on as it is; it ends the answer, and the connection is not kept."""
    played, error = Played(), {"type": "error", "status": 500, "error": {"code": "server_error"}}
    played.say(CREATED, error)
    assert await played.exchange.read_all(1000) == sse(CREATED) + sse(error)
    played.exchange.close()
    assert played.line.freed == [False]


async def test_words_after_the_end() -> None:
    """Whose answer is that? The connection is not kept."""
    played = Played()
    played.say(CREATED, DONE, CREATED)
    assert await played.exchange.read_all(1000) == sse(CREATED) + sse(DONE)
    played.exchange.close()
    assert played.line.freed == [False]


async def test_hang_up() -> None:
    """Closed before its end: the connection is not kept, and nothing is read any more."""
    played = Played()
    played.say(CREATED)
    assert await played.exchange.read()
    played.exchange.close()
    assert played.line.freed == [False]
    with pytest.raises(Truncated):
        await played.exchange.read()


@pytest.mark.parametrize(
    "error", [Truncated("broke off"), Malformed("a binary frame")], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize("begun", [False, True])
async def test_lost(error: Truncated | Malformed, begun: bool) -> None:
    """A connection that is lost: what has come is read, then the error comes; before the answer it comes at once."""
    played = Played()
    if begun:
        played.say(CREATED)
    played.exchange.lost(error)
    if begun:
        await played.exchange.begun()
        assert await played.exchange.read() == sse(CREATED)
    with pytest.raises(type(error)):
        await (played.exchange.read() if begun else played.exchange.begun())
    played.exchange.close()
    assert played.line.freed == [False]


async def test_lost_after_the_end() -> None:
    """Of an answer that is all there, nobody needs to know how its connection ended."""
    played = Played()
    played.say(CREATED, DONE)
    played.exchange.lost(Truncated("gone"))
    assert await played.exchange.read_all(1000) == sse(CREATED) + sse(DONE)
    played.exchange.close()
    assert played.line.freed == [False]


async def test_waiting() -> None:
    """Whoever waits, for the beginning or the next event, is woken by it, by a refusal, and by the end."""

    async def woken(
        wait: Callable[[Exchange], Awaitable[object]], then: Callable[[Played], None], *before: Any
    ) -> bool:
        played, done = Played(), False
        played.say(*before)

        async def waits() -> None:
            nonlocal done
            with suppress(Truncated):
                await wait(played.exchange)
            done = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waits)
            await asyncio.sleep(0)
            assert not done
            then(played)
        return done

    refusal = {"type": "error", "status": 400, "error": {}}
    assert await woken(Exchange.begun, lambda played: played.say(CREATED))
    assert await woken(Exchange.begun, lambda played: played.say(refusal))
    assert await woken(Exchange.begun, lambda played: played.exchange.lost(Truncated("x")))
    assert await woken(Exchange.read, lambda played: played.say(CREATED))
    assert await woken(Exchange.read, lambda played: played.exchange.lost(Truncated("x")))


async def test_back_pressure() -> None:
    """More than a reader has taken: the connection is not read until he has."""
    played = Played()
    big = {"type": "response.output_text.delta", "delta": "x" * 100_000}
    played.say(big, big)
    assert played.line.flow == []
    played.say(big)
    assert played.line.flow == ["pause"]
    assert len(await played.exchange.read()) > 300_000
    assert played.line.flow == ["pause", "resume"]
    played.say(big, big, big, DONE)
    played.exchange.close()
    assert (played.line.flow, played.line.freed) == (["pause", "resume"] * 2, [True])


@pytest.mark.parametrize(
    "data, framed",
    [
        (b'{"type":"a"}', b'event: a\ndata: {"type":"a"}\n\n'),
        (b'{\n "type":\r\n"a"}', b'event: a\ndata: {\ndata:  "type":\ndata: "a"}\n\n'),
    ],
)
def test_framing(data: bytes, framed: bytes) -> None:
    """An event with line breaks between its values is as many data lines."""
    assert as_sse("a", data) == framed


async def test_odd_texts() -> None:
    """What is no event, or has a type that would break the framing, is passed on without a name for others to judge."""
    played = Played()
    odd = (b"{this is not json", b'{"type":"a\\nb"}', b"[]", b'{"type":5}')
    played.say(*odd, DONE)
    assert await played.exchange.read_all(1000) == b"".join(b"data: " + one + b"\n\n" for one in odd) + sse(DONE)


@pytest.mark.parametrize(
    "event, status, headers, body, code",
    [
        (
            {
                "status": 429,
                "error": {"type": "usage_limit_reached", "resets_at": 5},
                "headers": {"x-a": "1", "retry-after": 7},
            },
            429,
            {"x-a": "1", "retry-after": "7"},
            {"error": {"type": "usage_limit_reached", "resets_at": 5}},
            "usage_limit_reached",
        ),
        (
            {"status_code": 401, "error": {"code": "token_expired"}},
            401,
            {},
            {"error": {"code": "token_expired"}},
            "token_expired",
        ),
        ({"status": "503", "error": {"code": 9}}, 503, {}, {"error": {"code": 9}}, "9"),
        ({"status": 400, "body": {"error": {"code": "a"}, "x": 1}}, 400, {}, {"error": {"code": "a"}, "x": 1}, "a"),
        ({"status": 400, "body": {"detail": "no"}}, 400, {}, {"detail": "no"}, ""),
        ({"status": 400, "detail": "no"}, 400, {}, {"detail": "no"}, ""),
        ({"status": 400, "error": "no"}, 400, {}, {"error": "no"}, ""),
        (
            {"status": 500, "code": "c", "message": "m"},
            500,
            {},
            {"error": {"type": None, "code": "c", "message": "m"}},
            "c",
        ),
        (
            {"error": {"type": "usage_not_included"}},
            429,
            {},
            {"error": {"type": "usage_not_included"}},
            "usage_not_included",
        ),
        (
            {"error": {"type": "server_error", "code": "slow_down"}},
            503,
            {},
            {"error": {"type": "server_error", "code": "slow_down"}},
            "slow_down",
        ),
        (
            {
                "status": 400,
                "error": {},
                "headers": {"Content-Length": "9", "a b": "c", "x": "y\nz", "l": [1], "t": True, "n": None},
            },
            400,
            {"t": "true"},
            {"error": {}},
            "",
        ),
        ({"status": 400, "error": {}, "headers": 5}, 400, {}, {"error": {}}, ""),
    ],
    ids=str,
)
def test_refusals(event: dict[str, Any], status: int, headers: dict[str, str], body: Any, code: str) -> None:
    """An error instead of an answer has the status, headers and body that HTTP would have had."""
    refusal = refusal_of(msgspec.json.encode({"type": "error", **event}))
    assert refusal is not None
    assert (refusal.status, refusal.code) == (status, code)
    assert dict(refusal.headers) == {**headers, "content-type": "application/json"}
    assert msgspec.json.decode(refusal.body) == body


@pytest.mark.parametrize(
    "event",
    [{}, {"code": "odd"}, {"status": 200}, {"status": "x"}, {"status": [1]}, {"error": {"type": "server_error"}}],
    ids=str,
)
async def test_no_refusals(event: dict[str, Any]) -> None:
    """An error that has no status, nor a code that tells one, is what HTTP would have sent inside a stream."""
    played, error = Played(), {"type": "error", **event}
    played.say(error)
    await played.exchange.begun()
    assert await played.exchange.read_all(1000) == sse(error)


@pytest.mark.parametrize("status, good", [(400, True), (429, True), (401, False), (403, False), (500, False)])
async def test_after_a_refusal(status: int, good: bool) -> None:
    """What one request did wrong says nothing of its connection; a refused credential or a broken server does."""
    played = Played()
    played.say({"type": "error", "status": status, "error": {"message": "secret"}})
    await played.exchange.begun()
    played.exchange.close()
    assert played.line.freed == [good]
    assert "secret" not in repr(played.exchange.refusal)


async def test_refused_incoming() -> None:
    """A refusal is read as any answer is."""
    incoming = RefusedIncoming(429, (("A", "b"),), b"no")
    assert (incoming.status, dict(incoming.headers), incoming.ended) == (429, {"a": "b"}, False)
    assert await incoming.read_all(10) == b"no"
    assert incoming.ended
    assert await incoming.read() == b""
    incoming.close()
