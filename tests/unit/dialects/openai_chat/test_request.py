"""Requests come back from parse and render as they were, and what they mean is read right."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.openai_chat import DIALECT, FAITHFUL
from strowger.dialects.openai_chat.wire import REASONING_DETAILS
from strowger.errors import BadRequest
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    CustomTool,
    Document,
    FileId,
    FunctionTool,
    HostedTool,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
)
from tests.unit.dialects.openai_chat.talk import Json, parsed, same

USER = {"role": "user", "content": "hi"}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    "message",
    [
        USER,
        {"role": "user", "content": ""},
        {"role": "user", "content": None},
        {"role": "user"},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "text", "text": "hi"}], "name": "bob"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        },
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "odd"}}]},
        {"role": "user", "content": [{"type": "text", "text": "hi", "later": {"a": [1, None]}}], "later": True},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}]},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "x": 1}}],
        },
        {"role": "user", "content": [{"type": "image_url", "image_url": "https://x/y.png"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,plain"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"file": "odd"}}]},
        {
            "role": "user",
            "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav", "x": 1}}],
        },
        {"role": "user", "content": [{"type": "input_audio", "input_audio": "AA=="}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "https://x/a.pdf"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"odd": 1}}]},
        {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://x"}}]},
        {"role": "system", "content": "be"},
        {"role": "developer", "content": [{"type": "text", "text": "be"}]},
        {"role": "assistant", "content": "a", "refusal": None, "annotations": [], "prefix": True},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": "a", "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}, {"type": "text", "text": "t"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "t"}, {"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "odd", "closed": True}]},
        {"role": "assistant", "content": "a", "reasoning_content": "hm"},
        {"role": "assistant", "content": "a", "reasoning_content": ""},
        {"role": "assistant", "content": "a", "reasoning": "hm", "reasoning_content": None},
        {"role": "assistant", "content": "a", "reasoning": "hm", "reasoning_content": "hm"},
        {"role": "assistant", "content": "a", "reasoning": {"odd": 1}},
        {"role": "assistant", "content": "a", "reasoning_details": []},
        {
            "role": "assistant",
            "content": "a",
            "reasoning": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s", "later": 1}],
        },
        {
            "role": "assistant",
            "content": "a",
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}, "odd"],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "assistant", "content": "", "tool_calls": []},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}, "index": 0}]},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "assistant", "tool_calls": [{"id": "", "type": "builtin", "function": {"name": "f", "later": 1}}]},
        {
            "role": "assistant",
            "tool_calls": [{"id": "1", "type": None, "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "cache_control": {"type": "ephemeral"},
                }
            ],
        },
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": {"a": 1}, "later": 1}},
        {"role": "tool", "tool_call_id": "1", "content": "out"},
        {"role": "tool", "tool_call_id": "1", "content": "out", "name": "f", "later": 1},
        {"role": "tool", "tool_call_id": "1", "content": ""},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "out"}]},
        {"role": "tool", "tool_call_id": "1", "content": None},
        {"role": "tool", "content": "no id"},
        {"role": "tool", "tool_call_id": "", "content": "no id"},
        {"role": "function", "name": "f", "content": "out"},
    ],
)
def test_every_message_comes_back_as_it_was(message: Json) -> None:
    """Spellings, unknown members and nulls included."""
    assert same(messages=[message])


@pytest.mark.parametrize(
    "members",
    [
        {"stream": True},
        {"stream": False},
        {"stream": None},
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"stream": True, "stream_options": None},
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"max_tokens": 5, "max_completion_tokens": 6},
        {"temperature": 1, "top_p": 0.5, "top_k": 3},
        {"temperature": 1.0, "seed": 1, "n": 2, "logprobs": True, "logit_bias": {"1": -100}},
        {"temperature": None, "stop": None, "tools": None, "tool_choice": None, "response_format": None},
        {"stop": "x"},
        {"stop": ["x", "y"]},
        {"stop": []},
        {"tools": []},
        {"tools": [{"type": "function", "function": FUNCTION}], "parallel_tool_calls": False},
        {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True, "type": "function"}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "description": None, "strict": None}}]},
        {"tools": [{"function": FUNCTION}]},
        {"tools": [{"type": "function", "function": FUNCTION, "cache_control": {"type": "ephemeral"}, "later": 1}]},
        {"tools": [{"type": "custom", "custom": {"name": "f", "format": {"type": "text"}, "later": 1}, "more": 2}]},
        {"tools": [{"type": "openrouter:web_search", "parameters": {"a": 1}}]},
        {"functions": [{**FUNCTION, "later": 1}], "function_call": "auto"},
        {"functions": [FUNCTION], "function_call": {"name": "f", "later": 1}},
        {"functions": [], "function_call": "odd"},
        {"tool_choice": "auto"},
        {"tool_choice": "none"},
        {"tool_choice": "required"},
        {"tool_choice": "any"},
        {"tool_choice": "validated"},
        {"tool_choice": {"type": "function", "function": {"name": "f", "later": 1}, "more": 2}},
        {"tool_choice": {"function": {"name": "f"}}},
        {"tool_choice": {"type": "custom", "custom": {"name": "f"}}},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}},
        {"tool_choice": {"type": "odd", "x": 1}},
        {"reasoning_effort": "high"},
        {"thinking": {"type": "enabled", "clear_thinking": False}},
        {"thinking": {"type": "enabled", "budget_tokens": 5}, "reasoning_effort": "high"},
        {"thinking": {"effort": "low", "keep": "all"}, "reasoning_effort": "high"},
        {"reasoning": {"effort": "low", "exclude": True}},
        {"reasoning": {"max_tokens": 5, "enabled": False, "later": 1}},
        {"reasoning": {"enabled": True, "exclude": False}, "reasoning_effort": "low", "thinking": None},
        {"thinking": {"type": "disabled"}, "reasoning": {"effort": "low"}},
        {"reasoning": "odd", "thinking": False},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object", "later": 1}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}, "description": "d", "later": 1}}},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "grammar", "grammar": "x"}},
        {"user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "flex", "store": False},
        {"extra_body": {"a": {"b": [1.5, "ü", None]}}, "metadata": {}},
    ],
)
def test_every_member_comes_back_as_it_was(members: Json) -> None:
    """Known and unknown, in every spelling."""
    assert same(messages=[USER], **members)


def test_numbers_stay_what_they_were() -> None:
    """One is not one point nought to a cache of prompts."""
    body = b'{"model":"m","messages":[],"temperature":1.0,"top_p":1}'
    request = DIALECT.client.parse_request(body)
    assert request.sampling == Sampling(1.0, 1)
    assert type(request.sampling.temperature) is float
    assert type(request.sampling.top_p) is int


def test_a_model_may_be_missing() -> None:
    """Azure names it in the URL."""
    bodies: tuple[Json, ...] = ({"messages": []}, {"messages": [], "model": ""})
    for body in bodies:
        request = DIALECT.client.parse_request(json.dumps(body).encode())
        assert request.model == ""
        assert json.loads(DIALECT.upstream.render_request(request, "", FAITHFUL).body) == body
        assert json.loads(DIALECT.upstream.render_request(request, "m", FAITHFUL).body)["model"] == "m"


# ---- meaning ----


def test_content_parts() -> None:
    """Each kind of part is what it is; what is not known stays whole."""
    (message,) = parsed(
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://x"}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
                    {"type": "file", "file": {"file_id": "f"}},
                    {"type": "video_url"},
                ],
            }
        ]
    ).messages
    assert message.parts[:-1] == (
        Text("t", cache=CacheHint()),
        Image(Base64("image/png", "AA=="), "low"),
        Image(Url("https://x")),
        Audio("AA==", "wav"),
        Document(Base64("application/pdf", "AA=="), "a.pdf"),
        Document(FileId("f")),
    )
    assert isinstance(message.parts[-1], Opaque)
    assert message.parts[-1].kind == "video_url"


def test_an_assistant_turn_is_thinking_then_refusal_then_words_then_calls() -> None:
    """Whatever the order of the members."""
    (message,) = parsed(
        messages=[
            {
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "content": "words",
                "refusal": "no",
                "reasoning": "hm",
                "role": "assistant",
            }
        ]
    ).messages
    assert message.plain
    assert message.parts == (
        Thinking("hm", form="reasoning"),
        Refusal("no"),
        Text("words"),
        ToolCall("1", "f", "{}"),
    )


def test_reasoning_details_are_state_of_an_unknown_issuer() -> None:
    """Their text is read where no other member has it."""
    details = [{"type": "reasoning.summary", "summary": "hm"}, {"type": "reasoning.encrypted", "data": "x"}]
    (message,) = parsed(messages=[{"role": "assistant", "content": "a", "reasoning_details": details}]).messages
    thinking = message.parts[0]
    assert isinstance(thinking, Thinking)
    assert thinking.text == "hm"
    assert thinking.signed is not None
    assert (thinking.signed.origin, thinking.signed.kind) == ("", REASONING_DETAILS)
    assert json.loads(thinking.signed.blob) == details


def test_arguments_that_are_an_object_become_text() -> None:
    """Some clients send back what their own parser made of it."""
    (message,) = parsed(
        messages=[{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}]}]
    ).messages
    (call,) = message.parts
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"a": 1}


def test_results() -> None:
    """A tool message is one result; the old function message names the function."""
    tool, function = parsed(
        messages=[
            {"role": "tool", "tool_call_id": "1", "content": "out"},
            {"role": "function", "name": "f", "content": "out"},
        ]
    ).messages
    assert tool.parts == (ToolResult("1", (Text("out"),), plain=True),)
    assert function.parts == (ToolResult("", (Text("out"),), plain=True, name="f"),)


def test_tools() -> None:
    """Functions in both spellings, free-text tools, and what only the vendor knows."""
    tools = parsed(
        tools=[
            {"type": "function", "function": {"name": "a", "strict": True}},
            {"type": "custom", "custom": {"name": "b"}},
            {"type": "web_search", "x": 1},
        ],
        functions=[{"name": "c"}],
    ).tools
    assert tools[0] == FunctionTool("a", strict=True)
    assert tools[1] == CustomTool("b")
    assert isinstance(tools[2], HostedTool)
    assert tools[2].type == "web_search"
    assert tools[3] == FunctionTool("c", form="functions")


@pytest.mark.parametrize(
    "members,choice",
    [
        ({}, None),
        ({"tool_choice": "auto"}, ToolChoice("auto")),
        ({"tool_choice": "any"}, ToolChoice("required")),
        ({"tool_choice": {"function": {"name": "f"}}}, ToolChoice("tool", "f")),
        ({"function_call": "none"}, ToolChoice("none")),
        ({"function_call": {"name": "f"}}, ToolChoice("tool", "f")),
        ({"tool_choice": "odd"}, None),
    ],
)
def test_tool_choice(members: Json, choice: ToolChoice | None) -> None:
    """Every spelling of the choice; one that is not known is left to the upstream."""
    assert parsed(**members).tool_choice == choice


@pytest.mark.parametrize(
    "members,reasoning",
    [
        ({"reasoning_effort": "high"}, Reasoning(effort="high")),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Reasoning("enabled", 9)),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "low"}, Reasoning("disabled", effort="low")),
        ({"reasoning": {"enabled": False}}, Reasoning("disabled")),
        ({"reasoning": {"max_tokens": 9, "exclude": True}}, Reasoning(budget=9, display="omitted")),
    ],
)
def test_how_much_to_think(members: Json, reasoning: Reasoning) -> None:
    """Four spellings of one wish."""
    assert parsed(**members).reasoning == reasoning


def test_usage_is_wanted_when_asked_for() -> None:
    """A stream has counts only on demand; a whole answer always."""
    assert parsed().usage_wanted
    assert not parsed(stream=True).usage_wanted
    assert parsed(stream=True, stream_options={"include_usage": True}).usage_wanted


# ---- peek and errors ----


def test_peek() -> None:
    """What routing needs, without the rest."""
    seen = DIALECT.client.peek(b'{"model":"m","stream":true,"prompt_cache_key":"k","messages":[1]}')
    assert (seen.model, seen.stream, seen.session) == ("m", True, "k")
    assert DIALECT.client.peek(b'{"model":"m","stream":null}').stream is False


@pytest.mark.parametrize(
    "body,param,words",
    [
        (b"", None, "not valid JSON"),
        (b"{", None, "not valid JSON"),
        (b"[]", None, "expected object"),
        (b"\xff", None, "not valid"),
        (b'{"model":"m"}', "messages", "field required"),
        (b'{"model":1,"messages":[]}', "model", "expected str"),
        (b'{"model":"m","messages":{}}', "messages", "expected array"),
        (b'{"model":"m","messages":[1]}', "messages[0]", "expected object"),
        (b'{"model":"m","messages":[{}]}', "messages[0].role", "field required"),
        (b'{"model":"m","messages":[{"role":"ai"}]}', "messages[0].role", "'ai' is not a role"),
        (
            b'{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}',
            "messages[0].content[0].text",
            "required",
        ),
        (
            b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{}}]}]}',
            "messages[0].tool_calls[0].function.name",
            "field required",
        ),
        (b'{"model":"m","messages":[],"tools":[{"type":"function"}]}', "tools[0].function", "field required"),
        (b'{"model":"m","messages":[],"temperature":"hot"}', "temperature", "expected int | float"),
        (b'{"model":"m","messages":[],"stream":true,"stream_options":1}', "stream_options", "expected"),
        (b'{"model":"m","messages":[],"stop":[1]}', "stop", "expected str"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, param: str | None, words: str) -> None:
    """The member at fault, by its path."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.client.parse_request(body)
    assert caught.value.param == param
    assert words in caught.value.message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"model":null}', b'{"model":1}', b'{"model":"m","stream":"yes"}']
)
def test_peek_refuses_what_cannot_be_routed(body: bytes) -> None:
    """Without a model there is no route."""
    with pytest.raises(BadRequest):
        DIALECT.client.peek(body)
