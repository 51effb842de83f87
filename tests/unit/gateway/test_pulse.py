"""The pulse: what ends a wait, and what does not. Clocks are turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from strowger.errors import TimedOut
from strowger.gateway.pulse import Pulse


def never(_: Callable[[], Any]) -> None:
    """Nothing is to be sent in these tests."""
    raise AssertionError


def test_silence_ends_a_guarded_wait() -> None:
    """With an error that says what to change."""

    async def run() -> None:
        pulse = Pulse(10, 0.02, never, None)
        with pytest.raises(TimedOut, match=r"silent for 0\.02 seconds"), pulse.guard():
            await asyncio.Event().wait()
        pulse.stop()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    asyncio.run(run())


def test_a_second_wait_has_its_own_time() -> None:
    """A fallback is not punished for the silence of the first target."""

    async def run() -> None:
        pulse = Pulse(10, 0.02, never, None)
        for _ in range(2):
            with pytest.raises(TimedOut), pulse.guard():
                await asyncio.Event().wait()
        with pulse.guard():
            pass
        pulse.stop()

    asyncio.run(run())


def test_signs_of_life_keep_a_wait_alive() -> None:
    """Only silence counts, not the length of the whole."""

    async def run() -> None:
        pulse = Pulse(10, 0.1, never, None)
        with pulse.guard():
            for _ in range(30):
                await asyncio.sleep(0.01)
                pulse.heard()
        pulse.stop()

    asyncio.run(run())


def test_nothing_ends_a_wait_that_nobody_guards() -> None:
    """What happens between two attempts is not the upstream's silence."""

    async def run() -> None:
        pulse = Pulse(10, 0.01, never, None)
        await asyncio.sleep(0.05)
        pulse.stop()

    asyncio.run(run())


def test_a_client_that_hangs_up_in_the_same_moment_is_what_happened() -> None:
    """A cancellation from outside is never turned into an error of the upstream."""

    async def call(pulse: Pulse) -> None:
        with pulse.guard():
            task = asyncio.current_task()
            assert task is not None
            task.cancel()  # the server, because the client has gone
            guard = pulse._guard
            assert guard is not None
            guard.expire()
            await asyncio.Event().wait()

    async def run() -> None:
        pulse = Pulse(10, 10, never, None)
        try:
            await call(pulse)
        finally:
            pulse.stop()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
