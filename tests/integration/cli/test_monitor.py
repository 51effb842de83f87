"""`strowger serve` and `strowger monitor` in a real terminal: what is drawn, and how the terminal is left."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import sys
import termios
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Strowger

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="what the terminal says differs elsewhere"),
    pytest.mark.timeout(180),
]

DEADLINE = 80.0


class Terminal:
    """A program in a terminal of 120 by 40."""

    def __init__(self, *arguments: str, program: tuple[str, ...] = (sys.executable, "-m", "strowger")) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            environment = {**os.environ, "TERM": "xterm-256color"}
            os.execve(program[0], [*program, *arguments], environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait(self, pattern: str) -> re.Match[str]:
        """What a pattern finds in what has been drawn since the last time, as soon as it is there."""
        deadline = time.monotonic() + DEADLINE
        while (found := re.search(pattern, self._seen)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._seen[-3000:]!r}"
            self._seen += self._drawn()
        self._seen = self._seen[found.end() :]
        return found

    def _drawn(self) -> str:
        """More of what it draws, without what moves the cursor and gives colours."""
        if not select.select([self._terminal], [], [], 0.2)[0]:
            return ""
        with suppress(OSError):  # it has ended
            text = os.read(self._terminal, 65536).decode(errors="replace")
            return re.sub(r"\x1b(\[[0-9;?<>=$ ]*[a-zA-Z]|[()][A-B0]|[=>])", "", text)
        return ""

    def code(self) -> int:
        """Its exit code, once it has ended; what it still says is read."""
        deadline = time.monotonic() + DEADLINE
        while True:
            self._seen += self._drawn()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"it goes on: {self._seen[-500:]!r}"

    def echoes(self) -> bool:
        """Whether what is typed is shown, as a shell expects it to be."""
        flags: int = termios.tcgetattr(self._terminal)[3]
        return bool(flags & termios.ECHO and flags & termios.ICANON)

    def close(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)


@pytest.fixture
def serving() -> Iterator[Terminal]:
    """`strowger serve` on the demo model, in a terminal."""
    terminal = Terminal("serve", "--demo", "--port", "0")
    try:
        yield terminal
    finally:
        terminal.close()


def url_of(pid: int) -> str:
    """Where the gateway of a process is."""
    file = Path(os.environ["XDG_RUNTIME_DIR"]) / "strowger" / "sessions" / f"{pid}.json"
    url: str = json.loads(file.read_text())["url"]
    return url


def test_serve_opens_the_monitor(serving: Terminal) -> None:
    """A call appears; `q` ends the gateway too, and the terminal is as it was."""
    serving.wait("1 gateway ")
    body = {"model": "demo-fast", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        url_of(serving.pid) + "/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        assert answer.status == 200
    serving.wait("demo-fast")
    serving.type("q")
    assert serving.code() == 0
    assert serving.echoes()


def test_a_signal_leaves_the_terminal_as_it_was(serving: Terminal) -> None:
    """Whoever stops the gateway from elsewhere."""
    serving.wait("1 gateway ")
    os.kill(serving.pid, signal.SIGTERM)
    assert serving.code() == 0
    assert serving.echoes()


@pytest.mark.parametrize("command", [("monitor",), ("serve", "--demo", "--port", "0", "--monitor")])
def test_no_stream_is_drawn_into(command: tuple[str, ...], tmp_path: Path) -> None:
    """In a terminal too: one of the three may lead elsewhere, `2>file`."""
    line = f"exec {shlex.join((sys.executable, '-m', 'strowger', *command))} 2>{shlex.quote(str(tmp_path / 'file'))}"
    terminal = Terminal(line, program=("/bin/sh", "-c"))
    try:
        assert terminal.code() == 1
    finally:
        terminal.close()
    assert "the monitor needs a terminal: standard error is none" in (tmp_path / "file").read_text()


def test_without_a_terminal_there_is_no_monitor(strowger: Strowger) -> None:
    """The hint says what prints lines instead."""
    done = strowger("monitor")
    assert done.returncode == 1
    assert "strowger flows tail" in done.stderr
