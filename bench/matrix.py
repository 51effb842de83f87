"""All sixteen directions side by side: `python -m bench --matrix`.

Four gateways, one for each dialect of an upstream, are asked in all four dialects in turn, nginx beside them. What is
told are ratios within one run: to the translation from Anthropic to Chat, which the others are held against, and to
nginx.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack

from msgspec.structs import replace

from bench import script
from bench.measures import MEASURES, LoadFailed, LoadProcess, Scale
from bench.processes import StartFailed
from bench.report import Results, transport
from bench.subjects import Running, Subject, Target, running, strowger

_BASE = "anthropic → openai_chat"
_FLOOR = "nginx"
_MEASURES = ("claude", "burst", "paced")
# (heading, figure, decimals)
_COLUMNS = (("req 93 KB µs", "claude_us", 0), ("burst µs/event", "burst_us", 2), ("paced µs/event", "paced_us", 1))
_START_LIMIT = 60.0


def directions() -> list[str]:
    """Their names, the base first."""
    names = [f"{client} → {upstream}" for client in script.STREAMS for upstream in script.STREAMS]
    return sorted(names, key=lambda name: name != _BASE)


def run(
    floor: list[Subject], target: Target, load: LoadProcess, scale: Scale, rounds: int, say: Callable[[str], None]
) -> Results:
    """Measure everything `rounds` times, in a new order each time. `floor`: nginx, where there is one."""
    results = Results([*(subject.name for subject in floor), *directions()])
    gateways = [strowger(upstream, upstream) for upstream in script.STREAMS]
    with ExitStack() as stack:
        ways: dict[str, Running] = {}
        for subject in [*floor, *gateways]:
            try:
                started = stack.enter_context(running(subject, target, _START_LIMIT))
            except StartFailed as error:
                results.fail(subject.name, transport(target), "start", str(error))
                continue
            ways |= {subject.name: started} if subject in floor else _asked(started)
        names = list(ways)
        for measure in ("warm-up", *(measure for _ in range(rounds) for measure in _MEASURES)):
            say(f"  {measure}")
            random.shuffle(names)
            for name in list(names):
                try:
                    results.add(name, transport(target), MEASURES[measure](ways[name], load, scale))
                except LoadFailed as error:
                    results.fail(name, transport(target), measure, str(error))
                    names.remove(name)  # a round without a figure would be compared with the wrong one
    return results


def _asked(gateway: Running) -> dict[str, Running]:
    """A gateway as clients of each dialect see it."""
    return {f"{client} → {gateway.subject.name}": replace(gateway, client=client) for client in script.STREAMS}


def table(results: Results) -> str:
    """A Markdown table: medians, in brackets × the base and, where it was measured, × nginx."""
    way = "plain"
    lines = [
        f"In brackets: × {_BASE}, × nginx.",
        "",
        "| direction | " + " | ".join(heading for heading, _, _ in _COLUMNS) + " |",
        "|---|" + "---|" * len(_COLUMNS),
    ]
    for name in results.order:
        if (name, way) in results.figures:
            cells = [_cell(results, name, figure, decimals) for _, figure, decimals in _COLUMNS]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    failed = [f"failed: {each['subject']} {each['measure']}: {each['why']}" for each in results.failures]
    return "\n".join([*lines, *failed])


def _cell(results: Results, name: str, figure: str, decimals: int) -> str:
    key = (name, "plain")
    value = results.middle(*key, figure)
    if value is None:
        return "–"
    text = f"{value:.{decimals}f}"
    if name == _FLOOR:
        return text
    to_base, to_floor = (results.ratio(key, figure, other) for other in (_BASE, _FLOOR))
    ratios = [f"{times:.{places}f}×" for times, places in ((to_base, 2), (to_floor, 1)) if times is not None]
    return f"{text} ({', '.join(ratios)})" if ratios else text
