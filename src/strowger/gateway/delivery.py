"""The last step: bytes to the client, pulled one read at a time, with the client's own view of every ending.

There is no queue between upstream and client: the next read happens when the last write was taken, so a slow client
slows the upstream. Knows no dialect: receivers and encoders say what is to be sent.
"""

from __future__ import annotations

from typing import Protocol

import anyio

from strowger.errors import GatewayError, UpstreamError
from strowger.flows.flow import Flow
from strowger.gateway.opening import Answer
from strowger.gateway.pulse import Pulse
from strowger.upstreams.base import Headers

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

    async def end(self) -> None:
        """The proper end of a stream."""
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
    if answer.head:
        _count(flow, pulse, answer.head)
        await reply.write(answer.head)
    broken = await _stream(answer, reply, flow, pulse) if answer.incoming is not None else None
    tail = answer.receiver.close(broken) if answer.incoming is not None else b""
    if tail:
        flow.response_bytes += len(tail)
        await reply.write(tail)
    await reply.end()
    return broken


async def _stream(answer: Answer, reply: Reply, flow: Flow, pulse: Pulse) -> GatewayError | None:
    incoming, receiver = answer.incoming, answer.receiver
    assert incoming is not None
    watch, read, feed, write = receiver.watch, incoming.read, receiver.feed, reply.write
    try:
        with pulse.guard():
            while not watch.over and (chunk := await read()):
                out = feed(chunk)
                if out:
                    flow.response_bytes += len(out)
                    pulse.writing = True
                    await write(out)
                    pulse.sent()
                else:
                    pulse.heard()
            if not incoming.ended:
                await _rest(answer, reply, flow)
    except UpstreamError as error:
        # Of an answer that is all there, nobody needs to know how its connection ended.
        return None if watch.over else error
    finally:
        incoming.close()
    return None


async def _rest(answer: Answer, reply: Reply, flow: Flow) -> None:
    """What comes behind the last event, if it comes soon: some servers never close, and the client waits for that."""
    incoming, receiver = answer.incoming, answer.receiver
    assert incoming is not None
    with anyio.move_on_after(_REST_SECONDS):
        while not receiver.done and (chunk := await incoming.read()):
            out = receiver.feed(chunk)
            if out:
                flow.response_bytes += len(out)
                await reply.write(out)


def _count(flow: Flow, pulse: Pulse, data: bytes) -> None:
    flow.first_byte = pulse.now() - flow.clock
    flow.response_bytes += len(data)
