"""Which connection a request takes, and what goes over HTTP instead. The peers are in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import msgspec
import pytest

from strowger.errors import Unanswered, Unreachable
from strowger.upstreams.base import Incoming
from strowger.upstreams.websocket import Limits
from tests.unit.upstreams.lines import CREATED, DONE, HI, LIMIT, OVER_HTTP, SECRET, connected, failure, nothing, second

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# ---- what travels ----


async def test_request_and_answer() -> None:
    """The body becomes a frame, the headers a handshake; the frames of the answer come back as SSE."""
    async with connected() as line:
        status, data = await line.ask(line.says({"type": "codex.rate_limits"}, CREATED, DONE))
        assert (status, data.count(b"event: "), len(line.asides)) == (200, 2, 1)
        (peer,) = line.peers
        assert peer.texts == [{"type": "response.create", "model": "gpt-5.5", "stream": True, "input": [HI]}]
        assert peer.handshake is not None
        sent = {name.lower(): value for name, value in peer.handshake.headers.raw_items()}
        assert sent["authorization"] == f"Bearer {SECRET}"
        assert (sent["openai-beta"], sent["x-turn"]) == ("responses_websockets=2026-02-06", "1")
        assert "content-type" not in sent
        assert line.http.asked == []


@pytest.mark.parametrize(
    "given, sent",
    [
        ("responses=experimental", "responses=experimental, responses_websockets=2026-02-06"),
        ("responses_websockets=2027-01-01", "responses_websockets=2027-01-01"),
    ],
)
async def test_beta(given: str, sent: str) -> None:
    """The handshake says that frames of this kind are meant, once, beside what the caller says."""
    async with connected() as line:
        out = line.out()
        await line.ask(
            line.says(CREATED, DONE), msgspec.structs.replace(out, headers=(*out.headers, ("openai-beta", given)))
        )
        assert line.peers[0].handshake is not None
        assert line.peers[0].handshake.headers["openai-beta"] == sent


async def test_headers_of_the_answer() -> None:
    """The first answer has the handshake's headers; a later one what is still true, not yesterday's limits."""
    async with connected() as line:
        told: list[set[str]] = []
        for number in (1, 2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(line.says(CREATED, DONE, texts=number))
                incoming = await line.upstream.open(line.out())
            told.append(set(incoming.headers))
            await incoming.read_all(1000)
            incoming.close()
        assert {"x-models-etag", "x-request-id", "x-reasoning-included", "content-type"} <= told[0]
        assert told[1] == {"x-reasoning-included", "content-type"}


@pytest.mark.parametrize(
    "change",
    [
        {"socket": None},
        {"method": "GET"},
        {"body": b'{"input":[]}'},
        {"body": b'{"stream":false}'},
        {"body": b'{"stream":true,"type":"response.steer"}'},
        {"body": b"[]"},
        {"body": b"{"},
        {"headers": (("Content-Encoding", "zstd"),)},
    ],
    ids=str,
)
async def test_not_for_a_socket(change: dict[str, Any]) -> None:
    """What no frame can say goes over HTTP as it is."""
    async with connected() as line:
        out = msgspec.structs.replace(line.out(), **change)
        assert await line.ask(nothing, out) == (200, OVER_HTTP)
        assert (line.peers, line.http.asked[0].body, line.http.asked[0].socket) == ([], out.body, None)


# ---- which connection ----


async def test_kept() -> None:
    """Requests of one conversation share a connection, one after another."""
    async with connected() as line:
        for number in (1, 2, 3):
            await line.ask(line.says(CREATED, DONE, texts=number))
        assert [len(peer.texts) for peer in line.peers] == [3]


@pytest.mark.parametrize(
    "other",
    [
        {"key": "s2"},
        {"auth": "another"},
        {"headers": ("ChatGPT-Account-ID", "b")},
        {"headers": ("x-openai-subagent", "review")},
    ],
    ids=str,
)
async def test_not_shared(other: dict[str, Any]) -> None:
    """Neither with another conversation, nor with another account."""
    async with connected() as line:
        await line.ask(line.says(CREATED, DONE))
        header = other.pop("headers", None)
        out = line.out(**other)
        if header:
            out = msgspec.structs.replace(out, headers=(*out.headers, header))
        await line.ask(line.says(CREATED, DONE, peer=1) if len(line.peers) > 1 else second(line), out)
        assert [len(peer.texts) for peer in line.peers] == [1, 1]


async def test_at_the_same_time() -> None:
    """Two requests of one conversation at a time: each has its own connection, and both are kept."""
    async with connected() as line:
        answers: list[Incoming] = []

        async def open_one() -> None:
            answers.append(await line.upstream.open(line.out()))

        for number in (1, 2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(open_one)
                async with asyncio.timeout(5):
                    while len(line.peers) < number:  # noqa: ASYNC110  the peers are plain data
                        await asyncio.sleep(0)
                (await line.heard(1)).say(CREATED)
        assert len(line.peers) == 2
        for peer, incoming in zip(line.peers, answers, strict=True):
            peer.say(DONE)
            await incoming.read_all(1000)
            incoming.close()
        await line.ask(line.says(CREATED, DONE, texts=2))
        assert [len(peer.texts) for peer in line.peers] == [1, 2]


async def test_hang_up() -> None:
    """A client that hangs up inside an answer takes the connection with it, at once."""
    async with connected() as line:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(line.says(CREATED))
            incoming = await line.upstream.open(line.out())
        incoming.close()
        assert line.peers[0].aborted


async def test_cancelled_before_the_answer() -> None:
    """So does one that hangs up before it, or inside the handshake."""
    for statuses in ((101,), (0,)):
        async with connected(*statuses) as line, anyio.create_task_group() as tasks:
            tasks.start_soon(line.upstream.open, line.out())
            async with asyncio.timeout(5):
                while not line.peers or (statuses == (101,) and not line.peers[0].texts):  # noqa: ASYNC110
                    await asyncio.sleep(0)
            tasks.cancel_scope.cancel()
        assert line.peers[0].aborted


async def test_bounds() -> None:
    """Too many idle ones, one that is too old, one that was idle for too long: closed, with a good-bye, not used."""
    async with connected(kept=1) as line:
        await line.ask(line.says(CREATED, DONE))
        await line.ask(second(line), line.out(key="s2"))
        assert [peer.close_code for peer in line.peers] == [1001, None]
    for limits in (Limits(life=0.0), Limits(idle=0.0)):
        async with connected(life=limits.life, idle=limits.idle) as line:
            await line.ask(line.says(CREATED, DONE))
            await line.ask(second(line))
            assert [len(peer.texts) for peer in line.peers] == [1, 1]
            assert line.peers[0].closing


async def test_swept() -> None:
    """What nobody uses is closed without being asked for."""
    async with connected(ping=0.01, idle=0.05) as line:
        await line.ask(line.says(CREATED, DONE))
        async with asyncio.timeout(5):
            while not line.peers[0].closing:  # noqa: ASYNC110  the peer is plain data
                await asyncio.sleep(0.005)
        assert line.peers[0].close_code == 1001


@pytest.mark.parametrize("idle", [True, False])
async def test_deaf(idle: bool) -> None:
    """A kept connection whose other end is gone without a word is closed; inside an answer nobody is that impatient."""
    async with connected(ping=0.01) as line:
        await line.ask(line.says(CREATED, DONE))
        (peer,) = line.peers
        incoming: Incoming | None = None
        if not idle:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(line.says(CREATED, texts=2))
                incoming = await line.upstream.open(line.out())
        peer.deaf, peer.pings = True, 0
        async with asyncio.timeout(5):
            while not peer.closing and peer.pings < 5:  # noqa: ASYNC110  the peer is plain data
                await asyncio.sleep(0.002)
        assert peer.closing is idle
        if incoming is not None:
            incoming.close()


async def test_dropped_after_a_sign_of_the_request() -> None:
    """Limits are told before an answer: who told them has read the request, and it is not paid for twice."""
    async with connected() as line:
        await line.ask(line.says(CREATED, DONE))

        async def drops() -> None:
            peer = await line.heard(2)
            peer.say({"type": "codex.rate_limits"})
            peer.hang_up()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drops)
            told = await failure(line.upstream.open(line.out()), Unanswered)
        assert "without an answer" in told
        assert len(line.peers) == 1
        assert line.http.asked == []


async def test_unasked() -> None:
    """An idle connection may tell of limits; one that says anything else, as that its time is over, is not used."""
    async with connected() as line:
        await line.ask(line.says(CREATED, DONE))
        line.peers[0].say({"type": "codex.rate_limits"})
        await line.ask(line.says(CREATED, DONE, texts=2))
        line.peers[0].say(LIMIT)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await line.ask(second(line))
        assert [len(peer.texts) for peer in line.peers] == [2, 1]


# ---- where there is none ----


@pytest.mark.parametrize("status", [426, 404, 403, 429, 500, 200, -1])
async def test_no_websocket(status: int) -> None:
    """A handshake that is refused, in whatever way: the request goes over HTTP, and the next one asks there at once."""
    async with connected(*[status] * 3) as line:
        assert await line.ask(nothing) == (200, OVER_HTTP)
        tried = len(line.peers)
        assert await line.ask(nothing) == (200, OVER_HTTP)
        assert (len(line.peers), tried) == (tried, 3 if status == 403 else 1)
        assert all(peer.closing for peer in line.peers)


async def test_no_answer_to_the_handshake() -> None:
    """A host that is silent, as behind a proxy that does not know upgrades: HTTP, after the time for handshakes."""
    async with connected(0, handshake=0.02) as line:
        assert await line.ask(nothing) == (200, OVER_HTTP)
        assert line.peers[0].aborted


async def test_behind_a_proxy() -> None:
    """What is not encrypted is asked of the proxy itself, which HTTP knows how to do; for TLS there is a tunnel."""
    async with connected(behind_proxy=True) as line:
        assert await line.ask(nothing) == (200, OVER_HTTP)
        assert line.peers == []
        out = msgspec.structs.replace(line.out(), url="https://a.example/codex/responses")
        assert (await line.ask(line.says(CREATED, DONE), out))[0] == 200
        assert len(line.peers) == 1


@pytest.mark.parametrize("statuses, behind_proxy", [((426,), False), ((), True)])
async def test_required(statuses: tuple[int, ...], behind_proxy: bool) -> None:
    """Where HTTP is not wanted the request fails and says why, and names no credential."""
    async with connected(*statuses, behind_proxy=behind_proxy) as line:
        words = await failure(line.upstream.open(line.out(required=True)), Unreachable)
        assert ("426" if statuses else "proxy") in words
        assert "transport" in words
        assert SECRET not in words
        assert line.http.asked == []


async def test_other_credentials() -> None:
    """A 401 at the handshake is the answer: the caller has new credentials, and the host is not to blame."""
    async with connected(401) as line:
        assert await line.ask(nothing) == (401, b"no")
        assert (await line.ask(second(line), line.out(auth="new")))[0] == 200
        assert line.http.asked == []


async def test_too_soon() -> None:
    """A 403 for coming too soon: once more, and all handshakes with that host one after another."""
    async with connected(403, 403, 101) as line:

        async def third() -> None:
            async with asyncio.timeout(5):
                while len(line.peers) < 3:  # noqa: ASYNC110  the peers are plain data
                    await asyncio.sleep(0)
            (await line.heard(1)).say(CREATED, DONE)

        assert (await line.ask(third))[0] == 200
        assert (len(line.peers), line.http.asked) == (3, [])


async def test_one_after_another() -> None:
    """After a 403 nobody begins a handshake while another's is under way; what that one finds out goes for all."""
    async with connected(403, 101, 0, handshake=0.05) as line:
        answers: list[tuple[int, bytes]] = []

        async def ask(key: str) -> None:
            answers.append(await line.ask(nothing, line.out(key=key)))

        async def third() -> None:
            async with asyncio.timeout(5):
                while len(line.peers) < 2:  # noqa: ASYNC110  the peers are plain data
                    await asyncio.sleep(0)
            (await line.heard(1)).say(CREATED, DONE)

        await line.ask(third)
        async with anyio.create_task_group() as tasks:
            for key in ("s2", "s3", "s4"):
                tasks.start_soon(ask, key)
        assert answers == [(200, OVER_HTTP)] * 3
        assert len(line.peers) == 3


async def test_refused_at_the_same_time() -> None:
    """Of two that come too soon at once only one tries again; the other waits for what it finds out."""
    async with connected(403, 403, 0, handshake=0.05) as line:
        answers: list[tuple[int, bytes]] = []

        async def ask(key: str) -> None:
            answers.append(await line.ask(nothing, line.out(key=key)))

        async with anyio.create_task_group() as tasks:
            for key in ("s1", "s2"):
                tasks.start_soon(ask, key)
        assert (answers, len(line.peers)) == ([(200, OVER_HTTP)] * 2, 3)
