"""The log."""

from __future__ import annotations

import io
import os
import re
import select
import stat
from pathlib import Path

import msgspec
import pytest

import strowger
from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt, Flow, summary
from strowger.telemetry import logs
from strowger.telemetry.logs import AREAS, EVENTS, LEVELS, Log


def test_one_json_object_per_line() -> None:
    """Machines read it."""
    stream = io.StringIO()
    log = Log(stream=stream)
    log.write("info", "call", {"path": "/v1/messages\n", "status": 200})
    log.write("debug", "quiet", {})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    entry = msgspec.json.decode(lines[0])
    assert (entry["level"], entry["event"], entry["path"], entry["status"]) == ("info", "call", "/v1/messages\n", 200)
    assert entry["time"].endswith("Z")


def test_a_log_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It tells what someone works on."""
    path = tmp_path / "new" / "strowger.log"
    log = Log(path)
    log.write("info", "call", {})
    log.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().count("\n") == 1


def test_a_broken_stream_stops_the_log_and_nothing_else() -> None:
    """A full disk must not take calls down."""
    stream = io.StringIO()
    stream.close()
    log = Log(stream=stream)
    log.write("info", "call", {})
    log.write("info", "call", {})
    assert stream.closed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_to_the_end_does_not_spoil_the_end() -> None:
    """What could not be written is tried once more as the file closes; the gateway still ends well."""
    log = Log(Path("/dev/full"))
    log.write("info", "call", {"path": "/v1/messages"})
    log.close()


def test_without_a_standard_error_there_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may have been started with it closed."""
    monkeypatch.setattr("sys.stderr", None)
    log = Log()
    log.write("info", "call", {})
    log.close()


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_words_in_signs_that_it_has() -> None:
    """JSON is for machines; and an arrow must not end the log of an ASCII terminal."""
    written = io.BytesIO()
    flow = Flow(
        "flow_1", 0.0, 0.0, "POST", "/v1/messages", "anthropic", model="quick", provider="a", upstream_model="b"
    )
    log = Log(stream=_Terminal(written, encoding="ascii"))
    log.write("info", "call", summary(flow))
    log.write("info", "call", summary(flow))
    lines = written.getvalue().decode().splitlines()
    assert len(lines) == 2
    assert all("quick ? a:b" in line for line in lines)


def test_a_pipe_that_nobody_reads_drops_lines_and_says_so() -> None:
    """`serve 2>&1 | less`: the reader stops reading, the streams must not stop."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = Log(stream=stream)
        for _ in range(2000):
            log.write("info", "call", {"text": "x" * 200})
        kept = os.read(reading, 10_000_000)
        while select.select([reading], [], [], 0)[0]:
            kept += os.read(reading, 10_000_000)
        log.write("info", "call", {"text": "after"})
        last = msgspec.json.decode(os.read(reading, 10_000).splitlines()[-1])
    os.close(reading)
    assert last["text"] == "after"
    assert last["lines_dropped"] == 2000 - kept.count(b"\n")
    assert last["lines_dropped"] > 0


def test_a_file_and_a_terminal_get_the_same_calls(tmp_path: Path) -> None:
    """`serve` on a terminal shows words, and all that is known is in the file."""
    written = io.BytesIO()
    flow = Flow("flow_1", 0.0, 0.0, "POST", "/v1/messages", "anthropic", model="quick")
    log = Log(tmp_path / "a.log", stream=_Terminal(written, encoding="utf-8"))
    log.write("info", "call", summary(flow))
    log.write("warning", "reload", {"needs_restart": ("server", "log"), "hint": None})
    log.close()
    shown = written.getvalue().decode().splitlines()
    assert "quick" in shown[0]
    assert shown[1].endswith("  warning: reload  needs_restart: server, log")
    kept = [msgspec.json.decode(line) for line in (tmp_path / "a.log").read_bytes().splitlines()]
    assert [(line["event"], line["area"], line["level"]) for line in kept] == [
        ("call", "call", "info"), ("reload", "config", "warning"),
    ]  # fmt: skip


def test_each_area_may_have_its_own_level() -> None:
    """Whoever looks for one thing does not want to read all others."""
    stream = io.StringIO()
    log = Log(level="warning", stream=stream, areas={"upstream": "debug", "call": "error"})
    for level in LEVELS:
        for event in ("connection", "call", "reload", "of no area"):
            log.write(level, event, {})
    told = [(line["area"], line["level"]) for line in map(msgspec.json.decode, stream.getvalue().splitlines())]
    assert told == [
        ("upstream", "debug"), ("upstream", "info"),
        ("upstream", "warning"), ("config", "warning"), ("server", "warning"),
        ("upstream", "error"), ("call", "error"), ("config", "error"), ("server", "error"),
    ]  # fmt: skip
    assert log.wants("connection")
    assert not log.wants("call", "warning")


def test_what_is_told_of_has_an_area() -> None:
    """The table lists every event in the source, so that its level can be set, and no other."""
    told = re.compile(r'(?:log\.write\(\s*[^,()]+(?: if [^,]+)?,\s*|\b_tell\()"(\w+)",')
    source = Path(strowger.__file__).parent
    events = {found[1] for path in source.rglob("*.py") for found in told.finditer(path.read_text("utf-8"))}
    assert events == EVENTS.keys()
    assert set(EVENTS.values()) == set(AREAS)


def test_a_credential_in_a_line_is_not_written(tmp_path: Path) -> None:
    """Neither to the file nor to the terminal, wherever in the line it was."""
    written = io.BytesIO()
    planted = "sk-ant-api03-PLANTED0123456789abcdef"
    flow = Flow(
        "flow_1", 0.0, 0.0, "POST", f"/v1/{planted}", "anthropic", agent=f"me {planted}", error=f"no: {planted}"
    )
    flow.attempts.append(Attempt("a:b", "", error=f"refused {planted}"))
    flow.losses.append(Loss(f"x[{planted}]", f"not {planted}"))
    flow.notes.append(planted)
    log = Log(tmp_path / "a.log", stream=_Terminal(written, encoding="utf-8"))
    log.write("info", "call", summary(flow))
    log.write("warning", "credential", {"note": planted, "authorization": "anything"})
    log.close()
    everything = written.getvalue() + (tmp_path / "a.log").read_bytes()
    assert b"PLANTED" not in everything
    assert b"anything" not in everything
    assert log.redactions["vendor_key"] >= 7
    assert log.redactions["member"] == 1


def test_a_disk_that_was_full_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody makes room, and the log goes on; what was lost is counted."""
    log = Log(tmp_path / "a.log")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        log.write("info", "call", {})
        log.write("info", "call", {})
    monkeypatch.setattr(logs, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(log, "_not_before", 0.0)
    log.write("info", "call", {})
    log.close()
    assert log.dropped == 2
    assert (tmp_path / "a.log").read_text().count("\n") == 1
