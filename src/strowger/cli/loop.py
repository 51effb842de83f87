"""The event loop that commands run on: uvloop where it is installed, asyncio's own elsewhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end. Ctrl-C cancels it and raises KeyboardInterrupt."""
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    return anyio.run(function, backend_options={"use_uvloop": has_uvloop})
