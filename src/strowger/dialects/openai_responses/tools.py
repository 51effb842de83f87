"""Tools and the choice among them, as a client writes them.

A tool that has no form in the IR stays whole, as one that the vendor defines. The inverse is `offered.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.lately import Lately
from strowger.dialects.openai_responses.parts import filled
from strowger.dialects.openai_responses.usual import usual_tool
from strowger.dialects.openai_responses.wire import ABILITIES, NAME
from strowger.ir.request import (
    GROUP_MARK,
    Ability,
    CodeExecution,
    CustomTool,
    FunctionTool,
    HostedTool,
    RemoteMcp,
    Tool,
    ToolChoice,
    ToolGroup,
    ToolSearch,
    WebSearch,
)

CHOICE_CUSTOM = "tool_choice=custom"
CHOICE_TYPE = "tool_choice="
"""In `Request.forms`, before the type of a chosen tool that has no name of its own."""

_TRUE = b"true"
_OBJECT = b"{"


def parse_tools(items: Iterable[Raw], path: str) -> tuple[Tool | ToolGroup, ...]:
    """The tools of a list; raises BadRequest that names the member at fault."""
    return tuple([usual_tool(raw) or parse_tool(raw, f"{path}[{i}]") for i, raw in enumerate(items)])


def _listed(data: bytes) -> tuple[Tool | ToolGroup, ...]:
    return parse_tools(_LIST.decode(data), "tools")


_LIST = msgspec.json.Decoder(list[Raw])
listed_tools = Lately(_listed, kept=16, longest=512 * 1024)
"""The tools of a list as it is written, which is the same with every turn; raises as `parse_tools` does."""


def names_of(tool: Tool | ToolGroup) -> Iterator[str]:
    """The names by which calls name a tool, or the tools of a group."""
    if isinstance(tool, ToolGroup):
        for inner in tool.tools:
            yield f"{tool.name}{GROUP_MARK}{inner.name}"
    else:
        yield tool.name


def parse_tool(raw: Raw, path: str) -> Tool | ToolGroup:
    """One tool, read member by member; raises BadRequest that names the member at fault."""
    fields = Fields(raw, path)
    match kind := fields.text("type"):
        case "function":
            return _function(fields)
        case "custom":
            return _custom(fields)
        case "namespace":
            group = _group(fields)
            if group is not None:
                return group
        case _:
            pass
    kind = kind or ""
    return HostedTool(NAME, kind, ABILITIES.get(kind, kind), raw, ability=_ability(kind, raw))


def _function(fields: Fields) -> FunctionTool:
    return FunctionTool(
        fields.need(fields.text("name"), "name"),
        fields.text("description"),
        fields.raw("parameters"),
        fields.flag("strict"),
        deferred=_deferred(fields),
        extras=fields.extras(),
    )


def _deferred(fields: Fields) -> bool:
    deferred = fields.holds("defer_loading", _TRUE)
    if deferred:
        del fields.rest["defer_loading"]
    return deferred


def _custom(fields: Fields) -> CustomTool:
    name = fields.need(fields.text("name"), "name")
    return CustomTool(name, fields.text("description"), fields.raw("format"), fields.extras())


def _group(fields: Fields) -> ToolGroup | None:
    """A namespace; None when it holds something that calls do not name."""
    path = fields.at("tools")
    tools = parse_tools(fields.need(fields.items("tools"), "tools"), path)
    plain = [tool for tool in tools if isinstance(tool, FunctionTool | CustomTool)]
    if len(plain) != len(tools):
        return None
    return ToolGroup(
        fields.need(fields.text("name"), "name"), tuple(plain), fields.text("description"), fields.extras()
    )


# ---- what the vendor's own tools do ----


class _Filters(Struct):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class _Place(Struct):
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class _Search(Struct):
    filters: _Filters | None = None
    user_location: _Place | None = None
    search_context_size: str | None = None


class _Allowed(Struct):
    tool_names: list[str] | None = None


class _Mcp(Struct):
    server_label: str = ""
    server_url: str = ""
    authorization: str | None = None
    allowed_tools: list[str] | _Allowed | None = None


class _Execution(Struct):
    execution: str | None = None


_SEARCH = msgspec.json.Decoder(_Search)
_MCP = msgspec.json.Decoder(_Mcp)
_EXECUTION = msgspec.json.Decoder(_Execution)


def client_executed(raw: Raw) -> bool:
    """Whether a search among tools is run by the client."""
    try:
        return _EXECUTION.decode(raw).execution == "client"
    except msgspec.MsgspecError:
        return False


def _ability(kind: str, raw: Raw) -> Ability | None:
    """What a vendor's tool does, where others have the like; None for what is not of the documented shape."""
    try:
        match ABILITIES.get(kind, kind):
            case "web_search":
                return _web_search(_SEARCH.decode(raw))
            case "code_execution":
                return CodeExecution()
            case "tool_search":
                return None if client_executed(raw) else ToolSearch()
            case "mcp":
                return _remote(_MCP.decode(raw))
            case _:
                return None
    except msgspec.MsgspecError:
        return None


def _web_search(tool: _Search) -> WebSearch:
    filters, place = tool.filters or _Filters(), tool.user_location or _Place()
    return WebSearch(
        allowed_domains=tuple(filters.allowed_domains or ()),
        blocked_domains=tuple(filters.blocked_domains or ()),
        country=place.country or "",
        region=place.region or "",
        city=place.city or "",
        timezone=place.timezone or "",
        context_size=tool.search_context_size or "",
    )


def _remote(tool: _Mcp) -> RemoteMcp | None:
    if not tool.server_url:
        return None  # a connector of the vendor's own
    allowed = tool.allowed_tools
    if isinstance(allowed, _Allowed):
        allowed = allowed.tool_names
    return RemoteMcp(
        tool.server_label, tool.server_url, tool.authorization or "", None if allowed is None else tuple(allowed)
    )


# ---- choice ----


def take_choice(fields: Fields, forms: set[str]) -> ToolChoice | None:
    """The choice; a form of it that is not known stays in the rest, for the upstream to judge."""
    raw = fields.rest.get("tool_choice")
    if raw is None:
        return None
    if is_string(raw):
        word = as_str(raw)
        if word not in {"auto", "none", "required"}:
            return None
        del fields.rest["tool_choice"]
        return ToolChoice(word)  # type: ignore[arg-type]
    if bytes(memoryview(raw)[:1]) != _OBJECT:
        return None
    inner = Fields(raw, "tool_choice")
    choice = _chosen(inner, raw, forms)
    if choice is not None:
        del fields.rest["tool_choice"]
    return choice


def _chosen(inner: Fields, raw: Raw, forms: set[str]) -> ToolChoice | None:
    kind = inner.text("type") or ""
    match kind:
        case "function" | "custom":
            name = filled(inner, "name")
            if not name:
                return None
            if kind == "custom":
                forms.add(CHOICE_CUSTOM)
            return ToolChoice("tool", name, inner.extras())
        case "allowed_tools":
            required = inner.text("mode") == "required"
            return ToolChoice("required" if required else "auto", extras={"allowed_tools": raw})
        case "" | "mcp":
            return None
        case _:
            forms.add(f"{CHOICE_TYPE}{kind}")
            return ToolChoice("tool", ABILITIES.get(kind, kind), inner.extras())
