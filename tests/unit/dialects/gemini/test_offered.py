"""Tools and the choice among them, as Google is told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.gemini.offered import PLACEHOLDER
from strowger.ir.request import (
    CacheHint,
    CodeExecution,
    CustomTool,
    FunctionTool,
    HostedTool,
    Reasoning,
    RemoteMcp,
    Tool,
    ToolChoice,
    ToolGroup,
    ToolReference,
    ToolResult,
    ToolSearch,
    WebFetch,
    WebSearch,
)
from tests.unit.dialects.gemini.asking import (
    GEMINI_2,
    GEMINI_3,
    asked,
    call,
    losses,
    lost,
    model,
    raw,
    rendered,
    said,
    sent,
    user,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
F = FunctionTool("f", "does f", raw(SCHEMA))
SEARCH = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"), ability=WebSearch())


def tools(*offered: Tool | ToolGroup, caps: Any = GEMINI_3, **members: Any) -> Any:
    """The tools that go out."""
    return sent(said(tools=offered, **members), caps).get("tools")


def calling(choice: ToolChoice, *offered: Tool, caps: Any = GEMINI_3, **members: Any) -> Any:
    """The choice that goes out."""
    body = sent(said(tools=offered or (F,), tool_choice=choice, **members), caps)
    return body.get("toolConfig", {}).get("functionCallingConfig")


def hosted(ability: Any, name: str = "it") -> HostedTool:
    """Another vendor's own tool."""
    return HostedTool("anthropic", "x_2025", name, Raw(b"{}"), ability=ability)


def test_functions_go_together() -> None:
    """In one object, by JSON Schema."""
    assert tools(F, FunctionTool("g")) == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "does f", "parametersJsonSchema": SCHEMA},
                {"name": "g"},
            ]
        }
    ]


def test_functions_in_googles_own_schema() -> None:
    """Where the model knows no other; each keyword that goes is a loss."""
    strange = FunctionTool("g", None, raw({"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}}))
    assert tools(F, caps=GEMINI_2)[0]["functionDeclarations"][0]["parameters"] == {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING"}},
    }
    (loss,) = losses(said(tools=(strange,)), GEMINI_2)
    assert loss.reason == "the provider's schemas have no format"


def test_grouped_tools_are_named_by_their_group() -> None:
    """Google takes dots in names."""
    assert tools(ToolGroup("g", (F,)))[0]["functionDeclarations"][0]["name"] == "g.f"


@pytest.mark.parametrize("name", ["1st", "a b", "x" * 80, "ä", ""])
def test_names_are_made_to_fit(name: str) -> None:
    """Letters, digits and four signs, not beginning with a digit, at most 64; the client's name is told."""
    found = rendered(said(user("a"), model(call("1", name)), tools=(FunctionTool(name),)))
    (new,) = found.names
    assert found.names[new] == name
    assert len(new) <= 64
    assert new[0].isalpha() or new[0] == "_"
    assert found.body.count(new.encode()) == 3  # the tool, the call and its missing result


def test_what_google_has_no_member_for_is_told() -> None:
    """Strictness, cache hints, members of others."""
    tool = FunctionTool("f", strict=True, cache=CacheHint(), extras={"new": Raw(b"1")})
    assert sorted(severity for _, severity in lost(said(tools=(tool,)))) == ["info", "info", "warning"]
    assert lost(said(tools=(F,), parallel=False)) == [("parallel_tool_calls", "info")]


def test_free_text_tools_are_functions_with_one_input() -> None:
    """Their grammar is described."""
    (tool,) = tools(CustomTool("patch", "Edits.", Raw(b'{"type":"grammar"}')))[0]["functionDeclarations"]
    assert tool["parametersJsonSchema"]["required"] == ["input"]
    assert tool["description"] == 'Edits.\n\nThe input must be in this format: {"type":"grammar"}'


def test_tools_that_the_client_runs_are_described() -> None:
    """Anthropic's models know bash by heart, Google's do not."""
    (tool,) = tools(HostedTool("anthropic", "bash_20250124", "bash", Raw(b"{}")))[0]["functionDeclarations"]
    assert tool["name"] == "bash"
    assert "command" in tool["parametersJsonSchema"]["properties"]


# ---- tools of the vendors ----


@pytest.mark.parametrize(
    "ability, node",
    [
        (WebSearch(), {"googleSearch": {}}),
        (WebFetch(), {"urlContext": {}}),
        (CodeExecution(), {"codeExecution": {}}),
        (
            RemoteMcp("m", "https://x", "Bearer t"),
            {
                "mcpServers": [
                    {
                        "name": "m",
                        "streamableHttpTransport": {"url": "https://x", "headers": {"Authorization": "Bearer t"}},
                    }
                ]
            },
        ),
    ],
)
def test_what_other_vendors_tools_are_here(ability: Any, node: Any) -> None:
    """By what they do."""
    assert tools(hosted(ability)) == [node]
    assert not lost(said(tools=(hosted(ability),)))


@pytest.mark.parametrize("ability", [WebSearch(), WebFetch(), CodeExecution(), RemoteMcp("m", "https://x"), None])
def test_what_the_provider_does_not_have_is_an_error(ability: Any) -> None:
    """Nobody must believe that the model can search when it cannot."""
    caps = replace(GEMINI_3, web_search="", web_fetch="", code_execution="", remote_mcp=False)
    assert tools(hosted(ability), caps=caps) is None
    assert lost(said(tools=(hosted(ability),)), caps) == [("tools[0]", "error")]


@pytest.mark.parametrize(
    "ability, found",
    [
        (WebSearch(blocked_domains=("a",)), [("tools[0].blocked_domains", "warning")]),
        (WebSearch(allowed_domains=("a",)), [("tools[0].allowed_domains", "warning")]),
        (WebSearch(max_uses=1), [("tools[0].max_uses", "info")]),
        (WebSearch(country="DE"), [("tools[0].user_location", "info")]),
        (WebSearch(context_size="high"), [("tools[0].search_context_size", "info")]),
        (WebFetch(allowed_domains=("a",)), [("tools[0].allowed_domains", "warning")]),
        (RemoteMcp("m", "https://x", "", ("t",)), [("tools[0].allowed_tools", "warning")]),
    ],
)  # fmt: skip
def test_refinements_that_google_lacks_are_told(ability: Any, found: list[tuple[str, str]]) -> None:
    """The tool goes, what was asked for more closely does not."""
    assert lost(said(tools=(hosted(ability),))) == found


def test_googles_own_stand_beside_functions_when_asked() -> None:
    """Gemini 3 wants to be told that this is meant; Code Assist knows no such member."""
    body = sent(said(tools=(F, SEARCH)))
    assert [next(iter(tool)) for tool in body["tools"]] == ["functionDeclarations", "googleSearch"]
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert "toolConfig" not in sent(said(tools=(F, SEARCH)), replace(GEMINI_3, code_assist=True))["request"]


def test_googles_own_give_way_to_functions() -> None:
    """Gemini 2.5 refuses the two together: a client without its own tools cannot go on."""
    assert [next(iter(tool)) for tool in tools(F, SEARCH, caps=GEMINI_2)] == ["functionDeclarations"]
    assert lost(said(tools=(F, SEARCH)), GEMINI_2) == [("tools[1]", "error")]
    own = asked(tools=[{"googleSearch": {}, "functionDeclarations": [{"name": "f"}]}, {"codeExecution": {}}])
    assert sent(own, GEMINI_2)["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def test_functions_give_way_to_a_search_that_is_forced() -> None:
    """Claude Code asks for a search in a call of its own."""
    request = said(tools=(F, SEARCH), tool_choice=ToolChoice("tool", "web_search"))
    assert sent(request, GEMINI_2)["tools"] == [{"googleSearch": {}}]
    assert ("tool_choice", "warning") in lost(request, GEMINI_2)


def test_own_tools_of_another_provider_are_told() -> None:
    """A client of Gemini on a server that has no search."""
    caps = replace(GEMINI_3, hosted_tools=False, web_search="")
    request = asked(tools=[{"googleSearch": {}}, {"urlContext": {}}])
    assert sent(request, caps)["tools"] == [{"urlContext": {}}]
    assert lost(request, caps) == [("tools[0]", "error")]


def test_a_model_without_tools_is_offered_none() -> None:
    """Gemma."""
    caps = replace(GEMINI_3, tools=False)
    config = {"functionCallingConfig": {"mode": "ANY"}}
    request = asked(tools=[{"functionDeclarations": [{"name": "f"}]}], toolConfig=config)
    assert sent(request, caps).keys() == {"contents"}
    assert lost(request, caps) == [("tools", "error")]


# ---- deferred tools ----


def test_deferred_tools_are_shown_when_they_are_named() -> None:
    """A tool result names those that were found; the stand-in is never shown."""
    later, other, stand_in = (FunctionTool(name, deferred=True) for name in ("later", "other", PLACEHOLDER))
    found = user(ToolResult("1", (ToolReference("later"), ToolReference(PLACEHOLDER))))
    request = said(user("a"), model(call("1")), found, tools=(F, later, other, stand_in))
    assert [tool["name"] for tool in sent(request)["tools"][0]["functionDeclarations"]] == ["f", "later"]


def test_all_deferred_tools_are_shown_where_nobody_searches() -> None:
    """The vendor's own search does not run elsewhere."""
    search = HostedTool("anthropic", "tool_search_tool_regex_20251119", "s", Raw(b"{}"), ability=ToolSearch())
    assert [t["name"] for t in tools(FunctionTool("later", deferred=True), search)[0]["functionDeclarations"]] == [
        "later"
    ]


# ---- choice ----


@pytest.mark.parametrize(
    "choice, found",
    [
        (ToolChoice("auto"), None),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("tool", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("tool", "gone"), None),
    ],
)
def test_choices(choice: ToolChoice, found: Any) -> None:
    """A forced tool is the one that is allowed; one that is not there is no choice."""
    assert calling(choice) == found


def test_a_choice_among_some_shows_those_only() -> None:
    """Chat and Responses write it differently."""
    nested = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"function": {"name": "f"}}]}}
    flat = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}
    for written in (nested, flat):
        choice = ToolChoice("required", extras={"allowed_tools": raw(written)})
        body = sent(said(tools=(F, FunctionTool("g")), tool_choice=choice))
        assert [tool["name"] for tool in body["tools"][0]["functionDeclarations"]] == ["f"]
        assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY"}


def test_what_cannot_be_promised_is_left_to_the_model() -> None:
    """No function, no such switch, a model that thinks."""
    forced = ToolChoice("required")
    assert calling(forced, SEARCH) is None
    assert calling(forced, caps=replace(GEMINI_3, tool_choice=False)) is None
    still = replace(GEMINI_3, forced_tool_choice_with_thinking=False)
    assert calling(forced, caps=still, reasoning=Reasoning(effort="high")) is None
    assert calling(forced, caps=still) == {"mode": "ANY"}


def test_an_own_mode_stays_as_written() -> None:
    """`VALIDATED` is Google's alone."""
    config = {"function_calling_config": {"mode": "VALIDATED"}}
    request = asked(tools=[{"functionDeclarations": [{"name": "f"}]}], toolConfig=config)
    assert sent(request)["toolConfig"] == config
