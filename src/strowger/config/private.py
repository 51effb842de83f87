"""Files that are their owner's alone, written whole or not at all: logins, pid files, settings, the configuration.

Blocking. Must not know what is in them.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time
from pathlib import Path

_ABANDONED_SECONDS = 600.0
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def replace_file(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Write a file, or put another in its place, in one step: whoever reads it sees the old or the new. Raises OSError.

    With `durable` also after a crash of the system; what is worth nothing after one need not wait for the disk. A link
    is replaced, not followed.
    """
    _sweep(path)
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    opened = os.open(draft, _CREATE, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(data)
            file.flush()
            if mode != 0o600 and sys.platform != "win32":
                os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        _sync_dir(path.parent)


def left_behind(path: Path) -> list[Path]:
    """What writers of a file have left who were killed, or are still writing; whole or not."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*.tmp"))


def _sweep(path: Path) -> None:
    """Remove what writers left who were killed: it may hold secrets. A younger one may still be written to."""
    for left in left_behind(path):
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime > _ABANDONED_SECONDS:
                left.unlink()


def _sync_dir(path: Path) -> None:
    """Make the rename itself durable, where directories can be synced."""
    if sys.platform == "win32":
        return
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError:  # some file systems refuse; the file itself is on the disk
        pass
    finally:
        os.close(opened)
