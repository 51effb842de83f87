"""Watches one call while it waits: heartbeats to a silent client's side, an end to an upstream that has gone silent.

One lazy timer per call, which looks at two times when it fires; a busy stream costs it nothing. Must not know what is
being sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from strowger.errors import TimedOut

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], object]
"""Runs a coroutine function in the gateway's own task group."""


class Pulse:
    """The timer of one call.

    `heartbeat` and `idle` are in seconds. `beat` sends something harmless to a client that got nothing for `heartbeat`
    seconds, whatever the upstream sent meanwhile that was not for it. An upstream that is silent for `idle` seconds
    ends the guarded wait with TimedOut. While a write waits for a slow client neither happens: it has enough to read,
    and the upstream is waiting for it too.
    """

    __slots__ = (
        "_beat",
        "_beating",
        "_guard",
        "_handle",
        "_heard",
        "_heartbeat",
        "_idle",
        "_loop",
        "_sent",
        "_spawn",
        "writing",
    )

    def __init__(
        self, heartbeat: float, idle: float, spawn: Spawn, beat: Callable[[], Coroutine[Any, Any, None]] | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._heartbeat = heartbeat
        self._idle = idle
        self._spawn = spawn
        self._beat = beat
        self._beating = False
        self._guard: Guard | None = None
        self.writing = False
        self._heard = self._sent = self._loop.time()
        self._handle = self._loop.call_later(min(heartbeat, idle), self._tick)

    def now(self) -> float:
        """Seconds on the monotonic clock, finer than the loop's."""
        return time.monotonic()

    def heard(self) -> None:
        """The upstream gave a sign of life."""
        self._heard = self._loop.time()

    def sent(self) -> None:
        """The client has taken something, which the upstream had sent."""
        self.writing = False
        self._heard = self._sent = self._loop.time()

    def stop(self) -> None:
        """No more timer. What would have been sent is let go, for that is the call, which holds this."""
        self._handle.cancel()
        self._beat = None

    def guard(self) -> Guard:
        """Bounds a wait for the upstream: inside, a silence that is too long raises TimedOut."""
        return Guard(self)

    def _tick(self) -> None:
        now = self._loop.time()
        if self.writing:
            self._heard = self._sent = now
        silent = now - self._heard
        if silent >= self._idle and self._guard is not None:
            self._guard.expire()
        elif self._beat is not None and not self._beating and now - self._sent >= self._heartbeat:
            self._sent = now
            self._beating = True
            self._spawn(self._run_beat)
        beat_in = self._heartbeat - (now - self._sent) if self._beat is not None else self._idle
        idle_in = self._idle - silent if silent < self._idle else self._idle
        self._handle = self._loop.call_later(max(0.005, min(beat_in, idle_in)), self._tick)

    def watch(self, guard: Guard | None) -> None:
        """The wait that a silence ends, from now on."""
        self._guard = guard
        self._heard = self._loop.time()
        self.writing = False

    def silence(self) -> TimedOut:
        """What is said to it."""
        return TimedOut(
            f"the upstream was silent for {self._idle:g} seconds",
            hint="raise limits.idle_timeout_seconds if this model thinks for longer",
        )

    async def _run_beat(self) -> None:
        try:
            if self._beat is not None:  # the call may be over since
                await self._beat()
        finally:
            self._beating = False


class Guard:
    """A wait that can be ended from outside, as `asyncio.timeout` is, but by a look at a clock that others set."""

    __slots__ = ("_cancelling", "_expired", "_pulse", "_task")

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._pulse.watch(self)

    def expire(self) -> None:
        """End the wait, once."""
        if not self._expired:
            self._expired = True
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulse.watch(None)
        # A client that hung up in the same moment has cancelled the task as well: then that is what happened.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._pulse.silence() from error
