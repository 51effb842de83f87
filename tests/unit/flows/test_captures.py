"""Files of calls that failed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from strowger.flows.archive import Archive
from strowger.flows.captures import Captures, plain
from strowger.flows.flow import summary
from strowger.flows.tape import Message
from strowger.flows.writer import Entry, Writer
from tests.fakes.flows import ANSWER, answered, begun, call


def test_only_failures_have_a_file(tmp_path: Path) -> None:
    """Its path is known before it is written: the log says it."""
    captures = Captures(tmp_path / "flows.db")
    bad = answered(begun(), outcome="failed")
    assert captures.path_of(bad) == tmp_path / "flows-errors" / f"{bad.id}.json"
    assert captures.path_of(call()) is None
    assert captures.path_of(answered(begun(), outcome="cancelled")) is None
    assert captures.path_of(answered(begun(), outcome="stopped")) is None
    assert Captures(tmp_path / "flows.db", keep=0).path_of(bad) is None


def test_what_is_in_one(tmp_path: Path) -> None:
    """The call, and what went over the wires: JSON as JSON, other text as text. Its owner's alone."""
    flow = answered(begun(), outcome="failed")
    captures = Captures(tmp_path / "flows.db")
    path = captures.path_of(flow)
    assert path is not None
    captures.write(path, summary(flow), flow.tape.messages if flow.tape else [])
    written = json.loads(path.read_bytes())
    assert written["flow"]["error"] == "it broke"
    request, _, answer, _ = written["messages"]
    assert request["body"]["messages"][0]["content"] == "How late is it?"
    assert ["authorization", "Bearer ***"] in request["headers"]
    assert answer["body"] == b"".join(ANSWER).decode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_newest_are_kept(tmp_path: Path) -> None:
    """A provider that is down for a day must not fill the disk; what is not ours is left alone."""
    captures = Captures(tmp_path / "flows.db", keep=2)
    folder = tmp_path / "flows-errors"
    folder.mkdir()
    (folder / "notes.txt").touch()
    paths = []
    for second in range(4):
        flow = answered(begun(), outcome="failed")
        path = captures.path_of(flow)
        assert path is not None
        captures.write(path, summary(flow), [])
        os.utime(path, (second, second))
        paths.append(path.name)
    assert sorted(each.name for each in folder.iterdir()) == sorted(["notes.txt", *paths[2:]])


def test_bodies_are_bounded() -> None:
    """And may be anything."""
    long = plain(Message("forwarded", 0, "POST /", (), [b'"' + b"x" * 2_000_000 + b'"'], [0.1]))
    assert long["cut"]
    assert len(str(long["body"])) == 1024 * 1024
    assert plain(Message("forwarded", 0, "POST /", (), [b"\xff\xfe"], [0.1]))["body"] == "\ufffd\ufffd"
    assert plain(Message("forwarded", 0, "POST /", ()))["body"] == ""


def test_anything_can_be_written(tmp_path: Path) -> None:
    """Bodies as deep as can be read, and deeper; half of a character in a header."""
    captures = Captures(tmp_path / "flows.db")
    flow = answered(begun(), outcome="failed")
    flow.session = "s\udcff"
    path = captures.path_of(flow)
    assert path is not None
    deep = [b'{"a":' * levels + b"1" + b"}" * levels for levels in (900, 50_000)]
    captures.write(
        path, summary(flow), [Message("forwarded", 0, "POST /", (("x", "\udcff"),), [body]) for body in deep]
    )
    written = path.read_bytes()
    assert b'"a"' in written
    assert b'"s?"' in written
    assert deep[1].replace(b'"', b'\\"') in written


def test_what_is_cleared_is_captured_no_more(tmp_path: Path) -> None:
    """Nor what has become too old; what is not ours is left alone."""
    path = tmp_path / "flows.db"
    captures = Captures(path)
    flows = [answered(begun(), outcome="failed") for _ in range(2)]
    writer = Writer(path, {})
    writer.write([Entry(flow, [], [], True) for flow in flows])
    for flow in flows:
        captures.write(captures.path_of(flow) or tmp_path, summary(flow), [])
    (tmp_path / "flows-errors" / "notes.json").touch()
    writer.base.execute("UPDATE flows SET listed = 0 WHERE seq = 1")
    captures.sweep(writer.base)
    assert {each.stem for each in (tmp_path / "flows-errors").iterdir()} == {flows[1].id, "notes"}
    writer.close()
    archive = Archive(path)
    archive.clear()
    archive.close()
    assert {each.stem for each in (tmp_path / "flows-errors").iterdir()} == {"notes"}


def test_of_a_storm_some_are_captured(tmp_path: Path) -> None:
    """And what was said of one of them is true when it is written."""
    now = 0.0
    captures = Captures(tmp_path / "flows.db", clock=lambda: now)
    flows = [answered(begun(), outcome="failed") for _ in range(60)]
    paths = [captures.path_of(flow) for flow in flows[:30]]
    assert [path is not None for path in paths] == [True] * 20 + [False] * 10
    now = 2.5
    assert [captures.path_of(flow) is not None for flow in flows[30:34]] == [True, True, False, False]
    assert [captures.path_of(flow) for flow in flows[:30]] == paths
    now = 1000.0
    assert sum(captures.path_of(flow) is not None for flow in flows[34:]) == 20


def test_what_looks_like_a_credential_is_taken_out(tmp_path: Path) -> None:
    """Also inside of what was said: a capture is made to be looked at by others."""
    flow = answered(begun(b'{"said":"my key is hunter2"}'), outcome="failed")
    captures = Captures(tmp_path / "flows.db", clean=lambda line: line.replace("hunter2", "***"))
    path = captures.path_of(flow)
    assert path is not None
    captures.write(path, summary(flow), flow.tape.messages if flow.tape else [])
    assert json.loads(path.read_bytes())["messages"][0]["body"] == {"said": "my key is ***"}
