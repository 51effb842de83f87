"""A plain reading of OpenAI Responses answers, written from the vendor's documentation and not from our codec.

It knows what servers of this dialect are recorded to do: an empty `output` in the last event, items that are told only
when they are done, thinking as a summary or as `reasoning_text`, `[DONE]` at the end, ids that change in every event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.conformance import sse
from tests.conformance.reading import Ending, Piece, Reading, Tokens, joined

_LAST: dict[str, Ending] = {
    "response.completed": "whole",
    "response.incomplete": "whole",
    "response.failed": "error",
    "error": "error",
}
_BETWEEN = "\n\n"
"""Between the parts of one summary: they are paragraphs."""
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items that ask the client to run one of its tools, and where their arguments stand."""
_WITHOUT_NAME = {"tool_search_call": ("tool_search", "arguments"), "apply_patch_call": ("apply_patch", "operation")}
"""Items that ask the client to do what OpenAI has defined, and where it is said what."""


def stream(body: bytes) -> Reading:
    """An answer in events. What was said by deltas counts; items that had none say it when they are done."""
    grown: dict[int, dict[tuple[str, int], str]] = {}
    items: dict[int, dict[str, Any]] = {}
    last: dict[str, Any] = {}
    ending: Ending = "cut"
    for event in sse.documents(body):
        kind = event.get("type") if isinstance(event, dict) else None
        index = event.get("output_index", 0) if isinstance(event, dict) else 0
        match kind:
            case "response.output_item.added" | "response.output_item.done":
                # what an item was at first still holds where its end says less
                items[index] = {**items.get(index, {}), **(event.get("item") or {})}
            case "response.output_text.delta" | "response.refusal.delta" | "response.reasoning_text.delta":
                _grow(grown, index, (kind.split(".")[1], event.get("content_index", 0)), event["delta"])
            case "response.reasoning_summary_text.delta":
                _grow(grown, index, ("summary", event.get("summary_index", 0)), event["delta"])
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                _grow(grown, index, ("arguments", 0), event["delta"])
            case None if isinstance(event, dict) and "error" in event:
                ending = "error"
                break
            case _ if kind in _LAST:
                ending, last = _LAST[kind], event.get("response") or {}
                break
    told = items or dict(enumerate(last.get("output") or ()))
    pieces = [piece for index in sorted(told) for piece in said(told[index], grown.get(index, {}))]
    refused = any(_refused(item) for item in told.values()) or any(
        key[0] == "refusal" for g in grown.values() for key in g
    )
    return Reading(joined(pieces), stop(last), tokens(last.get("usage") or {}), ending, refused)


def whole(body: Any) -> Reading:
    """An answer in one piece."""
    if body.get("error") or body.get("status") in {"failed", "cancelled", "queued", "in_progress"}:
        return Reading((), None, Tokens(), "error")
    output = body["output"]
    pieces = [piece for item in output for piece in said(item)]
    refused = any(_refused(item) for item in output)
    return Reading(joined(pieces), stop(body), tokens(body.get("usage") or {}), "whole", refused)


def tokens(usage: dict[str, Any]) -> Tokens:
    """The prompt's count includes what was cached."""
    details = usage.get("input_tokens_details") or {}
    read, write = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    return Tokens(usage.get("input_tokens"), usage.get("output_tokens"), read, write)


def named(item: dict[str, Any]) -> str:
    """A call's name; that of a tool in a namespace has both. A tool that was found alone is a namespace to itself."""
    space, name = item.get("namespace"), item.get("name") or ""
    return f"{space}.{name}" if space and space != name else name


def _grow(grown: dict[int, dict[tuple[str, int], str]], index: int, key: tuple[str, int], delta: str) -> None:
    texts = grown.setdefault(index, {})
    texts[key] = texts.get(key, "") + delta


def said(item: dict[str, Any], grown: Mapping[tuple[str, int], str] = MappingProxyType({})) -> list[Piece]:
    """What an item says: by its deltas, or by itself where there were none."""
    match item.get("type"):
        case "message":
            texts = [text for (kind, _), text in sorted(grown.items()) if kind in {"output_text", "refusal"}]
            if not texts:
                texts = [part.get("text") or part.get("refusal") or "" for part in item.get("content") or ()]
            return [Piece("text", text) for text in texts]
        case "reasoning":
            return [Piece("thinking", _thought(item, grown))]
        case kind if kind in CALLS:
            arguments = grown.get(("arguments", 0)) or item.get(CALLS[kind]) or ""
            return [
                Piece("call", id=item.get("call_id") or item.get("id") or "", name=named(item), arguments=arguments)
            ]
        case kind if kind in _WITHOUT_NAME and item.get("execution") != "server":
            name, member = _WITHOUT_NAME[kind]
            return [Piece("call", id=item.get("call_id") or "", name=name, arguments=json.dumps(item.get(member)))]
        case _:
            return []


def _thought(item: dict[str, Any], grown: Mapping[tuple[str, int], str]) -> str:
    """Thinking is told as it was, or as a summary of it; where both are there, it is one of them."""
    for kind, member in (("summary", "summary"), ("reasoning_text", "content")):
        texts = [text for (key, _), text in sorted(grown.items()) if key == kind]
        texts = texts or [part.get("text") or "" for part in item.get(member) or ()]
        if any(texts):
            return (_BETWEEN if kind == "summary" else "").join(texts)
    return ""


def _refused(item: dict[str, Any]) -> bool:
    return any(part.get("type") == "refusal" for part in item.get("content") or () if item.get("type") == "message")


def stop(response: dict[str, Any]) -> str | None:
    """The reason for which an answer is incomplete, or that it is not."""
    status = response.get("status")
    if status == "incomplete":
        return str((response.get("incomplete_details") or {}).get("reason") or status)
    return "completed" if status == "complete" else status
