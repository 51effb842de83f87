"""Token counts of Gemini, both ways."""

from __future__ import annotations

import pytest

from strowger.dialects.gemini.usage import parse_usage, render_usage
from strowger.ir.events import Usage
from tests.unit.dialects.gemini.replies import dumps

FULL = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "toolUsePromptTokenCount": 7,
    "totalTokenCount": 157,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
}


def test_counts_are_each_counted_once() -> None:
    """The prompt holds what is cached; thoughts are output, and what tools read for the model is input."""
    usage = parse_usage(dumps(FULL))
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (107, 60, 50, 30)
    assert render_usage(usage, ours=True).keys() == FULL.keys()


def test_thoughts_alone_are_output() -> None:
    """An answer that was cut while the model thought has no candidates."""
    usage = parse_usage(dumps({"promptTokenCount": 1, "thoughtsTokenCount": 5}))
    assert usage is not None
    assert (usage.output, usage.reasoning, usage.cache_read) == (5, 5, None)


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"7", b"nonsense", b'"x"'])
def test_what_counts_nothing_is_none(raw: bytes) -> None:
    """An empty object, or no object."""
    assert parse_usage(raw) is None


def test_odd_counts_do_not_spoil_the_others() -> None:
    """A count of a wrong type says nothing; snake_case and numbers with a point are read."""
    usage = parse_usage(b'{"promptTokenCount":"many","candidatesTokenCount":3.0}')
    assert usage is not None
    assert (usage.input, usage.output) == (None, 3)
    snake = parse_usage(b'{"prompt_token_count":4,"candidates_token_count":5}')
    assert snake is not None
    assert (snake.input, snake.output) == (4, 5)


def test_counts_of_others_are_told_as_google_counts() -> None:
    """Thoughts apart from what was said; zero where nothing is known, but the prompt as it was guessed."""
    node = render_usage(Usage(input=100, output=50, cache_read=60, reasoning=30), ours=False)
    assert node == {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 150,
    }
    assert render_usage(Usage(), ours=False, estimate=9)["promptTokenCount"] == 9
    assert render_usage(Usage(output=2, reasoning=5), ours=False)["candidatesTokenCount"] == 0
