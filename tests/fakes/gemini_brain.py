"""What FakeGemini answers without a script: the common brain's tool loop, files, and the vendor's own tools.

Markers in the user's text choose: those of brain.py, `RUN_READ <path>` and `RUN_WRITE <path>` for the client's tools
for files, `RUN_SEARCH` and `RUN_CODE` where the request offers the vendor's search or code execution.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tests.fakes import brain
from tests.fakes.gemini_answers import GeminiReply, grounded, image, pixel, ran_code
from tests.fakes.gemini_flavours import Model
from tests.fakes.refusal import Json
from tests.fakes.script import Call, Reply, Say

WRITTEN = "strowger wrote this\n"
_FILES = re.compile(r"RUN_(READ|WRITE)[ :=]+([^\s\"'<>]+)")
_TOOLS = {"READ": ("read_file", "read"), "WRITE": ("write_file", "write")}
_PATHS = ("file_path", "absolute_path", "filePath", "path")


def answer(request: Json, model: Model) -> Reply:
    """What the brain does with a request as protobuf has it."""
    seen = view(request, model)
    if "IMAGE" in request.get("generationConfig", {}).get("responseModalities", ()):
        return GeminiReply(parts=(Say("Here it is."), image(pixel())))
    if seen.results or seen.forced or seen.must_call:
        return brain.answer(seen)
    offered = {name for tool in request.get("tools", ()) for name in tool}
    if "RUN_SEARCH" in seen.text and "googleSearch" in offered:
        return grounded("Strowger built the first exchange.", ("https://example.com/strowger", "example.com"))
    if "RUN_CODE" in seen.text and "codeExecution" in offered:
        return ran_code("print(6 * 7)", "42\n", "The answer is 42.")
    return _file_call(seen) or brain.answer(seen)


def _file_call(seen: brain.View) -> Reply | None:
    asked = _FILES.search(seen.text)
    tool = next((name for name in seen.tools if name.lower() in _TOOLS[asked[1]]), None) if asked else None
    if asked is None or tool is None:
        return None
    arguments: Json = brain.example(seen.tools[tool])
    members = seen.tools[tool].get("properties", {})
    named = next((name for name in _PATHS if name in members), "path")
    arguments[named] = asked[2]
    if "content" in members:
        arguments["content"] = WRITTEN
    return Reply(parts=(Say("I will look at the file."), Call(tool, arguments)))


def view(request: Json, model: Model) -> brain.View:
    """A request as the brain sees it."""
    contents = request["contents"]
    last = max((index for index, content in enumerate(contents) if content.get("role") == "model"), default=-1)
    parts = [part for content in contents[last + 1 :] for part in content["parts"]]
    calling = request.get("toolConfig", {}).get("functionCallingConfig", {})
    mode, allowed = calling.get("mode"), calling.get("allowedFunctionNames", ())
    tools = {
        declared["name"]: _plain(declared.get("parametersJsonSchema") or declared.get("parameters") or {})
        for tool in request.get("tools", ())
        for declared in tool.get("functionDeclarations", ())
        if not allowed or declared["name"] in allowed
    }
    config = request.get("generationConfig", {})
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    return brain.View(
        text="\n".join(part["text"] for part in parts if "text" in part),
        results=tuple(_result(part["functionResponse"]) for part in parts if "functionResponse" in part),
        tools=tools if mode != "NONE" else {},
        forced=allowed[0] if mode == "ANY" and len(allowed) == 1 else None,
        must_call=mode == "ANY",
        schema=_plain(schema) if schema is not None else None,
        thinks=model.thinks and config.get("thinkingConfig", {}).get("thinkingBudget") != 0,
    )


def _result(response: Json) -> str:
    given = response.get("response", {})
    for name in ("output", "result", "content", "error"):
        if isinstance(given.get(name), str):
            return str(given[name])
    return msgspec.json.encode(given).decode()


def _plain(schema: Any) -> Any:
    """A schema with its types in small letters: Gemini has both spellings."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    named = {"properties", "$defs"}
    out: Json = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, str):
            out[name] = value.lower()
        elif name in named and isinstance(value, dict):
            out[name] = {key: _plain(child) for key, child in value.items()}
        else:
            out[name] = value if name in ("enum", "const", "default") else _plain(value)
    return out
