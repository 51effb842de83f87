"""The dialect's words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.anthropic.wire import ERRORS, STOP_REASONS, STOP_WORDS, effort_of_budget, safe_id
from strowger.errors import ErrorKind
from strowger.ir.events import StopReason


@pytest.mark.parametrize("call_id", ["toolu_01A", "call_abc-1", "0", "functions_x"])
def test_good_ids_stay(call_id: str) -> None:
    """An id that the API takes is not touched: clients and providers know it by that name."""
    assert safe_id(call_id) == call_id


@given(st.text(max_size=80))
def test_every_id_becomes_one_that_is_taken(call_id: str) -> None:
    """Whatever an upstream calls its calls (Kimi: `functions.ls:0`), Anthropic accepts the id, and always the same."""
    assert re.fullmatch(r"[A-Za-z0-9_-]+", safe_id(call_id))
    assert safe_id(call_id) == safe_id(call_id)


def test_different_ids_stay_different() -> None:
    """Cleaning must not make one id of two."""
    assert len({safe_id(call_id) for call_id in ("functions.ls:0", "functions_ls:0", "functions.ls.0", "")}) == 4


@pytest.mark.parametrize(
    "budget, effort", [(1, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"), (31999, "xhigh")]
)
def test_budgets_amount_to_efforts(budget: int, effort: str) -> None:
    """31,999 is what Claude Code asks for when it wants all it can get."""
    assert effort_of_budget(budget) == effort


def test_every_kind_of_error_has_its_words() -> None:
    """No error of ours is without a status and a type."""
    assert set(ERRORS) == set(ErrorKind)


def test_every_reason_has_its_word() -> None:
    """Whatever an upstream says, there is a word for it here, except for what nobody knows."""
    assert set(STOP_WORDS) == set(StopReason) - {StopReason.OTHER}
    assert {STOP_REASONS[word] for word in STOP_WORDS.values()} == set(STOP_WORDS)
