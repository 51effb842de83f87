"""Files that hold secrets: whom they are kept from, and how one tells that they changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from strowger.auth.files import MAX_SECRET_BYTES, make_private_dir, read_private, remove, stamp_of
from strowger.errors import CredentialError


def private(path: Path, data: bytes = b"planted", mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_reading(tmp_path: Path) -> None:
    """What is ours alone is read; what is not there is no error."""
    assert read_private(private(tmp_path / "f"), hint="h") == b"planted"
    assert read_private(private(tmp_path / "g", mode=0o400), hint="h") == b"planted"
    assert read_private(tmp_path / "nope", hint="h") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610])
def test_a_file_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    """A file that others may read or write is refused, with the way to mend it."""
    with pytest.raises(CredentialError) as caught:
        read_private(private(tmp_path / "f", mode=mode), hint="chmod 600 it")
    assert caught.value.message == f"the file {tmp_path}/f is not trusted: others may read or write it (mode 0{mode:o})"
    assert caught.value.hint == "chmod 600 it"


def test_somebody_elses_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that belongs to somebody else is refused, whatever it allows."""
    path = private(tmp_path / "f")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(path).st_uid + 1)
    with pytest.raises(CredentialError, match="belongs to somebody else"):
        read_private(path, hint="h")
    with pytest.raises(CredentialError, match="belongs to somebody else"):
        make_private_dir(tmp_path)


def test_links_and_oddities(tmp_path: Path) -> None:
    """A symbolic link is not followed, and what is no file is not read; a pipe does not make anybody wait."""
    (tmp_path / "link").symlink_to(private(tmp_path / "f"))
    with pytest.raises(CredentialError, match="it is a symbolic link"):
        read_private(tmp_path / "link", hint="h")
    (tmp_path / "dir").mkdir()
    with pytest.raises(CredentialError, match="no regular file"):
        read_private(tmp_path / "dir", hint="h")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(CredentialError, match="no regular file"):
        read_private(tmp_path / "pipe", hint="h")
    with pytest.raises(CredentialError, match="Not a directory"):
        read_private(tmp_path / "f" / "below", hint="h")


def test_too_large(tmp_path: Path) -> None:
    """A file that is too large to be a login is not read to its end."""
    with pytest.raises(CredentialError, match="too large"):
        read_private(private(tmp_path / "f", b"x" * (MAX_SECRET_BYTES + 1)), hint="h")


def test_a_private_directory(tmp_path: Path) -> None:
    """A directory is made for us alone, and one that is open is closed."""
    make_private_dir(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    make_private_dir(tmp_path / "open")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


def test_stamps(tmp_path: Path) -> None:
    """A stamp changes with size, time and file, and there is none of what is not there."""
    path = private(tmp_path / "f")
    first = stamp_of(path)
    assert first == stamp_of(path)
    os.utime(path, (1, 1))
    assert stamp_of(path) != first
    assert stamp_of(tmp_path / "nope") is None


def test_removing(tmp_path: Path) -> None:
    """What is gone already need not be removed."""
    remove(private(tmp_path / "f"))
    remove(tmp_path / "f")
    assert not (tmp_path / "f").exists()
