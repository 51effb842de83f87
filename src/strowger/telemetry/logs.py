"""The log: one JSON object per line, one line per call, to a file or to standard error; on a terminal, words.

Plain data comes in; what must not be written (bodies, credentials) never reaches this module.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import msgspec

from strowger.telemetry.lines import told

_ENCODE = msgspec.json.Encoder().encode

LEVELS = ("debug", "info", "warning", "error")


class Log:
    """Writes lines at or above `level`. A full disk or a closed pipe stops the log, not the gateway; while nobody reads
    a pipe, lines are dropped, and the next one that is written says how many.
    """

    def __init__(self, path: Path | None = None, level: str = "info", stream: TextIO | None = None) -> None:
        self._threshold = LEVELS.index(level) if level in LEVELS else 1
        # A process may have been started without a standard error.
        self._stream: TextIO | None = stream if stream is not None else sys.stderr
        self._owned = False
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._stream = os.fdopen(descriptor, "a", encoding="utf-8")
            self._owned = True
        self._for_people = self._stream is not None and not self._stream.closed and self._stream.isatty()
        self._broken = False
        self._pipe = _poll_of(self._stream)
        self._dropped = 0
        self._second = 0
        self._stamp = ""

    def write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        """One line: time, level, event, then the fields."""
        if self._stream is None or self._broken or LEVELS.index(level) < self._threshold:
            return
        if self._pipe is not None and not self._pipe.poll(0):
            self._dropped += 1
            return
        line = self._words(fields) if self._for_people and event == "call" else self._object(level, event, fields)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True

    def _object(self, level: str, event: str, fields: Mapping[str, object]) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        head: dict[str, object] = {"time": f"{self._stamp}.{int(now % 1 * 1000):03d}Z", "level": level, "event": event}
        if self._dropped:
            head["lines_dropped"], self._dropped = self._dropped, 0
        return _ENCODE({**head, **fields}).decode()

    def _words(self, fields: Mapping[str, object]) -> str:
        """A call for a reader, in what signs the terminal has."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return told(time.strftime("%H:%M:%S"), fields).encode(encoding, "replace").decode(encoding)

    def close(self) -> None:
        """Close the file, if it is ours."""
        if self._owned and self._stream is not None:
            with suppress(OSError):  # what the disk had no room for is written once more at the end
                self._stream.close()


def _poll_of(stream: TextIO | None) -> select.poll | None:
    """Tells whether a pipe takes a line now. One that nobody reads would stop every stream of the gateway."""
    try:
        if stream is None or not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            return None
    except (OSError, ValueError):
        return None
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    return poll
