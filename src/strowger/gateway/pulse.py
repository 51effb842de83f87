"""Watches one call while it waits: heartbeats to a silent client's side, an end to an upstream that has gone silent.

One lazy timer per call, which looks at two times when it fires; a busy stream costs it nothing. Must not know what is
being sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import anyio

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
        "_handle",
        "_heard",
        "_heartbeat",
        "_idle",
        "_loop",
        "_scope",
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
        self._scope: anyio.CancelScope | None = None
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
        """No more timer."""
        self._handle.cancel()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Bounds a wait for the upstream. Raises TimedOut when it was silent for too long."""
        self._heard = self._loop.time()
        with anyio.CancelScope() as scope:
            self._scope = scope
            try:
                yield
            finally:
                self._scope = None
                self.writing = False
        if scope.cancelled_caught:
            raise TimedOut(
                f"the upstream was silent for {self._idle:g} seconds",
                hint="raise limits.idle_timeout_seconds if this model thinks for longer",
            )

    def _tick(self) -> None:
        now = self._loop.time()
        if self.writing:
            self._heard = self._sent = now
        silent = now - self._heard
        if silent >= self._idle and self._scope is not None:
            self._scope.cancel()
        elif self._beat is not None and not self._beating and now - self._sent >= self._heartbeat:
            self._sent = now
            self._beating = True
            self._spawn(self._run_beat)
        beat_in = self._heartbeat - (now - self._sent) if self._beat is not None else self._idle
        idle_in = self._idle - silent if silent < self._idle else self._idle
        self._handle = self._loop.call_later(max(0.005, min(beat_in, idle_in)), self._tick)

    async def _run_beat(self) -> None:
        assert self._beat is not None
        try:
            await self._beat()
        finally:
            self._beating = False
