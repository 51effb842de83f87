"""What was said in a call, as people read it: who spoke, text, thoughts, tool calls and their results, in any dialect.

Pure: bodies in, turns out. A body that its dialect cannot read gives None.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from strowger.dialects.base import NOWHERE, DecoderSetup, Dialect, Spot
from strowger.errors import GatewayError
from strowger.flows.pretty import is_stream, lines_of
from strowger.ir.events import Event, Failure, Finish, PartStart, PartStop, Start, StopReason
from strowger.ir.request import (
    Audio,
    Base64,
    CustomTool,
    Document,
    FileId,
    FunctionTool,
    HostedTool,
    Image,
    InlineText,
    Part,
    Refusal,
    Request,
    ServerToolCall,
    ServerToolResult,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
    plain_tools,
)
from strowger.ir.response import Folder

FAILED = "it failed"
"""The title of the piece that says why an answer has no end."""


class Piece(Struct, frozen=True):
    """A part of what was said. `kind` is text, thinking, call, result, media or other; `title` says more of it."""

    kind: str
    text: str
    title: str = ""


class Turn(Struct, frozen=True):
    """What one side said."""

    role: str
    pieces: tuple[Piece, ...]


class Transcript(Struct, frozen=True):
    """A request as it is read: `tools` are names with their descriptions."""

    turns: tuple[Turn, ...]
    tools: tuple[tuple[str, str], ...]


def asked(dialect: Dialect, body: bytes, spot: Spot = NOWHERE) -> Transcript | None:
    """What a request says, the system's words first."""
    try:
        request = dialect.client.parse_request(body, spot)
    except (GatewayError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Transcript(tuple(_turns(request)), tuple(_tools(request)))


def answered(dialect: Dialect, body: bytes) -> Turn | None:
    """What an answer says; of one that was cut short or failed, what there is of it, and why it ended."""
    numbers = itertools.count()
    setup = DecoderSetup(origin=dialect.name, new_id=lambda prefix: f"{prefix}{next(numbers)}")
    try:
        if is_stream(body):
            decoder = dialect.upstream.decoder(setup)
            events = [*decoder.feed(body), *decoder.close()]
        else:
            events = dialect.upstream.decode_response(body, setup)
    except (GatewayError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    parts, failure = _folded(events)
    pieces = tuple(_pieces(parts))
    if failure is not None:
        pieces = (*pieces, Piece("other", failure.message, FAILED))
    return Turn("assistant", pieces)


def _folded(events: Iterable[Event]) -> tuple[tuple[Part, ...], Failure | None]:
    """The parts of an answer, also of one that did not end."""
    folder = Folder()
    opened = False
    failure = None
    folder.add(Start("", "", ""))
    for event in events:
        if isinstance(event, Failure):
            failure = event
            continue
        opened = isinstance(event, PartStart) or (opened and not isinstance(event, PartStop))
        folder.add(event)
    if opened:
        folder.add(PartStop(0))
    folder.add(Finish(StopReason.END))
    return folder.response().parts, failure


def _turns(request: Request) -> Iterator[Turn]:
    if request.system:
        yield Turn("system", tuple(_pieces(request.system)))
    for message in request.messages:
        yield Turn(message.role, tuple(_pieces(message.parts)))


def _tools(request: Request) -> Iterator[tuple[str, str]]:
    for tool in plain_tools(request):
        match tool:
            case FunctionTool() | CustomTool():
                yield tool.name, tool.description or ""
            case HostedTool():
                yield tool.name, f"the vendor's own: {tool.type}"


def _pieces(parts: Iterable[Part]) -> Iterator[Piece]:
    for part in parts:
        match part:
            case Text():
                yield Piece("text", part.text)
            case Thinking():
                yield Piece("thinking", part.text or "(not shown)")
            case Refusal():
                yield Piece("text", part.text, "refusal")
            case ToolCall() | ServerToolCall():
                yield Piece("call", _laid_out(part.arguments), part.name)
            case ToolResult():
                yield _result(part)
            case ServerToolResult():
                text = part.error or part.output or "\n".join(f"{page.title} {page.url}" for page in part.found)
                yield Piece("result", text, part.name or part.kind)
            case Image():
                yield Piece("media", _described(part.source), "image")
            case Document():
                yield Piece("media", _described(part.source), part.title or "document")
            case Audio():
                yield Piece("media", f"{len(part.data):,} signs of base64", f"sound, {part.format}")
            case ToolReference():
                yield Piece("other", part.name, "a tool is loaded")
            case _:
                yield Piece("other", "\n".join(lines_of(bytes(part.raw))), part.kind)


def _result(part: ToolResult) -> Piece:
    texts = [
        piece.text if piece.kind == "text" else f"[{piece.title}: {piece.text}]" for piece in _pieces(part.content)
    ]
    return Piece("result", "\n".join(texts), f"{part.name or part.call_id}{', an error' if part.is_error else ''}")


def _laid_out(arguments: str) -> str:
    """JSON with a member on each line where it is JSON."""
    try:
        return msgspec.json.format(arguments, indent=2)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return arguments


def _described(source: Source) -> str:
    match source:
        case Base64():
            return f"{source.media_type or 'of some kind'}, {len(source.data) * 3 // 4:,} bytes"
        case Url():
            return source.url
        case FileId():
            return f"the provider's file {source.id}"
        case InlineText():
            return source.text
