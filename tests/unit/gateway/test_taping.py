"""Both ends of a call, with a tape running."""

from __future__ import annotations

import anyio
import pytest

from strowger.errors import Malformed
from strowger.flows.tape import Tape
from strowger.gateway.taping import TapedIncoming, TapedReply, sent
from strowger.upstreams.base import Headers, Outgoing


class Answer:
    """An upstream's answer out of pieces."""

    status = 200
    headers = {"content-type": "text/plain"}
    header_items: Headers = (("Content-Type", "text/plain"), ("Set-Cookie", "planted"))

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.closed = False

    @property
    def ended(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def read_all(self, limit: int) -> bytes:
        raise AssertionError("it would go by unseen")

    def close(self) -> None:
        self.closed = True


class Client:
    """A reply that keeps what it is given."""

    started = False
    streaming = False

    def __init__(self) -> None:
        self.said = b""

    async def start(self, status: int, headers: Headers) -> None:
        self.started = self.streaming = True

    async def write(self, data: bytes) -> None:
        self.said += data

    async def end(self, data: bytes = b"") -> None:
        self.said += data

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.said += body


def test_an_answer_is_on_the_tape_as_it_was_read() -> None:
    """Piece by piece; how it is read does not matter, and it looks as it did."""
    tape, answer = Tape(0.0, 100), Answer(b"one", b"two", b"three")
    taped = TapedIncoming(answer, tape)

    async def read() -> tuple[bytes, bytes]:
        return await taped.read(), await taped.read_all(100)

    assert anyio.run(read) == (b"one", b"twothree")
    (message,) = tape.messages
    assert (message.kind, message.line, message.pieces) == ("upstream_response", "200", [b"one", b"two", b"three"])
    assert "planted" not in str(message.headers)
    assert (taped.status, taped.headers, taped.header_items, taped.ended) == (
        200,
        answer.headers,
        answer.header_items,
        True,
    )
    taped.close()
    assert answer.closed


def test_an_answer_without_end_is_refused_as_ever() -> None:
    """The tape changes nothing about limits."""
    taped = TapedIncoming(Answer(b"x" * 10, b"x"), Tape(0.0, 100))
    with pytest.raises(Malformed):
        anyio.run(taped.read_all, 10)


def test_what_the_client_gets_is_on_the_tape() -> None:
    """A stream as it was sent."""
    tape, client = Tape(0.0, 100), Client()
    reply = TapedReply(client, tape)

    async def answer() -> None:
        await reply.start(200, (("Content-Type", "text/event-stream"),))
        await reply.write(b"one")
        await reply.end(b"two")

    anyio.run(answer)
    assert (client.said, tape.messages[0].body, reply.started, reply.streaming) == (b"onetwo", b"onetwo", True, True)


def test_a_whole_answer_is_on_the_tape() -> None:
    """An error, mostly."""
    tape, client = Tape(0.0, 100), Client()
    anyio.run(TapedReply(client, tape).whole, 429, (), b"{}")
    assert (tape.messages[0].line, tape.messages[0].body, client.said) == ("429", b"{}", b"{}")


def test_a_request_is_on_the_tape_without_its_credential() -> None:
    """It is complete when it leaves, and its key with it."""
    tape = Tape(0.0, 100)
    sent(tape, Outgoing("POST", "https://g.test/v1?key=planted", (("x-goog-api-key", "planted"),), b"{}"))
    assert "planted" not in str(tape.messages[0])
    assert tape.messages[0].body == b"{}"
