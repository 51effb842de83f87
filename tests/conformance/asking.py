"""A plain reading of requests: what they say, and where it stands. Written from the vendors' documentation."""

from __future__ import annotations

import json
from typing import Any, Literal

from msgspec import Struct

from tests.conformance.naive_gemini import camel
from tests.conformance.naive_responses import named
from tests.conformance.reading import parsed

Kind = Literal["text", "image", "call", "result", "tool", "hosted"]


class Item(Struct, frozen=True):
    """Something a request says. `path` is where; `value` the text, the tool's or call's name, or where a picture is.
    `hosted` are tools that run at the vendor, by what they do; `id` is that of a call, or of the call that a result
    answers.

    `arguments` are a call's; `spoken` tells text of the user or the model, whose order counts.
    """

    kind: Kind
    path: str
    value: str
    arguments: Any = None
    spoken: bool = False
    id: str = ""


def said(dialect: str, body: Any) -> list[Item]:
    """Everything in a request that a model would read, in order."""
    return _SAID[dialect](body)


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
    for i, tool in enumerate(body.get("tools") or ()):
        kind: Kind = "hosted" if str(tool.get("type")).startswith(_HOSTED) else "tool"
        found.append(Item(kind, f"tools[{i}]", tool.get("name") or ""))
    return found


_HOSTED = ("web_search", "web_fetch", "code_execution", "tool_search", "mcp_toolset")


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
            return [Item("call", path, block["name"], block["input"], id=block["id"])]
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
            offered: Kind = "tool" if tool.get("type", "function") in {"function", "custom"} else "hosted"
            found.append(Item(offered, f"{member}[{i}]", inner.get("name") or str(tool.get("type"))))
    if body.get("web_search_options") is not None:
        found.append(Item("hosted", "web_search_options", "web_search"))
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
        made = Item(
            "call", f"{path}.tool_calls[{j}]", inner.get("name") or "", _arguments(inner), id=call.get("id") or ""
        )
        found.append(made)
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


# ---- Responses ----


def _responses(body: Any) -> list[Item]:
    found = [Item("text", "instructions", body["instructions"])] if isinstance(body.get("instructions"), str) else []
    given = body.get("input")
    if isinstance(given, str):
        found.append(Item("text", "input", given, spoken=True))
    for i, item in enumerate(given if isinstance(given, list) else ()):
        found += _item(item, f"input[{i}]")
    for i, tool in enumerate(body.get("tools") or ()):
        found += _offered(tool, f"tools[{i}]")
    return found


def _item(item: dict[str, Any], path: str) -> list[Item]:
    match item.get("type") or "message":
        case "message":
            spoken = item.get("role") in {"user", "assistant"}
            return _content(item.get("content"), f"{path}.content", "text", spoken=spoken)
        case "function_call" | "custom_tool_call":
            return [Item("call", path, named(item), _arguments(item), id=item.get("call_id") or "")]
        case "function_call_output" | "custom_tool_call_output":
            return _content(item.get("output"), f"{path}.output", "result", spoken=False)
        case "additional_tools":
            tools = enumerate(item.get("tools") or ())
            return [offered for i, tool in tools for offered in _offered(tool, f"{path}.tools[{i}]")]
        case _:
            return []


def _content(content: Any, path: str, kind: Kind, *, spoken: bool) -> list[Item]:
    if isinstance(content, str):
        return [Item(kind, path, content, spoken=spoken)]
    found = []
    for i, part in enumerate(content or ()):
        at = f"{path}[{i}]"
        if part.get("type") in {"input_text", "output_text", "text", "refusal"}:
            found.append(Item(kind, at, part.get("text") or part.get("refusal") or "", spoken=spoken))
        elif part.get("type") == "input_image":
            found.append(Item("image", at, _picture(part.get("image_url") or "") or part.get("file_id") or ""))
    return found


def _offered(tool: dict[str, Any], path: str) -> list[Item]:
    match tool.get("type"):
        case "function" | "custom":
            return [Item("tool", path, tool.get("name") or "")]
        case "namespace":
            return [
                Item("tool", f"{path}.tools[{i}]", f"{tool['name']}.{t['name']}") for i, t in enumerate(tool["tools"])
            ]
        case kind:
            return [Item("tool" if tool.get("execution") == "client" else "hosted", path, str(kind))]


# ---- Gemini ----


def _gemini(body: Any) -> list[Item]:
    body = camel(body)
    system = body.get("systemInstruction") or {}
    found = _parts([{"text": system}] if isinstance(system, str) else _list(system.get("parts")), "systemInstruction")
    for i, content in enumerate(_list(body.get("contents"))):
        found += _parts(_list(content.get("parts")), f"contents[{i}]", spoken=True)
    for i, tool in enumerate(map(camel, _list(body.get("tools")))):
        for j, function in enumerate(tool.pop("functionDeclarations", None) or ()):
            found.append(Item("tool", f"tools[{i}].functionDeclarations[{j}]", function.get("name") or ""))
        found += [Item("hosted", f"tools[{i}]", kind) for kind, settings in tool.items() if settings is not None]
    return found


def _list(value: Any) -> list[Any]:
    """Protobuf's JSON takes one for many."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _parts(parts: list[Any], path: str, *, spoken: bool = False) -> list[Item]:
    found: list[Item] = []
    for i, part in enumerate(map(camel, parts)):
        at = f"{path}.parts[{i}]"
        if isinstance(part.get("text"), str) and not part.get("thought"):
            found.append(Item("text", at, part["text"], spoken=spoken))
        elif "functionCall" in part:
            call = part["functionCall"]
            found.append(Item("call", at, call.get("name") or "", call.get("args") or {}, id=call.get("id") or ""))
        elif "functionResponse" in part:
            answer = camel(part["functionResponse"])
            found += [Item("result", at, leaf) for leaf in leaves(answer.get("response"))]
            found += _parts(_list(answer.get("parts")), at)
        elif "inlineData" in part or "fileData" in part:
            data = camel(part.get("inlineData") or part.get("fileData"))
            if str(data.get("mimeType")).startswith("image/"):
                found.append(Item("image", at, data.get("data") or data.get("fileUri") or ""))
    return found


def leaves(value: Any) -> list[str]:
    """The strings in a JSON value: what a result says, however it is wrapped."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [leaf for one in inner for leaf in leaves(one)]


def compact(value: Any) -> str:
    """A value as text, to compare."""
    return json.dumps(value, sort_keys=True)


_SAID = {"anthropic": _anthropic, "openai_chat": _chat, "openai_responses": _responses, "gemini": _gemini}
