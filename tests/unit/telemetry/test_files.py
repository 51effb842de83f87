"""The file of the log: rotated, moved, removed, full."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from strowger.telemetry.files import LogFile


def lines_of(folder: Path, name: str = "a.log") -> list[str]:
    """All lines, those of the oldest file first."""
    found = sorted(folder.glob(f"{name}.[0-9]*"), key=lambda path: -int(path.suffix[1:]))
    return [line for path in (*found, folder / name) for line in path.read_text().splitlines()]


def test_a_full_file_is_moved_away_and_no_line_is_lost(tmp_path: Path) -> None:
    """The current file never grows past the limit; older ones have numbers, the youngest has 1."""
    file = LogFile(tmp_path / "a.log", max_bytes=100, kept=50)
    for number in range(100):
        file.add(b"line %04d\n" % number)
    file.close()
    assert lines_of(tmp_path) == [f"line {number:04d}" for number in range(100)]
    logs = list(tmp_path.glob("a.log*"))
    assert all(path.stat().st_size <= 100 for path in logs)
    assert {stat.S_IMODE(path.stat().st_mode) for path in logs} == {0o600}


def test_only_some_of_the_old_files_are_kept(tmp_path: Path) -> None:
    """The disk is not ours alone."""
    file = LogFile(tmp_path / "a.log", max_bytes=50, kept=2)
    for number in range(100):
        file.add(b"line %04d\n" % number)
    file.close()
    assert sorted(path.name for path in tmp_path.glob("a.log*") if path.suffix != ".lock") == [
        "a.log",
        "a.log.1",
        "a.log.2",
    ]
    assert lines_of(tmp_path)[-1] == "line 0099"


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    """A gateway of `serve` and those of launches write one file, and each may be the one that rotates it."""

    def write(writer: int) -> None:
        file = LogFile(tmp_path / "a.log", max_bytes=2000, kept=500)
        for number in range(300):
            file.add(b"writer %d line %04d\n" % (writer, number))
        file.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines_of(tmp_path)
    assert sorted(found) == [f"writer {writer} line {number:04d}" for writer in range(4) for number in range(300)]


def test_another_program_may_move_the_file(tmp_path: Path) -> None:
    """logrotate renames it and makes a new one: the next line is in the new one."""
    path = tmp_path / "a.log"
    file = LogFile(path)
    file.add(b"before\n")
    path.rename(tmp_path / "moved")
    file.add(b"after\n")
    (tmp_path / "moved again").write_text("")
    os.replace(tmp_path / "moved again", path)
    file.add(b"later\n")
    file.close()
    assert (tmp_path / "moved").read_text() == "before\n"
    assert path.read_text() == "later\n"


def test_a_file_that_is_emptied_in_place_has_no_hole(tmp_path: Path) -> None:
    """Some rotate by copying and cutting."""
    path = tmp_path / "a.log"
    file = LogFile(path)
    file.add(b"before\n")
    os.truncate(path, 0)
    file.add(b"after\n")
    file.close()
    assert path.read_bytes() == b"after\n"


def test_a_removed_directory_is_made_again(tmp_path: Path) -> None:
    """Whoever cleans up need not stop the gateway first."""
    path = tmp_path / "state" / "a.log"
    file = LogFile(path)
    path.unlink()
    path.parent.rmdir()
    file.add(b"here\n")
    file.close()
    assert path.read_text() == "here\n"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_cannot_be_moved_grows_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is written into a file too large is better than none."""
    file = LogFile(tmp_path / "a.log", max_bytes=20)

    def refuse(*_: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(os, "replace", refuse)
    for number in range(10):
        file.add(b"line %04d\n" % number)
    file.close()
    assert len((tmp_path / "a.log").read_text().splitlines()) == 10


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full in the middle of one."""
    file = LogFile(tmp_path / "a.log")
    write, room = os.write, [4]

    def short(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: room.pop()])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="No space"):
        file.add(b"torn line\n")
    monkeypatch.setattr(os, "write", write)
    file.add(b"whole line\n")
    file.close()
    assert (tmp_path / "a.log").read_text() == "torn\nwhole line\n"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="this system has no /dev/null")
def test_a_device_is_left_where_it_is() -> None:
    """`--log-file /dev/null` is meant as it says."""
    file = LogFile(Path("/dev/null"), max_bytes=5)
    file.add(b"more than five\n")
    file.add(b"more than five\n")
    file.close()
    assert not Path("/dev/null.1").exists()
