"""A flow in words: for rows of a table, for lines that follow each other, for an overview. No I/O.

Reads the plain form of a flow as it comes from the store or out of a jq program; what is missing there is not told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from strowger.cli.render import count, duration, milliseconds, plain

Flow = Mapping[str, Any]

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
    for number, flow in enumerate(flows, 1):
        lines[number] = coloured(lines[number], flow)
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
        _number(tokens.get("input")),
        _share(tokens),
        _number(tokens.get("output")),
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
        cached = f" ({_share(tokens)} cached)" if tokens.get("cache_read") else ""
        words.append(f"{_number(tokens.get('input'))} in{cached}, {_number(tokens.get('output'))} out")
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


def goal(flow: Flow) -> str:
    """Who was asked last, and for which model."""
    if flow.get("provider"):
        account = f"/{flow['account']}" if flow.get("account") else ""
        return f"{flow['provider']}{account}:{flow.get('upstream_model') or '?'}"
    attempts = flow.get("attempts") or []
    return str(attempts[-1].get("target", "")) if attempts else ""


def status(flow: Flow) -> str:
    """`200`, or how else it ended."""
    number, outcome = flow.get("status"), flow.get("outcome")
    if outcome in (None, "ok"):
        return str(number or "-")
    return f"{outcome} {number}" if number else str(outcome)


def moment(started: object, now: float) -> str:
    """The time of day, with its date when that is not today's."""
    if not isinstance(started, int | float):
        return "-"
    then = time.localtime(started)
    today = then[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", then)


def took(flow: Flow) -> str:
    """How long, in few signs."""
    return "-" if flow.get("outcome") in ("running", "lost") else span(flow.get("duration_ms"))


def span(value: object) -> str:
    """Milliseconds, in few signs."""
    if not isinstance(value, int | float):
        return "-"
    if value < 1000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else duration(value / 1000)


def dollars(flow: Flow) -> str:
    """What it cost; what it would have, in brackets, where a plan has paid."""
    value = flow.get("billed_usd")
    if flow.get("billing") == "free":
        return "free"
    if not isinstance(value, int | float):
        return "-"
    text = f"${value:.2f}" if value >= 1 or value == 0 else f"${value:.4f}"
    return f"({text})" if flow.get("billing") == "plan" else text


def size(number: int) -> str:
    """Bytes in the unit that fits."""
    for unit, factor in (("MB", 1024 * 1024), ("kB", 1024)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _share(tokens: Mapping[str, Any]) -> str:
    whole, read = tokens.get("input"), tokens.get("cache_read")
    return f"{100 * read / whole:.0f}%" if whole and read is not None else "-"


def overview(flow: Flow, now: float | None) -> Iterator[tuple[str, str]]:
    """What is known of a call, as names and texts; several of the same name follow each other. Without `now` nothing
    says how long ago it was.
    """
    age = f", {duration(max(0.0, now - flow['started']))} ago" if flow.get("started") and now is not None else ""
    taken = "" if took(flow) == "-" else f", took {took(flow)}"
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(flow.get("started") or 0))
    yield "when", f"{began}{age}{taken}"
    yield "outcome", status(flow) + (f", {flow['finish']}" if flow.get("finish") else "")
    if flow.get("error"):
        yield "error", f"{flow['error']}" + (f" ({flow['error_kind']})" if flow.get("error_kind") else "")
    yield "client", _client(flow)
    if flow.get("session"):
        yield "session", str(flow["session"])
    if flow.get("agent_id"):
        parent = f", started by {flow['parent_agent_id']}" if flow.get("parent_agent_id") else ""
        yield "sub-agent", f"{flow.get('agent_type') or ''} {flow['agent_id']}{parent}".strip()
    if flow.get("project"):
        yield "project", str(flow["project"])
    stream = "stream" if flow.get("stream") else "at once"
    yield (
        "asked",
        f"{flow.get('model') or '-'} in {flow.get('dialect')}, {stream}, {size(flow.get('request_bytes') or 0)}",
    )
    yield "went", _went(flow)
    if flow.get("response_bytes") or flow.get("outcome") == "ok":  # of an error it is not counted
        yield "answer", f"{size(flow.get('response_bytes') or 0)}, {count(flow.get('events') or 0, 'event')}"
    if flow.get("tokens"):
        yield "tokens", _tokens(flow)
    if dollars(flow) != "-":
        yield "cost", _cost(flow)
    yield "times", _times(flow)
    yield from (("tried", _attempt(attempt)) for attempt in flow.get("attempts") or ())
    yield from (("lost", f"{loss['path']}: {loss['reason']} ({loss['severity']})") for loss in flow.get("losses") or ())
    yield from (("note", str(note)) for note in flow.get("notes") or ())
    if flow.get("upstream_request_id"):
        yield "provider's id", str(flow["upstream_request_id"])
    if flow.get("replay_of"):
        yield "repeats", str(flow["replay_of"])


def _client(flow: Flow) -> str:
    words = [str(flow.get("program") or "unknown")]
    words += [f"({flow['agent']})"] if flow.get("agent") else []
    words += [f"for {flow['request_class']}"] if flow.get("request_class") else []
    words += [f"profile {flow['profile']}"] if flow.get("profile") else []
    return " ".join(words)


def _went(flow: Flow) -> str:
    where = goal(flow) or "nowhere"
    how = ", ".join(
        word
        for word in (
            f"route {flow['route']}" if flow.get("route") else "",
            f"in {flow['upstream_dialect']}" if flow.get("upstream_dialect") else "",
            str(flow.get("lane") or ""),
            f"answered as {flow['response_model']}"
            if flow.get("response_model") not in (None, "", flow.get("upstream_model"))
            else "",
        )
        if word
    )
    return f"{where} ({how})" if how else where


def _tokens(flow: Flow) -> str:
    tokens = flow["tokens"]
    inside = [
        f"{_number(tokens[name])} {word}"
        for name, word in (("cache_read", "from the cache"), ("cache_write", "to the cache"))
        if tokens.get(name)
    ]
    text = f"{_number(tokens.get('input'))} in" + (f" ({', '.join(inside)})" if inside else "")
    text += f", {_number(tokens.get('output'))} out"
    text += f" ({_number(tokens['reasoning'])} thought)" if tokens.get("reasoning") else ""
    return text + (", estimated" if flow.get("tokens_estimated") else "")


def _cost(flow: Flow) -> str:
    value = flow.get("billed_usd")
    if value is None or flow.get("billing") == "free":
        return "free"
    says = {"plan": "paid by a plan: this is its value", "metered": "metered"}
    return f"${value:.6f}".rstrip("0").rstrip(".") + f" ({says.get(str(flow.get('billing')), 'unknown how')})"


def _times(flow: Flow) -> str:
    named = (
        ("sent after", "sent_ms"),
        ("provider's first byte after", "upstream_first_byte_ms"),
        ("first byte after", "first_byte_ms"),
        ("all after", "duration_ms"),
    )
    told = [f"{name} {milliseconds(flow[key])}" for name, key in named if flow.get(key) is not None]
    return ", ".join(told) or "-"


def _attempt(attempt: Mapping[str, Any]) -> str:
    words = [str(attempt.get("target", "?"))]
    words += [f"account {attempt['account']}"] if attempt.get("account") else []
    if not attempt.get("asked", True):
        words.append("passed over")
    elif attempt.get("status"):
        words.append(str(attempt["status"]))
    words += [str(attempt["reason"])] if attempt.get("reason") else []
    words += [f"waited {milliseconds(attempt['waited_ms'])}"] if attempt.get("waited_ms") else []
    words += [milliseconds(attempt["ms"])] if attempt.get("ms") else []
    words += [str(attempt["error"])] if attempt.get("error") else []
    return "  ".join(words)
