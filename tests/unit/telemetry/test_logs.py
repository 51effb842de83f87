"""The log."""

from __future__ import annotations

import io
import os
import select
import stat
from pathlib import Path

import msgspec
import pytest

from strowger.flows.flow import Flow, summary
from strowger.telemetry.logs import Log


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
