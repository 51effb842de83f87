"""The fake upstream answers in the dialect of the path, as much as the model orders."""

from __future__ import annotations

import asyncio

import pytest

from bench import script
from bench.load import Job, Run
from bench.upstream import UpstreamConnection


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data


def answered(request: bytes, step: int) -> bytes:
    async def serve() -> bytes:
        wire, connection = Wire(), UpstreamConnection()
        connection.connection_made(wire)
        for at in range(0, len(request), step):
            connection.data_received(request[at : at + step])
        return wire.sent

    return asyncio.run(serve())


@pytest.mark.parametrize("dialect", script.STREAMS)
@pytest.mark.parametrize("body", ["small", "claude"])
def test_answers_what_each_client_asks(dialect: str, body: str) -> None:
    """The order is found in the URL or in the body, however the request is cut; each gets its own dialect."""
    loop = asyncio.new_event_loop()
    request = Run(Job(port=1, dialect=dialect, body=body, events=7), loop).request
    loop.close()
    stream = script.STREAMS[dialect]
    for step in (1000, 1_000_000):
        sent = answered(request + request, step)
        assert sent.count(b"HTTP/1.1 200 OK") == 2
        assert len(stream.stamp.findall(sent)) == 14
        assert sent.endswith(stream.tail)


def test_other_paths() -> None:
    """Anything else gets an empty object: there may be questions beside the one that is measured."""
    assert answered(b"GET /v1/models HTTP/1.1\r\n\r\n", 5).endswith(b"\r\n\r\n{}")
