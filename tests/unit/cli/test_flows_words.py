"""Calls in rows and lines."""

from __future__ import annotations

import click
import pytest

from strowger.cli import flows_words as words
from tests.unit.flows.test_words import FLOW, NOW


def test_a_table_has_a_row_for_each() -> None:
    """Numbers on the right; the cached share of the prompt; who was asked, with the account where there are several."""
    lines = [click.unstyle(line) for line in words.rows([FLOW], width=None, now=NOW)]
    assert lines == [
        "ID        WHEN      CLIENT  MODEL            WENT TO             STATUS       IN  CACHED  OUT     COST   TIME",
        "01234567  11:59:00  claude  claude-opus-4-8  codex/work:gpt-5.5  200     120,000     75%   40  $0.0625  1.3 s",
    ]


@pytest.mark.parametrize("width", [110, 100, 80, 60, 40, 30])
def test_a_table_fits_the_terminal(width: int) -> None:
    """Wide columns are cut first, then some are left out; the id, the status and the time stay to the last."""
    long = {**FLOW, "model": "a-very-long-name-of-a-model-" * 3, "outcome": "failed"}
    lines = [click.unstyle(line) for line in words.rows([FLOW, long], width=width, now=NOW)]
    assert max(map(len, lines)) <= max(width, 44)
    assert {"ID", "STATUS", "TIME"} <= set(lines[0].split())
    assert width - max(map(len, lines)) < 30  # what is given back fills the line again


def test_a_line_says_what_happened() -> None:
    """As calls come one after another; losses without an effect are not counted."""
    assert words.line(FLOW) == (
        "11:59:00  01234567  claude  claude-opus-4-8 → codex/work:gpt-5.5  200  1.3 s"
        "  120,000 in (75% cached), 40 out  $0.0625  1 loss"
    )
    assert words.line({**FLOW, "outcome": "running", "status": 200}).endswith("→ codex/work:gpt-5.5  running 200")
    failed = {**FLOW, "outcome": "failed", "status": 429, "error": "no \x1b[31mroom", "agent_id": "a1"}
    assert "claude-opus-4-8 (sub-agent) → " in words.line(failed)
    assert words.line(failed).endswith("no \N{REPLACEMENT CHARACTER}[31mroom")


def test_what_jq_has_left_out_is_not_told() -> None:
    """A flow may have only its id."""
    assert words.line({"id": "flow_1"}).endswith("  1  -  -  -  -")
    assert len(words.rows([{"id": "flow_1"}], width=None, now=NOW)) == 2
