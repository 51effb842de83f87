"""Flows in memory."""

from __future__ import annotations

from strowger.dialects.base import Loss
from strowger.flows.flow import Flow, summary
from strowger.flows.recorder import Recorder


def flow(number: int) -> Flow:
    return Flow(id=f"flow_{number}", started=1.0, clock=0.0, method="POST", path="/v1/messages", dialect="anthropic")


def test_only_the_last_flows_are_kept_newest_first() -> None:
    """Memory is bounded."""
    recorder = Recorder(keep=2)
    for number in range(4):
        recorder.begin(flow(number))
    assert [kept.id for kept in recorder.latest(10)] == ["flow_3", "flow_2"]
    assert [kept.id for kept in recorder.latest(1)] == ["flow_3"]
    assert recorder.get("flow_0") is None


def test_counts_follow_outcomes() -> None:
    """Cancelled is not failed."""
    told: list[str] = []
    recorder = Recorder(keep=9, listeners=(lambda finished: told.append(finished.id),))
    for number, outcome in enumerate(("ok", "failed", "cancelled")):
        one = flow(number)
        recorder.begin(one)
        one.outcome = outcome  # type: ignore[assignment]
        recorder.finish(one)
    assert (recorder.calls, recorder.failed, recorder.cancelled, recorder.running) == (3, 1, 1, 0)
    assert told == ["flow_0", "flow_1", "flow_2"]


def test_a_recorder_may_keep_nothing() -> None:
    """`flows.keep = 0` is a wish for privacy, not an error."""
    recorder = Recorder(keep=0)
    one = flow(1)
    recorder.begin(one)
    recorder.finish(one)
    assert list(recorder.latest(5)) == []


def test_a_loss_is_listed_once() -> None:
    """A fallback loses the same things again."""
    one = flow(1)
    one.add_losses([Loss("a", "b")])
    one.add_losses((Loss("a", "b"), Loss("c", "d", "info")))
    assert [loss["path"] for loss in summary(one)["losses"]] == ["a", "c"]  # type: ignore[attr-defined]
