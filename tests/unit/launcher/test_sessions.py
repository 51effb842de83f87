"""Pid files: who runs is told truly, and nobody else can read or plant them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from strowger.config.processes import process_start
from strowger.errors import ConfigError
from strowger.launcher import sessions
from strowger.launcher.sessions import Session

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks after processes by signal")


def session(pid: int | None = None, *, started: float = 1.0, process_start: str | None = None) -> Session:
    """A session, of this process if no other is named."""
    return Session(
        pid=pid or os.getpid(),
        url="http://127.0.0.1:4000",
        admin_token="secret-token",
        started=started,
        process_start=process_start,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "run" / "sessions"


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen((sys.executable, "-c", ""))
    process.wait()
    return process.pid


def test_written_and_found(folder: Path) -> None:
    """What is written is found, by its owner alone."""
    path = sessions.write(session(), folder)
    assert sessions.running(folder) == [session()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [each.name for each in folder.iterdir()] == [f"{os.getpid()}.json"]
    sessions.remove(path)
    sessions.remove(path)
    assert sessions.running(folder) == []


def test_the_newest_comes_first(folder: Path) -> None:
    """Of several running gateways the last started is the one to join."""
    sessions.write(session(os.getppid(), started=5.0), folder)
    sessions.write(session(started=7.0), folder)
    assert [found.pid for found in sessions.running(folder)] == [os.getpid(), os.getppid()]


def test_the_dead_are_swept(folder: Path, dead: int) -> None:
    """A file outlives a process that was killed; the next to look removes it."""
    path = sessions.write(session(dead), folder)
    kept = sessions.write(session(), folder)
    assert sessions.sweep(folder) == [path]
    assert not path.exists()
    assert kept.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no process start times here")
def test_a_number_given_out_again_is_not_the_process(folder: Path) -> None:
    """A process that began at another time has only inherited the number."""
    mark = process_start(os.getpid())
    assert mark
    sessions.write(session(process_start=mark), folder)
    assert len(sessions.running(folder)) == 1
    path = sessions.write(session(process_start=f"{mark}0"), folder)
    assert sessions.running(folder) == []
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_what_cannot_be_read_is_left_alone(folder: Path, content: bytes) -> None:
    """A file that we do not understand may be a newer version's: it is not ours to remove."""
    sessions.write(session(), folder)
    strange = folder / "1.json"
    strange.write_bytes(content)
    assert len(sessions.running(folder)) == 1
    assert strange.exists()


def test_what_is_misnamed_or_linked_is_no_session(folder: Path, dead: int, tmp_path: Path) -> None:
    """Only a plain file named for its process counts."""
    path = sessions.write(session(dead), folder)
    elsewhere = path.rename(tmp_path / "real.json")
    (folder / f"{dead}.json").symlink_to(elsewhere)
    (folder / "4242424.json").write_bytes(elsewhere.read_bytes())
    assert sessions.sweep(folder) == []
    assert elsewhere.exists()


def test_an_open_directory_is_closed(folder: Path) -> None:
    """A directory that others can read is shut before a token is written into it."""
    folder.mkdir(parents=True, mode=0o755)
    sessions.write(session(), folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_foreign_place_is_refused(folder: Path, tmp_path: Path) -> None:
    """What is not a directory of ours is not written into: neither a link nor a file."""
    folder.parent.mkdir()
    (tmp_path / "target").mkdir()
    folder.symlink_to(tmp_path / "target")
    with pytest.raises(ConfigError, match="not a directory of yours"):
        sessions.write(session(), folder)
    with pytest.raises(ConfigError, match="cannot be made"):
        sessions.write(session(), Path(__file__) / "sessions")
    assert list((tmp_path / "target").iterdir()) == []


def test_the_directory_follows_the_environment() -> None:
    """The runtime directory where there is one, else the state directory."""
    assert sessions.directory({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/strowger/sessions")
    assert sessions.directory({"HOME": "/home/me"}) == Path("/home/me/.local/state/strowger/run/sessions")


def test_the_token_is_not_shown() -> None:
    """A session may be printed or logged without giving its token away."""
    assert "secret-token" not in repr(session())
