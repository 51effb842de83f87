"""What an answer repeats of its request."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from strowger.dialects.openai_responses import DIALECT
from strowger.dialects.openai_responses.echo import DEFAULTS, repeated
from strowger.ir.request import Request
from tests.unit.dialects.openai_responses.answering import answer, body, dumps, encoder_setup

ASKED = {
    "model": "asked-for",
    "instructions": "be brief",
    "input": "hi",
    "tools": [{"type": "function", "name": "ls", "parameters": {"type": "object"}, "strict": False}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "temperature": 0.5,
    "max_output_tokens": 100,
    "metadata": {"k": "v"},
    "store": False,
    "text": {"verbosity": "low"},
    "reasoning": {"effort": "high"},
    "user": None,
    "include": ["reasoning.encrypted_content"],
    "stream": True,
}


def test_a_request_is_repeated() -> None:
    """As the client wrote it, but for what was said and how it is delivered; the rest are the vendor's defaults."""
    asked = DIALECT.client.parse_request(dumps(ASKED))
    answered, _ = body(answer(), request=asked)
    expected = {key: value for key, value in ASKED.items() if key in DEFAULTS and value is not None}
    expected["text"] = {"format": {"type": "text"}, "verbosity": "low"}
    expected["tools"] = [{"description": None, **ASKED["tools"][0]}]  # type: ignore[index]
    assert {key: answered[key] for key in DEFAULTS} == {**DEFAULTS, **expected}
    assert not {"input", "include", "stream"} & set(answered)


def test_without_a_request_there_are_the_defaults() -> None:
    """And for one of another dialect, whose members mean nothing here."""
    assert repeated(encoder_setup()) == DEFAULTS
    foreign = Request("anthropic", "m", extras={"temperature": Raw(b"1")})
    assert repeated(encoder_setup(request=foreign)) == DEFAULTS


def test_functions_are_repeated_whole() -> None:
    """With what the client left out as null; other tools, and namespaces, as they were written."""
    others: list[Any] = [{"type": "custom", "name": "c"}, {"type": "web_search"}]
    asked = {**ASKED, "tools": [{"type": "function", "name": "f"}, *others]}
    answered = repeated(encoder_setup(request=DIALECT.client.parse_request(dumps(asked))))
    function = {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None}
    assert json.loads(msgspec.json.encode(answered["tools"])) == [function, *others]


def test_what_the_request_followed_is_repeated() -> None:
    """Although what was said before it is in the request by now."""
    asked = DIALECT.client.parse_request(dumps(ASKED))
    assert repeated(encoder_setup(request=asked, follows="resp_1"))["previous_response_id"] == "resp_1"


def test_defaults_are_json() -> None:
    """They are written into every answer."""
    assert json.loads(dumps(DEFAULTS)) == DEFAULTS
