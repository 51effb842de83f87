"""A filter says the same in SQL as of a summary."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strowger.flows import tables
from strowger.flows.query import COLUMNS, FIELDS, Field, parse

SESSION = "594afa3a-e9a3-3aee-4a6d-4bfd63c5b89c"
NOW = 1_800_000_000.0
TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
NUMBERS = ("status", "events", "request_bytes", "response_bytes")
MILLISECONDS = ("duration_ms", "first_byte_ms", "upstream_first_byte_ms")
LISTS = ("losses", "notes", "attempts")
FLAGS = ("stream", "tokens_estimated")
WORDS = tuple(sorted(COLUMNS - {*TOKENS, *NUMBERS, *MILLISECONDS, *LISTS, *FLAGS, "started", "billed_usd"}))

signs = st.text(alphabet="aAbÄä-*?[]^%_\\ .:é1", max_size=6)
small = st.integers(0, 5)
words = st.one_of(st.none(), signs)


NOTHING: dict[str, Any] = {
    **dict.fromkeys((*WORDS, *MILLISECONDS, "billed_usd")),
    **dict.fromkeys(FLAGS, False),
    **dict.fromkeys(NUMBERS, 0),
    **{name: [] for name in LISTS},
    "started": NOW,
    "tokens": {},
}


@st.composite
def summaries(draw: st.DrawFn) -> dict[str, Any]:
    """A flow as it might be."""
    found: dict[str, Any] = dict.fromkeys(WORDS)
    for name in draw(st.sets(st.sampled_from(WORDS), max_size=6)):
        found[name] = draw(words)
    found |= {name: draw(small) * 100 for name in NUMBERS}
    found |= {name: draw(st.one_of(st.none(), small.map(float))) for name in MILLISECONDS}
    found |= {name: draw(st.booleans()) for name in FLAGS}
    found |= {name: [{"path": draw(signs)}] * draw(st.integers(0, 2)) for name in LISTS}
    found["started"] = NOW - draw(small) * 3600.0
    found["billed_usd"] = draw(st.one_of(st.none(), small.map(lambda number: number / 4)))
    found["tokens"] = draw(st.dictionaries(st.sampled_from(TOKENS), small))
    return found


def values(field: Field) -> st.SearchStrategy[str]:
    quoted = signs.filter(lambda text: '"' not in text).map(lambda text: f'"{text}"')
    bare = st.text(alphabet="aAb*?[]^%Ää1", min_size=1, max_size=4)
    operators = st.sampled_from(("", ">", ">=", "<", "<=", "="))
    match field.kind:
        case "flag":
            return st.sampled_from(("yes", "no"))
        case "when":
            return small.map(lambda hours: f"{hours}h")
        case "word" if field.choices:
            return st.sampled_from((*field.choices, "*", '""'))
        case "word" | "id" | "text":
            return st.one_of(quoted, bare)
        case _:
            numbers = st.builds(lambda sign, number: f"{sign}{number}", operators, small)
            ranges = st.builds(lambda low, high: f"{low}..{high}", small, small)
            return st.one_of(numbers, ranges, st.just("*"), st.just('""'))


@st.composite
def filters(draw: st.DrawFn) -> str:
    """A filter as somebody might write it."""
    terms = []
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=3)):
        some = draw(st.lists(values(FIELDS[name]), min_size=1, max_size=3))
        terms.append(f"{draw(st.sampled_from(('', '-', '!')))}{name}:{','.join(some)}")
    if draw(st.booleans()):
        terms.append(draw(st.sampled_from(("", "-"))) + '"' + draw(signs.filter(bool)) + '"')
    return " ".join(terms)


@pytest.fixture(scope="module")
def base() -> Iterator[sqlite3.Connection]:
    """A table with the columns that filters read."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE flows ({', '.join(sorted(COLUMNS))})")
    yield connection
    connection.close()


def row(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary as the store has it: counts of tokens in columns of their own, lists as JSON."""
    flat = {**summary, **{name: summary["tokens"].get(name) for name in TOKENS}}
    return {name: msgspec.json.encode(flat[name]).decode() if name in LISTS else flat[name] for name in sorted(COLUMNS)}


@given(summaries(), filters())
@example(NOTHING, "-model:a cost:<1")
@settings(max_examples=75, deadline=None)
def test_both_forms_say_the_same(base: sqlite3.Connection, summary: dict[str, Any], text: str) -> None:
    """Whatever the flow, whatever the filter; and a negated term holds exactly where the term does not."""
    found = parse(text, now=NOW)
    kept = row(summary)
    base.execute("DELETE FROM flows")
    base.execute(f"INSERT INTO flows VALUES ({','.join('?' * len(kept))})", list(kept.values()))
    clause, parameters = found.sql()
    (answer,) = base.execute(f"SELECT count(*) FROM flows WHERE {clause}", parameters).fetchone()
    assert bool(answer) is found.matches(summary), (text, clause)


def test_a_pattern_of_many_stars_is_quick() -> None:
    """It is asked of calls as they happen, on the loop that serves them: nobody may hold that up with a filter."""
    error = {**NOTHING, "error": "a" * 5000}
    assert not parse(f"error:{'*a' * 60}*b", now=NOW).matches(error)
    assert parse(f"error:{'*a' * 60}", now=NOW).matches(error)


def test_every_column_is_asked_of_a_summary() -> None:
    """A field of a filter that no summary has would never be found."""
    from strowger.flows.flow import Flow, summary

    flow = summary(Flow(id="f", started=0.0, clock=0.0, method="POST", path="/", dialect="anthropic"))
    assert COLUMNS - set(TOKENS) <= set(flow)


@pytest.mark.parametrize(
    "text",
    [f"session:{SESSION}", "session:594AFA,77b2", f"session:{SESSION} status:>=400", 'session:"s"', "session:=5"],
)
def test_sessions_are_found_by_their_index(text: str, tmp_path: Path) -> None:
    """Also by their beginnings, in any case; whoever wants one session of many does not wait for all calls."""
    base = tables.open_for_writing(tmp_path / "flows.db", patience=1)
    try:
        clause, values_ = parse(text).sql()
        for rest in ("ORDER BY seq DESC LIMIT 20", ""):
            found = base.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM flows WHERE listed = 1 AND ({clause}) {rest}", values_
            )
            plan = [row[3] for row in found]
            assert any("USING INDEX flows_session (session>? AND session<?)" in step for step in plan), plan
            assert not any(step.startswith("SCAN") for step in plan), plan
    finally:
        base.close()
