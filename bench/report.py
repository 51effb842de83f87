"""The figures of a run: kept by round, shown as medians with ratios to nginx of the same run, written as JSON."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.measures import Figures
from bench.subjects import Target

_RESULTS = Path(__file__).resolve().parent / "results"
_FLOOR = "nginx"
# (heading, figure, decimals, whether a ratio to nginx means something)
_COLUMNS = (
    ("req small µs", "small_us", 0, True),
    ("req 93 KB µs", "claude_us", 0, True),
    ("paced µs/event", "paced_us", 1, True),
    ("burst µs/event", "burst_us", 2, True),
    ("many % core", "many_cpu_percent", 0, True),
    ("many p50 ms", "many_p50_ms", 1, False),
    ("many p99 ms", "many_p99_ms", 1, False),
    ("first p50 ms", "first_p50_ms", 2, False),
    ("first p99 ms", "first_p99_ms", 2, False),
    ("idle MB", "idle_mb", 0, False),
    ("stream KB", "stream_kb", 0, False),
    ("ready ms", "ready_ms", 0, False),
    ("version ms", "version_ms", 0, False),
)


def transport(target: Target) -> str:
    """`plain` or `tls`."""
    return "tls" if target.ca else "plain"


class Results:
    """Figures by (subject, transport), one value a round; and what failed. `order` names the subjects as shown."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.figures: dict[tuple[str, str], dict[str, list[float]]] = {}
        self.failures: list[dict[str, str]] = []

    def add(self, subject: str, way: str, figures: Figures) -> None:
        """Keep the figures of one measure in one round."""
        kept = self.figures.setdefault((subject, way), {})
        for name, value in figures.items():
            kept.setdefault(name, []).append(value)

    def fail(self, subject: str, way: str, measure: str, why: str) -> None:
        """Keep a failure."""
        self.failures.append({"subject": subject, "transport": way, "measure": measure, "why": why})

    def ratio(self, key: tuple[str, str], name: str, to: str = _FLOOR) -> float | None:
        """How many times another subject's: the median of the ratios within each round, which noise moves least."""
        mine, floor = (self.figures.get(each, {}).get(name, []) for each in (key, (to, key[1])))
        return median(a / b for a, b in zip(mine, floor, strict=False) if b) if mine and any(floor) else None

    def middle(self, subject: str, way: str, name: str) -> float | None:
        """The median over the rounds."""
        values = self.figures.get((subject, way), {}).get(name)
        return median(values) if values else None


def _cell(results: Results, key: tuple[str, str], column: tuple[str, str, int, bool]) -> str:
    _, name, decimals, ratio = column
    value = results.middle(*key, name)
    if value is None:
        return "–"
    text = f"{value:.{decimals}f}"
    if name.startswith("first_") and key[0] != "direct":
        direct = results.middle("direct", key[1], name)
        return text if direct is None else f"{text} (+{value - direct:.2f})"
    times = results.ratio(key, name) if ratio and key[0] != _FLOOR else None
    return text if times is None else f"{text} ({times:.1f}×)"


def table(results: Results) -> str:
    """A Markdown table: medians, in brackets × nginx, or + what direct takes."""
    shown = [column for column in _COLUMNS if any(column[1] in figures for figures in results.figures.values())]
    rows = [["subject", "upstream", *(column[0] for column in shown)]]
    for way in ("plain", "tls"):
        for key in ((subject, way) for subject in results.order):
            if key in results.figures:
                rows.append([*key, *(_cell(results, key, column) for column in shown)])
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    failed = [
        f"failed: {each['subject']} ({each['transport']}) {each['measure']}: {each['why']}" for each in results.failures
    ]
    return "\n".join([*lines, *failed])


def save(results: Results, path: Path | None, settings: dict[str, Any]) -> Path:
    """Write everything as JSON; without a path, to bench/results/ under the time of day."""
    now = datetime.datetime.now(datetime.UTC)
    path = path or _RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "time": now.isoformat(),
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "settings": settings,
        "subjects": [
            {
                "name": subject,
                "transport": way,
                "median": {name: median(values) for name, values in figures.items()},
                "times_nginx": {
                    name: times
                    for name in figures
                    if subject != _FLOOR and (times := results.ratio((subject, way), name)) is not None
                },
                "rounds": figures,
            }
            for (subject, way), figures in results.figures.items()
        ],
        "failures": results.failures,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return path
