"""The tools of a request and the choice among them, as an upstream of this dialect is told.

Tools of this dialect go out as they came, where the upstream has them. A tool that runs at another provider becomes
the one here that does the same; what nobody has here is a loss.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.anthropic.blocks import EMPTY_OBJECT, Json, cache_control
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.hosted import hosted
from strowger.dialects.anthropic.schema import enforceable
from strowger.dialects.anthropic.wire import CLIENT_TOOLS, CUSTOM, MCP_SERVER, NAME
from strowger.dialects.client_tools import described, loaded, one_kind
from strowger.dialects.fields import Fields
from strowger.dialects.offers import Offers
from strowger.ir.request import (
    CustomTool,
    FunctionTool,
    HostedTool,
    Request,
    Tool,
    ToolCall,
    ToolChoice,
    ToolSearch,
    plain_tools,
)

_CHOICES = {"auto": "auto", "required": "any", "none": "none", "tool": "tool"}
_FREE_TEXT = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


def forced(request: Request) -> bool:
    """Whether the model must call a tool."""
    choice = request.tool_choice
    return choice is not None and choice.mode in {"tool", "required"} and bool(_listed(request))


def write_tools(request: Request, fitting: Fitting, body: Json) -> bool:
    """Set `tools`, `tool_choice` and `mcp_servers`; whether the client marked a tool for the cache."""
    writer = _Writer(request, fitting, body)
    hinted = writer.tools()
    writer.choice()
    return hinted


def _listed(request: Request) -> tuple[Tool, ...]:
    """The tools that stand in a list of tools."""
    return tuple(
        tool for tool in plain_tools(request) if not (isinstance(tool, HostedTool) and tool.type == MCP_SERVER)
    )


class _Listed(Struct, frozen=True):
    """Of the tools that are listed: the client's name of each, and the one it is sent under. `free`: what those with
    free text were, by the names they are sent under; `hinted`: the client marked one for the cache.
    """

    names: dict[str, str]
    free: dict[str, str]
    hinted: bool


_OFFERS: Offers[_Listed] = Offers()


class _Writer:
    """The tools of one body. `_names`: the client's name of each tool that is sent, and the one it is sent under."""

    def __init__(self, request: Request, fitting: Fitting, body: Json) -> None:
        self._request = request
        self._fitting = fitting
        self._caps = fitting.caps
        self._body = body
        self._tools = _listed(request) if fitting.own else plain_tools(request)
        self._names: dict[str, str] = {}
        self._free: dict[str, str] = {}
        self._servers: list[Json] = []

    def tools(self) -> bool:
        """Set `tools`, and the servers that they need; whether the client marked a tool for the cache."""
        if self._tools and not self._caps.tools:
            self._fitting.lose("tools", "this model takes no tools", "error")
            return any(getattr(tool, "cache", None) is not None for tool in self._request.tools)
        own, choice = self._fitting.own, self._request.tool_choice
        named = frozenset[str]() if own else loaded(self._request.messages, self._tools)
        forced = choice.name if choice is not None and choice.mode == "tool" else None
        besides = self._fitting.space((named, forced))
        offer = _OFFERS.made(self._fitting, self._request.tools, besides, lambda: self._offered(named))
        self._names = offer.more.names
        self._fitting.names.update(offer.more.free)
        self._body |= offer.members
        if "tools" not in offer.members and not own and (stubs := self._stubs()):
            self._body["tools"] = stubs
        return offer.more.hinted

    def _offered(self, named: frozenset[str]) -> tuple[Json, _Listed]:
        """The members that list tools. `named` are the deferred ones to show."""
        members: Json = {}
        written = [each for i, tool in self._shown(named) for each in self._tool(tool, f"tools[{i}]")]
        if written:
            members["tools"] = written
        if self._servers:
            members["mcp_servers"] = self._servers
        hinted = any(getattr(tool, "cache", None) is not None for tool in self._request.tools)
        return members, _Listed(self._names, self._free, hinted)

    def _shown(self, named: frozenset[str]) -> list[tuple[int, Tool]]:
        """The tools that the upstream can be shown, numbered as the client did."""
        tools = list(enumerate(self._tools))
        if self._fitting.own:
            return tools
        shown = [(i, tool) for i, tool in tools if not _hidden(tool, named)]
        if len(shown) < len(tools):
            self._fitting.lose("tools", "deferred tools are shown once they are named", "info")
        if self._caps.search_with_tools:
            return shown
        kept, left = one_kind(shown, self._request.tool_choice)
        if left:
            reason = f"the provider takes functions or its own tools, not both: {left} stay behind"
            self._fitting.lose("tools", reason, "error")
        return kept

    def _tool(self, tool: Tool, path: str) -> list[Json | Raw]:
        match tool:
            case FunctionTool():
                return [self._function(tool, path)]
            case CustomTool():
                return [self._custom(tool, path)]
            case HostedTool():
                return self._hosted(tool, path)

    def _custom(self, tool: CustomTool, path: str) -> Json:
        fitting = self._fitting
        fitting.extras(tool.extras, path)
        if tool.format is not None:
            fitting.lose(f"{path}.format", "this dialect cannot bind a tool's input to a grammar", "warning")
        name = self._names[tool.name] = fitting.name(tool.name)
        self._free[name] = CUSTOM + tool.name  # so that its calls come back as free text
        written: Json = {"name": name, "input_schema": _FREE_TEXT}
        if tool.description:
            written["description"] = tool.description
        return written

    def _hosted(self, tool: HostedTool, path: str) -> list[Json | Raw]:
        fitting = self._fitting
        takes = self._caps.hosted_tools or (tool.type.startswith(CLIENT_TOOLS) and self._caps.betas)
        if tool.origin == NAME and takes:
            self._names[tool.name] = tool.name
            return [tool.raw]
        plain = described(tool)
        if plain is not None:
            fitting.lose(path, "this provider does not know the tool by its type; its schema is sent", "info")
            return [self._function(plain, path)]
        if isinstance(tool.ability, ToolSearch):
            fitting.lose(path, "tools cannot be searched there, so all are shown at once", "info")
            return []
        offered = hosted(tool.ability, fitting, path)
        if offered is None:
            fitting.lose(path, f"this provider does not have the tool {tool.type}", "error")
            return []
        if any(
            isinstance(other, FunctionTool | CustomTool) and fitting.name(other.name) == offered.name
            for other in self._tools
        ):
            fitting.lose(
                path, f"a function has the name {offered.name} that the provider's own tool must have", "error"
            )
            return []
        if offered.server is not None:
            self._servers.append(offered.server)
        if not offered.name:
            return [offered.tool]
        again = offered.name in self._names.values()  # two tools of the client that are one here
        self._names[tool.name] = offered.name
        return [] if again else [offered.tool]

    def _function(self, tool: FunctionTool, path: str) -> Json:
        fitting, own = self._fitting, self._fitting.own
        name = self._names[tool.name] = fitting.name(tool.name)
        written: Json = {"name": name}
        if tool.form and own:
            written["type"] = tool.form
        if tool.description is not None:
            written["description"] = tool.description
        if tool.parameters is not None:
            written["input_schema"] = tool.parameters if own else _object_schema(tool.parameters, f"{path}.parameters")
        elif not own:
            written["input_schema"] = Raw(b'{"type":"object","properties":{}}')
        if tool.strict is not None and (own or tool.strict):
            enforced = own or not enforceable(tool.parameters or EMPTY_OBJECT)[1]
            if self._caps.strict_tools and enforced:
                written["strict"] = tool.strict
            elif tool.strict:
                fitting.lose(f"{path}.strict", "the tool is not held to its schema", "info")
        if tool.deferred and own:
            if self._caps.betas:
                written["defer_loading"] = True
            else:
                fitting.lose(f"{path}.defer_loading", "the tool is shown to the model from the start", "info")
        cache = fitting.cache(tool.cache, path)
        if cache is not None:
            written["cache_control"] = cache_control(cache, own)
        extras = fitting.extras(tool.extras, path)
        return {**extras, **written} if extras else written

    def _stubs(self) -> list[Json]:
        """The API wants tools with a history that has calls; these cannot be called."""
        names = dict.fromkeys(
            part.name for message in self._request.messages for part in message.parts if isinstance(part, ToolCall)
        )
        if not names:
            return []
        self._body["tool_choice"] = {"type": "none"}
        schema = _object_schema(EMPTY_OBJECT, "tools")
        return [{"name": self._fitting.name(name), "input_schema": schema} for name in names]

    def choice(self) -> None:
        """Set `tool_choice`."""
        fitting, caps = self._fitting, self._caps
        choice, parallel = self._request.tool_choice, self._request.parallel
        if "tools" not in self._body and (self._tools or not fitting.own):
            if forced(self._request):
                fitting.lose("tool_choice", "there is no tool left to choose", "warning")
            return  # the API refuses a choice without tools
        if not caps.tool_choice:
            if choice is not None and choice.mode != "auto":
                fitting.lose("tool_choice", "this provider lets the model choose", "warning")
            return
        if choice is not None:
            choice = self._possible(choice)
        if choice is None and (parallel is None or (parallel and not fitting.own)):
            return
        choice = choice or ToolChoice("auto")
        written: Json = {"type": _CHOICES[choice.mode]}
        if choice.name is not None:
            written["name"] = self._names.get(choice.name) or fitting.name(choice.name)
        if parallel is not None and (fitting.own or not parallel) and choice.mode != "none":
            if caps.parallel_switch:
                written["disable_parallel_tool_use"] = not parallel
            elif not parallel:
                fitting.lose("tool_choice", "this provider may call several tools at once", "warning")
        extras = fitting.extras(choice.extras, "tool_choice")
        self._body["tool_choice"] = {**extras, **written} if extras else written

    def _possible(self, choice: ToolChoice) -> ToolChoice | None:
        """The choice if the upstream can follow it."""
        fitting = self._fitting
        if choice.mode != "tool" or choice.name in self._names:
            return choice
        if choice.name not in {tool.name for tool in self._tools}:
            if fitting.own and self._caps.betas:
                return choice  # toolsets and servers bring tools that are not listed
            fitting.lose("tool_choice", "it names a tool that is not there", "warning")
        else:
            fitting.lose("tool_choice", "it names a tool that this provider does not have", "warning")
        return None


def _hidden(tool: Tool, named: frozenset[str]) -> bool:
    return isinstance(tool, FunctionTool) and tool.deferred and tool.name not in named


class _Typed(Struct):
    type: Raw


_TYPED = msgspec.json.Decoder(_Typed)


def _object_schema(schema: Raw, path: str) -> Raw:
    """A tool's schema with the `type` that the API asks for. Raises BadRequest when it is no schema."""
    try:
        if bytes(_TYPED.decode(schema).type) == b'"object"':
            return schema
    except msgspec.MsgspecError:
        pass  # it has no type, or is no object
    members = Fields(schema, path).rest
    return Raw(msgspec.json.encode({**members, "type": "object"}))
