"""A pipe at which a client's command waits, in the middle of a turn, until a test lets it go on.

The fakes' model runs `cat gate` where a text says RUN_GATE, and again where what it read there says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.fakes.brain import GATE

_SECONDS = 120.0


class Gate:
    """The pipe in a client's working directory. One command waits at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / GATE
        os.mkfifo(self._path)

    @contextmanager
    def held(self, text: str) -> Iterator[None]:
        """Within the block a command waits here, which has then read `text`."""
        file = self._opened()
        # The next command has a pipe of its own: this one may take its time to end.
        self._path.unlink()
        os.mkfifo(self._path)
        try:
            yield
            os.write(file, text.encode())
        finally:
            os.close(file)

    def _opened(self) -> int:
        """Open for writing, which can be done only while somebody reads."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.02)
        raise AssertionError(f"no command has come to {self._path}")
