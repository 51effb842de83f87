"""What is known of well-known models."""

from __future__ import annotations

import pytest

from strowger.routing.facts import UNKNOWN, Facts, known


@pytest.mark.parametrize(
    "model, context",
    [
        ("claude-sonnet-4-5-20250929", 200_000),
        ("anthropic/claude-opus-5-5", 1_000_000),
        ("claude-3-5-haiku-latest", 200_000),
        ("gpt-5.1-codex", 400_000),
        ("gpt-5.4", 1_050_000),
        ("gpt-5.4-mini-2026-03-17", 400_000),
        ("gpt-5.4-nano", 400_000),
        ("gpt-5.6-sol", 1_050_000),
        ("grok-4-0709", 256_000),
        ("x-ai/grok-4.20", 1_000_000),
        ("grok-4.5", 500_000),
        ("claude-opus-4-6", 1_000_000),
        ("openai/gpt-4.1-mini", 1_047_576),
        ("o4-mini", 200_000),
        ("models/gemini-2.5-pro", 1_048_576),
        ("GLM-4.6", 204_800),
    ],
)
def test_families(model: str, context: int) -> None:
    """A family is found by its name, whatever stands before it."""
    assert known(model).context == context


def test_nothing_is_made_up() -> None:
    """A model that is not in the table is unknown, and says so by zeros."""
    assert known("my-own-model") == UNKNOWN == Facts(0, 0, None)


def test_facts_fill_each_other_in() -> None:
    """What one source leaves open the other may know."""
    assert Facts(1, 0, None).completed(Facts(2, 3, False)) == Facts(1, 3, False)
