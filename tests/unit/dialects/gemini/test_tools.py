"""Tools and the choice among them, as clients write them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from strowger.errors import BadRequest
from strowger.ir.request import (
    CodeExecution,
    FunctionTool,
    HostedTool,
    RemoteMcp,
    ToolChoice,
    WebFetch,
    WebSearch,
)
from tests.unit.dialects.gemini.asking import asked, comes_back

F: Any = {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}
G: Any = {"name": "g", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}


@pytest.mark.parametrize(
    "tools",
    [
        [],
        [{}],
        [{"functionDeclarations": []}],
        [{"functionDeclarations": [F]}],
        [{"functionDeclarations": [F, G]}],
        [{"functionDeclarations": [F]}, {"functionDeclarations": [G]}],
        [{"function_declarations": [{"name": "f", "parameters_json_schema": {}, "behavior": 1, "response": {}}]}],
        [{"functionDeclarations": F}],
        {"functionDeclarations": [F]},
        [{"googleSearch": {}}, {"functionDeclarations": [F]}],
        [{"functionDeclarations": [F], "googleSearch": {"timeRangeFilter": {}}, "codeExecution": None}],
        [{"functionDeclarations": None, "google_search": {}}],
        [{"functionDeclarations": [{"name": "f", "parameters": {}, "parametersJsonSchema": {}}]}],
        [{"functionDeclarations": [{"name": "f", "description": None, "parameters": None}]}],
        [{"googleSearchRetrieval": {"dynamicRetrievalConfig": {}}}, {"url_context": {}}, {"newTool": True}],
        [{"fileSearch": {"file_search_store_names": ["a"]}}, {"mcpServers": [{"name": "a"}, {"name": "b"}]}],
    ],
)
def test_tools_come_back(tools: object) -> None:
    """In whatever way they are grouped, in either spelling."""
    assert comes_back(tools=tools)


def test_a_function_is_described_by_json_schema() -> None:
    """Google's own schema is translated, and kept beside."""
    f, g = asked(tools=[{"functionDeclarations": [F, G]}]).tools
    assert f == FunctionTool("f", "d", Raw(b'{"type":"object"}'))
    assert isinstance(g, FunctionTool)
    assert g.parameters == Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
    assert g.extras.keys() == {"parameters"}


@pytest.mark.parametrize(
    "kind, value, ability",
    [
        ("googleSearch", {"excludeDomains": ["a.b"]}, WebSearch(blocked_domains=("a.b",))),
        ("google_search", {}, WebSearch()),
        ("googleSearchRetrieval", {}, WebSearch()),
        ("urlContext", {}, WebFetch()),
        ("codeExecution", {}, CodeExecution()),
        (
            "mcpServers",
            [{"name": "m", "streamableHttpTransport": {"url": "https://x", "headers": {"Authorization": "t"}}}],
            RemoteMcp("m", "https://x", "t"),
        ),
        ("mcpServers", [{"name": "a"}, {"name": "b"}], None),
        ("mcpServers", 1, None),
        ("googleMaps", {}, None),
    ],
)
def test_what_googles_own_tools_do(kind: str, value: object, ability: object) -> None:
    """In the words that vendors share."""
    tool = asked(tools=[{kind: value}]).tools[0]
    assert isinstance(tool, HostedTool)
    assert tool.ability == ability


@pytest.mark.parametrize(
    "calling",
    [
        None,
        {},
        {"mode": "AUTO"},
        {"mode": 2, "allowedFunctionNames": ["f"]},
        {"mode": "ANY", "allowed_function_names": ["f", "g"]},
        {"mode": "any"},
        {"mode": "VALIDATED", "streamFunctionCallArguments": True},
        {"mode": "NONE", "allowedFunctionNames": []},
        {"mode": "NEWER"},
        {"mode": None},
    ],
)
@pytest.mark.parametrize(
    "key, inside", [("toolConfig", "functionCallingConfig"), ("tool_config", "function_calling_config")]
)
def test_the_choice_comes_back(calling: object, key: str, inside: str) -> None:
    """By name or number, in either spelling, with whatever else is in the object."""
    members = {key: {inside: calling, "retrievalConfig": {"a": 1}}}
    assert comes_back(tools=[{"functionDeclarations": [F, {"name": "g"}]}], **members)


@pytest.mark.parametrize("config", [{}, None])
def test_an_empty_configuration_comes_back(config: object) -> None:
    """It says nothing, and is still there."""
    assert comes_back(toolConfig=config)


@pytest.mark.parametrize(
    "calling, choice",
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": 2, "allowedFunctionNames": ["f"]}, ToolChoice("tool", "f")),
        (
            {"mode": "ANY", "allowedFunctionNames": [1]},
            ToolChoice("required", None, {"allowedFunctionNames": Raw(b"[1]")}),
        ),
        ({}, None),
    ],
)
def test_what_the_choice_is_to_others(calling: object, choice: ToolChoice | None) -> None:
    """One allowed function is a forced one."""
    assert asked(toolConfig={"functionCallingConfig": calling}).tool_choice == choice


@pytest.mark.parametrize(
    "tools", [[{"functionDeclarations": [{"description": "d"}]}], [{"functionDeclarations": 1}], [1]]
)
def test_what_is_no_tool_is_refused(tools: object) -> None:
    """With the path to it."""
    with pytest.raises(BadRequest, match=r"tools\[0\]"):
        asked(tools=tools)
