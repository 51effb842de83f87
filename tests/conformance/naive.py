"""The plain readings of answers, by dialect: what everything else is judged by."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from tests.conformance import naive_anthropic, naive_chat, naive_gemini, naive_responses
from tests.conformance.reading import Reading
from tests.conformance.recordings import Answered

STREAM: dict[str, Callable[[bytes], Reading]] = {
    "anthropic": naive_anthropic.stream,
    "openai_chat": naive_chat.stream,
    "openai_responses": naive_responses.stream,
    "gemini": naive_gemini.stream,
}
WHOLE: dict[str, Callable[[Any], Reading]] = {
    "anthropic": naive_anthropic.whole,
    "openai_chat": naive_chat.whole,
    "openai_responses": naive_responses.whole,
    "gemini": naive_gemini.whole,
}


@functools.cache
def recorded(dialect: str, case: Answered) -> Reading:
    """A recorded answer; read once, judged by in many directions."""
    return STREAM[dialect](case.body) if case.shape == "stream" else WHOLE[dialect](json.loads(case.body))
