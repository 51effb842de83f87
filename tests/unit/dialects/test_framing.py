"""Cutting Server-Sent Events into frames: what the grammar leaves to us. (The grammar itself is held by properties.)"""

from __future__ import annotations

import pytest

from strowger.dialects.framing import Frame, FrameTooLargeError, SSEDecoder


def test_an_event_per_chunk_and_many_at_once_are_the_same() -> None:
    """The short way for a paced stream gives what the long way gives."""
    wire = [
        b"data: 1\n\n",
        b"event: x\ndata: 2\n\n",
        b"data: a: b\n\n",
        b"data:3\n\n",
        b"data: \n\n",
        b"data: 4\r\n\r\n",
    ]
    paced, burst = SSEDecoder(), SSEDecoder()
    frames = [frame for piece in wire for frame in paced.feed(piece)]
    assert frames == burst.feed(b"".join(wire))
    assert [frame.data for frame in frames] == [b"1", b"2", b"a: b", b"3", b"", b"4"]
    assert frames[1] == Frame("x", b"2")


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
