"""Whether a gateway that records stays as it is, however long: `python -m bench --calls 100000`.

Short requests and turns of ever new conversations, as fast as they are answered. After each twentieth of them the
memory of the process and the size of what it has written are looked at. The store is given little room, so that it has
to let go of old calls most of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.load import Job
from bench.measures import QUICK, LoadProcess, warm_up
from bench.processes import cpu_seconds, resident_bytes
from bench.recording import dropped
from bench.subjects import Target, running, strowger

STORE_MB = 64
_START_LIMIT = 60.0
_LOOKS = 20
_CONFIG = f"\n[flows]\nmax_mb = {STORE_MB}\n[metrics]\nopen = true\n"
# One of so many is a turn of a conversation of 93 KB, the others are short.
_TURNS = 10
_SESSIONS = 8


class Look(msgspec.Struct, frozen=True):
    """After so many `calls`: megabytes of memory, of the store with its side files, and of all else that was written;
    microseconds of the processor for each call since the look before; what the store had dropped by then.
    """

    calls: int
    memory: float
    store: float
    others: float
    call_us: float
    dropped: int


def run(target: Target, load: LoadProcess, calls: int, say: Callable[[str], None]) -> list[Look]:
    """Make the calls, and look. Raises LoadFailed and StartFailed."""
    looks: list[Look] = []
    share = max(_TURNS, calls // _LOOKS)
    with running(strowger("endurance", "anthropic", _CONFIG), target, _START_LIMIT) as subject:
        assert subject.pid is not None
        assert subject.directory is not None
        warm_up(subject, load, QUICK)
        made = 0
        while made < calls:
            used = cpu_seconds(subject.pid)
            turns = share // _TURNS
            job = Job(subject.port, connections=16, requests=share - turns, limit=600)
            load.do(job)
            first = 1000 + len(looks) * _SESSIONS
            load.do(msgspec.structs.replace(job, body="turns", connections=_SESSIONS, requests=turns, session=first))
            made += share
            used = cpu_seconds(subject.pid) - used
            store, others = _written(subject.directory)
            memory = resident_bytes(subject.pid) / 1e6
            looks.append(Look(made, memory, store, others, used / share * 1e6, int(dropped(subject.port))))
            say(f"  {made} calls: {memory:.0f} MB of memory, {store:.0f} MB of store")
    return looks


def _written(directory: Path) -> tuple[float, float]:
    """Megabytes of the store and of everything else."""
    sizes = {file: file.stat().st_size / 1e6 for file in (directory / "xdg_state_home").rglob("*") if file.is_file()}
    store = sum(size for file, size in sizes.items() if file.name.startswith("flows.db"))
    return store, sum(sizes.values()) - store


def table(looks: list[Look]) -> str:
    """A Markdown table of some of the looks, and in a line what it comes to."""
    lines = ["| calls | memory MB | store MB | other files MB | CPU of a call µs |", "|---|---|---|---|---|"]
    some = [look for number, look in enumerate(looks, 1) if number in (1, 2, len(looks)) or number % 4 == 0]
    lines += [
        f"| {look.calls:,} | {look.memory:.0f} | {look.store:.0f} | {look.others:.0f} | {look.call_us:.0f} |"
        for look in some
    ]
    half = looks[len(looks) // 2]
    lines.append(
        f"Memory since half of the calls: {looks[-1].memory - half.memory:+.1f} MB; "
        f"the store was allowed {STORE_MB} MB, and dropped {looks[-1].dropped:,}."
    )
    return "\n".join(lines)


def bounded(looks: list[Look]) -> bool:
    """Whether neither memory nor the store have grown beyond what they should."""
    half = looks[len(looks) // 2]
    # SQLite's side file is let go of in steps; memory has the noise of an allocator.
    return looks[-1].memory < half.memory * 1.05 + 5 and max(look.store for look in looks) < STORE_MB * 1.25 + 8
