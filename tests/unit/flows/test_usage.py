"""Sums over calls: what is put together by what, and that nothing is added to what it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strowger.errors import BadRequest
from strowger.flows.archive import Archive
from strowger.flows.flow import Attempt, Flow
from strowger.flows.query import parse
from strowger.flows.store import Store
from strowger.flows.usage import GROUPS, PERIODS, Row, Usage, plain, summed, total, trees
from strowger.ir.events import Usage as Tokens

NOON = 1_790_000_000.0


def call(name: str, tokens: Tokens | None = None, **fields: object) -> Flow:
    """A call that is over."""
    flow = Flow(id=f"flow_{name}", started=NOON, clock=0.0, method="POST", path="/", dialect="anthropic")
    flow.provider, flow.upstream_model, flow.outcome, flow.billing = "anthropic", "opus", "ok", "metered"
    flow.usage = tokens or Tokens(input=100, output=10, cache_read=60, cache_write=20, reasoning=4)
    flow.billed = 0.5
    for field, value in fields.items():
        setattr(flow, field, value)
    return flow


Fill = Callable[..., Archive]


@pytest.fixture
def fill(tmp_path: Path) -> Iterator[Fill]:
    """Makes an archive of calls."""
    store = Store(tmp_path / "flows.db", tell=lambda *_: None)

    def made(*flows: Flow) -> Archive:
        for flow in flows:
            if flow.outcome == "running":
                store.opened(flow)
            else:
                store.finished(flow)
        assert store.flush()
        return Archive(tmp_path / "flows.db")

    yield made
    store.close()


def by(rows: list[Row]) -> dict[tuple[str | None, ...], Usage]:
    """The sums of each group."""
    return {row.by: row.usage for row in rows}


def test_everything_together(fill: Fill) -> None:
    """Without groups there is one row; calls under way are not in it."""
    archive = fill(
        call("1"),
        call("2", outcome="failed", usage=Tokens(), billed=None),
        call("3", outcome="cancelled", usage=Tokens(input=50), billed=None),
        call("4", outcome="running"),
        call("5", usage=Tokens(input=7, output=1, estimated=True), billed=None),
        call("6", outcome="stopped", usage=Tokens(), billed=None),
    )
    (row,) = summed(archive)
    assert row.by == ()
    assert plain(row.usage) == {
        "calls": 5,
        "errors": 1,
        "cancelled": 1,
        "stopped": 1,
        "input": 157,
        "cache_read": 60,
        "cache_write": 20,
        "output": 11,
        "reasoning": 4,
        "billed_usd": 0.5,
        "plan_usd": 0.0,
        "unpriced": 2,
        "estimated": 1,
        "first": NOON,
        "last": NOON,
        "cache_rate": round(60 / 157, 4),
    }


def test_money_and_plan_are_apart(fill: Fill) -> None:
    """The value of what a plan paid for is no money, and what is free is nothing."""
    archive = fill(
        call("1"), call("2", billing="plan", billed=2.0), call("3", billing="free", billed=0.0, provider="ollama")
    )
    (row,) = summed(archive)
    assert (row.usage.billed_usd, row.usage.plan_usd, row.usage.unpriced) == (0.5, 2.0, 0)


def test_each_group(fill: Fill) -> None:
    """What calls are put together by is what was recorded of them; the model is the one that answered."""
    archive = fill(
        call(
            "1",
            session="s1",
            agent_id="a1",
            agent_type="Explore",
            project="/home/me/p",
            response_model="opus-2",
            agent="claude-cli/2",
            profile="work",
            request_class="main",
            attempts=[Attempt("anthropic:opus", "verbatim", 200, account="second")],
        )
    )
    names = (
        "session",
        "agent",
        "subagent",
        "project",
        "model",
        "provider",
        "credential",
        "program",
        "profile",
        "class",
    )
    (row,) = summed(archive, names)
    assert row.by == (
        *("s1", "a1", "Explore", "/home/me/p", "opus-2", "anthropic", "anthropic/second", "claude", "work", "main"),
    )
    assert row.plain(names)["agent_type"] == "Explore"
    assert set(names) | set(PERIODS) == set(GROUPS)


def test_what_is_missing_has_no_name(fill: Fill) -> None:
    """Calls that have nothing there are a group of their own."""
    archive = fill(call("1"), call("2", session="s1"))
    assert {key: one.calls for key, one in by(summed(archive, ("session",))).items()} == {(None,): 1, ("s1",): 1}
    assert by(summed(archive, ("credential", "subagent"))).keys() == {("anthropic/default", None)}


def test_days_in_order_and_the_dearest_first(fill: Fill) -> None:
    """Days go from the first to the last; anything else begins with what cost most."""
    archive = fill(
        call("1", upstream_model="cheap", billed=0.1),
        call("2", upstream_model="dear", billed=5.0),
        call("3", upstream_model="cheap", started=NOON + 86400 * 2),
    )
    assert [row.by[0] for row in summed(archive, ("model",))] == ["dear", "cheap"]
    days = [row.by for row in summed(archive, ("day", "model"))]
    assert days == sorted(days, key=lambda key: str(key[0]))
    assert [key[1] for key in days] == ["dear", "cheap", "cheap"]


def test_hours_of_the_clock_here(fill: Fill) -> None:
    """As the day is; a day's hours are what a chart of today is made of."""
    noon = time.mktime((2026, 9, 21, 12, 0, 0, 0, 0, -1))
    archive = fill(*(call(str(number), started=noon + number * 1800) for number in range(4)))
    assert [(row.by, row.usage.calls) for row in summed(archive, ("hour",))] == [
        (("2026-09-21 12:00",), 2),
        (("2026-09-21 13:00",), 2),
    ]
    assert [row.by for row in summed(archive, ("day",))] == [("2026-09-21",)]


def test_only_what_is_chosen(fill: Fill) -> None:
    """A filter is one of the language in which flows are chosen."""
    archive = fill(call("1", session="s1"), call("2", session="s2", started=NOON - 7200))
    assert by(summed(archive, ("session",), parse("session:s1"))).keys() == {("s1",)}
    assert by(summed(archive, ("session",), parse("since:1h", now=NOON + 60))).keys() == {("s1",)}
    assert summed(archive, ("session",), parse("session:none")) == []


def test_an_unknown_group_is_refused(fill: Fill) -> None:
    """A name that there is not is an error that lists those there are."""
    with pytest.raises(BadRequest) as caught:
        summed(fill(), ("sessions",))
    assert "session" in (caught.value.hint or "")


def test_no_store_is_no_usage(tmp_path: Path) -> None:
    """A store that is not there has no calls in it."""
    assert summed(Archive(tmp_path / "none.db"), ("day",)) == []
    assert total([]) == Usage()


def test_agents_hang_below_who_started_them(fill: Fill) -> None:
    """The main agent has no id; a nested agent names its parent; a session's sum is that of all of them."""
    archive = fill(
        call("1", session="s1"),
        call("2", session="s1", agent_id="a1", agent_type="Explore"),
        call("3", session="s1", agent_id="a2", parent_agent_id="a1", agent_type="Plan"),
        call("4", session="s1", agent_id="a2", parent_agent_id="a1"),
        call("5", session="s1", agent_id="a3", parent_agent_id="gone"),
        call("6", session="s2", agent_id="b1"),
    )
    (first, whole, (main,)), (second, _, others) = trees(summed(archive, ("session", "agent")))
    assert (first, whole.calls, whole.billed_usd) == ("s1", 5, 2.5)
    assert (main.row.by, main.row.usage.calls, main.usage.calls) == (("s1", None), 1, 5)
    assert sorted(str(one.row.by[1]) for one in main.below) == ["a1", "a3"]
    explore = next(one for one in main.below if one.row.by[1] == "a1")
    assert (explore.row.agent_type, explore.row.usage.calls, explore.usage.calls) == ("Explore", 1, 3)
    assert [(one.row.by[1], one.row.agent_type, one.usage.calls) for one in explore.below] == [("a2", "Plan", 2)]
    assert (second, [one.row.by[1] for one in others]) == ("s2", ["b1"])


def test_agents_in_a_circle_are_not_lost(fill: Fill) -> None:
    """Parents are what clients say: two that name each other are both shown."""
    archive = fill(
        call("1", session="s", agent_id="a", parent_agent_id="b"),
        call("2", session="s", agent_id="b", parent_agent_id="a"),
        call("3", session="s", agent_id="c", parent_agent_id="c"),
    )
    ((_, whole, branches),) = trees(summed(archive, ("session", "agent")))
    assert whole.calls == sum(branch.usage.calls for branch in branches) == 3


def test_a_chain_without_end_is_cut() -> None:
    """Whoever names thousands of agents, each started by the one before, makes no tree that nobody can walk."""
    rows = [Row(("s", f"a{n}"), Usage(calls=1), f"a{n - 1}" if n else None) for n in range(3000)]
    ((_, whole, branches),) = trees(rows)
    assert whole.calls == sum(branch.usage.calls for branch in branches) == 3000
