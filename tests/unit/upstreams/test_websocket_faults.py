"""Answers that are none, connections that break, and going on from an answer: what may be sent again, and what not."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from strowger.errors import Malformed, Truncated, Unanswered
from tests.unit.upstreams.lines import (
    ANSWER,
    CREATED,
    DONE,
    HI,
    ITEM,
    LIMIT,
    NOT_FOUND,
    OVER_HTTP,
    SECRET,
    Line,
    connected,
    failure,
    nothing,
    second,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# ---- errors instead of an answer ----


@pytest.mark.parametrize("status, again", [(429, 1), (400, 1), (401, 2), (503, 2)])
async def test_refused(status: int, again: int) -> None:
    """An error instead of an answer has its status and body, as over HTTP, and the connection is kept if it is good."""
    async with connected() as line:
        error = {"type": "error", "status": status, "error": {"code": "c"}, "headers": {"x-a": "b"}}
        assert await line.ask(line.says(error)) == (status, b'{"error":{"code":"c"}}')
        await line.ask(line.says(CREATED, DONE, texts=2) if again == 1 else second(line))
        assert (len(line.peers), line.http.asked) == (again, [])


async def test_end_of_life() -> None:
    """A connection that has come to its end before the answer: again on a new one, and nobody sees it."""
    async with connected() as line:
        await line.ask(line.says(CREATED, DONE))

        async def answer() -> None:
            (await line.heard(2, 0)).say(LIMIT)
            await second(line)()

        assert (await line.ask(answer))[0] == 200
        assert [len(peer.texts) for peer in line.peers] == [2, 1]


async def test_end_of_life_for_ever() -> None:
    """A host whose connections are always at their end is asked over HTTP."""
    async with connected() as line:

        async def answer() -> None:
            for peer in range(3):
                async with asyncio.timeout(5):
                    while len(line.peers) <= peer:  # noqa: ASYNC110  the peers are plain data
                        await asyncio.sleep(0)
                (await line.heard(1, peer)).say(LIMIT)

        assert await line.ask(answer) == (200, OVER_HTTP)


# ---- connections that break ----


async def test_kept_connection_was_being_closed() -> None:
    """A kept connection that closes as it is used: the request goes out again, on a new one."""
    for code in (0, 1000):
        async with connected() as line:
            await line.ask(line.says(CREATED, DONE))

            async def answer(line: Line = line, code: int = code) -> None:
                (await line.heard(2, 0)).hang_up(code)
                await second(line)()

            assert (await line.ask(answer))[0] == 200
            assert line.http.asked == []


async def test_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept connection on which nothing comes any more, not even a pong, as after a laptop has slept: a new one."""
    monkeypatch.setattr("strowger.upstreams.websocket._STALE_SECONDS", 0.0)
    async with connected(doubt=0.02) as line:
        await line.ask(line.says(CREATED, DONE))
        line.peers[0].deaf = True
        assert (await line.ask(second(line)))[0] == 200
        assert (line.peers[0].aborted, line.http.asked) == (True, [])


@pytest.mark.parametrize("pongs", [True, False])
async def test_slow_is_not_dead(pongs: bool) -> None:
    """A kept connection whose upstream is slow, but answers pings or never did, is waited for."""
    async with connected(doubt=0.01, pongs=pongs) as line:
        await line.ask(line.says(CREATED, DONE))
        peer = line.peers[0]

        async def late() -> None:
            await line.heard(2)
            await asyncio.sleep(0.05)
            peer.say(CREATED, DONE)

        assert (await line.ask(late))[0] == 200
        assert len(line.peers) == 1


async def test_gone_meanwhile() -> None:
    """A kept connection that was closed meanwhile is not used."""
    async with connected() as line:
        await line.ask(line.says(CREATED, DONE))
        line.peers[0].hang_up(1000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (await line.ask(second(line)))[0] == 200


@pytest.mark.parametrize("code", [0, 1011])
async def test_closed_without_an_answer(code: int) -> None:
    """A new connection that breaks may have been read: an error, not another request. The next one goes over HTTP."""
    async with connected() as line:

        async def answer() -> None:
            (await line.heard(1)).hang_up(code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            words = await failure(line.upstream.open(line.out()), Unanswered)
        assert "without an answer" in words
        assert SECRET not in words
        assert line.http.asked == []
        assert await line.ask(nothing) == (200, OVER_HTTP)


@pytest.mark.parametrize("code", [1008, 1009])
async def test_closed_for_what_it_was(code: int) -> None:
    """A request that is too long for a frame, or against a rule, was not read: HTTP."""
    async with connected() as line:

        async def answer() -> None:
            (await line.heard(1)).hang_up(code)

        assert await line.ask(answer) == (200, OVER_HTTP)


@pytest.mark.parametrize("begun", [False, True])
async def test_binary(begun: bool) -> None:
    """A binary frame is nothing that this protocol has, before the answer or in it."""
    async with connected() as line:

        async def answer() -> None:
            peer = await line.heard(1)
            if begun:
                peer.say(CREATED)
            peer.binary()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            assert "binary" in await failure(whole(line), Malformed)


@pytest.mark.parametrize("code", [0, 1000, 1011])
async def test_broken_answer(code: int) -> None:
    """A connection that closes inside an answer breaks it off; what had come was read."""
    async with connected() as line:

        async def answer() -> None:
            peer = await line.heard(1)
            peer.say(CREATED)
            peer.hang_up(code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            assert "broke off" in await failure(whole(line), Truncated) or code
        assert line.http.asked == []


async def whole(line: Line) -> bytes:
    incoming = await line.upstream.open(line.out())
    try:
        return await incoming.read_all(1000)
    finally:
        incoming.close()


async def test_closing() -> None:
    """Who still waits for an answer when everything is closed is told so."""
    async with connected() as line:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(line.says(CREATED))
            incoming = await line.upstream.open(line.out())
        await incoming.read()
        await line.upstream.aclose()
        assert "closed" in await failure(incoming.read(), Truncated)
        assert line.peers[0].aborted


# ---- going on ----


async def test_continuing() -> None:
    """A request that only adds to the last one says so, if that is wanted, on the connection that remembers."""
    for wanted in (True, False):
        async with connected() as line:
            await line.ask(line.says(CREATED, ITEM, DONE), line.out(continuation=wanted))
            await line.ask(line.says(CREATED, DONE, texts=2), line.out(HI, ANSWER, HI, continuation=wanted))
            (peer,) = line.peers
            told = (peer.texts[1].get("previous_response_id"), peer.texts[1]["input"])
            assert told == (("resp_1", [HI]) if wanted else (None, [HI, ANSWER, HI]))


async def test_not_continuing() -> None:
    """Another conversation under the same key has its own connection, and leaves the first one's memory alone."""
    async with connected() as line:
        await line.ask(line.says(CREATED, ITEM, DONE), line.out(continuation=True))
        await line.ask(second(line), line.out(ANSWER, continuation=True))
        await line.ask(line.says(CREATED, DONE, texts=2, peer=0), line.out(HI, ANSWER, HI, continuation=True))
        assert [[text.get("previous_response_id") for text in peer.texts] for peer in line.peers] == [
            [None, "resp_1"],
            [None],
        ]


async def test_many_conversations() -> None:
    """Many of them do not keep a connection each for ever: the shortest is forgotten."""
    async with connected() as line:
        first = [HI, HI, HI]
        await line.ask(line.says(CREATED, ITEM, DONE), line.out(*first, continuation=True))
        for number in range(6):

            async def answer(number: int = number) -> None:
                async with asyncio.timeout(5):
                    while not any(text["input"] == [{"number": number}] for peer in line.peers for text in peer.texts):  # noqa: ASYNC110
                        await asyncio.sleep(0)
                next(peer for peer in line.peers if peer.texts[-1]["input"] == [{"number": number}]).say(
                    CREATED, ITEM, DONE
                )

            await line.ask(answer, line.out({"number": number}, continuation=True))
        assert len(line.peers) == 4
        await line.ask(line.says(CREATED, DONE, texts=2, peer=0), line.out(*first, ANSWER, HI, continuation=True))
        assert line.peers[0].texts[1]["previous_response_id"] == "resp_1"


@pytest.mark.parametrize("event", [NOT_FOUND, LIMIT], ids=["not found", "limit"])
async def test_forgotten(event: dict[str, Any]) -> None:
    """An upstream that does not know the last answer any more is told everything, and nobody sees it."""
    async with connected() as line:
        await line.ask(line.says(CREATED, ITEM, DONE), line.out(continuation=True))

        async def answer() -> None:
            (await line.heard(2, 0)).say(event)
            if event is LIMIT:
                await second(line)()
            else:
                (await line.heard(3, 0)).say(CREATED, DONE)

        assert (await line.ask(answer, line.out(HI, ANSWER, HI, continuation=True)))[0] == 200
        last = line.peers[-1].texts[-1]
        assert ("previous_response_id" in last, last["input"]) == (False, [HI, ANSWER, HI])


async def test_an_answer_not_heard_to_its_end() -> None:
    """After an answer that failed or was refused everything is said again."""
    for ends in (({"type": "response.failed", "response": {}},), ({"type": "error", "status": 429, "error": {}},)):
        async with connected() as line:
            await line.ask(line.says(CREATED, ITEM, DONE), line.out(continuation=True))
            await line.ask(line.says(*ends, texts=2), line.out(HI, ANSWER, HI, continuation=True))
            await line.ask(line.says(CREATED, DONE, texts=3), line.out(HI, ANSWER, HI, continuation=True))
            assert [text.get("previous_response_id") for text in line.peers[0].texts] == [None, "resp_1", None]
