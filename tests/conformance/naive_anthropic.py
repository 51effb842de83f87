"""A plain reading of Anthropic Messages answers, written from the vendor's documentation and not from our codec."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance import sse
from tests.conformance.reading import Ending, Piece, Reading, Tokens, joined


def stream(body: bytes) -> Reading:
    """An answer in events."""
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    stop: str | None = None
    ending: Ending = "cut"
    for event in sse.documents(body):
        match event.get("type"):
            case "message_start":
                usage |= event["message"].get("usage") or {}
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                _grow(blocks[event["index"]], event["delta"])
            case "message_delta":
                stop = event["delta"].get("stop_reason") or stop
                usage |= {key: value for key, value in (event.get("usage") or {}).items() if value is not None}
                ending = "whole" if stop and ending == "cut" else ending
            case "message_stop":
                ending = "whole"
            case "error":
                ending = "error"
                break
            case None if "error" in event:
                ending = "error"
                break
    return Reading(joined(_pieces(list(blocks.values()))), stop, tokens(usage), ending)


def whole(body: Any) -> Reading:
    """An answer in one piece."""
    if body.get("type") == "error":
        return Reading((), None, Tokens(), "error")
    return Reading(joined(_pieces(body["content"])), body.get("stop_reason"), tokens(body.get("usage") or {}))


def tokens(usage: dict[str, Any]) -> Tokens:
    """Anthropic counts cached tokens apart from the others."""
    read, write = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    plain = usage.get("input_tokens")
    return Tokens(None if plain is None else plain + read + write, usage.get("output_tokens"), read, write)


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]


def _pieces(blocks: list[dict[str, Any]]) -> list[Piece]:
    found = []
    for block in blocks:
        match block["type"]:
            case "text":
                found.append(Piece("text", block["text"]))
            case "thinking":
                found.append(Piece("thinking", block["thinking"]))
            case "tool_use":
                arguments = block.get("json") or json.dumps(block["input"], ensure_ascii=False)
                found.append(Piece("call", id=block["id"], name=block["name"], arguments=arguments))
    return found
