"""Cutting Server-Sent Events into frames: what the grammar leaves to us. (The grammar itself is held by properties.)"""

from __future__ import annotations

import pytest

from strowger.dialects.framing import ArrayDecoder, Frame, FrameTooLargeError, SSEDecoder


def test_an_event_per_chunk_and_many_at_once_are_the_same() -> None:
    """The short way for a paced stream gives what the long way gives."""
    wire = [
        b"data: 1\n\n",
        b"event: x\ndata: 2\n\n",
        b"event: x\ndata: 2\n\n",
        b"event: xy\ndata: 2\n\n",
        b"event: x\ndata: 2\ndata: 2\n\n",
        b"event: x\ndata: 2\n\nevent: x\ndata: 2\n\n",
        b"data: a: b\n\n",
        b"data:3\n\n",
        b"data: \n\n",
        b"data: 4\r\n\r\n",
    ]
    paced, burst = SSEDecoder(), SSEDecoder()
    frames = [frame for piece in wire for frame in paced.feed(piece)]
    assert frames == burst.feed(b"".join(wire))
    assert [frame.data for frame in frames] == [b"1", *[b"2"] * 3, b"2\n2", b"2", b"2", b"a: b", b"3", b"", b"4"]
    assert [frame.event for frame in frames] == ["", "x", "x", "xy", "x", "x", "x", "", "", "", ""]


def test_a_frame_that_looks_whole_is_not_cut_from_what_came_before() -> None:
    """A chunk may begin like an event and be the middle of one."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 0\n\nevent: x\n") == [Frame("", b"0")]
    assert decoder.feed(b"data: 1\n\n") == [Frame("x", b"1")]


def test_comments_are_counted() -> None:
    """They tell that the upstream is alive."""
    decoder = SSEDecoder()
    assert decoder.feed(b": waiting\n\n:\n\ndata: 1\n\n") == [Frame("", b"1")]
    assert decoder.comments == 2


def test_a_line_of_bare_json_is_kept_aside() -> None:
    """It is no event, but some servers write their errors so."""
    decoder = SSEDecoder()
    assert decoder.feed(b'data: 1\n\n{"error":"x"}\n\ndata: 2\n\n') == [Frame("", b"1"), Frame("", b"2")]
    assert decoder.stray == b'{"error":"x"}'


def test_the_last_frame_needs_no_blank_line() -> None:
    """Some servers leave it out."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: [DONE]") == []
    assert decoder.close() == [Frame("", b"[DONE]")]
    assert decoder.close() == []


def test_a_frame_without_end_is_refused() -> None:
    """Memory is bounded, whether it comes at once or in pieces."""
    with pytest.raises(FrameTooLargeError):
        SSEDecoder(limit=10).feed(b"data: 0123456789")
    decoder = SSEDecoder(limit=10)
    with pytest.raises(FrameTooLargeError):
        for _ in range(20):
            decoder.feed(b"x")
    assert SSEDecoder(limit=10).feed(b"data: 1\n\n" * 5) == [Frame("", b"1")] * 5


def test_bare_json_of_several_lines_is_one_object() -> None:
    """Google writes an error inside a stream as indented JSON without any framing."""
    decoder = SSEDecoder()
    assert decoder.feed(b'data: 1\n\n{\n  "error": {\n    "code": 499\n  }\n}\n') == [Frame("", b"1")]
    assert decoder.close() == []
    assert decoder.stray == b'{\n  "error": {\n    "code": 499\n  }\n}'


def test_an_event_per_chunk_with_crlf() -> None:
    """The short way for servers that end lines with CRLF takes only what is one whole event."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 0\r\n\r\n") == [Frame("", b"0")]
    assert decoder.feed(b"data: 1\r\n\r\n") == [Frame("", b"1")]
    assert decoder.feed(b"data: 2\r\ndata: 3\r\n\r\n") == [Frame("", b"2\n3")]
    assert decoder.feed(b"data: 4\r\n\r\ndata: 5\r\n\r\n") == [Frame("", b"4"), Frame("", b"5")]
    assert decoder.feed(b"data: 6\n\r\n\r\n") == [Frame("", b"6")]


ARRAY = b'[{"a":[1,{"b":"]}\\"\\\\"}]}\r\n,\r\n{"c":2}, 7, "x,]" ,[3]\n] trailing'
ELEMENTS = [b'{"a":[1,{"b":"]}\\"\\\\"}]}', b'{"c":2}', b"7", b'"x,]"', b"[3]"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_an_array_is_cut_into_its_elements(size: int) -> None:
    """Brackets and commas inside of strings, and deeper ones, end no element; how the bytes come is all one."""
    decoder = ArrayDecoder()
    found = [element for i in range(0, len(ARRAY), size) for element in decoder.feed(ARRAY[i : i + size])]
    assert found == ELEMENTS
    assert decoder.done


def test_an_element_leaves_with_its_last_byte() -> None:
    """It does not wait for the comma behind it: the next element may come much later."""
    decoder = ArrayDecoder()
    assert decoder.feed(b'[{"a":1') == []
    assert decoder.rest == b'{"a":1'
    assert decoder.feed(b"}") == [b'{"a":1}']
    assert decoder.rest == b""
    assert not decoder.done


def test_an_array_may_be_empty() -> None:
    """Nothing is an element of it."""
    decoder = ArrayDecoder()
    assert decoder.feed(b" [ \n ] ") == []
    assert decoder.done


def test_an_element_without_end_is_refused() -> None:
    """Memory is bounded."""
    decoder = ArrayDecoder(limit=10)
    with pytest.raises(FrameTooLargeError):
        for _ in range(20):
            decoder.feed(b"[{")
