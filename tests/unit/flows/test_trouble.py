"""What is said of trouble with the file, and what is done about a broken one."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from strowger.flows import trouble


def error(code: int, words: str = "words of its own") -> sqlite3.OperationalError:
    """One of SQLite's."""
    made = sqlite3.OperationalError(words)
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    "what, said",
    [
        (error(sqlite3.SQLITE_BUSY), "f.db: another process does not let go of it"),
        (error(sqlite3.SQLITE_FULL), "f.db: the disk is full"),
        (error(sqlite3.SQLITE_READONLY_DBMOVED), "f.db: it may not be written"),
        (error(sqlite3.SQLITE_NOTADB), "f.db: words of its own"),
        (sqlite3.ProgrammingError("words of Python's"), "f.db: words of Python's"),
        (OSError(errno.ENOSPC, "No space left"), "f.db: the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "f.db: Permission denied"),
        (OSError("odd"), "f.db: odd"),
    ],
)
def test_what_is_said(what: Exception, said: str) -> None:
    """In words for the user, where we have them."""
    assert trouble.said(Path("f.db"), what) == said


def test_whose_fault_it_is() -> None:
    """A disk may be better tomorrow, a call that cannot be written will not."""
    assert trouble.is_outside(error(sqlite3.SQLITE_FULL))
    assert trouble.is_outside(OSError())
    assert not trouble.is_outside(sqlite3.IntegrityError())
    assert not trouble.is_outside(OverflowError())
    assert trouble.is_corrupt(error(sqlite3.SQLITE_NOTADB))
    assert trouble.is_corrupt(error(sqlite3.SQLITE_CORRUPT_INDEX))
    assert not trouble.is_corrupt(error(sqlite3.SQLITE_FULL))
    assert not trouble.is_corrupt(OSError())


def test_broken_files_are_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what belongs to them; the last two are left lying, and nothing else is touched."""
    path = tmp_path / "f.db"
    kept = []
    (tmp_path / "f.db.mine").touch()
    for second in range(4):
        monkeypatch.setattr("time.strftime", lambda _, second=second: f"2026-0{second}")
        for suffix in ("", "-wal"):
            (tmp_path / f"f.db{suffix}").write_text(f"{second}{suffix}")
        kept.append(trouble.move_aside(path))
    assert not path.exists()
    names = [name for each in kept[2:] for name in (each.name, f"{each.name}-wal")]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*names, "f.db.mine"])
    assert kept[3].read_text() == "3"
