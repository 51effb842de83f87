"""The event loop that commands run on: uvloop where it is installed, asyncio's own elsewhere."""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


# Containers more than were freed, after which the youngest are looked at; Python's own is 700, and a gateway with some
# hundred open streams has that in no time.
_YOUNG = 10_000
# For so long, in seconds, a thread that computes keeps the loop waiting; Python's own is 5 ms, which is what a client
# would wait for its first byte when the store's thread is at work.
_TURN = 0.001


def settle_in() -> None:
    """For a process that stays and answers: what there is by now stays too, and the garbage collector need not look at
    it again; no thread holds the others up for long.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
    sys.setswitchinterval(_TURN)


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end. Ctrl-C cancels it and raises KeyboardInterrupt."""
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    return anyio.run(function, backend_options={"use_uvloop": has_uvloop})
