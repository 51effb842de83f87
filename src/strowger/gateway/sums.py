"""The part of the admin API that adds up: what was used, by what it has in common, and session by session.

GET usage     ?by=day,model&since=7d&until=…&where=<filter>: rows of sums (`flows.usage` says by what)
GET sessions  ?where=<filter>&limit=50: the sessions that were heard of last, each with its agents as a tree
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from strowger.errors import BadRequest, ErrorKind, GatewayError
from strowger.flows.archive import Archive, Value, Where
from strowger.flows.filters import Filter
from strowger.flows.query import parse
from strowger.flows.usage import Branch, plain, summed, trees
from strowger.gateway.history import Asked, History, filter_of, number_of

_MOST = 500
_MODEL = "COALESCE(NULLIF(response_model, ''), NULLIF(upstream_model, ''), model)"

_Models = Mapping[tuple[str, str], list[str]]


class Sums:
    """Reads sums from the store."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def usage(self, asked: Asked) -> dict[str, object]:
        """Rows, each with what it has in common and its sums. Raises BadRequest, GatewayError without a store."""
        archive = self._archive()
        by = [name.strip() for name in asked.get("by", "").split(",") if name.strip()]
        where = _since(asked)
        rows = await self._history.read(lambda: summed(archive, by, where))
        return {"by": by, "rows": [row.plain(by) for row in rows]}

    async def sessions(self, asked: Asked) -> dict[str, object]:
        """Sessions, the one that was heard of last first. Raises BadRequest, GatewayError without a store."""
        archive = self._archive()
        where, limit = _since(asked), min(number_of(asked, "limit", 50), _MOST)
        return {"sessions": await self._history.read(lambda: _sessions(archive, where, limit))}

    def _archive(self) -> Archive:
        if self._history.archive is None:
            raise GatewayError(
                "nothing is stored that could be added up",
                kind=ErrorKind.NOT_FOUND,
                hint="flows.store = true keeps calls",
            )
        return self._history.archive


class _Among(Struct, frozen=True):
    """Calls of these sessions that a filter lets pass."""

    sessions: tuple[str, ...]
    where: Where

    def sql(self) -> tuple[str, Sequence[Value]]:
        """Clause and parameters."""
        clause, values = self.where.sql()
        return f"session IN ({', '.join('?' * len(self.sessions))}) AND ({clause})", [*self.sessions, *values]


def _since(asked: Asked) -> Filter:
    """The filter of a call, within the time that it names. Raises BadRequest."""
    where = filter_of(asked)
    for name in ("since", "until"):
        if text := asked.get(name, ""):
            if any(sign in text for sign in " \"'"):
                raise BadRequest(f"{name}: expected one time", param=name, hint="such as 7d, 14:30 or 2026-11-21")
            where = where.also(parse(f"{name}:{text}"))
    return where


def _sessions(archive: Archive, where: Filter, limit: int) -> list[dict[str, object]]:
    clause, values = where.sql()
    recent = archive.select(
        "SELECT session, MAX(program), MAX(project), MIN(started), MAX(started) AS last FROM {flows}"  # noqa: S608 - a filter's own clause
        f" WHERE session != '' AND ({clause}) GROUP BY session ORDER BY last DESC LIMIT ?",
        [*values, limit],
    )
    if not recent:
        return []
    among = _Among(tuple(str(row[0]) for row in recent), where)
    found = {session: (usage, agents) for session, usage, agents in trees(summed(archive, ("session", "agent"), among))}
    models = _models(archive, among)
    told = []
    for session, program, project, started, last in recent:
        if session not in found:  # its first call is still running
            continue
        usage, agents = found[str(session)]
        branches = [_branch(str(session), agent, models) for agent in agents]
        of_all = [name for (owner, _), names in models.items() if owner == session for name in names]
        head = {"session": session, "program": program or "", "project": project or "", "models": _unique(of_all)}
        told.append({**head, **plain(usage), "first": started, "last": last, "agents": branches})
    return told


def _models(archive: Archive, among: Where) -> _Models:
    """The models that each agent of each session was answered by, the busiest first."""
    clause, values = among.sql()
    rows = archive.select(
        f"SELECT session, COALESCE(agent_id, ''), {_MODEL} AS answered FROM {{flows}} WHERE {clause}"  # noqa: S608 - a filter's own clause
        " GROUP BY 1, 2, 3 ORDER BY COUNT(*) DESC",
        values,
    )
    found: dict[tuple[str, str], list[str]] = {}
    for session, agent, model in rows:
        found.setdefault((str(session), str(agent)), []).append(str(model or ""))
    return found


def _branch(session: str, branch: Branch, models: _Models) -> dict[str, object]:
    """An agent: the sums of it and of all below it, its `own`, and whom it started."""
    agent = branch.row.by[1]
    return {
        "agent_id": agent,
        "agent_type": branch.row.agent_type,
        "models": _unique(models.get((session, agent or ""), [])),
        **plain(branch.usage),
        "own": plain(branch.row.usage),
        "children": [_branch(session, one, models) for one in branch.below],
    }


def _unique(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name]
