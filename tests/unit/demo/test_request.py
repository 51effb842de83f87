"""What OpenAI would refuse, the demo model refuses, with the field's name."""

from __future__ import annotations

from typing import Any

import pytest

from strowger.demo.request import MODELS, parse, since_last_answer
from strowger.errors import BadRequest, UnknownModel

USER = {"role": "user", "content": "hi"}
CALLING = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
TOOL = {"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    """A request; by default one that is right."""
    return {"model": "demo", "messages": list(messages) or [USER], **fields}


@pytest.mark.parametrize(
    "sent, param",
    [
        ([], None),
        ("text", None),
        ({"messages": [USER]}, "model"),
        ({"model": "demo"}, "messages"),
        ({"model": 3, "messages": [USER]}, "model"),
        ({"model": "demo", "messages": []}, "messages"),
        ({"model": "demo", "messages": {"role": "user"}}, "messages"),
        (body("hi"), "messages[0]"),
        (body({"content": "hi"}), "messages[0]"),
        (body({"role": "robot", "content": "hi"}), "messages[0].role"),
        (body({"role": "user", "content": 7}), "messages[0].content"),
        (body({"role": "user", "content": None}), "messages[0].content"),
        (body(USER, {"role": "assistant", "content": None}), "messages[1].content"),
        (body({"role": "user", "content": [{"type": "text"}]}), "messages[0].content[0].text"),
        (body({"role": "user", "content": [{"type": "tool_result"}]}), "messages[0].content[0].type"),
        (body({"role": "system", "content": [{"type": "image_url"}]}), "messages[0].content[0].type"),
        (body(USER, CALLING), "messages"),
        (body(USER, CALLING, USER, RESULT), "messages"),
        (body(USER, RESULT), "messages[1].role"),
        (body(USER, CALLING, RESULT, RESULT), "messages[3].role"),
        (body(USER, CALLING, {"role": "tool", "content": "ok"}), "messages[2].tool_call_id"),
        (body({"role": "user", "content": "hi", "tool_calls": []}), "messages[0].tool_calls"),
        (body(max_tokens=0), "max_tokens"),
        (body(max_tokens="8"), "max_tokens"),
        (body(max_tokens=8, max_completion_tokens=8), "max_tokens"),
        (body(temperature=3), "temperature"),
        (body(stop=["a", "b", "c", "d", "e"]), "stop"),
        (body(stream="yes"), "stream"),
        (body(stream_options={"include_usage": True}), "stream_options"),
        (body(n=2), "n"),
        (body(response_format={"type": "xml"}), "response_format.type"),
        (body(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (body(tools=[{"type": "web_search"}]), "tools[0].type"),
        (body(tools=[{"type": "function"}]), "tools[0].function"),
        (body(tools=[{"type": "function", "function": {"name": "a b"}}]), "tools[0].function.name"),
        (body(tools=[{"type": "function", "function": {"name": "a" * 65}}]), "tools[0].function.name"),
        (body(tool_choice="auto"), "tool_choice"),
        (body(tools=[TOOL], tool_choice="any"), "tool_choice"),
        (body(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "Read"}}), "tool_choice"),
    ],
)
def test_bad_shapes_are_refused(sent: Any, param: str | None) -> None:
    """A wrong shape is the caller's fault, and the error names the field."""
    with pytest.raises(BadRequest) as caught:
        parse(sent)
    assert caught.value.param == param


def test_unknown_models_are_refused() -> None:
    """Only the demo models are there; the error knows which."""
    with pytest.raises(UnknownModel) as caught:
        parse({"model": "gpt-5", "messages": [USER]})
    assert caught.value.available == MODELS
    assert caught.value.code == "model_not_found"


def test_unknown_fields_are_let_through() -> None:
    """A field that it does not know does not hurt, as with the many compatible providers."""
    request = parse(body({**USER, "name": "x", "mood": 1}, store=False, prompt_cache_key="k", made_up={"a": 1}))
    assert request.messages[0].said == "hi"


def test_content_may_be_parts() -> None:
    """The text of a message is that of its parts; what an agent wraps around its user's words is not said by them."""
    parts = [
        {"type": "text", "text": "<system-reminder>\nbe brief\n</system-reminder>"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "what is this?"},
    ]
    message = parse(body({"role": "user", "content": parts})).messages[0]
    assert message.text.startswith("<system-reminder>")
    assert message.said == "what is this?"


def test_a_whole_tool_loop_is_accepted() -> None:
    """Calls with all their results, and what comes after them."""
    request = parse(body(USER, CALLING, RESULT, {"role": "user", "content": "and now?"}, tools=[TOOL]))
    assert [message.role for message in since_last_answer(request.messages)] == ["tool", "user"]
    assert list(request.functions) == ["Bash"]


def test_limits_and_stops_have_two_spellings() -> None:
    """`max_completion_tokens` is the new name of `max_tokens`; one stop string may stand alone."""
    assert parse(body(max_completion_tokens=5)).limit == parse(body(max_tokens=5)).limit == 5
    assert parse(body(stop="x")).stops == parse(body(stop=["x", ""])).stops == ("x",)
    assert parse(body()).stops == ()
