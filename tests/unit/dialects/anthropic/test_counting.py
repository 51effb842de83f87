"""Counting tokens as Anthropic does."""

import json

from strowger.dialects.anthropic.counting import count_body, parse_count, render_count


def test_a_question_for_tokens_has_only_what_makes_up_the_prompt() -> None:
    """Limits, sampling and streaming are no part of it, and the endpoint refuses them."""
    body = {"model": "m", "max_tokens": 1, "stream": True, "messages": [], "system": "s", "temperature": 1}
    assert json.loads(count_body(json.dumps(body).encode())) == {"model": "m", "messages": [], "system": "s"}


def test_a_count_is_read_as_it_is_written() -> None:
    """What is no count gives None, so that an estimate takes its place."""
    assert parse_count(render_count(7)) == 7
    assert parse_count(b'{"error": {}}') is None
    assert parse_count(b"<html>") is None
