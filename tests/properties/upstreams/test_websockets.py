"""Whatever an upstream sends, nothing but our own errors comes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from strowger.errors import UpstreamError
from strowger.upstreams.continuation import Heard, news, taken_apart
from strowger.upstreams.dialing import place_of
from strowger.upstreams.exchange import Exchange
from strowger.upstreams.frames import FrameConnection
from tests.unit.upstreams.peer import Peer

WORDS = st.sampled_from(
    "type error status status_code code headers body detail message response output id item output_index role content"
    " arguments name call_id summary encrypted_content text refusal previous_response_id retry-after".split()
)
KINDS = st.sampled_from(
    "error response.created response.output_item.done response.completed response.failed codex.rate_limits keepalive"
    " reasoning function_call message output_text assistant".split()
)
SCALARS = (
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False) | st.text(max_size=5) | KINDS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8
)
EVENTS = st.builds(lambda kind, rest: {"type": kind, **rest}, KINDS, st.dictionaries(WORDS, VALUES, max_size=5))


class Line:
    def pause(self) -> None:
        """Nothing is read anyway."""

    def resume(self) -> None:
        """Nothing is read anyway."""

    def free(self, *, good: bool) -> None:
        """Nobody keeps it."""


def items(values: Any) -> dict[str, msgspec.Raw]:
    return {"input": msgspec.Raw(msgspec.json.encode(values))}


@given(st.lists(EVENTS | VALUES | st.binary(max_size=20), max_size=8))
def test_any_texts(texts: list[Any]) -> None:
    """Texts of any kind, JSON or not, are an answer, a refusal, or one of our errors."""

    async def run() -> None:
        asked = taken_apart(items([]))
        assert asked is not None
        exchange = Exchange(Line(), (), lambda _: None, Heard(asked))
        for text in texts:
            exchange.text(text if isinstance(text, bytes) else msgspec.json.encode(text))
        exchange.lost(UpstreamError("the end"))
        try:
            await exchange.begun()
            if exchange.refusal is None:
                data = await exchange.read_all(100_000)
                assert data.endswith(b"\n\n")
            else:
                assert 400 <= exchange.refusal.status < 600
                msgspec.json.decode(exchange.refusal.body)
        except UpstreamError:
            assert not exchange.ended

    asyncio.run(run())


@given(st.lists(EVENTS, max_size=4), st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=6))
def test_any_items(output: list[Any], before: list[Any], after: list[Any]) -> None:
    """Whether a request goes on from an answer is found out for items of any shape, and then something is new in it."""
    asked, again = taken_apart(items(before)), taken_apart(items([*before, *output, *after]))
    assert asked is not None
    assert again is not None
    heard = Heard(asked)
    for index, item in enumerate(output):
        heard.event("response.output_item.done", msgspec.json.encode({"output_index": index, "item": item}))
    heard.event("response.completed", b'{"response":{"id":"resp_1"}}')
    said = heard.said()
    assert said is not None
    start = news(said, again)
    assert start is None or len(before) <= start < len(again.items)


@given(st.binary(max_size=60), st.lists(st.integers(1, 20), max_size=8), st.booleans())
def test_any_bytes(data: bytes, cuts: list[int], shaken: bool) -> None:
    """Bytes of any kind, in the handshake or after it, in any pieces."""

    async def run() -> None:
        told: list[UpstreamError] = []

        class Ear:
            def text(self, data: bytes) -> None:
                """A text, by chance."""

            def lost(self, error: UpstreamError) -> None:
                told.append(error)

        connection = FrameConnection(place_of("http://a.example/"), (), Ear(), 60.0)
        peer = Peer(connection, 101 if shaken else 0)
        connection.connection_made(peer)
        if shaken:
            await connection.upgrade()
        rest = data
        for cut in cuts:
            if not peer.closing:
                connection.data_received(rest[:cut])
            rest = rest[cut:]
        if not peer.closing:
            connection.eof_received()
            peer.close()
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(told) == 1
        assert not connection.usable

    asyncio.run(run())


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5), st.lists(st.integers(1, 40), max_size=30))
def test_any_cut(texts: list[str], cuts: list[int]) -> None:
    """Texts arrive the same in any pieces."""
    stream = b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)

    async def run() -> None:
        heard: list[bytes] = []

        class Ear:
            def text(self, data: bytes) -> None:
                heard.append(data)

            def lost(self, error: UpstreamError) -> None:
                raise AssertionError(error)

        connection = FrameConnection(place_of("http://a.example/"), (), Ear(), 60.0)
        connection.connection_made(Peer(connection))
        await connection.upgrade()
        rest = stream
        for cut in (*cuts, len(stream)):
            if rest:
                connection.data_received(rest[:cut])
            rest = rest[cut:]
        connection.abort()
        assert heard == [text.encode() for text in texts]

    asyncio.run(run())
