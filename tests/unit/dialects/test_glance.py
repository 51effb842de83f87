"""What is read off a body at a glance, in all dialects."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.glance import Glance


def glance(**body: object) -> Glance:
    return Glance(json.dumps(body).encode())


ANTHROPIC = {
    "system": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
    "messages": [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": [{"type": "text", "text": "said"}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "brought"}, {"type": "text", "text": "last"}]},
        {"role": "system", "content": "by the way"},
    ],
}
CHAT = {
    "messages": [
        {"role": "developer", "content": "one"},
        {"role": "system", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "said"},
        {"role": "tool", "content": "brought"},
        {"role": "user", "content": [{"type": "text", "text": "last"}]},
        {"role": "developer", "content": "by the way"},
    ]
}
RESPONSES = {
    "instructions": "one",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "two"}]},
        {"role": "user", "content": "first"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "said"}]},
        {"type": "function_call_output", "output": "brought", "content": "brought"},
        {"role": "user", "content": [{"type": "input_text", "text": "last"}]},
        {"role": "system", "content": "by the way"},
    ],
}
GEMINI = {
    "systemInstruction": {"parts": [{"text": "one"}, {"text": "two"}]},
    "contents": [
        {"parts": [{"text": "first"}]},
        {"role": "model", "parts": [{"text": "said"}]},
        {"role": "user", "parts": [{"functionResponse": {"response": {"text": "brought"}}}, {"text": "last"}]},
        {"role": "system", "parts": [{"text": "by the way"}]},
    ],
}


@pytest.mark.parametrize(
    "body", [ANTHROPIC, CHAT, RESPONSES, GEMINI, {"request": GEMINI}], ids=lambda body: next(iter(body))
)
def test_texts(body: dict[str, object]) -> None:
    """The system prompt, the user's last message, and all that the model was told from the latest on; nothing that it
    said itself or that tools brought.
    """
    found = glance(**body)
    assert found.system == ("one", "two")
    assert found.last == ("last",)
    assert [text for text in found.told() if text not in found.system] == ["by the way", "last", "first"]


def test_the_last_message_of_the_user_may_hold_no_text() -> None:
    """Results of tools are the last then, and the text before them is not."""
    messages = [{"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "tool_result"}]}]
    assert glance(messages=messages).last == ()
    assert glance(input="a").last == ("a",)


@pytest.mark.parametrize(
    "body, effort, thinking",
    [
        ({}, "", False),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "High"}}, "high", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "", True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "high", False),
        ({"reasoning_effort": "low"}, "low", True),
        ({"reasoning_effort": "none"}, "none", False),
        ({"reasoning": {"effort": "medium", "summary": "auto"}}, "medium", True),
        ({"reasoning": {"summary": "auto"}}, "", True),
        ({"reasoning": {"enabled": False}}, "", False),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}, "high", True),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, "", False),
        ({"generation_config": {"thinking_config": {"includeThoughts": True}}}, "", True),
        ({"reasoning_effort": 3, "output_config": ["high"]}, "", False),
    ],
)
def test_effort_and_thinking(body: dict[str, object], effort: str, thinking: bool) -> None:
    """How hard a model shall think, and whether, in the words of each dialect."""
    found = glance(**body)
    assert (found.effort, found.thinking) == (effort, thinking)


@pytest.mark.parametrize(
    "body, names",
    [
        (
            {"tools": [{"name": "Bash"}, {"type": "web_search_20250305", "name": "web_search"}]},
            "Bash web_search web_se",
        ),
        ({"tools": [{"type": "function", "function": {"name": "run"}}], "web_search_options": {}}, "run web_search"),
        ({"tools": [{"type": "function", "name": "run"}, {"type": "web_search"}]}, "run web_search"),
        (
            {"tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}, {"googleSearch": {}}]},
            "a b googleSearc",
        ),
        ({"tools": "none"}, ""),
    ],
)
def test_tools(body: dict[str, object], names: str) -> None:
    """Tools by their names, hosted ones by their types too."""
    found = glance(**body).tools
    assert len(found) == len(names.split())
    assert all(name.startswith(begins) for name, begins in zip(found, names.split(), strict=True))


def test_metadata() -> None:
    """What a client of Responses says of the request; what is no text is none."""
    assert glance(client_metadata={"a": "b", "n": 1}).metadata == {"a": "b"}
    assert glance(client_metadata="a").metadata == {}


@pytest.mark.parametrize(
    "part, there",
    [
        ({"type": "image", "source": {}}, True),
        ({"type": "image_url", "image_url": {}}, True),
        ({"type": "input_image"}, True),
        ({"inlineData": {"mimeType": "image/png", "data": ""}}, True),
        ({"type": "text", "text": '{"type":"image"}'}, False),
        ({"type": "document"}, False),
    ],
)
def test_images(part: dict[str, object], there: bool) -> None:
    """Pictures are known by their parts, not by what a text says."""
    assert glance(messages=[{"role": "user", "content": [part]}]).images is there


def test_tokens() -> None:
    """A fourth of the bytes; a picture counts the same however large it is."""
    assert Glance(b"x" * 4000).tokens == 1000
    picture = {"type": "image", "source": {"type": "base64", "data": "A" * 400_000}}
    assert glance(messages=[{"role": "user", "content": [picture]}]).tokens < 2000
    assert glance(input=[{"content": [{"image_url": "data:image/png;base64," + "A" * 400_000}]}]).tokens < 2000
    words = glance(messages=[{"role": "user", "content": "of base64 " * 40_000}])
    assert words.tokens > 90_000


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"messages": 3, "tools": {}}', b"[" * 100_000, b"\xff"])
def test_nothing_raises(body: bytes) -> None:
    """Of what is no body of any dialect nothing is known; what is wrong with it is for the parser to say."""
    found = Glance(body)
    assert (found.system, found.last, list(found.told()), found.tools) == ((), (), [], ())
    assert (found.effort, found.thinking, found.images) == ("", False, False)
