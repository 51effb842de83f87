"""Reading logs."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from strowger.telemetry import reading
from strowger.telemetry.logs import Log
from strowger.telemetry.reading import Follower, newest_first, parsed


def line(second: int, **fields: object) -> str:
    told = "".join(f', "{name}": "{value}"' for name, value in fields.items())
    return f'{{"time": "2026-01-01T00:00:{second:02d}.000Z", "level": "info", "area": "call", "event": "call"{told}}}\n'


def seconds(lines: list[reading.Line]) -> list[int]:
    return [int(one.time[17:19]) for one in lines]


def test_a_line_of_ours_is_taken_apart(tmp_path: Path) -> None:
    """Its head, and what it says."""
    log = Log(tmp_path / "a.log")
    log.write("warning", "reload", {"needs_restart": ["server"]})
    log.close()
    read = parsed((tmp_path / "a.log").read_bytes())
    assert (read.level, read.area, read.event, read.fields) == (
        "warning", "config", "reload", {"needs_restart": ["server"]},
    )  # fmt: skip


@pytest.mark.parametrize("raw", [b'{"time": "2026', b"[1]", b'{"level": 5}', b"\xff\xfe", b"Traceback (most recent"])
def test_what_is_no_line_of_ours_is_text(raw: bytes) -> None:
    """Half a line, or another program's."""
    assert parsed(raw).fields == {}
    assert parsed(raw).raw == raw.decode("utf-8", "replace")


@pytest.mark.parametrize("block", [1, 7, 64, 100_000])
def test_the_newest_lines_come_first_across_rotated_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Whatever the blocks in which files are read; nothing older than asked for is looked at."""
    monkeypatch.setattr(reading, "_BLOCK", block)
    (tmp_path / "a.log.2").write_text(line(1) + line(2))
    (tmp_path / "a.log.1").write_text(line(3, text="é → ü") + line(4))
    (tmp_path / "a.log").write_text(line(5) + line(6))
    assert seconds(list(newest_first([tmp_path / "a.log"]))) == [6, 5, 4, 3, 2, 1]
    assert next(itertools.islice(newest_first([tmp_path / "a.log"]), 3, None)).fields == {"text": "é → ü"}


def test_several_logs_are_one(tmp_path: Path) -> None:
    """By their times; a log that is not there is empty; a line without a time stays beside its neighbour."""
    (tmp_path / "a.log").write_text(line(1) + line(4) + line(5))
    (tmp_path / "b.log").write_text(line(2) + "Traceback\n" + line(3) + line(6))
    lines = list(newest_first([tmp_path / "a.log", tmp_path / "b.log", tmp_path / "none.log"]))
    assert seconds(lines) == [6, 5, 4, 3, 3, 2, 1]
    assert lines[4].raw == "Traceback"


def test_following_sees_whole_lines_only(tmp_path: Path) -> None:
    """A writer may be seen in the middle of one; what was there before is not told."""
    path = tmp_path / "a.log"
    path.write_text(line(1))
    follower = Follower(path)
    assert follower.lines() == []
    with path.open("a") as file:
        whole = line(2)
        file.write(whole[:20])
        file.flush()
        assert follower.lines() == []
        file.write(whole[20:])
        file.flush()
        assert seconds(follower.lines()) == [2]
    follower.close()


def test_following_goes_on_after_a_rotation(tmp_path: Path) -> None:
    """What was written just before is told too, and so is what another program did with the file."""
    path = tmp_path / "a.log"
    follower = Follower(path)  # before there is one
    path.write_text(line(1))
    assert seconds(follower.lines()) == [1]
    with path.open("a") as file:
        file.write(line(2))
    path.rename(tmp_path / "a.log.1")
    assert seconds(follower.lines()) == [2]
    path.write_text(line(3))
    assert seconds(follower.lines()) == [3]
    os.truncate(path, 0)
    path.write_text("")
    assert follower.lines() == []
    with path.open("a") as file:
        file.write(line(4))
    assert seconds(follower.lines()) == [4]
    follower.close()
