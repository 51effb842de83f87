"""The file of the log, with processes that end badly."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from strowger.telemetry.files import LogFile
file = LogFile(Path(sys.argv[1]), max_bytes=8000, kept=400)
number = 0
while True:
    file.add(b"%s %06d %s\\n" % (sys.argv[2].encode(), number, b"x" * 80))
    print(number, flush=True)
    number += 1
"""
LINES = 400


def test_no_line_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    """Two write one file and rotate it; what each had written before it was killed is there, whole, once, in order."""
    path = tmp_path / "a.log"
    writers = {
        name: subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    }
    told: dict[str, int] = {}
    for name, writer in writers.items():
        assert writer.stdout is not None
        for line in writer.stdout:
            told[name] = int(line)
            if told[name] >= LINES:
                break
        writer.send_signal(signal.SIGKILL)
        # what it wrote to the pipe before it was killed it had written to the file before
        for line in writer.stdout.read().splitlines():
            told[name] = int(line) if line.isdigit() else told[name]
        writer.stdout.close()
        writer.wait()
    files = sorted(tmp_path.glob("a.log.[0-9]*"), key=lambda found: -int(found.suffix[1:]))
    lines = [line for found in (*files, path) for line in found.read_text().splitlines()]
    assert len(files) > 2
    for name, last in told.items():
        numbers = [int(line.split()[1]) for line in lines if line.startswith(name)]
        assert numbers[: last + 1] == list(range(last + 1))
    assert {len(line) for line in lines} == {len("one 000000 ") + 80}
