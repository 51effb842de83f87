"""What is counted of calls."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt, Flow
from strowger.ir.events import Usage
from strowger.telemetry import families
from strowger.telemetry.metrics import Metrics, field_of, trace_id
from strowger.telemetry.tallies import Family, Labels, Observed

NUMBERS = itertools.count()
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def call(**members: Any) -> Flow:
    fixed: dict[str, Any] = {
        "id": f"flow_{next(NUMBERS)}", "started": 1.0, "clock": 0.0, "method": "POST", "path": "/v1/messages",
        "dialect": "anthropic", "agent": "claude-cli/2", "model": "sonnet", "route": "r",
    }  # fmt: skip
    return Flow(**{**fixed, **members})


def answered(**members: Any) -> Flow:
    good: dict[str, Any] = {
        "provider": "groq", "upstream_model": "gpt-oss", "upstream_dialect": "openai_chat", "lane": "translate",
        "outcome": "ok", "status": 200, "duration": 3.0, "sent": 0.002, "first_byte": 1.0, "events": 21, "stream": True,
        "attempts": [Attempt("groq:gpt-oss", "translate", 200)],
    }  # fmt: skip
    return call(**{**good, **members})


def counted(family: Family, *calls: Flow) -> dict[Labels, float]:
    metrics = Metrics()
    for each in calls:
        metrics.began(each)
        metrics.finished(each)
    return next(values for found, values in metrics.snapshot().counters if found is family)


def observed(family: Family, *calls: Flow) -> dict[Labels, Observed]:
    metrics = Metrics()
    for each in calls:
        metrics.finished(each)
    found = next(values for of, values in metrics.snapshot().histograms if of is family)
    return {labels: cell for labels, cell in found.items() if sum(cell.counts)}


def test_a_call_is_counted_by_who_asked_what_of_whom() -> None:
    """And by how it ended: a failure has its kind, also under a status of success."""
    assert counted(
        families.REQUESTS,
        answered(),
        answered(response_model="gpt-oss-120b"),
        answered(outcome="failed", error_kind="upstream"),
        call(outcome="failed", status=404, error_kind="unknown_model", model="nobody has it"),
        answered(),
    ) == {
        ("claude", "anthropic", "openai_chat", "groq", "gpt-oss", "r", "2xx", ""): 2,
        ("claude", "anthropic", "openai_chat", "groq", "gpt-oss-120b", "r", "2xx", ""): 1,
        ("claude", "anthropic", "openai_chat", "groq", "gpt-oss", "r", "2xx", "upstream"): 1,
        ("claude", "anthropic", "", "", "nobody has it", "r", "4xx", "unknown_model"): 1,
    }


def test_a_budget_makes_no_error() -> None:
    """What the user's own limit keeps from being asked is no fault of anybody's, and says nothing of times."""
    kept = call(outcome="stopped", status=429, error_kind="quota_exhausted")
    assert [labels[-2:] for labels in counted(families.REQUESTS, kept)] == [("stopped", "")]
    assert counted(families.INCOMPLETE, kept) == {}
    assert observed(families.DURATION, kept) == {}


def test_who_hangs_up_makes_no_error() -> None:
    """It is counted, by itself, and says nothing of how long calls take."""
    gone = answered(outcome="cancelled", status=0)
    assert [labels[-2:] for labels in counted(families.REQUESTS, gone)] == [("cancelled", "")]
    assert counted(families.CANCELLED, gone, answered()) == {("claude", "groq", "gpt-oss"): 1}
    assert counted(families.INCOMPLETE, gone) == {}
    assert observed(families.DURATION, gone) == {}
    assert observed(families.STREAM, gone) == {}


def test_a_stream_that_breaks_off_is_incomplete() -> None:
    """Not one that had not begun, and no whole answer."""
    broken = {"outcome": "failed", "error_kind": "upstream"}
    assert counted(
        families.INCOMPLETE, answered(**broken), answered(**broken, stream=False), call(**broken, stream=True)
    ) == {("groq", "gpt-oss", "upstream"): 1}


def test_every_token_is_counted_once() -> None:
    """The whole prompt includes what came from a cache, and the output the reasoning; their sum here is the truth."""
    usage = Usage(input=1000, output=300, cache_read=700, cache_write=200, reasoning=250)
    found = counted(families.TOKENS, answered(usage=usage), answered(usage=Usage(input=5)))
    assert {labels[-1]: value for labels, value in found.items()} == {
        "input": 105, "output": 50, "cache_read": 700, "cache_write": 200, "reasoning": 250,
    }  # fmt: skip
    assert sum(found.values()) == 1000 + 300 + 5


def test_money_and_the_value_of_a_plan_are_kept_apart() -> None:
    """By the model that answered; what has no price is counted, and what costs nobody anything is not."""
    usage = Usage(input=1, output=1)
    calls = (
        answered(usage=usage, billing="metered", billed=0.5, response_model="big"),
        answered(usage=usage, billing="metered", billed=0.25, response_model="big"),
        answered(usage=usage, billing="plan", billed=2.0),
        answered(usage=usage, billing="free", billed=0.0),
        answered(usage=usage, billing="metered"),
        answered(),
    )
    assert counted(families.COST, *calls) == {
        ("claude", "groq", "big", "billed"): 0.75,
        ("claude", "groq", "gpt-oss", "subscription_value"): 2.0,
    }
    assert counted(families.UNPRICED, *calls) == {("groq", "gpt-oss"): 1}


def test_only_streams_have_a_first_chunk() -> None:
    """A mean over whole answers would say nothing."""
    calls = (answered(), answered(stream=False), answered(duration=1.0, events=1))
    assert next(cell.counts for cell in observed(families.FIRST_CHUNK, *calls).values())[6] == 2
    assert next(iter(observed(families.STREAM, *calls).values())).sum == 2.0
    between = observed(families.BETWEEN, *calls)[("groq", "gpt-oss")]
    assert between.sum == pytest.approx(0.1)
    assert sum(between.counts) == 1
    assert set(observed(families.DURATION, *calls)) == {("groq", "gpt-oss", "yes"), ("groq", "gpt-oss", "no")}


def test_the_overhead_is_ours_alone() -> None:
    """Until the first request left; a call that nobody was asked for has none."""
    found = observed(families.OVERHEAD, answered(), call(outcome="failed", status=404))
    assert {labels: cell.sum for labels, cell in found.items()} == {("translate",): 0.002}


def test_what_was_tried_in_vain_is_counted_by_what_went_wrong() -> None:
    """The same again is a retry, another is a failover, and who was passed over was not asked."""
    attempts = [
        Attempt("a:m", "", account="x", asked=False, reason="resting_rate_limited"),
        Attempt("a:m", "", 529, reason="overloaded", account="y"),
        Attempt("a:m", "", 529, reason="overloaded", account="y"),
        Attempt("b:n", "", 0, reason="timeout"),
        Attempt("groq:gpt-oss", "", 200),
    ]
    found = answered(attempts=attempts)
    assert counted(families.RETRIES, found) == {("a", "overloaded"): 1}
    assert counted(families.FAILOVERS, found) == {
        ("a", "resting_rate_limited"): 1, ("a", "overloaded"): 1, ("b", "timeout"): 1,
    }  # fmt: skip
    assert counted(families.ATTEMPTS, found) == {
        ("a", "5xx", "overloaded"): 2, ("b", "none", "timeout"): 1, ("groq", "2xx", ""): 1,
    }  # fmt: skip


def test_what_failed_is_of_whom_was_asked_last() -> None:
    """Nobody answered, but somebody is to blame."""
    failed = call(
        outcome="failed", status=502, error_kind="upstream", attempts=[Attempt("a:m", "", 500, reason="upstream")]
    )
    assert [labels[3:5] for labels in counted(families.REQUESTS, failed)] == [("a", "m")]
    assert counted(families.ATTEMPTS, failed) == {("a", "5xx", "upstream"): 1}


def test_losses_are_counted_by_their_place() -> None:
    """Whichever message it was in."""
    losses = [
        Loss("messages[3].content[1].citations", "no"),
        Loss("messages[9].content[0].citations", "no"),
        Loss("top_k", ""),
    ]
    assert counted(families.LOSSES, answered(losses=losses)) == {
        ("messages[].content[].citations", "warning", "anthropic", "openai_chat"): 2,
        ("top_k", "warning", "anthropic", "openai_chat"): 1,
    }
    assert field_of("tools[0].input_schema.properties.name.pattern") == "tools[].input_schema.properties.name"


def test_calls_under_way() -> None:
    """Until the answer has begun, and from then on."""
    metrics = Metrics()

    def stages() -> dict[Labels, float]:
        return {labels: value for family, labels, value in metrics.snapshot().seen if family is families.IN_FLIGHT}

    one, two = call(), call()
    metrics.began(one)
    metrics.began(two)
    metrics.opened(one)
    assert stages() == {("waiting",): 1, ("answering",): 1}
    metrics.finished(one)
    metrics.finished(two)
    assert stages() == {("waiting",): 0, ("answering",): 0}


def test_an_observation_leads_to_its_trace() -> None:
    """When the client has one."""
    cell = next(iter(observed(families.DURATION, answered(trace=TRACE)).values()))
    assert [exemplar.trace for exemplar in cell.exemplars.values()] == ["0af7651916cd43dd8448eb211c80319c"]
    assert not next(iter(observed(families.DURATION, answered()).values())).exemplars


@pytest.mark.parametrize(
    "header",
    ["", "nonsense", TRACE.upper(), "ff" + TRACE[2:], "00-" + "0" * 32 + "-b7ad6b7169203331-01", TRACE[:-1]],
)
def test_what_is_no_traceparent_leads_nowhere(header: str) -> None:
    """As the specification has it: lower case, no zeros, no version ff."""
    assert trace_id(header) == ""


def test_ten_thousand_odd_models_are_a_hundred_series() -> None:
    """Whoever sends what, Prometheus does not drown; what is really served keeps its name."""
    metrics = Metrics()
    for number in range(5000):
        metrics.finished(call(model=f"odd-{number}", outcome="failed", status=404, error_kind="unknown_model"))
    metrics.finished(answered(upstream_model="real"))
    for number in range(5000):
        metrics.finished(
            answered(
                upstream_model=f"odd-{number}", provider=f"p{number}", route=f"r{number}", agent=f"agent {number}",
                losses=[Loss(f"field{number}", "")], attempts=[Attempt(f"p{number}:m", "", 200)],
            )
        )  # fmt: skip
    snapshot = metrics.snapshot()
    series = {
        **{family.name: len(values) for family, values in snapshot.counters},
        **{family.name: len(cells) for family, cells in snapshot.histograms},
    }
    assert max(series.values()) <= 2001
    requests = next(values for family, values in snapshot.counters if family is families.REQUESTS)
    assert sum(requests.values()) == 10_001
    models = {labels[4] for labels in requests}
    assert len(models) <= 101 + 1
    assert {"real", "odd-0", "other"} <= models
    assert sum(series.values()) < 5000
