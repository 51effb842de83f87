"""Keeps every call on disk: takes it from the event loop in microseconds, and one thread writes it.

Nothing here is ever waited for by a call, or fails it. What the thread cannot keep up with is dropped, bodies first,
and counted; what keeps it from writing is told once, and tried again. Must not know what is in the tables.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from strowger.errors import ConfigError
from strowger.flows import reading, retention, trouble
from strowger.flows.captures import Captures
from strowger.flows.flow import Flow, summary
from strowger.flows.retention import Limits
from strowger.flows.tables import Outdated
from strowger.flows.tape import Message
from strowger.flows.writer import Entry, Writer

Tell = Callable[[str, Mapping[str, object]], None]
Bodies = Literal["all", "errors", "none"]

# How long the thread waits for more after the first, in seconds: one transaction for many calls.
_PAUSE = 0.2
# A transaction takes this many flows, or bytes: others want to write too. The thread does not wait for more either.
_BATCH = 256
_BATCH_BYTES = 8 * 1024 * 1024
# Beginnings of calls that may wait, and as many ends; those without bodies too.
_WAITING = 20_000
# How long after a failure, and after another, it is tried again, in seconds.
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0
# How often the bounds are looked at, in seconds.
_TRIM_EVERY = 60.0
# How long that may keep calls waiting, in seconds; what is left to do comes after the next of them.
_TRIM_SECONDS = 0.1


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

    def __init__(
        self,
        path: Path | str,
        limits: Limits | None = None,
        *,
        tell: Tell,
        bodies: Bodies = "all",
        captures: Captures | None = None,
    ) -> None:
        self._path = Path(path)
        self._limits = limits or Limits()
        self._bodies = bodies
        self._tell = tell
        self._captures = captures
        self._queue: deque[Entry] = deque()
        self._held: dict[str, int] = {}
        self._held_bytes = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self._drained = threading.Condition()
        self._put_bytes = self._done_bytes = 0
        self._put_flows = self._done_flows = 0
        self._writer: Writer | None = None
        self._running: dict[str, int] = {}
        self._trim_at = 0.0
        self._note: str | None = None
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
        """An answer has begun: the requests are whole and are let go, unless it depends on the end who wants them."""
        if flow.tape is not None and self._bodies == "all":
            self._put(flow, flow.tape.taken(), final=False)
            return
        self._put(flow, [], final=False)
        if flow.tape is not None and self._bodies == "errors":
            self._hold(flow, flow.tape.messages)

    def finished(self, flow: Flow) -> None:
        """A call is over."""
        self._held_bytes -= self._held.pop(flow.id, 0)
        bare = self._bodies == "none" or (self._bodies == "errors" and flow.outcome != "failed")
        self._put(flow, flow.tape.messages if flow.tape is not None else [], final=True, bare=bare)

    def _hold(self, flow: Flow, messages: list[Message]) -> None:
        """Bodies wait on the tape for the end of the call; too many of them do not."""
        size = sum(message.kept for message in messages)
        if self._held_bytes + size > self._limits.waiting:
            self._bodies_dropped += 1
            for message in messages:
                message.forget()
            return
        self._held[flow.id] = size
        self._held_bytes += size

    def _put(self, flow: Flow, messages: list[Message], *, final: bool, bare: bool = False) -> None:
        size = 0 if bare else sum([message.kept for message in messages])
        # The beginning of a call goes before its end does: without that it would seem to run for ever.
        if self._put_flows - self._done_flows >= (2 * _WAITING if final else _WAITING):
            self._flows_dropped += final
            return
        if size and self._put_bytes - self._done_bytes + size > self._limits.waiting:
            self._bodies_dropped += 1
            size, bare = 0, True
        if bare:
            messages = [message.without_body() for message in messages]
        self._put_bytes += size
        self._put_flows += 1
        self._queue.append(Entry(flow, messages, flow.tape.masks if flow.tape is not None else [], final, size))
        if not self._wake.is_set():
            self._wake.set()
        if size and self._put_bytes - self._done_bytes >= _BATCH_BYTES and self._problem is None:
            self._hurry.set()

    # ---- for everybody ----

    def state(self) -> StoreState:
        """How the store is now."""
        return StoreState(
            str(self._path),
            self._flows,
            retention.size_of(self._path),
            self._put_flows - self._done_flows,
            self._written,
            self._bodies_dropped,
            self._flows_dropped,
            self._problem,
        )

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything that was put is on disk. False when that took too long. Blocking."""
        wanted = self._put_flows
        self._hurry.set()
        self._wake.set()
        with self._drained:
            return self._drained.wait_for(lambda: self._done_flows >= wanted, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Write what is left, once more at most, and give the file back. Blocking."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        self._thread.join(timeout)

    # ---- the thread ----

    def _run(self) -> None:
        retry = _FIRST_RETRY  # the file is opened without a call too, once the gateway is on its feet
        while True:
            if retry:
                self._hurry.wait(retry)
            else:
                self._wake.wait(_TRIM_EVERY if self._trim_at else 0)
                self._hurry.wait(_PAUSE)
            self._wake.clear()
            self._hurry.clear()
            closing = self._closing
            done = self._empty_queue()
            if closing:
                break
            retry = 0.0 if done else min(max(_FIRST_RETRY, retry * 2), _LAST_RETRY)
        self._let_go()

    def _empty_queue(self) -> bool:
        """Write all there is. False when something keeps us from it; what was not written waits on."""
        while True:
            taken = self._next_batch()
            error = self._tried(taken)
            if error is None:
                self._count_done(taken)
                if not self._queue:
                    return True
            elif isinstance(error, Outdated):
                self._queue.extendleft(reversed(taken))
                if not self._put_aside(error):
                    return False
            elif isinstance(error, ConfigError):
                # Not for now, but for good: what cannot be kept need not wait.
                self._flows_dropped += sum(entry.final for entry in taken)
                self._count_done(taken)
                self._set_problem(error.text)
                return False
            elif trouble.is_outside(error):
                self._queue.extendleft(reversed(taken))
                if not self._begun_anew(error):
                    return False
            else:
                self._write_singly(taken)

    def _next_batch(self) -> list[Entry]:
        taken: list[Entry] = []
        size = 0
        while self._queue and len(taken) < _BATCH and size < _BATCH_BYTES:
            taken.append(self._queue.popleft())
            size += taken[-1].size
        return taken

    def _count_done(self, entries: list[Entry]) -> None:
        with self._drained:
            self._done_bytes += sum(entry.size for entry in entries)
            self._done_flows += len(entries)
            self._drained.notify_all()

    def _tried(self, entries: list[Entry], *, carefully: bool = False) -> Exception | None:
        """Write some of them; what went wrong, if so."""
        error = self._caught(lambda: self._write(_merged(entries), carefully))
        if error is not None:
            return error
        # What is written is written: whatever goes wrong with what is to be done besides must not write it again.
        error = self._caught(lambda: self._keep_house([entry.flow for entry in entries if entry.final]))
        if error is not None and trouble.is_outside(error):
            self._begun_anew(error)
        elif error is not None:
            self._tell("store", {"note": f"{self._path} could not be tidied: {type(error).__name__}: {error}"})
        return None

    def _caught(self, work: Callable[[], None]) -> Exception | None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the edge: what is wrong with one call must not end the recording
            self._let_go()
            return error
        return None

    def _write_singly(self, entries: list[Entry]) -> None:
        """Something in one of them cannot be written: the others are, and it is told of."""
        for entry in entries:
            error = self._tried([entry], carefully=True)
            if error is not None and entry.final:
                self._flows_dropped += 1
                self._tell("store", {"dropped": entry.flow.id, "error": f"{type(error).__name__}: {error}"})
            self._count_done([entry])

    def _write(self, entries: list[Entry], carefully: bool) -> None:
        if self._writer is not None and self._writer.is_stale():
            self._let_go()
            self._tell("store", {"note": f"{self._path} was taken away; a new one is begun"})
        if self._writer is None:
            self._writer = Writer(self._path, self._running)
            self._trim_at = 0.0
        if entries:
            self._writer.write(entries, carefully=carefully)
        final = [entry.flow for entry in entries if entry.final]
        self._written += len(final)
        self._flows += len(final)
        self._set_problem(self._note)

    def _keep_house(self, finished: list[Flow]) -> None:
        """Capture what failed, and see to the bounds."""
        writer = self._writer
        if writer is None:
            return
        if self._captures is not None:
            self._capture(self._captures, writer, finished)
        if time.monotonic() >= self._trim_at or writer.added > self._limits.bytes // 32:
            self._trim_at = time.monotonic() + _TRIM_EVERY
            flows = retention.trim(writer.base, self._path, self._limits, _TRIM_SECONDS)
            writer.rest()
            if flows is None:
                self._trim_at = 0.0
                return
            self._flows = flows
            writer.added = 0
            if self._captures is not None:
                self._captures.sweep(writer.base)

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _capture(self, captures: Captures, writer: Writer, flows: list[Flow]) -> None:
        """Write those that failed to files of their own."""
        failed = [(flow, path) for flow in flows if (path := captures.path_of(flow)) is not None]
        for flow, path in failed:
            try:
                captures.write(path, summary(flow), reading.messages_of(writer.base, flow.id))
            except (OSError, ValueError, RecursionError) as error:
                self._tell("store", {"note": f"{path}: {error}"})

    def _begun_anew(self, error: Exception) -> bool:
        """Whether the way is free again: a broken file has been put aside. Else the user is told, once."""
        if not trouble.is_corrupt(error):
            self._set_problem(trouble.said(self._path, error))
            return False
        try:
            kept = trouble.move_aside(self._path)
        except OSError as worse:
            self._set_problem(trouble.said(self._path, worse))
            return False
        self._note = f"{self._path} was broken and is now {kept.name}; a new one has been begun"
        self._set_problem(self._note)
        return True

    def _put_aside(self, outdated: Outdated) -> bool:
        """Whether the file of an earlier version has another name now. Else the user is told, once."""
        try:
            kept = trouble.put_old_aside(self._path, outdated.version)
        except (sqlite3.Error, OSError) as error:
            self._set_problem(f"{outdated.message}, and cannot be put aside: {trouble.said(self._path, error)}")
            return False
        if kept is not None:
            self._note = f"{outdated.message} and is now {kept.name}; a new one has been begun"
            self._set_problem(self._note)
        return True

    def _set_problem(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell("store", {"problem": problem} if problem else {"note": f"{self._path} is written again"})


def _merged(entries: list[Entry]) -> list[Entry]:
    """The beginning and the end of a short call in one. What was taken stays as it is: it may be tried again."""
    merged: dict[str, Entry] = {}
    for entry in entries:
        before = merged.get(entry.flow.id)
        if before is None:
            merged[entry.flow.id] = replace(entry)
        else:
            before.messages = before.messages + entry.messages
            before.final = entry.final or before.final
    return list(merged.values())
