"""The file that lines are added to: rotated when it is full, by whoever of its writers finds it so.

Several processes add to one file. Each line is one write to its end, so lines do not mix. Before each, a look at the
file's name tells whether it still means the file that is open: another process may have rotated it, or logrotate moved
it away, or its owner removed it. A line on its way at that moment lands in the file that was moved. Nothing is kept in
memory: what was added survives this process, however that ends.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 20 * 1024 * 1024
KEPT = 4
"""Older files beside the current one: `name.1` is the youngest of them."""

# A directory in which nothing may be renamed is not asked again for every line.
_AGAIN_SECONDS = 60.0
# The loop waits for it: whoever holds it renames a few files, unless it was stopped in the middle of that.
_LOCK_SECONDS = 0.2
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class LogFile:
    """One writer of the file at `path`. `max_bytes` is where it is rotated, `kept` how many older ones stay."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        """Raises OSError."""
        self.path = path
        self._name = str(path)
        self._max_bytes = max_bytes
        self._kept = kept
        self._torn = False
        self._not_before = 0.0
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open()

    def add(self, line: bytes) -> None:
        """Add a line, which ends with a line end. Raises OSError; then the line is not there, or half of it is."""
        try:
            found = os.stat(self._name)
        except FileNotFoundError:
            self._reopen()
        else:
            if (found.st_ino, found.st_dev) != self._identity:
                self._reopen()
            elif found.st_size + len(line) > self._max_bytes and self._rotates and time.monotonic() >= self._not_before:
                self._rotate(len(line))
        if self._torn:  # the disk had room for half a line; the next one is not to be the other half
            line = b"\n" + line
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            self._torn = self._torn or written > 0
            raise
        self._torn = False

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            os.close(self._descriptor)

    def _open(self) -> None:
        self._descriptor = os.open(self._name, _FLAGS, 0o600)
        opened = os.fstat(self._descriptor)
        self._identity = opened.st_ino, opened.st_dev
        # a device or a pipe is written to, and left alone
        self._rotates = stat.S_ISREG(opened.st_mode) and not os.path.islink(self._name)
        if not stat.S_ISREG(opened.st_mode):
            self._identity = os.stat(self._name).st_ino, os.stat(self._name).st_dev

    def _reopen(self) -> None:
        old = self._descriptor
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open()
        os.close(old)

    def _rotate(self, room: int) -> None:
        """Move the full file away and begin another. Where that cannot be done, the full one grows on."""
        from filelock import FileLock, Timeout  # once in 20 MiB

        try:
            with FileLock(f"{self._name}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                found = os.stat(self._name)
                # somebody else may have done it while we waited
                if (found.st_ino, found.st_dev) == self._identity and found.st_size + room > self._max_bytes:
                    self._move_away()
            self._reopen()
        except (OSError, Timeout):
            self._not_before = time.monotonic() + _AGAIN_SECONDS

    def _move_away(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(f"{self._name}.{number}", f"{self._name}.{number + 1}")
        if self._kept:
            os.replace(self._name, f"{self._name}.1")
        else:
            os.unlink(self._name)
