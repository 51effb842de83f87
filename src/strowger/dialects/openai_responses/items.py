"""Input items to messages: one message for each item.

Items of the model become messages of role assistant, outputs of tools messages of role tool; whoever renders them for
a dialect with turns joins neighbours. What has no form in the IR stays whole. The inverse is `history.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from strowger.dialects import envelope
from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.lately import Elements
from strowger.dialects.openai_responses.parts import filled, take_content
from strowger.dialects.openai_responses.tools import listed_tools, names_of, parse_tools
from strowger.dialects.openai_responses.usual import usual_item
from strowger.dialects.openai_responses.wire import (
    ADDITIONAL,
    AGENT,
    COMPACTION_BLOB,
    CUSTOM_OUTPUT,
    HAND_OVER,
    ITEM,
    NAME,
    PLAIN,
    REASONING,
    SEARCH_OUTPUT,
    SUMMARY,
    SUMMARY_HEAD,
    TRIGGER,
    UNTYPED,
    VENDOR,
    grouped,
)
from strowger.errors import BadRequest
from strowger.ir.request import (
    Message,
    Opaque,
    Part,
    Role,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolGroup,
    ToolReference,
    ToolResult,
)

_ROLES: dict[str, Role] = {"user": "user", "system": "system", "developer": "developer", "assistant": "assistant"}
_NO_LIST = b"[]"
_TEXTS = msgspec.json.Decoder(list[dict[str, str]])
_FAILED = b'"failed"'


def parse_item(raw: Raw, path: str) -> Message:
    """One input item; raises BadRequest that names the member at fault."""
    fields = Fields(raw, path)
    kind = fields.text("type")
    if kind is None or kind == "message":
        message = _message(fields, UNTYPED if kind is None else "")
    else:
        read = _READERS.get(kind)
        message = read(fields, raw) if read is not None else None
    return message or _opaque(kind or ("message" if "role" in fields.rest else "item_reference"), raw)


def brought(messages: tuple[Message, ...]) -> tuple[Tool | ToolGroup, ...]:
    """The tools that items bring, beside those of the request: in Codex's lite form all of them, else what a search
    for tools has found.
    """
    tools: list[Tool | ToolGroup] = []
    for i, message in enumerate(messages):
        if message.role == "tool":
            result = message.parts[0]
            if not isinstance(result, ToolResult) or result.form != SEARCH_OUTPUT:
                continue
            listed = result.extras.get("tools")
        elif message.form == ADDITIONAL:
            listed = message.extras.get("tools")
        else:
            continue
        if listed is not None:
            tools += _brought(listed, f"input[{i}].tools")
    return tuple(tools)


def _brought(listed: Raw, path: str) -> tuple[Tool | ToolGroup, ...]:
    try:
        return listed_tools(bytes(listed))
    except BadRequest:  # which does not say where
        return parse_tools(msgspec.json.decode(listed, type=list[Raw]), path)


def _opaque(kind: str, raw: Raw) -> Message:
    role: Role = "assistant"
    if kind.endswith(("_output", "_response")) or kind == "item_reference":
        role = "user"
    elif kind == "configuration_update":
        role = "developer"
    return Message(role, (Opaque(NAME, kind, raw),), form=ITEM)


def _message(fields: Fields, form: str) -> Message | None:
    role = _ROLES.get(filled(fields, "role"))
    if role is None:
        return None
    parts, plain = take_content(fields, spoken=role == "assistant")
    return Message(role, parts, plain, extras=fields.extras(), form=form)


def _agent_message(fields: Fields, _raw: Raw) -> Message:
    parts, plain = take_content(fields)
    return Message("user", parts, plain, extras=fields.extras(), form=AGENT)


# ---- thinking and what was made shorter ----


def _reasoning(fields: Fields, _raw: Raw) -> Message:
    """A reasoning item. Its text is the summary, or the content where there is none; a list that cannot be rebuilt
    from the text stays in the extras. `bare`: the summary is missing.
    """
    words, form = _texts(fields, "summary", "summary_text"), "summary"
    if words is None:
        words = _texts(fields, "content", "reasoning_text")
        form = "" if words is None else "content"
        if fields.holds("summary", _NO_LIST):
            del fields.rest["summary"]
        else:
            form += " bare"
    identity = filled(fields, "id")
    blob = filled(fields, "encrypted_content")
    sealed = envelope.thought_in(blob)
    if sealed is not None:  # a client may have left the words of the thought behind
        thought = Thinking(words or sealed.text, sealed.signed, form, fields.extras())
    else:
        signed = Signed(VENDOR, REASONING if blob else PLAIN, blob, identity)
        thought = Thinking(words or "", signed, form, fields.extras())
    return Message("assistant", (thought,), form=ITEM)


def _texts(fields: Fields, key: str, kind: str) -> str | None:
    """The texts of a list of parts, as one; None when it has none. A list with exactly one usual part is taken."""
    raw = fields.rest.get(key)
    if raw is None or bytes(memoryview(raw)[:1]) != b"[" or bytes(raw) == _NO_LIST:
        return None
    try:
        parts = _TEXTS.decode(raw)
    except msgspec.ValidationError:
        return None
    if not parts:
        return None
    if parts == [{"type": kind, "text": parts[0].get("text", "")}]:
        del fields.rest[key]
    return "\n\n".join([part.get("text", "") for part in parts])


def _compaction(kind: str) -> Callable[[Fields, Raw], Message]:
    """The conversation so far: the vendor's own goes home only, a summary of ours is for everyone."""

    def read(fields: Fields, _raw: Raw) -> Message:
        blob = filled(fields, "encrypted_content")
        sealed = envelope.opened(blob)
        if sealed is not None and sealed.kind == SUMMARY:
            return Message("user", (Text(f"{SUMMARY_HEAD}\n\n{sealed.blob}"),), plain=True)
        signed = sealed or Signed(VENDOR, COMPACTION_BLOB, blob, filled(fields, "id"))
        return Message("assistant", (Thinking("", signed, kind, fields.extras()),), form=ITEM)

    return read


def _trigger(fields: Fields, _raw: Raw) -> Message:
    return Message("user", (Text(HAND_OVER),), plain=True, extras=fields.extras(), form=TRIGGER)


# ---- calls ----


def _call_message(call: ToolCall) -> Message:
    return Message("assistant", (call,), form=ITEM)


def _function_call(fields: Fields, _raw: Raw) -> Message:
    call_id = fields.need(fields.text("call_id"), "call_id")
    name = fields.need(fields.text("name"), "name")
    arguments = fields.need(fields.text("arguments"), "arguments")
    name, form = grouped(name, filled(fields, "namespace"))
    return _call_message(ToolCall(call_id, name, arguments, extras=fields.extras(), form=form))


def _custom_call(fields: Fields, _raw: Raw) -> Message:
    call_id = fields.need(fields.text("call_id"), "call_id")
    name = fields.need(fields.text("name"), "name")
    given = fields.need(fields.text("input"), "input")
    name, form = grouped(name, filled(fields, "namespace"))
    return _call_message(ToolCall(call_id, name, given, kind="custom", extras=fields.extras(), form=form))


def _vendor_call(kind: str, name: str, member: str) -> Callable[[Fields, Raw], Message | None]:
    """A reader of calls of a tool that the vendor defines and the client runs: what to do is an object."""

    def read(fields: Fields, raw: Raw) -> Message | None:
        given = fields.rest.get(member)
        call_id = filled(fields, "call_id")
        if given is None or bytes(memoryview(given)[:1]) != b"{":
            return None
        if not call_id:
            return _searched(fields, raw, given) if kind == "tool_search_call" else None
        del fields.rest[member]
        return _call_message(ToolCall(call_id, name, bytes(given).decode(), extras=fields.extras(), form=kind))

    return read


def _searched(fields: Fields, raw: Raw, arguments: Raw) -> Message:
    """A search for tools that the provider ran itself. All members stay in the extras."""
    call = ServerToolCall(
        filled(fields, "id"), "tool_search", bytes(arguments).decode(), "tool_search_call", extras=_members(raw)
    )
    return Message("assistant", (call,), form=ITEM)


def _web_search(fields: Fields, raw: Raw) -> Message:
    action = fields.fields("action") if bytes(fields.rest.get("action", b""))[:1] == b"{" else None
    query = action.text("query") if action is not None and action.holds("type", b'"search"') else None
    arguments = msgspec.json.encode({"query": query}).decode() if query is not None else "{}"
    call = ServerToolCall(filled(fields, "id"), "web_search", arguments, "web_search_call", extras=_members(raw))
    return Message("assistant", (call,), form=ITEM)


def _members(raw: Raw) -> dict[str, Raw]:
    return msgspec.json.decode(raw, type=dict[str, Raw])


# ---- results ----


def _result_message(result: ToolResult) -> Message:
    return Message("tool", (result,), form=ITEM)


def _output(kind: str) -> Callable[[Fields, Raw], Message]:
    """A reader of outputs that are a text or a list of parts."""

    def read(fields: Fields, _raw: Raw) -> Message:
        call_id = filled(fields, "call_id")
        content, plain = take_content(fields, "output")
        return _result_message(
            ToolResult(call_id, content, plain=plain, extras=fields.extras(), form=kind)  # type: ignore[arg-type]
        )

    return read


def _local_shell_output(fields: Fields, _raw: Raw) -> Message:
    """The one output that names its call in `id`, in the public API; Codex has `call_id`."""
    form = "local_shell_call_output"
    call_id = filled(fields, "call_id")
    if not call_id:
        call_id, form = filled(fields, "id"), f"{form} id"
    content, plain = take_content(fields, "output")
    return _result_message(
        ToolResult(call_id, content, plain=plain, extras=fields.extras(), form=form)  # type: ignore[arg-type]
    )


def _shell_output(fields: Fields, _raw: Raw) -> Message:
    """What commands gave: a list of objects, which stays as it is and is a text for others."""
    output = fields.raw("output")
    content = () if output is None else (Text(bytes(output).decode()),)
    return _result_message(
        ToolResult(filled(fields, "call_id"), content, extras=fields.extras(), form="shell_call_output")
    )


def _patch_output(fields: Fields, _raw: Raw) -> Message:
    content, plain = take_content(fields, "output")
    failed = True if fields.holds("status", _FAILED) else None
    return _result_message(
        ToolResult(
            filled(fields, "call_id"),
            content,  # type: ignore[arg-type]
            failed,
            plain,
            extras=fields.extras(),
            form="apply_patch_call_output",
        )
    )


def _search_output(fields: Fields, raw: Raw) -> Message | None:
    """The tools that a search found. One that the provider ran itself has no call id, and stays whole."""
    call_id = filled(fields, "call_id")
    if not call_id:
        result = ServerToolResult(filled(fields, "id"), SEARCH_OUTPUT, raw, "tool_search")
        return Message("assistant", (result,), form=ITEM)
    listed = fields.rest.get("tools")
    if listed is None or bytes(memoryview(listed)[:1]) != b"[":
        return None
    found = parse_tools(msgspec.json.decode(listed, type=list[Raw]), fields.at("tools"))
    references: list[Part] = [ToolReference(name) for tool in found for name in names_of(tool)]
    return _result_message(
        ToolResult(call_id, tuple(references), extras=fields.extras(), form=SEARCH_OUTPUT)  # type: ignore[arg-type]
    )


def _additional_tools(fields: Fields, _raw: Raw) -> Message | None:
    listed = fields.rest.get("tools")
    if listed is None or bytes(memoryview(listed)[:1]) != b"[":
        return None
    return Message("developer", (), extras=fields.extras(), form=ADDITIONAL)


_READERS: dict[str, Callable[[Fields, Raw], Message | None]] = {
    "reasoning": _reasoning,
    "compaction": _compaction("compaction"),
    "context_compaction": _compaction("context_compaction"),
    "compaction_trigger": _trigger,
    "additional_tools": _additional_tools,
    "agent_message": _agent_message,
    "function_call": _function_call,
    "function_call_output": _output("function_call_output"),
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output(CUSTOM_OUTPUT),
    "local_shell_call": _vendor_call("local_shell_call", "local_shell", "action"),
    "local_shell_call_output": _local_shell_output,
    "shell_call": _vendor_call("shell_call", "shell", "action"),
    "shell_call_output": _shell_output,
    "apply_patch_call": _vendor_call("apply_patch_call", "apply_patch", "operation"),
    "apply_patch_call_output": _patch_output,
    "tool_search_call": _vendor_call("tool_search_call", "tool_search", "arguments"),
    SEARCH_OUTPUT: _search_output,
    "web_search_call": _web_search,
}


def parse_input(raw: Raw, path: str = "input") -> tuple[Message, ...]:
    """The items of a list. Raises BadRequest for what is neither a list nor a text."""
    if is_string(raw):
        return (Message("user", (Text(as_str(raw)),), plain=True, form=UNTYPED),)
    try:
        items = msgspec.json.decode(raw, type=list[Raw])
    except msgspec.ValidationError:
        raise BadRequest(f"{path}: expected a string or a list of items", param=path) from None
    return parse_items(items, path)


def parse_items(items: Sequence[Raw | bytes], path: str = "input") -> tuple[Message, ...]:
    """Items as they are written; raises BadRequest that names the member at fault."""
    return _items(items, path)


def _item(raw: Raw, path: str) -> Message:
    return usual_item(raw) or parse_item(raw, path)


_items = Elements(_item)
