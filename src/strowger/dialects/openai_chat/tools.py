"""Tools and the choice among them, as an upstream of this dialect is told."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.client_tools import described, loaded, one_kind
from strowger.dialects.offers import Offers
from strowger.dialects.openai_chat.hosted import MEMBERS, ask_for_search
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import Json, nested, put_back, render_cache
from strowger.dialects.openai_chat.request import Form
from strowger.dialects.openai_chat.typed import typed
from strowger.dialects.openai_chat.wire import NAME
from strowger.dialects.schemas import grammar, is_strict
from strowger.ir.request import (
    NO_EXTRAS,
    CustomTool,
    FunctionTool,
    HostedTool,
    Tool,
    ToolChoice,
    ToolSearch,
    WebSearch,
    plain_tools,
)

_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_OBJECT = b'"object"'
_EMPTY = Raw(b"{}")
_NO_TYPE = Raw(b"null")
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_FREE_TEXT = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


class _Shown(Struct, frozen=True):
    """The names of the tools that are listed, and those under which the client knows the target's own search."""

    names: frozenset[str]
    searches: frozenset[str]


_OFFERS: Offers[_Shown] = Offers()


def render_tools(job: Job, body: Json) -> None:
    """Set `tools`, `functions`, `tool_choice`, `parallel_tool_calls`, and what asks for a search beside them."""
    request, caps = job.request, job.caps
    choice, tools = request.tool_choice, plain_tools(request)
    if choice is not None and choice.mode == "none" and tools and not caps.tool_choice:
        job.lose("tool_choice", "the provider cannot forbid tool calls, so it is shown no tools", "info")
        return
    named = loaded(request.messages, tools)
    forced = choice.name if choice is not None and choice.mode == "tool" else None
    besides = job.space((forced, named))
    offer = _OFFERS.made(job, request.tools, besides, lambda: _offered(job, tools, choice, named))
    body |= offer.members
    if not caps.tools:
        return
    shown = offer.more
    if choice is not None and choice.mode == "tool" and choice.name in shown.searches:
        job.lose("tool_choice", "the provider's own search cannot be forced", "info")
    elif choice is not None:
        _render_choice(job, body, choice, shown.names)
    if shown.names or job.ours:
        _render_parallel(job, body)


def _offered(
    job: Job, plain: tuple[Tool, ...], choice: ToolChoice | None, named: frozenset[str]
) -> tuple[Json, _Shown]:
    """The members that list tools. `named` are the deferred ones to show."""
    body: Json = {}
    tools, searches = _beside(job, body, list(enumerate(plain)), choice)
    if not job.caps.tools:
        if tools:
            job.lose("tools", "the model takes no tools", "error")
        return body, _Shown(frozenset(), searches)
    names: list[str] = []
    for i, offered in tools:
        tool = _shown(job, offered, f"tools[{i}]", named)
        if tool is None:
            continue
        names.append(tool.name)
        if isinstance(tool, FunctionTool) and tool.form == "functions" and job.ours:
            body.setdefault("functions", []).append(_function(job, tool))
        else:
            body.setdefault("tools", []).append(_render(job, tool))
    return body, _Shown(frozenset(names), searches)


def _render_parallel(job: Job, body: Json) -> None:
    parallel = job.request.parallel
    if parallel is None:
        return
    if job.caps.parallel_switch:
        body["parallel_tool_calls"] = parallel
    elif not parallel:
        job.lose("parallel_tool_calls", "the provider has no switch for parallel tool calls")


def _beside(
    job: Job, body: Json, tools: list[tuple[int, Tool]], choice: ToolChoice | None
) -> tuple[list[tuple[int, Tool]], frozenset[str]]:
    """Ask for the target's own search where the client asks for one. What is left to be listed, and the names under
    which the client knows the search.
    """
    if not job.ours and not job.caps.search_with_tools:
        tools, left = one_kind(tools, choice)
        if left:
            job.lose("tools", f"the provider takes functions or its own tools, not both: {left} stay behind", "error")
    listed: list[tuple[int, Tool]] = []
    searches: set[str] = set()
    for i, tool in tools:
        if not isinstance(tool, HostedTool):
            listed.append((i, tool))
        elif job.ours and tool.type in MEMBERS:
            body[tool.type] = tool.raw
        elif isinstance(tool.ability, WebSearch) and job.caps.web_search and not _is_own(job, tool):
            ask_for_search(job, body, tool.ability, f"tools[{i}]")
            searches.add(tool.name)
        else:
            listed.append((i, tool))
    return listed, frozenset(searches)


def _is_own(job: Job, tool: HostedTool) -> bool:
    """Whether the target knows the very tool."""
    return tool.origin == NAME and (job.caps.hosted_tools or tool.type == job.caps.web_search)


def _shown(job: Job, tool: Tool, path: str, named: frozenset[str]) -> Tool | None:
    """The tool as this target can have it, or None with its loss. `named` are the deferred tools to show."""
    match tool:
        case FunctionTool():
            return _shown_function(job, tool, path, named)
        case HostedTool():
            if _is_own(job, tool):
                return tool
            known = described(tool)
            if known is None and isinstance(tool.ability, ToolSearch):
                job.lose(path, "tools cannot be searched there, so all are shown at once", "info")
            elif known is None:
                job.lose(path, f"the tool {tool.name or tool.type!r} runs at its own vendor only", "error")
            return known
        case CustomTool() if not job.caps.custom_tools:
            job.lose(path, "free-text tools are sent as functions with one input", "warning")
            return FunctionTool(tool.name, tool.description, _FREE_TEXT)
        case CustomTool():
            if job.ours:
                return tool
            shape = None if tool.format is None else grammar(tool.format, nested=True)
            return replace(tool, extras=NO_EXTRAS, format=shape)


def _shown_function(job: Job, tool: FunctionTool, path: str, named: frozenset[str]) -> FunctionTool | None:
    if tool.deferred and tool.name not in named:
        job.lose_once("tools", "deferred tools are shown once they are named", "info")
        return None
    if not job.ours:
        tool = _naturalised(job, tool, path)
        if tool.strict is not None and not is_strict(tool.parameters):
            if tool.strict:
                job.lose_once(f"{path}.strict", "the schema does not keep the rules of strict mode", "info")
            tool = replace(tool, strict=None)
    if tool.strict is not None and not job.caps.strict_tools:
        if tool.strict:
            job.lose_once(f"{path}.strict", "the provider has no strict tools", "info")
        tool = replace(tool, strict=None)
    if job.caps.tool_schema == "typed" and tool.parameters is not None:
        tool = replace(tool, parameters=typed(tool.parameters))
    if tool.cache is not None and not job.caps.cache_hints:
        job.lose_once("cache_control", "prompt cache hints are not taken; the provider caches by itself", "info")
        tool = replace(tool, cache=None)
    return tool


def _naturalised(job: Job, tool: FunctionTool, path: str) -> FunctionTool:
    """The tool without foreign extras, and with a schema; itself where that changes nothing."""
    parameters = _with_properties(tool.parameters)
    if tool.extras:
        job.lose_extras(tool.extras, path)
        return replace(tool, extras=NO_EXTRAS, parameters=parameters)
    return tool if parameters is tool.parameters else replace(tool, parameters=parameters)


def _with_properties(schema: Raw | None) -> Raw:
    """The schema with `properties`, if only empty ones: OpenAI refuses an object schema without.

    A schema that has any, if only deeper down, is left alone: looking closely at each would cost more than it is worth.
    """
    if schema is None:
        return _NO_PARAMETERS
    if b'"properties"' in bytes(schema):
        return schema
    try:
        members = _MEMBERS.decode(schema)
    except msgspec.ValidationError:
        return schema
    if bytes(members.get("type", _NO_TYPE)) != _OBJECT:
        return schema
    return Raw(msgspec.json.encode({**members, "properties": _EMPTY}))


def _render(job: Job, tool: Tool) -> Json | Raw:
    match tool:
        case FunctionTool():
            node = put_back(tool.extras)
            if tool.form != "untyped":
                node["type"] = "function"
            nested(node, "function", _members(job, tool))
            if tool.cache is not None:
                node["cache_control"] = render_cache(tool.cache)
            return node
        case HostedTool():
            return tool.raw
        case CustomTool():
            node = put_back(tool.extras)
            members: Json = {"name": job.tool_name(tool.name)}
            if tool.description is not None:
                members["description"] = tool.description
            if tool.format is not None:
                members["format"] = tool.format
            node["type"] = "custom"
            nested(node, "custom", members)
            return node


def _function(job: Job, tool: FunctionTool) -> Json:
    return put_back(tool.extras) | _members(job, tool)


def _members(job: Job, tool: FunctionTool) -> Json:
    node: Json = {"name": job.tool_name(tool.name)}
    if tool.description is not None:
        node["description"] = tool.description
    if tool.parameters is not None:
        node["parameters"] = tool.parameters
    if tool.strict is not None:
        node["strict"] = tool.strict
    return node


# ---- choice ----


def thinks(job: Job) -> bool:
    """Whether the request asks for thinking."""
    reasoning = job.request.reasoning
    if reasoning is None or reasoning.mode == "disabled" or reasoning.effort == "none":
        return False
    return reasoning.mode is not None or reasoning.effort is not None or reasoning.budget is not None


def _render_choice(job: Job, body: Json, choice: ToolChoice, names: AbstractSet[str]) -> None:
    choice = _possible(job, choice, names)
    if choice.mode == "auto" and (not job.ours or not job.caps.tool_choice) and not choice.extras:
        return  # it is the default
    forms = job.request.forms if job.ours else frozenset()
    if Form.FUNCTION_CALL in forms:
        body["function_call"] = (
            put_back(choice.extras) | {"name": job.tool_name(choice.name or "")}
            if choice.mode == "tool"
            else choice.mode
        )
        return
    if "allowed_tools" in choice.extras and job.ours:
        body["tool_choice"] = choice.extras["allowed_tools"]
        return
    match choice.mode:
        case "tool":
            node = put_back(choice.extras if job.ours else NO_EXTRAS)
            key = "custom" if Form.CHOICE_CUSTOM in forms else "function"
            if Form.CHOICE_UNTYPED not in forms:
                node["type"] = key
            nested(node, key, {"name": job.tool_name(choice.name or "")})
            body["tool_choice"] = node
        case "required":
            body["tool_choice"] = "any" if Form.CHOICE_ANY in forms else "required"
        case word:
            if word != "none" or names or job.ours:  # "'tool_choice' is only allowed when 'tools' are specified"
                body["tool_choice"] = word


def _possible(job: Job, choice: ToolChoice, names: AbstractSet[str]) -> ToolChoice:
    """The choice, or `auto` with the loss of what this target cannot promise."""
    auto = ToolChoice("auto")
    if choice.extras and not job.ours:
        job.lose_extras(choice.extras, "tool_choice")
        choice = replace(choice, extras=NO_EXTRAS)
    if choice.mode == "tool" and choice.name not in names and not (job.ours and not job.request.tools):
        job.lose("tool_choice", f"the forced tool {choice.name!r} is not among the tools that are sent")
        return auto
    if choice.mode in {"auto", "none"}:
        return choice
    if not names and not job.ours:
        job.lose("tool_choice", "there is no tool to choose")
        return auto
    if not job.caps.tool_choice:
        job.lose("tool_choice", "the provider does not let the client force a tool call")
        return auto
    if not job.caps.forced_tool_choice_with_thinking and thinks(job):
        job.lose("tool_choice", "the model cannot be forced to call a tool while it thinks")
        return auto
    return choice
