"""Responses over a WebSocket: each `response.create` frame is a call, its events go back one to a frame.

As OpenAI's: one answer at a time; `generate: false` only warms up; `previous_response_id` may name any answer of this
connection, kept or not, so the connection holds its own history. What leaves here is an ordinary call on the line.
Must not know the server library: frames come and go through `Frames`.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.framing import Frame, SSEDecoder
from strowger.errors import BadRequest, GatewayError
from strowger.flows.conversations import items_of
from strowger.gateway.delivery import ClientGone, Reply
from strowger.gateway.endpoints import Call
from strowger.gateway.lanes import VERBATIM
from strowger.gateway.recall import Overheard, check_results, continued
from strowger.upstreams.base import Headers

_CREATE = "response.create"
_STREAM_LIMIT = 64 * 1024 * 1024
# Answers of one connection that may still be referred to. Clients refer to the last one.
_REMEMBERED = 64
# Bytes of them, beyond which the older ones go: a client that says everything again each time fills this soon.
_REMEMBERED_BYTES = 32 * 1024 * 1024
# Frames that wait while an answer is under way; a client that sends more is not waiting for answers.
_WAITING = 16

# The status of an error that came without one: the answer had begun, so it is the upstream's fault.
_BROKEN = 500
# Where a frame's type has been said, when it is said first.
_TYPE_ENDS = 40

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NOTHING = Raw(b"null")
_EMPTY = Raw(b"[]")
_STATE = "reasoning.encrypted_content"
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

    def nothing(self, call: Call) -> bytes:
        """The stream of an answer that says nothing, to a call that nobody is asked. Raises GatewayError."""
        ...

    def refuse(self, error: GatewayError, headers: dict[str, str], path: str) -> tuple[int, Headers, bytes]:
        """The answer to what never became a call."""
        ...


class _Spoken(Struct):
    id: str
    output: list[Raw] = []


class _Reasoning(Struct):
    type: str = ""
    encrypted_content: str | None = None
    content: list[Raw] | None = None


class _Said(Struct):
    """All items of a conversation `after` the answer with that id, which this connection does not know; empty: all.
    `size` is in bytes, of the items that are not an earlier answer's, too.
    """

    after: str
    items: list[Raw]
    size: int


_SPOKEN = msgspec.json.Decoder(_Spoken)
_REASONING = msgspec.json.Decoder(_Reasoning)


class FrameReply:
    """A reply as frames: the events of a stream without their framing, an error as an `error` event."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._events = SSEDecoder(_STREAM_LIMIT)
        self.started = False
        self.streaming = False
        self.verbatim = False

    async def start(self, status: int, headers: Headers) -> None:
        """A stream begins; a frame has no place for its head."""
        self.started = self.streaming = True
        self.verbatim = ("x-strowger-lane", VERBATIM) in headers

    async def write(self, data: bytes) -> None:
        """Each whole event as a frame."""
        for frame in self._events.feed(data):
            if frame.data != b"[DONE]":
                data = _with_status(frame.data) if _is_error(frame) else frame.data
                await self._frames.send(data.decode("utf-8", "replace"))

    async def end(self, data: bytes = b"") -> None:
        """The end of a stream is its last event."""
        await self.write(data)
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


def _is_error(frame: Frame) -> bool:
    return frame.event == "error" or (not frame.event and b'"error"' in frame.data[:_TYPE_ENDS])


def _with_status(data: bytes) -> bytes:
    """An error event as a socket has it: over HTTP the end of the stream tells that it was the last, here its status
    does, and Codex waits for ever after an error without one.
    """
    try:
        members = _MEMBERS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data
    if bytes(members.get("type", _NOTHING)) != b'"error"' or "status" in members or "status_code" in members:
        return data
    told: dict[str, object] = {key: members[key] for key in ("code", "message", "param") if key in members}
    error: object = members.get("error") or {"type": "server_error", **told}
    return msgspec.json.encode({"type": "error", "status": _BROKEN, "error": error})


def _is_shown(name: str) -> bool:
    return name.startswith(("x-", "retry-after")) or name in {"request-id", "openai-model"}


class Connection:
    """One client's connection. `opening` is the request that was upgraded, as a call without a body."""

    def __init__(self, handler: Handler, opening: Call, frames: Frames) -> None:
        self._handler = handler
        self._opening = opening
        self._frames = frames
        self._said: OrderedDict[str, _Said] = OrderedDict()
        self._busy = False
        self._closing = anyio.Event()

    async def serve(self) -> None:
        """Until the client closes or is gone, or `finish` is called and the answer under way is over."""
        inbox, outbox = anyio.create_memory_object_stream[str](_WAITING)
        async with anyio.create_task_group() as tasks, inbox, outbox:
            tasks.start_soon(self._receive, inbox, tasks)
            tasks.start_soon(self._leave, tasks)
            # Caught in here: a task group wraps what leaves it.
            with suppress(ClientGone):
                await self._take_turns(outbox)
            tasks.cancel_scope.cancel()

    async def _take_turns(self, outbox: MemoryObjectReceiveStream[str]) -> None:
        async for text in outbox:
            self._busy = True
            await self._answer(text)
            self._busy = False
            if self._closing.is_set():
                return

    def finish(self) -> None:
        """Take no further call: the server is going down."""
        self._closing.set()

    async def _receive(self, inbox: MemoryObjectSendStream[str], tasks: TaskGroup) -> None:
        # Reading goes on during an answer: only so is a client seen to leave.
        while (text := await self._frames.receive()) is not None:
            try:
                inbox.send_nowait(text)
            except anyio.WouldBlock:
                break  # whoever sends so many waits for none of them
        tasks.cancel_scope.cancel()

    async def _leave(self, tasks: TaskGroup) -> None:
        await self._closing.wait()
        if not self._busy:
            tasks.cancel_scope.cancel()

    async def _answer(self, text: str) -> None:
        reply, previous, answered = FrameReply(self._frames), "", False
        try:
            members = self._frame(text)
            previous = _text(members, "previous_response_id")
            answered = await self._answered(members, previous, reply)
        except GatewayError as error:
            await reply.whole(*self._handler.refuse(error, dict(self._opening.headers), self._opening.path))
        if not answered:
            # As the vendor does: nobody goes on from where a call has failed, but by saying it all again.
            self._said.pop(previous, None)

    async def _answered(self, members: dict[str, Raw], previous: str, reply: FrameReply) -> bool:
        """Make the call of a frame, or only warm up. False when it failed. Raises GatewayError."""
        call, said = self._call(members, previous)
        stored = bytes(members.get("store", _NOTHING)) != b"false"
        heard = Overheard(reply, lambda answer: self._remember(said, answer, bare=stored or not reply.verbatim))
        if bytes(members.get("generate", _NOTHING)) != b"false":
            await self._handler.handle(call, heard)
        else:
            stream = self._handler.nothing(call)
            await heard.start(200, ())
            await heard.write(stream)
        return heard.answered

    def _frame(self, text: str) -> dict[str, Raw]:
        try:
            members = _MEMBERS.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise BadRequest(f"the frame is not a JSON object: {error}") from None
        except RecursionError:
            raise BadRequest("the frame is nested too deeply") from None
        kind = bytes(members.get("type", _NOTHING)).decode("utf-8", "replace")
        if kind != f'"{_CREATE}"':
            raise BadRequest(f"frames of type {kind[:100]} are not served here", hint=f'send "{_CREATE}"', param="type")
        return members

    def _call(self, members: dict[str, Raw], previous: str) -> tuple[Call, _Said]:
        """The call, with what was said on this connection before; and what has been said with it. An id that is not
        of this connection stays in the call: it is the line's.
        """
        called = {key: value for key, value in members.items() if key not in _NOT_CALLED} | {"stream": _TRUE}
        if bytes(called.get("store", _NOTHING)) == b"false" and "reasoning" in called:
            called["include"] = _with_state(called.get("include", _NOTHING))
        fresh = items_of(called.get("input", _EMPTY))
        known = self._said.get(previous)
        if known is None:
            call = replace(self._opening, method="POST", body=msgspec.json.encode(called))
            return call, _Said(previous, fresh, _size(fresh))
        check_results(known.items, fresh)
        body = continued(called, known.items, fresh, known.after)
        call = replace(self._opening, method="POST", body=body, follows=previous)
        return call, _Said(known.after, [*known.items, *fresh], _size(fresh))

    def _remember(self, said: _Said, answer: bytes, *, bare: bool) -> None:
        """An answer of this connection. `bare`: reasoning that only its id stands for may be told again, too."""
        spoken = _SPOKEN.decode(answer)
        output = [item for item in spoken.output if bare or not _is_bare(item)]
        self._said[spoken.id] = _Said(said.after, [*said.items, *output], said.size + _size(output))
        size = sum(known.size for known in self._said.values())
        while len(self._said) > _REMEMBERED or (size > _REMEMBERED_BYTES and len(self._said) > 1):
            size -= self._said.popitem(last=False)[1].size


def _size(items: list[Raw]) -> int:
    return sum(memoryview(item).nbytes for item in items)


def _text(members: dict[str, Raw], key: str) -> str:
    try:
        return msgspec.json.decode(members.get(key, _NOTHING), type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _with_state(include: Raw) -> Raw:
    """The list with the reasoning in it: this connection has to bring back what the upstream does not store."""
    try:
        wanted = msgspec.json.decode(include, type=list[str] | None) or []
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return include  # whoever parses it says what is wrong
    return Raw(msgspec.json.encode([*wanted, *([] if _STATE in wanted else [_STATE])]))


def _is_bare(item: Raw) -> bool:
    """Whether an item is reasoning of which there is only an id."""
    try:
        seen = _REASONING.decode(item)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return seen.type == "reasoning" and not seen.encrypted_content and not seen.content
