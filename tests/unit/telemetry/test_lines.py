"""What a person at the terminal reads of a call."""

from __future__ import annotations

from typing import Any

from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt, Flow, summary
from strowger.ir.events import Usage
from strowger.telemetry.lines import told


def call(**members: Any) -> str:
    fixed = {"id": "flow_1", "started": 0.0, "clock": 0.0, "method": "POST", "path": "/v1/messages"}
    return told("09:41:07", summary(Flow(dialect="anthropic", **{**fixed, **members})))


def answered(**members: Any) -> str:
    good = {"model": "quick", "provider": "groq", "upstream_model": "gpt-oss-120b", "outcome": "ok", "status": 200}
    return call(**{**good, **members})


def test_a_good_call_is_one_line() -> None:
    """When, what was asked for, where it went, how it ended, how long it took, what it used."""
    line = "09:41:07  quick → groq:gpt-oss-120b  200  1.3 s  tokens 1,812 in, 64 out"
    assert answered(duration=1.31, usage=Usage(input=1812, output=64)) == line
    assert answered(agent_id="a1").startswith("09:41:07  quick (sub-agent) → groq:")
    assert answered(model="groq:gpt-oss-120b") == "09:41:07  groq:gpt-oss-120b  200  0 ms"
    assert answered(duration=0.0124) == "09:41:07  quick → groq:gpt-oss-120b  200  12 ms"


def test_money_is_told_where_it_is_money() -> None:
    """Not the value of what a plan has paid for; what came from a cache is most of what money hangs on."""
    usage = Usage(input=1812, output=64, cache_read=1700)
    assert answered(usage=usage, billing="metered", billed=0.0123).endswith(
        "  tokens 1,812 in (1,700 cached), 64 out  $0.0123"
    )
    assert answered(usage=usage, billing="metered", billed=1234.5).endswith("  $1,234.50")
    assert answered(usage=usage, billing="plan", billed=0.0123).endswith("64 out")
    assert answered(usage=usage, billing="metered").endswith("64 out")


def test_only_losses_with_an_effect_are_told() -> None:
    """The rest is in the answer's header and in a log file."""
    losses = [Loss("top_k", "no such setting", "warning"), Loss("context_management", "no such member", "info")]
    assert answered(losses=losses).splitlines()[1:] == ["          lost: top_k (no such setting)"]


def test_a_fallback_says_what_it_replaces() -> None:
    """Who gets another model than usual sees why."""
    attempts = [Attempt("down:x", "translate", error="no connection"), Attempt("groq:gpt-oss-120b", "verbatim", 200)]
    assert answered(attempts=attempts).splitlines()[1:] == ["          tried down:x: no connection"]


def test_accounts_and_waits_are_told() -> None:
    """Which account it was, who was not even asked, and how long the call had to wait; a blink is not worth a line."""
    attempts = [
        Attempt("codex:m", "", account="work", asked=False, error="it rests for 2h: rate_limited"),
        Attempt("codex:m", "verbatim", 429, "slow down", account="home"),
        Attempt("codex:m", "verbatim", 200, account="home", waited=1.24),
    ]
    assert answered(attempts=attempts).splitlines()[1:] == [
        "          passed over codex/work:m: it rests for 2h: rate_limited",
        "          tried codex/home:m: slow down",
        "          waited 1.2 s between the tries",
    ]
    attempts[2].waited = 0.05
    assert "waited" not in answered(attempts=attempts)


def test_a_failure_says_where_and_why_once() -> None:
    """The reason of the last attempt is the reason of the call."""
    attempts = [Attempt("down:x", "translate", error="no connection")]
    shown = call(model="x", outcome="failed", status=502, error="no connection", attempts=attempts)
    assert shown.splitlines() == ["09:41:07  x → down:x  failed, 502  0 ms", "          no connection"]
    assert call(outcome="cancelled") == "09:41:07  /v1/messages  cancelled  0 ms"


def test_nothing_in_it_can_steer_the_terminal() -> None:
    """Names come from clients, reasons from upstreams."""
    shown = call(model="a\x1b[2Jb\nc", outcome="failed", status=400, error="bad\r\x1b]0;title\x07")
    assert shown.replace("\n", "").isprintable()
    assert len(shown.splitlines()) == 2
