"""The last event of a stream is made whole, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from strowger.config.schema import ProviderConfig
from strowger.providers.codex import Codex
from strowger.providers.codex_answers import Filled
from strowger.providers.terms import Facts
from strowger.upstreams.base import Headers, gathered

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Pieces:
    """An answer that comes in these pieces."""

    status = 200
    header_items: Headers = (("Content-Type", "text/event-stream"), ("Content-Length", "7"))
    headers: Mapping[str, str] = {"content-type": "text/event-stream", "content-length": "7"}

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.closed = False

    @property
    def ended(self) -> bool:
        return not self.pieces

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    async def read_all(self, limit: int) -> bytes:
        return await gathered(self.read, limit)

    def close(self) -> None:
        self.closed = True


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **members}).encode() + b"\n\n"


ITEM = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Grüße"}]}
CALL = {"type": "function_call", "id": "fc_1", "arguments": '{"type":"response.completed"}'}
START = event("response.created", response={"id": "resp_1"})
DELTA = event("response.output_text.delta", delta="Grüße")
DONE = event("response.output_item.done", output_index=0, item=ITEM)
CALLED = event("response.output_item.done", output_index=1, item=CALL)
END = event("response.completed", response={"id": "resp_1", "output": [], "usage": {"input_tokens": 1}}, end_turn=True)
STREAM = START + DELTA + CALLED + DONE + END


def last(stream: bytes) -> Any:
    return json.loads(stream.rstrip().rpartition(b"\n")[2].removeprefix(b"data: "))


async def read(*pieces: bytes) -> bytes:
    return await Filled(Pieces(*pieces)).read_all(10**6)


async def test_the_end_repeats_what_was_said() -> None:
    """All items in the order of their places; the other members stay, and so does every event before."""
    told = await read(STREAM)
    assert told.startswith(START + DELTA + CALLED + DONE)
    assert last(told) == {
        "type": "response.completed",
        "response": {"id": "resp_1", "output": [ITEM, CALL], "usage": {"input_tokens": 1}},
        "end_turn": True,
    }


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_however_it_comes(size: int) -> None:
    """Cut anywhere, it is the same stream."""
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert await read(*pieces) == await read(STREAM)


async def test_other_line_ends() -> None:
    """Are line ends too."""
    assert last((await read(STREAM.replace(b"\n", b"\r\n"))).replace(b"\r\n", b"\n"))["response"]["output"]


@pytest.mark.parametrize(
    "stream",
    [
        START + DELTA,
        START + DONE + event("response.completed", response={"output": [ITEM]}),
        START + END,
        START + DONE + event("response.failed", response={"error": {"code": "x"}}),
        START + DONE + b"event: response.completed\ndata: {broken\n\n",
        START + DONE + b'data: {"type":"response.completed","response":7}\n\n',
        b": comment\n\n" + START + b"data: half",
    ],
)
async def test_what_needs_nothing_passes_as_it_is(stream: bytes) -> None:
    """Byte for byte, also what cannot be read and what ends too early."""
    assert await read(stream) == stream


async def test_an_event_is_told_as_soon_as_it_is_there() -> None:
    """Nothing waits for the next one."""
    filled = Filled(Pieces(START, DELTA[:9], DELTA[9:] + DONE))
    assert [await filled.read() for _ in range(2)] == [START, DELTA + DONE]


async def test_it_stands_for_the_answer() -> None:
    """With its status and headers, but for a length that is no longer true; closing it closes the answer."""
    pieces = Pieces(DELTA[:5])
    filled = Filled(pieces)
    assert (filled.status, filled.headers) == (200, {"content-type": "text/event-stream"})
    assert filled.header_items == (("Content-Type", "text/event-stream"),)
    before = filled.ended
    assert await filled.read() == DELTA[:5]
    assert (before, filled.ended) == (False, True)
    filled.close()
    assert pieces.closed


async def test_only_for_those_who_read_the_last_event() -> None:
    """Clients of other dialects are told from the items; a list of models is no stream."""
    terms, pieces = Codex(ProviderConfig(preset="codex")), Pieces()
    own = Facts(stream=True, dialect="openai_responses")
    assert isinstance(terms.incoming(pieces, own), Filled)
    assert terms.incoming(pieces, Facts(stream=True, dialect="anthropic")) is pieces
    assert terms.incoming(pieces, Facts(stream=False, dialect="openai_responses")) is pieces
    assert terms.incoming(pieces, Facts(purpose="models")) is pieces
