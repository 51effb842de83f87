"""Calls in rows of a table, and in lines that follow each other. No I/O.

Reads the plain form of a flow as it comes from the store or out of a jq program; what is missing there is not told.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from strowger.flows.words import Flow, count, dollars, goal, moment, number, plain, share, status, took

_SHOWN = 8
"""Characters of an id that tell the calls of one user apart."""
_NARROWEST = 10
"""Characters to which a column is cut before others are left out."""

HEADER = ("ID", "WHEN", "CLIENT", "MODEL", "WENT TO", "STATUS", "IN", "CACHED", "OUT", "COST", "TIME")
_RIGHT = frozenset({"IN", "CACHED", "OUT", "COST", "TIME"})
_CUT = ("WENT TO", "MODEL")
_OPTIONAL = ("CACHED", "CLIENT", "COST", "OUT", "WENT TO", "IN", "WHEN")
"""Columns that are left out where there is no room, in this order."""


def short(flow: Flow) -> str:
    """The beginning of its id."""
    return str(flow.get("id", "")).removeprefix("flow_")[:_SHOWN]


def rows(flows: Sequence[Flow], *, width: int | None, now: float) -> list[str]:
    """A table. `width` is that of the terminal, None where nobody counts."""
    cells = [HEADER, *(_row(flow, now) for flow in flows)]
    shown = list(range(len(HEADER)))
    widths = [max(len(row[column]) for row in cells) for column in shown]
    if width is not None:
        _fit(shown, widths, width)
    lines = []
    for row in cells:
        parts = [_cell(row[column], widths[column], HEADER[column] in _RIGHT) for column in shown]
        lines.append("  ".join(parts).rstrip())
    lines[0] = click.style(lines[0], dim=True)
    for place, flow in enumerate(flows, 1):
        lines[place] = coloured(lines[place], flow)
    return lines


def _fit(shown: list[int], widths: list[int], width: int) -> None:
    """Cut the wide columns, leave some out where that is not enough, and give back what is over then."""
    whole = list(widths)
    for name in _CUT:
        column = HEADER.index(name)
        over = max(0, _taken(shown, widths) - width)
        widths[column] = min(whole[column], max(_NARROWEST, widths[column] - over))
    for name in _OPTIONAL:
        if _taken(shown, widths) > width:
            shown.remove(HEADER.index(name))
    for name in reversed(_CUT):
        column = HEADER.index(name)
        if column in shown:
            widths[column] += max(0, min(whole[column] - widths[column], width - _taken(shown, widths)))


def _taken(shown: list[int], widths: list[int]) -> int:
    return sum(widths[column] for column in shown) + 2 * (len(shown) - 1)


def _cell(text: str, width: int, right: bool) -> str:
    if len(text) > width:
        return text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)


def _row(flow: Flow, now: float) -> tuple[str, ...]:
    tokens = flow.get("tokens") or {}
    cells = (
        short(flow),
        moment(flow.get("started"), now),
        flow.get("program") or "-",
        (flow.get("model") or flow.get("path") or "-") + (" (sub-agent)" if flow.get("agent_id") else ""),
        goal(flow) or "-",
        status(flow),
        number(tokens.get("input")),
        share(tokens),
        number(tokens.get("output")),
        dollars(flow),
        took(flow),
    )
    return tuple(plain(str(cell)) for cell in cells)


def line(flow: Flow) -> str:
    """What happened in one line, for those that come one after another."""
    tokens = flow.get("tokens") or {}
    asked = flow.get("model") or flow.get("path") or "-"
    went = goal(flow)
    words = [
        time.strftime("%H:%M:%S", time.localtime(flow.get("started") or 0)),
        short(flow),
        f"{flow.get('program') or '-'}",
        f"{asked}{' (sub-agent)' if flow.get('agent_id') else ''}" + (f" → {went}" if went else ""),
        status(flow),
    ]
    if flow.get("outcome") == "running":
        return plain("  ".join(words))
    words.append(took(flow))
    if "input" in tokens or "output" in tokens:
        cached = f" ({share(tokens)} cached)" if tokens.get("cache_read") else ""
        words.append(f"{number(tokens.get('input'))} in{cached}, {number(tokens.get('output'))} out")
    if flow.get("billed_usd") is not None:
        words.append(dollars(flow))
    if lost := sum(loss.get("severity") != "info" for loss in flow.get("losses") or ()):
        words.append(count(lost, "loss", "losses"))
    if flow.get("error"):
        words.append(str(flow["error"]))
    return plain("  ".join(words))


def coloured(text: str, flow: Flow) -> str:
    """Failures in red, what is under way dim; the words say it too."""
    if flow.get("outcome") in ("failed", "lost"):
        return click.style(text, fg="red")
    return click.style(text, dim=True) if flow.get("outcome") in ("running", "cancelled", "stopped") else text
