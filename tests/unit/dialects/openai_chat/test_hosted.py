"""Searches by the provider, asked for in the ways that Chat has."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.ir.request import (
    Ability,
    CodeExecution,
    FunctionTool,
    HostedTool,
    Message,
    Request,
    Text,
    ToolChoice,
    WebSearch,
)
from tests.unit.dialects.openai_chat.talk import Json, losses, parsed, rendered, same

WISHES = WebSearch(("a.test",), ("b.test",), 2, "DE", "BW", "Ulm", "Europe/Berlin", "high")
PLACE = {"country": "DE", "region": "BW", "city": "Ulm", "timezone": "Europe/Berlin"}
OPENAI = Capabilities(origin="openai", web_search="web_search_options")


def abilities(**members: Any) -> list[Ability | None]:
    return [tool.ability for tool in parsed(**members).tools if isinstance(tool, HostedTool)]


def asking(ability: Ability, *tools: FunctionTool, **members: Any) -> Request:
    """A request that came from Anthropic."""
    search = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"), ability=ability)
    return Request("anthropic", "m", (Message("user", (Text("hi"),)),), tools=(search, *tools), **members)


@pytest.mark.parametrize(
    "members, ability",
    [
        ({"web_search_options": {}}, WebSearch()),
        (
            {
                "web_search_options": {
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", "approximate": PLACE},
                    "newer": 1,
                }
            },
            WebSearch((), (), None, "DE", "BW", "Ulm", "Europe/Berlin", "low"),
        ),
        ({"web_search_options": {"search_context_size": 1}}, WebSearch()),
        ({"plugins": [{"id": "file-parser"}, {"id": "web", "max_results": 3}]}, WebSearch()),
        (
            {
                "tools": [
                    {
                        "type": "openrouter:web_search",
                        "parameters": {
                            "max_uses": 2,
                            "search_context_size": "high",
                            "allowed_domains": ["a.test"],
                            "excluded_domains": ["b.test"],
                            "user_location": {"type": "approximate", **PLACE},
                        },
                    }
                ]
            },
            WISHES,
        ),
        ({"tools": [{"type": "web_search", "web_search": {"enable": True}}]}, WebSearch()),
        ({"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]}, None),
    ],
)
def test_a_search_is_read_and_comes_back(members: dict[str, Any], ability: Ability | None) -> None:
    """In whichever way it was asked for."""
    assert abilities(**members) == [ability]
    assert same(**members)


@pytest.mark.parametrize(
    "members",
    [{"web_search_options": None}, {"plugins": [{"id": "file-parser"}]}, {"plugins": "web"}, {"plugins": None}],
)
def test_what_asks_for_no_search(members: dict[str, Any]) -> None:
    """Stays a member that is not known."""
    assert abilities(**members) == []
    assert same(**members)


@pytest.mark.parametrize(
    "word, ability, sent, lost",
    [
        ("web_search_options", WebSearch(), {"web_search_options": {}}, {}),
        (
            "web_search_options",
            WISHES,
            {
                "web_search_options": {
                    "search_context_size": "high",
                    "user_location": {"type": "approximate", "approximate": PLACE},
                }
            },
            {"allowed_domains": "warning", "blocked_domains": "warning", "max_uses": "info"},
        ),
        (
            "plugins",
            WISHES,
            {"plugins": [{"id": "web"}]},
            {
                "allowed_domains": "warning",
                "blocked_domains": "warning",
                "max_uses": "info",
                "user_location": "info",
                "search_context_size": "info",
            },
        ),
        ("openrouter:web_search", WebSearch(), {"tools": [{"type": "openrouter:web_search"}]}, {}),
        (
            "openrouter:web_search",
            WISHES,
            {
                "tools": [
                    {
                        "type": "openrouter:web_search",
                        "parameters": {
                            "search_context_size": "high",
                            "user_location": {"type": "approximate", **PLACE},
                            "allowed_domains": ["a.test"],
                            "excluded_domains": ["b.test"],
                            "max_uses": 2,
                        },
                    }
                ]
            },
            {},
        ),
        ("web_search", WebSearch(max_uses=1), {"tools": [{"type": "web_search"}]}, {"max_uses": "info"}),
    ],
)
def test_the_targets_own_search(word: str, ability: WebSearch, sent: Json, lost: dict[str, str]) -> None:
    """It has every wish that it can be told; the others are losses."""
    request, caps = asking(ability), Capabilities(origin="here", web_search=word)
    body = rendered(request, caps)
    assert {key: body.get(key) for key in ("web_search_options", "plugins", "tools") if key in body} == sent
    assert losses(request, caps) == {f"tools[0].{key}": severity for key, severity in lost.items()}


def test_a_search_beside_functions() -> None:
    """Both are asked for; where only one of the two is taken, functions are what a client relies on."""
    request = asking(WebSearch(), FunctionTool("f"))
    body = rendered(request, OPENAI)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert body["web_search_options"] == {}
    apart = replace(OPENAI, search_with_tools=False)
    assert "web_search_options" not in rendered(request, apart)
    assert losses(request, apart) == {"tools": "error"}
    forced = replace(request, tool_choice=ToolChoice("tool", "web_search"))
    body = rendered(forced, apart)
    assert ("tools" in body, body["web_search_options"]) == (False, {})


def test_a_model_that_only_searches() -> None:
    """Takes no functions, and searches whether it is told to or not."""
    caps = replace(OPENAI, tools=False)
    request = asking(WebSearch(), FunctionTool("f"))
    assert rendered(request, caps)["web_search_options"] == {}
    assert losses(request, caps) == {"tools": "error"}
    assert losses(asking(WebSearch()), caps) == {}


def test_a_search_cannot_be_forced() -> None:
    """It is not called by a name here."""
    request = asking(WebSearch(), tool_choice=ToolChoice("tool", "web_search"))
    assert "tool_choice" not in rendered(request, OPENAI)
    assert losses(request, OPENAI) == {"tool_choice": "info"}


def test_a_search_that_is_not_there() -> None:
    """Changes the answer, so it is an error; so is whatever else would run at the provider."""
    none = Capabilities(origin="here")
    assert losses(asking(WebSearch()), none) == {"tools[0]": "error"}
    assert losses(asking(CodeExecution()), OPENAI) == {"tools[0]": "error"}


def test_a_search_in_one_of_the_ways_for_a_target_with_another() -> None:
    """An entry among the tools becomes the one that the target has; members of the request go as they are written."""
    request = parsed(tools=[{"type": "openrouter:web_search", "parameters": {"search_context_size": "low"}}])
    assert rendered(request, OPENAI)["web_search_options"] == {"search_context_size": "low"}
    assert rendered(parsed(web_search_options={}), Capabilities(origin="here"))["web_search_options"] == {}
