"""The store: nothing that happens to the disk reaches a call."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from strowger.flows import tables
from strowger.flows.archive import Archive
from strowger.flows.captures import Captures
from strowger.flows.flow import Flow
from strowger.flows.retention import Limits
from strowger.flows.store import Bodies, Store
from strowger.flows.writer import Entry, Writer
from tests.fakes.flows import REQUEST, answered, begun, bodies_of


class Place:
    """Where a test keeps its flows: the file, who was told what, and the stores to be closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "flows.db"
        self.told: list[Mapping[str, object]] = []
        self.stores: list[Store] = []

    def store(self, limits: Limits | None = None, *, bodies: Bodies = "all", captures: Captures | None = None) -> Store:
        """A store of this place."""
        made = Store(
            self.path, limits, bodies=bodies, captures=captures, tell=lambda _, fields: self.told.append(fields)
        )
        self.stores.append(made)
        return made

    @property
    def archive(self) -> Archive:
        """A reader of it."""
        return Archive(self.path)

    def outcomes(self) -> dict[object, object]:
        """Of the flows in the file."""
        archive = self.archive
        found = {flow["id"]: flow["outcome"] for flow in archive.list()}
        archive.close()
        return found

    def bodies(self, flow: Flow) -> dict[tuple[str, int], bytes]:
        """Of one flow in the file."""
        archive = self.archive
        found = bodies_of(archive.messages(flow.id))
        archive.close()
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty one."""
    made = Place(tmp_path)
    yield made
    for store in made.stores:
        store.close()


def run(store: Store, flow: Flow | None = None) -> Flow:
    """A call from its beginning to its end."""
    flow = flow or begun()
    store.began(flow)
    store.opened(flow)
    store.finished(answered(flow))
    return flow


def until(holds: Callable[[], bool]) -> None:
    """Wait for it, for as long as a slow machine may need."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        threading.Event().wait(0.01)


def test_calls_are_kept(place: Place) -> None:
    """With what went over the wires, by the time of `flush`."""
    store = place.store()
    flow = run(store)
    assert store.flush()
    assert place.outcomes() == {flow.id: "ok"}
    assert place.bodies(flow)["client_request", 0] == REQUEST
    state = store.state()
    assert (state.flows, state.written, state.waiting, state.problem) == (1, 1, 0, None)
    assert state.bytes > 0
    assert place.told == []


def test_running_calls_are_seen(place: Place) -> None:
    """From the beginning of the answer on; the requests are let go then."""
    store = place.store()
    flow = begun()
    store.opened(flow)
    assert flow.tape is not None
    assert flow.tape.messages == []
    assert store.flush()
    assert place.outcomes() == {flow.id: "running"}
    store.finished(answered(flow))
    assert store.flush()
    assert place.outcomes() == {flow.id: "ok"}
    assert len(place.bodies(flow)) == 4


def test_calls_without_a_tape_are_kept(place: Place) -> None:
    """Nobody wants bodies; and a call that was refused at the door has none."""
    store = place.store(bodies="none")
    flow = begun()
    flow.tape = None
    store.opened(flow)
    flow.outcome = "failed"
    store.finished(flow)
    assert store.flush()
    assert place.outcomes() == {flow.id: "failed"}
    assert place.bodies(flow) == {}


def test_the_file_is_opened_without_a_call(place: Place) -> None:
    """Whoever asks sees what is there from before, and whether it can be written."""
    store = place.store()
    run(store)
    store.close()
    again = place.store()
    until(lambda: again.state().flows == 1)
    assert again.state().written == 0


def test_closing_writes_what_is_left(place: Place) -> None:
    """The last calls before the end are the ones that are looked for."""
    store = place.store()
    flow = run(store)
    store.close()
    assert [each.name for each in place.path.parent.iterdir()] == ["flows.db"]
    assert place.outcomes() == {flow.id: "ok"}


def test_bodies_of_failures_only(place: Place) -> None:
    """Heads are kept of every call, bodies of those that failed."""
    store = place.store(bodies="errors")
    fine, bad = run(store), begun()
    store.opened(bad)
    store.finished(answered(bad, outcome="failed", status=500))
    assert store.flush()
    assert set(place.bodies(fine).values()) == {b""}
    assert place.bodies(bad)["client_request", 0] == REQUEST
    assert len(place.bodies(fine)) == len(place.bodies(bad)) == 4


def test_no_bodies(place: Place) -> None:
    """Others may want them all the same: the tape is left as it is."""
    store = place.store(bodies="none")
    flow = begun()
    store.opened(flow)
    store.finished(answered(flow, outcome="failed"))
    assert flow.tape is not None
    assert flow.tape.messages[0].body == REQUEST
    assert store.flush()
    assert set(place.bodies(flow).values()) == {b""}


def test_bodies_that_wait_for_a_failure_are_bounded(place: Place) -> None:
    """Thousands of calls may be under way."""
    store = place.store(Limits(waiting=5000), bodies="errors")
    flows = [begun(b"x" * 1000) for _ in range(5)]
    for flow in flows:
        store.opened(flow)
    for flow in flows:
        store.finished(answered(flow, [], outcome="failed"))
    assert store.flush()
    assert [len(place.bodies(flow)["client_request", 0]) for flow in flows] == [1000, 1000, 0, 0, 0]
    assert store.state().bodies_dropped == 3
    again = begun(b"x" * 1000)
    store.opened(again)
    store.finished(answered(again, [], outcome="failed"))
    assert store.flush()
    assert len(place.bodies(again)["client_request", 0]) == 1000


class Gate:
    """Another process that has the file."""

    def __init__(self, path: Path) -> None:
        self.base = tables.open_for_writing(path, patience=1)
        self.base.execute("BEGIN IMMEDIATE")

    def open(self) -> None:
        """Let go of it."""
        self.base.execute("COMMIT")
        self.base.close()


def test_a_store_that_falls_behind(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies are dropped first, then calls; both are counted, and nobody waits."""
    monkeypatch.setattr("strowger.flows.store._WAITING", 5)
    gate = Gate(place.path)
    store = place.store(Limits(waiting=3000))
    flows = [begun(b"x" * 1000, forwarded=b"x") for _ in range(6)]
    for flow in flows:
        store.opened(flow)
    for flow in flows:
        store.finished(answered(flow, []))
    state = store.state()
    assert (state.bodies_dropped, state.flows_dropped, state.waiting) == (3, 1, 10)
    gate.open()
    assert store.flush()
    assert list(place.outcomes().values()) == ["ok"] * 5
    assert sum(body == b"x" * 1000 for flow in flows[:5] for body in place.bodies(flow).values()) == 2


def test_much_is_written_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread waits for more, so that little is written together; but not for more than it takes at a time."""
    monkeypatch.setattr("strowger.flows.store._PAUSE", 3600.0)
    store = place.store()
    assert store.flush()
    run(store, begun(b"x" * 1000))
    run(store, begun(b"x" * 9_000_000, limit=10_000_000))
    deadline = time.monotonic() + 60
    while store.state().written < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store.state().written == 2


def test_a_file_that_is_locked_for_long(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, tried again, and nothing is lost."""
    monkeypatch.setattr("strowger.flows.writer._PATIENCE", 0.01)
    monkeypatch.setattr("strowger.flows.store._LAST_RETRY", 0.01)
    gate = Gate(place.path)
    store = place.store()
    flow = run(store)
    until(lambda: store.state().problem is not None)
    assert not store.flush(0.1)
    assert len(place.told) == 1
    assert "another process does not let go of it" in str(place.told[0]["problem"])
    gate.open()
    assert store.flush()
    assert store.state().problem is None
    assert place.outcomes() == {flow.id: "ok"}
    assert "is written again" in str(place.told[1]["note"])


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_may_not_be_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on; once it may be, they are kept."""
    monkeypatch.setattr("strowger.flows.store._LAST_RETRY", 0.01)
    place.path.parent.chmod(0o500)
    store = place.store()
    run(store)
    until(lambda: store.state().problem is not None)
    place.path.parent.chmod(0o700)
    assert store.flush()
    assert store.state().problem is None


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        PermissionError(errno.EACCES, "Permission denied"),
    ],
    ids=["full", "read-only", "forbidden"],
)
def test_a_disk_that_refuses(place: Place, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """It is told in words, and tried again."""
    monkeypatch.setattr("strowger.flows.store._LAST_RETRY", 0.01)
    opened = tables.open_for_writing
    refusing = True

    def open_for_writing(path: Path, *, patience: float) -> sqlite3.Connection:
        if refusing:
            raise error
        return opened(path, patience=patience)

    monkeypatch.setattr("strowger.flows.tables.open_for_writing", open_for_writing)
    store = place.store()
    flow = run(store)
    until(lambda: store.state().problem is not None)
    said = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
    assert said in str(store.state().problem)
    refusing = False
    assert store.flush()
    assert store.state().problem is None
    assert place.outcomes() == {flow.id: "ok"}


def test_a_full_disk_in_the_middle_of_a_batch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the batch is written again when there is room, and once."""
    monkeypatch.setattr("strowger.flows.store._LAST_RETRY", 0.01)
    store = place.store()
    first = run(store)
    assert store.flush()
    writer = store._writer
    assert writer is not None
    pages = writer.base.execute("PRAGMA page_count").fetchone()[0]
    writer.base.execute(f"PRAGMA max_page_count={pages}")
    body = os.urandom(100_000)
    flow = run(store, begun(body))
    assert store.flush()
    assert [told.get("problem") is None for told in place.told] == [False, True]
    assert "the disk is full" in str(place.told[0]["problem"])
    assert place.outcomes() == {flow.id: "ok", first.id: "ok"}
    assert place.bodies(flow)["client_request", 0] == body


def test_a_broken_file_is_put_aside(place: Place) -> None:
    """A new one is begun, the old one is there to be looked at, and the user is told once."""
    place.path.write_bytes(b"this is no database " * 1000)
    store = place.store()
    flow = run(store)
    assert store.flush()
    assert place.outcomes() == {flow.id: "ok"}
    kept = [each for each in place.path.parent.iterdir() if ".broken-" in each.name]
    assert [each.read_bytes()[:10] for each in kept] == [b"this is no"]
    run(store)
    assert store.flush()
    assert len(place.told) == 1
    assert f"was broken and is now {kept[0].name}" in str(place.told[0]["problem"])
    assert store.state().problem == place.told[0]["problem"]


def test_a_file_that_breaks_while_it_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was about to be written goes to the new one, the end of a call whose beginning is in the old one too."""
    store = place.store()
    running = begun()
    store.opened(running)
    assert store.flush()
    write = Writer.write

    def broken(writer: Writer, entries: list[Entry], *, carefully: bool = False) -> None:
        monkeypatch.setattr(Writer, "write", write)
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(Writer, "write", broken)
    flow = run(store)
    store.finished(answered(running))
    assert store.flush()
    assert place.outcomes() == {flow.id: "ok", running.id: "ok"}
    assert "was broken" in str(store.state().problem)


def test_a_file_that_was_deleted_is_made_anew(place: Place) -> None:
    """SQLite would write on into a file that has no name."""
    store = place.store()
    running = begun()
    store.opened(running)
    assert store.flush()
    for each in place.path.parent.iterdir():
        each.unlink()
    flow = run(store)
    store.finished(answered(running))
    assert store.flush()
    assert place.outcomes() == {flow.id: "ok", running.id: "ok"}
    assert "was taken away" in str(place.told[0]["note"])


def test_a_later_version_is_left_alone(place: Place) -> None:
    """What cannot be written is dropped and counted, the file stays as it was, and the user is told how to go on."""
    base = tables.open_for_writing(place.path, patience=1)
    base.execute(f"PRAGMA user_version={tables.VERSION + 1}")
    base.close()
    before = place.path.read_bytes()
    store = place.store()
    run(store)
    until(lambda: store.state().flows_dropped == 1)
    assert place.path.read_bytes() == before
    assert "later version" in str(store.state().problem)
    assert "update strowger" in str(store.state().problem)
    assert store.state().waiting == 0


def older(place: Place) -> None:
    """A file of an earlier version, with something in it."""
    base = tables.open_for_writing(place.path, patience=1)
    base.execute("INSERT INTO samples (name, content) VALUES ('old', x'00')")
    base.execute(f"PRAGMA user_version={tables.VERSION - 1}")
    base.close()


def test_an_earlier_version_is_put_aside(place: Place) -> None:
    """It stays whole under another name, the call is written, and the user is told; a second one takes no name away."""
    names = set()
    for _ in range(2):
        older(place)
        store = place.store()
        flow = run(store)
        assert store.flush()
        assert place.outcomes() == {flow.id: "ok"}
        problem = str(store.state().problem)
        assert "was written by an earlier version of strowger and is now flows.db.old-" in problem
        assert store.state().flows_dropped == 0
        store.close()
        (told,) = [told["problem"] for told in place.told if "problem" in told][-1:]
        assert told == problem
        names |= {each.name for each in place.path.parent.glob("*.old-*")}
        place.path.unlink()
    assert len(names) == 2
    for name in names:
        base = sqlite3.connect(place.path.parent / name)
        assert base.execute("SELECT name FROM samples").fetchall() == [("old",)]
        base.close()


def test_an_earlier_version_that_is_in_use_is_left_alone(place: Place) -> None:
    """A gateway of that version still runs: its file is put aside when it has let go of it, and nothing is lost."""
    older(place)
    base = sqlite3.connect(place.path, isolation_level=None)
    base.execute("SELECT * FROM samples").fetchall()
    store = place.store()
    flow = run(store)
    until(lambda: store.state().problem is not None)
    assert "cannot be put aside" in str(store.state().problem)
    assert "another process does not let go of it" in str(store.state().problem)
    assert base.execute("SELECT name FROM samples").fetchall() == [("old",)]
    assert store.state().waiting > 0
    base.close()
    assert store.flush()
    assert place.outcomes() == {flow.id: "ok"}
    assert [each.name for each in place.path.parent.glob("*.old-*")] == [f"flows.db.old-{tables.VERSION - 1}"]


def test_one_call_that_cannot_be_written(place: Place) -> None:
    """It is dropped and told of; the others of its batch are kept, with their bodies."""
    store = place.store()
    flows = [begun() for _ in range(5)]
    flows[2].events = 2**70
    for flow in flows:
        run(store, flow)
    assert store.flush()
    assert set(place.outcomes()) == {flow.id for flow in flows} - {flows[2].id}
    assert store.state().flows_dropped == 1
    assert [told["dropped"] for told in place.told] == [flows[2].id]
    assert all(len(place.bodies(flow)) == 4 for flow in flows if flow is not flows[2])


def test_text_that_is_none_is_kept(place: Place) -> None:
    """Headers and errors may hold half of a character."""
    store = place.store()
    flow = begun()
    flow.session = "a\udcffb"
    flow.error = "\ud800"
    assert flow.tape is not None
    flow.tape.begin("forwarded", "POST /\udcff", [("x", "\udcff")], b"{}")
    run(store, flow)
    assert store.flush()
    assert store.state().flows_dropped == 0
    archive = place.archive
    assert archive.get(flow.id)["session"] == "a?b"
    archive.close()


def test_two_gateways_write_one_file(place: Place) -> None:
    """Each sees its own to the end."""
    one, other = place.store(), place.store()
    flows = [run(store) for _ in range(50) for store in (one, other)]
    assert one.flush()
    assert other.flush()
    archive = place.archive
    assert archive.count() == 100
    _, seen = archive.changed_since(0)
    assert len(seen) == 100
    archive.close()
    assert place.bodies(flows[-1])["client_request", 0] == REQUEST


def test_the_file_stays_within_its_bound(place: Place) -> None:
    """Also while it is written to."""
    limits = Limits(bytes=2_000_000)
    store = place.store(limits)
    for _ in range(20):
        for _ in range(5):
            run(store, begun(os.urandom(50_000)))
        assert store.flush()
        assert store.state().bytes < 1.5 * limits.bytes
    assert store.state().flows == 100


def test_calls_that_failed_are_captured(place: Place) -> None:
    """A file for each, by the time the call is on disk; one that cannot be written harms nobody."""
    folder = place.path.parent / "flows-errors"
    captures = Captures(place.path)
    store = place.store(captures=captures)
    bad = begun()
    store.opened(bad)
    store.finished(answered(bad, outcome="failed"))
    run(store)
    assert store.flush()
    assert [each.name for each in folder.iterdir()] == [f"{bad.id}.json"]
    assert b"How late is it?" in (folder / f"{bad.id}.json").read_bytes()
    (folder / f"{bad.id}.json").unlink()
    folder.rmdir()
    folder.write_text("in the way")
    worse = begun()
    store.finished(answered(worse, outcome="failed"))
    assert store.flush()
    assert worse.id in place.outcomes()
    assert "errors" in str(place.told[0]["note"])


def test_what_goes_wrong_behind_a_write_writes_nothing_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is on disk is not counted as dropped because something else could not be done after it."""
    store = place.store()
    for error in (RecursionError("too deep"), sqlite3.OperationalError("database is locked")):

        def fail(*_: object, error: Exception = error) -> int:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr("strowger.flows.retention.trim", fail)
            flow = run(store)
            assert store.flush()
            assert flow.id in place.outcomes()
    flow = run(store)
    assert store.flush()
    state = store.state()
    assert (state.flows_dropped, state.problem, len(place.outcomes())) == (0, None, 3)
    assert any("RecursionError" in str(told.get("note")) for told in place.told)


def test_memory_is_not_kept(place: Place) -> None:
    """Of calls that are on disk nothing stays with the store."""
    store = place.store()
    for _ in range(300):
        run(store)
    assert store.flush()
    assert not store._queue
    assert not store._running
    assert not store._held
