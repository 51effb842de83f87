"""A SocketUpstream between a caller and peers in memory, and the words that they exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from strowger.upstreams.base import Outgoing, Socket
from strowger.upstreams.websocket import Limits, SocketUpstream
from tests.unit.upstreams.peer import Peer, PlainHttp, Switchboard

SECRET = "sk-very-secret"
HI: dict[str, Any] = {"type": "message", "role": "user", "content": "hi"}
ANSWER: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "hello"}],
}
CREATED: dict[str, Any] = {"type": "response.created", "response": {"id": "resp_1"}}
ITEM: dict[str, Any] = {"type": "response.output_item.done", "output_index": 0, "item": ANSWER}
DONE: dict[str, Any] = {"type": "response.completed", "response": {"id": "resp_1", "output": []}}
LIMIT: dict[str, Any] = {"type": "error", "status": 400, "error": {"code": "websocket_connection_limit_reached"}}
NOT_FOUND: dict[str, Any] = {"type": "error", "status": 400, "error": {"code": "previous_response_not_found"}}
OVER_HTTP = b"over http"


class Line:
    """The upstream, its peers and the HTTP behind it."""

    def __init__(self, board: Switchboard, limits: Limits) -> None:
        self.board = board
        self.http = PlainHttp()
        self.upstream = SocketUpstream(self.http, board, limits)
        self.asides: list[bytes] = []

    @property
    def peers(self) -> list[Peer]:
        return self.board.peers

    def out(self, *items: Any, key: str = "s1", auth: str = SECRET, more: Any = (), **socket: bool) -> Outgoing:
        body = {"model": "gpt-5.5", "stream": True, "input": list(items) or [HI], **dict(more)}
        headers = (("Authorization", f"Bearer {auth}"), ("Content-Type", "application/json"), ("X-Turn", "1"))
        return Outgoing(
            "POST",
            "http://a.example/codex/responses",
            headers,
            msgspec.json.encode(body),
            Socket(key, **socket),
            self.asides.append,
        )

    async def heard(self, texts: int, peer: int = -1) -> Peer:
        """The peer, as soon as it has heard so many texts."""
        async with asyncio.timeout(5):
            while not self.peers or len(self.peers[peer].texts) < texts:  # noqa: ASYNC110  the peer is plain data
                await asyncio.sleep(0)
        return self.peers[peer]

    async def ask(
        self, answer: Callable[[], Coroutine[Any, Any, None]], out: Outgoing | None = None
    ) -> tuple[int, bytes]:
        """Status and bytes of a whole answer, that the peer gives meanwhile."""
        told: list[tuple[int, bytes]] = []

        async def asks() -> None:
            incoming = await self.upstream.open(out or self.out())
            try:
                told.append((incoming.status, await incoming.read_all(100_000)))
            finally:
                incoming.close()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            with anyio.fail_after(30):
                await asks()
        return told[0]

    def says(self, *events: Any, texts: int = 1, peer: int = -1) -> Callable[[], Coroutine[Any, Any, None]]:
        """An answer of the peer, when it has heard so many texts."""

        async def answer() -> None:
            (await self.heard(texts, peer)).say(*events)

        return answer


@asynccontextmanager
async def connected(
    *statuses: int, behind_proxy: bool = False, pongs: bool = True, **limits: Any
) -> AsyncIterator[Line]:
    limits = {"spacing": (0.0, 0.0), **limits}
    one = Line(Switchboard(*statuses, behind_proxy=behind_proxy, pongs=pongs), Limits(**limits))
    try:
        yield one
    finally:
        await one.upstream.aclose()
        assert one.http.closed


async def nothing() -> None:
    """The peer says nothing."""


async def failure(call: Coroutine[Any, Any, Any], kind: type[Exception]) -> str:
    """The message of the error that this ends with."""
    with anyio.fail_after(30):
        try:
            await call
        except kind as error:
            return f"{error} {error!r} {getattr(error, 'hint', '')}"
    raise AssertionError("no error")


def second(line: Line) -> Callable[[], Coroutine[Any, Any, None]]:
    """The second peer answers, when there is one."""

    async def answer() -> None:
        async with asyncio.timeout(5):
            while len(line.peers) < 2:  # noqa: ASYNC110  the peers are plain data
                await asyncio.sleep(0)
        (await line.heard(1, 1)).say(CREATED, DONE)

    return answer
