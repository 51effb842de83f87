"""How much was used, and what it cost: sums over the calls of the store, by whatever they have in common.

Money and the value of what a plan has paid for are never added to each other. Must not know how sums are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import asdict, astuple

from strowger.errors import BadRequest
from strowger.flows.archive import Value, Where

# What calls are put together by, and the column or expression that says it.
_GROUPS: dict[str, str] = {
    "session": "session",
    "agent": "agent_id",
    "subagent": "CASE WHEN COALESCE(agent_id, '') != '' THEN COALESCE(NULLIF(agent_type, ''), 'unnamed') END",
    "project": "project",
    "model": "COALESCE(NULLIF(response_model, ''), NULLIF(upstream_model, ''), model)",
    "provider": "provider",
    "credential": "CASE WHEN provider != '' THEN provider || '/' || COALESCE(NULLIF(account, ''), 'default') END",
    "day": "day",
    "hour": "strftime('%Y-%m-%d %H:00', started, 'unixepoch', 'localtime')",
    "program": "program",
    "profile": "profile",
    "class": "request_class",
}
GROUPS = tuple(_GROUPS)
"""By what calls can be put together: `agent` is each agent of a session by its id, `subagent` each kind of them."""
PERIODS = ("day", "hour")
"""Those of them that go on in time, and are told in its order."""

_COUNTED = "(input IS NOT NULL OR output IS NOT NULL)"
_SUMS: dict[str, str] = {
    "calls": "COUNT(*)",
    "errors": "SUM(outcome IN ('failed', 'lost'))",
    "cancelled": "SUM(outcome = 'cancelled')",
    "stopped": "SUM(outcome = 'stopped')",
    "input": "TOTAL(input)",
    "cache_read": "TOTAL(cache_read)",
    "cache_write": "TOTAL(cache_write)",
    "output": "TOTAL(output)",
    "reasoning": "TOTAL(reasoning)",
    "billed_usd": "TOTAL(CASE WHEN billing != 'plan' THEN billed_usd END)",
    "plan_usd": "TOTAL(CASE WHEN billing = 'plan' THEN billed_usd END)",
    "unpriced": f"SUM(billed_usd IS NULL AND {_COUNTED})",
    "estimated": f"SUM(tokens_estimated AND {_COUNTED})",
    "first": "MIN(started)",
    "last": "MAX(started)",
}
# Agents that are each started by the one before.
_DEEPEST = 50
# Of an agent by its id: who started it, and what kind it is.
_OF_AGENTS = ("MAX(parent_agent_id)", "MAX(agent_type)")


class BadGroup(BadRequest):
    """Calls cannot be put together so."""

    exit_code = 2


class Usage(Struct, frozen=True):
    """Sums of some calls; those that a budget `stopped` are no errors. `input` is the whole prompt, of which
    `cache_read` and `cache_write` are parts.

    `billed_usd` is money, `plan_usd` the value of what a plan paid for, both by the price list. Calls that were counted
    but have no price are `unpriced`; the tokens of `estimated` ones are our count. `first` and `last` are Unix times.
    """

    calls: int = 0
    errors: int = 0
    cancelled: int = 0
    stopped: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    billed_usd: float = 0.0
    plan_usd: float = 0.0
    unpriced: int = 0
    estimated: int = 0
    first: float | None = None
    last: float | None = None

    @property
    def cache_rate(self) -> float | None:
        """The part of the prompts that came from a cache, 0 to 1."""
        return self.cache_read / self.input if self.input else None


_COUNTS = frozenset(Usage.__struct_fields__) - {"billed_usd", "plan_usd", "first", "last"}


class Row(Struct, frozen=True):
    """The usage of the calls that agree in what `by` names; None where calls have nothing there.

    Where agents were told apart, `parent_agent_id` started this one and `agent_type` is its kind.
    """

    by: tuple[str | None, ...]
    usage: Usage
    parent_agent_id: str | None = None
    agent_type: str = ""

    def plain(self, names: Sequence[str]) -> dict[str, object]:
        """As JSON data: the names with their values, then the sums."""
        told: dict[str, object] = dict(zip(names, self.by, strict=True))
        if "agent" in names:
            told |= {"parent_agent_id": self.parent_agent_id, "agent_type": self.agent_type}
        return told | plain(self.usage)


def plain(usage: Usage) -> dict[str, object]:
    """Sums as JSON data."""
    told: dict[str, object] = asdict(usage)
    for name in ("billed_usd", "plan_usd"):
        told[name] = round(getattr(usage, name), 8)
    rate = usage.cache_rate
    return told | {"cache_rate": None if rate is None else round(rate, 4)}


class Selecting(Protocol):
    """Where calls are kept: `flows/archive`."""

    def select(self, statement: str, values: Sequence[Value] = ()) -> Sequence[tuple[Value, ...]]:
        """Rows of a statement in which `{flows}` stands for the table of calls."""
        ...


def summed(archive: Selecting, by: Sequence[str] = (), where: Where | None = None) -> list[Row]:
    """Sums of all calls that are over, or of those that `where` chooses, by what they have in common.

    By day or hour in the order of time, else the dearest first. Raises BadGroup for a group that there is not,
    GatewayError when the store cannot be read.
    """
    unknown = [name for name in by if name not in _GROUPS]
    if unknown:
        raise BadGroup(f"calls cannot be put together by `{unknown[0]}`", hint=f"there are: {', '.join(GROUPS)}")
    clause, values = where.sql() if where is not None else ("1", ())
    agents = _OF_AGENTS if "agent" in by else ()
    columns = [*(f"{_GROUPS[name]} AS by_{name}" for name in by), *_SUMS.values(), *agents]
    grouped = f" GROUP BY {', '.join(f'by_{name}' for name in by)}" if by else ""
    statement = f"SELECT {', '.join(columns)} FROM {{flows}} WHERE outcome != 'running' AND ({clause}){grouped}"  # noqa: S608 - columns of ours, a filter's own clause
    rows = [_row(row, len(by)) for row in archive.select(statement, list(values)) if row[len(by)]]
    return sorted(rows, key=_order(by))


def _row(row: tuple[Value, ...], groups: int) -> Row:
    by = tuple(str(value) if value not in {None, ""} else None for value in row[:groups])
    sums: dict[str, object] = {}
    for name, value in zip(_SUMS, row[groups:], strict=False):
        sums[name] = int(float(value or 0)) if name in _COUNTS else value
    rest = row[groups + len(_SUMS) :]
    parent, kind = rest or (None, None)
    return Row(by, Usage(**sums), str(parent) if parent else None, str(kind or ""))  # type: ignore[arg-type]


def _order(by: Sequence[str]) -> Callable[[Row], tuple[object, ...]]:
    days = [place for place, name in enumerate(by) if name in PERIODS]

    def order(row: Row) -> tuple[object, ...]:
        usage = row.usage
        dearest = (-(usage.billed_usd + usage.plan_usd), -(usage.input + usage.output), -usage.calls)
        return (*(row.by[place] or "" for place in days), *dearest, *(name or "" for name in row.by))

    return order


def total(usages: Iterable[Usage]) -> Usage:
    """All of them together."""
    columns = list(zip(*map(astuple, usages), strict=True))
    if not columns:
        return Usage()
    *sums, firsts, lasts = columns
    first = min((moment for moment in firsts if moment is not None), default=None)
    last = max((moment for moment in lasts if moment is not None), default=None)
    return Usage(*(sum(column) for column in sums), first=first, last=last)  # type: ignore[misc]


# ---- sessions and their agents ----


class Branch(Struct, frozen=True):
    """An agent of a session: its own calls (`row`), those of all below it too (`usage`), and whom it started."""

    row: Row
    usage: Usage
    below: tuple[Branch, ...] = ()


def trees(rows: Sequence[Row]) -> Iterator[tuple[str | None, Usage, tuple[Branch, ...]]]:
    """Each session of sums by session and agent, the dearest first: its id, its sum, and its agents as a tree.

    The main agent has no id, and whoever names no parent was started by it.
    """
    sessions: dict[str | None, list[Row]] = {}
    for row in rows:
        sessions.setdefault(row.by[0], []).append(row)
    found = [(session, total(row.usage for row in of), _tree(of)) for session, of in sessions.items()]
    found.sort(key=lambda told: -(told[1].billed_usd + told[1].plan_usd))
    yield from found


def _tree(rows: list[Row]) -> tuple[Branch, ...]:
    parents = {row.by[1]: row.parent_agent_id for row in rows}
    below: dict[str | None, list[Row]] = {}
    for row in rows:
        if row.by[1] is not None:
            # A parent of whom there are no calls here, or a circle that somebody made up, hangs below the main agent.
            known = row.parent_agent_id in parents and not _in_circle(row, parents)
            below.setdefault(row.parent_agent_id if known else None, []).append(row)
    main = [row for row in rows if row.by[1] is None]
    if main:
        return (_branch(main[0], below),)
    return tuple(_branch(row, below) for row in below.get(None, ()))


def _in_circle(row: Row, parents: dict[str | None, str | None]) -> bool:
    """Whether it is its own ancestor, or has more of them than any client has: headers can say anything."""
    seen, at = {row.by[1]}, row.parent_agent_id
    while at is not None:
        if at in seen or len(seen) > _DEEPEST:
            return True
        seen.add(at)
        at = parents.get(at)
    return False


def _branch(row: Row, below: dict[str | None, list[Row]]) -> Branch:
    branches = tuple(_branch(one, below) for one in below.get(row.by[1], ()))
    whole = total((row.usage, *(one.usage for one in branches))) if branches else row.usage
    return Branch(row, whole, branches)
