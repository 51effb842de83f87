"""Budgets: who is warned, who is stopped, and that nothing is forgotten or counted twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from strowger.config.schema import Budget, Budgets
from strowger.errors import ErrorKind, OverBudget
from strowger.flows.archive import Archive
from strowger.flows.budgets import BudgetKeeper, today
from strowger.flows.flow import Flow
from strowger.flows.store import Store

NOW = time.time()


def call(
    name: str = "1",
    *,
    billed: float | None = None,
    session: str | None = "s1",
    billing: str = "metered",
    profile: str = "",
    launch: str = "",
    started: float = NOW,
) -> Flow:
    """A call; `billed` is what it came to."""
    flow = Flow(id=f"flow_{name}", started=started, clock=0.0, method="POST", path="/", dialect="anthropic")
    flow.session, flow.profile, flow.launch, flow.outcome = session, profile, launch, "ok"
    flow.billing, flow.billed = billing, billed  # type: ignore[assignment]
    return flow


def keeper(budgets: Budgets, archive: Archive | None = None) -> tuple[BudgetKeeper, list[Mapping[str, object]]]:
    """A keeper, and what it tells."""
    told: list[Mapping[str, object]] = []
    return BudgetKeeper(budgets, archive, tell=lambda _, fields: told.append(fields)), told


def allowed(budgets: BudgetKeeper, flow: Flow) -> bool:
    """Whether a call may pass."""
    try:
        anyio.run(budgets.allow, flow)
    except OverBudget:
        return False
    return True


SESSION = Budgets(session=Budget(warn=1, stop=2))


def test_a_session_is_warned_and_stopped() -> None:
    """From `warn` on answers say so, from `stop` on calls are refused; each is told once."""
    budgets, told = keeper(SESSION)
    first = call()
    assert allowed(budgets, first)
    assert first.budget == ""
    passing = call(billed=1.0)
    budgets.finished(passing)
    warned = call()
    assert allowed(budgets, warned)
    assert warned.budget == "session $1.00 of $2.00"
    budgets.finished(call(billed=0.5))
    budgets.finished(call(billed=0.5))
    assert not allowed(budgets, call())
    budgets.finished(call(billed=0.5))  # it had begun before
    assert [(fields["note"], fields["limit_usd"]) for fields in told] == [("is nearly used up", 1), ("is used up", 2)]
    assert passing.notes == ["the budget of the session is nearly used up: session $1.00 of $2.00"]


def test_another_session_goes_on() -> None:
    """A session that is over stops itself and nobody else."""
    budgets, _ = keeper(SESSION)
    budgets.finished(call(billed=5))
    assert not allowed(budgets, call())
    assert allowed(budgets, call(session="s2"))
    assert allowed(budgets, call(session=None))


def test_the_refusal_says_what_to_do() -> None:
    """It names the budget, the sum, and where to raise it, and no client shall ask again."""
    budgets, _ = keeper(SESSION)
    budgets.finished(call(billed=2.5))

    async def ask() -> None:
        with pytest.raises(OverBudget) as caught:
            await budgets.allow(call())
        error = caught.value
        assert error.kind is ErrorKind.QUOTA_EXHAUSTED
        assert error.message == "spend limit reached: this session has cost $2.50, and the budget is $2.00"
        assert "[budgets.session]" in (error.hint or "")
        assert error.retry_after is None

    anyio.run(ask)


def test_a_day_ends() -> None:
    """What was spent yesterday is not today's."""
    budgets, _ = keeper(Budgets(day=Budget(stop=1)))
    budgets.finished(call(billed=1, started=NOW - 86400))
    assert allowed(budgets, call())
    budgets.finished(call(billed=1, session="s2"))
    assert not allowed(budgets, call(session="s3"))


def test_a_profile_has_its_own_day() -> None:
    """Calls by one profile count for it, others do not; without a profile there is no such budget."""
    budgets, _ = keeper(Budgets(profile=Budget(stop=1)))
    budgets.finished(call(billed=1, profile="dear"))
    assert not allowed(budgets, call(session="s2", profile="dear"))
    assert allowed(budgets, call(profile="cheap"))
    assert allowed(budgets, call())


@pytest.mark.parametrize(
    "count_plan, billing, passes",
    [(False, "plan", True), (True, "plan", False), (True, "metered", False), (True, "free", True), (True, "", False)],
)
def test_what_counts(count_plan: bool, billing: str, passes: bool) -> None:
    """Money always counts, the value of a plan's traffic where that is wanted, what is free never."""
    budgets, _ = keeper(Budgets(session=Budget(stop=1), count_plan=count_plan))
    budgets.finished(call(billed=3, billing=billing))
    assert allowed(budgets, call()) is passes


def test_a_budget_of_nothing() -> None:
    """`stop = 0` lets nothing pass, and a call without a price counts as nothing."""
    closed, _ = keeper(Budgets(session=Budget(stop=0)))
    assert not allowed(closed, call())
    budgets, _ = keeper(SESSION)
    budgets.finished(call(billed=None))
    assert allowed(budgets, call())


def test_budgets_change_while_calls_run() -> None:
    """A raised budget lets the session go on, and a launch may have its own."""
    budgets, _ = keeper(SESSION)
    budgets.finished(call(billed=2))
    assert not allowed(budgets, call())
    budgets.adopt(Budgets(session=Budget(stop=3)), {"l1": SESSION})
    assert allowed(budgets, call())
    assert not allowed(budgets, call(launch="l1"))
    budgets.give("l1", None)
    assert allowed(budgets, call(launch="l1"))
    budgets.give("l1", SESSION)
    assert not allowed(budgets, call(launch="l1"))


# ---- with a store ----


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "flows.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A store that another gateway writes to."""
    there = Store(path, tell=lambda *_: None)
    yield there
    there.close()


def stored(store: Store, *flows: Flow) -> None:
    """Calls that are over are written."""
    for flow in flows:
        store.finished(flow)
    assert store.flush()


def test_a_restart_forgets_nothing(store: Store, path: Path) -> None:
    """A gateway begins with what the store has of the session and of the day."""
    stored(store, call("1", billed=1.5), call("2", billed=1, session="s2"), call("3", billed=9, billing="plan"))
    budgets, _ = keeper(Budgets(session=Budget(stop=1.5), day=Budget(stop=2.6)), Archive(path))
    assert not allowed(budgets, call("4"))
    fresh = call("5", session="s3")
    assert allowed(budgets, fresh)
    budgets.finished(call("6", billed=0.1, session="s3"))
    assert not allowed(budgets, call("7", session="s3"))


def test_no_store_yet(path: Path) -> None:
    """A store that is not there yet has nothing in it."""
    budgets, told = keeper(SESSION, Archive(path))
    assert allowed(budgets, call("1"))
    budgets.finished(call("1", billed=2))
    assert not allowed(budgets, call("2"))
    assert told[-1]["note"] == "is used up"


def test_what_others_spend_counts_and_our_own_does_once(store: Store, path: Path) -> None:
    """Other gateways of the same store are looked up while calls come; our own calls are in that store too."""
    waiting: list[Callable[[], Coroutine[Any, Any, None]]] = []
    now = [NOW]
    budgets = BudgetKeeper(
        Budgets(session=Budget(stop=10)),
        Archive(path),
        tell=lambda *_: None,
        spawn=waiting.append,
        clock=lambda: now[0],
    )

    async def run() -> None:
        await budgets.allow(call("0"))
        ours = call("1", billed=4)
        budgets.finished(ours)
        stored(store, ours, call("2", billed=3))
        await budgets.allow(call("3"))
        assert waiting == []  # not a moment after the last look
        now[0] += 5
        await budgets.allow(call("3"))
        assert len(waiting) == 1
        await waiting.pop()()
        (standing,) = budgets.standings(call("4"))
        assert standing.spent == 7
        now[0] += 5
        await budgets.allow(call("4"))
        await waiting.pop()()
        (standing,) = budgets.standings(call("5"))
        assert standing.spent == 7
        stored(store, call("6", billed=3))
        now[0] += 5
        await budgets.allow(call("7"))
        await waiting.pop()()
        with pytest.raises(OverBudget):
            await budgets.allow(call("8"))

    anyio.run(run)


def test_a_store_that_cannot_be_read_stops_nobody(store: Store, path: Path, tmp_path: Path) -> None:
    """Recording may fail, calls may not: that is told once, and when the store is back, what is in it counts too."""
    stored(store, call("1", billed=1.5))
    store.close()
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database, and it is long enough to be taken for one" * 40)
    waiting: list[Callable[[], Coroutine[Any, Any, None]]] = []
    told: list[Mapping[str, object]] = []
    now = [NOW]
    budgets = BudgetKeeper(
        SESSION, Archive(broken), tell=lambda _, fields: told.append(fields), spawn=waiting.append, clock=lambda: now[0]
    )

    async def run() -> None:
        await budgets.allow(call("2"))
        budgets.finished(call("2", billed=0.7))
        now[0] += 5
        await budgets.allow(call("3"))
        await waiting.pop()()
        assert [fields["note"] for fields in told] == ["what was spent before cannot be read"]
        await anyio.Path(path).rename(broken)
        now[0] += 5
        await budgets.allow(call("4"))
        await waiting.pop()()
        with pytest.raises(OverBudget, match=r"\$2\.20"):
            await budgets.allow(call("5"))

    anyio.run(run)


def test_the_store_is_read_ahead(path: Path) -> None:
    """A gateway with budgets begins to read as it starts; one without has nothing to read."""
    waiting: list[Callable[[], Coroutine[Any, Any, None]]] = []
    BudgetKeeper(Budgets(), Archive(path), tell=lambda *_: None, spawn=waiting.append).prepare()
    assert waiting == []
    BudgetKeeper(SESSION, Archive(path), tell=lambda *_: None, spawn=waiting.append).prepare()
    assert len(waiting) == 1
    anyio.run(waiting.pop())


def test_how_today_stands(store: Store, path: Path) -> None:
    """By the store alone: the day's budget and those of its profiles; what was before is not in it."""
    stored(
        store,
        call("1", billed=1, profile="work"),
        call("2", billed=2),
        call("3", billed=4, billing="plan", profile="work"),
        call("4", billed=8, started=NOW - 86400),
    )
    both = Budgets(day=Budget(stop=3), profile=Budget(warn=6), count_plan=False)
    told = [(one.budget, one.spent, one.is_over, one.is_near) for one in today(both, Archive(path), NOW)]
    assert told == [("day", 3, True, False), ("profile", 1, False, False)]
    (plan,) = today(Budgets(profile=Budget(warn=5), count_plan=True), Archive(path), NOW)
    assert (plan.of, plan.spent, plan.is_near) == ("work", 5, True)
    assert today(Budgets(session=Budget(stop=1)), Archive(path), NOW) == []
