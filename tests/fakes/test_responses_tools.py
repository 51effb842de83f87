"""Each rule about tools and forms of a Responses request, by one that breaks only it and by one beside that."""

from __future__ import annotations

import pytest

from tests.fakes.responses_requests import BAD_ENUM, CLOSED, OPEN, Rule, body, form, refusal_in, refusal_of, tool

RULES: dict[str, Rule] = {
    "tool of Chat": (
        body(tools=[{"type": "function", "function": {"name": "sum"}}]),
        body(tools=[tool()]),
        "Missing required parameter: 'tools[0].name'.",
        "tools[0].name",
        "missing_required_parameter",
    ),
    "tool of another vendor": (
        body(tools=[{"name": "sum", "input_schema": {}}]),
        body(tools=[{"type": "web_search"}]),
        "Missing required parameter: 'tools[0].type'.",
        "tools[0].type",
        "missing_required_parameter",
    ),
    "unknown kind of tool": (
        body(tools=[{"type": "bash_20250124", "name": "bash"}]),
        body(tools=[{"type": "local_shell"}]),
        "Invalid value: 'bash_20250124'.",
        "tools[0]",
        BAD_ENUM,
    ),
    "unknown member of a tool": (
        body(tools=[tool(input_schema={})]),
        body(tools=[tool(defer_loading=True)]),
        "Unknown parameter: 'tools[0].input_schema'.",
        "tools[0].input_schema",
        "unknown_parameter",
    ),
    "name with a dot": (
        body(tools=[tool("a.b")]),
        body(tools=[tool("a_b-1")]),
        "Invalid 'tools[0].name': string does not match pattern. Expected a string that matches the pattern",
        "tools[0].name",
        "invalid_value",
    ),
    "long name": (
        body(tools=[tool("a" * 65)]),
        body(tools=[tool("a" * 64)]),
        "Expected a string with maximum length 64, but got a string with length 65 instead.",
        "tools[0].name",
        "string_above_max_length",
    ),
    "strict and open": (
        body(tools=[tool(strict=True, parameters=OPEN)]),
        body(tools=[tool(strict=False, parameters=OPEN)]),
        "In context=(), 'additionalProperties' is required to be supplied and to be false.",
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "strict with an optional member": (
        body(tools=[tool(strict=True, parameters={**CLOSED, "required": []})]),
        body(tools=[tool(strict=True, parameters=CLOSED)]),
        "'required' is required to be supplied and to be an array including every key in properties. Missing 'a'.",
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "schema of no object": (
        body(tools=[tool(parameters={"type": "array"})]),
        body(tools=[tool(parameters={})]),
        "got 'type: \"array\"'",
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "tool in a namespace": (
        body(tools=[{"type": "namespace", "name": "n", "description": "", "tools": [tool("a b")]}]),
        body(tools=[{"type": "namespace", "name": "n", "description": "", "tools": [tool("a")]}]),
        "Invalid 'tools[0].tools[0].name'",
        "tools[0].tools[0].name",
        "invalid_value",
    ),
    "unknown grammar": (
        body(
            tools=[{"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "bnf", "definition": "a"}}]
        ),
        body(
            tools=[{"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "a"}}]
        ),
        "Invalid value: 'bnf'.",
        "tools[0].format.syntax",
        BAD_ENUM,
    ),
    "remote server without address": (
        body(tools=[{"type": "mcp", "server_label": "a"}]),
        body(tools=[{"type": "mcp", "server_label": "a", "server_url": "https://example.com"}]),
        "Missing required parameter: 'tools[0].server_url'.",
        "tools[0].server_url",
        "missing_required_parameter",
    ),
    "choice in another vendor's word": (
        body(tools=[tool()], tool_choice="any"),
        body(tools=[tool()], tool_choice="required"),
        "Invalid value: 'any'.",
        "tool_choice",
        BAD_ENUM,
    ),
    "choice among nothing": (
        body(tool_choice="required"),
        body(tool_choice="auto"),
        "Tool choice 'required' must be specified with 'tools' parameter.",
        "tool_choice",
        None,
    ),
    "choice of an absent tool": (
        body(tools=[tool()], tool_choice={"type": "function", "name": "product"}),
        body(tools=[tool()], tool_choice={"type": "function", "name": "sum"}),
        "Tool choice 'product' not found in 'tools' parameter.",
        "tool_choice",
        None,
    ),
    "choice of an absent hosted tool": (
        body(tools=[tool()], tool_choice={"type": "web_search"}),
        body(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}),
        "Tool choice 'web_search' not found in 'tools' parameter.",
        "tool_choice",
        None,
    ),
    "choice in Chat's form": (
        body(tools=[tool()], tool_choice={"type": "function", "function": {"name": "sum"}}),
        body(tools=[tool()], tool_choice={"type": "function", "name": "sum"}),
        "Missing required parameter: 'tool_choice.name'.",
        "tool_choice.name",
        "missing_required_parameter",
    ),
    "absent tool among the allowed": (
        body(
            tools=[tool()],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "product"}]},
        ),
        body(
            tools=[tool()],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "sum"}]},
        ),
        "Tool choice 'product' not found in 'tools' parameter.",
        "tool_choice",
        None,
    ),
    "form of Chat": (
        body(text={"format": {"type": "json_schema", "json_schema": {"name": "a", "schema": CLOSED}}}),
        body(text=form()),
        "Missing required parameter: 'text.format.name'.",
        "text.format.name",
        "missing_required_parameter",
    ),
    "form without a schema": (
        body(text=form(None)),
        body(text={"format": {"type": "json_object"}}),
        "Missing required parameter: 'text.format.schema'.",
        "text.format.schema",
        "missing_required_parameter",
    ),
    "strict form that is open": (
        body(text=form(OPEN)),
        body(text=form(OPEN, strict=False)),
        "Invalid schema for response_format 'answer': In context=(), 'additionalProperties' is required",
        "text.format.schema",
        "invalid_json_schema",
    ),
    "unknown form": (
        body(text={"format": {"type": "xml"}}),
        body(text={"format": {"type": "text"}, "verbosity": "low"}),
        "Invalid value: 'xml'.",
        "text.format.type",
        BAD_ENUM,
    ),
    "unknown verbosity": (
        body(text={"verbosity": "chatty"}),
        body(text={"verbosity": "high"}),
        "Invalid value: 'chatty'.",
        "text.verbosity",
        BAD_ENUM,
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_rule(rule: Rule) -> None:
    """What breaks a rule is refused in the vendor's words, with its `param` and `code`; what is beside it is taken."""
    bad, good, words, param, code = rule
    assert refusal_of(good) is None
    assert refusal_in(words, bad) == (400, param, code)
