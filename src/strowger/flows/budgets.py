"""Budgets: what sessions, days and profiles have cost so far, who is warned, and who is stopped.

The sums begin with what the store has, so that a restart forgets nothing, and take in what other gateways write to the
same store. A call that has begun is never cut off: whoever is over asks in vain from the next call on. Must not know
prices, servers, or how a client is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import anyio
import anyio.to_thread
from msgspec import Struct

from strowger.config.schema import Budget, Budgets
from strowger.errors import GatewayError, OverBudget
from strowger.flows.archive import Value
from strowger.flows.flow import Flow
from strowger.flows.usage import Selecting

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], object]
"""Starts a task that outlives the call it was started in."""
Tell = Callable[[str, Mapping[str, object]], None]

# How often what others have spent is looked up, in seconds, while calls come.
_LOOK_SECONDS = 2.0
# Ids of calls of our own that have not been seen in the store yet: more are there only while it cannot write.
_MOST_UNSEEN = 50_000
_SEED = """
SELECT session, profile, day, billing, TOTAL(billed_usd) FROM {flows}
WHERE change <= ? AND outcome != 'running' AND billing IN ('metered', 'plan') AND billed_usd > 0
GROUP BY session, profile, day, billing
"""
_SINCE = """
SELECT id, session, profile, day, billing, billed_usd FROM {flows}
WHERE change > ? AND change <= ? AND outcome != 'running' AND billing IN ('metered', 'plan') AND billed_usd > 0
"""
_TODAY = """
SELECT profile, billing, TOTAL(billed_usd) FROM {flows}
WHERE day = ? AND started > ? AND outcome != 'running' AND billing IN ('metered', 'plan') AND billed_usd > 0
GROUP BY profile, billing
"""
_MARK = "SELECT value FROM numbers WHERE name = 'change'"


class Spent(Struct):
    """What was spent on one thing, in US dollars: money, and the value of what a plan paid for."""

    money: float = 0.0
    plan: float = 0.0

    def counted(self, *, plan: bool) -> float:
        """What counts of it."""
        return self.money + self.plan if plan else self.money


class Standing(Struct, frozen=True):
    """How a budget stands: `of` names the session, the day or the profile; amounts are US dollars."""

    budget: str
    of: str
    spent: float
    warn: float | None
    stop: float | None

    @property
    def is_over(self) -> bool:
        """Whether calls are refused."""
        return self.stop is not None and self.spent >= self.stop

    @property
    def is_near(self) -> bool:
        """Whether the user is to be warned."""
        return self.warn is not None and self.spent >= self.warn

    @property
    def amounts(self) -> str:
        """What was spent of what there is."""
        limit = self.stop if self.stop is not None else self.warn
        return f"{dollars(self.spent)} of {dollars(limit or 0.0)}"

    def __str__(self) -> str:
        return f"{self.budget} {self.amounts}"


class BudgetKeeper:
    """Adds up what calls cost, and says no. One for each gateway; all of it runs on the loop."""

    def __init__(
        self,
        budgets: Budgets,
        archive: Selecting | None,
        *,
        tell: Tell,
        spawn: Spawn | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`archive` is None where nothing is stored: then only this process counts. `spawn` is for looking up what
        others have spent; without it nobody does.
        """
        self._budgets = budgets
        self._launches: dict[str, Budgets] = {}
        self._archive = archive
        self._tell = tell
        self._spawn = spawn
        self._clock = clock
        self._spent: dict[tuple[str, str], Spent] = {}
        self._unseen: dict[str, None] = {}
        self._mark: int | None = None
        self._lock = anyio.Lock()
        self._looked = 0.0
        self._looking = False
        self.stopped = 0
        """Calls that were refused."""

    # ---- the configuration ----

    def adopt(self, budgets: Budgets, launches: Mapping[str, Budgets]) -> None:
        """Go on with other budgets: for everybody, and for launches that have their own."""
        self._budgets = budgets
        self._launches = dict(launches)

    def give(self, launch: str, budgets: Budgets | None) -> None:
        """A launch has budgets of its own now, or everybody's again."""
        if budgets is None:
            self._launches.pop(launch, None)
        else:
            self._launches[launch] = budgets

    # ---- calls ----

    async def allow(self, flow: Flow) -> None:
        """Let a call pass, or raise OverBudget. It is told in the flow where one of its budgets is nearly used up."""
        budgets = self._launches.get(flow.launch, self._budgets)
        if not _wanted(budgets):
            return
        if self._archive is not None:
            if self._mark is None:
                await self._seed()
            elif self._spawn is not None and not self._looking and self._clock() - self._looked >= _LOOK_SECONDS:
                self._looking = True
                self._spawn(self._look)
        standings = list(self.standings(flow, budgets))
        over = next((one for one in standings if one.is_over), None)
        if over is not None:
            self.stopped += 1
            raise _refusal(over)
        near = [str(one) for one in standings if one.is_near]
        if near:
            flow.budget = ", ".join(near)

    def standings(self, flow: Flow, budgets: Budgets | None = None) -> Iterator[Standing]:
        """How the budgets that a call counts for stand."""
        budgets = budgets or self._launches.get(flow.launch, self._budgets)
        for name, key in _keys(flow.session, flow.profile, _day(flow.started)):
            budget: Budget = getattr(budgets, name)
            if budget.warn is not None or budget.stop is not None:
                spent = self._spent.get((name, key))
                amount = spent.counted(plan=budgets.count_plan) if spent is not None else 0.0
                yield Standing(name, key.partition("\n")[0], amount, budget.warn, budget.stop)

    def prepare(self) -> None:
        """Have the store read ahead of the first call, where there is a budget."""
        if self._archive is not None and self._spawn is not None and _wanted(self._budgets):
            self._spawn(self._seed)

    def began(self, flow: Flow) -> None:
        """Nothing yet."""

    def opened(self, flow: Flow) -> None:
        """Nothing yet."""

    def finished(self, flow: Flow) -> None:
        """Add what a call cost; tell once when that passes a limit."""
        if not flow.billed or flow.billing == "free" or not self._counts():
            return
        if self._archive is not None and len(self._unseen) < _MOST_UNSEEN:
            self._unseen[flow.id] = None
        budgets = self._launches.get(flow.launch, self._budgets)
        before = list(self.standings(flow, budgets))
        self._add(flow.session, flow.profile, _day(flow.started), flow.billing, flow.billed)
        for was, now in zip(before, self.standings(flow, budgets), strict=True):
            if now.is_over and not was.is_over:
                self._passed(flow, now, "is used up", now.stop)
            elif now.is_near and not was.is_near:
                self._passed(flow, now, "is nearly used up", now.warn)

    def _counts(self) -> bool:
        """Whether anybody wants to know. Before the store has been read once, a call will be found there."""
        if self._archive is not None:
            return self._mark is not None
        return any(map(_wanted, (self._budgets, *self._launches.values())))

    def _passed(self, flow: Flow, standing: Standing, what: str, limit: float | None) -> None:
        flow.notes.append(f"the budget of the {standing.budget} {what}: {standing}")
        self._tell(
            "budget",
            {
                "budget": standing.budget,
                "of": standing.of,
                "note": what,
                "spent_usd": round(standing.spent, 6),
                "limit_usd": limit,
                "flow": flow.id,
            },
        )

    def _add(self, session: str | None, profile: str, day: str, billing: str, amount: float) -> None:
        for key in _keys(session, profile, day):
            spent = self._spent.setdefault(key, Spent())
            if billing == "plan":
                spent.plan += amount
            else:
                spent.money += amount

    # ---- the store ----

    async def _seed(self) -> None:
        """Begin with what the store has. Calls wait for it, once."""
        async with self._lock:
            if self._mark is not None:
                return
            try:
                mark, rows = await anyio.to_thread.run_sync(self._read_all)
            except GatewayError as error:
                # A store that cannot be read must not stop calls; all that is in it is taken in when it can be.
                self._tell("budget", {"note": "what was spent before cannot be read", "error": error.message})
                mark, rows = 0, ()
            for session, profile, day, billing, amount in rows:
                self._add(_text(session), _text(profile) or "", str(day), str(billing), float(amount or 0.0))
            self._mark, self._looked = mark, self._clock()

    async def _look(self) -> None:
        """Take in what was written since: by other gateways, as ours has been counted."""
        try:
            assert self._mark is not None
            mark, rows = await anyio.to_thread.run_sync(self._read_since, self._mark)
            for flow_id, session, profile, day, billing, amount in rows:
                if str(flow_id) in self._unseen:
                    del self._unseen[str(flow_id)]
                else:
                    self._add(_text(session), _text(profile) or "", str(day), str(billing), float(amount or 0.0))
            self._mark = mark
        except GatewayError:
            pass  # the store tells of its troubles itself, and the next look reads from the same mark on
        finally:
            self._looking = False
            self._looked = self._clock()

    def _read_all(self) -> tuple[int, Sequence[tuple[Value, ...]]]:
        assert self._archive is not None
        mark = self._now()
        return mark, self._archive.select(_SEED, [mark])

    def _read_since(self, mark: int) -> tuple[int, Sequence[tuple[Value, ...]]]:
        assert self._archive is not None
        now = self._now()
        if now < mark:  # the file was moved aside, and another was begun
            mark = 0
        return now, self._archive.select(_SINCE, [mark, now])

    def _now(self) -> int:
        assert self._archive is not None
        rows = self._archive.select(_MARK)
        return int(str(rows[0][0])) if rows else 0


def today(budgets: Budgets, archive: Selecting, now: float) -> list[Standing]:
    """How the budgets of the day and of its profiles stand by the store alone. Raises GatewayError."""
    day = _day(now)
    spent: dict[str, Spent] = {"": Spent()}
    for profile, billing, amount in archive.select(_TODAY, [day, now - 2 * 86400]):
        for name in {"", _text(profile) or ""}:
            one = spent.setdefault(name, Spent())
            one.plan += float(amount or 0.0) if billing == "plan" else 0.0
            one.money += float(amount or 0.0) if billing != "plan" else 0.0
    found = []
    for name, one in sorted(spent.items()):
        budget = budgets.profile if name else budgets.day
        if budget.warn is not None or budget.stop is not None:
            counted = one.counted(plan=budgets.count_plan)
            found.append(Standing("profile" if name else "day", name or day, counted, budget.warn, budget.stop))
    return found


def _wanted(budgets: Budgets) -> bool:
    return any(one.warn is not None or one.stop is not None for one in (budgets.session, budgets.day, budgets.profile))


def _keys(session: str | None, profile: str, day: str) -> Iterator[tuple[str, str]]:
    """What a call counts for. A profile's budget is for a day, a session's for all of it."""
    if session:
        yield "session", session
    yield "day", day
    if profile:
        yield "profile", f"{profile}\n{day}"


def _day(moment: float) -> str:
    return _day_of_minute(int(moment // 60))


@lru_cache(maxsize=64)
def _day_of_minute(minute: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(minute * 60))


def _text(value: Value) -> str | None:
    return str(value) if value else None


def dollars(amount: float) -> str:
    """An amount as people write it."""
    return f"${amount:,.2f}" if amount >= 0.01 or not amount else f"${amount:.2g}"


_NAMES = {"session": "this session", "day": "today", "profile": "the profile"}


def _refusal(standing: Standing) -> OverBudget:
    who = f"{_NAMES[standing.budget]} {standing.of}" if standing.budget == "profile" else _NAMES[standing.budget]
    spent = f"{who} has cost {dollars(standing.spent)}" + (" today" if standing.budget == "profile" else "")
    return OverBudget(
        f"spend limit reached: {spent}, and the budget is {dollars(standing.stop or 0.0)}",
        hint=f"raise `stop` under [budgets.{standing.budget}] in the configuration; a running gateway follows it",
    )
