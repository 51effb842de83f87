"""The last step: bytes to the client, pulled one read at a time, with the client's own view of every ending.

There is no queue between upstream and client: the next read happens when the last write was taken, so a slow client
slows the upstream. Knows no dialect: receivers and encoders say what is to be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import anyio

from strowger.errors import GatewayError, UpstreamError
from strowger.flows.flow import Flow
from strowger.gateway.opening import Answer
from strowger.gateway.pulse import Pulse
from strowger.gateway.receivers import Passing, Receiver
from strowger.gateway.replies import HttpReply
from strowger.gateway.taping import TapedIncoming, TapedReply
from strowger.upstreams.base import Headers, Incoming
from strowger.upstreams.http import HttpIncoming

# How long the end of the transfer is waited for when the answer is at its end.
_REST_SECONDS = 1.0


class ClientGone(Exception):
    """The client hung up; whatever is still going on for it stops."""


class Reply(Protocol):
    """Where the answer goes. Writing raises ClientGone when nobody is there any more."""

    @property
    def started(self) -> bool:
        """Whether a status has been sent: after that an error can only be said in the stream."""
        ...

    @property
    def streaming(self) -> bool:
        """Whether a stream has begun and has not ended: only then may a heartbeat be written."""
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Send, and wait while the client is slow."""
        ...

    async def end(self, data: bytes = b"") -> None:
        """The last bytes of a stream, and its proper end."""
        ...

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Everything at once."""
        ...


async def deliver(answer: Answer, headers: Headers, reply: Reply, flow: Flow, pulse: Pulse) -> GatewayError | None:
    """Send the answer. Gives the error that ended the stream early, which the client has been told already."""
    if answer.incoming is None and not reply.started:
        _count(flow, pulse, answer.head)
        await reply.whole(answer.status, headers, answer.head)
        return None
    if not reply.started:
        await reply.start(answer.status, headers)
    last = answer.head
    if last:
        _count(flow, pulse, last)
    incoming, receiver = answer.incoming, answer.receiver
    broken = None
    if incoming is not None:
        if receiver.watch.over and incoming.ended:  # a short answer: all of it has come at once, and leaves at once
            incoming.close()
        else:
            if last:
                await reply.write(last)
            broken, last = await _stream(incoming, receiver, reply, flow, pulse)
        tail = receiver.close(broken)
        flow.response_bytes += len(tail)
        last += tail
    await reply.end(last)
    return broken


async def _stream(
    incoming: Incoming, receiver: Receiver, reply: Reply, flow: Flow, pulse: Pulse
) -> tuple[GatewayError | None, bytes]:
    """All that comes, but for the last bytes where the end came with them. With it the error that ended it early."""
    watch, read, write = receiver.watch, incoming.read, reply.write
    feed: Callable[[bytes], bytes] = receiver.feed
    source, heard = (incoming.beneath, incoming.note) if type(incoming) is TapedIncoming else (incoming, _unheard)
    sink, told = (reply.beneath, reply.note) if type(reply) is TapedReply else (reply, _unheard)
    if type(source) is HttpIncoming and type(sink) is HttpReply:
        way = _Way(sink, flow, pulse, heard, told)
        if type(receiver) is Passing:
            source.lend(_passing_on(receiver, way))
        else:
            take, feed = _telling_on(receiver, way)
            source.lend(take)
    try:
        with pulse.guard():
            while not watch.over and (chunk := await read()):
                out = feed(chunk)
                if out:
                    flow.response_bytes += len(out)
                    if incoming.ended and receiver.watch.over:
                        return None, out
                    pulse.writing = True
                    await write(out)
                    pulse.sent()
                else:
                    pulse.heard()
            if not incoming.ended:
                await _rest(incoming, receiver, reply, flow)
    except UpstreamError as error:
        # Of an answer that is all there, nobody needs to know how its connection ended.
        return (None if watch.over else error), b""
    finally:
        incoming.close()
    return None, b""


def _unheard(_: bytes) -> None:
    """No tape is running."""


class _Way(NamedTuple):
    """Where events go, and who notes that: what came (`heard`), and what was sent (`told`)."""

    reply: HttpReply
    flow: Flow
    pulse: Pulse
    heard: Callable[[bytes], None]
    told: Callable[[bytes], None]


def _passing_on(receiver: Passing, way: _Way) -> Callable[[bytes], bool]:
    """Takes events in which there is nothing to see, and a client that keeps up gets them at once: without the task of
    its call, whose waking costs as much as all the rest.
    """
    reply, flow, pulse, heard, told = way
    passes, push, sent = receiver.passes, reply.push, pulse.sent

    def pass_on(data: bytes) -> bool:
        if not passes(data) or not push(data):
            return False
        flow.events += 1
        flow.response_bytes += len(data)
        heard(data)
        told(data)
        sent()
        return True

    return pass_on


def _telling_on(receiver: Receiver, way: _Way) -> tuple[Callable[[bytes], bool], Callable[[bytes], bytes]]:
    """The same for events that are told in another dialect: what takes them, and what is to be fed in its place. With
    the last event, or where something breaks, the task goes on with what has come of it.
    """
    reply, flow, pulse, heard, told = way
    watch, feed = receiver.watch, receiver.feed
    left: list[tuple[int, bytes | Exception]] = []

    def take(data: bytes) -> bool:
        if not reply.keeps_up:
            return False
        try:
            out = feed(data)
        except Exception as error:  # noqa: BLE001 - the edge: a connection tells us, and it is the call that breaks
            left.append((len(data), error))
            return False
        if watch.over:
            left.append((len(data), out))
            return False
        heard(data)
        if out:
            flow.response_bytes += len(out)
            reply.push(out)
            told(out)
            pulse.sent()
        else:
            pulse.heard()
        return True

    def fed(data: bytes) -> bytes:
        if not left:
            return feed(data)
        size, out = left.pop()
        if isinstance(out, Exception):
            raise out
        return out + feed(data[size:]) if size < len(data) else out

    return take, fed


async def _rest(incoming: Incoming, receiver: Receiver, reply: Reply, flow: Flow) -> None:
    """What comes behind the last event, if it comes soon: some servers never close, and the client waits for that."""
    with anyio.move_on_after(_REST_SECONDS):
        while not receiver.done and (chunk := await incoming.read()):
            out = receiver.feed(chunk)
            if out:
                flow.response_bytes += len(out)
                await reply.write(out)


def _count(flow: Flow, pulse: Pulse, data: bytes) -> None:
    flow.first_byte = pulse.now() - flow.clock
    flow.response_bytes += len(data)
