"""Content parts, thinking members and tool calls of messages, both ways: requests and answers write them alike.

Everything here is an inverse pair: what `parse_…` or `take_…` read, `render_…` writes equal. Members that have no
field stay in extras; a nested object's leftovers stay under its own key (`function`, `json_schema`, …).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.dialects import envelope
from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.openai_chat.wire import (
    ENVELOPE_FORMAT,
    NAME,
    REASONING_DETAILS,
    data_url,
    source_of,
)
from strowger.errors import GatewayError, Malformed
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Document,
    Extras,
    FileId,
    Image,
    Opaque,
    Part,
    Refusal,
    Signed,
    Source,
    Text,
    Thinking,
    ToolCall,
    Url,
)

Json = dict[str, Any]
"""An object to be encoded; values may be Raw."""

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_EPHEMERAL = b'"ephemeral"'
EMPTY_LIST = Raw(b"[]")


def put_back(extras: Extras) -> Json:
    """A node to write, beginning with its extras; fields that are set afterwards win."""
    return dict(extras)


def nested(node: Json, key: str, members: Json) -> None:
    """Set an object member of `node`, together with the leftovers that extras kept under the same key."""
    leftover = node.get(key)
    node[key] = {**_MEMBERS.decode(leftover), **members} if isinstance(leftover, Raw) else members


def leftovers(fields: Fields, key: str, inner: Fields) -> Extras:
    """The extras of a node of which `inner`, its member `key`, was read apart."""
    if inner.rest:
        fields.rest[key] = Raw(msgspec.json.encode(inner.rest))
    return fields.extras()


def filled(fields: Fields, key: str) -> str:
    """Take a string that says something; an empty one stays in the rest, for the two are not written alike."""
    return "" if fields.holds(key, b'""') else fields.text(key) or ""


# ---- content ----


def take_content(fields: Fields) -> tuple[tuple[Part, ...], bool]:
    """The parts of `content` and whether it was a bare string. An empty list stays in the rest, like null."""
    raw = fields.rest.get("content")
    if raw is None or bytes(raw) in {b"null", b"[]"}:
        return (), False
    if is_string(raw):
        return (Text(fields.text("content") or ""),), True
    path = fields.at("content")
    # some servers answer with the JSON that was asked for, unquoted; a client that writes so is told of its mistake
    if fields.error is Malformed and bytes(memoryview(raw)[:1]) != b"[":
        return (Text(bytes(raw).decode(), extras={"content": fields.rest.pop("content")}),), True
    items = fields.items("content") or []
    if not items:
        fields.rest["content"] = EMPTY_LIST
    return tuple(parse_part(item, f"{path}[{i}]", fields.error) for i, item in enumerate(items)), False


def parse_part(raw: Raw, path: str, error: type[GatewayError]) -> Part:
    """One content part; whatever is not of a documented shape stays whole."""
    fields = Fields(raw, path, error)
    kind = fields.text("type") or ""
    part: Part | None = None
    match kind:
        case "text":
            part = Text(fields.need(fields.text("text"), "text"), cache=take_cache(fields), extras=fields.extras())
        case "refusal":
            part = Refusal(fields.need(fields.text("refusal"), "refusal"), extras=fields.extras())
        case "thinking":
            part = _thinking_part(fields)
        case "image_url":
            part = _image(fields)
        case "input_audio":
            part = _audio(fields)
        case "file":
            part = _file(fields)
        case _:
            pass
    return part or Opaque(NAME, kind, raw)


def take_cache(fields: Fields) -> CacheHint | None:
    """A cache breakpoint as OpenRouter and others take it over from Anthropic."""
    raw = fields.rest.get("cache_control")
    if raw is None or not _is_object(fields, "cache_control"):
        return None
    inner = Fields(raw, fields.at("cache_control"), fields.error)
    if bytes(inner.rest.get("type", b"")) != _EPHEMERAL:
        return None
    del fields.rest["cache_control"]
    del inner.rest["type"]
    return CacheHint(inner.text("ttl"), inner.extras())


def render_cache(hint: CacheHint) -> Json:
    """A cache breakpoint's object."""
    node = put_back(hint.extras)
    node["type"] = "ephemeral"
    if hint.ttl is not None:
        node["ttl"] = hint.ttl
    return node


def _thinking_part(fields: Fields) -> Thinking | None:
    """Mistral's thinking part: a list of text parts. With one plain text it is read apart, else the list is kept."""
    chunks = fields.rest.get("thinking")
    text = thinking_text(chunks) if chunks is not None else None
    if text is None:
        return None
    if chunks is not None and _plain_thinking(text) == msgspec.json.decode(chunks):
        del fields.rest["thinking"]
    return Thinking(text, form="part", extras=fields.extras())


def thinking_text(raw: Raw | bytes) -> str | None:
    """The text in a list of text parts; None when it is not such a list."""
    try:
        return "".join(part.text for part in msgspec.json.decode(raw, type=list[_TextPart]))
    except msgspec.MsgspecError:
        return None


def _plain_thinking(text: str) -> list[Json]:
    return [{"type": "text", "text": text}]


class _TextPart(Struct):
    text: str


def _image(fields: Fields) -> Image | None:
    raw = fields.rest.get("image_url")
    if raw is None:
        return None
    if is_string(raw):  # not documented, but seen; the key in the extras says that it was written so
        fields.rest["image_url"] = Raw(b'""')
        return Image(source_of(as_str(raw)), extras=fields.extras())
    inner = fields.fields("image_url")
    url = inner.text("url") if inner else None
    if inner is None or url is None:
        return None
    detail, cache = inner.text("detail"), take_cache(fields)
    return Image(source_of(url), detail, cache, leftovers(fields, "image_url", inner))


def _audio(fields: Fields) -> Audio | None:
    inner = fields.fields("input_audio") if _is_object(fields, "input_audio") else None
    data, form = (inner.text("data"), inner.text("format")) if inner else (None, None)
    if inner is None or data is None or form is None:
        return None
    return Audio(data, form, leftovers(fields, "input_audio", inner))


def _file(fields: Fields) -> Document | None:
    inner = fields.fields("file") if _is_object(fields, "file") else None
    if inner is None:
        return None
    source: Source
    if (data := inner.text("file_data")) is not None:
        source = source_of(data)
        if isinstance(source, Url) and not data.startswith(("http://", "https://", "data:")):
            source = Base64("", data)
    elif (file_id := inner.text("file_id")) is not None:
        source = FileId(file_id)
    else:
        return None
    title, cache = inner.text("filename"), take_cache(fields)
    return Document(source, title, cache, leftovers(fields, "file", inner))


def _is_object(fields: Fields, key: str) -> bool:
    raw = fields.rest.get(key)
    return raw is not None and bytes(memoryview(raw)[:1]) == b"{"


def render_part(part: Part) -> Json | Raw | None:
    """A content part of this dialect, whatever its origin; None for what has no such form."""
    node: Json
    match part:
        case Text():
            node = put_back(part.extras)
            node["type"], node["text"] = "text", part.text
        case Refusal():
            node = put_back(part.extras)
            node["type"], node["refusal"] = "refusal", part.text
        case Thinking():
            node = put_back(part.extras)
            node["type"] = "thinking"
            node.setdefault("thinking", _plain_thinking(part.text))
        case Image(source=Base64() | Url() as source):
            node = put_back(part.extras)
            url = data_url(source, "image/png") if isinstance(source, Base64) else source.url
            node["type"] = "image_url"
            if bytes(node.get("image_url", b"")) == b'""':
                node["image_url"] = url
            else:
                nested(node, "image_url", {"url": url} | ({"detail": part.detail} if part.detail is not None else {}))
        case Audio():
            node = put_back(part.extras)
            node["type"] = "input_audio"
            nested(node, "input_audio", {"data": part.data, "format": part.format})
        case Document(source=Base64() | Url() | FileId() as source):
            node = put_back(part.extras)
            node["type"] = "file"
            members = _file_members(source)
            if part.title is not None:
                members["filename"] = part.title
            nested(node, "file", members)
        case Opaque(origin=origin, raw=raw) if origin == NAME:
            return raw
        case _:
            return None
    cache = getattr(part, "cache", None)
    if cache is not None:
        node["cache_control"] = render_cache(cache)
    return node


def _file_members(source: Source) -> Json:
    match source:
        case Base64(media_type=""):
            return {"file_data": source.data}
        case Base64():
            return {"file_data": data_url(source)}
        case Url():
            return {"file_data": source.url}
        case FileId():
            return {"file_id": source.id}
        case _:
            return {}


# ---- thinking members of an assistant message ----


class Detail(Struct, omit_defaults=True):
    """One of OpenRouter's reasoning details, and the carrier of our envelopes. `length`: how many characters of the
    message's thinking text belong to it.
    """

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    index: int | None = None
    length: int | None = None


def take_thinking(fields: Fields, origin: str = "", *, keep_empty: bool = True) -> list[Thinking]:
    """The thinking of an assistant message, in whatever member it stands.

    `origin` is whose unsealed reasoning details these are, where it is known. Of two members that say the same, the
    second stays in the rest.
    """
    form = next((key for key in ("reasoning_content", "reasoning") if _worth_taking(fields, key, keep_empty)), "")
    text = (fields.text(form) or "") if form else ""
    foreign, ours = _take_details(fields)
    if foreign:
        words = text if form else "".join(detail_text(item) for item in foreign)
        blob = b"[" + b",".join(bytes(item) for item in foreign) + b"]"
        return [Thinking(words, Signed(origin, REASONING_DETAILS, blob.decode()), form or "reasoning_details")]
    if ours:
        return _reassembled(text, form, ours)
    return [Thinking(text, form=form)] if form else []


def _worth_taking(fields: Fields, key: str, keep_empty: bool) -> bool:
    raw = fields.rest.get(key)
    return raw is not None and is_string(raw) and (keep_empty or bytes(raw) != b'""')


def _take_details(fields: Fields) -> tuple[list[Raw], list[tuple[Detail, Signed]]]:
    """Details as they are, and those of ours with their envelope opened. What is not a list stays in the rest."""
    raw = fields.rest.get("reasoning_details")
    if raw is None or bytes(memoryview(raw)[:1]) != b"[" or bytes(raw) == b"[]":
        return [], []
    foreign: list[Raw] = []
    ours: list[tuple[Detail, Signed]] = []
    for item in fields.items("reasoning_details") or []:
        detail = detail_of(item)
        signed = envelope.opened(detail.signature or detail.data or "") if detail else None
        if detail is not None and signed is not None:
            ours.append((detail, signed))
        else:
            foreign.append(item)
    return foreign, ours


def _reassembled(text: str, form: str, ours: list[tuple[Detail, Signed]]) -> list[Thinking]:
    """Each signature with its own stretch of the text; when the lengths do not add up, the text was changed and no
    signature of a stretch holds.
    """
    stretches = [detail.length or 0 for detail, _ in ours]
    whole = sum(1 for detail, _ in ours if detail.type == "reasoning.text") == 1
    if not whole and sum(stretches) != len(text):
        return [Thinking(text, form=form)]
    parts: list[Thinking] = []
    at = 0
    for (detail, signed), stretch in zip(ours, stretches, strict=True):
        if detail.type == "reasoning.encrypted":
            parts.append(Thinking("", signed, form))
        else:
            parts.append(Thinking(text if whole else text[at : at + stretch], signed, form))
            at += stretch
    return parts


def detail_of(raw: Raw) -> Detail | None:
    """A reasoning detail, or None when it is not of that shape."""
    try:
        return msgspec.json.decode(raw, type=Detail)
    except msgspec.MsgspecError:
        return None


def detail_text(raw: Raw) -> str:
    """The readable text of a reasoning detail."""
    detail = detail_of(raw)
    return (detail.text or detail.summary or "") if detail else ""


def merge_detail(details: list[Json], piece: Json) -> None:
    """Add a streamed piece of a reasoning detail: pieces of one text follow one another under the same index."""
    last = details[-1] if details else None
    kind = piece.get("type")
    if last is None or kind == "reasoning.encrypted" or any(last.get(k) != piece.get(k) for k in ("type", "index")):
        details.append(piece)
        return
    for key, value in piece.items():
        before = last.get(key)
        if key in {"text", "summary"} and isinstance(value, str) and isinstance(before, str):
            last[key] = before + value
        elif value is not None:
            last[key] = value


def envelope_detail(part: Thinking, index: int) -> Json | None:
    """The carrier of a signed thinking for a Chat client; None when there is nothing to carry."""
    signed = part.signed
    if signed is None or not signed.blob:
        return None
    if not part.text:
        return {"type": "reasoning.encrypted", "data": envelope.seal(signed), "format": ENVELOPE_FORMAT, "index": index}
    return {
        "type": "reasoning.text",
        "signature": envelope.seal(signed),
        "format": ENVELOPE_FORMAT,
        "index": index,
        "length": len(part.text),
    }


def details_blob(parts: Iterable[Thinking]) -> list[Raw]:
    """The reasoning details of all thinking parts, in order."""
    items: list[Raw] = []
    for part in parts:
        if part.signed is not None and part.signed.kind == REASONING_DETAILS:
            items += msgspec.json.decode(part.signed.blob, type=list[Raw])
    return items


# ---- a whole assistant message ----


def take_assistant(fields: Fields, origin: str = "", *, keep_empty: bool = True) -> tuple[tuple[Part, ...], bool]:
    """What an assistant message says, in the order thinking, refusal, content, calls; and whether the content was a
    bare string.

    A list that begins with a refusal part leaves an empty `content` in the rest: a refusal that comes first is
    otherwise that of the message's own `refusal` member.
    """
    thinking = take_thinking(fields, origin, keep_empty=keep_empty)
    refusal = fields.text("refusal") if _worth_taking(fields, "refusal", keep_empty) else None
    content, plain = take_content(fields) if _worth_taking_content(fields, keep_empty) else ((), False)
    if content and isinstance(content[0], Refusal):
        fields.rest["content"] = EMPTY_LIST
    said: list[Part] = [*thinking, *content]
    if refusal is not None:
        said.insert(len(thinking), Refusal(refusal))
    return (*said, *take_calls(fields)), plain


def _worth_taking_content(fields: Fields, keep_empty: bool) -> bool:
    return keep_empty or bytes(fields.rest.get("content", b"")) != b'""'


def assistant_members(node: Json, parts: Iterable[Part], plain: bool) -> None:
    """The inverse of `take_assistant`, but for the thinking that stands beside the content: set refusal, content and
    calls on `node`. The calls keep their ids and names.
    """
    content: list[Part] = []
    calls: list[ToolCall] = []
    in_list = bytes(node.get("content", b"")) == b"[]"
    for part in parts:
        if isinstance(part, ToolCall):
            calls.append(part)
        elif isinstance(part, Refusal) and not content and not in_list:
            node["refusal"] = part.text
        elif not isinstance(part, Thinking) or part.form == "part":
            content.append(part)
    if plain:
        texts = [part for part in content if isinstance(part, Text)]
        unquoted = texts[0].extras.get("content") if len(texts) == 1 else None
        node["content"] = unquoted if unquoted is not None else "".join(part.text for part in texts)
    elif content:
        node["content"] = [rendered for part in content if (rendered := render_part(part)) is not None]
    for call in calls:
        if is_function_call(call):
            node["function_call"] = render_function_call(call)
        else:
            node.setdefault("tool_calls", []).append(render_call(call))


# ---- tool calls ----


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
