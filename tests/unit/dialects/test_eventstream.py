"""AWS's event-stream framing, held against AWS's own reader."""

from __future__ import annotations

import zlib
from struct import pack

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.eventstream import BrokenFramingError, EventStreamDecoder, Message, encode


def text(name: str, value: str) -> bytes:
    raw = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + pack(">H", len(raw)) + raw


def frame(headers: bytes, payload: bytes) -> bytes:
    prelude = pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + pack(">I", zlib.crc32(body))


CHUNK = frame(text(":event-type", "chunk") + text(":message-type", "event"), b'{"bytes":"e30="}')
# one header of each other type
ODD = frame(
    b"\x01a\x00" + b"\x01b\x01" + b"\x01c\x02x" + b"\x01d\x03xx" + b"\x01e\x04xxxx" + b"\x01f\x05xxxxxxxx"
    b"\x01g\x06\x00\x02xx" + b"\x01h\x08xxxxxxxx" + b"\x01i\x09xxxxxxxxxxxxxxxx" + text("j", "ü"),
    b"",
)


def fed(data: bytes, *cuts: int) -> list[Message]:
    decoder = EventStreamDecoder()
    found: list[Message] = []
    before = 0
    for cut in (*sorted(cut % (len(data) + 1) for cut in cuts), len(data)):
        found += decoder.feed(data[before:cut])
        before = cut
    assert decoder.between
    return found


NAMES = st.text(":-abc", min_size=1, max_size=8)


@given(
    st.lists(st.tuples(st.dictionaries(NAMES, st.text(max_size=20), max_size=3), st.binary(max_size=60))),
    st.lists(st.integers(0, 5000), max_size=9),
)
def test_any_chunking_is_one_chunk(messages: list[tuple[dict[str, str], bytes]], cuts: list[int]) -> None:
    """Whatever the pieces, what comes out is what AWS's own reader finds in the whole."""
    data = b"".join(
        frame(b"".join(text(name, value) for name, value in headers.items()), payload) for headers, payload in messages
    )
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    expected = [Message(dict(event.headers), event.payload) for event in theirs]
    assert fed(data, *cuts) == fed(data) == expected


def test_headers_of_other_types() -> None:
    """They are passed over; texts are told."""
    assert fed(ODD + CHUNK) == [
        Message({"j": "ü"}, b""),
        Message({":event-type": "chunk", ":message-type": "event"}, b'{"bytes":"e30="}'),
    ]


@pytest.mark.parametrize("at", range(0, len(CHUNK), 7))
def test_damage_is_seen(at: int) -> None:
    """A bit that flipped anywhere ends the stream before anything of the message is believed."""
    broken = bytearray(CHUNK)
    broken[at] ^= 1
    with pytest.raises(BrokenFramingError):
        EventStreamDecoder().feed(bytes(broken))


@pytest.mark.parametrize(
    "data",
    [
        pack(">II", 15, 0),
        pack(">II", 2**31, 0),
        pack(">II", 40, 30),
        b"<html><b",
        frame(b"\x05ab", b"")[:8],
    ],
)
def test_impossible_lengths(data: bytes) -> None:
    """Also with a right checksum they are refused at once, not waited for."""
    with pytest.raises(BrokenFramingError):
        EventStreamDecoder().feed(data + pack(">I", zlib.crc32(data)) + b"x" * 64)


@pytest.mark.parametrize("headers", [b"\x05ab", b"\x01a\x0axx", b"\x01a\x07\x00\x09x", b"\x01\xff\x00"])
def test_headers_that_make_no_sense(headers: bytes) -> None:
    """A whole message with headers that lead out of it, or of no known type."""
    with pytest.raises(BrokenFramingError):
        EventStreamDecoder().feed(frame(headers, b"x"))


def test_what_is_written_can_be_read() -> None:
    """By AWS's own reader."""
    theirs = EventStreamBuffer()
    theirs.add_data(encode({":event-type": "chunk", "x": "ü"}, b"payload"))
    event = next(theirs)
    assert (event.headers, event.payload) == ({":event-type": "chunk", "x": "ü"}, b"payload")
