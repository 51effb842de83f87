"""A call, a session and a limit in the few words of a cell. Pure; gives plain text, in which nothing is markup."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

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


def plain(text: object) -> str:
    """Without control characters: part of it was written by others."""
    return "".join(sign if sign.isprintable() else " " for sign in str(text))


def cells(call: Call, progress: tuple[int, int], now: float) -> tuple[str, ...]:
    """A row of the table."""
    tokens = call.get("tokens") or {}
    running = call["outcome"] == "running"
    return (
        SIGNS.get(call["outcome"], ("·", ""))[0],
        clock(call.get("started")),
        plain(call.get("model") or call.get("path") or "-") + (" ⤷" if call.get("agent_id") else ""),
        plain(target(call)) or "-",
        plain(f"{progress[0]} ev" if running and progress[0] else call.get("status") or "-"),
        amount(tokens.get("input")),
        share(tokens),
        amount(tokens.get("output")),
        cost(call),
        seconds(now - call["started"]) if running else seconds((call.get("duration_ms") or 0) / 1000),
    )


def target(call: Call) -> str:
    """Where it went, or where it was tried."""
    account = f"/{call['account']}" if call.get("account") else ""
    if call.get("provider"):
        return f"{call['provider']}{account}:{call.get('upstream_model') or '?'}"
    attempts = call.get("attempts") or ()
    return str(attempts[-1].get("target", "")) if attempts else ""


def clock(moment: object) -> str:
    """The time of day."""
    return time.strftime("%H:%M:%S", time.localtime(moment)) if isinstance(moment, int | float) else "-"


def amount(number: object) -> str:
    """A count in at most five signs."""
    if not isinstance(number, int | float):
        return "-"
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor * 0.9995:
            shown = number / factor
            return f"{shown:.0f}{unit}" if shown >= 100 else f"{shown:.1f}{unit}"
    return f"{number:.0f}"


def share(tokens: Mapping[str, Any]) -> str:
    """What part of a prompt was read from a cache."""
    whole, read = tokens.get("input"), tokens.get("cache_read")
    return f"{100 * read / whole:.0f}%" if whole and read is not None else "-"


def dollars(value: float) -> str:
    """Money."""
    return f"${value:.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def cost(call: Call) -> str:
    """What a call cost; in brackets what it would have, where a plan has paid."""
    if call.get("billing") == "free":
        return "free"
    value = call.get("billed_usd")
    if not isinstance(value, int | float):
        return "-"
    return f"({dollars(value)})" if call.get("billing") == "plan" else dollars(value)


def spent(tally: Tally) -> str:
    """Money, and in brackets the value of what plans have paid."""
    money = dollars(tally.money) if tally.money or not tally.value else ""
    return " ".join(word for word in (money, f"({dollars(tally.value)})" if tally.value else "") if word)


def seconds(value: float) -> str:
    """How long, in few signs."""
    if value < 1:
        return f"{max(0.0, value) * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{value // 60:.0f}m {value % 60:02.0f}s"
    if value < 86400:
        return f"{value // 3600:.0f}h {value % 3600 // 60:02.0f}m"
    return f"{value // 86400:.0f}d {value % 86400 // 3600:02.0f}h"


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
        again = f", anew in {seconds(resets - now)}" if resets and resets > now else ""
        yield plain(f"{account} {window['name']} {used:.0f}% used{again}")


def overview(call: Call) -> Iterator[tuple[str, str]]:
    """What is known of a call, as names and texts."""
    yield "id", str(call["id"])
    status = call.get("status") or ""
    yield "outcome", " ".join(str(word) for word in (call["outcome"], status, call.get("finish") or "") if word)
    if call.get("error"):
        yield "error", f"{call['error']} ({call.get('error_kind')})"
    yield "client", " ".join(str(word) for word in (call.get("program"), call.get("agent")) if word)
    for name, key in (
        ("session", "session"),
        ("agent", "agent_id"),
        ("class", "request_class"),
        ("project", "project"),
    ):
        if call.get(key):
            yield name, str(call[key])
    yield "asked", f"{call.get('model') or '-'} in {call['dialect']}" + (", as a stream" if call.get("stream") else "")
    if call.get("provider"):
        yield "went", f"{target(call)} in {call['upstream_dialect']}, {call['lane']} (route {call['route']})"
    for attempt in call.get("attempts") or ():
        if attempt.get("error"):
            yield "tried", f"{attempt['target']}: {attempt['error']}"
    tokens = call.get("tokens") or {}
    if tokens:
        yield "tokens", ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in tokens.items())
    yield "cost", cost(call)
    times = (("asked after", "sent_ms"), ("first byte", "first_byte_ms"), ("all", "duration_ms"))
    told = [f"{name} {call[key]:,.0f} ms" for name, key in times if call.get(key)]
    if told:
        yield "times", ", ".join(told)
    for loss in call.get("losses") or ():
        yield "lost", f"{loss['path']}: {loss['reason']} ({loss['severity']})"
    for note in call.get("notes") or ():
        yield "note", str(note)
