"""Efforts in the words that a target knows."""

from __future__ import annotations

import pytest

from strowger.dialects.base import Capabilities
from strowger.dialects.efforts import clamped, nearest, wanted
from strowger.dialects.job import BaseJob
from strowger.dialects.names import plain
from strowger.ir.request import Reasoning, Request


def job(*efforts: str) -> BaseJob:
    return BaseJob(Request("elsewhere", "m"), Capabilities(efforts=efforts), "here", plain)


@pytest.mark.parametrize(
    "budget,word",
    [(0, "minimal"), (512, "minimal"), (1024, "low"), (8192, "medium"), (24_576, "high"), (10**6, "xhigh")],
)
def test_a_budget_stands_for_a_word(budget: int, word: str) -> None:
    """Unless there is a word; off is off whatever else is said."""
    assert wanted(Reasoning(budget=budget), off=False) == word
    assert wanted(Reasoning(budget=budget, effort="low"), off=False) == "low"
    assert wanted(Reasoning(budget=budget, effort="low"), off=True) == "none"
    assert wanted(Reasoning(), off=False) is None


@pytest.mark.parametrize(
    "word,known,near",
    [
        ("xhigh", ("low", "medium", "high"), "high"),
        ("minimal", ("low", "high"), "low"),
        ("medium", ("low", "high"), "high"),
        ("none", ("low", "high"), "low"),
        ("max", ("turbo",), "turbo"),
    ],
)
def test_the_nearest_word(word: str, known: tuple[str, ...], near: str) -> None:
    """Of two that are as near the stronger: whoever asks for thinking wants it."""
    assert nearest(word, known) == near


@pytest.mark.parametrize(
    "reasoning,known,sent,lost",
    [
        (Reasoning(effort="low"), ("low",), "low", []),
        (Reasoning(effort="max"), ("low", "high"), "high", [("effort", "info")]),
        (Reasoning(budget=100_000), ("low", "high"), "high", []),
        (Reasoning(effort="ludicrous"), ("low",), None, [("effort", "warning")]),
        (Reasoning(effort="low"), (), None, [("effort", "info")]),
        (Reasoning(effort="none"), (), None, []),
        (Reasoning(effort="none"), ("none", "low"), "none", []),
        (Reasoning(effort="none"), ("low", "high"), "low", [("thinking", "warning")]),
        (Reasoning(), ("low",), None, []),
    ],
)
def test_efforts_are_clamped_not_dropped(
    reasoning: Reasoning, known: tuple[str, ...], sent: str | None, lost: list[tuple[str, str]]
) -> None:
    """What changes is told; a budget was never a word, so its nearest word is no loss."""
    one = job(*known)
    assert clamped(one, reasoning, off=reasoning.effort == "none") == sent
    assert [(loss.path, loss.severity) for loss in one.losses] == lost
