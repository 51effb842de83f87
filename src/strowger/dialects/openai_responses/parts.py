"""Content parts of messages and of tool results, both ways: requests and answers write them alike.

What `parse_…` reads, `render_part` writes equal: members without a field stay in extras. Knows single parts only, not
the items they stand in.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import Fields, as_str, is_string
from strowger.dialects.openai_responses.wire import NAME, data_url, source_of
from strowger.errors import GatewayError
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Citation,
    Document,
    Extras,
    FileId,
    Image,
    Opaque,
    Part,
    Refusal,
    Source,
    Text,
    Url,
)

Json = dict[str, Any]
"""An object to be encoded; values may be Raw."""

EMPTY_LIST = Raw(b"[]")
_EMPTY = b'""'
_INPUT, _OUTPUT = b'"input_text"', b'"output_text"'
_EXPLICIT = b'"explicit"'
_HINT = "prompt_cache_breakpoint"
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def put_back(extras: Extras) -> Json:
    """A node to write, beginning with its extras; members that are set afterwards win."""
    return dict(extras) if extras else {}


def nested(node: Json, key: str, members: Json) -> None:
    """Set an object member of `node`, together with the leftovers that extras kept under the same key."""
    leftover = node.get(key)
    node[key] = {**_MEMBERS.decode(leftover), **members} if isinstance(leftover, Raw) else members


def leftovers(fields: Fields, key: str, inner: Fields) -> None:
    """Keep what was not read of `inner`, the member `key`, in the rest."""
    if inner.rest:
        fields.rest[key] = Raw(msgspec.json.encode(inner.rest))


def filled(fields: Fields, key: str) -> str:
    """Take a string that says something; an empty one stays in the rest, for the two are not written alike."""
    return "" if fields.holds(key, _EMPTY) else fields.text(key) or ""


# ---- reading ----


def take_content(fields: Fields, key: str = "content", *, spoken: bool = False) -> tuple[tuple[Part, ...], bool]:
    """The parts of a content, and whether it was a bare string. An empty list stays in the rest, like null.

    `spoken`: it is the model's, whose texts are of type `output_text`.
    """
    raw = fields.rest.get(key)
    if raw is None or bytes(memoryview(raw)[:5]) in {b"null", b"[]"}:
        return (), False
    if is_string(raw):
        return (Text(fields.text(key) or ""),), True
    path = fields.at(key)
    items = fields.items(key) or []
    if not items:
        fields.rest[key] = EMPTY_LIST
    return tuple([parse_part(item, f"{path}[{i}]", fields.error, spoken=spoken) for i, item in enumerate(items)]), False


def parse_part(raw: Raw, path: str, error: type[GatewayError], *, spoken: bool = False) -> Part:
    """One content part; whatever is not of a documented shape stays whole."""
    fields = Fields(raw, path, error)
    kind = fields.rest.get("type")
    part: Part | None = None
    match b"" if kind is None else bytes(kind):
        case b'"input_text"' | b'"output_text"' | b'"text"' as written:
            if written == (_OUTPUT if spoken else _INPUT):
                del fields.rest["type"]
            return _text(fields)
        case b'"refusal"':
            del fields.rest["type"]
            return Refusal(fields.need(fields.text("refusal"), "refusal"), fields.extras())
        case b'"input_image"':
            part = _image(fields)
        case b'"input_file"':
            part = _file(fields)
        case b'"input_audio"':
            part = _audio(fields)
        case _:
            pass
    return part or Opaque(NAME, as_str(kind) if kind is not None and is_string(kind) else "", raw)


def _text(fields: Fields) -> Text:
    text = fields.need(fields.text("text"), "text")
    cited = fields.rest.get("annotations")
    citations: tuple[Citation, ...] = ()
    if cited is not None and bytes(memoryview(cited)[:1]) == b"[" and bytes(cited) != b"[]":
        citations = tuple([citation(item) for item in fields.items("annotations") or []])
    return Text(text, take_cache(fields), citations, fields.extras())


def _image(fields: Fields) -> Image | None:
    url = fields.text("image_url")
    source: Source
    if url is not None:
        source = source_of(url)
    elif (file_id := fields.text("file_id")) is not None:
        source = FileId(file_id)
    else:
        return None
    del fields.rest["type"]
    return Image(source, fields.text("detail"), take_cache(fields), fields.extras())


def _file(fields: Fields) -> Document | None:
    source: Source
    if (data := fields.text("file_data")) is not None:
        source = source_of(data)
        if isinstance(source, Url):
            if data.startswith("data:"):
                fields.rest["file_data"] = Raw(_EMPTY)  # says where it stood
            else:
                source = Base64("", data)
    elif (url := fields.text("file_url")) is not None:
        source = Url(url)
    elif (file_id := fields.text("file_id")) is not None:
        source = FileId(file_id)
    else:
        return None
    del fields.rest["type"]
    return Document(source, fields.text("filename"), take_cache(fields), fields.extras())


def _audio(fields: Fields) -> Audio | None:
    inner = fields.fields("input_audio")
    data, form = (inner.text("data"), inner.text("format")) if inner else (None, None)
    if inner is None or data is None or form is None:
        return None
    del fields.rest["type"]
    leftovers(fields, "input_audio", inner)
    return Audio(data, form, fields.extras())


def take_cache(fields: Fields) -> CacheHint | None:
    """A cache breakpoint. Its `ttl` has words of its own, so it stays in the extras."""
    raw = fields.rest.get(_HINT)
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return None
    inner = Fields(raw, fields.at(_HINT), fields.error)
    if bytes(inner.rest.get("mode", b"")) != _EXPLICIT:
        return None
    del fields.rest[_HINT]
    del inner.rest["mode"]
    return CacheHint(None, inner.extras())


class _Annotation(Struct, frozen=True):
    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_ANNOTATION = msgspec.json.Decoder(_Annotation)


def citation(raw: Raw) -> Citation:
    """An annotation, with what it says of a web page, if it is of one."""
    try:
        cited = _ANNOTATION.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Citation(raw)
    if not cited.url:
        return Citation(raw)
    return Citation(raw, cited.url, cited.title or "", "", cited.start_index, cited.end_index)


# ---- writing ----


def render_part(part: Part, *, spoken: bool = False) -> Json | Raw | None:
    """A content part of this dialect, whatever its origin; None for what has no such form."""
    node: Json
    match part:
        case Text():
            node = {"type": "output_text" if spoken else "input_text", **part.extras, "text": part.text}
            if part.citations:
                node["annotations"] = [cited.raw for cited in part.citations]
            cache = part.cache
        case Refusal():
            return {**part.extras, "type": "refusal", "refusal": part.text}
        case Image(source=source):
            node = {**part.extras, "type": "input_image"}
            if isinstance(source, FileId):
                node["file_id"] = source.id
            elif isinstance(source, Base64):
                node["image_url"] = data_url(source, "image/png")
            elif isinstance(source, Url):
                node["image_url"] = source.url
            if part.detail is not None:
                node["detail"] = part.detail
            cache = part.cache
        case Document(source=source):
            node = {**part.extras, "type": "input_file", **_file_members(source, part.extras)}
            if part.title is not None:
                node["filename"] = part.title
            cache = part.cache
        case Audio():
            node = {**part.extras, "type": "input_audio"}
            nested(node, "input_audio", {"data": part.data, "format": part.format})
            return node
        case Opaque(origin=origin, raw=raw) if origin == NAME:
            return raw
        case _:
            return None
    if cache is not None:
        node[_HINT] = {**cache.extras, "mode": "explicit"}
    return node


def _file_members(source: Source, extras: Extras) -> Json:
    match source:
        case Base64(media_type=""):
            return {"file_data": source.data}
        case Base64():
            return {"file_data": data_url(source)}
        case Url():
            return {"file_data" if bytes(extras.get("file_data", b"")) == _EMPTY else "file_url": source.url}
        case FileId():
            return {"file_id": source.id}
        case _:
            return {}
