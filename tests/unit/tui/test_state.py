"""What the events of gateways add up to."""

from __future__ import annotations

from typing import Any

from strowger.tui.state import Place, State


def call(number: int, **facts: Any) -> dict[str, Any]:
    base = {"id": f"flow_{number}", "started": float(number), "session": "s", "outcome": "ok", "program": "claude"}
    return base | facts


def heard(*calls: dict[str, Any], most: int = 100) -> State:
    state = State(most)
    for each in calls:
        state.heard("one", "flow", each)
    return state


def ids(state: State, place: Place | None = None, *, errors: bool = False) -> list[str]:
    return [each["id"] for each in state.calls(place, errors=errors)]


def test_running_calls_come_first_then_the_newest() -> None:
    """What happens now is on top."""
    assert ids(heard(call(1), call(2, outcome="running"), call(3))) == ["flow_2", "flow_3", "flow_1"]


def test_an_older_word_does_not_take_an_end_back() -> None:
    """The first page may be read while a call ends."""
    state = heard(call(1), call(1, outcome="running"))
    assert state.call("flow_1") == call(1)


def test_memory_is_bounded_and_running_calls_stay() -> None:
    """The oldest that are over go."""
    state = heard(call(0, outcome="running"), *(call(number) for number in range(1, 9)), most=3)
    assert ids(state) == ["flow_0", "flow_8", "flow_7"]


def test_sessions_have_their_agents_below_them() -> None:
    """And what those cost is part of what the session costs; plans are counted apart."""
    state = heard(
        call(1, session="a", billed_usd=1.0, project="/home/me/shop/"),
        call(2, session="a", agent_id="x", agent_type="Explore", billed_usd=0.5, billing="plan"),
        call(3, session="b", outcome="failed"),
        call(4, session=None),
    )
    last, second, first = state.groups()
    assert (last.place.session, second.tally.failed) == ("", 1)
    assert (first.title, first.tally.calls, first.tally.money, first.tally.value) == ("claude shop", 2, 1.0, 0.5)
    (agent,) = first.agents
    assert (agent.title, agent.place, agent.tally.value) == ("Explore", Place("a", "x"), 0.5)
    assert ids(state, Place("a")) == ["flow_2", "flow_1"]
    assert ids(state, Place("a", "x")) == ["flow_2"]
    assert ids(state, errors=True) == ["flow_3"]


def test_a_gateway_that_is_gone_takes_its_running_calls_along() -> None:
    """Those of others run on."""
    state = heard(call(1, outcome="running"))
    state.heard("two", "flow", call(2, outcome="running"))
    state.heard("one", "pulse", {"running": 1, "tokens_per_second": 5.0})
    state.heard("two", "pulse", {"running": 1, "tokens_per_second": 2.0, "flows": [{"id": "flow_2", "events": 3}]})
    assert (state.pulse().running, state.pulse().tokens_per_second) == (2, 7.0)
    state.gone("one")
    assert [(each["id"], each["outcome"]) for each in state.calls()] == [("flow_2", "running"), ("flow_1", "lost")]
    assert state.pulse().running == 1
    assert (state.progress("flow_2"), state.progress("flow_1")) == ((3, 0), (0, 0))


def test_a_second_without_news_is_a_second_too() -> None:
    """The line of rates goes on."""
    state = heard()
    state.heard("one", "pulse", {"tokens_per_second": 9.0})
    state.tick()
    state.gone("one")
    state.tick()
    assert list(state.rates)[-2:] == [9.0, 0.0]


def test_the_same_again_is_no_news() -> None:
    """A monitor that nothing happens on draws nothing; what runs gets older, and bars move on to the end."""
    state = heard(call(1))
    kinds: dict[str, dict[str, Any]] = {
        "pulse": {"at": 1.0, "running": 0, "calls": 1, "flows": []},
        "quota": {"accounts": []},
        "store": {"flows": 7},
    }
    for kind, data in kinds.items():
        state.heard("one", kind, data)
    before = state.version
    for kind, data in kinds.items():
        state.heard("one", kind, {**data, "at": 2.0} if kind == "pulse" else dict(data))
    state.tick()
    assert state.version == before
    state.heard("one", "pulse", {**kinds["pulse"], "tokens_per_second": 3.0})
    state.tick()
    assert state.version == before + 2
    state.heard("one", "flow", call(2, outcome="running"))
    state.tick()
    assert state.version == before + 4


def test_limits_are_told_once() -> None:
    """Several gateways know the same account."""
    state = State()
    window = {"name": "5h", "used_percent": 50.0}
    for gateway in ("one", "two"):
        quota = {"accounts": [{"provider": "codex", "account": "work", "windows": [window]}]}
        state.heard(gateway, "quota", quota)
    assert list(state.windows()) == [("codex/work", window)]


def test_what_is_not_known_is_passed_over() -> None:
    """It is of a newer gateway."""
    state = State()
    state.heard("one", "weather", {"sun": True})
    assert state.version == 0


def test_troubles_are_sentences() -> None:
    """Never silent."""
    state = State()
    state.heard("one", "store", {"problem": "the disk is full", "bodies_dropped": 2, "flows_dropped": 1})
    state.heard("one", "gap", {"missed": 1200})
    assert list(state.troubles()) == [
        "the store of calls: the disk is full",
        "the store could not keep up: 3 were dropped",
        "1,200 changes went by too fast to be shown",
    ]
