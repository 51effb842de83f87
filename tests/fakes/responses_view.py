"""A Responses request as the brain sees it, and the brain's answer with this dialect's own kinds of calls."""

from __future__ import annotations

from typing import Any

from tests.fakes import brain
from tests.fakes.refusal import Json
from tests.fakes.responses_events import strict_by_default
from tests.fakes.responses_output import json_text
from tests.fakes.responses_parts import Compact, Freeform, LocalShell, NamespacedCall
from tests.fakes.responses_rules import reasons
from tests.fakes.responses_tables import SPOKEN
from tests.fakes.script import Call, Part, Reply

PATCH = "*** Begin Patch\n*** Add File: strowger-e2e.txt\n+strowger-e2e-42\n*** End Patch\n"
_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
_COMMAND = {"type": "object", "properties": {"command": {"type": "array"}}, "required": ["command"]}
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")


def answer(body: Json, items: list[Json]) -> Reply:
    """What the brain says to a request. `items`: all that the model has before it."""
    if items and items[-1].get("type") == "compaction_trigger":
        return Reply(parts=(Compact(),))
    tools = _tools(body, items)
    seen = view(body, items, tools)
    patch = _patch(seen, tools)
    reply = patch or brain.answer(seen)
    parts = [_own(part, tools) for part in reply.parts]
    if body.get("parallel_tool_calls") is False:
        parts = _one_call(parts)
    return Reply(parts=tuple(parts))


def view(body: Json, items: list[Json], tools: dict[str, Json]) -> brain.View:
    """A request as the brain sees it."""
    choice = body.get("tool_choice")
    form = (body.get("text") or {}).get("format") or {}
    results: list[str] = []
    texts: list[str] = []
    for item in reversed(items):
        if item.get("type") in SPOKEN or item.get("role") == "assistant":
            break
        if item.get("type") in _OUTPUTS:
            results.insert(0, _text(item["output"]))
        if item.get("role") == "user":
            # Some clients put reminders into messages of their own, after the prompt or the results.
            texts.insert(0, _text(item["content"]))
    allowed = choice if isinstance(choice, dict) and choice.get("type") == "allowed_tools" else {}
    names = {tool.get("name") for tool in allowed.get("tools") or ()}
    schemas = {name: _schema(tool) for name, tool in tools.items() if not names or name in names}
    named = choice.get("name") if isinstance(choice, dict) and choice.get("type") in ("function", "custom") else None
    return brain.View(
        text="\n".join(texts),
        results=tuple(results),
        tools=schemas if choice != "none" else {},
        forced=named,
        must_call=choice == "required" or allowed.get("mode") == "required",
        schema=form.get("schema"),
        thinks=reasons(body),
    )


def _tools(body: Json, items: list[Json]) -> dict[str, Json]:
    """What the model can call, by name; of tools in a namespace the namespace comes first."""
    offered = list(body.get("tools") or ())
    for item in items:
        if item.get("type") in ("additional_tools", "tool_search_output"):
            offered += item["tools"]
    tools: dict[str, Json] = {}
    for tool in offered:
        if tool["type"] == "namespace":
            tools |= {f"{tool['name']}.{inner['name']}": {**inner, "in": tool["name"]} for inner in tool["tools"]}
        elif tool["type"] in ("function", "custom"):
            tools[tool["name"]] = tool
        elif tool["type"] == "local_shell":
            tools["local_shell"] = tool
    return tools


def _schema(tool: Json) -> Json:
    if tool["type"] == "function":
        return {"type": "object", **(strict_by_default(tool).get("parameters") or {})}
    return _COMMAND if tool["type"] == "local_shell" else _INPUT


def _patch(seen: brain.View, tools: dict[str, Json]) -> Reply | None:
    tool = tools.get("apply_patch")
    if tool is None or "RUN_PATCH" not in seen.text or seen.results:
        return None
    member = next(iter(_schema(tool).get("properties") or {"input": {}}))
    return Reply(parts=(Call("apply_patch", {member: PATCH}),))


def _own(part: Part, tools: dict[str, Json]) -> Part:
    """A call in the form that its tool wants."""
    tool = tools.get(part.name) if isinstance(part, Call) else None
    if tool is None or not isinstance(part, Call):
        return part
    given = part.arguments if isinstance(part.arguments, dict) else {}
    plain, space = tool.get("name", ""), tool.get("in", "")
    if tool["type"] == "custom":
        whole = next((value for value in given.values() if isinstance(value, str)), json_text(part.arguments))
        return Freeform(plain, given.get("command") or whole, namespace=space)
    if tool["type"] == "local_shell":
        return LocalShell(tuple(given["command"]))
    return NamespacedCall(plain, part.arguments, namespace=space)


def _one_call(parts: list[Part]) -> list[Part]:
    calls = [part for part in parts if isinstance(part, Call | Freeform | LocalShell)]
    return [part for part in parts if part not in calls[1:]]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or ())
