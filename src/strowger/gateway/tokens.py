"""Counting tokens before a call: asked of the provider where it counts, else estimated here, and said so.

The estimate uses a local tokenizer (o200k) that needs no download. Other vendors' tokenizers differ by some tens of
percent, so the answer carries a header that tells an estimate from a count. Only text is tokenized; pictures count a
flat sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Protocol

import anyio.to_thread
from msgspec import Raw

from strowger.ir.request import (
    Audio,
    Base64,
    CustomTool,
    Document,
    FunctionTool,
    HostedTool,
    Image,
    InlineText,
    Opaque,
    Part,
    Refusal,
    Request,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolReference,
    ToolResult,
    plain_tools,
)

ESTIMATE_HEADER = ("x-strowger-estimate", "o200k_base")

# Anthropic documents (width × height) / 750 tokens for a picture, about 1,600 for the largest that is not scaled down.
_IMAGE_TOKENS = 1500
# A page of a PDF is both text and picture to a model; a page is taken as 100 kB of base64.
_DOCUMENT_BYTES_PER_PAGE = 100_000
_PAGE_TOKENS = 2000
_AUDIO_TOKENS = 500
# Role marks and separators around each message and each tool.
_MESSAGE_OVERHEAD = 4
_TOOL_OVERHEAD = 8


class _Tokenizer(Protocol):
    def count(self, text: str) -> int: ...


@cache
def _tokenizer() -> _Tokenizer:
    """Loaded at the first count: it takes a tenth of a second and some megabytes, and most gateways never count."""
    tokenizer: _Tokenizer
    try:
        from rs_bpe.bpe import openai

        tokenizer = openai.o200k_base()
    except ImportError:  # no wheels for Python 3.14 and later; this one builds tables for a second at its import
        from bpe_openai import _bindings

        tokenizer = _bindings.tokenizer_for_encoding("o200k_base")
    return tokenizer


async def estimate(request: Request) -> int:
    """Tokens of the prompt, estimated off the event loop."""
    return await anyio.to_thread.run_sync(count, request)


def count(request: Request) -> int:
    """Tokens of the prompt: system, messages and tools."""
    pieces: list[str] = []
    flat = 0
    for block in request.system:
        if isinstance(block, Text):
            pieces.append(block.text)
    for message in request.messages:
        flat += _MESSAGE_OVERHEAD
        for part in message.parts:
            flat += _collect(part, pieces)
    for tool in plain_tools(request):
        flat += _TOOL_OVERHEAD
        pieces.extend(_tool_texts(tool))
    if request.output is not None and request.output.schema is not None:
        pieces.append(_text(bytes(request.output.schema)))
    text = "\n".join(piece for piece in pieces if piece)
    # lone surrogates cannot be encoded; one character more or less is nothing here
    return flat + int(_tokenizer().count(text.encode("utf-8", "replace").decode()))


def _tool_texts(tool: Tool) -> Iterator[str]:
    if isinstance(tool, FunctionTool) and tool.deferred:
        return
    yield tool.name
    if not isinstance(tool, HostedTool):
        yield tool.description or ""
    if (raw := _definition(tool)) is not None:
        yield _text(bytes(raw))


def _definition(tool: Tool) -> Raw | None:
    match tool:
        case FunctionTool():
            return tool.parameters
        case CustomTool():
            return tool.format
        case HostedTool():
            return tool.raw


def _collect(part: Part, pieces: list[str]) -> int:
    """Append the part's texts; give the flat sum for what is not text."""
    match part:
        case Text() | Thinking() | Refusal():
            pieces.append(part.text)
        case ToolCall() | ServerToolCall():
            pieces.append(part.name)
            pieces.append(part.arguments)
        case ToolResult():
            return sum(_collect(inner, pieces) for inner in part.content)
        case ToolReference():
            pieces.append(part.name)
        case Image():
            return _IMAGE_TOKENS
        case Audio():
            return _AUDIO_TOKENS
        case Document():
            return _document(part, pieces)
        case Opaque() | ServerToolResult():
            pieces.append(_text(bytes(part.raw)))
    return 0


def _document(part: Document, pieces: list[str]) -> int:
    match part.source:
        case InlineText():
            pieces.append(part.source.text)
            return 0
        case Base64():
            return _PAGE_TOKENS * (1 + len(part.source.data) // _DOCUMENT_BYTES_PER_PAGE)
        case _:
            return _PAGE_TOKENS


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
