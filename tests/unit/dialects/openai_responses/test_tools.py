"""Tools and the choice among them are read right, and come back as they were."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.openai_responses.tools import client_executed, names_of
from strowger.ir.request import (
    Ability,
    CodeExecution,
    CustomTool,
    FunctionTool,
    HostedTool,
    RemoteMcp,
    Tool,
    ToolChoice,
    ToolGroup,
    ToolSearch,
    WebSearch,
)
from tests.unit.dialects.openai_responses.asking import Json, body, parsed, same

USER = {"role": "user", "content": "hi"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
CUSTOM = {"type": "custom", "name": "p", "format": {"type": "text"}}
GROUP = {"type": "namespace", "name": "g", "description": "d", "tools": [FUNCTION, CUSTOM]}


def tool(node: Json) -> Tool | ToolGroup:
    (one,) = parsed(body(USER, tools=[node])).tools
    return one


@pytest.mark.parametrize(
    "node",
    [
        FUNCTION,
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None},
        {"type": "function", "name": "f", "defer_loading": True, "output_schema": {}, "strict": True},
        {"type": "function", "name": "f", "defer_loading": False},
        CUSTOM,
        {"type": "custom", "name": "p", "description": "d", "defer_loading": True},
        GROUP,
        {"type": "namespace", "name": "g", "tools": [], "later": 1},
        {"type": "namespace", "name": "g", "tools": [{"type": "web_search"}]},
        {"type": "web_search", "external_web_access": True, "filters": None},
        {"type": "web_search", "filters": "odd"},
        {"type": "mcp", "server_label": "s", "server_url": "https://x", "headers": {"a": "b"}},
        {"type": "local_shell"},
        {"type": "something_new", "deep": [None]},
        {"no": "type"},
    ],
)
def test_a_tool_comes_back(node: Json) -> None:
    """With its nulls and the members that nobody knows."""
    assert same(body(USER, tools=[node]))


def test_tools_that_the_client_runs() -> None:
    """Functions, free-text tools, and groups of them."""
    function = FunctionTool("f", None, Raw(b'{"type": "object"}'), False)
    custom = CustomTool("p", None, Raw(b'{"type": "text"}'))
    assert tool(FUNCTION) == function
    assert tool(CUSTOM) == custom
    assert tool(GROUP) == ToolGroup("g", (function, custom), "d")
    assert tool({"type": "function", "name": "f", "defer_loading": True}) == FunctionTool("f", deferred=True)


def test_calls_name_grouped_tools_by_both_names() -> None:
    """So they are told apart from others of that name."""
    assert list(names_of(tool(GROUP))) == ["g.f", "g.p"]
    assert list(names_of(tool(FUNCTION))) == ["f"]


@pytest.mark.parametrize(
    "node,name,ability",
    [
        ({"type": "web_search"}, "web_search", WebSearch()),
        (
            {
                "type": "web_search_preview",
                "search_context_size": "low",
                "filters": {"allowed_domains": ["a.com"], "blocked_domains": ["b.com"]},
                "user_location": {"type": "approximate", "city": "Paris", "country": None, "timezone": "Europe/Paris"},
            },
            "web_search",
            WebSearch(("a.com",), ("b.com",), city="Paris", timezone="Europe/Paris", context_size="low"),
        ),
        ({"type": "web_search", "filters": 7}, "web_search", None),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, "code_execution", CodeExecution()),
        ({"type": "tool_search"}, "tool_search", ToolSearch()),
        ({"type": "tool_search", "execution": "client", "parameters": {}}, "tool_search", None),
        (
            {"type": "mcp", "server_label": "s", "server_url": "https://x", "authorization": "t"},
            "mcp",
            RemoteMcp("s", "https://x", "t"),
        ),
        (
            {"type": "mcp", "server_label": "s", "server_url": "https://x", "allowed_tools": ["a"]},
            "mcp",
            RemoteMcp("s", "https://x", allowed=("a",)),
        ),
        (
            {"type": "mcp", "server_label": "s", "server_url": "https://x", "allowed_tools": {"tool_names": ["a"]}},
            "mcp",
            RemoteMcp("s", "https://x", allowed=("a",)),
        ),
        ({"type": "mcp", "server_label": "s", "connector_id": "connector_gmail"}, "mcp", None),
        ({"type": "image_generation"}, "image_generation", None),
    ],
)
def test_what_the_vendors_tools_do(node: Json, name: str, ability: Ability | None) -> None:
    """In the words that vendors share; what only this one has, has none."""
    hosted = tool(node)
    assert isinstance(hosted, HostedTool)
    assert (hosted.type, hosted.name, hosted.ability) == (node["type"], name, ability)


def test_who_searches_among_tools() -> None:
    """The provider, unless the client says that it does."""
    assert client_executed(Raw(b'{"execution":"client"}'))
    assert not client_executed(Raw(b"{}"))
    assert not client_executed(Raw(b'{"execution":7}'))


# ---- choice ----


@pytest.mark.parametrize(
    "written,choice",
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("tool", "f")),
        ({"type": "custom", "name": "p"}, ToolChoice("tool", "p")),
        ({"type": "web_search_preview"}, ToolChoice("tool", "web_search")),
        ({"type": "shell"}, ToolChoice("tool", "shell")),
        ("whatever", None),
        (7, None),
        ({"type": "function"}, None),
        ({"name": "f"}, None),
        ({"type": "mcp", "server_label": "s", "name": "x"}, None),
    ],
)
def test_a_choice(written: object, choice: ToolChoice | None) -> None:
    """What has no form is left for the upstream to judge."""
    request = body(
        USER, tools=[FUNCTION, CUSTOM, {"type": "web_search_preview"}, {"type": "shell"}], tool_choice=written
    )
    assert parsed(request).tool_choice == choice
    assert same(request)


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_a_choice_among_some(mode: str) -> None:
    """The mode has a field, the list is the vendor's."""
    written = {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": "f"}]}
    request = body(USER, tools=[FUNCTION], tool_choice=written)
    choice = parsed(request).tool_choice
    assert choice is not None
    assert choice.mode == mode
    assert json.loads(bytes(choice.extras["allowed_tools"])) == written
    assert same(request)
