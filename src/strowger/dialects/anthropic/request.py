"""Requests as Anthropic's clients write them: a body to IR, and the quick look that routing needs.

Parsing keeps everything: what has no field of its own stays in the extras of its node, byte for byte, so that
rendering to the same dialect is the inverse. Knows nothing of upstreams and their limits.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.anthropic import passing, usual
from strowger.dialects.anthropic.blocks import cache_hint, parse_block
from strowger.dialects.anthropic.hosted import Servers, ability_of, bare_servers, servers_of
from strowger.dialects.anthropic.wire import ATTRIBUTION, NAME, NULL
from strowger.dialects.base import Peek
from strowger.dialects.fields import Fields, is_string
from strowger.dialects.growing import Cut, Growing
from strowger.dialects.lately import Elements, Lately
from strowger.errors import BadRequest
from strowger.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)

SYSTEM_STRING = "system:string"
STREAM_FALSE = "stream:false"
OUTPUT_FORMAT = "output_format"
"""`Request.forms`: the older spellings, which mean the same."""

_CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class _PeekMetadata(Struct):
    user_id: Raw = NULL


class _PeekBody(Struct):
    model: Raw
    stream: bool | None = None
    metadata: Raw = NULL
    system: Raw = NULL
    messages: list[passing.Message] = []


class _BarePeek(Struct):
    model: Raw
    stream: bool | None = None
    metadata: Raw = NULL


_PEEK = msgspec.json.Decoder(_PeekBody)
_BARE_PEEK = msgspec.json.Decoder(_BarePeek)
_FLAG = msgspec.json.Decoder(bool | None)
_PEEK_METADATA = msgspec.json.Decoder(_PeekMetadata)
_GROWING = Growing("messages")
_OLD_USER_ID = re.compile(r"_session_([0-9a-fA-F-]{36})$")


class _UserId(Struct):
    session_id: str | None = None


_USER_ID = msgspec.json.Decoder(_UserId)


def peek(body: bytes) -> Peek:
    """Model, stream flag and Claude Code's session id. Raises BadRequest when there is no object with a model."""
    try:
        cut = _GROWING.cut(body)
        if cut is not None:
            return _peek_again(cut)
        seen = _PEEK.decode(body)
        model = msgspec.json.decode(seen.model, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _bare_peek(body)
    found, signatures = passing.look(seen.system, seen.messages)
    return Peek(model, bool(seen.stream), _session(seen.metadata), bytes(seen.model), signatures, found)


def _peek_again(cut: Cut) -> Peek:
    """At a conversation that is known but for its end. Raises what msgspec raises of what is not as usual."""
    said = cut.members
    written = said.get("model")
    if written is None:
        raise msgspec.ValidationError("there is no model")
    model = msgspec.json.decode(written, type=str)
    stream = _FLAG.decode(said.get("stream", NULL))
    found, signatures = passing.look_again(said.get("system", NULL), cut.items)
    return Peek(model, bool(stream), _session(said.get("metadata", NULL)), bytes(written), signatures, found)


def _bare_peek(body: bytes) -> Peek:
    """Of a body with messages that are not as usual."""
    try:
        seen = _BARE_PEEK.decode(body)
        model = msgspec.json.decode(seen.model, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fields = Fields(body)  # mends what can be mended, and says in the usual words what is wrong
        metadata = fields.rest.get("metadata", NULL)
        return Peek(_model(fields), bool(fields.flag("stream")), _session(metadata))
    return Peek(model, bool(seen.stream), _session(seen.metadata), bytes(seen.model))


def _session(metadata: Raw) -> str | None:
    """Claude Code puts it into `metadata.user_id`: as JSON text, or in old versions as `user_…_session_<uuid>`."""
    try:
        user_id = msgspec.json.decode(_PEEK_METADATA.decode(metadata).user_id, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if user_id.startswith("{"):
        try:
            return _USER_ID.decode(user_id).session_id
        except msgspec.MsgspecError:
            return None
    found = _OLD_USER_ID.search(user_id)
    return found[1] if found else None


def _model(fields: Fields) -> str:
    model = fields.text("model")
    if model is None:
        raise BadRequest(
            "model: field required",
            param="model",
            hint="Bedrock and Vertex put the model into the path; this endpoint takes it in the body",
        )
    return model


def parse_request(body: bytes) -> Request:
    """A body to IR. Raises BadRequest that names the member at fault."""
    cut = _GROWING.cut(body)
    fields = Fields(body) if cut is None else Fields.of(dict(cut.members))
    model = _model(fields)
    forms: set[str] = set()
    written = fields.need(fields.items("messages"), "messages") if cut is None else cut.items
    messages = _messages(written, "messages")
    system = _system(fields, forms)
    tools = _tools(fields)
    tools += bare_servers(fields.rest.get("mcp_servers"), tools)
    choice, parallel = _tool_choice(fields)
    reasoning, output = _reasoning_and_output(fields, forms)
    stream = fields.flag("stream")
    if stream is False:
        forms.add(STREAM_FALSE)
    return Request(
        origin=NAME,
        model=model,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=choice,
        parallel=parallel,
        max_tokens=fields.integer("max_tokens"),
        sampling=_sampling(fields),
        reasoning=reasoning,
        output=output,
        stream=bool(stream),
        user=_user(fields),
        tier=fields.text("service_tier"),
        forms=frozenset(forms),
        extras=fields.extras(),
    )


def _message(raw: Raw, path: str) -> Message:
    return usual.message(raw) or _unusual_message(Fields(raw, path))


_messages = Elements(_message)


def _unusual_message(fields: Fields) -> Message:
    word = fields.need(fields.text("role"), "role")
    role = _ROLES.get(word)
    if role is None:
        where = fields.at("role")
        raise BadRequest(f'{where}: "{word[:40]}" is not one of user, assistant, system', param=where)
    raw = fields.rest.get("content")
    if raw is not None and is_string(raw):
        text = Text(fields.need(fields.text("content"), "content"))
        return Message(role, (text,), plain=True, extras=fields.extras())
    blocks = fields.need(fields.items("content"), "content")
    path = fields.at("content")
    parts: list[Part] = [parse_block(block, f"{path}[{i}]") for i, block in enumerate(blocks)]
    return Message(role, tuple(parts), extras=fields.extras())


def _blocks(data: bytes) -> tuple[Text | Opaque, ...]:
    return _system_blocks(Fields.of({"system": Raw(data)}))


# It comes with every turn, and is long.
_blocks_lately = Lately(_blocks, kept=64, longest=256 * 1024, room=2 * 1024 * 1024)


def _system(fields: Fields, forms: set[str]) -> tuple[Text | Opaque, ...]:
    raw = fields.rest.get("system")
    if raw is not None and is_string(raw):
        forms.add(SYSTEM_STRING)
        return (Text(fields.need(fields.text("system"), "system")),)
    if fields.holds("system", b"[]"):
        return ()
    if raw is None or bytes(memoryview(raw)[:1]) != b"[":
        return _system_blocks(fields)
    del fields.rest["system"]
    return _blocks_lately(bytes(raw))


def _system_blocks(fields: Fields) -> tuple[Text | Opaque, ...]:
    blocks = []
    for i, block in enumerate(fields.items("system") or ()):
        part = parse_block(block, f"system[{i}]")
        if not isinstance(part, Text):
            part = Opaque(NAME, "system block", block)
        elif part.text.startswith(ATTRIBUTION):
            part = Opaque(NAME, "attribution", block)
        blocks.append(part)
    return tuple(blocks)


def _tools(fields: Fields) -> tuple[Tool, ...]:
    raw = fields.rest.get("tools")
    servers = fields.rest.get("mcp_servers")
    if fields.holds("tools", b"[]"):
        return ()
    if servers is None and raw is not None and bytes(memoryview(raw)[:1]) == b"[":
        tools = _tools_lately(bytes(raw))
        del fields.rest["tools"]
        return tools
    known = servers_of(servers)
    return tuple([_tool(item, f"tools[{i}]", known) for i, item in enumerate(fields.items("tools") or ())])


def _listed(data: bytes) -> tuple[Tool, ...]:
    read = usual.tools(Raw(data))
    servers = servers_of(None)
    return read or tuple([_tool(raw, f"tools[{i}]", servers) for i, raw in enumerate(_LIST.decode(data))])


_LIST = msgspec.json.Decoder(list[Raw])
_tools_lately = Lately(_listed, kept=16, longest=512 * 1024)


def _tool(raw: Raw, path: str, servers: Servers) -> Tool:
    fields = Fields(raw, path)
    kind = fields.text("type")
    if kind is not None and kind != "custom":
        # mcp_toolset and its like have no name of their own
        ability = ability_of(kind, raw, servers)
        return HostedTool(NAME, kind, fields.text("name") or kind, raw, cache_hint(fields), ability)
    name = fields.need(fields.text("name"), "name")
    deferred = fields.holds("defer_loading", b"true") and bool(fields.flag("defer_loading"))
    return FunctionTool(
        name,
        fields.text("description"),
        fields.raw("input_schema"),
        fields.flag("strict"),
        deferred,
        cache_hint(fields),
        form=kind or "",
        extras=fields.extras(),
    )


def _tool_choice(fields: Fields) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether several tools may be called at once. A type that is unknown stays in the extras."""
    raw = fields.rest.get("tool_choice")
    choice = fields.fields("tool_choice")
    if choice is None or raw is None:
        return None, None
    mode = _CHOICES.get(choice.need(choice.text("type"), "type"))
    if mode is None:
        fields.rest["tool_choice"] = raw
        return None, None
    alone = choice.flag("disable_parallel_tool_use")
    parallel = None if alone is None else not alone
    match mode:
        case "tool":
            return ToolChoice("tool", choice.need(choice.text("name"), "name"), choice.extras()), parallel
        case "required":
            return ToolChoice("required", extras=choice.extras()), parallel
        case "none":
            return ToolChoice("none", extras=choice.extras()), parallel
        case _:
            return ToolChoice("auto", extras=choice.extras()), parallel


def _sampling(fields: Fields) -> Sampling:
    stop: tuple[str, ...] = ()
    if not fields.holds("stop_sequences", b"[]"):
        stop = fields.strings("stop_sequences") or ()
    return Sampling(fields.number("temperature"), fields.number("top_p"), fields.integer("top_k"), stop)


def _user(fields: Fields) -> str | None:
    """`metadata.user_id`; what else the metadata holds stays in the extras."""
    metadata = fields.fields("metadata")
    if metadata is None:
        return None
    user = metadata.text("user_id")
    _put_back(fields, "metadata", metadata, taken=user is not None)
    return user


def _reasoning_and_output(fields: Fields, forms: set[str]) -> tuple[Reasoning | None, OutputFormat | None]:
    thinking = fields.fields("thinking")
    config = fields.fields("output_config")
    output = _output(fields, OUTPUT_FORMAT)
    if output is not None:
        forms.add(OUTPUT_FORMAT)
    effort = None
    if config is not None:
        effort = config.text("effort")
        asked = _output(config, "format") if output is None else None
        _put_back(fields, "output_config", config, taken=effort is not None or asked is not None)
        output = output or asked
    if thinking is not None:
        mode = thinking.need(thinking.text("type"), "type")
        budget, display = thinking.integer("budget_tokens"), thinking.text("display")
        return Reasoning(mode, budget, effort, display, thinking.extras()), output
    return (None if effort is None else Reasoning(effort=effort)), output


def _output(fields: Fields, key: str) -> OutputFormat | None:
    """Take a json_schema format; one of another type stays where it is."""
    raw = fields.rest.get(key)
    form = fields.fields(key)
    if form is None or raw is None:
        return None
    if form.text("type") != "json_schema":
        fields.rest[key] = raw
        return None
    schema = form.need(form.raw("schema"), "schema")
    return OutputFormat("json_schema", schema=schema, extras=form.extras())


def _put_back(fields: Fields, key: str, inner: Fields, *, taken: bool) -> None:
    """Leave in the extras what of an inner object has not been taken, unless nothing is left."""
    if inner.rest or not taken:
        fields.rest[key] = Raw(msgspec.json.encode(inner.rest))
