"""Content parts of messages, both ways, and how nodes are read and written: requests and answers do it alike.

Everything here is an inverse pair: what `parse_…` or `take_…` read, `render_…` writes equal. Members that have no
field stay in extras; a nested object's leftovers stay under its own key (`function`, `json_schema`, …).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.openai_chat.wire import (
    NAME,
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
    Source,
    Text,
    Thinking,
    Url,
)

Json = dict[str, Any]
"""An object to be encoded; values may be Raw."""

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_EPHEMERAL = b'"ephemeral"'
EMPTY_LIST = Raw(b"[]")


def put_back(extras: Extras) -> Json:
    """A node to write, beginning with its extras; fields that are set afterwards win."""
    return dict(extras) if extras else {}


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
