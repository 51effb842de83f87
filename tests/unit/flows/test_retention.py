"""What the store lets go."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strowger.flows import reading, retention
from strowger.flows.flow import Flow
from strowger.flows.retention import Limits
from strowger.flows.writer import Entry, Writer
from tests.fakes.flows import bodies_of, call

DAY = 86400.0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """A new file."""
    made = Writer(tmp_path / "flows.db", {})
    yield made
    made.close()


def noise(size: int, seed: int) -> bytes:
    """What cannot be packed."""
    return random.Random(seed).randbytes(size)


def write(writer: Writer, *flows: Flow) -> None:
    """Bring flows to disk."""
    writer.write([Entry(flow, flow.tape.messages if flow.tape else [], [], True) for flow in flows])


def rows(writer: Writer, statement: str) -> list[tuple[object, ...]]:
    """What the file says."""
    return writer.base.execute(statement).fetchall()


def consistent(writer: Writer) -> bool:
    """Whether each body is held by as many as it says, and each has its bytes and its base."""
    held = rows(
        writer,
        "SELECT id, refs, (SELECT count(*) FROM sheets, json_each(sheets.bodies) AS one WHERE one.value = bodies.id)"
        " + (SELECT count(*) FROM bodies AS other WHERE other.base = bodies.id) FROM bodies",
    )
    orphans = rows(
        writer,
        "SELECT 1 FROM sheets, json_each(sheets.bodies) AS one WHERE one.value NOT IN (SELECT id FROM bodies)",
    )
    orphans += rows(writer, "SELECT 1 FROM bodies WHERE base NOT IN (SELECT id FROM bodies)")
    contents = rows(writer, "SELECT body FROM contents ORDER BY body")
    return (
        all(refs == real and real for _, refs, real in held)
        and not orphans
        and contents == [(h[0],) for h in sorted(held)]
    )


def test_by_age(writer: Writer, tmp_path: Path) -> None:
    """What was said goes first, the figures of a call much later, and what runs stays."""
    now = time.time()
    for days in (50, 20, 1):
        write(writer, call(noise(3000, days), session=str(days), started=now - days * DAY))
    running = call(started=now - 60 * DAY)
    running.outcome = "running"
    writer.write([Entry(running, [], [], False)])
    listed = retention.trim(writer.base, tmp_path / "flows.db", Limits(days=10, usage_days=30))
    assert rows(writer, "SELECT session, listed, input, path FROM flows ORDER BY seq") == [
        ("20", 0, 100, None),
        ("1", 1, 100, "/v1/messages"),
        ("s1", 1, 100, "/v1/messages"),
    ]
    assert listed == 1, "what began before all that was emptied is not counted"
    assert rows(writer, "SELECT id / 2 FROM sheets") == [(3,)]
    assert consistent(writer)


def test_a_clock_that_was_ahead(writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after it has been put right is counted, and goes when it is old."""
    now = time.time()
    limits = Limits(days=10, usage_days=10_000)
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: now + 1000 * DAY)
        retention.trim(writer.base, tmp_path / "flows.db", limits)
    write(writer, call(session="new", started=now))
    write(writer, call(session="old", started=now - 20 * DAY))
    assert retention.trim(writer.base, tmp_path / "flows.db", limits) == 1
    retention.trim(writer.base, tmp_path / "flows.db", limits)
    assert rows(writer, "SELECT listed FROM flows WHERE session = 'new'") == [(1,)]


def test_a_clock_that_leaps_takes_nothing_with_it(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is old by a clock that is wrong for a while is still there when it has been put right; if it stands by what
    it says for an hour, as after a holiday, it is right.
    """
    real = time.time()
    limits = Limits(days=10, usage_days=10_000)

    def look(days: float) -> list[tuple[object, ...]]:
        monkeypatch.setattr(time, "time", lambda: real + days * DAY)
        retention.trim(writer.base, tmp_path / "flows.db", limits)
        return rows(writer, "SELECT listed FROM flows")

    write(writer, call(started=real))
    hour = 1 / 24
    for days in (0, 1, 400, 400 + hour / 2, 1.1, 400, 400 + hour * 0.9, 800, 1.2):
        assert look(days) == [(1,)], days
    assert look(30) == [(1,)]
    assert look(30 + hour / 2) == [(1,)]
    assert look(30 + hour) == [(0,)]


def test_by_size(writer: Writer, tmp_path: Path) -> None:
    """The oldest bodies go, the rows stay; the file becomes smaller on the disk too."""
    path = tmp_path / "flows.db"
    write(writer, *[call(noise(20_000, number), session=str(number)) for number in range(300)])
    assert retention.size_of(path) > 6_000_000
    limits = Limits(bytes=3_000_000)
    assert retention.trim(writer.base, path, limits) == 300
    assert retention.size_of(path) <= limits.bytes
    (oldest,) = rows(writer, "SELECT min(id) / 2 FROM sheets")
    assert isinstance(oldest[0], int)
    assert 100 < oldest[0] < 300
    assert consistent(writer)
    newest = rows(writer, "SELECT id FROM flows ORDER BY seq DESC LIMIT 1")[0][0]
    assert len(bodies_of(reading.messages_of(writer.base, str(newest)))["client_request", 0]) == 20_000


def test_no_more_goes_than_has_to(writer: Writer, tmp_path: Path) -> None:
    """Where calls are large and the bound is small, too: what was said last is still there."""
    flows = [call(noise(100_000, number), session=str(number)) for number in range(20)]
    write(writer, *flows)
    retention.trim(writer.base, tmp_path / "flows.db", Limits(bytes=1_000_000))
    left = rows(writer, "SELECT count(*) FROM sheets")
    assert left in ([(7,)], [(8,)], [(9,)])
    assert bodies_of(reading.messages_of(writer.base, flows[-1].id))["client_request", 0] == noise(100_000, 19)
    assert consistent(writer)


def test_a_little_at_a_time(writer: Writer, tmp_path: Path) -> None:
    """Calls wait to be written meanwhile: what there was no time for is done the next time, and all is at last."""
    path = tmp_path / "flows.db"
    write(writer, *[call(noise(5_000, number), session=str(number)) for number in range(200)])
    limits = Limits(bytes=800_000)
    sizes: list[int] = []
    while (listed := retention.trim(writer.base, path, limits, seconds=0)) is None:
        sizes.append(len(rows(writer, "SELECT id FROM sheets")))
        assert consistent(writer)
    assert listed == 200
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) > 1
    assert retention.size_of(path) <= limits.bytes


def test_by_size_without_bodies(writer: Writer, tmp_path: Path) -> None:
    """When nothing else is left to go, the oldest calls go altogether."""
    path = tmp_path / "flows.db"
    for _ in range(3):
        writer.write([Entry(call(), [], [], True) for _ in range(500)])
    retention.trim(writer.base, path, Limits(bytes=400_000))
    assert retention.size_of(path) <= 400_000
    assert 100 < len(rows(writer, "SELECT seq FROM flows")) < 1400


def test_a_base_lives_as_long_as_a_body_that_stands_on_it(writer: Writer) -> None:
    """A conversation is read from its last call when its first is long gone."""
    body = noise(5000, 1)
    flows = []
    for turn in range(6):
        body += noise(100, 10 + turn)
        flows.append(call(body))
        write(writer, flows[-1])
    retention.delete(writer.base, "seq < 6", [], usage=False)
    assert consistent(writer)
    assert len(rows(writer, "SELECT id FROM bodies WHERE size > 4000")) == 6
    assert bodies_of(reading.messages_of(writer.base, flows[-1].id))["client_request", 0] == body
    retention.delete(writer.base, "1", [], usage=False)
    assert rows(writer, "SELECT count(*) FROM bodies") == rows(writer, "SELECT count(*) FROM contents") == [(0,)]


def test_nothing_is_left_over_in_the_long_run(writer: Writer, tmp_path: Path) -> None:
    """Conversations come and go while the file is at its bound: what is held is always what is counted."""
    path = tmp_path / "flows.db"
    rng = random.Random(1)
    said = {name: rng.randbytes(4000) for name in "abcd"}
    for turn in range(60):
        for name in said:
            said[name] = rng.randbytes(4000) if rng.random() < 0.1 else said[name] + rng.randbytes(200)
        write(writer, *[call(said[name], session=name) for name in said])
        if turn % 10 == 9:
            retention.trim(writer.base, path, Limits(bytes=300_000))
            assert retention.size_of(path) <= 300_000
            assert consistent(writer)
    assert rows(writer, "PRAGMA integrity_check") == [("ok",)]


def test_figures_go_with_what_was_cleared_before(writer: Writer) -> None:
    """Who clears the figures too means all of them."""
    write(writer, call(), call())
    assert retention.delete(writer.base, "seq = 1", [], usage=False) == 1
    assert retention.delete(writer.base, "1", [], usage=True) == 1
    assert rows(writer, "SELECT count(*) FROM flows") == [(0,)]


def test_samples_go_with_the_last_message(writer: Writer) -> None:
    """They are heads of real calls; whoever writes is told to make new ones."""
    write(writer, call(), call())
    retention.delete(writer.base, "seq = 1", [], usage=False)
    assert rows(writer, "SELECT count(*) FROM samples") == [(1,)]
    retention.delete(writer.base, "1", [], usage=False)
    assert rows(writer, "SELECT count(*) FROM samples") == [(0,)]
    flow = call()
    write(writer, flow)
    assert reading.messages_of(writer.base, flow.id)[0].line == "POST /v1/messages"


def test_size_of_nothing(tmp_path: Path) -> None:
    """There may be no file yet."""
    assert retention.size_of(tmp_path / "none") == 0
