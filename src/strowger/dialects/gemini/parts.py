"""Parts of contents, both ways: requests and answers write them alike.

What `parse_parts` reads, `render_part` writes equal. Members without a field stay in extras; those of the inner object
of a picture or file stay in the extras of its source. A thought signature may stand on any part: it becomes a Thinking
of its own beside the part (see `Signed`), which `history` puts back on it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects import envelope
from strowger.dialects.gemini.calls import Calls, parse_call, parse_response
from strowger.dialects.gemini.members import EMPTY, WRITTEN, Json, Members, inner, is_null, put, put_back, starts
from strowger.dialects.gemini.wire import NAME, ON_CALL, ON_PART, ON_TEXT, SIGNATURE, VENDOR, snake
from strowger.errors import GatewayError
from strowger.ir.request import (
    NO_EXTRAS,
    Audio,
    Base64,
    Document,
    Extras,
    FileId,
    Image,
    InlineText,
    Opaque,
    Part,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)

ALONE = "alone"
"""`Thinking.form` of a signature that stood in a part of its own, without even an empty text."""

_EMPTY_TEXT = b'""'
_TRUE = Raw(b"true")
_DATA = (
    "text",
    "functionCall",
    "functionResponse",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)
_KINDS = {name: key for key in _DATA for name in (key, snake(key))}

_SERVER_TOOLS = {
    "GOOGLE_SEARCH_WEB": "web_search",
    "GOOGLE_SEARCH_IMAGE": "web_search",
    "URL_CONTEXT": "web_fetch",
}
_WELL = frozenset({b'"OUTCOME_OK"', b"1"})

_DATA_WRITTEN = {(True, False): Raw(b"[]"), (True, True): Raw(b"{}"), (False, True): WRITTEN}
"""In the extras of a source, as its `data`: it was in the alphabet of URLs, without padding. All say nothing."""

_AUDIO = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "x-aiff": "aiff", "x-m4a": "m4a", "x-flac": "flac"}
"""Formats by the subtypes that have another name."""
_STORES = ("https://generativelanguage.googleapis.com/", "gs://")


# ---- reading ----


def parse_parts(items: Iterable[Raw], path: str, error: type[GatewayError], calls: Calls, *, model: bool) -> list[Part]:
    """The parts of one content of a request; `model`: it is the model's, and its parts may be signed."""
    parts: list[Part] = []
    for i, raw in enumerate(items):
        parts += parse_part(raw, f"{path}[{i}]", error, calls, model=model)
    return parts


def parse_part(
    raw: Raw, path: str, error: type[GatewayError], calls: Calls, *, model: bool, origin: str = ""
) -> tuple[Part, ...]:
    """One part, with the signature that it bears before or behind it.

    `origin` issued the signatures of an answer, whatever they look like; those of a request (without an origin) are
    the vendor's, or in envelopes of ours.
    """
    fields = Members(raw, path, error)
    holder = _take_signature(fields) if model and fields.says("thoughtSignature") else None
    kind = _kind(fields)
    if holder is not None and not kind and not fields.rest:
        return (_signed(holder, origin, ON_TEXT, ALONE),)
    part = _read(fields, kind, raw if holder is None else None, calls)
    if holder is None:
        return (part,)
    match part:
        case Thinking():
            thought = _signed(holder, origin, "")
            return (replace(thought, text=part.text or thought.text, extras={**part.extras, **thought.extras}),)
        case ToolCall():
            return (_signed(holder, origin, ON_CALL + part.id), part)
        case Text():
            return (part, _signed(holder, origin, ON_TEXT))
        case _:
            return (part, _signed(holder, origin, ON_PART))


def reunited(parts: list[Part]) -> list[Part]:
    """The parts of a model's content with the state of other vendors back on the thoughts that it belongs to.

    Our clients are given such state on the function call behind the thoughts, which they may keep in pieces, or not at
    all: then the words that came with the state stand where the thoughts stood.
    """
    if not any(_is_stray(part) for part in parts):
        return parts
    home: list[Part] = []
    for part in parts:
        if not isinstance(part, Thinking) or not _is_stray(part):
            home.append(part)
            continue
        start, end = _thoughts_before(home)
        words = part.text or "".join(thought.text for thought in home[start:end] if isinstance(thought, Thinking))
        home[start:end] = [replace(part, text=words)]
    return home


def _is_stray(part: Part) -> bool:
    if not isinstance(part, Thinking) or part.signed is None:
        return False
    return part.signed.kind != SIGNATURE and bool(part.signed.blob)


def _thoughts_before(parts: list[Part]) -> tuple[int, int]:
    """Where the last run of unsigned thoughts stands, in front of the last texts; without any, where it would."""
    end = len(parts)
    while end > 0 and isinstance(parts[end - 1], Text):
        end -= 1
    start = end
    while start > 0 and isinstance(before := parts[start - 1], Thinking) and before.signed is None:
        start -= 1
    return start, end


def _kind(fields: Members) -> str:
    """Which of its members is the part's data; empty when there is none that is known."""
    for key, value in fields.rest.items():
        if (kind := _KINDS.get(key)) is not None and not is_null(value):
            return kind
    return ""


def _take_signature(fields: Members) -> tuple[str, Extras] | None:
    """The signature, and the extras that remember its spelling. An empty one is none and stays where it is."""
    raw = fields.look("thoughtSignature")
    if raw is None or not starts(raw, b'"') or bytes(raw) == _EMPTY_TEXT:
        return None
    blob = fields.text("thoughtSignature") or ""
    written = fields.rest.pop(snake("thoughtSignature"), None) is WRITTEN
    return blob, {snake("thoughtSignature"): WRITTEN} if written else NO_EXTRAS


def _signed(holder: tuple[str, Extras], origin: str, identity: str, form: str = "") -> Thinking:
    """The state that stood on a part: a bare signature, or what is inside an envelope of ours."""
    blob, extras = holder
    thought = None if origin else envelope.thought_in(blob)
    thought = thought or Thinking("", Signed(origin or VENDOR, SIGNATURE, blob, identity))
    return replace(thought, form=form, extras=extras)


def _read(fields: Members, kind: str, raw: Raw | None, calls: Calls) -> Part:
    """The part without its signature; `raw` is its text where that is as it came."""
    part: Part | None = None
    match kind:
        case "text":
            part = _text(fields)
        case "functionCall":
            part = parse_call(fields, calls)
        case "functionResponse":
            part = _result(fields, calls)
        case "inlineData":
            part = _inline(fields)
        case "fileData":
            part = _file(fields)
        case "executableCode":
            part = _code(fields)
        case "codeExecutionResult" | "toolResponse":
            return _server_result(fields, kind, raw)
        case "toolCall":
            part = _server_call(fields)
        case _:
            pass
    return part or Opaque(NAME, kind or next(iter(fields.rest), "part"), raw or _whole(fields), _said(fields, kind))


def _whole(fields: Members) -> Raw:
    return Raw(msgspec.json.encode(fields.rest))


def _text(fields: Members) -> Text | Thinking:
    text = fields.need(fields.text("text"), "text")
    if fields.holds("thought", b"true"):
        del fields.rest["thought"]
        return Thinking(text, extras=fields.extras())
    return Text(text, extras=fields.extras())


def _result(fields: Members, calls: Calls) -> ToolResult:
    result, nested = parse_response(fields, calls)
    content = [_nested(raw, f"{fields.path}.parts[{i}]", fields.error, calls) for i, raw in enumerate(nested)]
    return replace(result, content=(*result.content, *content)) if content else result


def _nested(raw: Raw, path: str, error: type[GatewayError], calls: Calls) -> Image | Document | Audio | Opaque:
    """A part inside a response: a picture, a file, or whatever it is."""
    part = parse_part(raw, path, error, calls, model=False)[0]
    return part if isinstance(part, Image | Document | Audio | Opaque) else Opaque(NAME, "part", raw)


def _inline(fields: Members) -> Part | None:
    """Bytes: a picture, sound, a document. What no other dialect can take (a video) stays whole."""
    look = _peeked(fields, "inlineData")
    kind, _, subtype = look.partition("/")
    if kind not in {"image", "audio", "text"} and look != "application/pdf":
        return None
    members = fields.members("inlineData")
    data = _take_data(members) if members else None
    if members is None or data is None:
        return None
    if kind == "audio":
        form = _AUDIO.get(subtype, subtype)
        if media_type_of(form) == look:
            members.text("mimeType")
        fields.keep("inlineData", members)
        return Audio(data, form, fields.extras())
    members.text("mimeType")
    if kind == "image":
        return Image(Base64(look, data, members.extras()), extras=fields.extras())
    title = members.text("displayName")
    text = _decoded(data) if kind == "text" else None
    source: Source = Base64(look, data, members.extras()) if text is None else InlineText(text, look, members.extras())
    return Document(source, title, extras=fields.extras())


def _take_data(members: Members) -> str | None:
    """Bytes in standard base64, which is all that others take. SDKs of Google write either alphabet, with padding or
    without: how it was written stays in the rest.
    """
    data = members.text("data")
    if data is None:
        return None
    urls = ("-" in data or "_" in data) and not ("+" in data or "/" in data)
    bare = len(data) % 4 != 0 and not data.endswith("=")
    if urls or bare:
        members.rest["data"] = _DATA_WRITTEN[urls, bare]
    if urls:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4) if bare else data


def _data_as_written(members: Json, data: str) -> str:
    held = members.get("data")
    urls, bare = next((how for how, mark in _DATA_WRITTEN.items() if mark == held), (False, False))
    data = data.rstrip("=") if bare else data
    return data.replace("+", "-").replace("/", "_") if urls else data


def _peeked(fields: Members, key: str) -> str:
    """The media type of an inner object; empty when it is no object or says none."""
    if not fields.is_object(key):
        return ""
    held = Members(fields.need(fields.look(key), key), fields.at(key), fields.error)
    return (held.text("mimeType") if starts(held.look("mimeType"), b'"') else None) or ""


def _said(fields: Members, kind: str) -> str:
    """What stands in the place of a video, say, for a model that cannot be shown it."""
    if kind not in {"fileData", "inlineData"} or not fields.is_object(kind):
        return ""
    held = Members(fields.need(fields.look(kind), kind), fields.at(kind), fields.error)
    uri = (held.text("fileUri") if starts(held.look("fileUri"), b'"') else None) or ""
    what = _peeked(fields, kind)
    told = ": ".join(filter(None, (what, uri)))
    return f"[{what.partition('/')[0] or 'file'} omitted{': ' + told if told else ''}]"


def _decoded(data: str) -> str | None:
    """The text in base64, where encoding it again gives the same."""
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return text if _encoded(text) == data else None


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def media_type_of(form: str) -> str:
    """The media type of sound in a format."""
    return f"audio/{form}"


def _file(fields: Members) -> Part | None:
    """A file by its address: stored at Google, or to be fetched. Its media type is kept with the source."""
    look = _peeked(fields, "fileData")
    image, document = look.startswith("image/"), look == "application/pdf" or look.startswith("text/")
    if not (image or document):
        return None
    members = fields.members("fileData")
    uri = members.text("fileUri") if members else None
    if members is None or uri is None:
        return None
    title = members.text("displayName") if document else None
    source = FileId(uri, members.extras()) if uri.startswith(_STORES) else Url(uri, members.extras())
    return Image(source, extras=fields.extras()) if image else Document(source, title, extras=fields.extras())


def _code(fields: Members) -> ServerToolCall | None:
    if not fields.is_object("executableCode"):
        return None
    members = fields.need(fields.members("executableCode"), "executableCode")
    identity = members.filled("id")
    arguments = msgspec.json.encode(members.rest).decode()
    return ServerToolCall(identity, "code_execution", arguments, "executableCode", extras=fields.extras())


def _server_call(fields: Members) -> ServerToolCall | None:
    """A call of one of Google's own tools; all of it stays in the extras, a search's query is told besides."""
    raw = fields.look("toolCall")
    if raw is None or not starts(raw, b"{"):
        return None
    members = Members(raw, fields.at("toolCall"), fields.error)
    identity, name = members.text("id") or "", _server_tool(members)
    arguments = bytes(members.raw("args") or EMPTY).decode()
    if name == "web_search":
        arguments = _query(arguments)
    return ServerToolCall(identity, name, arguments, "toolCall", extras=fields.extras())


def _server_tool(members: Members) -> str:
    raw = members.raw("toolType")
    word = msgspec.json.decode(raw, type=str) if starts(raw, b'"') and raw is not None else ""
    return _SERVER_TOOLS.get(word, word.lower())


def _query(arguments: str) -> str:
    try:
        queries = msgspec.json.decode(arguments, type=dict[str, list[str]]).get("queries", [])
    except msgspec.MsgspecError:
        return arguments
    return msgspec.json.encode({"query": "; ".join(queries)}).decode() if queries else arguments


def _server_result(fields: Members, kind: str, raw: Raw | None) -> ServerToolResult | Opaque:
    whole = raw or _whole(fields)
    held = fields.look(kind)
    if held is None or not starts(held, b"{"):
        return Opaque(NAME, kind, whole)
    members = Members(held, fields.at(kind), fields.error)
    identity = members.text("id") or ""
    if kind == "toolResponse":
        return ServerToolResult(identity, kind, whole, _server_tool(members))
    outcome = bytes(members.raw("outcome") or b'"OUTCOME_OK"')
    failed = "" if outcome in _WELL else outcome.decode().strip('"')
    output = (members.text("output") or "") if starts(members.look("output"), b'"') else ""
    return ServerToolResult(identity, kind, whole, "code_execution", error=failed, output=output)


# ---- writing ----


def render_part(part: Part) -> Json | Raw | None:
    """A part of this dialect, whatever its origin; None for what has no such form. Calls and results have their own
    functions, and signatures are put on afterwards.
    """
    node: Json
    match part:
        case Text():
            node = put_back(part.extras)
            node["text"] = part.text
        case Thinking():
            node = put_back(part.extras)
            node["text"], node["thought"] = part.text, _TRUE
        case Image(source=source):
            node = put_back(part.extras)
            if not _put_source(node, source, None):
                return None
        case Document(source=source):
            node = put_back(part.extras)
            if not _put_source(node, source, part.title):
                return None
        case Audio():
            node = put_back(part.extras)
            members = inner(node, "inlineData")
            if "mimeType" not in members and "mime_type" not in members:
                put(members, "mimeType", media_type_of(part.format))
            put(members, "data", _data_as_written(members, part.data))
        case ServerToolCall(kind="executableCode"):
            node = put_back(part.extras)
            held: Json = msgspec.json.decode(part.arguments)
            if part.id:
                put(held, "id", part.id)
            put(node, "executableCode", held)
        case ServerToolCall(kind="toolCall"):
            node = put_back(part.extras)
        case ServerToolResult(raw=raw, kind="codeExecutionResult" | "toolResponse"):
            return raw
        case Opaque(origin=origin, raw=raw) if origin == NAME:
            return raw
        case _:
            return None
    return node


def _put_source(node: Json, source: Source, title: str | None) -> bool:
    """Write a picture or a file; False for what cannot be told here."""
    match source:
        case Base64(media_type, data, extras):
            _put_blob(node, extras, media_type, data, title)
        case InlineText(text, media_type, extras):
            _put_blob(node, extras, media_type, _encoded(text), title)
        case Url(address, extras) | FileId(address, extras):
            members = inner(node, "fileData")
            members.update(extras)
            put(members, "fileUri", address)
            if title is not None:
                put(members, "displayName", title)
    return True


def _put_blob(node: Json, extras: Extras, media_type: str, data: str, title: str | None) -> None:
    members = inner(node, "inlineData")
    members.update(extras)
    put(members, "mimeType", media_type)
    put(members, "data", _data_as_written(members, data))
    if title is not None:
        put(members, "displayName", title)
