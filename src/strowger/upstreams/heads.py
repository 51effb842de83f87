"""The head of an HTTP/1.1 message, a line at a time: most lines have come before, and what they say is remembered.

The parser (llhttp) tells each line by a call, which for twenty lines costs more than all the rest of it. So it is shown
the first line and those that say where a message ends, and decides about them as ever; the other lines are read here,
where they are exactly as they should be. A head with any other line is left to the parser as a whole. Must not know
what headers mean, but for those.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from strowger.upstreams.base import Headers

# One line of RFC 9110 §5 as everybody writes it: no space before the colon, none behind the value, and a value.
_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)"
)
_FRAMING = frozenset({"connection", "proxy-connection", "content-length", "transfer-encoding"})
# Credentials are not to stay here when their call is over.
_FORGOTTEN = re.compile(r"auth|cookie|key\b|token\b|secret|signature|password|credential|account")
_MOST_REMEMBERED = 4096
_LONGEST_REMEMBERED = 300

_Line = tuple[tuple[str, str], str, bool]
_lines: dict[bytes, _Line] = {}


class Head(Struct, gc=False):
    """A head. `told` is what the parser is to be shown of it, `rest` where in the bytes its body begins. Bytes that are
    not UTF-8 survive as surrogates. `named` is by lower-case name, the last of several.
    """

    told: bytes
    rest: int
    items: Headers
    named: dict[str, str]

    def show(self, feed: Callable[[bytes | memoryview], object], data: bytes) -> None:
        """Feed the parser what it is to be shown of `data`, and all that follows the head."""
        feed(self.told)
        if len(data) > self.rest:
            feed(memoryview(data)[self.rest :])


def split(data: bytes, limit: int, most: int) -> Head | None:
    """The head that `data` begins with; None where that is not all there, is longer than `limit` bytes or `most` lines,
    or has to be looked at by the parser.
    """
    end = data.find(b"\r\n\r\n", 0, limit)
    if end < 0:
        return None
    lines = data[:end].split(b"\r\n")
    if len(lines) > most:
        return None
    told = [lines[0]]
    items: list[tuple[str, str]] = []
    named: dict[str, str] = {}
    known = _lines.get
    for line in lines[1:]:
        found = known(line) or _read(line)
        if found is None:
            return None
        item, low, frames = found
        items.append(item)
        named[low] = item[1]
        if frames:
            told.append(line)
    told.append(b"\r\n")
    return Head(b"\r\n".join(told), end + 4, tuple(items), named)


def _read(line: bytes) -> _Line | None:
    """What a line says that has not come before; None for one that the parser has to judge."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    name = found[1].decode("ascii")
    low = name.lower()
    if low == "upgrade":
        return None
    read = (name, found[2].decode("utf-8", "surrogateescape")), low, low in _FRAMING
    if len(line) <= _LONGEST_REMEMBERED and _FORGOTTEN.search(low) is None:
        if len(_lines) >= _MOST_REMEMBERED:
            _lines.clear()
        _lines[line] = read
    return read
