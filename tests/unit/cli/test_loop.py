"""The loop that commands run on."""

from __future__ import annotations

import gc
import sys

import anyio.lowlevel
import pytest

from strowger.cli.loop import run_async, settle_in


def test_it_gives_the_result_and_the_error() -> None:
    """What the coroutine returns or raises comes out."""

    async def give() -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    async def fail() -> int:
        raise KeyError("x")

    assert run_async(give) == 7
    with pytest.raises(KeyError):
        run_async(fail)


def test_it_runs_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvloop is not installed, asyncio's own loop does."""
    loops = []

    async def look() -> None:
        import asyncio

        loops.append(type(asyncio.get_running_loop()).__module__)

    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    run_async(look)
    assert loops[0].startswith("asyncio")


def test_a_process_that_stays_is_not_looked_through_again_and_again() -> None:
    """What it began with is left out of every collection from then on."""
    before, turn = gc.get_threshold(), sys.getswitchinterval()
    try:
        settle_in()
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold()[0] > 700
        assert sys.getswitchinterval() < turn
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
        sys.setswitchinterval(turn)
