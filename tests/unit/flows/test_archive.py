"""Reading the flow store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec import Struct

from strowger.errors import ClientError, ConfigError, ErrorKind, GatewayError
from strowger.flows import tables
from strowger.flows.archive import Archive, Value
from strowger.flows.flow import Flow, summary
from strowger.flows.writer import Entry, Writer
from tests.fakes.flows import ANSWER, REQUEST, answered, begun, bodies_of, call


class Sql(Struct):
    """A filter."""

    clause: str
    values: tuple[Value, ...] = ()

    def sql(self) -> tuple[str, Sequence[Value]]:
        """As it is."""
        return self.clause, self.values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "flows.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """Who writes it."""
    made = Writer(path, {})
    yield made
    made.close()


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    """Who reads it."""
    made = Archive(path)
    yield made
    made.close()


def write(writer: Writer, *flows: Flow) -> None:
    """Bring flows to disk."""
    writer.write(
        [Entry(flow, flow.tape.messages if flow.tape else [], [], flow.outcome != "running") for flow in flows]
    )


def ids(found: list[dict[str, object]]) -> list[object]:
    """Of flows."""
    return [flow["id"] for flow in found]


def test_a_file_that_is_not_there_has_no_flows(archive: Archive, path: Path) -> None:
    """No gateway has run yet: that is no error, and nothing is made."""
    assert archive.list() == []
    assert archive.count() == archive.mark() == archive.clear() == 0
    assert archive.changed_since(0) == (0, [])
    with pytest.raises(ClientError, match="there is no flow last"):
        archive.get("last")
    assert not path.exists()


def test_flows_are_read_while_they_are_written(archive: Archive, writer: Writer) -> None:
    """The first reader may be there before the file is."""
    assert archive.list() == []
    flow = call()
    write(writer, flow)
    assert archive.list() == [{**summary(flow), "seq": 1}]


def test_pages(archive: Archive, writer: Writer) -> None:
    """Newest first, each page before the last of the one before."""
    flows = [call() for _ in range(5)]
    write(writer, *flows)
    names = [flow.id for flow in reversed(flows)]
    first = archive.list(limit=2)
    assert ids(first) == names[:2]
    before = first[-1]["seq"]
    assert isinstance(before, int)
    assert ids(archive.list(limit=9, before=before)) == names[2:]


def test_filters(archive: Archive, writer: Writer) -> None:
    """A clause over columns called like what is in a summary, with its parameters."""
    one, other = call(session="s1"), call(session="s2")
    write(writer, one, other)
    assert ids(archive.list(Sql("session = ? OR 0", ("s2",)))) == [other.id]
    assert ids(archive.list(Sql("session = ? OR 1", ("s2",)), before=2)) == [one.id]
    assert archive.count(Sql("output + cache_read = ?", (100,))) == 2


def test_names_of_flows(archive: Archive, writer: Writer) -> None:
    """An id, the beginning of one, with and without what all begin with, and places counted from the last."""
    flows = [call() for _ in range(3)]
    for flow, name in zip(flows, ("flow_aa1", "flow_aa2", "flow_b"), strict=True):
        flow.id = name
    write(writer, *flows)
    for name, found in [
        ("flow_aa1", "flow_aa1"), ("aa1", "flow_aa1"), ("b", "flow_b"), ("flow_b", "flow_b"),
        ("last", "flow_b"), ("-1", "flow_b"), ("-2", "flow_aa2"), ("-3", "flow_aa1"),
    ]:  # fmt: skip
        assert archive.get(name)["id"] == found, name


@pytest.mark.parametrize("name", ["x", "-4", "-0", "flow_%", "", "flow_"])
def test_names_that_are_of_none_or_of_many(archive: Archive, writer: Writer, name: str) -> None:
    """Said so, as an error that a client may see."""
    write(writer, *[call() for _ in range(3)])
    if name == "-0":
        assert archive.get(name)["seq"] == 3
        return
    with pytest.raises(ClientError) as raised:
        archive.get(name)
    if name in ("", "flow_"):
        assert "more than one" in raised.value.message
    else:
        assert raised.value.kind is ErrorKind.NOT_FOUND


def test_messages(archive: Archive, writer: Writer) -> None:
    """All of a call, or one of a kind: the last, unless a number is given."""
    flow = begun()
    assert flow.tape is not None
    flow.tape.begin("upstream_response", "429", (), b"wait")
    flow.tape.begin("forwarded", "POST /again", (), b"again")
    write(writer, answered(flow))
    assert bodies_of(archive.messages(flow.id))["client_request", 0] == REQUEST
    last, first = archive.message("last", "upstream_response"), archive.message("last", "upstream_response", 0)
    assert last is not None
    assert (last.pieces, last.number) == (list(ANSWER), 1)
    assert first is not None
    assert first.body == b"wait"
    assert archive.message("last", "upstream_response", 7) is None


def test_changes(archive: Archive, writer: Writer) -> None:
    """Who follows sees each flow when it appears and when it ends, once, and skips nothing."""
    one, other = begun(), begun()
    mark = archive.mark()
    write(writer, one)
    mark, seen = archive.changed_since(mark)
    assert [(flow["id"], flow["outcome"]) for flow in seen] == [(one.id, "running")]
    write(writer, other)
    write(writer, answered(one))
    mark, seen = archive.changed_since(mark, limit=1)
    assert ids(seen) == [other.id]
    mark, seen = archive.changed_since(mark)
    assert [(flow["id"], flow["outcome"]) for flow in seen] == [(one.id, "ok")]
    assert archive.changed_since(mark) == (mark, [])


def test_running_flows_of_dead_writers_are_lost(archive: Archive, writer: Writer) -> None:
    """Also where no gateway runs that could write so, and for filters."""
    flow, alive = begun(), begun()
    write(writer, flow, alive)
    writer.base.execute("INSERT INTO writers VALUES (99, ?, NULL, 0)", (2**22 + 1,))
    writer.base.execute("UPDATE flows SET writer = 99 WHERE id = ?", (flow.id,))
    assert archive.get(flow.id)["outcome"] == "lost"
    assert ids(archive.list(Sql("outcome = 'lost'"))) == [flow.id]
    assert ids(archive.list(Sql("outcome = 'running'"))) == [alive.id]


def test_figures_are_summed_where_flows_are_cleared(archive: Archive, writer: Writer) -> None:
    """What was said is gone, what it cost is not, unless that is wanted too."""
    write(writer, call(), call(), begun())
    assert archive.clear(Sql("outcome = 'ok'")) == 2
    assert archive.count() == 1
    assert archive.select("SELECT sum(input), sum(cache_read) FROM {flows} WHERE listed = 0") == [(200, 160)]
    assert archive.clear() == 0, "what runs is not cleared"
    assert archive.clear(usage=True) == 0
    assert archive.select("SELECT count(*) FROM {flows}") == [(1,)]


def test_what_is_cleared_is_off_the_disk(archive: Archive, writer: Writer, path: Path) -> None:
    """Not in free pages either, nor in what is written ahead."""
    body = b'{"secret plan":"buy a boat"}'
    write(writer, answered(begun(body, session="a secret session"), [b"a secret answer"]))
    assert archive.clear(usage=True) == 1
    left = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"secret" not in left
    assert b"boat" not in left
    write(writer, call())
    assert bodies_of(archive.messages("last"))["client_request", 0] == REQUEST


def test_a_new_file_is_noticed(archive: Archive, path: Path) -> None:
    """The old one was moved aside."""
    for name in ("flow_a", "flow_b"):
        writer = Writer(path, {})
        flow = call()
        flow.id = name
        write(writer, flow)
        assert ids(archive.list()) == [name]
        writer.close()
        path.rename(path.with_name(f"{name}.db"))
    assert archive.list() == []


def test_broken_files_are_errors_of_ours(archive: Archive, path: Path, writer: Writer) -> None:
    """With a hint; one in which something is missing too."""
    flow = call(b"x" * 2000)
    write(writer, flow)
    writer.base.execute("DELETE FROM contents")
    with pytest.raises(GatewayError, match="lost its base") as raised:
        archive.messages(flow.id)
    assert raised.value.hint
    writer.base.execute("DELETE FROM samples")
    with pytest.raises(GatewayError, match="lost its sample"):
        archive.messages(flow.id)
    writer.close()
    for each in path.parent.iterdir():
        each.unlink()
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(GatewayError, match="not a database"):
        archive.list()
    with pytest.raises(GatewayError, match="not a database"):
        archive.clear()


@pytest.mark.parametrize("step, word", [(1, "later"), (-1, "earlier")])
def test_other_versions_are_refused(archive: Archive, path: Path, writer: Writer, step: int, word: str) -> None:
    """With the way out."""
    writer.base.execute(f"PRAGMA user_version={tables.VERSION + step}")
    with pytest.raises(ConfigError, match=f"{word} version"):
        archive.list()


def test_a_filter_that_is_no_sql_is_an_error_of_ours(archive: Archive, writer: Writer) -> None:
    """Not a bug of whoever asks."""
    write(writer, call())
    with pytest.raises(GatewayError, match="no such column"):
        archive.list(Sql("nonsense = 1"))
    assert archive.count() == 1
