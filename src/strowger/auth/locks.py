"""One at a time, across tasks, threads and processes: a lock on a file, taken without blocking the loop.

Must not know what it protects.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from strowger.errors import CredentialError

if TYPE_CHECKING:
    from filelock import BaseFileLock

# Between two tries; a refresh takes some tenths of a second.
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.25


@asynccontextmanager
async def locked(path: Path, *, seconds: float) -> AsyncIterator[None]:
    """Hold the lock on a file. Raises CredentialError after `seconds` of waiting, OSError when it cannot be made.

    The system drops the lock of a process that dies. The file stays: whoever removed it would let two in at once.
    """
    from filelock import FileLock

    # Taken and released by whichever thread is free, so it must not belong to one.
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        try:
            with anyio.fail_after(seconds):
                await anyio.to_thread.run_sync(lambda: path.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
                await _acquire(lock)
        except TimeoutError:
            raise CredentialError(
                f"another process has kept the lock {path} for more than {seconds:g} seconds",
                hint="try again; if it stays so, look for a strowger that hangs",
                retry_after=seconds,
            ) from None
        yield
    finally:
        # It closes a file, which nothing waits for; one that is not held is let be.
        lock.release()


async def _acquire(lock: BaseFileLock) -> None:
    from filelock import Timeout

    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            await anyio.to_thread.run_sync(lambda: lock.acquire(blocking=False))
        except Timeout:
            await anyio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        else:
            return
