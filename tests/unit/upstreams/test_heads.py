"""Heads that are read a line at a time say what the parser would have said, or are left to it."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.upstreams import heads

_FIRST = b"POST /v1/messages HTTP/1.1"
_NAMES = st.sampled_from(
    [b"Host", b"x-api-key", b"X-Stainless-OS", b"content-length", b"Connection", b"a b", b"", b"\xe4"]
)
_VALUES = st.one_of(
    st.sampled_from([b"", b"1", b"keep-alive", b"a, b", b"a\tb", b"\xc3\xa4\xff", b"a\nb", b"a\rb", b"a\x00", b"\x7f"]),
    st.binary(max_size=6),
)
_GAPS = st.sampled_from([b":", b": ", b":\t ", b" :", b""])
_ENDS = st.sampled_from([b"", b"", b"", b" ", b"\n", b"\r"])
_LINES = st.lists(st.tuples(_NAMES, _GAPS, _VALUES, _ENDS).map(b"".join), max_size=5)


class _Told:
    """What the parser tells."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.headed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.headed = True


def _parsed(data: bytes) -> _Told | None:
    """As the parser reads it; None where it refuses."""
    told = _Told()
    try:
        httptools.HttpRequestParser(told).feed_data(data)
    except httptools.HttpParserError:
        return None
    return told


def _head(*lines: bytes) -> bytes:
    return b"\r\n".join((_FIRST, *lines)) + b"\r\n\r\n"


@given(_LINES)
def test_says_what_the_parser_says(lines: list[bytes]) -> None:
    """Whatever stands in a head, it is read as the parser reads it, and one that the parser refuses is left to it."""
    data = _head(*lines)
    for _ in range(2):  # the second time from memory
        head = heads.split(data, 4096, 100)
        if head is None:
            continue
        whole, short = _parsed(data), _parsed(head.told)
        if short is None:
            assert whole is None
            continue
        assert whole is not None
        assert whole.headed
        assert short.headed
        decoded = [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in whole.fields]
        assert list(head.items) == decoded
        assert head.named == {name.lower(): value for name, value in decoded}


def test_the_parser_is_shown_what_ends_a_message() -> None:
    """Of a usual head the parser sees the first line and those that say how long the message is, and how it is kept."""
    data = _head(b"Host: x", b"Content-Length: 2", b"Accept: */*", b"Connection: close") + b"{}"
    head = heads.split(data, 4096, 100)
    assert head is not None
    assert head.told == _head(b"Content-Length: 2", b"Connection: close")
    assert data[head.rest :] == b"{}"
    assert head.items == (("Host", "x"), ("Content-Length", "2"), ("Accept", "*/*"), ("Connection", "close"))


@pytest.mark.parametrize(
    "data",
    [
        _FIRST + b"\r\nHost: x\r\n",
        _head(b"Upgrade: websocket"),
        _head(b"a: b", b" folded"),
        _head(b"a:"),
        _head(b"a: b "),
    ],
)
def test_left_to_the_parser(data: bytes) -> None:
    """Half a head, an upgrade, and lines that are not as everybody writes them are the parser's to judge."""
    assert heads.split(data, 4096, 100) is None


def test_limits() -> None:
    """A head of more bytes or lines than are allowed is left to the parser, which tells how long it is."""
    data = _head(b"a: b", b"c: d")
    assert heads.split(data, len(data), 3) is not None
    assert heads.split(data, len(data) - 1, 3) is None
    assert heads.split(data, len(data), 2) is None


def test_credentials_are_not_remembered() -> None:
    """A line that may hold a credential is read anew each time."""
    data = _head(b"Host: x", b"Authorization: Bearer heads-test-1", b"X-Api-Key: heads-test-2", b"Cookie: heads-test-3")
    assert heads.split(data, 4096, 100) is not None
    assert b"Host: x" in heads._lines
    assert not [line for line in heads._lines if b"heads-test" in line]


def test_memory_is_bounded() -> None:
    """However many lines come, a bounded number of them is remembered, and none that is long."""
    for number in range(heads._MOST_REMEMBERED + 10):
        assert heads.split(_head(b"x-request-id: %d" % number), 4096, 100) is not None
    assert heads.split(_head(b"x-long: " + b"a" * 1000), 4096, 100) is not None
    assert len(heads._lines) <= heads._MOST_REMEMBERED
    assert max(map(len, heads._lines)) <= heads._LONGEST_REMEMBERED
