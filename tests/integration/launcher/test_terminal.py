"""`strowger run` in a real terminal with a real shell, and every way in which a launch can come to a bad end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import join
from urllib.parse import urlsplit

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="what the terminal's and /proc's words are differs elsewhere"),
    pytest.mark.timeout(240),
]

DEADLINE = 100.0
STROWGER = (sys.executable, "-m", "strowger")

# Tells who and where it is, and what comes from the terminal; an interrupt ends it as it ends any Python program.
CHILD = """
import os, signal, sys, time
def say(*words):  # not by `print`, which one signal may find another in the middle of
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
signal.signal(signal.SIGWINCH, lambda *_: say("columns", os.get_terminal_size().columns))
signal.signal(signal.SIGCONT, lambda *_: say("going on"))
print("child", os.getpid(), "of", os.getppid(), "at", os.environ["ANTHROPIC_BASE_URL"], flush=True)
while True:
    time.sleep(0.05)  # a signal just before `signal.pause` would wait for the next one
"""
HERE = re.compile(r"child (\d+) of (\d+) at (http://\S+)\s")


def launch(code: str = CHILD) -> tuple[str, ...]:
    """The command line of a launch with a small program for a client, on a gateway of its own."""
    return (*STROWGER, "run", "--demo", "--quiet", sys.executable, "--", "-c", code)


class Screen:
    """A terminal with an interactive shell in it, as a user has it."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._seen = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._terminal, text.encode())

    def wait(self, pattern: str) -> re.Match[str]:
        """What a pattern finds in what has come since the last time, as soon as it is there."""
        deadline = time.monotonic() + DEADLINE
        while (found := re.search(pattern, self._seen)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._seen!r}"
            if select.select([self._terminal], [], [], 0.2)[0]:
                self._seen += os.read(self._terminal, 65536).decode(errors="replace")
        self._seen = self._seen[found.end() :]
        return found

    def resize(self, columns: int) -> None:
        """Pull at the window's corner."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A shell with job control, whose prompt is `$>`, in an empty folder; it and all in it are gone at the end."""
    monkeypatch.setenv("PS1", "$> ")
    monkeypatch.chdir(tmp_path)
    pid, terminal = pty.fork()
    if pid == 0:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)  # a test run in the background of a script has them ignored
        os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
    try:
        shown = Screen(terminal)
        shown.wait(r"\$> ")
        yield shown
    finally:
        for child in _descendants(pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in children for each in (*_descendants(int(child)), int(child))]


def run_in(screen: Screen, code: str = CHILD) -> None:
    """Start a launch, and have its exit code shown when it is over.

    By a file, so that of its words none is echoed: what is typed over several lines comes back with the shell's prompts
    anywhere in it, and `fg` shows it all once more.
    """
    file = Path("launch")
    file.write_text(f"#!/bin/sh\nexec {join(launch(code))}\n")
    file.chmod(0o755)
    screen.type("./launch; echo code=$?\n")


def state(pid: int) -> str:
    """What the system says that a process does: `T` for a stopped one; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def listens(url: str) -> bool:
    """Whether anybody takes connections there."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def pidfiles() -> list[Path]:
    """The files that say which gateways run."""
    return sorted(Path(os.environ["XDG_RUNTIME_DIR"]).glob("strowger/sessions/*"))


# ---- the terminal ----


@pytest.mark.parametrize("code", [0, 1, 42])
def test_the_exit_code_is_the_clients(screen: Screen, code: int) -> None:
    """The shell sees what it would see without us."""
    run_in(screen, f"raise SystemExit({code})")
    assert screen.wait(r"code=(\d+)\r")[1] == str(code)


def test_an_interrupt(screen: Screen) -> None:
    """Ctrl-C ends the client in its own way: 130, as without us; no gateway is left."""
    run_in(screen)
    url = screen.wait(HERE.pattern)[3]
    assert listens(url)
    screen.type("\x03")
    screen.wait(r"\nKeyboardInterrupt\r")
    assert screen.wait(r"code=(\d+)\r")[1] == "130"
    assert (listens(url), pidfiles()) == (False, [])


def test_stop_and_go_on(screen: Screen) -> None:
    """Ctrl-Z stops the client and us, and gives the shell back; `fg` goes on with both, and with the same gateway."""
    run_in(screen)
    child, parent, url = screen.wait(HERE.pattern).groups()
    screen.type("\x1a")
    screen.wait(r"Stopped +\./launch\r")
    until(lambda: state(int(child)) == state(int(parent)) == "T", "both are stopped")
    screen.wait(r"code=148\s+\$> ")
    screen.type("echo still here\n")
    screen.wait(r"\nstill here\r")
    screen.type("fg\n")
    screen.wait(r"\ngoing on\r")
    until(lambda: listens(url), "the gateway goes on")
    screen.type("\x03")
    screen.wait(r"\nKeyboardInterrupt\r")


def test_a_resized_window(screen: Screen) -> None:
    """The client hears of it, and sees the new size: its terminal is the user's own."""
    run_in(screen)
    screen.wait(HERE.pattern)
    for columns in (91, 133):
        screen.resize(columns)
        assert screen.wait(r"columns (\d+)\r")[1] == str(columns)


def test_a_closed_terminal(screen: Screen) -> None:
    """A hang-up goes to both, and nothing is left."""
    run_in(screen)
    child, parent, url = screen.wait(HERE.pattern).groups()
    os.kill(int(parent), signal.SIGHUP)
    assert screen.wait(r"code=(\d+)\r")[1] == "129"
    assert (state(int(child)), listens(url), pidfiles()) == ("", False, [])


def test_a_termination(screen: Screen) -> None:
    """SIGTERM ends the client: 143."""
    run_in(screen)
    os.kill(int(screen.wait(HERE.pattern)[2]), signal.SIGTERM)
    assert screen.wait(r"code=(\d+)\r")[1] == "143"


# ---- bad ends ----


@contextmanager
def started() -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A launch without a terminal: its process, that of its client, and its gateway's URL."""
    with subprocess.Popen(launch(), stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        child = 0
        try:
            assert process.stdout
            found = HERE.match(process.stdout.readline())
            assert found
            child = int(found[1])
            yield process, child, found[3]
        finally:
            process.kill()
            with suppress(ProcessLookupError):
                if child and state(child):
                    os.kill(child, signal.SIGKILL)


def test_the_client_is_killed() -> None:
    """137, as a shell tells it; the gateway ends with it, and so does its file."""
    with started() as (process, child, url):
        assert len(pidfiles()) == 1
        os.kill(child, signal.SIGKILL)
        assert process.wait(DEADLINE) == 137
        assert (listens(url), pidfiles()) == (False, [])


def test_we_are_killed() -> None:
    """The gateway goes with us; the file that nobody could take away is swept by whoever looks next."""
    with started() as (process, _, url):
        process.kill()
        process.wait(DEADLINE)
        until(lambda: not listens(url), "the gateway is gone")
        assert [path.stem for path in pidfiles()] == [str(process.pid)]
        told = subprocess.run((*STROWGER, "status"), capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert (told.returncode, "no gateway is running" in told.stderr) == (1, True)
        assert pidfiles() == []


def test_two_launches_at_once() -> None:
    """Each has a gateway of its own, and the end of one is nothing to the other."""
    with ExitStack() as stack:
        (first, child, url), (second, other, another) = (stack.enter_context(started()) for _ in range(2))
        assert url != another
        assert {path.stem for path in pidfiles()} == {str(first.pid), str(second.pid)}
        os.kill(child, signal.SIGTERM)
        assert first.wait(DEADLINE) == 143
        assert listens(another)
        os.kill(other, signal.SIGTERM)
        assert second.wait(DEADLINE) == 143
    assert pidfiles() == []


# ---- a hostile place ----


def refused(tmp_path: Path) -> str:
    """A launch that cannot begin: what it says. Its client has never run."""
    mark = tmp_path / "the-client-ran"
    code = f"import pathlib; pathlib.Path({str(mark)!r}).touch()"
    done = subprocess.run(launch(code), capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode in (1, 2)
    assert not mark.exists()
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("planted", ["a file", "a link", "somebody else's"])
def test_a_hostile_place_for_pid_files(tmp_path: Path, planted: str) -> None:
    """Who could read the admin token there must not get it: nothing is started, and what to do about it is told."""
    folder = Path(os.environ["XDG_RUNTIME_DIR"]) / "strowger"
    folder.mkdir(parents=True)
    place, elsewhere = folder / "sessions", tmp_path / "elsewhere"
    elsewhere.mkdir()
    if planted == "a file":
        place.write_text("")
    elif planted == "a link":
        place.symlink_to(elsewhere)
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can give a directory away")
        place.mkdir()
        os.chown(place, 65534, 65534)
    assert "hint: set XDG_RUNTIME_DIR" in refused(tmp_path)
    assert list(elsewhere.iterdir()) == []


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk without a byte left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk), capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        yield disk
    finally:
        subprocess.run(("umount", "--lazy", disk), check=True)


def test_a_full_disk_for_pid_files(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in the system's words, with nothing half-written left."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(full))
    assert "No space left on device" in refused(tmp_path)
    assert [path for path in full.rglob("*") if path.is_file()] == [full / "ballast"]


def test_a_full_disk_for_the_log(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that cannot be written is no reason not to work."""
    monkeypatch.setenv("XDG_STATE_HOME", str(full))
    done = subprocess.run(launch("print('worked')"), capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout) == (0, "worked\n"), done.stderr
