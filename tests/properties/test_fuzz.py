"""Broken bytes break nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.recordings import SPOKEN
from tests.properties import fuzz_requests
from tests.properties.fuzz import fuzz, judge
from tests.properties.seeds import SEEDS

FOUND = (
    # an unknown event whose strings are no UTF-8, told to a client
    (
        "anthropic",
        b'data: {"type":"message_start","message":{"id":"m","model":"m"}}\n\ndata: {"type":"x","y":"\xf9"}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
    ),
    # a body behind a blank line: where it is broken must not depend on how it came
    ("anthropic", b'\n{"id":"c","choices":[{{"index":0}]}'),
)


@pytest.mark.parametrize("dialect, data", FOUND)
def test_what_was_found(dialect: str, data: bytes) -> None:
    """What once broke something."""
    for seed in range(20):
        judge(dialect, data, f"found {seed}")


@pytest.mark.parametrize("seed", range(2))
def test_broken_answers(seed: int) -> None:
    """Whatever becomes of an upstream's bytes: legal events, an end, the same for any cutting, never an exception."""
    assert fuzz(seed, lambda number: number < 1000) == 1000


@pytest.mark.parametrize("dialect", SPOKEN)
def test_seeds_cut_everywhere(dialect: str) -> None:
    """A stream or a body that ends anywhere is a failure or an answer, not a surprise."""
    for data in SEEDS[dialect]:
        for end in range(0, len(data) + 1, max(3, len(data) // 150)):
            judge(dialect, data[:end], f"cut {end}")


@pytest.mark.parametrize("seed", range(2))
def test_broken_requests(seed: int) -> None:
    """Whatever a client sends: a refusal that says why, or a request that goes to either dialect's upstreams."""
    judged, taken = fuzz_requests.fuzz(seed, lambda number: number < 600)
    assert judged == 600
    assert taken > 100


FOUND_REQUESTS = (
    # a schema that is none
    ("openai_chat", {"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]}),
    # schemas that are none further down
    (
        "anthropic",
        {"tools": [{"name": "f", "input_schema": {"properties": {}, "additionalProperties": False, "required": [{}]}}]},
    ),
    (
        "openai_chat",
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"minItems": []}}}]},
    ),
    # nothing where the effort would have gone
    ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": None}),
)


@pytest.mark.parametrize("dialect, body", FOUND_REQUESTS)
def test_what_was_found_in_requests(dialect: str, body: dict[str, Any]) -> None:
    """What once broke something."""
    whole = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **body}
    fuzz_requests.judge(dialect, json.dumps(whole).encode())
