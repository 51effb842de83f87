"""Tools and the choice among them, both ways.

`tools` is a list of objects, each with functions, tools of Google's own, or both. How they were grouped is kept in the
extras of the request under the same name (see `_Layout`), where it is not the way in which we would group them.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.fields import Fields
from strowger.dialects.gemini import usual
from strowger.dialects.gemini.members import Members, Recurring, is_null, starts
from strowger.dialects.gemini.schema import from_google
from strowger.dialects.gemini.wire import CODE_EXECUTION, NAME, WEB_FETCH, WEB_SEARCH, snake
from strowger.ir.request import (
    Ability,
    CodeExecution,
    Extras,
    FunctionTool,
    HostedTool,
    RemoteMcp,
    Tool,
    ToolChoice,
    WebFetch,
    WebSearch,
)

FUNCTIONS = "functionDeclarations"
PARAMETERS = "parameters"
"""`FunctionTool.form` of a tool whose schema is in Google's own member."""
OBJECT = "tools=object"
MODE = "functionCallingConfig.mode="
"""The mode as JSON text follows, where our word for it would be another."""

ONE = -1
"""In a layout: one declaration, and no list around it."""
RAN_BY_GOOGLE = True
"""In a layout: a tool of Google's own, which is in the list of tools."""

_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_NUMBERED = ("", "AUTO", "ANY", "NONE", "VALIDATED")
_NAMES = msgspec.json.Decoder(list[str])
_TOOL = msgspec.json.Decoder(dict[str, Raw])


# ---- reading ----


def take_tools(fields: Members, forms: set[str]) -> tuple[Tool, ...]:
    """The tools in order. Their grouping is left in the rest where it has to be remembered."""
    if not fields.says("tools"):
        return ()
    listed = fields.rest.get("tools")
    if listed is not None and (read := usual.functions(listed)) is not None:
        del fields.rest["tools"]
        return tuple(read)
    if fields.is_object("tools"):
        forms.add(OBJECT)
    path = fields.at("tools")
    tools: list[Tool] = []
    layout: list[dict[str, object]] = []
    for i, raw in enumerate(fields.items("tools") or []):
        shape: dict[str, object] = {}
        for key, value in Fields(raw, f"{path}[{i}]", fields.error).rest.items():
            shape[key] = _take_kind(tools, key, value, f"{path}[{i}].{key}")
        layout.append(shape)
    if layout != plain_layout(tools) or not tools:
        fields.rest["tools"] = Raw(msgspec.json.encode(layout))
    return tuple(tools)


TOOLS = Recurring("tools", take_tools, kept=16, longest=512 * 1024)
"""Takes the tools as `take_tools` does."""


def _take_kind(tools: list[Tool], key: str, value: Raw, path: str) -> object:
    """Add the tools of one member; what the layout says of it."""
    if is_null(value):
        return value
    if key not in {FUNCTIONS, snake(FUNCTIONS)}:
        kind = _camel(key)
        tools.append(
            HostedTool(NAME, kind, kind, Raw(msgspec.json.encode({key: value})), ability=_ability(kind, value))
        )
        return RAN_BY_GOOGLE
    if starts(value, b"{"):
        tools.append(_declaration(value, path))
        return ONE
    if (read := usual.declarations(value)) is not None:
        tools += read
        return len(read)
    declared = Fields(Raw(b'{"list":' + bytes(value) + b"}"), path).items("list") or []
    tools += [_declaration(raw, f"{path}[{j}]") for j, raw in enumerate(declared)]
    return len(declared)


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def _declaration(raw: Raw, path: str) -> FunctionTool:
    """A function. A schema that is not JSON Schema is translated, and stays beside as it was."""
    fields = Members(raw, path)
    name, description = fields.need(fields.text("name"), "name"), fields.text("description")
    key = "parametersJsonSchema"
    if not fields.is_object(key) and fields.is_object(PARAMETERS):
        key = PARAMETERS
    schema = None
    if fields.is_object(key):
        schema, changed = from_google(fields.need(fields.look(key), key))
        if not changed:
            fields.raw(key)
    return FunctionTool(name, description, schema, form=PARAMETERS if key == PARAMETERS else "", extras=fields.extras())


def _ability(kind: str, value: Raw) -> Ability | None:
    """What a tool of Google's own does, in the words of all vendors."""
    held = Members(value, kind) if starts(value, b"{") else None
    match kind:
        case "googleSearch" | "enterpriseWebSearch" | "googleSearchRetrieval":
            return WebSearch(blocked_domains=_blocked(held))
        case "urlContext":
            return WebFetch()
        case "codeExecution":
            return CodeExecution()
        case "mcpServers":
            return _mcp(value)
        case _:
            return None


def _blocked(held: Members | None) -> tuple[str, ...]:
    if held is None or not starts(held.look("excludeDomains"), b"["):
        return ()
    return held.strings("excludeDomains") or ()


class _Transport(msgspec.Struct):
    url: str = ""
    headers: dict[str, str] = {}


class _Server(msgspec.Struct, rename="camel"):
    name: str = ""
    streamable_http_transport: _Transport = msgspec.field(default_factory=_Transport)


def _mcp(value: Raw) -> RemoteMcp | None:
    """The one MCP server that is named; several are nobody else's one tool."""
    try:
        servers = msgspec.json.decode(value, type=list[_Server])
    except msgspec.MsgspecError:
        return None
    if len(servers) != 1:
        return None
    transport = servers[0].streamable_http_transport
    return RemoteMcp(servers[0].name, transport.url, transport.headers.get("Authorization", ""))


def plain_layout(tools: list[Tool]) -> list[dict[str, object]]:
    """How we group tools: all functions first, in one object, then each of Google's own in another."""
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    hosted = tools[len(functions) :]
    if tools[: len(functions)] != functions:
        return []
    layout: list[dict[str, object]] = [{FUNCTIONS: len(functions)}] if functions else []
    return layout + [{tool.type: RAN_BY_GOOGLE} for tool in hosted if isinstance(tool, HostedTool)]


def take_choice(fields: Members, forms: set[str]) -> ToolChoice | None:
    """`toolConfig.functionCallingConfig`; a mode that is not known stays where it is."""
    if not fields.is_object("toolConfig"):
        return None
    config = fields.need(fields.members("toolConfig"), "toolConfig")
    choice = _choice(config, forms)
    fields.keep("toolConfig", config, empty=True)
    return choice


def _choice(config: Members, forms: set[str]) -> ToolChoice | None:
    if not config.is_object("functionCallingConfig"):
        return None
    raw = config.need(config.look("functionCallingConfig"), "functionCallingConfig")
    calling = Members(raw, config.at("functionCallingConfig"), config.error)
    word, spelling = _mode(calling)
    if word not in _MODES:
        return None
    calling.raw("mode")
    if word == "VALIDATED" or spelling != f'"{word}"':
        forms.add(MODE + spelling)
    mode = _MODES[word]
    name = None
    allowed = calling.look("allowedFunctionNames")
    if mode == "required" and allowed is not None and starts(allowed, b"["):
        try:
            names = _NAMES.decode(allowed)
        except msgspec.MsgspecError:
            names = []
        if len(names) == 1:
            calling.raw("allowedFunctionNames")
            name = names[0]
    config.raw("functionCallingConfig")
    if name is not None:
        return ToolChoice("tool", name, calling.extras())
    return ToolChoice(
        "required" if mode == "required" else "none" if mode == "none" else "auto", None, calling.extras()
    )


def _mode(calling: Members) -> tuple[str, str]:
    """The mode as a name in capitals, and how it was written."""
    raw = calling.look("mode")
    if raw is None or is_null(raw):
        return "", ""
    value = msgspec.json.decode(raw)
    if isinstance(value, int) and not isinstance(value, bool):
        value = _NUMBERED[value] if 0 <= value < len(_NUMBERED) else ""
    return (value.upper() if isinstance(value, str) else ""), bytes(raw).decode()


HOSTED = {WebSearch: WEB_SEARCH, WebFetch: WEB_FETCH, CodeExecution: CODE_EXECUTION}
"""Google's tool for what others offer."""


def layout_of(extras: Extras) -> list[dict[str, object]] | None:
    """The grouping that the extras of a request remember."""
    raw = extras.get("tools")
    return None if raw is None or not starts(raw, b"[") else msgspec.json.decode(raw)


def members_of(tool: HostedTool) -> dict[str, Raw]:
    """The member by which a tool of Google's own is asked for."""
    return _TOOL.decode(tool.raw)
