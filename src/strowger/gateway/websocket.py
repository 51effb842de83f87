"""Responses over a WebSocket: each `response.create` frame is a call, its events go back one to a frame.

As OpenAI's: one answer at a time; `generate: false` only warms up; `previous_response_id` may name any answer of this
connection, kept or not, so the connection holds its own history. What leaves here is an ordinary call on the line.
Must not know the server library: frames come and go through `Frames`.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import OrderedDict
from typing import Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.framing import SSEDecoder
from strowger.errors import BadRequest, GatewayError
from strowger.flows.conversations import items_of
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import Call
from strowger.gateway.recall import Heard, Overheard, continued
from strowger.upstreams.base import Headers

_CREATE = "response.create"
_STREAM_LIMIT = 64 * 1024 * 1024
# Answers of one connection that may still be referred to. Clients refer to the last one.
_REMEMBERED = 64
# Frames that wait while an answer is under way; a client that sends more is not waiting for answers.
_WAITING = 16

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NOTHING = Raw(b"null")
_TRUE = Raw(b"true")
_NOT_CALLED = ("type", "generate", "background", "stream_options")


class Frames(Protocol):
    """The two ends of a connection's frames. Sending raises ClientGone."""

    async def receive(self) -> str | None:
        """The next text frame; None when the client has closed."""
        ...

    async def send(self, text: str) -> None:
        """Send a text frame, and wait while the client is slow."""
        ...


class Handler(Protocol):
    """Who answers calls; the gateway."""

    async def handle(self, call: Call, reply: Reply) -> None:
        """Answer a call; raises ClientGone."""
        ...

    def refuse(self, error: GatewayError, headers: dict[str, str], path: str) -> tuple[int, Headers, bytes]:
        """The answer to what never became a call."""
        ...


class _Spoken(Struct):
    id: str
    output: list[Raw] = []


_SPOKEN = msgspec.json.Decoder(_Spoken)


class FrameReply:
    """A reply as frames: the events of a stream without their framing, an error as an `error` event."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._events = SSEDecoder(_STREAM_LIMIT)
        self.started = False
        self.streaming = False

    async def start(self, status: int, headers: Headers) -> None:
        """A stream begins; a frame has no place for its head."""
        self.started = self.streaming = True

    async def write(self, data: bytes) -> None:
        """Each whole event as a frame."""
        for frame in self._events.feed(data):
            if frame.data != b"[DONE]":
                await self._frames.send(frame.data.decode("utf-8", "replace"))

    async def end(self) -> None:
        """The end of a stream is its last event."""
        self.streaming = False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Only errors come whole: calls of a connection are streams."""
        self.started = True
        shown = {name.lower(): value for name, value in headers if _is_shown(name.lower())}
        try:
            error = _MEMBERS.decode(body).get("error", _NOTHING)
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = Raw(msgspec.json.encode({"message": body.decode("utf-8", "replace"), "type": "server_error"}))
        event = {"type": "error", "status": status, "error": error, "headers": shown}
        await self._frames.send(msgspec.json.encode(event).decode())


def _is_shown(name: str) -> bool:
    return name.startswith(("x-", "retry-after")) or name in {"request-id", "openai-model"}


class Connection:
    """One client's connection. `opening` is the request that was upgraded, as a call without a body."""

    def __init__(self, handler: Handler, opening: Call, frames: Frames) -> None:
        self._handler = handler
        self._opening = opening
        self._frames = frames
        self._said: OrderedDict[str, list[Raw]] = OrderedDict()
        self._busy = False
        self._closing = anyio.Event()

    async def serve(self) -> None:
        """Until the client closes, or `finish` is called and the answer under way is over. Raises ClientGone."""
        inbox, outbox = anyio.create_memory_object_stream[str](_WAITING)
        async with anyio.create_task_group() as tasks, inbox, outbox:
            tasks.start_soon(self._receive, inbox, tasks)
            tasks.start_soon(self._leave, tasks)
            async for text in outbox:
                self._busy = True
                await self._answer(text)
                self._busy = False
                if self._closing.is_set():
                    break
            tasks.cancel_scope.cancel()

    def finish(self) -> None:
        """Take no further call: the server is going down."""
        self._closing.set()

    async def _receive(self, inbox: anyio.abc.ObjectSendStream[str], tasks: TaskGroup) -> None:
        # Reading goes on during an answer: only so is a client seen to leave.
        while (text := await self._frames.receive()) is not None:
            await inbox.send(text)
        tasks.cancel_scope.cancel()

    async def _leave(self, tasks: TaskGroup) -> None:
        await self._closing.wait()
        if not self._busy:
            tasks.cancel_scope.cancel()

    async def _answer(self, text: str) -> None:
        reply = FrameReply(self._frames)
        try:
            members = self._frame(text)
            fresh = items_of(members.get("input", Raw(b"[]")))
            history, body = self._whole(members, fresh)
            if bytes(members.get("generate", _NOTHING)) == b"false":
                await self._warm_up(members, [*history, *fresh])
                return
            call = replace(self._opening, method="POST", body=body)
            await self._handler.handle(call, Overheard(reply, self._remembering([*history, *fresh])))
        except GatewayError as error:
            await reply.whole(*self._handler.refuse(error, dict(self._opening.headers), self._opening.path))

    def _frame(self, text: str) -> dict[str, Raw]:
        try:
            members = _MEMBERS.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise BadRequest(f"the frame is not a JSON object: {error}") from None
        kind = bytes(members.get("type", _NOTHING)).decode("utf-8", "replace")
        if kind != f'"{_CREATE}"':
            raise BadRequest(f"frames of type {kind[:100]} are not served here", hint=f'send "{_CREATE}"', param="type")
        return members

    def _whole(self, members: dict[str, Raw], fresh: list[Raw]) -> tuple[list[Raw], bytes]:
        """What this connection has said before, and the call's body. Ids that it does not know are the line's."""
        called = {key: value for key, value in members.items() if key not in _NOT_CALLED} | {"stream": _TRUE}
        previous = bytes(members.get("previous_response_id", _NOTHING)).decode().strip('"')
        history = self._said.get(previous)
        if history is None:
            return [], msgspec.json.encode(called)
        return history, continued(called, history, fresh)

    def _remembering(self, asked: list[Raw]) -> Heard:
        def remember(answer: bytes) -> None:
            spoken = _SPOKEN.decode(answer)
            self._remember(spoken.id, [*asked, *spoken.output])

        return remember

    def _remember(self, response_id: str, items: list[Raw]) -> None:
        self._said[response_id] = items
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)

    async def _warm_up(self, members: dict[str, Raw], items: list[Raw]) -> None:
        """Nothing is generated, and no upstream is asked; but the next call may refer to this one."""
        response_id = "resp_" + secrets.token_hex(24)
        self._remember(response_id, items)
        response = {
            "id": response_id,
            "object": "response",
            "created_at": math.floor(time.time()),
            "status": "in_progress",
            "model": members.get("model", _NOTHING),
            "output": [],
            "usage": None,
        }
        done = {**response, "status": "completed", "usage": _NO_USAGE}
        for number, (kind, shown) in enumerate((("response.created", response), ("response.completed", done))):
            event = {"type": kind, "sequence_number": number, "response": shown}
            await self._frames.send(msgspec.json.encode(event).decode())


_NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
