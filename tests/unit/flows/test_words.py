"""A call in words."""

from __future__ import annotations

import time
from typing import Any

from strowger.flows import words

NOW = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))
FLOW: dict[str, Any] = {
    "id": "flow_0123456789abcdef",
    "started": NOW - 60,
    "program": "claude",
    "model": "claude-opus-4-8",
    "dialect": "anthropic",
    "stream": True,
    "provider": "codex",
    "account": "work",
    "upstream_model": "gpt-5.5",
    "response_model": "gpt-5.5-2026",
    "upstream_dialect": "openai_responses",
    "route": "opus",
    "lane": "translate",
    "outcome": "ok",
    "status": 200,
    "finish": "end",
    "tokens": {"input": 120_000, "output": 40, "cache_read": 90_000, "reasoning": 12},
    "billing": "metered",
    "billed_usd": 0.0625,
    "losses": [{"path": "a", "reason": "b", "severity": "warning"}, {"path": "c", "reason": "d", "severity": "info"}],
    "attempts": [
        {"target": "x:y", "asked": False, "reason": "resting", "error": "it rests"},
        {"target": "codex:gpt-5.5", "asked": True, "status": 200, "ms": 1200.0, "account": "work", "waited_ms": 250.0},
    ],
    "sent_ms": 0.4,
    "first_byte_ms": 900.0,
    "duration_ms": 1300.0,
}


def test_nobody_else_steers_the_terminal() -> None:
    """What a vendor calls a model or a limit cannot set a title, move the cursor or begin a line."""
    assert words.plain("a\x1b]0;owned\x07b  c\rd\n") == "a\ufffd]0;owned\ufffdb  c d "
    assert words.plain("grüße, 電話") == "grüße, 電話"


def test_an_overview_says_all_that_is_known() -> None:
    """Where it went and how, what it cost and who paid, when what happened, each attempt and each loss."""
    found = list(words.overview(FLOW, NOW))
    told = dict(found)
    assert told["when"].endswith("11:59:00, 1m 0s ago, took 1.3 s")
    assert told["outcome"] == "200, end"
    assert told["went"] == ("codex/work:gpt-5.5 (route opus, in openai_responses, translate, answered as gpt-5.5-2026)")
    assert told["tokens"] == "120,000 in (90,000 from the cache), 40 out (12 thought)"
    assert told["cost"] == "$0.0625 (metered)"
    assert told["times"] == "sent after 0.4 ms, first byte after 900 ms, all after 1,300 ms"
    assert [text for name, text in found if name == "tried"] == [
        "x:y  passed over  resting  it rests",
        "codex:gpt-5.5  account work  200  waited 250 ms  1,200 ms",
    ]
    assert [text for name, text in found if name == "lost"] == ["a: b (warning)", "c: d (info)"]
    assert "ago" not in dict(words.overview(FLOW, None))["when"]
    assert dict(words.overview({"id": "flow_1"}, None))["went"] == "nowhere"
    running = dict(words.overview({**FLOW, "outcome": "running", "duration_ms": 0.0}, None))
    assert running["times"] == "sent after 0.4 ms, first byte after 900 ms"


def test_costs_say_who_pays() -> None:
    """The value of a plan's traffic stands in brackets; what has no price is a dash."""
    assert words.dollars({"billed_usd": 2.5, "billing": "plan"}) == "($2.50)"
    assert words.dollars({"billed_usd": 0.0, "billing": "metered"}) == "$0.00"
    assert words.dollars({"billed_usd": 0.0, "billing": "free"}) == "free"
    assert words.dollars({"billed_usd": None, "billing": "metered"}) == "-"
    assert [words.size(number) for number in (5, 2048, 3 << 20)] == ["5 B", "2.0 kB", "3.0 MB"]
    assert words.moment(NOW - 86_400, NOW) == "2026-11-20 12:00"
    assert [words.took({"duration_ms": value}) for value in (5.0, 5_000.0, 65_000.0)] == ["5 ms", "5.0 s", "1m 5s"]
