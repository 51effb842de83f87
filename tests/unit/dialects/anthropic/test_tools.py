"""Tools as an upstream is told of them; what is common to all dialects is in test_render."""

from __future__ import annotations

from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import FAITHFUL
from strowger.dialects.anthropic.render import render_request
from strowger.dialects.base import Capabilities, Loss
from strowger.dialects.client_tools import PLACEHOLDER
from strowger.ir.request import (
    Ability,
    CodeExecution,
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    RemoteMcp,
    Request,
    Text,
    ToolCall,
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolSearch,
    WebSearch,
)
from tests.unit.dialects.anthropic.transcripts import parse, paths, render

CAPS = replace(FAITHFUL, web_search="web_search_20250305", remote_mcp=True)
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
HI = Message("user", (Text("hi"),), plain=True)


def hosted(ability: Ability | None, name: str = "web_search_preview") -> HostedTool:
    return HostedTool("openai_responses", name, name, Raw(b"{}"), ability=ability)


def sent(*tools: Any, caps: Capabilities = CAPS, **members: Any) -> tuple[dict[str, Any], list[Loss]]:
    """What a Responses client's tools become."""
    return render(Request("openai_responses", "m", **{"messages": (HI,), "tools": tools, **members}), caps)


def test_a_search_elsewhere_becomes_the_search_here() -> None:
    """Under its own name, which a choice that forces it follows."""
    body, losses = sent(hosted(WebSearch()), tool_choice=ToolChoice("tool", "web_search_preview"))
    assert body["tools"] == [SEARCH]
    assert body["tool_choice"] == {"type": "tool", "name": "web_search"}
    assert losses == []


def test_two_searches_are_one() -> None:
    """The API refuses two tools of one name."""
    body, _ = sent(hosted(WebSearch()), hosted(WebSearch(), "web_search"))
    assert body["tools"] == [SEARCH]


def test_a_function_keeps_its_name() -> None:
    """Where it is the one that the provider's tool must have, the client's own function is the one that works."""
    body, losses = sent(hosted(WebSearch()), FunctionTool("web_search"))
    assert [tool.get("type") for tool in body["tools"]] == [None]
    assert paths(losses, "error") == ["tools[0]"]


def test_what_the_provider_does_not_have() -> None:
    """An honest loss, and a choice that forces it is left to the model."""
    run = hosted(CodeExecution(), "code_interpreter")
    body, losses = sent(run, FunctionTool("f"), tool_choice=ToolChoice("tool", "code_interpreter"))
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert "tool_choice" not in body
    assert [(loss.path, loss.severity) for loss in losses] == [("tools[0]", "error"), ("tool_choice", "warning")]


def test_a_remote_server_goes_beside_the_tools() -> None:
    """The API lists servers apart."""
    body, _ = sent(hosted(RemoteMcp("wiki", "https://w.test"), "mcp"))
    assert body["tools"] == [{"type": "mcp_toolset", "mcp_server_name": "wiki"}]
    assert body["mcp_servers"] == [{"type": "url", "url": "https://w.test", "name": "wiki"}]


def test_functions_or_its_own() -> None:
    """A provider that takes one of the two kinds gets the functions, unless one of its own tools is asked for."""
    caps = replace(CAPS, search_with_tools=False)
    body, losses = sent(hosted(WebSearch()), FunctionTool("f"), caps=caps)
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert paths(losses, "error") == ["tools"]
    choice = ToolChoice("tool", "web_search_preview")
    body, _ = sent(hosted(WebSearch()), FunctionTool("f"), caps=caps, tool_choice=choice)
    assert body["tools"] == [SEARCH]


def test_a_search_of_this_dialect_on_another_providers_version() -> None:
    """A server that imitates the API gets the search that it has; a search among tools is not missed."""
    caps = replace(CAPS, hosted_tools=False, web_search="web_search_20990101")
    find = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    body, losses = render(parse(tools=[{**SEARCH, "max_uses": 2}, find]), caps)
    assert body["tools"] == [{"type": "web_search_20990101", "name": "web_search", "max_uses": 2}]
    assert paths(losses, "info") == ["tools[1]"]


def test_deferred_tools_of_others_are_shown_once_they_are_named() -> None:
    """A search that the client runs names them; one that its vendor runs would have found any of them."""
    later = FunctionTool("later", deferred=True)
    tools = (FunctionTool("now"), later, FunctionTool(PLACEHOLDER, deferred=True))
    body, losses = sent(*tools)
    assert [tool["name"] for tool in body["tools"]] == ["now"]
    assert paths(losses, "info") == ["tools"]
    found = (
        HI,
        Message("assistant", (ToolCall("c", "now", "{}"),)),
        Message("tool", (ToolResult("c", (ToolReference("later"),)),)),
    )
    body, _ = sent(*tools, messages=found)
    assert [tool["name"] for tool in body["tools"]] == ["now", "later"]
    body, _ = sent(*tools, hosted(ToolSearch(), "tool_search"))
    assert [tool["name"] for tool in body["tools"]] == ["now", "later"]
    assert "defer_loading" not in body["tools"][1]


def test_tools_with_free_text_are_known_as_such_in_every_turn() -> None:
    """Their calls come back as free text, also where the list was written in an earlier turn."""
    request = Request(
        "openai_responses", "m", (HI,), tools=(CustomTool("patch"), CustomTool("a.b"), FunctionTool("c.d"))
    )
    for _ in range(2):
        names = render_request(request, "m", CAPS).names
        assert names == {"patch": "custom:patch", "a__b": "custom:a.b", "c__d": "c.d"}
