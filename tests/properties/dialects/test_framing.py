"""Framing against a plain reading of the WHATWG grammar, whatever the bytes and however they are cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strowger.dialects.framing import ArrayDecoder, FrameTooLargeError, SSEDecoder
from tests.conformance import sse
from tests.properties.cuts import cut, cuts

LINES = st.sampled_from(
    [
        "data: {}",
        "data:{}",
        "data:  two spaces",
        "data",
        "data:",
        "data: é💡",
        "event: ping",
        "event:ping",
        "event",
        "event:",
        ": comment",
        ":",
        "id: 7",
        "retry: 10",
        "nonsense",
        "datax: no",
        "\ufeffdata: not at the start",
        "",
        "",
    ]
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Lines with any ends, perhaps a byte order mark, perhaps cut short."""
    lines = draw(st.lists(st.tuples(LINES, ENDS), max_size=20))
    text = draw(st.sampled_from(["", "", "\ufeff"])) + "".join(line + end for line, end in lines)
    return text.encode() + draw(st.sampled_from([b"", b"data: cut", b"\xc3", b"data: \xff\n\n"]))


def framed(pieces: Iterable[bytes]) -> list[sse.Event]:
    """What our decoder makes of pieces, in the oracle's terms."""
    decoder = SSEDecoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return [sse.Event(frame.event, frame.data.decode("utf-8", "replace")) for frame in frames + decoder.close()]


@given(streams(), cuts())
def test_reads_by_the_grammar(stream: bytes, places: list[int]) -> None:
    """Frames are those that the grammar gives, for every cutting of the bytes."""
    expected = [sse.Event(event.name.strip(), event.data) for event in sse.events(stream)]
    assert framed(cut(stream, places)) == expected


@given(st.binary(max_size=300), cuts())
def test_any_bytes_in_any_pieces(stream: bytes, places: list[int]) -> None:
    """Bytes that mean nothing are frames of nothing, and where they are cut makes no difference."""
    assert framed(cut(stream, places)) == framed([stream]) == framed(stream[i : i + 1] for i in range(len(stream)))


@given(st.binary(min_size=11, max_size=200).filter(lambda data: not set(data) & set(b"\r\n")), cuts())
def test_a_frame_has_a_limit(data: bytes, places: list[int]) -> None:
    """A frame that never ends is refused when it grows over the limit, in however many pieces it comes."""
    decoder = SSEDecoder(limit=10)
    with pytest.raises(FrameTooLargeError):
        for piece in cut(data, places):
            decoder.feed(piece)


def test_a_frame_leaves_with_the_byte_that_ends_it() -> None:
    """No frame is held back for the start of the next; only a CR waits for what follows it."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 1\n") == []
    assert [frame.data for frame in decoder.feed(b"\n")] == [b"1"]
    assert decoder.feed(b"data: 2\r\r") == []
    assert [frame.data for frame in decoder.feed(b"d")] == [b"2"]
    assert [frame.data for frame in decoder.feed(b"ata: 3\r\n\r\n")] == [b"3"]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text('a{}[],"\\ é', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a{"', max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 2]), cuts())
def test_an_array_gives_its_elements(values: list[Any], indent: int | None, places: list[int]) -> None:
    """Every element comes whole and in order, however the array is written and cut."""
    decoder = ArrayDecoder()
    written = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    found = [json.loads(element) for piece in cut(written, places) for element in decoder.feed(piece)]
    assert found == values
    assert decoder.done


@example(b"ab}", [500])
@given(st.binary(max_size=200) | st.text('[]{},"\\ a').map(str.encode), cuts())
def test_any_bytes_are_an_array_of_something(stream: bytes, places: list[int]) -> None:
    """Bytes that are no JSON are cut the same way, wherever the pieces end."""
    whole, cut_up = ArrayDecoder(), ArrayDecoder()
    expected = whole.feed(stream)
    assert [element for piece in cut(stream, places) for element in cut_up.feed(piece)] == expected
    assert (cut_up.done, cut_up.rest) == (whole.done, whole.rest)
