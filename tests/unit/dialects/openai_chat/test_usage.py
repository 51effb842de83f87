"""Token counts, each counted once."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import Raw

from strowger.dialects.openai_chat.usage import parse_usage, render_usage
from strowger.ir.events import Usage
from tests.unit.dialects.openai_chat.talk import Json


def read(**members: object) -> Usage:
    usage = parse_usage(json.dumps(members).encode())
    assert usage is not None
    return usage


@pytest.mark.parametrize(
    "members,counts",
    [
        ({"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}, (9, 8, None, None, None)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 1}},
            (9, None, 7, 1, None),
        ),
        ({"completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 6}}, (None, 8, None, None, 6)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 7, "prompt_cache_miss_tokens": 2}, (9, None, 7, None, None)),
        ({"prompt_tokens": 9, "cached_tokens": 7}, (9, None, 7, None, None)),
        ({"prompt_tokens": 9, "num_cached_tokens": 7, "reasoning_tokens": 3}, (9, None, 7, None, 3)),
        ({"prompt_tokens": 9, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1}, (9, None, 7, 1, None)),
        ({"input_tokens": 9, "output_tokens": 8}, (9, 8, None, None, None)),
        ({"prompt_tokens": 9.0, "prompt_tokens_details": None}, (9, None, None, None, None)),
        # a detail that says nothing does not hide one elsewhere that does
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": None}, "cached_tokens": 7},
            (9, None, 7, None, None),
        ),
    ],
)
def test_counts_wherever_they_stand(members: Json, counts: tuple[int | None, ...]) -> None:
    """Prompt tokens include the cached ones in all of these."""
    usage = read(**members)
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning) == counts


@pytest.mark.parametrize(
    "members",
    [
        {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17, "cost": 0.5},
        {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7, "audio_tokens": 0}},
        {"prompt_tokens": 9, "completion_tokens": None, "prompt_cache_hit_tokens": 7},
        {"prompt_tokens": 9},
    ],
)
def test_a_usage_of_this_dialect_comes_back_as_it_was(members: Json) -> None:
    """With all that the vendor says beside the counts."""
    assert json.loads(json.dumps(render_usage(read(**members), ours=True), default=_plain)) == members


def _plain(raw: object) -> object:
    assert isinstance(raw, Raw)
    return json.loads(bytes(raw))


def test_a_foreign_usage_has_totals_and_details() -> None:
    """Clients add up what they find."""
    assert render_usage(Usage(9, 8, cache_read=7, cache_write=1, reasoning=6), ours=False) == {
        "prompt_tokens": 9,
        "completion_tokens": 8,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }


def test_unknown_counts_are_zero() -> None:
    """The official library wants numbers."""
    assert render_usage(Usage(), ours=False) == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert render_usage(Usage(3, estimated=True), ours=True)["total_tokens"] == 3


@pytest.mark.parametrize("body", [b'"odd"', b"[]", b"{", b'{"prompt_tokens":"3"}', b"\xff"])
def test_what_is_no_usage_is_none(body: bytes) -> None:
    """It must not end an answer."""
    assert parse_usage(body) is None


@pytest.mark.parametrize("member", ["server_tool_use", "server_tool_use_details"])
def test_searches_that_openrouter_ran(member: str) -> None:
    """Counted, and the object comes back as it was."""
    stated = {"prompt_tokens": 1, "completion_tokens": 2, member: {"web_search_requests": 3, "tool_calls_executed": 3}}
    usage = read(**stated)
    assert usage.searches == 3
    assert json.loads(msgspec.json.encode(render_usage(usage, ours=True))) == stated
