"""The endpoint that counts the tokens of a prompt."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.openai_responses.counting import count_body, parse_count, render_count


def test_the_question_has_what_makes_up_the_prompt() -> None:
    """The endpoint refuses the other members."""
    body = {"model": "m", "input": "x", "stream": True, "store": False, "tools": [], "reasoning": {"effort": "low"}}
    asked = json.loads(count_body(json.dumps(body).encode()))
    assert asked == {"model": "m", "input": "x", "tools": [], "reasoning": {"effort": "low"}}


def test_the_answer_goes_both_ways() -> None:
    """As the official SDK reads it."""
    assert json.loads(render_count(9)) == {"object": "response.input_tokens", "input_tokens": 9}
    assert parse_count(render_count(9)) == 9


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"input_tokens":"9"}', b"\xff"])
def test_an_answer_without_a_number(body: bytes) -> None:
    """Then the gateway counts by itself."""
    assert parse_count(body) is None
