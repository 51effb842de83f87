"""Cutting a byte stream into frames: Server-Sent Events, and the elements of one long JSON array.

Follows the WHATWG grammar (LF, CR and CRLF line ends, comments, multi-line data, `data:` with and without a space, a
byte order mark), and is indifferent to how the bytes are chunked: a frame leaves only when its blank line has come.
Text is handed on as bytes: JSON decoders check UTF-8 themselves, so a character split over chunks is never decoded by
halves.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One SSE event: `event` is its name (empty when it has none), `data` the joined data lines."""

    event: str
    data: bytes


# What a NamedTuple's own `__new__` does, without a function of Python's in between.
_made = tuple.__new__


class FrameTooLargeError(ValueError):
    """A frame grew over the limit before its end came."""


class SSEDecoder:
    """Bytes to frames; comments are counted in `comments` and otherwise dropped.

    A frame whose closing blank line never came is given by `close()`: some servers leave it out at the very end.
    `stray` is the last bare JSON object, of one line or of several, which is no SSE: some servers write their errors
    so.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._started = False
        self._head, self._named = b"data: ", ""
        """How the last event that came alone began, and its name."""
        self.comments = 0
        self.stray = b""

    @property
    def between(self) -> bool:
        """Whether the next byte begins an event."""
        return self._started and not self._pieces

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that `data` completes. Raises FrameTooLargeError."""
        if self._started and not self._pieces and data.endswith(b"\n\n") and b"\r" not in data:
            # A paced stream: one event in one chunk, of one line, or of its name and one line. Most begin as the last.
            head = self._head
            if data.startswith(head) and data.find(b"\n", len(head)) == len(data) - 2:
                return [_made(Frame, (self._named, data[len(head) : -2]))]
            line = data.find(b"\n") + 1
            if line == len(data) - 1 and data.startswith(b"data: "):
                self._head, self._named = b"data: ", ""
                return [_made(Frame, ("", data[6:-2]))]
            if data.find(b"\n", line) == len(data) - 2 and data.startswith(b"data: ", line) and data[:7] == b"event: ":
                self._head, self._named = data[: line + 6], _name(data[: line - 1])
                return [_made(Frame, (self._named, data[line + 6 : -2]))]
        if self._started and not self._pieces and data.endswith(b"\r\n\r\n") and data.startswith(b"data: "):
            # The same from a server that ends its lines with CRLF, as Google's do.
            end = len(data) - 4
            if data.find(b"\r") == end and data.find(b"\n") == end + 1:
                return [_made(Frame, ("", data[6:end]))]
        buffer = data
        if self._pieces:
            # What ends no line ends no frame, and need not be joined to what waits: a large frame may come in many
            # small pieces. After a CR anything may show that a line has ended.
            if b"\n" not in data and b"\r" not in data and self._started and not self._pieces[-1].endswith(b"\r"):
                self._keep(data)
                return []
            buffer = self._taken() + data
        if not self._started:
            if BOM.startswith(buffer[:3]) and len(buffer) < len(BOM):
                self._keep(buffer)
                return []
            buffer = buffer.removeprefix(BOM)
            self._started = True
        if b"\r" in buffer:
            return self._feed_crlf(buffer)
        end = buffer.rfind(b"\n\n")
        if end < 0:
            self._keep(buffer)
            return []
        self._keep(buffer[end + 2 :])
        frames = []
        for block in buffer[:end].split(b"\n\n"):
            name, _, only = block.partition(b"\n")
            if name[:7] == b"event: " and only[:6] == b"data: " and b"\n" not in only:
                frames.append(_made(Frame, (_name(name), only[6:])))
                continue
            frame = self._frame(block.split(b"\n"))
            if frame is not None:
                frames.append(frame)
        return frames

    def _feed_crlf(self, buffer: bytes) -> list[Frame]:
        # A CR at the very end may be the first half of CRLF: it waits for the next byte.
        held = b"\r" if buffer.endswith(b"\r") else b""
        text = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = text.rfind(b"\n\n")
        if end < 0:
            self._keep(text + held)
            return []
        self._keep(text[end + 2 :] + held)
        frames = (self._frame(block.split(b"\n")) for block in text[:end].split(b"\n\n"))
        return [frame for frame in frames if frame is not None]

    def close(self) -> list[Frame]:
        """The frame that was still open at the end of input, if it holds data."""
        frame = self._frame(self._taken().replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
        return [] if frame is None else [frame]

    def _keep(self, rest: bytes) -> None:
        if not rest:
            return
        self._size += len(rest)
        if self._size > self._limit:
            raise FrameTooLargeError(f"an event grew over {self._limit} bytes")
        self._pieces.append(rest)

    def _taken(self) -> bytes:
        """What was kept; nothing is any more."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return rest

    def _frame(self, lines: list[bytes]) -> Frame | None:
        # the two common shapes, without a loop
        if len(lines) == 1 and lines[0].startswith(b"data: "):
            return _made(Frame, ("", lines[0][6:]))
        if len(lines) == 2 and lines[0].startswith(b"event: ") and lines[1].startswith(b"data: "):
            return Frame(_name(lines[0]), lines[1][6:])
        event = ""
        data: list[bytes] = []
        bare: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
            elif line.startswith(b"event:"):
                event = _name(line)
            elif line.startswith(b":"):
                self.comments += 1
            elif line == b"data":
                data.append(b"")
            elif line == b"event":
                event = ""
            elif line.startswith(b"{"):
                bare = [line]
            elif bare:
                bare.append(line)
        if bare:
            self.stray = b"\n".join(bare).rstrip()
        if not data:
            return None
        return Frame(event, b"\n".join(data))


@lru_cache(maxsize=256)
def _name(line: bytes) -> str:
    """The name in an `event:` line: there are few, and they come with every event."""
    return line[6:].strip().decode("utf-8", "replace")


_OUTSIDE = re.compile(rb'["{}\[\],]')
_DEEP = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+["{}\[\]]', re.DOTALL)
"""Up to the next bracket, over strings that are whole, where commas do not matter; or to a string that is not whole."""
_INSIDE = re.compile(rb'["\\]')
_DEEPER = frozenset(b"{[")
_HIGHER = frozenset(b"}]")


class ArrayDecoder:
    """Bytes of one JSON array, cut anywhere, to its elements, each as soon as it is whole.

    It counts brackets outside of strings and looks at nothing else: whether an element is JSON is for its reader to
    find out. `done`: the array was closed; what follows it is not looked at. `rest` is what was begun and did not end.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.done = False

    @property
    def rest(self) -> bytes:
        """What came of an element that is not whole."""
        return b"".join(self._pieces).strip()

    def feed(self, data: bytes) -> list[bytes]:
        """Elements that `data` completes. Raises FrameTooLargeError."""
        found: list[bytes] = []
        at = begun = 0
        if self._escaped and data:
            self._escaped, at = False, 1
        while not self.done:
            if self._in_string:
                at = self._string(data, at)
                if self._in_string:
                    break
            mark = _DEEP.match(data, at) if self._depth > 1 else _OUTSIDE.search(data, at)
            if mark is None:
                break
            at = mark.end()
            byte = data[at - 1]
            if byte == 0x22:
                self._in_string = True
            elif byte in _DEEPER:
                self._depth += 1
                if self._depth == 1:
                    begun = at
            elif byte in _HIGHER:
                self._depth -= 1
                if self._depth <= 0:
                    self.done = True
                    if self._depth == 0:  # else it was never opened
                        self._cut(data[begun : at - 1], found)
                elif self._depth == 1:
                    self._cut(data[begun:at], found)
                    begun = at
            elif self._depth == 1:
                self._cut(data[begun : at - 1], found)
                begun = at
        if not self.done and self._depth:
            self._keep(data[begun:])
        return found

    def _string(self, data: bytes, at: int) -> int:
        """The end of the string that is open, or of the data."""
        while (mark := _INSIDE.search(data, at)) is not None:
            at = mark.end()
            if data[at - 1] == 0x22:
                self._in_string = False
                return at
            if at == len(data):
                self._escaped = True
                return at
            at += 1
        return len(data)

    def _cut(self, last: bytes, found: list[bytes]) -> None:
        """An element ends with `last`, if there is one."""
        element = b"".join((*self._pieces, last)).strip()
        self._pieces.clear()
        self._size = 0
        if element:
            found.append(element)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise FrameTooLargeError(f"an element grew over {self._limit} bytes")
        if piece:
            self._pieces.append(piece)
