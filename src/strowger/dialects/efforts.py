"""How hard a model shall think, in the words that a target knows: clamped, not dropped.

The words come from OpenAI and are everybody's by now; each model takes some of them. It must not know any dialect.
"""

from __future__ import annotations

from functools import lru_cache

from strowger.dialects.job import BaseJob
from strowger.ir.request import Reasoning

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From the least to the most."""

# Up to so many tokens of thinking, in the steps that Google documents for its own OpenAI endpoint.
_BUDGETS = ((512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"))


def wanted(reasoning: Reasoning, *, off: bool) -> str | None:
    """The effort that is asked for, by its word or by a budget of tokens; None when nothing is said."""
    if off:
        return "none"
    if reasoning.effort is None and reasoning.budget is not None:
        return next((word for most, word in _BUDGETS if reasoning.budget <= most), "xhigh")
    return reasoning.effort


@lru_cache(maxsize=256)
def nearest(word: str, known: tuple[str, ...]) -> str:
    """Of the words that the target knows the nearest; of two the stronger. There must be one."""
    ranked = [other for other in known if other in EFFORTS] or list(known)
    return min(ranked, key=lambda other: (abs(_rank(other) - _rank(word)), -_rank(other)))


def clamped(job: BaseJob, reasoning: Reasoning, *, off: bool) -> str | None:
    """The effort in a word that the target knows, with losses; None when nothing need be said."""
    word, known = wanted(reasoning, off=off), job.caps.efforts
    if word is None or word in known:
        return word
    if not known:
        if word != "none":
            job.lose("effort", "the provider takes no effort", "info")
        return None
    if word == "none":
        job.lose("thinking", "the model's thinking cannot be switched off; it is set to the least")
    elif word not in EFFORTS:
        job.lose("effort", f"{word!r} is not a word the provider knows")
        return None
    elif reasoning.effort is not None:
        job.lose("effort", f"{word} is sent as {nearest(word, known)}, the nearest the model knows", "info")
    return nearest(word, known)


def _rank(word: str) -> int:
    return EFFORTS.index(word) if word in EFFORTS else len(EFFORTS)
