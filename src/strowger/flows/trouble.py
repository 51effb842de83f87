"""What keeps a store from its file, in a sentence; and the way out of a file that is broken, or old."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path

# Broken files that are left lying beside the new one.
_KEPT = 2

_SAID = {
    sqlite3.SQLITE_BUSY: "another process does not let go of it",
    sqlite3.SQLITE_LOCKED: "another process does not let go of it",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it may not be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk refuses",
}


def said(path: Path, error: Exception) -> str:
    """What is wrong, for the user."""
    if isinstance(error, sqlite3.Error):
        return f"{path}: {_SAID.get(_code(error)) or error}"
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return f"{path}: {'the disk is full' if full else error.strerror or error}"
    return f"{path}: {type(error).__name__}"


def is_corrupt(error: Exception) -> bool:
    """Whether the file is broken, or no database at all."""
    return isinstance(error, sqlite3.Error) and _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_outside(error: Exception) -> bool:
    """Whether it is the file or the disk that refuses, rather than what is to be written."""
    wrong = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)
    return isinstance(error, sqlite3.Error | OSError) and not isinstance(error, wrong)


def _code(error: sqlite3.Error) -> int:
    """The primary code; errors that Python itself raises have none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def put_old_aside(path: Path, version: int) -> Path | None:
    """Keep a file with the tables of an earlier version under another name, with all that belongs to it.

    None where it is another file by now. Raises sqlite3.Error, also while anybody else has it open, and OSError.
    """
    inode = path.stat().st_ino
    base = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        # Nobody else can have it open then, nor open it until it has its other name; what waited beside it is in it.
        base.execute("PRAGMA locking_mode=EXCLUSIVE")
        base.execute("PRAGMA journal_mode=DELETE")
        base.execute("BEGIN EXCLUSIVE")
        (found,) = base.execute("PRAGMA user_version").fetchone()
        if found != version or path.stat().st_ino != inode:
            return None
        kept = Path(f"{path}.old-{version}")
        if kept.exists():
            kept = Path(f"{kept}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        _rename(path, kept)
    finally:
        base.close()
    return kept


def move_aside(path: Path) -> Path:
    """Put a broken file, and what belongs to it, where it can be looked at; the oldest of such go. Raises OSError."""
    kept = Path(f"{path}.broken-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    _rename(path, kept)
    older = sorted(path.parent.glob(f"{path.name}.broken-*"), key=lambda each: each.name, reverse=True)
    names = sorted({each.name.removesuffix("-wal").removesuffix("-shm") for each in older}, reverse=True)
    for each in older:
        if not each.name.startswith(tuple(names[:_KEPT])):
            each.unlink(missing_ok=True)
    return kept


def _rename(path: Path, kept: Path) -> None:
    """Give a file another name, and what belongs to it."""
    path.rename(kept)
    for suffix in ("-wal", "-shm"):
        beside = Path(f"{path}{suffix}")
        if beside.exists():
            beside.rename(f"{kept}{suffix}")
