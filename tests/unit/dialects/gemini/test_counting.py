"""countTokens: its question and its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.gemini.counting import count_body, parse_count, render_count
from tests.unit.dialects.gemini.asking import HELLO, dumps

ASKED: Any = {"contents": [HELLO], "systemInstruction": {"parts": [{"text": "a"}]}}


def question(body: Any) -> Any:
    """The question that a body becomes."""
    return json.loads(count_body(dumps(body), "x"))


def test_a_request_is_asked_about_whole() -> None:
    """Its system text and its tools count as well; the model stands inside."""
    assert question(ASKED) == {"generateContentRequest": {**ASKED, "model": "models/x"}}


@pytest.mark.parametrize("key", ["generateContentRequest", "generate_content_request"])
def test_a_question_stays_one(key: str) -> None:
    """For the model of the route."""
    assert question({key: {**ASKED, "model": "models/y"}}) == {"generateContentRequest": {**ASKED, "model": "models/x"}}


def test_code_assist_is_asked_about_contents() -> None:
    """It knows no other member there."""
    envelope = {"model": "y", "project": "p", "request": {**ASKED, "session_id": "s"}}
    assert question(envelope) == {"request": {"model": "models/x", "contents": [HELLO]}}


def test_the_answer_both_ways() -> None:
    """One number."""
    assert parse_count(b'{"totalTokens":7,"promptTokensDetails":[]}') == 7
    assert parse_count(render_count(7)) == 7


@pytest.mark.parametrize("body", [b"{}", b"", b'{"totalTokens":"7"}', b"\xff"])
def test_no_answer(body: bytes) -> None:
    """What holds no number tells nothing."""
    assert parse_count(body) is None
