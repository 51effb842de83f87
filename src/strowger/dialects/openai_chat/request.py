"""A Chat Completions request body to the middle form.

The inverse is `render.py`; together they are the identity on everything a client can write. What has no field stays
in extras; which of several spellings was used is remembered in `forms` (see `Form`).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import Peek
from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.growing import Cut, Growing
from strowger.dialects.lately import Elements, Lately
from strowger.dialects.openai_chat import usual
from strowger.dialects.openai_chat.assistant import take_assistant
from strowger.dialects.openai_chat.hosted import ability_of, take_members
from strowger.dialects.openai_chat.parts import filled, leftovers, take_cache, take_content
from strowger.dialects.openai_chat.signatures import told_apart
from strowger.dialects.openai_chat.wire import GOOGLE, NAME
from strowger.errors import BadRequest
from strowger.ir.request import (
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    OutputFormat,
    Reasoning,
    Request,
    Sampling,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class Form:
    """Names of spellings in `Request.forms`."""

    NOT_STREAMING = "stream=false"
    MAX_COMPLETION_TOKENS = "max_completion_tokens"
    STOP_STRING = "stop=string"
    CHOICE_ANY = "tool_choice=any"
    CHOICE_UNTYPED = "tool_choice=untyped"
    CHOICE_CUSTOM = "tool_choice=custom"
    FUNCTION_CALL = "function_call"
    THINKING = "thinking"
    THINKING_EFFORT = "thinking.effort"
    REASONING = "reasoning"
    REASONING_EFFORT = "reasoning.effort"


class _Peek(Struct):
    model: Raw
    stream: bool | None = None
    prompt_cache_key: str | None = None


_PEEK = msgspec.json.Decoder(_Peek)
_STRING = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool | None)
_KEY = msgspec.json.Decoder(str | None)
_NULL = Raw(b"null")
_GROWING = Growing("messages")


def peek(body: bytes) -> Peek:
    """The members that routing needs; raises BadRequest."""
    try:
        cut = _GROWING.cut(body)
        seen = _PEEK.decode(body) if cut is None else _seen(cut)
        model = _STRING.decode(seen.model)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _peek_slowly(body)
    return Peek(model, bool(seen.stream), seen.prompt_cache_key, bytes(seen.model))


def _seen(cut: Cut) -> _Peek:
    """What the peek looks for in a body that has been taken apart. Raises what msgspec raises."""
    said = cut.members
    return _Peek(
        said.get("model", _NULL),
        _FLAG.decode(said.get("stream", _NULL)),
        _KEY.decode(said.get("prompt_cache_key", _NULL)),
    )


def _peek_slowly(body: bytes) -> Peek:
    fields = Fields(body)
    model = fields.need(fields.text("model"), "model")
    return Peek(model, bool(fields.flag("stream")), fields.text("prompt_cache_key"))


def parse_request(body: bytes) -> Request:
    """A request body to IR; raises BadRequest that names the member at fault.

    `model` may be missing: Azure names it in the URL.
    """
    cut = _GROWING.cut(body)
    fields = Fields(body) if cut is None else Fields.of(dict(cut.members))
    forms: set[str] = set()
    model = filled(fields, "model")
    messages = fields.need(fields.items("messages"), "messages") if cut is None else cut.items
    stream = fields.flag("stream")
    if stream is False:
        forms.add(Form.NOT_STREAMING)
    return Request(
        origin=NAME,
        model=model,
        messages=_messages(messages, "messages"),
        tools=_tools(fields),
        tool_choice=_tool_choice(fields, forms),
        parallel=fields.flag("parallel_tool_calls"),
        max_tokens=_max_tokens(fields, forms),
        sampling=_sampling(fields, forms),
        reasoning=_reasoning(fields, forms),
        output=_output(fields),
        stream=bool(stream),
        usage_wanted=_usage_wanted(fields) if stream else True,
        user=fields.text("user"),
        cache_key=fields.text("prompt_cache_key"),
        tier=fields.text("service_tier"),
        forms=frozenset(forms),
        extras=fields.extras(),
    )


# ---- messages ----


def _message(raw: Raw, path: str) -> Message:
    return usual.message(raw) or _unusual_message(raw, path)


def _unusual_message(raw: Raw, path: str) -> Message:
    fields = Fields(raw, path)
    role = fields.need(fields.text("role"), "role")
    match role:
        case "system" | "developer" | "user":
            parts, plain = take_content(fields)
            return Message(role, parts, plain, fields.text("name"), fields.extras())
        case "tool" | "function":
            return _result_message(fields, role)
        case "assistant":
            parts, plain = take_assistant(fields)
            if any(isinstance(part, ToolCall) and part.extras for part in parts):
                parts = tuple(told_apart(parts, GOOGLE))
            return Message("assistant", parts, plain, fields.text("name"), fields.extras())
        case _:
            raise BadRequest(
                f"{path}.role: {role!r} is not a role",
                hint=f"use one of {', '.join(ROLES)}",
                param=f"{path}.role",
            )


def _result_message(fields: Fields, role: str) -> Message:
    """A `tool` message, or the old `function` message, which names the function instead of the call."""
    content, plain = take_content(fields)
    name = fields.text("name")
    call_id = filled(fields, "tool_call_id") if role == "tool" else ""
    result = ToolResult(call_id, content, plain=plain, name=name)  # type: ignore[arg-type]
    return Message("tool" if role == "tool" else "function", (result,), plain, extras=fields.extras())


_messages = Elements(_message)


# ---- tools ----


def _tools(fields: Fields) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    raw = fields.rest.get("tools")
    if raw is not None and bytes(memoryview(raw)[:1]) == b"[":
        if not _is_empty_list(fields, "tools"):
            tools += _tools_lately(bytes(raw))
            del fields.rest["tools"]
    else:
        fields.items("tools")  # says what is wrong with it
    if not _is_empty_list(fields, "functions"):
        tools += [_function(Fields(raw, f"functions[{i}]")) for i, raw in enumerate(fields.items("functions") or ())]
    return (*tools, *take_members(fields))


def _listed(data: bytes) -> tuple[Tool, ...]:
    read = usual.tools(Raw(data))
    return read or tuple([_tool(raw, f"tools[{i}]") for i, raw in enumerate(_LIST.decode(data))])


_LIST = msgspec.json.Decoder(list[Raw])
_tools_lately = Lately(_listed, kept=16, longest=512 * 1024)


def _is_empty_list(fields: Fields, key: str) -> bool:
    return bytes(fields.rest.get(key, b"")) == b"[]"


def _tool(raw: Raw, path: str) -> Tool:
    fields = Fields(raw, path)
    kind = fields.text("type")
    if kind not in {None, "function", "custom"} or (kind is None and "function" not in fields.rest):
        name = fields.text("name") or kind or ""
        return HostedTool(NAME, kind or "", name, raw, ability=ability_of(kind or "", raw))
    inner = fields.need(fields.fields(kind or "function"), kind or "function")
    cache = take_cache(fields)
    if kind == "custom":
        name, description, grammar = (
            inner.need(inner.text("name"), "name"),
            inner.text("description"),
            inner.raw("format"),
        )
        return CustomTool(name, description, grammar, leftovers(fields, "custom", inner))
    return FunctionTool(
        inner.need(inner.text("name"), "name"),
        inner.text("description"),
        inner.raw("parameters"),
        inner.flag("strict"),
        cache=cache,
        form="untyped" if kind is None else "",
        extras=leftovers(fields, "function", inner),
    )


def _function(fields: Fields) -> FunctionTool:
    """An entry of the old `functions` list."""
    return FunctionTool(
        fields.need(fields.text("name"), "name"),
        fields.text("description"),
        fields.raw("parameters"),
        fields.flag("strict"),
        form="functions",
        extras=fields.extras(),
    )


def _tool_choice(fields: Fields, forms: set[str]) -> ToolChoice | None:
    """The choice; a form of it that is not known stays in the rest, for the upstream to judge."""
    raw = fields.rest.get("tool_choice")
    if raw is None or bytes(raw) == b"null":
        return _function_call(fields, forms)
    if is_string(raw):
        word = as_str(raw)
        match word:
            case "auto" | "none" | "required":
                del fields.rest["tool_choice"]
                return ToolChoice(word)
            case "any":  # Mistral's word
                del fields.rest["tool_choice"]
                forms.add(Form.CHOICE_ANY)
                return ToolChoice("required")
            case _:
                return None
    inner = fields.need(fields.fields("tool_choice"), "tool_choice")
    kind = inner.text("type")
    if kind == "allowed_tools":
        return _allowed_tools(inner, raw)
    key = kind if kind in {"function", "custom"} else "function"
    named = inner.fields(key)
    name = named.text("name") if named else None
    if named is None or name is None or kind not in {None, "function", "custom"}:
        fields.rest["tool_choice"] = raw
        return None
    if kind is None:
        forms.add(Form.CHOICE_UNTYPED)
    elif kind == "custom":
        forms.add(Form.CHOICE_CUSTOM)
    return ToolChoice("tool", name, leftovers(inner, key, named))


def _allowed_tools(inner: Fields, raw: Raw) -> ToolChoice:
    """A choice among some of the tools: the mode has a field, the list stays an extra."""
    allowed = inner.fields("allowed_tools")
    required = allowed is not None and allowed.text("mode") == "required"
    return ToolChoice("required" if required else "auto", extras={"allowed_tools": raw})


def _function_call(fields: Fields, forms: set[str]) -> ToolChoice | None:
    """The old `function_call` member: `auto`, `none` or an object with a name."""
    raw = fields.rest.get("function_call")
    if raw is None or bytes(raw) == b"null":
        return None
    if is_string(raw):
        word = as_str(raw)
        if word not in {"auto", "none"}:
            return None
        del fields.rest["function_call"]
        forms.add(Form.FUNCTION_CALL)
        return ToolChoice("auto" if word == "auto" else "none")
    inner = fields.need(fields.fields("function_call"), "function_call")
    forms.add(Form.FUNCTION_CALL)
    return ToolChoice("tool", inner.need(inner.text("name"), "name"), inner.extras())


# ---- numbers and wishes ----


def _max_tokens(fields: Fields, forms: set[str]) -> int | None:
    limit = fields.integer("max_completion_tokens")
    if limit is not None:
        forms.add(Form.MAX_COMPLETION_TOKENS)
        return limit  # a `max_tokens` beside it stays in the rest
    return fields.integer("max_tokens")


def _sampling(fields: Fields, forms: set[str]) -> Sampling:
    stop: tuple[str, ...] = ()
    raw = fields.rest.get("stop")
    if raw is not None and is_string(raw):
        forms.add(Form.STOP_STRING)
        stop = (fields.text("stop") or "",)
    elif not _is_empty_list(fields, "stop"):
        stop = fields.strings("stop") or ()
    return Sampling(fields.number("temperature"), fields.number("top_p"), fields.integer("top_k"), stop)


def _reasoning(fields: Fields, forms: set[str]) -> Reasoning | None:
    """`reasoning_effort`, and one of the objects `thinking` (DeepSeek, Moonshot, Z.ai) and `reasoning` (OpenRouter)."""
    for key, read in (("thinking", _thinking_object), ("reasoning", _reasoning_object)):
        raw = fields.rest.get(key)
        if raw is not None and bytes(memoryview(raw)[:1]) == b"{":
            forms.add(key)
            inner = fields.need(fields.fields(key), key)
            reasoning = read(inner, forms)
            if reasoning.effort is None:
                return msgspec.structs.replace(reasoning, effort=fields.text("reasoning_effort"))
            return reasoning  # a `reasoning_effort` beside it stays in the rest
    effort = fields.text("reasoning_effort")
    return None if effort is None else Reasoning(effort=effort)


def _thinking_object(inner: Fields, forms: set[str]) -> Reasoning:
    mode, budget, effort = inner.text("type"), inner.integer("budget_tokens"), inner.text("effort")
    if effort is not None:
        forms.add(Form.THINKING_EFFORT)
    return Reasoning(mode, budget, effort, extras=inner.extras())


def _reasoning_object(inner: Fields, forms: set[str]) -> Reasoning:
    enabled, budget, effort = inner.flag("enabled"), inner.integer("max_tokens"), inner.text("effort")
    mode = None if enabled is None else "enabled" if enabled else "disabled"
    display = None
    if bytes(inner.rest.get("exclude", b"")) == b"true":
        del inner.rest["exclude"]
        display = "omitted"
    if effort is not None:
        forms.add(Form.REASONING_EFFORT)
    return Reasoning(mode, budget, effort, display, inner.extras())


def _output(fields: Fields) -> OutputFormat | None:
    """`response_format`; a kind that is not OpenAI's stays in the rest."""
    raw = fields.rest.get("response_format")
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return None
    outer = Fields(raw, "response_format")
    kind = outer.text("type")
    match kind:
        case "text" | "json_object":
            output = OutputFormat(kind, extras=outer.extras())
        case "json_schema":
            inner = outer.fields("json_schema")
            if inner is None:
                return None
            name, schema, strict = inner.text("name"), inner.raw("schema"), inner.flag("strict")
            description = inner.text("description")
            output = OutputFormat(kind, name, schema, strict, description, leftovers(outer, "json_schema", inner))
        case _:
            return None
    del fields.rest["response_format"]
    return output


def _usage_wanted(fields: Fields) -> bool:
    """`stream_options` is looked into, but stays in the rest."""
    raw = fields.rest.get("stream_options")
    if raw is None or bytes(raw) == b"null":
        return False
    return bool(Fields(raw, "stream_options").flag("include_usage"))
