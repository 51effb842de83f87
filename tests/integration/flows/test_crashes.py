"""Processes that write flows and are killed, or write into one file at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strowger.flows.archive import Archive
from tests.fakes.flows import REQUEST, bodies_of

ROOT = Path(__file__).resolve().parents[3]

# Writes calls without end, each with a body of its own that resembles the one before, and says how far it is.
PROGRAM = """
import sys
from strowger.flows.store import Store
from tests.fakes.flows import answered, begun

path, name, flushed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = Store(path, tell=lambda event, fields: print(event, fields, file=sys.stderr))
open_one = begun(name=f"flow_{name}_open")
store.opened(open_one)
for number in range(count):
    flow = begun(b"x" * 2000 + b"%d" % number + b"y" * 2000, name=f"flow_{name}_{number:04}", session=name)
    store.opened(flow)
    store.finished(answered(flow))
    if number + 1 == flushed:
        assert store.flush(15)
        print("flushed", flush=True)
    print(number, flush=True)
assert store.flush(15)
store.close()
print("closed", flush=True)
"""


@contextmanager
def writing(path: Path, name: str, *, flushed: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that writes `count` calls; the first `flushed` are on disk when it says `flushed`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(path), name, str(flushed), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], word: str, more: int = 0) -> None:
    """Read what a process says up to a word, and some lines more."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            break
    else:
        raise AssertionError(f"it never said {word}")
    for _ in range(more):
        process.stdout.readline()


def sound(path: Path) -> bool:
    """Whether nothing in the file contradicts anything else."""
    base = sqlite3.connect(path)
    try:
        wrong = base.execute(
            "SELECT id FROM bodies WHERE refs !="
            " (SELECT count(*) FROM sheets, json_each(sheets.bodies) AS one WHERE one.value = bodies.id)"
            " + (SELECT count(*) FROM bodies AS other WHERE other.base = bodies.id)"
        ).fetchall()
        missing = base.execute(
            "SELECT 1 FROM sheets, json_each(sheets.bodies) AS one WHERE one.value NOT IN (SELECT id FROM bodies)"
        ).fetchall()
        return base.execute("PRAGMA integrity_check").fetchall() == [("ok",)] and not wrong and not missing
    finally:
        base.close()


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """In the middle of a thousand calls: the file opens, what was on disk is whole, what ran is lost."""
    path = tmp_path / "flows.db"
    with writing(path, "a", flushed=400, count=1000) as process:
        lines_until(process, "flushed", more=50)
        process.kill()
        process.wait()
    archive = Archive(path)
    found = {str(flow["id"]): flow["outcome"] for flow in archive.list(limit=2000)}
    assert {f"flow_a_{number:04}" for number in range(400)} <= found.keys()
    assert found.pop("flow_a_open") == "lost"
    assert set(found.values()) <= {"ok", "lost"}
    assert all(found[f"flow_a_{number:04}"] == "ok" for number in range(400))
    last = max(name for name, outcome in found.items() if outcome == "ok")
    assert bodies_of(archive.messages(last))["client_request", 0].startswith(b"x" * 2000)
    archive.close()
    with writing(path, "b", flushed=1, count=1) as process:
        lines_until(process, "closed")
    base = sqlite3.connect(path)
    assert base.execute("SELECT outcome FROM flows WHERE id = 'flow_a_open'").fetchall() == [("lost",)]
    base.close()
    assert sound(path)


def test_processes_that_write_one_file(tmp_path: Path) -> None:
    """Two at once, while a third deletes what is there: each call is there whole, or was deleted."""
    path = tmp_path / "flows.db"
    archive = Archive(path)
    with (
        writing(path, "a", flushed=50, count=200) as one,
        writing(path, "b", flushed=50, count=200) as other,
    ):
        lines_until(one, "flushed")
        lines_until(other, "flushed")
        deleted = archive.clear()
        lines_until(one, "closed")
        lines_until(other, "closed")
    assert deleted >= 100
    left = [str(flow["id"]) for flow in archive.list(limit=2000)]
    assert len(left) + deleted == 402
    for name in left:
        messages = archive.messages(name)
        if not name.endswith("_open"):
            assert len(messages) == 4
            number = str(int(name[-4:])).encode()
            assert bodies_of(messages)["client_request", 0] == b"x" * 2000 + number + b"y" * 2000
        else:
            assert bodies_of(messages)["client_request", 0] == REQUEST
    archive.close()
    assert sound(path)
