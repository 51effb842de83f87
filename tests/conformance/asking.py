"""A plain reading of requests: what they say, and where it stands. Written from the vendors' documentation."""

from __future__ import annotations

import json
from typing import Any, Literal

from msgspec import Struct

from tests.conformance.reading import parsed

Kind = Literal["text", "image", "call", "result", "tool"]


class Item(Struct, frozen=True):
    """Something a request says. `path` is where; `value` the text, the tool's or call's name, or where a picture is.

    `arguments` are a call's; `spoken` tells text of the user or the model, whose order counts.
    """

    kind: Kind
    path: str
    value: str
    arguments: Any = None
    spoken: bool = False


def said(dialect: str, body: Any) -> list[Item]:
    """Everything in a request that a model would read, in order."""
    return _anthropic(body) if dialect == "anthropic" else _chat(body)


def of(items: list[Item], kind: Kind) -> list[Item]:
    """The items of a kind."""
    return [item for item in items if item.kind == kind]


# ---- Anthropic ----


def _anthropic(body: Any) -> list[Item]:
    found = _texts(body.get("system"), "system", spoken=False)
    for i, message in enumerate(body["messages"]):
        path = f"messages[{i}].content"
        spoken = message["role"] != "system"
        if isinstance(message["content"], str):
            found.append(Item("text", path, message["content"], spoken=spoken))
            continue
        for j, block in enumerate(message["content"]):
            found += _block(block, f"{path}[{j}]", spoken=spoken)
    found += [Item("tool", f"tools[{i}]", tool.get("name") or "") for i, tool in enumerate(body.get("tools") or ())]
    return found


def _texts(content: Any, path: str, *, spoken: bool) -> list[Item]:
    if isinstance(content, str):
        return [Item("text", path, content, spoken=spoken)]
    return [
        Item("text", f"{path}[{i}]", part["text"], spoken=spoken)
        for i, part in enumerate(content or ())
        if part.get("type") == "text"
    ]


def _block(block: dict[str, Any], path: str, *, spoken: bool) -> list[Item]:
    match block["type"]:
        case "text":
            return [Item("text", path, block["text"], spoken=spoken)]
        case "image":
            source = block["source"]
            return [Item("image", path, source.get("data") or source.get("url") or source.get("file_id") or "")]
        case "tool_use":
            return [Item("call", path, block["name"], block["input"])]
        case "tool_result":
            return _result(block.get("content"), path)
        case _:
            return []


def _result(content: Any, path: str) -> list[Item]:
    if isinstance(content, str):
        return [Item("result", path, content)]
    found = []
    for i, part in enumerate(content or ()):
        if part.get("type") == "text":
            found.append(Item("result", f"{path}.content[{i}]", part["text"]))
        elif part.get("type") == "image":
            found += _block(part, f"{path}.content[{i}]", spoken=False)
    return found


# ---- Chat ----


def _chat(body: Any) -> list[Item]:
    found: list[Item] = []
    for i, message in enumerate(body["messages"]):
        found += _message(message, f"messages[{i}]")
    for member in ("tools", "functions"):
        for i, tool in enumerate(body.get(member) or ()):
            inner = tool.get("function") or tool.get("custom") or tool
            found.append(Item("tool", f"{member}[{i}]", inner.get("name") or ""))
    return found


def _message(message: dict[str, Any], path: str) -> list[Item]:
    role, content = message["role"], message.get("content")
    kind: Kind = "result" if role in {"tool", "function"} else "text"
    spoken = role in {"user", "assistant"}
    found = []
    if isinstance(content, str):
        found.append(Item(kind, path, content, spoken=spoken))
    for j, part in enumerate(content if isinstance(content, list) else ()):
        at = f"{path}.content[{j}]"
        if part.get("type") in {"text", "refusal"}:
            found.append(Item(kind, at, part.get("text") or part.get("refusal") or "", spoken=spoken))
        elif part.get("type") == "image_url":
            image = part["image_url"]
            found.append(Item("image", at, _picture(image if isinstance(image, str) else image["url"])))
    if message.get("refusal"):
        found.append(Item("text", path, message["refusal"], spoken=spoken))
    for j, call in enumerate(message.get("tool_calls") or ()):
        inner = call.get("function") or call.get("custom") or {}
        found.append(Item("call", f"{path}.tool_calls[{j}]", inner.get("name") or "", _arguments(inner)))
    if message.get("function_call"):
        legacy = message["function_call"]
        found.append(Item("call", f"{path}.function_call", legacy["name"], _arguments(legacy)))
    return found


def _arguments(inner: dict[str, Any]) -> Any:
    given = inner.get("arguments", inner.get("input"))
    return parsed(given) if isinstance(given, str) else given or {}


def _picture(url: str) -> str:
    """Inline bytes, or the address."""
    return url.partition(";base64,")[2] or url


def compact(value: Any) -> str:
    """A value as text, to compare."""
    return json.dumps(value, sort_keys=True)
