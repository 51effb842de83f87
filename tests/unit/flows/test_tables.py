"""The tables of the flow store."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from strowger.config.processes import process_start
from strowger.dialects.base import Loss
from strowger.errors import ConfigError
from strowger.flows import tables
from strowger.flows.flow import summary
from strowger.ir.events import Finish, StopReason, Usage
from tests.fakes.flows import begun, call


def test_a_flow_comes_back_as_it_was() -> None:
    """Whatever its plain form has, also what it may have one day."""
    flow = call()
    flow.stream, flow.usage = True, Usage(input=3, reasoning=1, estimated=True)
    flow.losses = [Loss("tools[0]", "why")]
    flow.notes = ["a note"]
    flow.finish = Finish(StopReason.END)
    flow.billed = 0.25
    told = {**summary(flow), "invented": [1, 2]}
    row = tables.row_of(told)
    base = sqlite3.connect(":memory:")
    columns = dict(zip(tables.ALL_COLUMNS[4:], row, strict=True))
    found = tables.summary_of((7, *(columns[name] for name in tables.READ_COLUMNS[1:])))
    base.close()
    assert found == {**told, "seq": 7}


def test_every_scalar_of_a_flow_is_a_column() -> None:
    """Filters and sums work on columns; a new member of the plain form wants one."""
    told = summary(begun())
    scalars = {name for name, value in told.items() if not isinstance(value, list | dict)}
    assert scalars <= set(tables.ALL_COLUMNS)
    assert set(tables.TOKENS) <= set(tables.ALL_COLUMNS)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """What was said is nobody else's business, neither is what is written ahead."""
    path = tmp_path / "state" / "flows.db"
    base = tables.open_for_writing(path, patience=1)
    with tables.transaction(base):
        base.execute("INSERT INTO samples (name, content) VALUES ('a', x'00')")
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, *path.parent.iterdir())]
    base.close()
    assert len(modes) == 4
    assert all(not mode & 0o077 for mode in modes)


def test_a_copy_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    """With what SQLite puts beside it."""
    path = tmp_path / "flows.db"
    path.touch(0o644)
    path.chmod(0o644)
    base = tables.open_for_writing(path, patience=1)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    base.close()
    assert modes == {0o600}


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    """Neither written nor read: nobody knows what it means."""
    path = tmp_path / "flows.db"
    base = tables.open_for_writing(path, patience=1)
    base.execute(f"PRAGMA user_version={tables.VERSION + 1}")
    base.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="a later version"):
        tables.open_for_writing(path, patience=1)
    with pytest.raises(ConfigError, match="a later version"):
        tables.open_for_reading(path)
    assert path.read_bytes() == before


def test_an_earlier_version_is_told_apart(tmp_path: Path) -> None:
    """Whoever keeps the file puts it aside; to everybody else it says who does."""
    path = tmp_path / "flows.db"
    base = tables.open_for_writing(path, patience=1)
    base.execute(f"PRAGMA user_version={tables.VERSION - 1}")
    base.close()
    with pytest.raises(tables.Outdated, match="an earlier version"):
        tables.open_for_writing(path, patience=1)
    with pytest.raises(tables.Outdated, match="an earlier version") as told:
        tables.open_for_reading(path)
    assert told.value.version == tables.VERSION - 1
    assert "`strowger serve`" in str(told.value.hint)


def test_a_place_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy on such a disk is read; but not while somebody writes, who may be on another machine."""
    path = tmp_path / "flows.db"
    tables.open_for_writing(path, patience=1).close()
    reading = tables._reading

    def read(path: Path, how: str) -> sqlite3.Connection:
        base = reading(path, how)
        if how == "mode=ro":
            base.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)  # its first statement fails, as on such a disk
        return base

    monkeypatch.setattr(tables, "_reading", read)
    with pytest.raises(sqlite3.DatabaseError):
        tables.open_for_reading(path)
    monkeypatch.setattr("os.access", lambda *_: False)
    base = tables.open_for_reading(path)
    assert base is not None
    assert base.execute("SELECT count(*) FROM flows").fetchone() == (0,)
    base.close()
    Path(f"{path}-wal").touch()
    with pytest.raises(sqlite3.DatabaseError):
        tables.open_for_reading(path)


def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """It was named by mistake."""
    path = tmp_path / "notes.db"
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE notes (text TEXT)")
    base.commit()
    base.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another program"):
        tables.open_for_writing(path, patience=1)
    with pytest.raises(ConfigError, match="another program"):
        tables.open_for_reading(path)
    assert path.read_bytes() == before


def test_there_may_be_nothing_to_read(tmp_path: Path) -> None:
    """No file, an empty one, one whose tables are being made."""
    assert tables.open_for_reading(tmp_path / "none") is None
    (tmp_path / "empty").touch()
    assert tables.open_for_reading(tmp_path / "empty") is None


def test_readers_cannot_write(tmp_path: Path) -> None:
    """Whatever a filter says."""
    path = tmp_path / "flows.db"
    tables.open_for_writing(path, patience=1).close()
    base = tables.open_for_reading(path)
    assert base is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        base.execute("DELETE FROM flows")
    base.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """What was done in it before it broke is not there."""
    base = tables.open_for_writing(tmp_path / "flows.db", patience=1)
    with pytest.raises(RuntimeError), tables.transaction(base):
        base.execute("UPDATE numbers SET value = 7")
        raise RuntimeError
    assert base.execute("SELECT max(value) FROM numbers").fetchone() == (0,)
    base.close()


def test_many_rows_at_once(tmp_path: Path) -> None:
    """Any number of them, each once and in their order."""
    base = tables.open_for_writing(tmp_path / "flows.db", patience=1)
    for count in (0, 1, 3, 5, 64, 151):
        base.execute("DELETE FROM contents")
        rows = [(number, b"%d" % number) for number in range(count)]
        tables.insert(base, "contents", ("body", "content"), rows)
        assert base.execute("SELECT * FROM contents ORDER BY body").fetchall() == rows
    base.close()


def test_dead_writers(tmp_path: Path) -> None:
    """A number of a process that was given out again is not the process that wrote."""
    base = tables.open_for_writing(tmp_path / "flows.db", patience=1)
    alive, pid = process_start(os.getpid()), os.getpid()
    writers = [(1, pid, alive), (2, pid, None), (3, pid, "another"), (4, 2**22 + 1, None), (5, 2**22 + 2, None)]
    base.executemany("INSERT INTO writers VALUES (?, ?, ?, 0)", writers)
    row = {**summary(begun())}
    rows = [(seq, seq, seq, *tables.row_of({**row, "id": str(seq)})) for seq in (1, 2, 3, 4)]
    tables.insert(base, "flows", tables.WRITTEN, rows)
    found = sorted(tables.dead_writers(base))
    base.close()
    assert found == ([3, 4] if alive else [4])


def test_a_file_that_is_being_made_is_nobody_elses(tmp_path: Path) -> None:
    """Its mark and its tables come at once, also for who looks at one and then at the other."""
    path = tmp_path / "flows.db"
    first = sqlite3.connect(path)
    first.execute("PRAGMA journal_mode=WAL")
    first.close()
    base = sqlite3.connect(path, isolation_level=None)

    def make(statement: str) -> None:
        if "sqlite_master" in statement:
            base.set_trace_callback(None)
            tables.open_for_writing(path, patience=5.0).close()

    base.set_trace_callback(make)
    tables._check(base, path)
    tables._check(base, path)
    assert base.execute("SELECT count(*) FROM flows").fetchone() == (0,)
    base.close()
