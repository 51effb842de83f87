"""What was said in a call, in the form that the conventions for generative AI give to it. For who asked for that.

Pure: the bodies of a request and of an answer in, attributes out. What cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from strowger.dialects.base import DecoderSetup, Dialect, Spot
from strowger.errors import GatewayError
from strowger.ir.request import (
    CustomTool,
    FunctionTool,
    Message,
    Opaque,
    Part,
    Refusal,
    Request,
    ServerToolCall,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    plain_tools,
)
from strowger.ir.response import IncompleteError, Response, fold

_UNREADABLE = (GatewayError, IncompleteError, msgspec.MsgspecError, ValueError, LookupError, RecursionError)


def asked(dialect: Dialect, body: bytes, spot: Spot) -> dict[str, str]:
    """What a client asked."""
    with suppress(*_UNREADABLE):
        return _of_request(dialect.client.parse_request(body, spot))
    return {}


def answered(dialect: Dialect, body: bytes, finish: str) -> dict[str, str]:
    """What an upstream answered, as a stream or whole. `finish` is why it stopped."""
    setup = DecoderSetup(dialect.name, lambda prefix: prefix + "0")
    with suppress(*_UNREADABLE):
        if body.lstrip()[:1] in (b"{", b"["):
            return _of_response(fold(dialect.upstream.decode_response(body, setup)), finish)
        decoder = dialect.upstream.decoder(setup)
        return _of_response(fold([*decoder.feed(body), *decoder.close()]), finish)
    return {}


def _of_request(request: Request) -> dict[str, str]:
    system = [_text(part.text) for part in request.system if isinstance(part, Text)]
    tools = [_tool(tool) for tool in plain_tools(request) if isinstance(tool, FunctionTool | CustomTool)]
    found = {
        "gen_ai.system_instructions": system,
        "gen_ai.input.messages": [_message(message) for message in request.messages],
        "gen_ai.tool.definitions": tools,
    }
    return {name: _json(value) for name, value in found.items() if value}


def _of_response(response: Response, finish: str) -> dict[str, str]:
    message = {"role": "assistant", "parts": _parts(response.parts), "finish_reason": finish}
    return {"gen_ai.output.messages": _json([message])}


def _message(message: Message) -> dict[str, object]:
    role = "tool" if message.parts and all(isinstance(part, ToolResult) for part in message.parts) else message.role
    return {"role": role, "parts": _parts(message.parts)}


def _parts(parts: Iterable[Part]) -> list[dict[str, object]]:
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, object]:
    match part:
        case Text() | Refusal():
            return _text(part.text)
        case Thinking():
            return {"type": "reasoning", "content": part.text}
        case ToolCall() | ServerToolCall():
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": _arguments(part.arguments)}
        case ToolResult():
            texts = [each.text for each in part.content if isinstance(each, Text)]
            return {"type": "tool_call_response", "id": part.call_id, "response": "\n".join(texts)}
        case Opaque():
            return {"type": part.kind}
        case _:  # images and documents: that there was one, not all its bytes
            return {"type": type(part).__name__.lower()}


def _text(text: str) -> dict[str, object]:
    return {"type": "text", "content": text}


def _arguments(text: str) -> object:
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.json.decode(text)))
    except msgspec.DecodeError:
        return text


def _tool(tool: FunctionTool | CustomTool) -> dict[str, Any]:
    found = {"type": "function", "name": tool.name, "description": tool.description}
    if isinstance(tool, FunctionTool) and tool.parameters is not None:
        return {**found, "parameters": tool.parameters}
    return found


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode("utf-8", "replace")
