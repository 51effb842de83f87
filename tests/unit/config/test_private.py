"""Files that are their owner's alone, replaced in one step."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from strowger.config.private import replace_file


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_replacing(tmp_path: Path, umask: int) -> None:
    """A file is another one after it was replaced, ours alone whatever the umask is, and nothing is left beside it."""
    path = tmp_path / "f"
    before = os.umask(umask)
    try:
        replace_file(path, b"one")
        first = path.stat().st_ino
        replace_file(path, b"two")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_ino != first
    assert list(tmp_path.iterdir()) == [path]
    replace_file(path, b"three", mode=0o640)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """When a step fails the old file is whole, and nothing of the new one is left."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"planted")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left(tmp_path: Path) -> None:
    """Old remains of a write are removed with the next one; young ones, and those of other files, are let be."""
    old, young, other = (tmp_path / name for name in (".f.old.tmp", ".f.young.tmp", ".g.old.tmp"))
    for path in (old, young, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (1, 1))
    replace_file(tmp_path / "f", b"new")
    assert not old.exists()
    assert young.exists()
    assert other.exists()


def test_what_need_not_outlive_a_crash_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is worth nothing after a reboot is written without waiting for the disk; it is as private."""

    def waits(_: int) -> None:
        raise AssertionError("waited for the disk")

    monkeypatch.setattr(os, "fsync", waits)
    replace_file(tmp_path / "f", b"new", durable=False)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


def test_a_link_is_replaced(tmp_path: Path) -> None:
    """What a link leads to is not written to: somebody else may have laid it."""
    (tmp_path / "victim").write_text("theirs")
    (tmp_path / "f").symlink_to(tmp_path / "victim")
    replace_file(tmp_path / "f", b"ours")
    assert (tmp_path / "victim").read_text() == "theirs"
    assert not (tmp_path / "f").is_symlink()
