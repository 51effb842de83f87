"""A lock on a file: one at a time, for tasks and processes, with an end to waiting."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from strowger.auth.locks import locked
from strowger.errors import CredentialError

pytestmark = pytest.mark.anyio

HOLD = """
import sys, anyio
from pathlib import Path
from strowger.auth.locks import locked

async def main():
    async with locked(Path(sys.argv[1]), seconds=10):
        print(end="held", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)

anyio.run(main)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_one_at_a_time(tmp_path: Path) -> None:
    """Tasks that want the same lock follow one another."""
    inside, most, turns = 0, 0, 0

    async def enter() -> None:
        nonlocal inside, most, turns
        async with locked(tmp_path / "lock", seconds=10):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.002)
            inside -= 1
            turns += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(enter)
    assert (most, turns) == (1, 8)


async def test_waiting_has_an_end(tmp_path: Path) -> None:
    """Who waits too long is told which lock it was; others go on."""
    async with locked(tmp_path / "lock", seconds=5):
        with pytest.raises(CredentialError) as caught:
            async with locked(tmp_path / "lock", seconds=0.05):
                pytest.fail("two hold the lock")
        assert str(tmp_path / "lock") in caught.value.message
        assert caught.value.retry_after
    async with locked(tmp_path / "lock", seconds=5):
        pass


async def test_leaving(tmp_path: Path) -> None:
    """The lock is free after an error, a cancellation inside, and a cancellation while waiting."""
    with pytest.raises(ZeroDivisionError):
        async with locked(tmp_path / "lock", seconds=5):
            raise ZeroDivisionError
    with anyio.CancelScope() as scope:
        async with locked(tmp_path / "lock", seconds=5):
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    async with locked(tmp_path / "lock", seconds=5):
        with anyio.move_on_after(0.05):
            async with locked(tmp_path / "lock", seconds=5):
                pytest.fail("two hold the lock")
    async with locked(tmp_path / "lock", seconds=5):
        pass


async def test_its_file(tmp_path: Path) -> None:
    """The file and its directory are made, private, and stay."""
    path = tmp_path / "locks" / "a.lock"
    async with locked(path, seconds=5):
        assert path.exists()
    assert path.exists()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_no_lock_can_be_made(tmp_path: Path) -> None:
    """Where there is no place for the file the error is the system's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        async with locked(tmp_path / "file" / "lock", seconds=5):
            pytest.fail("there is no lock")


@pytest.mark.slow
async def test_across_processes(tmp_path: Path) -> None:
    """A process keeps others out; when it is killed, the system lets the next one in."""
    path = tmp_path / "lock"
    async with await anyio.open_process([sys.executable, "-c", HOLD, str(path)], stderr=None) as child:
        assert child.stdout is not None
        assert await child.stdout.receive() == b"held"
        with pytest.raises(CredentialError):
            async with locked(path, seconds=0.1):
                pytest.fail("two hold the lock")
        child.kill()
        async with locked(path, seconds=10):
            pass
