"""The log: one JSON object per line, to a file and to standard error; on a terminal, words.

Plain data comes in. Bodies and credentials never should; what looks like a credential all the same is taken out here,
the one place where lines are written. Must not know what the events mean.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TextIO, get_args

import msgspec

from strowger.config.schema import LogArea, LogLevel
from strowger.telemetry.files import LogFile
from strowger.telemetry.lines import told
from strowger.telemetry.redaction import Redaction

_ENCODE = msgspec.json.Encoder().encode
# A disk that was full is tried again after this.
_AGAIN_SECONDS = 5.0

LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)

AREAS: tuple[LogArea, ...] = get_args(LogArea)
"""The parts of the gateway that have a level of their own."""

EVENTS: Mapping[str, LogArea] = MappingProxyType(
    {
        "call": "call",  # one that is over
        "opened": "call",  # its answer has begun
        "attempt": "upstream",  # one try at an upstream
        "connection": "upstream",  # opened, used again, closed
        "limits": "upstream",  # what a provider said of an account's limits
        "credential": "auth",
        "reload": "config",
        "switch": "config",
        "launch": "config",
        "budget": "config",
        "recorder": "store",
        "store": "store",
        "started": "server",
        "stopped": "server",
        "refused": "server",  # what never became a call
        "log": "server",
        "metrics": "server",
        "task": "server",
        "tracing": "server",
    }
)
"""What is told of, and the area of each; what is not listed is of the server's."""


class Log:
    """Writes lines at or above `level`, or at or above what `areas` say of theirs.

    With a `path` they go to that file; without one, or with a `stream` as well, to the stream, which is standard error
    unless one is given. A full disk or a closed pipe stops the log, not the gateway; while nobody reads a pipe, lines
    are dropped, and the next one that is written says how many. `write` may be called from any thread.
    """

    def __init__(
        self,
        path: Path | None = None,
        level: str = "info",
        stream: TextIO | None = None,
        *,
        areas: Mapping[LogArea, LogLevel] = MappingProxyType({}),
    ) -> None:
        """Raises OSError when the file cannot be opened."""
        base = _rank(level)
        self._thresholds = {area: _rank(areas[area]) if area in areas else base for area in AREAS}
        self._file = LogFile(path) if path is not None else None
        # A process may have been started without a standard error.
        shown = stream if stream is not None or path is not None else sys.stderr
        self._shown = _Shown(shown) if shown is not None else None
        self._redaction = Redaction()
        self._lock = threading.Lock()
        self._second = 0
        self._stamp = ""
        self._not_before = 0.0
        self.dropped = 0
        """Lines that nobody got: the disk was full, or nobody read the pipe."""

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""
        return None if self._file is None else self._file.path

    @property
    def redactions(self) -> Mapping[str, int]:
        """How often something that looked like a credential was taken out, by rule."""
        return MappingProxyType(self._redaction.found)

    def wants(self, event: str, level: LogLevel = "debug") -> bool:
        """Whether a line would be written; for callers whose lines take some work."""
        return _RANKS[level] >= self._thresholds[EVENTS.get(event, "server")]

    def write(self, level: str, event: str, fields: Mapping[str, object], *, shown: bool = True) -> None:
        """One line: time, level, area, event, then the fields. Not `shown`: for the file alone, if there is one."""
        area = EVENTS.get(event, "server")
        if _RANKS[level] < self._thresholds[area]:
            return
        with self._lock:
            fields = self._redaction.fields(fields)
            head = {"time": self._time(), "level": level, "area": area, "event": event}
            line = b""
            if self._file is not None:
                line = _line(head, fields)
                self._to_file(self._file, line)
            if shown and self._shown is not None and not self._shown.show(level, event, head, fields, line):
                self.dropped += 1

    def _to_file(self, file: LogFile, line: bytes) -> None:
        if self._not_before and time.monotonic() < self._not_before:
            self.dropped += 1
            return
        try:
            file.add(line)
            self._not_before = 0.0
        except OSError:
            self.dropped += 1
            self._not_before = time.monotonic() + _AGAIN_SECONDS

    def _time(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        return f"{self._stamp}.{int((now - second) * 1000):03d}Z"

    def close(self) -> None:
        """Close the file; the stream is not ours."""
        if self._file is not None:
            self._file.close()


class _Shown:
    """The stream that lines are shown on: words on a terminal, else the lines themselves."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._broken = stream.closed
        self._for_people = not stream.closed and stream.isatty()
        self._pipe = _poll_of(stream)
        self._dropped = 0

    def show(self, level: str, event: str, head: dict[str, str], fields: Mapping[str, object], line: bytes) -> bool:
        """Show a line; False when it had to be dropped. `line` is the whole of it, if somebody has made it already."""
        if self._broken:
            return True
        if self._pipe is not None and not self._pipe.poll(0):
            self._dropped += 1
            return False
        if self._for_people:
            text = told(time.strftime("%H:%M:%S"), fields, level, event) + "\n"
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            text = text.encode(encoding, "replace").decode(encoding)
        elif self._dropped:
            dropped, self._dropped = self._dropped, 0
            text = _ENCODE({**head, "lines_dropped": dropped, **fields}).decode() + "\n"
        else:
            text = (line or _line(head, fields)).decode()
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True
        return True


def _line(head: Mapping[str, str], fields: Mapping[str, object]) -> bytes:
    if fields and type(fields) is dict and fields.keys().isdisjoint(head):
        return b"%b,%b\n" % (_ENCODE(head)[:-1], _ENCODE(fields)[1:])  # without a copy of forty members
    return _ENCODE({**head, **fields}) + b"\n"


def _rank(level: str) -> int:
    return _RANKS.get(level, _RANKS["info"])


_RANKS: dict[str, int] = {level: rank for rank, level in enumerate(LEVELS)}


def _poll_of(stream: TextIO) -> select.poll | None:
    """Tells whether a pipe takes a line now. One that nobody reads would stop every stream of the gateway."""
    try:
        if not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            return None
    except (OSError, ValueError):
        return None
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    return poll
