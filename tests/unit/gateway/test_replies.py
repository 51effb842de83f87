"""Answers as HTTP/1.1: heads, chunks and ends, byte for byte."""

from __future__ import annotations

import re

import pytest

from strowger.errors import GatewayError
from strowger.gateway.delivery import ClientGone
from strowger.gateway.inbound import Request
from strowger.gateway.replies import HttpReply

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Connection:
    """Keeps what is sent, a piece for each write."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closing = self.is_full = self.gone = False

    def send(self, data: bytes) -> None:
        if self.gone:
            raise ClientGone
        self.sent.append(data)

    @property
    def keeps_up(self) -> bool:
        return not (self.gone or self.is_full)


def reply(method: bytes = b"POST") -> tuple[HttpReply, Connection]:
    """The reply to a request."""
    connection = Connection()
    request = Request(connection)  # type: ignore[arg-type]
    request.fields = [(b"Host", b"x")]
    request.open(method, "1.1", keeps=True)
    return request.reply, connection


def without_date(data: bytes) -> bytes:
    """The same at any time."""
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"", data)


async def test_a_stream_is_written_once_for_each_write() -> None:
    """The head goes with the first bytes, the end with the last."""
    answer, connection = reply()
    await answer.start(200, (("Content-Type", "text/event-stream"),))
    assert connection.sent == []
    await answer.write(b"")
    await answer.write(b"one")
    await answer.end(b"x" * 17)
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nServer: strowger\r\n\r\n"
    )
    assert without_date(connection.sent[0]) == head + b"3\r\none\r\n"
    assert connection.sent[1:] == [b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"]


async def test_a_stream_may_be_empty() -> None:
    """Its head is sent all the same."""
    answer, connection = reply()
    await answer.start(200, ())
    await answer.end()
    assert connection.sent[0].endswith(b"\r\n\r\n0\r\n\r\n")


async def test_a_whole_answer_says_its_length() -> None:
    """Status lines have the words of the standard, and none where it has none."""
    answer, connection = reply()
    await answer.whole(529, (), b"busy")
    assert without_date(connection.sent[0]) == (b"HTTP/1.1 529 \r\nContent-Length: 4\r\nServer: strowger\r\n\r\nbusy")


@pytest.mark.parametrize("method, status, length", [(b"HEAD", 200, True), (b"OPTIONS", 204, False)])
async def test_some_answers_have_no_body(method: bytes, status: int, length: bool) -> None:
    """What would follow would be taken for the next answer."""
    answer, connection = reply(method)
    await answer.whole(status, (), b"body" if length else b"")
    assert connection.sent[0].endswith(b"\r\n\r\n")
    assert (b"Content-Length: 4" in connection.sent[0]) is length


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b"])
async def test_a_header_cannot_begin_another(value: str) -> None:
    """Whoever wrote it: nothing is sent."""
    answer, connection = reply()
    with pytest.raises(GatewayError):
        await answer.whole(200, (("X", value),), b"")
    assert connection.sent == []
    assert not answer.started


async def test_a_client_that_is_gone_is_noticed() -> None:
    """By whoever writes."""
    answer, connection = reply()
    connection.gone = True
    await answer.start(200, ())
    with pytest.raises(ClientGone):
        await answer.write(b"x")


async def test_what_is_pushed_is_part_of_a_stream_on_its_way() -> None:
    """It is sent at once where nobody has to wait for that, and not at all otherwise: before a stream has been written
    to, after its end, and to a client that takes less than it is sent, or is gone.
    """
    answer, connection = reply()
    assert not answer.push(b"early")
    await answer.start(200, ())
    assert not answer.push(b"early")
    await answer.write(b"one")
    assert answer.push(b"two")
    connection.is_full = True
    assert not answer.push(b"full")
    connection.is_full, connection.gone = False, True
    assert not answer.push(b"gone")
    connection.gone = False
    await answer.end(b"end")
    assert not answer.push(b"late")
    assert connection.sent[1:] == [b"3\r\ntwo\r\n", b"3\r\nend\r\n0\r\n\r\n"]
