"""What Responses refuses of tools, of the choice among them and of the form of an answer, in the vendor's words."""

from __future__ import annotations

from typing import Any

from tests.fakes.chat_rules import strict_problem
from tests.fakes.chat_words import check_name, invalid_type, invalid_value, missing, unknown
from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_tables import NESTED, TOOLS

FORMAT_MEMBERS = {
    "text": frozenset({"type"}),
    "json_object": frozenset({"type"}),
    "json_schema": frozenset({"type", "name", "schema", "strict", "description"}),
}
# Choices that name a kind of tool, which has to be on offer under one of these names.
_NAMED_KINDS = (
    "file_search",
    "computer",
    "computer_use_preview",
    "code_interpreter",
    "image_generation",
    "mcp",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "shell",
    "apply_patch",
    "programmatic_tool_calling",
)


def check_tools(tools: Any, path: str = "tools") -> set[tuple[str, str]]:
    """Refuse tools that are wrong; which are on offer, as (type, name)."""
    if not isinstance(tools, list):
        raise invalid_type(path, "an array of objects", tools)
    offered: set[tuple[str, str]] = set()
    for index, tool in enumerate(tools):
        offered |= _check_tool(tool, f"{path}[{index}]")
    return offered


def _check_tool(tool: Any, path: str) -> set[tuple[str, str]]:
    if not isinstance(tool, dict):
        raise invalid_type(path, "an object", tool)
    name = tool.get("type")
    if name is None:
        raise missing(f"{path}.type")
    kind = TOOLS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise invalid_value(path, name, tuple(TOOLS))
    for member in kind.required:
        if member not in tool:
            raise missing(f"{path}.{member}")
    for member in tool:
        if member not in kind.members:
            raise unknown(f"{path}.{member}")
    if name in ("function", "custom", "namespace"):
        check_name(tool["name"], f"{path}.name")
    if name == "function":
        _check_parameters(tool, f"{path}.parameters")
    if name == "custom":
        _check_grammar(tool.get("format"), f"{path}.format")
    if name == "mcp" and not (tool.get("server_url") or tool.get("connector_id") or tool.get("tunnel_id")):
        raise missing(f"{path}.server_url")
    if name == "namespace":
        return {(inner, f"{tool['name']}.{own}") for inner, own in check_tools(tool["tools"], f"{path}.tools")}
    return {(name, tool.get("name") or tool.get("server_label") or "")}


def _check_parameters(tool: Json, param: str) -> None:
    if not isinstance(tool.get("strict"), bool | None):
        raise invalid_type(f"{param.rpartition('.')[0]}.strict", "a boolean", tool["strict"])
    schema = tool.get("parameters")
    if schema is None:
        return
    reason = f"Invalid schema for function '{tool['name']}'"
    if not isinstance(schema, dict):
        raise invalid_type(param, "an object", schema)
    if schema.get("type", "object" if not schema else None) != "object":
        kind = schema.get("type", "None")
        words = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
        raise Refusal(f"{reason}: {words}", param=param, code="invalid_function_parameters")
    problem = strict_problem(schema) if tool.get("strict") else None
    if problem:
        raise Refusal(f"{reason}: {problem}", param=param, code="invalid_function_parameters")


def _check_grammar(form: Any, path: str) -> None:
    if form is None:
        return
    kind = form.get("type")
    if kind not in ("text", "grammar"):
        raise invalid_value(f"{path}.type", kind, ("text", "grammar"))
    known = {"type", "syntax", "definition"} if kind == "grammar" else {"type"}
    for member in form:
        if member not in known:
            raise unknown(f"{path}.{member}")
    if kind == "grammar":
        if form.get("syntax") not in ("lark", "regex"):
            raise invalid_value(f"{path}.syntax", form.get("syntax"), ("lark", "regex"))
        if not isinstance(form.get("definition"), str):
            raise missing(f"{path}.definition")


def check_choice(choice: Any, offered: set[tuple[str, str]]) -> None:
    """Refuse a choice that is malformed or names what is not on offer."""
    if choice is None:
        return
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise invalid_value("tool_choice", choice, ("none", "auto", "required"))
        if choice == "required" and not offered:
            words = "Tool choice 'required' must be specified with 'tools' parameter."
            raise Refusal(words, param="tool_choice")
        return
    if not isinstance(choice, dict):
        raise invalid_type("tool_choice", "one of an object or string", choice)
    kind = choice.get("type")
    if kind == "allowed_tools":
        _check_allowed(choice, offered)
    elif kind in ("function", "custom"):
        if not isinstance(choice.get("name"), str):
            raise missing("tool_choice.name")
        _check_named(choice, "tool_choice", offered)
    elif kind not in _NAMED_KINDS:
        raise invalid_value("tool_choice.type", kind, ("allowed_tools", "function", "custom", *_NAMED_KINDS))
    elif not any(name.startswith(kind.removesuffix("_preview")) for name, _ in offered):
        raise Refusal(f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice")


def _check_allowed(choice: Json, offered: set[tuple[str, str]]) -> None:
    if choice.get("mode") not in ("auto", "required"):
        raise invalid_value("tool_choice.mode", choice.get("mode"), ("auto", "required"))
    tools = choice.get("tools")
    if not isinstance(tools, list):
        raise missing("tool_choice.tools")
    for index, tool in enumerate(tools):
        if tool.get("type") in ("function", "custom"):
            _check_named(tool, f"tool_choice.tools[{index}]", offered)


def _check_named(choice: Json, path: str, offered: set[tuple[str, str]]) -> None:
    for member in choice:
        if member not in ("type", "name", "namespace"):
            raise unknown(f"{path}.{member}")
    wanted = ".".join(filter(None, (choice.get("namespace"), choice["name"])))
    if (choice["type"], wanted) not in offered:
        raise Refusal(f"Tool choice '{wanted}' not found in 'tools' parameter.", param="tool_choice")


def check_text(text: Any) -> None:
    """Refuse a form of the answer that is malformed."""
    if text is None:
        return
    if not isinstance(text, dict):
        raise invalid_type("text", "an object", text)
    for member in text:
        if member not in NESTED["text"]:
            raise unknown(f"text.{member}")
    form = text.get("format")
    if form is None:
        return
    kind = form.get("type") if isinstance(form, dict) else None
    if kind not in FORMAT_MEMBERS:
        raise invalid_value("text.format.type", kind, ("json_object", "json_schema", "text"))
    if kind == "json_schema":
        # Chat Completions has these one level deeper; here that is a name that is missing.
        check_name(form.get("name"), "text.format.name")
        if not isinstance(form.get("schema"), dict):
            raise missing("text.format.schema")
    for member in form:
        if member not in FORMAT_MEMBERS[kind]:
            raise unknown(f"text.format.{member}")
    if kind == "json_schema" and form.get("strict"):
        problem = strict_problem(form["schema"])
        if problem:
            words = f"Invalid schema for response_format '{form['name']}': {problem}"
            raise Refusal(words, param="text.format.schema", code="invalid_json_schema")
