"""Keeps every call on disk: takes it from the event loop in microseconds, and one thread writes it.

Nothing here is ever waited for by a call, or fails it. What the thread cannot keep up with is dropped, bodies first,
and counted; what keeps it from writing is told once, and tried again. Must not know tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from strowger.flows.flow import Flow
from strowger.flows.tape import Message
from strowger.flows.writer import Entry, Writer

Tell = Callable[[str, Mapping[str, object]], None]
Bodies = Literal["all", "errors", "none"]

# How long the thread waits for more after the first, in seconds: one transaction for many calls.
_PAUSE = 0.05


class Limits(Struct, frozen=True):
    """`bytes` of the whole file, `days` for which a call is kept and `usage_days` for its figures; `waiting` bytes may
    be on their way to the disk.
    """

    bytes: int = 1024 * 1024 * 1024
    days: float = 14.0
    usage_days: float = 400.0
    waiting: int = 64 * 1024 * 1024


class StoreState(Struct, frozen=True):
    """How the store is. `flows` are listed in a file of `bytes`; `waiting` are on their way. The rest since the start.

    `problem` is one sentence while something keeps it from writing.
    """

    path: str
    flows: int
    bytes: int
    waiting: int
    written: int
    bodies_dropped: int
    flows_dropped: int
    problem: str | None


class Store:
    """A keeper of flows in a file. `tell(event, fields)` is called from the writing thread."""

    def __init__(self, path: Path | str, limits: Limits | None = None, *, bodies: Bodies = "all", tell: Tell) -> None:
        self._path = Path(path)
        self._limits = limits or Limits()
        self._bodies = bodies
        self._tell = tell
        self._queue: deque[Entry] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._idle = threading.Event()
        self._writer: Writer | None = None
        self._waiting = 0
        self._flows = 0
        self._written = 0
        self._bodies_dropped = 0
        self._flows_dropped = 0
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="flows", daemon=True)
        self._thread.start()

    # ---- on the event loop ----

    def began(self, flow: Flow) -> None:
        """Nothing yet: most calls are opened a moment later."""

    def opened(self, flow: Flow) -> None:
        """An answer has begun: the requests are whole and are let go."""
        self._put(flow, flow.tape.taken() if flow.tape is not None else [], final=False)

    def finished(self, flow: Flow) -> None:
        """A call is over."""
        self._put(flow, flow.tape.messages if flow.tape is not None else [], final=True)

    def _put(self, flow: Flow, messages: list[Message], *, final: bool) -> None:
        size = sum(message.size for message in messages)
        masks = flow.tape.masks if flow.tape is not None else []
        self._waiting += size
        self._queue.append(Entry(flow, messages, masks, final, size))
        if not self._wake.is_set():
            self._wake.set()

    # ---- for everybody ----

    def state(self) -> StoreState:
        """How the store is now."""
        size = 0
        for suffix in ("", "-wal"):
            try:
                size += Path(f"{self._path}{suffix}").stat().st_size
            except OSError:
                continue
        return StoreState(
            str(self._path),
            self._flows,
            size,
            len(self._queue),
            self._written,
            self._bodies_dropped,
            self._flows_dropped,
            self._problem,
        )

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything that was put is on disk. False when that took too long. Blocking."""
        self._idle.clear()
        self._wake.set()
        return self._idle.wait(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Write what is left, and give the file back. Blocking."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout)

    # ---- the thread ----

    def _run(self) -> None:
        while not self._closing.is_set() or self._queue:
            self._wake.wait()
            self._closing.wait(_PAUSE)
            self._wake.clear()
            entries = list(self._queue)
            self._queue.clear()
            try:
                self._write(entries)
                self._problem = None
            except (sqlite3.Error, OSError) as error:
                self._problem = str(error)
                self._tell("store", {"problem": self._problem})
            if not self._queue:
                self._idle.set()
        if self._writer is not None:
            self._writer.close()

    def _write(self, entries: list[Entry]) -> None:
        if self._writer is None:
            self._writer = Writer(self._path)
        merged: dict[str, Entry] = {}
        for entry in entries:
            known = merged.setdefault(entry.flow.id, entry)
            if known is not entry:
                known.messages += entry.messages
                known.final = entry.final
        self._written += self._writer.write(list(merged.values()))
        self._flows = self._writer.count()
        self._waiting -= sum(entry.size for entry in entries)
