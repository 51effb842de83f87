"""Tools and the choice among them, as an upstream is told."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.client_tools import PLACEHOLDER
from strowger.ir.request import (
    Ability,
    CacheHint,
    CodeExecution,
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    Reasoning,
    RemoteMcp,
    Request,
    Text,
    Tool,
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolSearch,
    WebFetch,
    WebSearch,
)
from tests.unit.dialects.openai_responses.asking import CODEX, COMPATIBLE, OPENAI, Json, body, foreign, parsed, sent

USER = Message("user", (Text("hi"),))
OWN_USER = {"role": "user", "content": "hi"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True}
STRICT = Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')


def hosted(ability: Ability | None, kind: str = "x_20250305", name: str = "web_search") -> HostedTool:
    return HostedTool("anthropic", kind, name, Raw(b"{}"), ability=ability)


def offered(*tools: Tool, caps: Capabilities = OPENAI, **members: object) -> Json:
    """The body of a foreign request with these tools."""
    return sent(replace(foreign(USER), tools=tools, **members), caps)[0]


def reasons(request: Request, caps: Capabilities = OPENAI) -> list[str]:
    return [loss.reason for loss in sent(request, caps)[1]]


# ---- functions ----


def test_a_foreign_function_is_not_strict_unless_it_was() -> None:
    """The default of the API is strict, which would fill in optional arguments."""
    tools = offered(
        FunctionTool("a", "d", Raw(b'{"type":"object","properties":{}}')),
        FunctionTool("b", parameters=STRICT, strict=True),
        FunctionTool("c", parameters=Raw(b'{"type":"object","properties":{"x":{}}}'), strict=True),
    )["tools"]
    assert tools[0] == {
        "type": "function",
        "name": "a",
        "description": "d",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }
    assert [tool["strict"] for tool in tools] == [False, True, False]


@pytest.mark.parametrize(
    "schema,sent_as",
    [
        (None, {"type": "object", "properties": {}}),
        (b'{"type":"object"}', {"type": "object", "properties": {}}),
        (b'{"anyOf":[]}', {"anyOf": []}),
        (b"true", True),
    ],
)
def test_a_schema_has_properties(schema: bytes | None, sent_as: object) -> None:
    """The API refuses an object without."""
    parameters = None if schema is None else Raw(schema)
    assert offered(FunctionTool("a", parameters=parameters))["tools"][0]["parameters"] == sent_as


def test_what_a_foreign_tool_has_beside_is_a_loss() -> None:
    """Members and cache hints."""
    tool = FunctionTool("a", cache=CacheHint(), extras={"x": Raw(b"1")})
    assert len(reasons(replace(foreign(USER), tools=(tool,)))) == 2


def test_deferred_tools_are_shown_once_they_are_named() -> None:
    """Or at once where the vendor's own search would find them; the client's stand-in never."""
    tools = (FunctionTool("later", deferred=True), FunctionTool(PLACEHOLDER, deferred=True), FunctionTool("now"))
    found = Message("user", (ToolResult("c", (ToolReference("later"),)), Text("x")))
    assert [tool["name"] for tool in offered(*tools)["tools"]] == ["now"]
    shown = sent(replace(foreign(USER, found), tools=tools))[0]["tools"]
    assert [tool["name"] for tool in shown] == ["later", "now"]
    assert [tool["name"] for tool in offered(*tools, hosted(ToolSearch()))["tools"]] == ["later", "now"]


# ---- free text ----


def test_free_text_tools() -> None:
    """With the grammar in this API's spelling; as a function with its grammar in words where there are none."""
    nested = Raw(b'{"type":"grammar","grammar":{"syntax":"lark","definition":"start: x"}}')
    tool = CustomTool("p", "d", nested, {"x": Raw(b"1")})
    (custom,) = offered(tool)["tools"]
    assert custom == {
        "type": "custom",
        "name": "p",
        "description": "d",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
    }
    (function,) = offered(tool, caps=COMPATIBLE)["tools"]
    assert function["parameters"]["required"] == ["input"]
    assert "start: x" in function["description"]
    assert function["strict"] is False
    assert "description" not in offered(CustomTool("p"), caps=COMPATIBLE)["tools"][0]


# ---- what a vendor runs ----


def test_a_search_of_the_web() -> None:
    """The target's own, with what it can be told; the rest is a loss."""
    search = WebSearch(("a.com",), ("b.com",), 3, "FR", "IDF", "Paris", "Europe/Paris", "low")
    request = replace(foreign(USER), tools=(hosted(search),))
    written, losses = sent(request)
    assert written["tools"] == [
        {
            "type": "web_search",
            "filters": {"allowed_domains": ["a.com"]},
            "user_location": {
                "type": "approximate",
                "country": "FR",
                "region": "IDF",
                "city": "Paris",
                "timezone": "Europe/Paris",
            },
            "search_context_size": "low",
        }
    ]
    assert [loss.path for loss in losses] == ["tools[0].blocked_domains", "tools[0].max_uses"]
    preview, more = sent(request, replace(OPENAI, web_search="web_search_preview"))
    assert "filters" not in preview["tools"][0]
    assert len(more) == 3


@pytest.mark.parametrize(
    "ability,node",
    [
        (WebSearch(), {"type": "web_search"}),
        (WebFetch(), {"type": "web_search"}),
        (CodeExecution(), {"type": "code_interpreter", "container": {"type": "auto"}}),
        (
            RemoteMcp("s", "https://x", "t", ("a",)),
            {
                "type": "mcp",
                "server_label": "s",
                "server_url": "https://x",
                "require_approval": "never",
                "authorization": "t",
                "allowed_tools": ["a"],
            },
        ),
        (
            RemoteMcp("s", "https://x"),
            {"type": "mcp", "server_label": "s", "server_url": "https://x", "require_approval": "never"},
        ),
    ],
)
def test_what_others_run_too(ability: Ability, node: Json) -> None:
    """The target's own tool of that kind."""
    assert offered(hosted(ability))["tools"] == [node]


def test_pages_are_read_by_the_search() -> None:
    """One is enough."""
    tools = offered(hosted(WebSearch()), hosted(WebFetch(), name="web_fetch"))["tools"]
    assert tools == [{"type": "web_search"}]
    other = replace(OPENAI, code_execution="shell")
    assert offered(hosted(CodeExecution()), caps=other)["tools"] == [{"type": "shell"}]


@pytest.mark.parametrize("ability", [WebSearch(), WebFetch(), CodeExecution(), RemoteMcp("s", "https://x"), None])
def test_what_the_target_does_not_run(ability: Ability | None) -> None:
    """It is refused honestly, and a choice of it is not forced."""
    request = replace(foreign(USER), tools=(hosted(ability),), tool_choice=ToolChoice("tool", "web_search"))
    written, losses = sent(request, COMPATIBLE)
    assert "tools" not in written
    assert "tool_choice" not in written
    assert [(loss.path, loss.severity) for loss in losses] == [("tools[0]", "error"), ("tool_choice", "warning")]


def test_tools_that_the_client_runs_are_described() -> None:
    """Their schema makes them functions."""
    tool = hosted(None, "bash_20250124", "bash")
    assert [tool["name"] for tool in offered(tool)["tools"]] == ["bash"]


def test_where_the_providers_tools_stand_alone() -> None:
    """Beside functions they are left out."""
    caps = replace(OPENAI, search_with_tools=False)
    request = replace(foreign(USER), tools=(hosted(WebSearch()), FunctionTool("f")))
    written, losses = sent(request, caps)
    assert [tool["type"] for tool in written["tools"]] == ["function"]
    assert losses[0].severity == "error"
    assert offered(hosted(WebSearch()), caps=caps)["tools"] == [{"type": "web_search"}]


# ---- own tools ----


def test_own_tools_within_what_the_target_takes() -> None:
    """The ChatGPT backend searches, and runs no code; its client's shell is its client's."""
    tools = [FUNCTION, {"type": "web_search"}, {"type": "code_interpreter"}, {"type": "local_shell"}]
    request = parsed(body(OWN_USER, tools=tools))
    written, losses = sent(request, CODEX)
    assert written["tools"] == [FUNCTION, {"type": "web_search"}, {"type": "local_shell"}]
    assert [loss.path for loss in losses] == ["tools[2]"]
    lenient = sent(request, replace(CODEX, strict_tools=False))[0]["tools"][0]
    assert "strict" not in lenient


def test_own_free_text_where_there_is_none() -> None:
    """As a function."""
    request = parsed(
        body(OWN_USER, tools=[{"type": "custom", "name": "p"}], tool_choice={"type": "custom", "name": "p"})
    )
    written = sent(request, replace(CODEX, custom_tools=False))[0]
    assert written["tools"][0]["type"] == "function"
    assert written["tool_choice"] == {"type": "function", "name": "p"}


def test_own_tools_for_who_knows_only_functions() -> None:
    """Groups become names, client-run tools functions, remote servers a loss."""
    group = {"type": "namespace", "name": "g", "tools": [FUNCTION]}
    tools = [group, {"type": "shell"}, {"type": "mcp", "server_label": "s", "server_url": "https://x"}]
    written, losses = sent(parsed(body(OWN_USER, tools=tools)), COMPATIBLE)
    assert [tool["name"] for tool in written["tools"]] == ["g__f", "shell"]
    assert [loss.path for loss in losses if loss.severity == "error"] == ["tools[2]"]
    searching = parsed(body(OWN_USER, tools=[{"type": "web_search"}]))
    assert sent(searching, replace(COMPATIBLE, web_search="web_search"))[0]["tools"] == [{"type": "web_search"}]


# ---- choice ----


@pytest.mark.parametrize(
    "choice,written",
    [
        (ToolChoice("auto"), None),
        (ToolChoice("required"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("tool", "f"), {"type": "function", "name": "f"}),
        (ToolChoice("tool", "p"), {"type": "custom", "name": "p"}),
        (ToolChoice("tool", "web_search"), {"type": "web_search"}),
        (ToolChoice("tool", "gone"), None),
    ],
)
def test_a_foreign_choice(choice: ToolChoice, written: object) -> None:
    """In this API's words; one that cannot be kept is none."""
    tools = (FunctionTool("f"), CustomTool("p"), hosted(WebSearch()))
    assert offered(*tools, tool_choice=choice).get("tool_choice") == written


@pytest.mark.parametrize(
    "caps,members,reason",
    [
        ({"tool_choice": False}, {}, "does not let the client force"),
        ({"forced_tool_choice_with_thinking": False}, {"reasoning": Reasoning(effort="high")}, "while it thinks"),
        ({}, {"tools": ()}, "no tool to choose"),
    ],
)
def test_a_choice_that_cannot_be_forced(caps: Json, members: Json, reason: str) -> None:
    """The model is left to choose, and that is a loss."""
    request = replace(
        foreign(USER), **{"tools": (FunctionTool("f"),), "tool_choice": ToolChoice("required"), **members}
    )
    written, losses = sent(request, replace(OPENAI, **caps))
    assert "tool_choice" not in written
    assert any(reason in loss.reason for loss in losses)


def test_members_of_a_foreign_choice_are_a_loss() -> None:
    """They mean something elsewhere."""
    request = replace(
        foreign(USER), tools=(FunctionTool("f"),), tool_choice=ToolChoice("auto", extras={"x": Raw(b"1")})
    )
    assert len(reasons(request)) == 1


def test_no_calls_where_that_cannot_be_said() -> None:
    """No tools are shown."""
    request = replace(foreign(USER), tools=(FunctionTool("f"),), tool_choice=ToolChoice("none"))
    assert "tools" not in sent(request, replace(OPENAI, tool_choice=False))[0]


def test_a_model_without_tools() -> None:
    """It is shown none."""
    request = replace(foreign(USER), tools=(FunctionTool("f"),))
    written, losses = sent(request, replace(OPENAI, tools=False))
    assert "tools" not in written
    assert losses[0].severity == "error"
    assert reasons(foreign(USER), replace(OPENAI, tools=False)) == []


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls(parallel: bool) -> None:
    """A switch where there is one; without it only a wish for none is a loss."""
    request = replace(foreign(USER), tools=(FunctionTool("f"),), parallel=parallel)
    assert sent(request)[0]["parallel_tool_calls"] is parallel
    written, losses = sent(request, replace(OPENAI, parallel_switch=False))
    assert "parallel_tool_calls" not in written
    assert len(losses) == (0 if parallel else 1)


def test_an_own_choice_that_cannot_be_kept() -> None:
    """The ChatGPT backend refuses one without tools; those that items brought are tools."""
    assert sent(parsed(body(OWN_USER, tool_choice="required")), CODEX)[0]["tool_choice"] == "auto"
    item = {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]}
    assert sent(parsed(body(item, OWN_USER, tool_choice="required")), CODEX)[0]["tool_choice"] == "required"


def test_the_own_choice_among_some_goes_as_it_is() -> None:
    """Also to a compatible server."""
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    request = parsed(body(OWN_USER, tools=[FUNCTION], tool_choice=choice))
    assert json.loads(json.dumps(sent(request, COMPATIBLE)[0]["tool_choice"])) == choice
