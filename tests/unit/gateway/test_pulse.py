"""The timer of one call, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio.lowlevel
import pytest

from strowger.errors import TimedOut
from strowger.gateway.pulse import Pulse

pytestmark = pytest.mark.anyio

HEARTBEAT, IDLE = 10.0, 35.0


@pytest.fixture
def anyio_backend() -> str:
    """The pulse lives on asyncio's timers."""
    return "asyncio"


class Clock:
    """A loop's timers, without the loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: tuple[float, Callable[[], None]] | None = None

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Clock:
        self.due = (self.now + delay, callback)
        return self

    def cancel(self) -> None:
        self.due = None

    def move(self, seconds: float) -> None:
        """Let time pass, with every timer at its moment."""
        end = self.now + seconds
        while self.due is not None and self.due[0] <= end:
            self.now, callback = self.due
            callback()
        self.now = end


class Beats:
    """Counts heartbeats; each runs when it is let, like a write to a slow client."""

    def __init__(self) -> None:
        self.begun: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def spawn(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.begun.append(function)

    async def run(self) -> None:
        """Let the last one come to its end."""
        await self.begun[-1]()

    async def beat(self) -> None:
        """Nothing to send here."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock in the place of the loop's."""
    made = Clock()
    monkeypatch.setattr("strowger.gateway.pulse.asyncio.get_running_loop", lambda: made)
    return made


def pulse(beats: Beats) -> Pulse:
    """A pulse that counts."""
    return Pulse(HEARTBEAT, IDLE, beats.spawn, beats.beat)


async def test_a_client_that_gets_nothing_gets_a_heartbeat(clock: Clock) -> None:
    """Whatever the upstream says meanwhile that is not for the client."""
    beats = Beats()
    one = pulse(beats)
    for _ in range(9):
        clock.move(1)
        one.heard()
    assert beats.begun == []
    clock.move(1)
    assert len(beats.begun) == 1


async def test_a_client_that_is_written_to_needs_none(clock: Clock) -> None:
    """Every write puts the heartbeat off."""
    beats = Beats()
    one = pulse(beats)
    for _ in range(20):
        clock.move(4)
        one.sent()
    assert beats.begun == []


async def test_one_heartbeat_at_a_time(clock: Clock) -> None:
    """A client that does not even take the first gets no second behind it."""
    beats = Beats()
    one = pulse(beats)
    clock.move(3 * HEARTBEAT)
    assert len(beats.begun) == 1
    await beats.run()
    clock.move(HEARTBEAT)
    assert len(beats.begun) == 2
    one.stop()
    clock.move(10 * HEARTBEAT)
    assert len(beats.begun) == 2


async def test_a_client_that_does_not_read_is_left_alone(clock: Clock) -> None:
    """It has enough to read, and the upstream waits for it: no heartbeat, and no blame for the upstream."""
    beats = Beats()
    one = pulse(beats)
    with one.guard():
        one.writing = True
        clock.move(5 * IDLE)
        one.sent()
    assert beats.begun == []


@pytest.mark.parametrize("late", [False, True])
async def test_silence_ends_the_wait(clock: Clock, late: bool) -> None:
    """From the last sign of life on, however late in a call."""
    one = pulse(Beats())
    with pytest.raises(TimedOut, match="silent for 35 seconds"), one.guard():
        if late:
            clock.move(IDLE - 1)
            one.heard()
            clock.move(IDLE - 1)
            await anyio.lowlevel.checkpoint()
        clock.move(IDLE + 1)
        await anyio.lowlevel.checkpoint()


async def test_silence_outside_a_wait_is_nobodys_fault(clock: Clock) -> None:
    """Between two attempts there is nothing to end."""
    one = pulse(Beats())
    clock.move(10 * IDLE)
    with one.guard():
        clock.move(1)


async def test_a_client_that_hangs_up_in_the_same_moment_is_what_happened(clock: Clock) -> None:
    """A cancellation from outside is never turned into an error of the upstream."""
    one = pulse(Beats())
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(asyncio.CancelledError), one.guard():
        task.cancel()  # the server, because the client has gone
        clock.move(IDLE + 1)
        await anyio.lowlevel.checkpoint()
    assert task.cancelling() == 1
    task.uncancel()


async def test_a_wait_that_has_ended_leaves_no_trace(clock: Clock) -> None:
    """The next target of the route has a wait of its own."""
    one = pulse(Beats())
    for _ in range(2):
        with pytest.raises(TimedOut), one.guard():
            clock.move(IDLE + 1)
            await anyio.lowlevel.checkpoint()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
