"""Tool calls as they stand whole in a message, both ways, in the spellings that are in use."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.openai_chat.parts import Json, leftovers, nested, put_back, render_cache, take_cache
from strowger.errors import GatewayError
from strowger.ir.request import ToolCall


def take_calls(fields: Fields) -> list[ToolCall]:
    """The tool calls of an assistant message, the old `function_call` too. An empty list stays in the rest."""
    calls: list[ToolCall] = []
    raw = fields.rest.get("tool_calls")
    if raw is not None and bytes(raw) not in {b"null", b"[]"}:
        path = fields.at("tool_calls")
        items = fields.items("tool_calls") or []
        calls = [parse_call(item, f"{path}[{i}]", fields.error) for i, item in enumerate(items)]
    legacy = fields.fields("function_call")
    if legacy is not None:
        name = legacy.need(legacy.text("name"), "name")
        arguments, flags = _take_arguments(legacy, "arguments")
        form = " ".join(["function_call", *flags])
        calls.append(ToolCall("", name, arguments, form=form, extras=legacy.extras()))
    return calls


def parse_call(raw: Raw, path: str, error: type[GatewayError]) -> ToolCall:
    """One tool call. A missing `type` or `id`, and arguments that are no string, are remembered in its form."""
    fields = Fields(raw, path, error)
    kind = fields.rest.get("type")
    custom = kind is not None and bytes(kind) == b'"custom"'
    flags = []
    if custom or (kind is not None and bytes(kind) == b'"function"'):
        del fields.rest["type"]
    else:
        flags.append("untyped")
    key, argument_key = ("custom", "input") if custom else ("function", "arguments")
    inner = fields.need(fields.fields(key), key)
    name = inner.need(inner.text("name"), "name")
    arguments, more = _take_arguments(inner, argument_key)
    identity = fields.text("id")
    if identity is None:
        flags.append("anonymous")
    return ToolCall(
        identity or "",
        name,
        arguments,
        kind="custom" if custom else "function",
        cache=take_cache(fields),
        extras=leftovers(fields, key, inner),
        form=" ".join(flags + more),
    )


def _take_arguments(fields: Fields, key: str) -> tuple[str, list[str]]:
    raw = fields.raw(key)
    if raw is None:
        return "", ["bare"]
    if is_string(raw):
        return as_str(raw), []
    return bytes(raw).decode(), ["object"]


def render_call(call: ToolCall) -> Json:
    """One entry of `tool_calls`. The form counts only for calls that were read from this dialect."""
    if call.kind == "function" and not (call.form or call.extras or call.cache):  # nearly all; 3 times cheaper
        return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    flags = call.form.split()
    key, argument_key = ("custom", "input") if call.kind == "custom" else ("function", "arguments")
    node = put_back(call.extras)
    if "anonymous" not in flags or call.id:
        node["id"] = call.id
    if "untyped" not in flags:
        node["type"] = key
    nested(node, key, {"name": call.name} | _arguments(call, flags, argument_key))
    if call.cache is not None:
        node["cache_control"] = render_cache(call.cache)
    return node


def render_function_call(call: ToolCall) -> Json:
    """The old `function_call` member."""
    return put_back(call.extras) | {"name": call.name} | _arguments(call, call.form.split(), "arguments")


def _arguments(call: ToolCall, flags: list[str], key: str) -> Json:
    if "bare" in flags and not call.arguments:
        return {}
    if "object" in flags:
        return {key: Raw(call.arguments.encode())}
    return {key: call.arguments}


def is_function_call(call: ToolCall) -> bool:
    """Whether the call came in the old `function_call` member."""
    return call.form.startswith("function_call")
