"""Answers out of another framing or other words, whatever comes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from strowger.dialects.eventstream import BrokenFramingError
from strowger.errors import Malformed, Truncated
from strowger.providers.unwrapping import Reworded, Unframed
from strowger.upstreams.base import Headers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Pieces:
    """An answer that comes in these pieces."""

    status = 424
    header_items: Headers = (("Content-Length", "7"), ("X-Own", "1"), ("content-type", "x/y"))

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.closed = False

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self.header_items}

    @property
    def ended(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def read_all(self, limit: int) -> bytes:
        return b"".join(self._pieces)

    def close(self) -> None:
        self.closed = True


class Pairs:
    """A framing in which two bytes are an event; `!` is damage."""

    def __init__(self) -> None:
        self.rest = b""

    @property
    def between(self) -> bool:
        return not self.rest

    def feed(self, data: bytes) -> bytes:
        if b"!" in data:
            raise BrokenFramingError("a mark")
        data = self.rest + data
        even = len(data) - len(data) % 2
        self.rest = data[even:]
        return data[:even]


async def test_events_as_they_come() -> None:
    """What completes no event is waited for; the head says what it is now, and no length."""
    answer = Unframed(Pieces(b"a", b"b", b"cd"), Pairs(), (("request-id", "r"),))
    assert [await answer.read(), await answer.read(), await answer.read()] == [b"ab", b"cd", b""]
    assert answer.header_items == (("X-Own", "1"), ("content-type", "text/event-stream"), ("request-id", "r"))
    assert (answer.status, answer.ended) == (424, True)
    assert await Unframed(Pieces(b"ab", b"cd"), Pairs()).read_all(10) == b"abcd"


async def test_an_end_inside_an_event() -> None:
    """Is no end."""
    answer = Unframed(Pieces(b"abc"), Pairs())
    assert await answer.read() == b"ab"
    with pytest.raises(Truncated):
        await answer.read()


async def test_damage() -> None:
    """Nothing after it is read."""
    pieces = Pieces(b"a!")
    with pytest.raises(Malformed):
        await Unframed(pieces, Pairs()).read()
    assert pieces.closed


async def test_other_words() -> None:
    """The body is said again once it is all there, with the status that it stands for."""
    answer = Reworded(Pieces(b"a", b"b"), bytes.upper, status=500)
    assert not answer.ended
    assert [await answer.read(), await answer.read()] == [b"AB", b""]
    assert (answer.status, answer.ended, answer.headers["content-type"]) == (500, True, "application/json")
    assert await Reworded(Pieces(b"a", b"b"), bytes.upper).read_all(10) == b"AB"
    with pytest.raises(Malformed):
        await Reworded(Pieces(b"a", b"b"), bytes.upper).read_all(1)
