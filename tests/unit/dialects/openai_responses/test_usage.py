"""Token counts."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.openai_responses.usage import parse_usage, render_usage
from strowger.ir.events import Usage
from tests.unit.dialects.openai_responses.answering import USAGE, dumps


def test_cached_tokens_are_part_of_the_input() -> None:
    """As in the middle form: they are counted once, and so is reasoning in the output."""
    usage = parse_usage(dumps(USAGE))
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.cache_write) == (10, 4, 2)
    assert (usage.output, usage.reasoning) == (5, 3)


@pytest.mark.parametrize(
    "written",
    [
        USAGE,
        {"input_tokens": 1, "output_tokens": 2},
        {**USAGE, "cost_in_usd_ticks": 5, "input_tokens_details": {"cached_tokens": 1, "text_tokens": 9}},
        {"input_tokens": 1.0, "output_tokens": None, "total_tokens": 1},
    ],
)
def test_a_usage_comes_back(written: dict[str, object]) -> None:
    """Equal, with what only its vendor counts."""
    usage = parse_usage(dumps(written))
    assert usage is not None
    assert json.loads(json.dumps(render_usage(usage, ours=True), default=_plain)) == written


def _plain(raw: Raw) -> object:
    return json.loads(bytes(raw))


def test_foreign_counts_have_every_member() -> None:
    """Typed clients expect the details; the total is made."""
    written = render_usage(Usage(input=10, output=5, cache_read=4, reasoning=2), ours=False)
    assert written == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }


def test_a_prompt_that_nobody_counted_is_estimated() -> None:
    """The guess stands in; what was counted counts."""
    assert render_usage(Usage(), ours=False, estimate=7)["input_tokens"] == 7
    assert render_usage(Usage(input=0), ours=False, estimate=7)["input_tokens"] == 0


def test_searches_that_the_provider_counts() -> None:
    """xAI counts them; none are none."""
    counted = parse_usage(b'{"input_tokens":1,"server_side_tool_usage_details":{"web_search_calls":2}}')
    nothing = parse_usage(b'{"input_tokens":1,"server_side_tool_usage_details":{"web_search_calls":0}}')
    assert counted is not None
    assert nothing is not None
    assert (counted.searches, nothing.searches) == (2, None)


@pytest.mark.parametrize("raw", [b"null", b"[]", b'{"input_tokens":"many"}', b"{"])
def test_what_is_no_usage(raw: bytes) -> None:
    """It counts nothing, and fails nothing."""
    assert parse_usage(raw) is None
