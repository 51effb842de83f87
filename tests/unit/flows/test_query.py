"""How flows are chosen: what a filter means, what it says when it cannot be understood."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from strowger.flows.filters import Filter
from strowger.flows.query import FIELDS, BadFilter, parse, seconds
from tests.house import tree

NOW = datetime(2026, 11, 21, 12, 0).astimezone().timestamp()

FLOW: dict[str, object] = {
    "id": "flow_0123",
    "started": NOW - 3600,
    "model": "claude-opus-4-8",
    "upstream_model": "gpt-5.5",
    "provider": "codex",
    "session": "3fa9c1d2",
    "agent_id": None,
    "project": "/home/me/work/Thing",
    "status": 429,
    "outcome": "failed",
    "error": "the account is at its limit, try later",
    "error_kind": "rate_limited",
    "stream": True,
    "billed_usd": 0.25,
    "tokens": {"input": 120_000, "output": 40, "cache_read": 100_000},
    "losses": [{"path": "tools[0]", "reason": "no such tool", "severity": "lossy"}],
    "attempts": [{"target": "codex:gpt-5.5"}, {"target": "openai:gpt-5.5"}],
    "request_bytes": 3 * 1024 * 1024,
    "duration_ms": 42_000.0,
    "first_byte_ms": None,
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "model:claude-opus-4-8",
        "model:CLAUDE-*",
        "model:gpt-5.5",  # it answered
        "model:sonnet,claude-opus-?-8",
        "upstream_model:gpt-5*",
        "provider:codex status:>=400",
        "status:429",
        "status:4xx",
        "status:4*",
        "status:400..499",
        "status>=400",
        "status=429",
        "-status:200",
        "!provider:anthropic",
        "-provider:anthropic,openai",
        "session:3fa9",
        "session:3FA9C1D2",
        "id:0123",
        "id:flow_01",
        "id:99,01*",
        "session:*",
        'agent_id:""',
        "-agent_id:*",
        "error:limit",
        "error:rate_limited",
        'error:"at its limit, try"',
        "error:'try later'",
        "error:acc*limit",
        "project:work/thing",
        "outcome:failed,cancelled",
        "stream:yes",
        "cost:>0.1",
        "cost:>$0.1",
        "cost:0.2..0.3",
        "tokens:>120k",
        "input:120k",
        "cache_read:>=0.1m",
        "cache_write:''",
        "losses:>0 attempts:2",
        "loss:tools* tried:openai:gpt-5.5 -note:*",
        "request_bytes:>2mb",
        "request_bytes:<=3MiB",
        "duration:>30s",
        "duration:42",
        "duration:<1m",
        "duration_ms:42000",
        "duration_ms:>0.01h",
        "-first_byte:<100h",
        "since:2h",
        "since:today",
        "since:10:59",
        "since:2026-11-21",
        "since:2026-11-21T10:59:00",
        "until:30m",
        "since:yesterday until:11:01",
        "opus",
        "limit -sonnet",
        '"try later"',
        "thing,nothing",
    ],
)
def test_it_passes(text: str) -> None:
    """Every form that a term has, on a flow for which it holds."""
    assert parse(text, now=NOW).matches(FLOW)


@pytest.mark.parametrize(
    "text",
    [
        "model:claude",
        "-model:claude*",
        "model:gpt-5",
        "provider:codex status:200",
        "session:fa9",
        "id:123",
        "id:flow_9",
        "status:5xx",
        "status:>429",
        "status:<429",
        "cost:>0.25",
        "reasoning:>0",
        "reasoning:*",
        "first_byte:>0",
        'session:""',
        "stream:no",
        "since:59m",
        "until:2h",
        "since:yesterday until:today",
        "haiku",
        "-opus",
        'model:"claude-*"',
    ],
)
def test_it_does_not_pass(text: str) -> None:
    """A number that nobody knows is neither small nor large; a pattern in quotation marks is a word."""
    assert not parse(text, now=NOW).matches(FLOW)


@pytest.mark.parametrize(
    "text, marked, message, hint",
    [
        ("modle:gpt", "modle", "there is no field `modle`", "did you mean `model`?"),
        ("provider:x  stats:200", "stats", "there is no field `stats`", "`status`"),
        ("codex:gpt-5.5", "codex", "there is no field `codex`", "to search for the text: '\"codex:gpt-5.5\"'"),
        ("status:many", "many", "`many` is no number", "`status:>=400`"),
        ("duration:>3x", ">3x", "there is no unit `x`", "there are ms, s, m, min, h, d"),
        ("cost:1..x", "1..x", "is no number", "US dollars"),
        ("model: gpt", "model:", "nothing stands after `model:`", '`model:""`'),
        ("a model:x,", ",", "a value is missing after the comma", None),
        ("model:,x", ",", "a value is missing before the comma", None),
        ('error:"try', '"', "a quotation mark is not closed", "a shell takes quotation marks away"),
        ('error:"try"later', "l", "a blank is missing", None),
        ("outcome:fail", "fail", "`outcome` is never `fail`", "did you mean `failed`?"),
        ("outcome:x", "x", "`outcome` is never `x`", "there are running, ok, failed, cancelled, stopped, lost"),
        ("stream:maybe", "maybe", "`stream` is yes or no", None),
        ("since:soon", "soon", "`soon` is no time", "`since:2h`"),
        ("since:25:99", "25:99", "is no time", None),
        ("opus or sonnet", "or", "there is no `or`", "`model:a,b` holds for either"),
        ("opus -", "-", "there is nothing to search for", None),
        ('""', '""', "there is nothing to search for", None),
        ("model:" + "a," * 300 + "a", "model:", "too many values", None),
    ],
)
def test_what_is_wrong_is_shown_in_its_place(text: str, marked: str, message: str, hint: str | None) -> None:
    """Each error marks the place, and says what there is instead. It is the caller's fault, and the exit code is 2."""
    with pytest.raises(BadFilter) as raised:
        parse(text, now=NOW)
    error = raised.value
    assert message in error.message
    assert (hint or "") in (error.hint or "")
    first, shown, marks = str(error).split("\n")
    assert first == error.message
    at = marks.index("^")
    assert shown[at:].startswith(marked)
    assert error.exit_code == 2


def test_the_place_is_shown_in_a_long_filter() -> None:
    """What stands far before it is left out."""
    with pytest.raises(BadFilter) as raised:
        parse("model:opus " * 20 + "modle:x")
    _, shown, marks = str(raised.value).split("\n")
    assert shown.startswith("  …")
    assert shown[marks.index("^") :] == "modle:x"
    with pytest.raises(BadFilter, match="at most"):
        parse("x" * 10_001)


def test_filters_are_joined() -> None:
    """Both must hold; the text is that of both."""
    both = parse("provider:codex").also(parse("status:200"))
    assert both.text == "provider:codex status:200"
    assert not both.matches(FLOW)
    assert Filter().also(parse("provider:codex")).matches(FLOW)


def test_spans_of_time() -> None:
    """As they are given to `--older`."""
    assert [seconds(text) for text in ("90s", "2m", "1.5h", "7d", "1w")] == [90, 120, 5400, 604_800, 604_800]
    assert seconds("soon") is None


def test_the_reference_has_every_field() -> None:
    """With its kind of value and, where there are few, all its words; and it has no other."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", tree.text("docs/reference/filters.md"), re.MULTILINE)
    told = {name: (kind, text) for name, kind, text in rows}
    assert told.keys() == FIELDS.keys()
    for field in FIELDS.values():
        kind, text = told[field.name]
        assert kind == field.kind
        assert text.startswith(field.says)
        assert all(f"`{word}`" in text for word in field.choices)
