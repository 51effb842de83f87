"""A body to the middle form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.base import Peek, Spot
from strowger.dialects.gemini import FAITHFUL
from strowger.dialects.gemini.render import render_request
from strowger.dialects.gemini.request import parse_request, peek
from strowger.errors import BadRequest
from strowger.ir.request import Opaque, Text
from tests.unit.dialects.gemini.asking import HELLO, SPOT, again, asked, comes_back, dumps, parse

ASSIST = Spot(stream=True, form="code_assist")


@pytest.mark.parametrize(
    "members",
    [
        {"contents": []},
        {"contents": HELLO},
        {"contents": [{"parts": [{"text": "a"}]}]},
        {"contents": [{"role": None, "parts": None}]},
        {"contents": [{"role": "user"}]},
        {"contents": [{"role": "", "parts": []}]},
        {"tools": None, "toolConfig": None},
        {"contents": [{"role": "user", "parts": []}]},
        {"contents": [{"role": "user", "parts": {"text": "a"}, "x": 1}]},
        {"contents": [HELLO, {"role": "function", "parts": [{"text": "a"}]}]},
        {"systemInstruction": "be kind"},
        {"systemInstruction": None},
        {"systemInstruction": {}},
        {"systemInstruction": {"parts": []}},
        {"systemInstruction": {"role": "user", "parts": [{"text": "a", "thought": False}, {"new": 1}]}},
        {"system_instruction": {"parts": {"text": "a"}}},
        {"safetySettings": [{"category": 10, "threshold": 3}], "cachedContent": "c", "labels": {"a": "b"}},
        {"serviceTier": "flex"},
        {"service_tier": ""},
        {"model": "models/gemini-3.5-flash"},
        {"new": {"a": [None]}},
    ],
)
def test_every_spelling_comes_back(members: Any) -> None:
    """One value for a list, a missing role, a text for a content."""
    assert comes_back(**members)


def test_model_and_stream_are_the_urls() -> None:
    """The body has neither."""
    request = parse({"contents": [HELLO]}, Spot("models/x", stream=True))
    assert (request.model, request.stream) == ("x", True)


def test_the_model_may_stand_in_the_body() -> None:
    """Where no URL says it; without its collection."""
    assert parse({"contents": [], "model": "models/x"}, Spot()).model == "x"


def test_another_model_takes_the_place_in_the_same_collection() -> None:
    """A body that names the model must name the one that the URL does."""
    request = asked(model="models/gemini-3.5-flash")
    assert json.loads(render_request(request, "other", FAITHFUL).body)["model"] == "models/other"


def test_roles() -> None:
    """A content without a role is the user's; `function` was the user's once."""
    messages = asked(
        [{"parts": [{"text": "a"}]}, {"role": "model", "parts": []}, {"role": "function", "parts": []}]
    ).messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]


def test_system_text_is_texts() -> None:
    """Anything else in it is for Google only."""
    system = asked(systemInstruction={"parts": [{"text": "a"}, {"inlineData": {}}]}).system
    assert system == (Text("a"), Opaque("gemini", "part", Raw(b'{"inlineData":{}}')))


@pytest.mark.parametrize(
    "body, path",
    [
        ({}, "contents"),
        ({"contents": 1}, "contents"),
        ({"contents": [1]}, r"contents\[0\]"),
        ({"contents": [{"role": "assistant", "parts": []}]}, r"contents\[0\].role"),
        ({"contents": [{"role": "user", "parts": [{"text": 1}]}]}, r"contents\[0\].parts\[0\].text"),
        ({"contents": [], "generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"request": {"contents": [1]}}, r"request.contents\[0\]"),
    ],
)
def test_what_is_wrong_is_named(body: object, path: str) -> None:
    """The member at fault, by its path."""
    with pytest.raises(BadRequest, match=f"^(the )?{path}"):
        parse(body)


# ---- Code Assist ----

ENVELOPE: Any = {
    "model": "gemini-2.5-pro",
    "project": "p",
    "user_prompt_id": "u",
    "request": {
        "contents": [HELLO],
        "session_id": "s",
        "systemInstruction": {"role": "user", "parts": [{"text": "a"}]},
    },
}


def test_an_envelope_comes_back() -> None:
    """With all that stands around the request."""
    assert again(ENVELOPE, spot=ASSIST) == ENVELOPE


def test_an_envelope_is_opened() -> None:
    """Its model is the model, its session the conversation."""
    request = parse(ENVELOPE, ASSIST)
    assert (request.model, request.cache_key, request.stream) == ("gemini-2.5-pro", "s", True)
    assert request.system == (Text("a"),)


def test_the_question_for_tokens_comes_back() -> None:
    """countTokens wraps a request of its own."""
    body = {"generateContentRequest": {"model": "models/gemini-3.5-flash", "contents": [HELLO]}}
    assert again(body) == body
    assert parse(body, Spot()).model == "gemini-3.5-flash"


# ---- peek ----


def test_the_public_api_says_all_in_the_url() -> None:
    """The body is not looked at."""
    assert peek(b"{", Spot("models/x", stream=True)) == Peek("x", True)


def test_code_assist_says_it_in_the_envelope() -> None:
    """Model, session, and how the model is written."""
    assert peek(dumps(ENVELOPE), ASSIST) == Peek("gemini-2.5-pro", True, "s", b'"gemini-2.5-pro"')


def test_a_count_of_code_assist_names_the_model_inside() -> None:
    """There is no other place for it."""
    assert peek(dumps({"request": {"model": "models/x", "contents": []}}), Spot(form="code_assist")).model == "x"


@pytest.mark.parametrize("body", [b"{", b"[]", dumps({"contents": []}), dumps({"model": 1, "contents": []})])
def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    """Where nothing else says it."""
    with pytest.raises(BadRequest):
        peek(body, Spot())


def test_half_a_surrogate_is_mended() -> None:
    """JavaScript cuts strings inside an emoji; the body is parsed all the same."""
    body = b'{"model":"x","contents":[{"role":"user","parts":[{"text":"\\ud83d"}]}]}'
    assert parse_request(body, SPOT).messages[0].parts == (Text("�"),)
    assert peek(body, Spot(form="code_assist")).model == "x"
