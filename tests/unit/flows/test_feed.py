"""The live feed: everybody hears of everything, nobody holds anybody up, and who was too slow is told."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from strowger.errors import GatewayError
from strowger.flows.feed import WATCHERS, Feed, Meter, Watcher
from strowger.flows.flow import Flow
from strowger.ir.events import Usage

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


def a_flow(id: str = "flow_1", **more: object) -> Flow:
    """A call that has just been read."""
    flow = Flow(id=id, started=1000.0, clock=0.0, method="POST", path="/v1/messages", dialect="anthropic")
    for name, value in more.items():
        setattr(flow, name, value)
    return flow


def told(watcher: Watcher) -> list[tuple[str, object]]:
    """What a watcher has been told since it was last asked, without the rest of the summaries."""
    shown: list[tuple[str, object]] = []
    for item in watcher.take():
        data = msgspec.json.decode(item.data)
        shown.append((item.kind, (data["id"], data["outcome"]) if item.kind == "flow" else data))
    return shown


async def test_who_watches_hears_of_a_call_three_times() -> None:
    """When it has been read, when its answer begins, and when it is over."""
    feed = Feed()
    flow = a_flow()
    with feed.watch() as one, feed.watch() as other:
        feed.began(flow)
        feed.opened(flow)
        flow.outcome = "ok"
        feed.finished(flow)
        expected = [("flow", ("flow_1", "running"))] * 2 + [("flow", ("flow_1", "ok"))]
        assert told(one) == told(other) == expected
        assert told(one) == []


async def test_some_want_to_hear_of_some_calls() -> None:
    """A filter is asked about calls, and about nothing else."""
    feed = Feed()
    with feed.watch(wants=lambda told: told["model"] == "opus") as watcher:
        feed.began(a_flow("one", model="opus"))
        feed.began(a_flow("two", model="haiku"))
        feed.publish("quota", 1)
        assert told(watcher) == [("flow", ("one", "running")), ("quota", 1)]


async def test_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is written down, also not of calls that were under way when the last one left."""
    feed = Feed()
    with feed.watch():
        assert feed.watched == 1
    monkeypatch.setattr("strowger.flows.feed.summary", lambda _: pytest.fail("somebody wrote a summary"))
    feed.began(a_flow())
    feed.finished(a_flow())
    feed.publish("quota", object())  # what cannot be encoded is not looked at
    assert feed.watched == 0


async def test_who_is_slow_misses_the_oldest() -> None:
    """The queue is bounded; how many were missed is told first, and once."""
    feed = Feed(queue=3)
    with feed.watch() as slow, feed.watch() as quick:
        for number in range(5):
            feed.publish("quota", number)
            assert told(quick) == [("quota", number)]
        assert told(slow) == [("gap", {"missed": 2}), ("quota", 2), ("quota", 3), ("quota", 4)]
        feed.publish("quota", 5)
        assert told(slow) == [("quota", 5)]


async def test_waiting() -> None:
    """A watcher waits until something comes, and no longer when the gateway goes; who comes later leaves at once."""
    feed = Feed()
    with feed.watch() as watcher, anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.come)
            await anyio.wait_all_tasks_blocked()
            feed.publish("store", {})
        assert told(watcher) == [("store", {})]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.come)
            await anyio.wait_all_tasks_blocked()
            feed.finish()
        assert watcher.over
        with feed.watch() as late:
            await late.come()
            assert late.over


async def test_watchers_are_bounded() -> None:
    """Pages that were left open by the hundred do not slow the gateway down."""
    feed = Feed()
    opened = [feed.watch() for _ in range(WATCHERS)]
    for each in opened:
        each.__enter__()
    with pytest.raises(GatewayError, match="watch already") as refused, feed.watch():
        pass
    assert refused.value.hint
    opened[0].__exit__(None, None, None)
    with feed.watch():
        assert feed.watched == WATCHERS


def test_rates() -> None:
    """What came since the last reading, by the seconds since then; calls that stand still are not listed."""
    meter = Meter(10.0)
    still, moving = a_flow("still", stream=True), a_flow("moving", stream=True, events=20, response_bytes=400)
    first = meter.read((still, moving), 12.0)
    assert (first["bytes_per_second"], first["events_per_second"], first["tokens_per_second"]) == (200.0, 10.0, 10.0)
    assert first["flows"] == [{"id": "moving", "events": 20, "response_bytes": 400}]
    moving.events, moving.response_bytes = 30, 500
    meter.finished(moving)
    second = meter.read((still,), 13.0)
    assert (second["bytes_per_second"], second["events_per_second"], second["flows"]) == (100.0, 10.0, [])
    assert meter.read((still,), 14.0)["bytes_per_second"] == 0.0


def test_an_answer_that_comes_whole_counts_with_its_tokens() -> None:
    """There are no events to count then."""
    meter = Meter(0.0)
    meter.finished(a_flow(usage=Usage(input=5, output=40), response_bytes=10))
    assert meter.read((), 1.0)["tokens_per_second"] == 40.0


async def test_one_reading_for_all() -> None:
    """Several watchers ask for the rates of the same second; the first one takes them, for all."""
    now = [100.0]
    feed = Feed(lambda: now[0])
    flow = a_flow(stream=True, response_bytes=9000)
    with feed.watch((flow,)):  # what came before anybody watched did not come in this second
        flow.response_bytes += 50
        now[0] += 1.0
        rates = feed.rates((flow,), 0.9)
        assert rates is not None
        assert rates["bytes_per_second"] == 50.0
        assert feed.rates((flow,), 0.9) is None
        now[0] += 1.0
        assert feed.rates((flow,), 0.9) is not None
