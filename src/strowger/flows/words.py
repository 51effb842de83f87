"""A call in words: where it went, how it ended, what it cost, and all that is known of it. Pure; for every surface.

Reads the plain form of a flow as it comes from the store, from a gateway or out of a jq program; what is missing there
is not told. Must not know tables, colours or screens.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

Flow = Mapping[str, Any]


def plain(text: object) -> str:
    """A text of somebody else's as a terminal may show it: signs that would steer it are none that are meant."""
    told = str(text)
    if told.isprintable():
        return told
    return "".join(
        sign if sign.isprintable() else " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}" for sign in told
    )


def duration(seconds: float) -> str:
    """A time span in its two largest units: `3d 4h`, `12m 5s`, `7s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def milliseconds(value: float | None) -> str:
    """Milliseconds with one decimal where that says something."""
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 call`, `2 calls`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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
    return f"({money(value)})" if flow.get("billing") == "plan" else money(value)


def money(value: float) -> str:
    """US dollars."""
    return f"${value:.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def size(number: int) -> str:
    """Bytes in the unit that fits."""
    for unit, factor in (("MB", 1024 * 1024), ("kB", 1024)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def number(value: object) -> str:
    """A count, where there is one."""
    return f"{value:,}" if isinstance(value, int) else "-"


def share(tokens: Mapping[str, Any]) -> str:
    """What part of a prompt was read from a cache."""
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
    if flow.get("response_bytes") or flow.get("outcome") == "ok":
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
        f"{number(tokens[name])} {word}"
        for name, word in (("cache_read", "from the cache"), ("cache_write", "to the cache"))
        if tokens.get(name)
    ]
    text = f"{number(tokens.get('input'))} in" + (f" ({', '.join(inside)})" if inside else "")
    text += f", {number(tokens.get('output'))} out"
    text += f" ({number(tokens['reasoning'])} thought)" if tokens.get("reasoning") else ""
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
    known = [name for name in named if flow.get(name[1]) is not None]
    if flow.get("outcome") in ("running", "lost"):  # nobody knows how long it takes
        known = [name for name in known if name[1] != "duration_ms"]
    told = [f"{name} {milliseconds(flow[key])}" for name, key in known]
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
