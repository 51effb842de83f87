"""Tools and the choice among them, as a target takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.client_tools import PLACEHOLDER
from strowger.dialects.openai_chat import DIALECT
from strowger.ir.request import (
    CacheHint,
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolSearch,
)
from tests.unit.dialects.openai_chat.talk import Json, losses, parsed, rendered

PLAIN = Capabilities(origin="here")
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
CLOSED = Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')


def offered(*tools: Tool, **members: Any) -> Request:
    """A request that came from Anthropic."""
    return Request("anthropic", "m", (Message("user", (Text("hi"),)),), tools=tools, **members)


def names(body: Json) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


def test_a_foreign_tool() -> None:
    """Its schema as it is, an empty one where it has none."""
    request = offered(FunctionTool("f", "d", SCHEMA), FunctionTool("g"))
    assert rendered(request, PLAIN)["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": json.loads(bytes(SCHEMA))}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    ]


def test_what_only_the_other_vendor_knows_of_a_tool_is_a_loss() -> None:
    """So are hints that are not taken."""
    request = offered(FunctionTool("f", cache=CacheHint(), extras={"input_examples": Raw(b"[1]"), "odd": Raw(b"1")}))
    assert losses(request, PLAIN) == {
        "tools[0].input_examples": "info",
        "tools[0].odd": "warning",
        "cache_control": "info",
    }
    assert rendered(request, replace(PLAIN, cache_hints=True))["tools"][0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    "schema,strict,able,sent",
    [
        (CLOSED, True, True, True),
        (SCHEMA, True, True, None),
        (CLOSED, True, False, None),
        (SCHEMA, False, True, None),
        (CLOSED, None, True, None),
    ],
)
def test_strict_only_where_schema_and_provider_allow_it(
    schema: Raw, strict: bool | None, able: bool, sent: bool | None
) -> None:
    """A strict tool with another schema is refused."""
    body = rendered(offered(FunctionTool("f", None, schema, strict)), replace(PLAIN, strict_tools=able))
    assert body["tools"][0]["function"].get("strict") is sent


def test_deferred_tools_are_shown_once_they_are_named() -> None:
    """By a reference in a result; the placeholder never is."""
    tools = (FunctionTool("now"), FunctionTool("later", deferred=True), FunctionTool(PLACEHOLDER, deferred=True))
    request = offered(*tools)
    assert names(rendered(request, PLAIN)) == ["now"]
    assert losses(request, PLAIN) == {"tools": "info"}
    loaded = Message("user", (ToolResult("1", (ToolReference("later"), ToolReference(PLACEHOLDER))),))
    history = (Message("assistant", (ToolCall("1", "search", "{}"),)), loaded)
    assert names(rendered(replace(request, messages=history), PLAIN)) == ["now", "later"]


def test_deferred_tools_are_all_shown_where_nobody_can_search_them() -> None:
    """The vendor's own search runs at the vendor; without it the model would never learn of them."""
    name = "tool_search_tool_regex"
    search = HostedTool("anthropic", f"{name}_20251119", name, Raw(b"{}"), ability=ToolSearch())
    request = offered(search, FunctionTool("later", deferred=True), FunctionTool(PLACEHOLDER, deferred=True))
    assert names(rendered(request, PLAIN)) == ["later"]
    assert set(losses(request, PLAIN).values()) == {"info"}


def test_tools_that_the_client_runs_get_their_schema() -> None:
    """The others run at their vendor only, and that changes the answer."""
    bash = HostedTool("anthropic", "bash_20250124", "bash", Raw(b"{}"))
    search = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"))
    request = offered(bash, search, tool_choice=ToolChoice("tool", "web_search"))
    body = rendered(request, PLAIN)
    assert names(body) == ["bash"]
    assert "tool_choice" not in body
    assert losses(request, PLAIN) == {"tools[1]": "error", "tool_choice": "warning"}


def test_hosted_tools_of_this_dialect_pass_where_they_are_taken() -> None:
    """As they were written."""
    request = parsed(tools=[{"type": "openrouter:web_search", "parameters": {"n": 1}}])
    assert rendered(request, replace(PLAIN, hosted_tools=True))["tools"] == [
        {"type": "openrouter:web_search", "parameters": {"n": 1}}
    ]
    assert "tools" not in rendered(request, PLAIN)


def test_free_text_tools() -> None:
    """As they are, or as a function with one input."""
    request = offered(CustomTool("patch", "d", Raw(b'{"type":"text"}')))
    assert rendered(request, replace(PLAIN, custom_tools=True))["tools"] == [
        {"type": "custom", "custom": {"name": "patch", "description": "d", "format": {"type": "text"}}}
    ]
    assert names(rendered(request, PLAIN)) == ["patch"]
    assert losses(request, PLAIN) == {"tools[0]": "warning"}


def test_a_model_without_tools() -> None:
    """None are sent, and that changes everything."""
    request = offered(FunctionTool("f"), tool_choice=ToolChoice("required"))
    body = rendered(request, replace(PLAIN, tools=False))
    assert not {"tools", "tool_choice"} & set(body)
    assert losses(request, replace(PLAIN, tools=False)) == {"tools": "error"}


# ---- names ----

LONG = "mcp__" + "server_" * 10 + "tool"


def test_long_names_are_shortened_everywhere_and_given_back() -> None:
    """In the list, in the history and in the choice; the way back is told."""
    request = replace(
        offered(FunctionTool(LONG), FunctionTool(LONG + "2"), tool_choice=ToolChoice("tool", LONG)),
        messages=(Message("assistant", (ToolCall("1", LONG, "{}"),)), Message("user", (ToolResult("1"),))),
    )
    drawn = DIALECT.upstream.render_request(request, "m", PLAIN)
    body = json.loads(drawn.body)
    short, other = names(body)
    assert len(short) == len(other) == 64
    assert short != other
    assert body["tool_choice"]["function"]["name"] == short
    assert body["messages"][0]["tool_calls"][0]["function"]["name"] == short
    assert dict(drawn.names) == {short: LONG, other: LONG + "2"}


def test_names_are_stable() -> None:
    """A prompt cache depends on it."""
    request = offered(FunctionTool(LONG))
    assert names(rendered(request, PLAIN)) == names(rendered(request, PLAIN))


def test_illegal_characters_of_foreign_names_are_replaced() -> None:
    """Two names that differ in them only stay different; a client of this dialect knows what it may send."""
    first, second = names(rendered(offered(FunctionTool("a/b"), FunctionTool("a b")), PLAIN))
    assert first.startswith("a_b_")
    assert second.startswith("a_b_")
    assert first != second
    assert names(rendered(parsed(tools=[{"type": "function", "function": {"name": "a.b"}}]), PLAIN)) == ["a.b"]


# ---- choice ----


@pytest.mark.parametrize(
    "choice,caps,sent",
    [
        (None, {}, None),
        (ToolChoice("auto"), {}, None),
        (ToolChoice("none"), {}, "none"),
        (ToolChoice("required"), {}, "required"),
        (ToolChoice("tool", "f"), {}, {"type": "function", "function": {"name": "f"}}),
        (ToolChoice("tool", "gone"), {}, None),
        (ToolChoice("required"), {"tool_choice": False}, None),
        (ToolChoice("tool", "f"), {"tool_choice": False}, None),
        (ToolChoice("required"), {"forced_tool_choice_with_thinking": False}, None),
    ],
)
def test_choices(choice: ToolChoice | None, caps: Json, sent: object) -> None:
    """What a target cannot promise becomes its default, with a loss."""
    request = offered(FunctionTool("f"), tool_choice=choice, reasoning=Reasoning("enabled", 2000))
    target = replace(PLAIN, thinking="none", **caps)
    assert rendered(request, target).get("tool_choice") == sent
    told = "tool_choice" in losses(request, target)
    assert told is (sent is None and choice is not None and choice.mode != "auto")


def test_calls_are_forbidden_by_showing_no_tools() -> None:
    """Where the provider knows no other way; then the answer is what was asked for."""
    request = offered(FunctionTool("f"), tool_choice=ToolChoice("none"))
    caps = replace(PLAIN, tool_choice=False)
    assert not {"tools", "tool_choice"} & set(rendered(request, caps))
    assert losses(request, caps) == {"tool_choice": "info"}


def test_a_choice_can_be_forced_when_there_is_no_thinking() -> None:
    """Also when it is switched off in so many words."""
    caps = replace(PLAIN, thinking="none", forced_tool_choice_with_thinking=False)
    for reasoning in (None, Reasoning("disabled"), Reasoning(effort="none")):
        request = offered(FunctionTool("f"), tool_choice=ToolChoice("required"), reasoning=reasoning)
        assert rendered(request, caps)["tool_choice"] == "required"


def test_there_must_be_a_tool_to_choose() -> None:
    """Servers refuse a choice without tools."""
    assert "tool_choice" not in rendered(offered(tool_choice=ToolChoice("required")), PLAIN)


def test_parallel_calls() -> None:
    """Only beside tools, and only where there is a switch."""
    assert rendered(offered(FunctionTool("f"), parallel=False), PLAIN)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in rendered(offered(parallel=False), PLAIN)
    caps = replace(PLAIN, parallel_switch=False)
    assert losses(offered(FunctionTool("f"), parallel=False), caps) == {"parallel_tool_calls": "warning"}
    assert losses(offered(FunctionTool("f"), parallel=True), caps) == {}
