"""Reading logs: the newest lines first, across rotated files and several logs, and what is added from now on.

Blocking. A line that is not ours (a crash left half of one) is kept as text. Must not know how lines are shown.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

_BLOCK = 64 * 1024
# More than anybody keeps; a bound for folders with many numbers.
_MOST_FILES = 100


class Line(Struct, frozen=True):
    """A line of a log. `time` is as written, and sorts; `fields` is empty where the line is none of ours."""

    raw: str
    time: str = ""
    level: str = "info"
    area: str = ""
    event: str = ""
    fields: dict[str, object] = {}


_HEAD = ("time", "level", "area", "event")


def parsed(raw: bytes) -> Line:
    """A line of a file."""
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    with suppress(msgspec.DecodeError):
        found = msgspec.json.decode(raw)
        if isinstance(found, dict) and all(isinstance(found.get(name, ""), str) for name in _HEAD):
            fields = {name: value for name, value in found.items() if name not in _HEAD}
            time, level, area, event = (str(found.get(name, "")) for name in _HEAD)
            return Line(text, time, level, area, event, fields)
    return Line(text)


def newest_first(paths: Iterable[Path]) -> Iterator[Line]:
    """The lines of several logs with their rotated files, by their times. Reads no further back than is asked for."""
    return heapq.merge(*(_timed(path) for path in paths), key=lambda line: line.time, reverse=True)


def _timed(path: Path) -> Iterator[Line]:
    """The lines of one log, the newest first. One without a time has that of its newer neighbour."""
    later = "9"
    for raw in _backwards(path):
        line = parsed(raw)
        if line.time:
            later = line.time
        else:
            line = Line(line.raw, later)
        yield line


def _backwards(path: Path) -> Iterator[bytes]:
    for each in (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, _MOST_FILES))):
        try:
            file = each.open("rb")
        except FileNotFoundError:
            if each == path:  # just being rotated
                continue
            return
        with file:
            file.seek(0, os.SEEK_END)
            yield from _lines_from_the_end(file.fileno(), file.tell())


def _lines_from_the_end(descriptor: int, end: int) -> Iterator[bytes]:
    rest = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        os.lseek(descriptor, begin, os.SEEK_SET)
        block = os.read(descriptor, end - begin) + rest
        first, *whole = block.split(b"\n")
        yield from (line for line in reversed(whole) if line)
        rest, end = first, begin
    if rest:
        yield rest


class Follower:
    """What is added to a log after it was made, through rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._rest = b""
        self._open(os.SEEK_END)

    def lines(self) -> list[Line]:
        """The whole lines that came since the last time."""
        found = self._read()
        if self._is_other():
            found += self._read()  # what came before it was moved
            self._again()
            found += self._read()
        return [parsed(line) for line in found if line]

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, whence: int = os.SEEK_SET) -> None:
        self._rest = b""
        with suppress(OSError):
            self._descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            os.lseek(self._descriptor, 0, whence)
            opened = os.fstat(self._descriptor)
            self._identity = opened.st_ino, opened.st_dev

    def _again(self) -> None:
        self.close()
        self._open()

    def _is_other(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False  # between two files
        if self._descriptor is None:
            return True
        if (found.st_ino, found.st_dev) != self._identity:
            return True
        return found.st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR)  # emptied in place

    def _read(self) -> list[bytes]:
        if self._descriptor is None:
            return []
        pieces = [self._rest]
        while piece := os.read(self._descriptor, _BLOCK):
            pieces.append(piece)
        *whole, self._rest = b"".join(pieces).split(b"\n")
        return whole
