"""What it costs to record: gateways that keep everything beside gateways that keep nothing, in one run.

`python -m bench --recording` puts the same loads on both, on the lane of bytes and on a translation, and tells ratios
within each round. Requests are turns of conversations, no two alike, at a pace that an agent would think hurried and
the store keeps up with: what it drops costs nothing, so what was dropped is told too. What is left to be written when
the answers are there counts.
"""

from __future__ import annotations

import random
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from bench.load import Job
from bench.measures import QUICK as QUICK_LOADS
from bench.measures import LoadFailed, LoadProcess, warm_up
from bench.processes import StartFailed, cpu_seconds
from bench.report import Results, transport
from bench.subjects import Running, Subject, Target, running, strowger

_START_LIMIT = 60.0
_OFF = "\n[flows]\nstore = false\n[metrics]\nenabled = false\n"
_ON = "\n[metrics]\nopen = true\n"
_LANES = {"verbatim": "anthropic", "translated": "openai_chat"}
# Nothing is left to do when less than this was done, in seconds of the processor, in this many.
_REST, _LOOK = 0.002, 0.25
_LOOKS = 80


class Loads(msgspec.Struct, frozen=True):
    """How much: turns that are answered in a word, whole turns, paced streams, answers of 300 events at once."""

    turns: int = 400
    whole_turns: int = 48
    whole_events: int = 100
    paced_streams: int = 16
    paced_events: int = 300
    bursts: int = 120


FULL = Loads()
QUICK = Loads(turns=20, whole_turns=4, whole_events=10, paced_streams=2, paced_events=10, bursts=4)

# (heading, figure, decimals)
_COLUMNS = (
    ("request of 93 KB µs", "turn_us", 0),
    ("whole turn µs", "whole_us", 0),
    ("paced µs/event", "paced_us", 1),
    ("burst µs/event", "burst_us", 2),
)
# What is told for each request, however many events it was answered with.
_BY_REQUEST = ("turn_us", "whole_us")


def _jobs(loads: Loads) -> dict[str, Job]:
    """The load of each figure, without whom to ask."""
    streams = loads.paced_streams
    return {
        "turn_us": Job(0, body="turns", connections=4, requests=loads.turns, pause=0.01, limit=120),
        # As agents have them: a long conversation goes there, and some sentences come back as they are thought of.
        "whole_us": Job(
            0, body="turns", connections=16, requests=loads.whole_turns, events=loads.whole_events, rate=50, limit=120
        ),
        "paced_us": Job(
            0, body="small", connections=streams, requests=streams, events=loads.paced_events, rate=50, limit=120
        ),
        "burst_us": Job(0, connections=4, requests=loads.bursts, events=300, pause=0.02, limit=120),
    }


def subjects() -> list[Subject]:
    """Both lanes, with recording and without."""
    return [
        strowger(f"{lane}, {word}", dialect, more)
        for lane, dialect in _LANES.items()
        for word, more in (("off", _OFF), ("on", _ON))
    ]


def run(
    chosen: list[Subject], target: Target, load: LoadProcess, loads: Loads, rounds: int, say: Callable[[str], None]
) -> Results:
    """Measure everything `rounds` times, in a new order each time."""
    results = Results([subject.name for subject in chosen])
    way = transport(target)
    with ExitStack() as stack:
        alive: list[Running] = []
        for each in chosen:
            try:
                alive.append(stack.enter_context(running(each, target, _START_LIMIT)))
                warm_up(alive[-1], load, QUICK_LOADS)
            except (StartFailed, LoadFailed) as error:
                results.fail(each.name, way, "start", str(error))
                return results
        for number in range(rounds):
            for figure, job in _jobs(loads).items():
                say(f"  round {number + 1} of {rounds}: {figure}")
                for subject in random.sample(alive, len(alive)):
                    try:
                        by_request = figure in _BY_REQUEST
                        results.add(subject.subject.name, way, {figure: _measured(subject, load, job, by_request)})
                    except LoadFailed as error:
                        results.fail(subject.subject.name, way, figure, str(error))
        for subject in alive:
            if subject.subject.name.endswith("on"):
                results.add(subject.subject.name, way, {"dropped": dropped(subject.port)})
    return results


def _measured(subject: Running, load: LoadProcess, job: Job, by_request: bool) -> float:
    """Microseconds of the processor for each request, or for each event."""
    assert subject.pid is not None
    before = cpu_seconds(subject.pid)
    seen = load.do(msgspec.structs.replace(job, port=subject.port))
    return (_settled(subject.pid) - before) / (seen.requests if by_request else seen.events) * 1e6


def _settled(pid: int) -> float:
    """What a process has used when there is nothing left to do for it, in seconds of the processor."""
    used = cpu_seconds(pid)
    for _ in range(_LOOKS):
        time.sleep(_LOOK)
        before, used = used, cpu_seconds(pid)
        if used - before < _REST:
            break
    return used


def dropped(port: int) -> float:
    """How much was never written, as the gateway counts it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("strowger_observer_dropped"))


def table(results: Results) -> str:
    """A Markdown table: medians, and what recording adds, as the median of the ratios within the rounds."""
    lines = [
        "| | " + " | ".join(heading for heading, _, _ in _COLUMNS) + " | dropped |",
        "|---|" + "---|" * (len(_COLUMNS) + 1),
    ]
    for name in results.order:
        if (name, "plain") in results.figures:
            cells = [_cell(results, name, figure, decimals) for _, figure, decimals in _COLUMNS]
            dropped = results.middle(name, "plain", "dropped")
            lines.append(f"| {name} | {' | '.join(cells)} | {'–' if dropped is None else f'{dropped:.0f}'} |")
    failed = [f"failed: {each['subject']} {each['measure']}: {each['why']}" for each in results.failures]
    return "\n".join([*lines, *failed])


def _cell(results: Results, name: str, figure: str, decimals: int) -> str:
    value = results.middle(name, "plain", figure)
    if value is None:
        return "–"
    lane, _, word = name.rpartition(", ")
    times = results.ratio((name, "plain"), figure, f"{lane}, off") if word == "on" else None
    return f"{value:.{decimals}f}" + ("" if times is None else f" ({times - 1:+.0%})")
