"""Items of an answer to parts; a stream and a whole answer share them.

A message item becomes one part for each of its content parts, and the first of them carries the item's own members in
its extras, under `message`: that is where the next item begins. A tool that the provider runs itself becomes a call
and a result, which holds the item whole. What nobody else understands stays opaque. Knows nothing of framing or of
requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import Fields, is_string
from strowger.dialects.openai_responses.parts import EMPTY_LIST, citation
from strowger.dialects.openai_responses.wire import CLIENT_CALLS, COMPACTION_BLOB, NAME, PLAIN, REASONING, VENDOR
from strowger.errors import Malformed
from strowger.ir.events import Event, PartStart, PartStop, SignatureDelta
from strowger.ir.request import (
    GROUP_MARK,
    Citation,
    Found,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import unfold_part

MESSAGE = "message"
"""In the extras of a message's first part: the members of the item itself."""
NAMESPACE = "namespace:"
"""In `ToolCall.form`, before the length of the namespace that the name begins with."""
CONTENT = "content "
"""In `Opaque.kind`, before the type of a part of a message; else it is an item."""
SUMMARY_FORM, CONTENT_FORM = "summary", "content"
"""`Thinking.form`: from which list of the item the text is."""
BETWEEN = "\n\n"
"""Between the parts of one summary: they are paragraphs."""

SERVER_TOOLS = {
    "web_search_call": "web_search",
    "x_search_call": "x_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_execution",
    "image_generation_call": "image_generation",
    "mcp_call": "mcp",
    "tool_search_call": "tool_search",
}
"""Items of tools that the provider runs itself, with the name that all dialects use."""
CALL_ITEMS = {form: (tool, member) for tool, (form, member) in CLIENT_CALLS.items()}
"""Items of tools that the vendor defines and the client runs: tool, and the member that says what to do."""

_NULL = Raw(b"null")


# ---- items ----


def parts_of(raw: Raw, setup: DecoderSetup) -> list[Part]:
    """The parts of one item, members that are missing being empty. Raises Malformed for wrong types."""
    fields = Fields(raw, "output", Malformed)
    kind = fields.text("type") or ""
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(fields, raw, setup)
    if kind in CALL_ITEMS and (call := client_call(fields, kind)) is not None:
        return [call]
    if kind in SERVER_TOOLS:
        return server_parts(fields, kind, raw, setup)
    return [Opaque(NAME, kind, raw)]


def _message(fields: Fields, raw: Raw, _setup: DecoderSetup) -> list[Part]:
    whole: list[Part] = [Opaque(NAME, MESSAGE, raw)]
    if not fields.holds("role", b'"assistant"') and "role" in fields.rest:
        return whole  # a compacted conversation repeats what the user said
    content = fields.rest.get("content")
    if content is not None and is_string(content):
        text = fields.text("content") or ""
        fields.rest["content"] = Raw(b'""')
        return [Text(text, extras={MESSAGE: encoded(fields.rest)})]
    parts = [content_part(part) for part in fields.items("content") or []]
    if not parts or isinstance(parts[0], Opaque):
        return whole
    first = parts[0]
    parts[0] = replace(first, extras={**first.extras, MESSAGE: encoded(fields.rest)})
    return list(parts)


def content_part(raw: Raw) -> Text | Refusal | Opaque:
    """One part of what a message says. Raises Malformed."""
    fields = Fields(raw, "content", Malformed)
    kind = fields.text("type") or "output_text"
    if kind == "refusal":
        return Refusal(fields.text("refusal") or "", fields.extras())
    if kind not in {"output_text", "text"}:
        return Opaque(NAME, f"{CONTENT}{kind}", raw)
    if kind == "text":
        fields.rest["type"] = Raw(b'"text"')
    cited = fields.items("annotations")
    if cited is not None:
        fields.rest["annotations"] = EMPTY_LIST
    return Text(fields.text("text") or "", None, citations(cited or []), fields.extras())


def citations(raws: list[Raw]) -> tuple[Citation, ...]:
    """Annotations as citations."""
    return tuple([annotation(raw) for raw in raws])


class _File(Struct, frozen=True):
    filename: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_FILE = msgspec.json.Decoder(_File)


def annotation(raw: Raw) -> Citation:
    """One annotation; one of a file has the file's name as its title."""
    cited = citation(raw)
    if cited.url:
        return cited
    try:
        file = _FILE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return cited
    return Citation(raw, "", file.filename or "", "", file.start_index, file.end_index)


def _reasoning(fields: Fields, _raw: Raw, setup: DecoderSetup) -> list[Part]:
    text, form = take_texts(fields, "summary"), SUMMARY_FORM
    if not text:
        text = take_texts(fields, "content")
        form = CONTENT_FORM if text else SUMMARY_FORM
    identity = _peek(fields, "id")
    return [Thinking(text, signed_of(fields, identity, setup), form, fields.extras())]


class _TextPart(Struct, frozen=True):
    text: str = ""


_TEXTS = msgspec.json.Decoder(list[_TextPart])
_PLAIN_TEXTS = msgspec.json.Decoder(list[dict[str, str]])


def take_texts(fields: Fields, key: str) -> str:
    """The texts of a list of parts as one. The list is taken when it can be rebuilt from that: an empty summary, or
    one part with nothing but a text.
    """
    raw = fields.rest.get(key)
    if raw is None or bytes(memoryview(raw)[:1]) != b"[":
        return ""
    try:
        texts = [part.text for part in _TEXTS.decode(raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    kind = "summary_text" if key == "summary" else "reasoning_text"
    usual = [{"type": kind, "text": text} for text in texts[:1] if text]
    if (texts or key == "summary") and len(texts) == len(usual) and _plainly(raw) == usual:
        del fields.rest[key]
    return (BETWEEN if key == "summary" else "").join(texts)


def _plainly(raw: Raw) -> list[dict[str, str]] | None:
    """A list of objects whose members are all texts; None for any other."""
    try:
        return _PLAIN_TEXTS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def signed_of(fields: Fields, identity: str, setup: DecoderSetup) -> Signed | None:
    """What ties a reasoning item to its issuer: its encrypted content, else its id."""
    blob = filled(fields, "encrypted_content")
    if blob:
        return Signed(setup.origin or VENDOR, REASONING, blob, identity)
    return Signed(setup.origin, PLAIN, "", identity) if setup.origin and identity else None


def _compaction(fields: Fields, _raw: Raw, setup: DecoderSetup) -> list[Part]:
    blob = filled(fields, "encrypted_content")
    signed = Signed(setup.origin or VENDOR, COMPACTION_BLOB, blob, _peek(fields, "id"))
    return [Thinking("", signed, "compaction", fields.extras())]


def filled(fields: Fields, key: str) -> str:
    """Take a string that says something; anything else stays in the rest."""
    raw = fields.rest.get(key)
    if raw is None or not is_string(raw) or bytes(raw) == b'""':
        return ""
    return fields.text(key) or ""


# ---- calls ----


def _function_call(fields: Fields, _raw: Raw, setup: DecoderSetup) -> list[Part]:
    given = fields.raw("arguments")
    return [_call(fields, "" if given is None else json_text(given), setup)]


def _custom_call(fields: Fields, _raw: Raw, setup: DecoderSetup) -> list[Part]:
    given = fields.raw("input")
    return [replace(_call(fields, "" if given is None else json_text(given), setup), kind="custom")]


def _call(fields: Fields, arguments: str, setup: DecoderSetup) -> ToolCall:
    call_id = filled(fields, "call_id")
    if not call_id:
        identity = fields.rest.get("id", _NULL)
        call_id = (json_text(identity) if is_string(identity) else "") or setup.new_id("call_")
    name, group = fields.text("name") or "", filled(fields, "namespace")
    name = setup.names.get(name, name)
    if not group:
        return ToolCall(call_id, name, arguments, extras=fields.extras())
    if group == name:  # a function without a group, that a search for tools has found
        return ToolCall(call_id, name, arguments, extras=fields.extras(), form=f"{NAMESPACE}0")
    return ToolCall(
        call_id, f"{group}{GROUP_MARK}{name}", arguments, extras=fields.extras(), form=f"{NAMESPACE}{len(group)}"
    )


def client_call(fields: Fields, kind: str) -> ToolCall | None:
    """A call of a tool that the vendor defines and the client runs; None for one that the provider runs itself."""
    name, member = CALL_ITEMS[kind]
    given = fields.rest.get(member)
    if given is None or bytes(memoryview(given)[:1]) != b"{" or fields.holds("execution", b'"server"'):
        return None
    if b'"container_' in bytes(fields.rest.get("environment", b"")):
        return None
    call_id = filled(fields, "call_id")
    if not call_id:
        return None
    del fields.rest[member]
    return ToolCall(call_id, name, json_text(given), extras=fields.extras(), form=kind)


def json_text(raw: Raw) -> str:
    """The value of a raw string, else the JSON text as it stands."""
    return msgspec.json.decode(raw, type=str) if is_string(raw) else bytes(raw).decode()


# ---- tools of the provider ----


def server_call(fields: Fields, kind: str, setup: DecoderSetup) -> ServerToolCall:
    """The call, as far as its item tells it."""
    name = SERVER_TOOLS[kind]
    if kind == "mcp_call":
        name = _peek(fields, "name") or name
    return ServerToolCall(_peek(fields, "id") or setup.new_id("srv_"), name, _arguments(fields, kind), kind)


def server_parts(fields: Fields, kind: str, raw: Raw, setup: DecoderSetup) -> list[Part]:
    """The call and what it gave."""
    call = server_call(fields, kind, setup)
    return [call, server_result(fields, kind, raw, call)]


def server_result(fields: Fields, kind: str, raw: Raw, call: ServerToolCall) -> ServerToolResult:
    """What the tool gave, the item whole in it."""
    found: tuple[Found, ...] = ()
    error = ""
    if fields.holds("status", b'"failed"'):
        error = "failed"
    if kind == "web_search_call":
        found = tuple([Found(source.url, source.title or "") for source in _action(fields).sources or () if source.url])
    elif kind == "mcp_call" and bytes(fields.rest.get("error", b"null")) != b"null":
        error = json_text(fields.rest["error"])
    return ServerToolResult(call.id, kind, raw, call.name, found, error, _printed(fields))


class _Logs(Struct, frozen=True):
    logs: str = ""


_PRINTED = msgspec.json.Decoder(list[_Logs])


def _printed(fields: Fields) -> str:
    """What running code printed."""
    try:
        outputs = _PRINTED.decode(fields.rest.get("outputs", b"[]"))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return "".join([output.logs for output in outputs])


class _Source(Struct, frozen=True):
    url: str = ""
    title: str | None = None


class _Action(Struct, frozen=True):
    type: str = "search"
    query: str | None = None
    queries: list[str] | None = None
    url: str | None = None
    pattern: str | None = None
    sources: list[_Source] | None = None


_ACTION = msgspec.json.Decoder(_Action)


def _action(fields: Fields) -> _Action:
    try:
        return _ACTION.decode(fields.rest.get("action", b"{}"))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Action()


def searched(raw: Raw) -> bool:
    """Whether an item is one web search; pages that were opened are none."""
    fields = Fields(raw, "output", Malformed)
    return fields.holds("type", b'"web_search_call"') and _action(fields).type == "search"


def _arguments(fields: Fields, kind: str) -> str:
    """What the tool was asked, as a JSON object."""
    if kind in {"mcp_call", "x_search_call", "tool_search_call"}:
        given = fields.rest.get("arguments")
        return "" if given is None else json_text(given)
    if kind == "web_search_call":
        action = _action(fields)
        query = action.query or "; ".join(action.queries or ())
        if not query:
            query = " ".join(word for word in (action.pattern, action.url) if word)
        if not query and "action" not in fields.rest:
            return _peek(fields, "arguments")
        return bytes(encoded({"query": query})).decode()
    kept = {key: fields.rest[key] for key in ("code", "queries", "revised_prompt") if key in fields.rest}
    return bytes(encoded(kept)).decode() if kept else ""


def _peek(fields: Fields, key: str) -> str:
    """The value of a string that stays where it is; empty for anything else."""
    raw = fields.rest.get(key)
    return json_text(raw) if raw is not None and is_string(raw) else ""


def encoded(members: object) -> Raw:
    """An object as raw JSON of its own: it keeps nothing of what it was read from."""
    return Raw(msgspec.json.encode(members))


_READERS: dict[str, Callable[[Fields, Raw, DecoderSetup], list[Part]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "compaction": _compaction,
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
}


# ---- events ----


def unfolded(index: int, part: Part) -> Iterator[Event]:
    """A part as its events. Signed state comes in a delta also where there is no text: it is noted there."""
    if isinstance(part, Thinking) and not part.text and part.signed is not None:
        yield PartStart(index, replace(part, signed=None))
        yield SignatureDelta(index, part.signed)
        yield PartStop(index)
    else:
        yield from unfold_part(index, part)
