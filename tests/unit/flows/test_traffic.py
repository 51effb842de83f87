"""Calls as files."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from strowger.flows.flow import Flow, summary
from strowger.flows.tape import Message
from strowger.flows.traffic import write
from tests.fakes.flows import ANSWER, answered, begun, call


def exported(folder: Path, *flows: Flow) -> list[str]:
    """The folders of calls, written in that order."""
    taped: dict[str, list[Message]] = {flow.id: flow.tape.messages if flow.tape else [] for flow in flows}
    return [str(each.relative_to(folder)) for each in write(map(summary, flows), taped.__getitem__, folder)]


def test_folders_are_in_the_order_of_the_calls(tmp_path: Path) -> None:
    """One for each session, in it one for each call."""
    flows = [call(session=session) for session in ("a", "b", "a", None)]
    names = [flow.id for flow in flows]
    assert exported(tmp_path, *flows) == [
        f"a/0001-{names[0]}", f"b/0001-{names[1]}", f"a/0002-{names[2]}", f"no-session/0001-{names[3]}"
    ]  # fmt: skip


def test_files_are_in_the_order_of_the_call(tmp_path: Path) -> None:
    """What it was, then each message; an answer's events by themselves."""
    flow = begun()
    assert flow.tape is not None
    flow.tape.begin("upstream_response", "429 Too Many Requests", (), b'{"error":1}')
    flow.tape.begin("forwarded", "POST https://q.example/", (), b"plain text")
    (place,) = exported(tmp_path, answered(flow))
    files = sorted((tmp_path / place).iterdir())
    assert [each.name for each in files] == [
        "00-flow.json",
        "01-client-request.json",
        "02-forwarded-0.json",
        "03-upstream-response-0.json",
        "04-forwarded-1.json",
        "05-upstream-response-1.events.jsonl",
        "05-upstream-response-1.json",
        "06-client-response.events.jsonl",
        "06-client-response.json",
    ]
    assert json.loads(files[0].read_bytes())["id"] == flow.id
    request = json.loads(files[1].read_bytes())
    assert request["line"] == "POST /v1/messages"
    assert request["body"]["model"] == "opus"
    assert json.loads(files[3].read_bytes())["body"] == {"error": 1}
    assert json.loads(files[4].read_bytes())["body"] == "plain text"
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in files)


def test_events_have_their_moments(tmp_path: Path) -> None:
    """In the order in which they came."""
    flow = call()
    (place,) = exported(tmp_path, flow)
    written = (tmp_path / place / "04-client-response.events.jsonl").read_bytes()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["event"] for line in lines] == ["message_start", "ping", "message_stop"]
    assert [line["data"] for line in lines] == [{}, {}, {}]
    moments = [line["at_ms"] for line in lines]
    assert moments == sorted(moments)
    assert len(set(moments)) == len(ANSWER)


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    """A session is called by the client as it likes."""
    sessions = ["../../x", "/abs", "..", "a/b\\c:d", "x" * 500, "\u00e9"]
    for session in sessions:
        (place,) = exported(tmp_path / "out", call(session=session))
        assert (tmp_path / "out") in (tmp_path / "out" / place).resolve().parents
        assert len(Path(place).parts) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_what_is_deep_is_written(tmp_path: Path) -> None:
    """As JSON where it can be read, else as text."""
    for number, levels in enumerate((950, 50_000)):
        body = b'{"a":' * levels + b"1" + b"}" * levels
        (place,) = exported(tmp_path / str(number), call(body))
        written = (tmp_path / str(number) / place / "01-client-request.json").read_bytes()
        assert b'"a' in written.replace(b"\\", b"")
