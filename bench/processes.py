"""Processes of a run: start, wait until ready, CPU time and memory of a whole tree, end. Linux (/proc) only."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


class StartFailed(Exception):
    """A process ended, or did not answer, before it was ready."""


def raise_file_limit() -> None:
    """Let this process and its children open as many files as the system allows (500 streams need over 1000)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(command: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, its output in `log`."""
    return subprocess.Popen(
        command, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def wait_ready(process: subprocess.Popen[bytes], port: int, health_path: str | None, limit: float) -> None:
    """Return when the port answers, with 200 at `health_path` if given; `limit` in seconds. Raises StartFailed."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartFailed(f"ended with status {process.returncode} before it was ready")
        if _answers(port, health_path):
            return
        time.sleep(0.002)
    raise StartFailed(f"not ready after {limit:g} s")


def _answers(port: int, health_path: str | None) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if health_path is None:
                return True
            request = f"GET {health_path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"
            connection.sendall(request.encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process started by `spawn`: ask with SIGTERM, insist after 5 s."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tree(pid: int) -> Iterator[int]:
    """The process and its living descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:  # a thread that ended meanwhile
            continue
        for child in found:
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far, in seconds."""
    return sum(map(_process_cpu, tree(pid)))


def _process_cpu(pid: int) -> float:
    try:
        # Linux numbers the CPU clock of process p as (~p << 3) | 2 (clock_getcpuclockid(3)): nanoseconds, where
        # /proc/<pid>/stat has ticks of 10 ms.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_bytes(pid: int) -> int:
    """Resident memory of the tree, in bytes."""
    total = 0
    for each in tree(pid):
        try:
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            continue
    return total


class StolenTime:
    """How much of the machine's processor time a hypervisor gave to others since this was made."""

    def __init__(self) -> None:
        self._begin = self._read()

    @staticmethod
    def _read() -> list[int]:
        return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]

    def percent(self) -> float:
        """Stolen time in percent of all."""
        passed = [now - then for now, then in zip(self._read(), self._begin, strict=True)]
        return passed[7] / sum(passed) * 100 if sum(passed) else 0.0
