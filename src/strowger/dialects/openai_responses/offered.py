"""Tools and the choice among them, as an upstream of this dialect is told. The inverse of `tools.py`."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.client_tools import described, loaded
from strowger.dialects.offers import Offers
from strowger.dialects.openai_responses.job import Job
from strowger.dialects.openai_responses.parts import Json
from strowger.dialects.openai_responses.request import Form
from strowger.dialects.openai_responses.tools import CHOICE_TYPE, names_of
from strowger.dialects.openai_responses.wire import ABILITIES, NAME
from strowger.dialects.schemas import grammar, is_strict
from strowger.ir.request import (
    NO_EXTRAS,
    CodeExecution,
    CustomTool,
    FunctionTool,
    HostedTool,
    RemoteMcp,
    Tool,
    ToolChoice,
    ToolGroup,
    ToolSearch,
    WebFetch,
    WebSearch,
    plain_tools,
)

_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_FREE_TEXT = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_EMPTY_OBJECT = Raw(b"{}")


class _Shown(Struct, frozen=True):
    """The tools that are listed. `converted`: one of this dialect in another way than the client wrote it; `searches`:
    the provider is to search the web.
    """

    tools: tuple[Tool | ToolGroup, ...] = ()
    converted: bool = False
    searches: bool = False


_OFFERS: Offers[_Shown] = Offers()


def render_tools(job: Job, body: Json, *, anew: bool = False) -> bool:
    """Set `tools`, `tool_choice` and `parallel_tool_calls`; whether the provider is to search the web. `anew`: the
    tools as objects, not as they were written before.
    """
    request, caps = job.request, job.caps
    if not caps.tools:
        if request.tools:
            job.lose("tools", "the model takes no tools", "error")
        return False
    choice = request.tool_choice
    if choice is not None and choice.mode == "none" and request.tools and not caps.tool_choice:
        job.lose("tool_choice", "the provider cannot forbid tool calls, so it is shown no tools", "info")
        return False
    came = brought(job)
    named = frozenset[str]() if job.native else loaded(request.messages, plain_tools(request))
    if anew:
        members, offered = _offered(job, named)
        body |= members
    else:
        offer = _OFFERS.made(job, request.tools, job.space((job.native, came, named)), lambda: _offered(job, named))
        body |= offer.members
        offered = offer.more
    job.converted = job.converted or offered.converted
    shown = offered.tools
    if choice is not None:
        carried = [*shown, *request.tools[len(request.tools) - came :]] if job.native else shown
        _render_choice(job, body, choice, {name for tool in carried for name in names_of(tool)})
    if request.parallel is not None and (shown or job.ours):
        if caps.parallel_switch:
            body["parallel_tool_calls"] = request.parallel
        elif not request.parallel:
            job.lose("parallel_tool_calls", "the provider has no switch for parallel tool calls")
    return offered.searches


def _offered(job: Job, named: frozenset[str]) -> tuple[Json, _Shown]:
    """The member that lists tools. `named` are the deferred ones to show."""
    before, job.converted = job.converted, False
    shown = _shown_tools(job, named)
    converted, job.converted = job.converted, before
    written = [_written(job, tool) for tool in shown]
    searches = any(isinstance(tool, Raw) and b'"web_search' in bytes(tool) for tool in written)
    return {"tools": written} if written else {}, _Shown(tuple(shown), converted, searches)


# ---- which tools ----


def _shown_tools(job: Job, named: frozenset[str]) -> list[Tool | ToolGroup]:
    request = job.request
    tools: tuple[Tool | ToolGroup, ...] = request.tools
    if job.native:
        tools = tools[: len(tools) - brought(job)]
        return [kept for i, tool in enumerate(tools) if (kept := _own(job, tool, f"tools[{i}]")) is not None]
    plain = plain_tools(request)
    if not job.caps.search_with_tools and any(isinstance(tool, FunctionTool | CustomTool) for tool in plain):
        usual = tuple([tool for tool in plain if not isinstance(tool, HostedTool) or described(tool) is not None])
        if len(usual) < len(plain):
            job.lose("tools", "the provider's own tools do not stand beside functions there", "error")
        plain = usual
    return [shown for i, tool in enumerate(plain) if (shown := _shown(job, tool, f"tools[{i}]", named)) is not None]


def brought(job: Job) -> int:
    """How many of the tools, the last ones, came with items of the input: they go back with them."""
    marks = (form for form in job.request.forms if form.startswith(Form.BROUGHT))
    return next((int(mark[len(Form.BROUGHT) :]) for mark in marks), 0)


def _own(job: Job, tool: Tool | ToolGroup, path: str) -> Tool | ToolGroup | None:
    """A tool of this dialect for a target that has what the vendor has, within its capabilities."""
    caps = job.caps
    if isinstance(tool, HostedTool):
        if job.whole or caps.hosted_tools or _is_offered(job, tool):
            return tool
        return _known(job, tool, path)
    if isinstance(tool, CustomTool) and not caps.custom_tools:
        return _as_function(job, tool, path)
    if isinstance(tool, FunctionTool) and tool.strict and not caps.strict_tools:
        job.lose_once(f"{path}.strict", "the provider has no strict tools", "info")
        return replace(tool, strict=None)
    return tool


def _is_offered(job: Job, tool: HostedTool) -> bool:
    caps = job.caps
    match tool.ability:
        case WebSearch():
            return bool(caps.web_search)
        case CodeExecution():
            return bool(caps.code_execution)
        case RemoteMcp():
            return caps.remote_mcp
        case _:
            return described(tool) is not None and job.native


def _shown(job: Job, tool: Tool, path: str, named: frozenset[str]) -> Tool | None:
    """The tool as this target can have it, or None with its loss. `named` are the deferred tools to show."""
    match tool:
        case FunctionTool():
            if tool.deferred and tool.name not in named:
                job.lose_once("tools", "deferred tools are shown once they are named", "info")
                return None
            return _function(job, tool, path)
        case HostedTool():
            return _hosted(job, tool, path)
        case CustomTool() if not job.caps.custom_tools:
            return _as_function(job, tool, path)
        case CustomTool():
            if tool.extras and not job.ours:
                job.lose_extras(tool.extras, path)
            if tool.format is not None and not job.ours:
                return replace(tool, extras=NO_EXTRAS, format=grammar(tool.format, nested=False))
            return replace(tool, extras=NO_EXTRAS)


def _as_function(job: Job, tool: CustomTool, path: str) -> FunctionTool:
    job.converted = True
    job.lose_once(path, "free-text tools are sent as functions with one input")
    return FunctionTool(tool.name, _with_grammar(tool), _FREE_TEXT, strict=False)


def _with_grammar(tool: CustomTool) -> str | None:
    """The description, and the grammar that the input must follow: here it can only be asked for."""
    if tool.format is None:
        return tool.description
    grammar = bytes(tool.format).decode("utf-8", "replace")
    return f"{tool.description or ''}\n\nThe input is free text in this format: {grammar}".strip()


def _function(job: Job, tool: FunctionTool, path: str) -> FunctionTool:
    """A function for a target that takes plain functions. Left alone, it would be held to its schema: the default of
    the API is strict.
    """
    strict = tool.strict
    if not job.ours or not job.native:
        if not job.ours:
            job.lose_extras(tool.extras, path)
        enforced = bool(strict) and job.caps.strict_tools and is_strict(tool.parameters)
        if strict and not enforced:
            job.lose_once(f"{path}.strict", "the tool is not held to its schema", "info")
        strict = enforced
    if tool.cache is not None:
        job.lose_once("cache_control", "prompt cache hints are not taken; the provider caches by itself", "info")
    return FunctionTool(tool.name, tool.description, _with_properties(tool.parameters), strict)


def _with_properties(schema: Raw | None) -> Raw:
    """The schema with `properties`, if only empty ones: OpenAI refuses an object schema without."""
    if schema is None:
        return _NO_PARAMETERS
    if b'"properties"' in bytes(schema):
        return schema
    try:
        members = _MEMBERS.decode(schema)
    except msgspec.ValidationError:
        return schema
    if bytes(members.get("type", b"")) != b'"object"':
        return schema
    return Raw(msgspec.json.encode({**members, "properties": _EMPTY_OBJECT}))


# ---- what a vendor runs ----


def _hosted(job: Job, tool: HostedTool, path: str) -> Tool | None:
    """Another vendor's tool as the target's own of that kind, or as a function that the client runs."""
    caps = job.caps
    if tool.origin == NAME and (caps.hosted_tools or _is_offered(job, tool)):
        return tool
    node: Json | None = None
    match tool.ability:
        case WebSearch() as search if caps.web_search:
            node = _web_search(job, search, path)
        case WebFetch() if caps.web_search:
            job.lose(path, "pages are read by the provider's web search", "info")
            return None if _has_search(job) else _native(caps.web_search, {})
        case CodeExecution() if caps.code_execution:
            node = {"type": caps.code_execution}
            if caps.code_execution == "code_interpreter":
                node["container"] = {"type": "auto"}
        case RemoteMcp() as remote if caps.remote_mcp:
            node = _mcp(remote)
        case ToolSearch():
            job.lose(path, "tools cannot be searched there, so all are shown at once", "info")
            return None
        case _:
            pass
    return _known(job, tool, path) if node is None else _native(str(node.pop("type")), node)


def _has_search(job: Job) -> bool:
    return any(isinstance(tool, HostedTool) and isinstance(tool.ability, WebSearch) for tool in job.request.tools)


def _native(kind: str, members: Json) -> HostedTool:
    return HostedTool(NAME, kind, ABILITIES.get(kind, kind), Raw(msgspec.json.encode({"type": kind, **members})))


def _known(job: Job, tool: HostedTool, path: str) -> FunctionTool | None:
    known = described(tool)
    if known is None:
        job.lose(path, f"this provider does not have the tool {tool.name or tool.type!r}", "error")
        return None
    if tool.origin == NAME:
        job.converted = True
        job.lose_once(path, "the provider does not know the tool by its type; its schema is sent", "info")
    return replace(known, strict=False, cache=None)


def _web_search(job: Job, search: WebSearch, path: str) -> Json:
    node: Json = {"type": job.caps.web_search}
    preview = "preview" in job.caps.web_search
    if search.allowed_domains:
        if preview:
            job.lose(f"{path}.allowed_domains", "the provider's search cannot be kept to domains")
        else:
            node["filters"] = {"allowed_domains": list(search.allowed_domains)}
    if search.blocked_domains:
        job.lose(f"{path}.blocked_domains", "the provider's search cannot be kept from domains")
    if search.max_uses is not None:
        job.lose(f"{path}.max_uses", "the provider does not count searches", "info")
    place = {
        key: value
        for key, value in (
            ("country", search.country),
            ("region", search.region),
            ("city", search.city),
            ("timezone", search.timezone),
        )
        if value
    }
    if place:
        node["user_location"] = {"type": "approximate", **place}
    if search.context_size:
        node["search_context_size"] = search.context_size
    return node


def _mcp(remote: RemoteMcp) -> Json:
    node: Json = {
        "type": "mcp",
        "server_label": remote.label,
        "server_url": remote.url,
        "require_approval": "never",  # other dialects have no approvals
    }
    if remote.authorization:
        node["authorization"] = remote.authorization
    if remote.allowed is not None:
        node["allowed_tools"] = list(remote.allowed)
    return node


# ---- how they are written ----


def _written(job: Job, tool: Tool | ToolGroup) -> Json | Raw:
    node: Json
    match tool:
        case FunctionTool():
            node = {**tool.extras, "type": "function", "name": job.tool_name(tool.name)}
            if tool.description is not None:
                node["description"] = tool.description
            if tool.parameters is not None:
                node["parameters"] = tool.parameters
            if tool.strict is not None:
                node["strict"] = tool.strict
            if tool.deferred and job.ours:
                node["defer_loading"] = True
        case CustomTool():
            node = {**tool.extras, "type": "custom", "name": job.tool_name(tool.name)}
            if tool.description is not None:
                node["description"] = tool.description
            if tool.format is not None:
                node["format"] = tool.format
        case HostedTool():
            return tool.raw
        case ToolGroup():
            node = {**tool.extras, "type": "namespace", "name": tool.name}
            if tool.description is not None:
                node["description"] = tool.description
            node["tools"] = [_written(job, inner) for inner in tool.tools]
    return node


# ---- choice ----


def _render_choice(job: Job, body: Json, choice: ToolChoice, names: set[str]) -> None:
    request = job.request
    if job.native:
        own = next((form for form in request.forms if form.startswith(Form.CHOICE)), None)
        if own is not None:
            body["tool_choice"] = Raw(own[len(Form.CHOICE) :].encode())
            return
        if "compaction" in request.forms:
            return  # the client named none
    choice = _possible(job, choice, names)
    if choice.mode == "auto" and (not job.ours or not job.caps.tool_choice) and not choice.extras:
        return  # it is the default
    if "allowed_tools" in choice.extras and job.ours:
        body["tool_choice"] = choice.extras["allowed_tools"]
        return
    if choice.mode != "tool":
        if choice.mode != "none" or names or job.ours:
            body["tool_choice"] = choice.mode
        return
    body["tool_choice"] = _named(job, choice)


def _named(job: Job, choice: ToolChoice) -> Json:
    node: Json = dict(choice.extras) if job.ours else {}
    forms = job.request.forms if job.ours else frozenset()
    kind = next((form[len(CHOICE_TYPE) :] for form in forms if form.startswith(CHOICE_TYPE)), "")
    if not kind:
        kind = "function" if job.ours else _kind_of(job, choice.name or "")
    if kind == "custom" and not job.caps.custom_tools:
        kind = "function"
    if kind in {"function", "custom"}:
        node["name"] = job.tool_name(choice.name or "")
    node["type"] = kind
    return node


def _kind_of(job: Job, name: str) -> str:
    """The `type` of a choice of that tool."""
    for tool in plain_tools(job.request):
        if tool.name != name:
            continue
        if isinstance(tool, CustomTool):
            return "custom"
        if isinstance(tool, HostedTool) and not (job.native and tool.origin == NAME):
            words = {"web_search": job.caps.web_search, "code_execution": job.caps.code_execution}
            return words.get(name, "") or "function"
    return "function"


def _possible(job: Job, choice: ToolChoice, names: set[str]) -> ToolChoice:
    """The choice, or `auto` with the loss of what this target cannot promise."""
    if choice.extras and not job.ours:
        job.lose_extras(choice.extras, "tool_choice")
        choice = replace(choice, extras=NO_EXTRAS)
    if choice.mode in {"auto", "none"} or (job.ours and job.whole):
        return choice
    reason = ""
    if choice.mode == "tool" and choice.name not in names:
        reason = f"the forced tool {choice.name!r} is not among the tools that are sent"
    elif not names:
        reason = "there is no tool to choose"
    elif not job.caps.tool_choice:
        reason = "the provider does not let the client force a tool call"
    elif not job.caps.forced_tool_choice_with_thinking and thinks(job):
        reason = "the model cannot be forced to call a tool while it thinks"
    if reason:
        job.lose("tool_choice", reason)
        return ToolChoice("auto")
    return choice


def thinks(job: Job) -> bool:
    """Whether the request asks for thinking."""
    reasoning = job.request.reasoning
    if reasoning is None or reasoning.mode == "disabled" or reasoning.effort == "none":
        return False
    return reasoning.mode is not None or reasoning.effort is not None or reasoning.budget is not None
