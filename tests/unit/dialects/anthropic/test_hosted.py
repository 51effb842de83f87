"""Tools that run at Anthropic, and at others."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.anthropic import FAITHFUL
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.hosted import hosted
from strowger.dialects.base import Capabilities
from strowger.ir.request import Ability, CodeExecution, HostedTool, RemoteMcp, Request, ToolSearch, WebFetch, WebSearch
from tests.unit.dialects.anthropic.transcripts import parse, paths, render

CAPS = Capabilities(
    web_search="web_search_20250305",
    web_fetch="web_fetch_20250910",
    code_execution="code_execution_20250825",
    remote_mcp=True,
)
WIKI = {"type": "url", "name": "wiki", "url": "https://wiki.test/mcp", "authorization_token": "t"}


def abilities(**members: Any) -> list[Ability | None]:
    return [tool.ability for tool in parse(**members).tools if isinstance(tool, HostedTool)]


@pytest.mark.parametrize(
    "tool, ability",
    [
        ({"type": "web_search_20250305", "name": "web_search"}, WebSearch()),
        (
            {
                "type": "web_search_20260209",
                "name": "web_search",
                "max_uses": 3,
                "allowed_domains": ["a.test"],
                "blocked_domains": None,
                "user_location": {"type": "approximate", "country": "DE", "city": "Ulm", "timezone": "Europe/Berlin"},
            },
            WebSearch(("a.test",), (), 3, "DE", "", "Ulm", "Europe/Berlin"),
        ),
        (
            {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 1, "blocked_domains": ["b.test"]},
            WebFetch((), ("b.test",), 1),
        ),
        ({"type": "code_execution_20260120", "name": "code_execution"}, CodeExecution()),
        ({"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}, ToolSearch()),
        ({"type": "web_search_20250305", "name": "web_search", "max_uses": "three"}, WebSearch()),
        ({"type": "bash_20250124", "name": "bash"}, None),
        ({"type": "mcp_toolset", "mcp_server_name": "nowhere"}, None),
    ],
)
def test_what_typed_tools_can_do(tool: dict[str, Any], ability: Ability | None) -> None:
    """In words that other vendors share; members of a wrong type say nothing, what nobody else has is none."""
    assert abilities(tools=[tool]) == [ability]
    assert render(parse(tools=[tool]))[0]["tools"] == [tool]


def test_a_toolset_names_its_server() -> None:
    """Which stands beside the tools; switching all off and some on means that only those are allowed."""
    toolset = {
        "type": "mcp_toolset",
        "mcp_server_name": "wiki",
        "default_config": {"enabled": False},
        "configs": {"ask": {"enabled": True}, "edit": {"enabled": False}},
    }
    assert abilities(tools=[toolset], mcp_servers=[WIKI]) == [RemoteMcp("wiki", WIKI["url"], "t", ("ask",))]
    plain = {"type": "mcp_toolset", "mcp_server_name": "wiki"}
    assert abilities(tools=[plain], mcp_servers=[WIKI]) == [RemoteMcp("wiki", WIKI["url"], "t")]


def test_a_server_without_a_toolset_brings_all_its_tools() -> None:
    """So it was in an earlier version of the API; such a server comes back where it stood."""
    limited = {**WIKI, "tool_configuration": {"enabled": True, "allowed_tools": ["ask"]}}
    request = parse(mcp_servers=[limited])
    assert abilities(mcp_servers=[limited]) == [RemoteMcp("wiki", WIKI["url"], "t", ("ask",))]
    body, losses = render(request)
    assert (body.get("tools"), body["mcp_servers"], losses) == (None, [limited], [])
    assert abilities(mcp_servers=[{**WIKI, "tool_configuration": {"enabled": False}}]) == []


@pytest.mark.parametrize(
    "ability, tool, lost",
    [
        (WebSearch(), {"type": "web_search_20250305", "name": "web_search"}, []),
        (
            WebSearch(("a.test",), ("b.test",), 2, "DE", "BW", "Ulm", "Europe/Berlin", "high"),
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "max_uses": 2,
                "allowed_domains": ["a.test"],
                "user_location": {
                    "type": "approximate",
                    "country": "DE",
                    "region": "BW",
                    "city": "Ulm",
                    "timezone": "Europe/Berlin",
                },
            },
            ["p.blocked_domains", "p.search_context_size"],
        ),
        (
            WebFetch(blocked_domains=("b.test",)),
            {"type": "web_fetch_20250910", "name": "web_fetch", "blocked_domains": ["b.test"]},
            [],
        ),
        (CodeExecution(), {"type": "code_execution_20250825", "name": "code_execution"}, []),
        (
            RemoteMcp("wiki", "https://w", allowed=("ask",)),
            {
                "type": "mcp_toolset",
                "mcp_server_name": "wiki",
                "default_config": {"enabled": False},
                "configs": {"ask": {"enabled": True}},
            },
            [],
        ),
    ],
)
def test_the_upstreams_own_tool(ability: Ability, tool: dict[str, Any], lost: list[str]) -> None:
    """It has every wish that it can be told; the others are losses."""
    fitting = Fitting(Request("openai_responses", "m"), CAPS)
    offered = hosted(ability, fitting, "p")
    assert offered is not None
    assert offered.tool == tool
    assert paths(fitting.losses) == lost


def test_a_remote_server_is_named_beside_the_tools() -> None:
    """With the authorization that the client gave for it."""
    offered = hosted(RemoteMcp("wiki", WIKI["url"], "t"), Fitting(Request("openai_responses", "m"), CAPS), "p")
    assert offered is not None
    assert offered.server == WIKI
    assert offered.tool == {"type": "mcp_toolset", "mcp_server_name": "wiki"}


@pytest.mark.parametrize("ability", [WebSearch(), WebFetch(), CodeExecution(), RemoteMcp("a", "b"), ToolSearch(), None])
def test_what_an_upstream_does_not_have(ability: Ability | None) -> None:
    """Capabilities say so: there is no tool without a word for it."""
    plain = replace(FAITHFUL, web_search="", remote_mcp=False)
    assert hosted(ability, Fitting(Request("gemini", "m"), plain), "p") is None
