"""Files that hold secrets: who may have touched them, and whether they changed. `config.private` writes them.

Blocking. Must not know what is in them.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import msgspec

from strowger.errors import CredentialError

# A login is a few kilobytes; whatever is larger is the wrong file.
MAX_SECRET_BYTES = 1024 * 1024


class Stamp(msgspec.Struct, frozen=True):
    """What a file looks like from outside. When it is another, the content may be."""

    modified_ns: int
    size: int
    inode: int


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file, or of what a symlink leads to; None when there is nothing to be read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def read_private(path: Path, *, hint: str) -> bytes | None:
    """What is in a file that is ours alone; None when it is not there. Raises CredentialError, with `hint`.

    What is checked is what was opened. A symlink is not followed: somebody else may have laid it.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        opened = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        linked = path.is_symlink()
        why = "it is a symbolic link" if linked else error.strerror
        raise CredentialError(f"the file {path} is not read: {why}", hint=None if linked else hint) from None
    try:
        if problem := _problem(os.fstat(opened)):
            raise CredentialError(f"the file {path} is not trusted: {problem}", hint=hint)
        with os.fdopen(opened, "rb", closefd=False) as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    finally:
        os.close(opened)
    if len(data) > MAX_SECRET_BYTES:
        raise CredentialError(f"the file {path} is too large to hold a secret", hint=hint)
    return data


def make_private_dir(path: Path) -> None:
    """Make a directory that is ours alone, or make sure that it is one. Raises OSError or CredentialError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        return
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise CredentialError(f"the directory {path} belongs to somebody else", hint=f"remove {path}, or chown it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)


def remove(path: Path) -> None:
    """Remove a file that may be gone already. Raises OSError."""
    path.unlink(missing_ok=True)


def _problem(found: os.stat_result) -> str | None:
    """Why a file is not to be trusted with a secret, or believed."""
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    # Windows has no such modes; there the profile directory keeps others out.
    if sys.platform == "win32":
        return None
    if found.st_uid != os.geteuid():
        return "it belongs to somebody else"
    if found.st_mode & 0o077:
        return f"others may read or write it (mode {stat.S_IMODE(found.st_mode):04o})"
    return None
