"""Flows in memory."""

from __future__ import annotations

from strowger.dialects.base import Loss
from strowger.flows.flow import Flow, summary
from strowger.flows.recorder import Recorder


def flow(number: int) -> Flow:
    return Flow(id=f"flow_{number}", started=1.0, clock=0.0, method="POST", path="/v1/messages", dialect="anthropic")


class Told:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []

    def began(self, flow: Flow) -> None:
        self.words.append(("began", flow.id))

    def opened(self, flow: Flow) -> None:
        self.words.append(("opened", flow.id))

    def finished(self, flow: Flow) -> None:
        self.words.append(("finished", flow.id))


class Broken(Told):
    """A keeper with a bug."""

    def finished(self, flow: Flow) -> None:
        raise ZeroDivisionError(flow.id)


def test_a_keeper_that_breaks_stops_nobody() -> None:
    """Recording can fail without touching the call, and is told of."""
    after, told = Told(), list[str]()
    recorder = Recorder(keep=9, keepers=(Broken(), after), tell=lambda who, error: told.append(f"{who}: {error}"))
    one = flow(7)
    recorder.begin(one)
    recorder.began(one)
    recorder.opened(one)
    recorder.finish(one)
    assert after.words == [("began", "flow_7"), ("opened", "flow_7"), ("finished", "flow_7")]
    assert told == ["Broken: flow_7"]


def test_who_hears_of_an_end_has_heard_of_the_beginning() -> None:
    """Also of a call that nobody could make sense of: some count one and the other."""
    told = Told()
    recorder = Recorder(keep=9, keepers=(told,))
    one = flow(1)
    recorder.begin(one)
    assert told.words == []
    recorder.finish(one)
    assert told.words == [("began", "flow_1"), ("finished", "flow_1")]


def test_the_price_is_there_before_the_keepers_hear() -> None:
    """What they add up is what the call cost."""

    class Adding(Told):
        def finished(self, flow: Flow) -> None:
            self.words.append(("billed", str(flow.billed)))

    def price(flow: Flow) -> None:
        flow.billed = 0.5

    adding = Adding()
    recorder = Recorder(keep=1, keepers=(adding,), price=price)
    one = flow(1)
    recorder.begin(one)
    recorder.finish(one)
    assert adding.words[-1] == ("billed", "0.5")


def test_a_running_call_is_found_however_many_came_since() -> None:
    """It has not been told to anybody yet."""
    recorder = Recorder(keep=1)
    for number in range(3):
        recorder.begin(flow(number))
    assert recorder.get("flow_0") is not None
    assert [one.id for one in recorder.under_way()] == ["flow_0", "flow_1", "flow_2"]


def test_the_tape_is_let_go_with_the_end() -> None:
    """A flow that is kept in memory holds no bodies."""
    recorder = Recorder(keep=1, tape_limit=100)
    one = flow(1)
    recorder.begin(one)
    assert one.tape is not None
    recorder.finish(one)
    assert one.tape is None


def test_only_the_last_flows_are_kept_newest_first() -> None:
    """Memory is bounded."""
    recorder = Recorder(keep=2)
    for number in range(4):
        one = flow(number)
        recorder.begin(one)
        recorder.finish(one)
    assert [kept.id for kept in recorder.latest(10)] == ["flow_3", "flow_2"]
    assert [kept.id for kept in recorder.latest(1)] == ["flow_3"]
    assert recorder.get("flow_0") is None


def test_counts_follow_outcomes() -> None:
    """Cancelled is not failed."""
    told = Told()
    recorder = Recorder(keep=9, keepers=(told,))
    for number, outcome in enumerate(("ok", "failed", "cancelled")):
        one = flow(number)
        recorder.begin(one)
        one.outcome = outcome  # type: ignore[assignment]
        recorder.finish(one)
    assert (recorder.calls, recorder.failed, recorder.cancelled, recorder.running) == (3, 1, 1, 0)
    assert [word for word in told.words if word[0] == "finished"] == [("finished", f"flow_{n}") for n in range(3)]


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
