"""What is measured: each measure is one load on one running subject, and the figures that come of it.

CPU is user and system time of the subject's whole process tree during the load, divided by what was delivered.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from bench.load import Job, Seen
from bench.processes import cpu_seconds, resident_bytes
from bench.subjects import Running, Target

_ROOT = Path(__file__).resolve().parent.parent


class LoadFailed(Exception):
    """Not all that was asked for came back."""


class Scale(msgspec.Struct, frozen=True):
    """How much load. Times in seconds, rates in events a second of each stream."""

    seconds: float
    paced_streams: int
    paced_rate: int
    paced_events: int
    many_streams: int
    many_rate: int
    many_events: int
    light_requests: int
    warm_requests: int


FULL = Scale(1.0, 32, 100, 300, 500, 20, 160, 300, 100)
QUICK = Scale(0.3, 8, 100, 15, 50, 20, 20, 30, 10)
MATRIX = Scale(0.5, 16, 100, 60, 50, 20, 20, 30, 100)


class LoadProcess:
    """The load generator, a process that does one job at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def do(self, job: Job) -> Seen:
        """Have a job done. Raises LoadFailed unless every answer was whole."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LoadFailed("the load generator has ended")
        seen = msgspec.json.decode(line, type=Seen)
        if seen.failures or not seen.complete or seen.complete != seen.requests:
            raise LoadFailed(f"{seen.complete} of {seen.requests} answers whole; {'; '.join(seen.failures)}")
        return seen


@contextmanager
def _module(name: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A module of this package as a process that ends when its stdin closes."""
    command = [sys.executable, "-m", name, *arguments]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process, process.stdout


@contextmanager
def load_process() -> Iterator[LoadProcess]:
    """Start a load generator, and end it."""
    with _module("bench.load") as (process, _):
        yield LoadProcess(process)


@contextmanager
def upstream_process(certificate: tuple[Path, Path] | None) -> Iterator[list[Target]]:
    """Start the fake upstream, and end it: its plain target and, with a certificate, the one over TLS."""
    arguments = ["--cert", str(certificate[0]), "--key", str(certificate[1])] if certificate else []
    with _module("bench.upstream", *arguments) as (_, output):
        ports = msgspec.json.decode(output.readline(), type=dict[str, int])
        targets = [Target(ports["plain"], None)]
        if certificate:
            targets.append(Target(ports["tls"], str(certificate[0])))
        yield targets


Figures = dict[str, float]
Measure = Callable[[Running, LoadProcess, Scale], Figures]


def _job(subject: Running, **settings: object) -> Job:
    return msgspec.convert({"port": subject.port, "ca": subject.ca, "dialect": subject.client, **settings}, Job)


def _cpu_of(subject: Running, load: LoadProcess, job: Job) -> tuple[Seen, float | None]:
    """The load's figures, and the subject's CPU seconds (None for the direct way)."""
    if subject.pid is None:
        return load.do(job), None
    before = cpu_seconds(subject.pid)
    seen = load.do(job)
    return seen, cpu_seconds(subject.pid) - before


def _per(cpu: float | None, number: int, name: str) -> Figures:
    return {} if cpu is None else {name: cpu / number * 1e6}


def warm_up(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """Not a measure: fills pools and caches, and finds out whether the subject works at all."""
    load.do(_job(subject, events=3, requests=1, limit=20))
    load.do(_job(subject, body="claude", connections=8, requests=scale.warm_requests))
    load.do(_job(subject, connections=16, requests=scale.warm_requests))
    load.do(_job(subject, connections=4, requests=max(1, scale.warm_requests // 5), events=300))
    return {}


def idle_memory(subject: Running, _load: LoadProcess, _scale: Scale) -> Figures:
    """Memory as started, before any request."""
    return (
        {} if subject.pid is None else {"idle_mb": resident_bytes(subject.pid) / 1e6, "ready_ms": subject.ready * 1e3}
    )


def request_small(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """One-event streams, small body, 16 connections that ask again at once."""
    seen, cpu = _cpu_of(subject, load, _job(subject, connections=16, seconds=scale.seconds))
    return {"small_per_s": seen.requests / seen.wall, **_per(cpu, seen.requests, "small_us")}


def request_claude(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """One-event streams, 93 KB body, the next turn each time, 16 connections that ask again at once."""
    seen, cpu = _cpu_of(subject, load, _job(subject, body="turns", connections=16, seconds=scale.seconds))
    return {"claude_per_s": seen.requests / seen.wall, **_per(cpu, seen.requests, "claude_us")}


def paced(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """Streams that send an event at a time, each a wake-up of its own."""
    streams = scale.paced_streams
    job = _job(subject, connections=streams, requests=streams, events=scale.paced_events, rate=scale.paced_rate)
    seen, cpu = _cpu_of(subject, load, job)
    return {"paced_p50_ms": seen.latency_p50, "paced_p99_ms": seen.latency_p99, **_per(cpu, seen.events, "paced_us")}


def burst(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """Streams of 300 events sent all at once."""
    seen, cpu = _cpu_of(subject, load, _job(subject, connections=8, events=300, seconds=scale.seconds))
    return _per(cpu, seen.events, "burst_us")


def many_streams(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """Many slow streams at once: latency, share of a core, and memory of each open stream."""
    count = scale.many_streams
    job = _job(
        subject,
        connections=count,
        requests=count,
        events=scale.many_events,
        rate=scale.many_rate,
        ramp=1.0,
        body="claude",
    )
    if subject.pid is None:
        seen = load.do(job)
        return {"many_p50_ms": seen.latency_p50, "many_p99_ms": seen.latency_p99, "many_max_ms": seen.latency_max}
    pid = subject.pid
    idle = resident_bytes(pid)
    with _peak_memory(pid) as peak:
        seen, cpu = _cpu_of(subject, load, job)
    assert cpu is not None
    return {
        "many_p50_ms": seen.latency_p50,
        "many_p99_ms": seen.latency_p99,
        "many_max_ms": seen.latency_max,
        "many_cpu_percent": cpu / seen.wall * 100,
        "many_us": cpu / seen.events * 1e6,
        "stream_kb": max(0.0, (peak[0] - idle) / count / 1e3),
    }


@contextmanager
def _peak_memory(pid: int) -> Iterator[list[int]]:
    peak = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.25):
            peak[0] = max(peak[0], resident_bytes(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def first_byte(subject: Running, load: LoadProcess, scale: Scale) -> Figures:
    """Light load: one client, one request of 93 KB at a time, a pause between."""
    seen = load.do(_job(subject, body="claude", connections=1, requests=scale.light_requests, pause=0.003))
    return {"first_p50_ms": seen.first_byte_p50, "first_p99_ms": seen.first_byte_p99}


# In this order: memory before any request, the many streams while the heap is still young.
MEASURES: dict[str, Measure] = {
    "idle": idle_memory,
    "warm-up": warm_up,
    "many": many_streams,
    "first": first_byte,
    "small": request_small,
    "claude": request_claude,
    "paced": paced,
    "burst": burst,
}
ALWAYS = ("idle", "warm-up")
