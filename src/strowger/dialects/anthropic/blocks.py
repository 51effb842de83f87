"""Content blocks and parts: the vocabulary that requests and answers of this dialect share.

`parse_block` and `render_part` are inverse for a part of this dialect. What an upstream accepts, and what must be
said of losses, is decided before a part is rendered.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.anthropic import usual
from strowger.dialects.anthropic.wire import NAME, REDACTED, SIGNATURE
from strowger.dialects.envelope import opened
from strowger.dialects.fields import Fields, is_string
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Citation,
    Document,
    Extras,
    FileId,
    Found,
    Image,
    InlineText,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)

Json = dict[str, Any]
"""A JSON object on its way out; its values may be Raw."""

EMPTY_OBJECT = Raw(b"{}")


class _FreeText(Struct):
    input: str


_FREE_TEXT = msgspec.json.Decoder(_FreeText)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def parse_block(raw: Raw, path: str) -> Part:
    """A content block of a request. Raises BadRequest naming the member at fault; unknown types become Opaque."""
    part = usual.block(raw)
    return part if part is not None else _unusual_block(raw, path)


def _unusual_block(raw: Raw, path: str) -> Part:
    fields = Fields(raw, path)
    kind = fields.need(fields.text("type"), "type")
    match kind:
        case "text":
            return parse_text(fields)
        case "tool_result":
            return _tool_result(fields)
        case "image" | "document":
            return _media(fields, kind, raw)
        case "tool_reference":
            name = fields.need(fields.text("tool_name"), "tool_name")
            return ToolReference(name, cache_hint(fields), fields.extras())
        case "thinking":
            thought = fields.need(fields.text("thinking"), "thinking")
            signature = _non_empty(fields, "signature")
            signed = None if signature is None else opened(signature) or Signed(NAME, SIGNATURE, signature)
            return Thinking(thought, signed, extras=fields.extras())
        case "redacted_thinking":
            data = fields.need(fields.text("data"), "data")
            return Thinking("", opened(data) or Signed(NAME, REDACTED, data), extras=fields.extras())
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            call_id = fields.need(fields.text("id"), "id")
            name = fields.need(fields.text("name"), "name")
            arguments = json_text(fields.need(fields.raw("input"), "input"))
            if kind == "tool_use":
                return ToolCall(call_id, name, arguments, cache=cache_hint(fields), extras=fields.extras())
            return ServerToolCall(call_id, name, arguments, kind, cache_hint(fields), fields.extras())
        case _:
            return parse_other(fields, kind, raw)


def parse_text(fields: Fields) -> Text:
    """A text block whose type has been taken."""
    text = fields.need(fields.text("text"), "text")
    return Text(text, cache_hint(fields), citations(fields), fields.extras())


def parse_other(fields: Fields, kind: str, raw: Raw) -> ServerToolResult | Opaque:
    """A block that is carried whole: what a server tool gave, or a type that is Anthropic's alone."""
    if kind.endswith(_RESULT):
        call_id = fields.text("tool_use_id")
        if call_id is not None:
            found, given = _findings(fields.rest.get("content"))
            name, output = kind.removesuffix(_RESULT), given.stdout + given.stderr
            return ServerToolResult(call_id, kind, raw, name, found, given.error_code, output)
    return Opaque(NAME, kind, raw, _said(kind, raw))


class _Shown(Struct):
    type: str = ""
    text: str = ""


class _Source(Struct):
    content: str | list[_Shown] = ""


class _Passage(Struct):
    title: str | None = None
    source: str | _Source = ""
    content: list[_Shown] = []


_PASSAGE = msgspec.json.Decoder(_Passage)


def _said(kind: str, raw: Raw) -> str:
    """The text of a search result, or of a document in pieces, both of which a client brings for others to cite."""
    if kind not in {"search_result", "document"}:
        return ""
    try:
        passage = _PASSAGE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    source = passage.source
    shown = source.content if isinstance(source, _Source) else passage.content
    text = shown if isinstance(shown, str) else "\n".join(each.text or f"[{each.type} omitted]" for each in shown)
    if not text:
        return ""
    titled = f' title="{passage.title}"' if passage.title else ""
    sourced = f' source="{source}"' if isinstance(source, str) and source else ""
    return f"<{kind}{titled}{sourced}>\n{text}\n</{kind}>"


_RESULT = "_tool_result"


class _Page(Struct):
    url: str
    title: str | None = None
    page_age: str | None = None


class _Given(Struct, frozen=True):
    error_code: str = ""
    stdout: str = ""
    stderr: str = ""


_FINDINGS = msgspec.json.Decoder(list[_Page] | _Given)
_NOTHING_GIVEN = _Given()


def _findings(raw: Raw | None) -> tuple[tuple[Found, ...], _Given]:
    """The pages of a web search, and what running code printed or the code of a failure."""
    try:
        said = _NOTHING_GIVEN if raw is None else _FINDINGS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = _NOTHING_GIVEN
    if isinstance(said, _Given):
        return (), said
    return tuple(Found(page.url, page.title or "", page.page_age or "") for page in said), _NOTHING_GIVEN


def json_text(raw: Raw) -> str:
    """Raw JSON as text; bytes that are not UTF-8 become U+FFFD."""
    return bytes(raw).decode("utf-8", "replace")


def citations(fields: Fields) -> tuple[Citation, ...]:
    """Take the citations; an empty list stays where it is, for it says nothing."""
    if fields.holds("citations", b"[]"):
        return ()
    return tuple(map(citation, fields.items("citations") or ()))


class _Cited(Struct):
    url: str | None = None
    source: str | None = None  # of a search result that the client gave; often an address
    title: str | None = None
    document_title: str | None = None
    cited_text: str | None = None


_CITED = msgspec.json.Decoder(_Cited)


def citation(raw: Raw) -> Citation:
    """A citation, with what it says of a web page, if it is of one."""
    try:
        cited = _CITED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Citation(raw)
    url = cited.url or cited.source or ""
    title = cited.title or cited.document_title or ""
    return Citation(raw, url if url.startswith(("https://", "http://")) else "", title, cited.cited_text or "")


def cache_hint(fields: Fields) -> CacheHint | None:
    """Take `cache_control`."""
    control = fields.fields("cache_control")
    if control is None:
        return None
    ttl = control.text("ttl")
    if control.holds("type", b'"ephemeral"'):
        del control.rest["type"]
    return CacheHint(ttl, control.extras())


def _non_empty(fields: Fields, key: str) -> str | None:
    return None if fields.holds(key, b'""') else fields.text(key)


def _tool_result(fields: Fields) -> ToolResult:
    call_id = fields.need(fields.text("tool_use_id"), "tool_use_id")
    content: list[Text | Image | Document | Audio | ToolReference | Opaque] = []
    plain = False
    raw = fields.rest.get("content")
    if raw is not None and is_string(raw):
        content, plain = [Text(fields.need(fields.text("content"), "content"))], True
    elif not fields.holds("content", b"[]"):
        path = fields.at("content")
        for i, item in enumerate(fields.items("content") or ()):
            part = parse_block(item, f"{path}[{i}]")
            if not isinstance(part, Text | Image | Document | ToolReference | Opaque):
                part = Opaque(NAME, type(part).__name__, item)
            content.append(part)
    return ToolResult(
        call_id,
        tuple(content),
        is_error=fields.flag("is_error"),
        plain=plain,
        cache=cache_hint(fields),
        extras=fields.extras(),
    )


def _media(fields: Fields, kind: str, raw: Raw) -> Image | Document | Opaque:
    source = _source(fields)
    if source is None:
        return Opaque(NAME, kind, raw, _said(kind, raw))
    cache = cache_hint(fields)
    if kind == "image":
        return Image(source, cache=cache, extras=fields.extras())
    title = fields.text("title")
    return Document(source, title, cache, fields.extras())


def _source(fields: Fields) -> Source | None:
    """The source of an image or document; None for a type that only Anthropic knows (`content`, say)."""
    if fields.rest.get("source") is None or is_string(fields.rest["source"]):
        return None
    source = fields.need(fields.fields("source"), "source")
    match source.text("type"):
        case "base64":
            media_type = source.need(source.text("media_type"), "media_type")
            data = source.need(source.text("data"), "data")
            return Base64(media_type, data, source.extras())
        case "url":
            return Url(source.need(source.text("url"), "url"), source.extras())
        case "file":
            return FileId(source.need(source.text("file_id"), "file_id"), source.extras())
        case "text":
            media_type = source.text("media_type") or "text/plain"
            return InlineText(source.need(source.text("data"), "data"), media_type, source.extras())
        case _:
            return None


# ---- the way out ----


def render_part(part: Part, *, own: bool) -> Json | Raw:
    """A part as a content block. `own`: it was parsed from this dialect, so its extras mean something here."""
    match part:
        case Text():
            return _text(part, own)
        case Refusal():
            return {"type": "text", "text": part.text}
        case Thinking():
            return _thinking(part, own)
        case ToolCall():
            block: Json = {"type": "tool_use", "id": part.id, "name": part.name, "input": tool_input(part)[0]}
            return _closed(block, part.cache, part.extras, own)
        case ServerToolCall():
            block = {
                "type": part.kind or "server_tool_use",
                "id": part.id,
                "name": part.name,
                "input": Raw(part.arguments.encode()),
            }
            return _closed(block, part.cache, part.extras, own)
        case ToolResult():
            return _result(part, own)
        case ToolReference():
            return _closed({"type": "tool_reference", "tool_name": part.name}, part.cache, part.extras, own)
        case Image():
            return _closed({"type": "image", "source": _source_out(part.source, own)}, part.cache, part.extras, own)
        case Document():
            block = {"type": "document", "source": _source_out(part.source, own)}
            if part.title is not None:
                block["title"] = part.title
            return _closed(block, part.cache, part.extras, own)
        case ServerToolResult() | Opaque():
            return part.raw
        case _:
            raise AssertionError(f"{type(part).__name__} has no block here and must be replaced before")


def tool_input(call: ToolCall) -> tuple[Raw | Json, bool]:
    """Arguments as the object that `input` must be, and whether they are carried as they are.

    Free text of a custom tool goes under `input`; what is not a JSON object, because it was cut short, goes under
    `raw_arguments`, so that it is neither lost nor mistaken for arguments.
    """
    text = call.arguments.strip()
    if call.kind == "custom":
        return {"input": call.arguments}, True
    if not text or text == "null":
        return EMPTY_OBJECT, True
    encoded = text.encode("utf-8", "replace")
    try:
        _OBJECT.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"raw_arguments": call.arguments}, False
    return Raw(encoded), True


def free_text(arguments: str) -> str:
    """The text that `tool_input` wrapped for a custom tool; what is wrapped otherwise stays as it is."""
    if arguments == "{}":
        return ""
    try:
        return _FREE_TEXT.decode(arguments).input
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return arguments


def cache_control(cache: CacheHint, own: bool) -> Json:
    """A cache breakpoint as it is written."""
    control: Json = {"type": "ephemeral"}
    if own:
        control |= cache.extras
    if cache.ttl is not None:
        control["ttl"] = cache.ttl
    return control


def _closed(block: Json, cache: CacheHint | None, extras: Extras, own: bool) -> Json:
    if cache is not None:
        block["cache_control"] = cache_control(cache, own)
    return {**extras, **block} if own and extras else block


def _text(part: Text, own: bool) -> Json:
    block: Json = {"type": "text", "text": part.text}
    if part.citations and own:
        block["citations"] = [citation.raw for citation in part.citations]
    return _closed(block, part.cache, part.extras, own)


def _thinking(part: Thinking, own: bool) -> Json:
    block: Json
    if part.signed is not None and part.signed.kind == REDACTED:
        block = {"type": "redacted_thinking", "data": part.signed.blob}
    else:
        block = {"type": "thinking", "thinking": part.text}
        if part.signed is not None:
            block["signature"] = part.signed.blob
        elif not own:
            block["signature"] = ""  # the member is required; an empty one claims nothing
    return _closed(block, None, part.extras, own)


def _result(part: ToolResult, own: bool) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": part.call_id}
    if part.plain and len(part.content) == 1 and isinstance(part.content[0], Text):
        block["content"] = part.content[0].text
    elif part.content:
        block["content"] = [render_part(inner, own=own) for inner in part.content]
    if part.is_error is not None:
        block["is_error"] = part.is_error
    return _closed(block, part.cache, part.extras, own)


def _source_out(source: Source, own: bool) -> Json:
    written: Json
    match source:
        case Base64():
            written = {"type": "base64", "media_type": source.media_type, "data": source.data}
        case Url():
            written = {"type": "url", "url": source.url}
        case FileId():
            written = {"type": "file", "file_id": source.id}
        case InlineText():
            written = {"type": "text", "media_type": source.media_type, "data": source.text}
    return {**source.extras, **written} if own and source.extras else written
