"""A plain reading of Chat Completions answers, written from the vendors' documentation and not from our codec.

It knows the spellings that providers are recorded to use: thinking as `reasoning_content`, `reasoning`,
`reasoning_details` or between `<think>` tags, content as a string or as parts, arguments as a text or as an object.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.conformance import sse
from tests.conformance.reading import Ending, Piece, Reading, Tokens, joined

_THINK = re.compile(r"\s*<think>(.*?)(</think>\s*|\Z)", re.DOTALL)


def stream(body: bytes) -> Reading:
    """An answer in chunks; its first choice."""
    pieces: list[Piece] = []
    calls: dict[Any, int] = {}
    usage: dict[str, Any] = {}
    stop: str | None = None
    refused = stopped_at = False
    ending: Ending = "whole" if any(event.data.strip() == "[DONE]" for event in sse.events(body)) else "cut"
    for chunk in sse.documents(body):
        if not isinstance(chunk, dict):
            continue
        if chunk.get("error") or (chunk.get("type") == "error" and not chunk.get("choices")):
            ending = "error"
            break
        usage |= chunk.get("usage") or {}
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue
            usage |= choice.get("usage") or {}
            stop = stop or choice.get("finish_reason")
            stopped_at = stopped_at or _stopped_at(choice)
            delta = choice.get("delta") or choice.get("message") or {}
            refused = refused or bool(delta.get("refusal"))
            for piece, key in _said(delta):
                if key is not None and key in calls:
                    pieces[calls[key]] = _longer(pieces[calls[key]], piece)
                    continue
                if key is not None:
                    calls[key] = len(pieces)
                pieces.append(piece)
    if ending == "cut" and stop:
        ending = "whole"
    return Reading(_think(joined(pieces)), stop, tokens(usage), ending, refused, stopped_at)


def whole(body: Any) -> Reading:
    """An answer in one piece; its first choice."""
    if not body.get("choices"):
        return Reading((), None, Tokens(), "error")
    choice = body["choices"][0]
    message = choice.get("message") or {}
    pieces = _think(joined(piece for piece, _ in _said(message)))
    usage = tokens({**(body.get("usage") or {}), **(choice.get("usage") or {})})
    refused, stopped_at = bool(message.get("refusal")), _stopped_at(choice)
    return Reading(pieces, choice.get("finish_reason"), usage, "whole", refused, stopped_at)


def tokens(usage: dict[str, Any]) -> Tokens:
    """The prompt's count includes what was cached."""
    details = usage.get("prompt_tokens_details") or {}
    read = details.get("cached_tokens")
    if read is None:
        read = usage.get("prompt_cache_hit_tokens")
    if read is None:
        read = usage.get("cached_tokens")
    if read is None:
        read = usage.get("num_cached_tokens", usage.get("cache_read_input_tokens"))
    write = details.get("cache_write_tokens")
    if write is None:
        write = usage.get("cache_creation_input_tokens")
    return Tokens(usage.get("prompt_tokens"), usage.get("completion_tokens"), read or 0, write or 0)


def _stopped_at(choice: dict[str, Any]) -> bool:
    """vLLM and SGLang name the stop sequence that was met."""
    return any(isinstance(choice.get(member), str) for member in ("stop_reason", "matched_stop"))


def _said(message: dict[str, Any]) -> list[tuple[Piece, Any]]:
    """What one message or delta says, and for calls the key that tells them apart."""
    found: list[tuple[Piece, Any]] = [(Piece("thinking", _thinking(message)), None)]
    found += [(piece, None) for piece in _content(message.get("content"))]
    found.append((Piece("text", message.get("refusal") or ""), None))
    for position, call in enumerate(message.get("tool_calls") or ()):
        inner = call.get("function") or call.get("custom") or {}
        arguments = inner.get("arguments", inner.get("input"))
        written = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
        piece = Piece("call", id=call.get("id") or "", name=inner.get("name") or "", arguments=written)
        found.append((piece, call["index"] if isinstance(call.get("index"), int) else call.get("id") or position))
    legacy = message.get("function_call")
    if legacy:
        found.append((Piece("call", name=legacy.get("name") or "", arguments=legacy.get("arguments") or ""), "legacy"))
    return found


def _thinking(message: dict[str, Any]) -> str:
    for member in ("reasoning_content", "reasoning"):
        if isinstance(message.get(member), str) and message[member]:
            return str(message[member])
    details = message.get("reasoning_details")
    if not isinstance(details, list):
        return ""
    return "".join(detail.get("text") or detail.get("summary") or "" for detail in details)


def _content(content: Any) -> list[Piece]:
    if isinstance(content, str):
        return [Piece("text", content)]
    if isinstance(content, dict):  # structured output, not even quoted
        return [Piece("text", json.dumps(content, ensure_ascii=False, separators=(",", ":")))]
    found = []
    for part in content if isinstance(content, list) else ():
        if part.get("type") == "thinking":
            found += [Piece("thinking", inner.get("text") or "") for inner in part.get("thinking") or ()]
        elif part.get("type") == "text":
            found.append(Piece("text", part.get("text") or ""))
    return found


def _longer(call: Piece, more: Piece) -> Piece:
    return Piece("call", id=call.id or more.id, name=call.name or more.name, arguments=call.arguments + more.arguments)


def _think(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Thinking that opens the text between tags, told apart from it; the space behind it belongs to neither."""
    first = next((index for index, piece in enumerate(pieces) if piece.kind == "text"), None)
    if first is None or not (tagged := _THINK.match(pieces[first].text)):
        return pieces
    rest = pieces[first].text[tagged.end() :]
    return joined((*pieces[:first], Piece("thinking", tagged[1]), Piece("text", rest), *pieces[first + 1 :]))
