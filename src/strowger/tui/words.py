"""A call, a session and a limit in the few words of a cell. Pure; gives plain text, in which nothing is markup.

What every surface says of a call is `flows/words`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from strowger.flows.words import dollars, duration, goal, moment, money, plain, share, span
from strowger.tui.state import Call, Group, Tally

COLUMNS = ("", "WHEN", "MODEL", "WENT TO", "STATUS", "IN", "CACHED", "OUT", "COST", "TIME")

RIGHT = frozenset({"IN", "CACHED", "OUT", "COST", "TIME"})
"""Columns of numbers."""

# Said by a sign as well as by a colour: not everybody sees colours, and not every terminal has them.
SIGNS: Mapping[str, tuple[str, str]] = {
    "running": ("▶", "cyan"),
    "ok": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("◼", "yellow"),
    "stopped": ("$", "yellow"),
    "lost": ("?", "magenta"),
}

_BARS = " ▁▂▃▄▅▆▇█"


def cells(call: Call, progress: tuple[int, int], now: float) -> tuple[str, ...]:
    """A row of the table."""
    tokens = call.get("tokens") or {}
    running = call["outcome"] == "running"
    return (
        SIGNS.get(call["outcome"], ("·", ""))[0],
        moment(call.get("started"), now),
        plain(call.get("model") or call.get("path") or "-") + (" ⤷" if call.get("agent_id") else ""),
        plain(goal(call)) or "-",
        plain(f"{progress[0]} ev" if running and progress[0] else call.get("status") or "-"),
        amount(tokens.get("input")),
        share(tokens),
        amount(tokens.get("output")),
        dollars(call),
        span(1000 * max(0.0, now - call["started"]) if running else call.get("duration_ms") or 0),
    )


def amount(number: object) -> str:
    """A count in at most five signs."""
    if not isinstance(number, int | float):
        return "-"
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor * 0.9995:
            shown = number / factor
            return f"{shown:.0f}{unit}" if shown >= 100 else f"{shown:.1f}{unit}"
    return f"{number:.0f}"


def spent(tally: Tally) -> str:
    """Money, and in brackets the value of what plans have paid."""
    paid = money(tally.money) if tally.money or not tally.value else ""
    return " ".join(word for word in (paid, f"({money(tally.value)})" if tally.value else "") if word)


def branch(group: Group) -> str:
    """A session or an agent in the tree."""
    name = group.place.agent or group.place.session
    title = group.title or ("no session" if not name else "")
    tally = group.tally
    marks = f" ▶{tally.running}" if tally.running else ""
    marks += f" ✗{tally.failed}" if tally.failed else ""
    return plain(f"{title} {name[:8]}".strip()) + f"  {tally.calls}{marks}  {spent(tally)}"


def sparkline(values: list[float], width: int) -> str:
    """The last values as a row of bars."""
    shown = values[-width:] if width > 0 else []
    most = max(shown, default=0.0) or 1.0
    return "".join(_BARS[min(8, math.ceil(8 * value / most))] for value in shown)


def windows(known: Iterator[tuple[str, Mapping[str, Any]]], now: float) -> Iterator[str]:
    """Limits of accounts: how much of each is used, and when it begins anew."""
    for account, window in known:
        used = window.get("used_percent")
        resets = window.get("resets_at")
        if used is None and window.get("limit") and window.get("remaining") is not None:
            used = 100 * (1 - window["remaining"] / window["limit"])
        if used is None:
            continue
        again = f", anew in {duration(resets - now)}" if resets and resets > now else ""
        yield plain(f"{account} {window['name']} {used:.0f}% used{again}")
