"""Tools and the choice among them, as Google is told."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.client_tools import described
from strowger.dialects.gemini.job import Job
from strowger.dialects.gemini.members import EMPTY, Json, inner, put, put_back, spelled
from strowger.dialects.gemini.schema import cleaned, to_google
from strowger.dialects.gemini.settings import thinks
from strowger.dialects.gemini.tools import (
    FUNCTIONS,
    HOSTED,
    MODE,
    OBJECT,
    ONE,
    PARAMETERS,
    RAN_BY_GOOGLE,
    layout_of,
    members_of,
    plain_layout,
)
from strowger.dialects.gemini.wire import NAME
from strowger.dialects.offers import Offers
from strowger.ir.request import (
    NO_EXTRAS,
    CustomTool,
    FunctionTool,
    HostedTool,
    RemoteMcp,
    Request,
    Tool,
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolSearch,
    WebFetch,
    WebSearch,
    plain_tools,
)

PLACEHOLDER = "DeferredToolPlaceholder"
"""Claude Code's stand-in that keeps a list of deferred tools from being empty; it is never called."""

_FREE_TEXT = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_MODES = {"auto": "AUTO", "required": "ANY", "tool": "ANY", "none": "NONE"}
_CONFIG = "functionCallingConfig"
_ALLOWED = "allowedFunctionNames"


_Shown = tuple[Tool | None, ...]
"""The tools of a request, None where one is not shown."""
_OFFERS: Offers[_Shown] = Offers()


def render_tools(job: Job, body: Json) -> bool:
    """Set `tools` and `toolConfig`; whether any tool is offered."""
    request, caps = job.request, job.caps
    tools = plain_tools(request)
    if not caps.tools:
        if tools:
            job.lose("tools", "the model takes no tools", "error")
        for key in ("tools", "toolConfig"):
            body.pop(spelled(body, key), None)
        return False
    choice = request.tool_choice
    forced = choice.name if choice is not None and choice.mode == "tool" else None
    if job.ours:
        layout = request.extras.get("tools")
        besides = job.space((forced, layout and bytes(layout), OBJECT in request.forms))
        offer = _OFFERS.made(job, request.tools, besides, lambda: _offered_own(job, tools, choice))
        if request.tools or layout_of(request.extras) is not None:
            body.pop("tools", None)
    else:
        allowed = _names_allowed(choice)
        choice = _allowed(job, choice)
        loaded = _loaded(request, tools)
        besides = job.space((forced, loaded, allowed))
        offer = _OFFERS.made(job, request.tools, besides, lambda: _offered(job, tools, choice, loaded, allowed))
    body |= offer.members
    shown = [tool for tool in offer.more if tool is not None]
    if choice is not None:
        _render_choice(job, body, choice, shown)
    if request.parallel is False and shown:
        job.lose("parallel_tool_calls", "the provider has no switch for parallel tool calls", "info")
    return bool(shown)


def _offered_own(job: Job, tools: tuple[Tool, ...], choice: ToolChoice | None) -> tuple[Json, _Shown]:
    """The member that lists tools of this dialect, and those that are shown."""
    body: Json = {}
    offered = _apart(job, [_own(job, tool, f"tools[{i}]") for i, tool in enumerate(tools)], choice)
    _render_own(job, body, offered)
    return body, tuple(offered)


def _offered(
    job: Job,
    tools: tuple[Tool, ...],
    choice: ToolChoice | None,
    loaded: frozenset[str],
    allowed: frozenset[str] | None,
) -> tuple[Json, _Shown]:
    """The members that list another dialect's tools, and those that are shown."""
    body: Json = {}
    offered = [_shown(job, tool, f"tools[{i}]", loaded) for i, tool in enumerate(tools)]
    offered = [tool for tool in offered if allowed is None or tool is None or tool.name in allowed]
    offered = _apart(job, offered, choice)
    _render_foreign(job, body, offered)
    return body, tuple(offered)


# ---- what is shown ----


def _own(job: Job, tool: Tool, path: str) -> Tool | None:
    """A tool of this dialect as this target can have it, or None with its loss."""
    if isinstance(tool, HostedTool) and not job.caps.hosted_tools and not _offers(job, tool):
        job.lose(path, f"this provider does not have the tool {tool.name}", "error")
        return None
    return tool


def _offers(job: Job, tool: HostedTool) -> bool:
    """Whether the target has Google's tool, by its own word for it."""
    caps = job.caps
    return tool.type in {caps.web_search, caps.web_fetch, caps.code_execution} or (
        tool.type == "mcpServers" and caps.remote_mcp
    )


def _shown(job: Job, tool: Tool, path: str, loaded: frozenset[str]) -> Tool | None:
    """A foreign tool as this target can have it, or None with its loss. `loaded` are the deferred tools to show."""
    match tool:
        case FunctionTool():
            if tool.deferred and tool.name not in loaded:
                job.lose_once("tools", "deferred tools are shown once they are named", "info")
                return None
            return _naturalised(job, tool, path)
        case CustomTool(name=name, description=description, format=grammar):
            job.lose_once(path, "free-text tools are sent as functions with one input", "info")
            return _naturalised(job, FunctionTool(name, _with_grammar(description, grammar), _FREE_TEXT), path)
        case HostedTool():
            return _hosted(job, tool, path)


def _naturalised(job: Job, tool: FunctionTool, path: str) -> FunctionTool:
    """The function with a schema that Google takes, and nothing that only its own dialect knows."""
    job.lose_extras(tool.extras, path)
    if tool.strict:
        job.lose_once(f"{path}.strict", "the provider has no strict tools", "info")
    if tool.cache is not None:
        job.lose_once("cache_control", "prompt cache hints are not taken; the provider caches by itself", "info")
    openapi = job.caps.tool_schema == "openapi"
    schema, dropped = tool.parameters, frozenset[str]()
    if schema is not None and bytes(memoryview(schema)[:1]) == b"{":
        schema, dropped = to_google(schema) if openapi else cleaned(schema)
    else:
        schema = None
    if dropped:
        for keyword in sorted(dropped):
            job.lose_once(f"{path}.parameters", f"the provider's schemas have no {keyword}")
    return FunctionTool(tool.name, tool.description, schema, form=PARAMETERS if openapi else "")


def _with_grammar(description: str | None, grammar: Raw | None) -> str | None:
    if grammar is None:
        return description
    return f"{description or ''}\n\nThe input must be in this format: {bytes(grammar).decode()}".strip()


def _loaded(request: Request, tools: tuple[Tool, ...]) -> frozenset[str]:
    """The deferred tools that the model shall see: those that a tool result has named. All of them where the vendor's
    own search would have found them, for it does not run elsewhere.
    """
    deferred = {tool.name for tool in tools if isinstance(tool, FunctionTool) and tool.deferred}
    if not deferred:
        return frozenset()
    if any(isinstance(tool, HostedTool) and _searches(tool) for tool in tools):
        return frozenset(deferred - {PLACEHOLDER})
    named = {
        item.name
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolResult)
        for item in part.content
        if isinstance(item, ToolReference)
    }
    return frozenset(deferred & named - {PLACEHOLDER})


def _searches(tool: HostedTool) -> bool:
    return isinstance(tool.ability, ToolSearch) or tool.type.startswith("tool_search")


def _hosted(job: Job, tool: HostedTool, path: str) -> Tool | None:
    """Google's tool that does what another vendor's does."""
    known = described(tool)
    if known is not None:
        return _naturalised(job, known, path)
    if _searches(tool):
        job.lose(path, "tools cannot be searched there, so all are shown at once", "info")
        return None
    ability, caps = tool.ability, job.caps
    if isinstance(ability, RemoteMcp) and caps.remote_mcp:
        return _remote(job, ability, path)
    words = {WebSearch: caps.web_search, WebFetch: caps.web_fetch}
    word = words.get(type(ability), caps.code_execution if type(ability) in HOSTED else "")  # type: ignore[arg-type]
    if not word:
        job.lose(path, f"this provider does not have the tool {tool.name or tool.type}", "error")
        return None
    if isinstance(ability, WebSearch | WebFetch):
        _refine(job, ability, path)
    return HostedTool(NAME, word, tool.name, Raw(msgspec.json.encode({word: EMPTY})), ability=ability)


def _refine(job: Job, ability: WebSearch | WebFetch, path: str) -> None:
    """What was asked for more closely: Google has none of it."""
    if ability.allowed_domains:
        job.lose(f"{path}.allowed_domains", "the provider searches and reads everywhere")
    if ability.blocked_domains:
        job.lose(f"{path}.blocked_domains", "the provider leaves out no domains")
    if ability.max_uses is not None:
        job.lose(f"{path}.max_uses", "the provider has no limit of uses", "info")
    if isinstance(ability, WebSearch):
        if ability.country or ability.region or ability.city or ability.timezone:
            job.lose(f"{path}.user_location", "the provider does not take the user's place", "info")
        if ability.context_size:
            job.lose(f"{path}.search_context_size", "the provider decides how much it reads", "info")


def _remote(job: Job, ability: RemoteMcp, path: str) -> HostedTool:
    if ability.allowed is not None:
        job.lose(f"{path}.allowed_tools", "the provider shows the model all tools of the server")
    transport: Json = {"url": ability.url}
    if ability.authorization:
        transport["headers"] = {"Authorization": ability.authorization}
    server = {"name": ability.label, "streamableHttpTransport": transport}
    raw = Raw(msgspec.json.encode({"mcpServers": [server]}))
    return HostedTool(NAME, "mcpServers", ability.label, raw, ability=ability)


def _apart(job: Job, offered: list[Tool | None], choice: ToolChoice | None) -> list[Tool | None]:
    """The tools without the ones that may not stand beside the others: Google's own, unless the client forces one."""
    functions = any(isinstance(tool, FunctionTool) for tool in offered)
    hosted = [tool for tool in offered if isinstance(tool, HostedTool)]
    if job.caps.search_with_tools or job.as_written or not functions or not hosted:
        return offered
    forced = choice is not None and choice.mode == "tool" and any(tool.name == choice.name for tool in hosted)
    dropped = FunctionTool if forced else HostedTool
    for i, tool in enumerate(offered):
        if isinstance(tool, dropped):
            reason = "the model takes no functions beside" if forced else "the model takes none of the provider's own"
            job.lose_once(f"tools[{i}]", f"{reason} tools, so {tool.name} is left out", "error")
    return [None if isinstance(tool, dropped) else tool for tool in offered]


# ---- how they are written ----


def _declared(job: Job, tool: FunctionTool) -> Json:
    node = put_back(tool.extras)
    node["name"] = job.tool_name(tool.name)
    if tool.description is not None:
        node["description"] = tool.description
    key = PARAMETERS if tool.form == PARAMETERS else "parametersJsonSchema"
    if not tool.extras:
        if tool.parameters is not None:
            node[key] = tool.parameters
        return node
    held = node.get(spelled(node, key))
    kept = isinstance(held, Raw) and bytes(memoryview(held)[:1]) == b"{"  # it is there as the client wrote it
    if tool.parameters is not None and not kept:
        put(node, key, tool.parameters)
    return node


def _render_own(job: Job, body: Json, offered: list[Tool | None]) -> None:
    """The tools in the grouping that the client chose."""
    layout = layout_of(job.request.extras)
    if layout is None and not job.request.tools:
        return
    if layout is None:
        layout = plain_layout(list(plain_tools(job.request)))
    rest = iter(offered)
    tools = [node for shape in layout if (node := _grouped(job, shape, rest)) or not shape]
    if tools or not any(layout):
        body["tools"] = tools[0] if OBJECT in job.request.forms and len(tools) == 1 else tools


def _grouped(job: Job, shape: dict[str, object], rest: Iterator[Tool | None]) -> Json:
    """One object of the list; empty when all that was in it had to go."""
    node: Json = {}
    for key, value in shape.items():
        if value is RAN_BY_GOOGLE:
            tool = next(rest, None)
            if isinstance(tool, HostedTool):
                node |= members_of(tool)
        elif isinstance(value, int):
            tools = [next(rest, None) for _ in range(1 if value == ONE else value)]
            declared = [_declared(job, tool) for tool in tools if isinstance(tool, FunctionTool)]
            if declared or not tools:
                node[key] = declared[0] if value == ONE else declared
        else:
            node[key] = value
    return node


def _render_foreign(job: Job, body: Json, offered: list[Tool | None]) -> None:
    functions = [_declared(job, tool) for tool in offered if isinstance(tool, FunctionTool)]
    hosted = [tool for tool in offered if isinstance(tool, HostedTool)]
    tools: list[Json] = [{FUNCTIONS: functions}] if functions else []
    tools += [dict(members_of(tool)) for tool in {tool.type: tool for tool in hosted}.values()]
    if tools:
        body["tools"] = tools
    if functions and hosted and not job.caps.code_assist:
        inner(body, "toolConfig")["includeServerSideToolInvocations"] = True


# ---- choice ----


class _Named(Struct):
    name: str = ""


class _Entry(Struct):
    name: str = ""
    function: _Named = msgspec.field(default_factory=_Named)


class _Listed(Struct):
    mode: str = "auto"
    tools: list[_Entry] = []


class _AllowedTools(Struct):
    """A choice among some of the tools: as Chat writes it, nested, and as Responses does."""

    mode: str = "auto"
    tools: list[_Entry] = []
    allowed_tools: _Listed | None = None


def _names_allowed(choice: ToolChoice | None) -> frozenset[str] | None:
    """The tools that a choice of OpenAI's allows; None when it says nothing of that."""
    raw = choice.extras.get("allowed_tools") if choice is not None else None
    if raw is None:
        return None
    try:
        allowed = msgspec.json.decode(raw, type=_AllowedTools)
    except msgspec.MsgspecError:
        return None
    entries = allowed.allowed_tools.tools if allowed.allowed_tools else allowed.tools
    return frozenset(entry.function.name or entry.name for entry in entries)


def _allowed(job: Job, choice: ToolChoice | None) -> ToolChoice | None:
    """The choice without its list of allowed tools: only those are shown."""
    if choice is None or _names_allowed(choice) is None:
        return choice
    job.lose_once("tool_choice.allowed_tools", "the model is shown the allowed tools only", "info")
    return replace(choice, extras=NO_EXTRAS)


def _render_choice(job: Job, body: Json, choice: ToolChoice, shown: list[Tool]) -> None:
    names = {tool.name for tool in shown if isinstance(tool, FunctionTool)}
    possible = choice if job.as_written else _possible(job, choice, names, shown)
    if not job.ours and possible.mode == "auto":
        return  # it is the default
    config = inner(body, "toolConfig")
    calling: Json = put_back(possible.extras) if job.ours else {}
    put(calling, "mode", _mode(job, possible))
    if possible.mode == "tool":
        put(calling, _ALLOWED, [job.tool_name(possible.name or "")])
    put(config, _CONFIG, calling)


def _mode(job: Job, choice: ToolChoice) -> str | Raw:
    written = next((form for form in job.request.forms if form.startswith(MODE)), None) if job.ours else None
    if written is not None and job.request.tool_choice is not None and choice.mode == job.request.tool_choice.mode:
        return Raw(written[len(MODE) :].encode())
    return _MODES[choice.mode]


def _possible(job: Job, choice: ToolChoice, names: set[str], shown: list[Tool]) -> ToolChoice:
    """The choice, or `auto` with the loss of what this target cannot promise."""
    auto = ToolChoice("auto")
    if choice.extras and not job.ours:
        job.lose_extras(choice.extras, "tool_choice")
        choice = replace(choice, extras=NO_EXTRAS)
    if choice.mode in {"auto", "none"}:
        return choice if names or job.ours else auto
    if choice.mode == "tool" and choice.name not in names:
        hosted = any(tool.name == choice.name for tool in shown)
        reason = "cannot be forced there" if hosted else "is not among the tools that are sent"
        job.lose("tool_choice", f"the forced tool {choice.name!r} {reason}")
        return auto
    if not names:
        job.lose("tool_choice", "there is no function to choose")
        return auto
    if not job.caps.tool_choice:
        job.lose("tool_choice", "the provider does not let the client force a tool call")
        return auto
    if not job.caps.forced_tool_choice_with_thinking and thinks(job.request):
        job.lose("tool_choice", "the model cannot be forced to call a tool while it thinks")
        return auto
    return choice
