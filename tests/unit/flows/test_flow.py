"""What a flow shows."""

from __future__ import annotations

import msgspec

from strowger.flows.flow import Attempt, Flow, summary
from strowger.ir.events import Finish, StopReason, Usage


def test_a_summary_is_plain_json_with_times_in_milliseconds() -> None:
    """It is a log line and an answer of the admin API."""
    flow = Flow(id="flow_1", started=5.0, clock=0.0, method="POST", path="/v1/messages", dialect="anthropic")
    flow.usage = Usage(input=10, output=2, cache_read=4)
    flow.finish = Finish(StopReason.END)
    flow.first_byte = 0.0123
    flow.attempts.append(Attempt("up:m", "verbatim", 200, None, 0.5))
    data = msgspec.json.decode(msgspec.json.encode(summary(flow)))
    assert data["tokens"] == {"input": 10, "output": 2, "cache_read": 4}
    assert data["first_byte_ms"] == 12.3
    assert data["upstream_first_byte_ms"] is None
    assert data["finish"] == "end"
    assert data["attempts"][0]["ms"] == 500.0


def test_an_attempt_says_whose_account_it_was_and_why_it_moved_on() -> None:
    """What was passed over stands among them, marked as not asked."""
    flow = Flow(id="flow_1", started=5.0, clock=0.0, method="POST", path="/v1/messages", dialect="anthropic")
    flow.attempts = [
        Attempt("p:a:b", "", account="work", reason="resting_rate_limited", error="it rests", asked=False),
        Attempt("p:a:b", "verbatim", 200, waited=0.25),
    ]
    first, second = msgspec.json.decode(msgspec.json.encode(summary(flow)))["attempts"]
    assert (first["account"], first["asked"], first["reason"]) == ("work", False, "resting_rate_limited")
    assert (second["account"], second["asked"], second["reason"], second["waited_ms"]) == ("", True, None, 250.0)
    assert [attempt.label for attempt in flow.attempts] == ["p/work:a:b", "p:a:b"]
