"""A scripted reply as Gemini says it: parts, candidates, chunks of a stream, usage, enums as numbers. No socket.

`GeminiReply` adds to a reply what only this dialect has, and `Native` is a part of its own kinds.
"""

from __future__ import annotations

import base64
import uuid
import zlib
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from tests.fakes.gemini_flavours import Flavour, Model
from tests.fakes.refusal import Json
from tests.fakes.script import Call, Part, Reply, Say, Think, pieces

STOPS = {
    "end": "STOP",
    "tools": "STOP",
    "length": "MAX_TOKENS",
    "refusal": "SAFETY",
    "stop_sequence": "STOP",
    "pause": "STOP",
    "window": "MAX_TOKENS",
}
FINISHES = (
    "STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII MALFORMED_FUNCTION_CALL"
    " IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_OTHER NO_IMAGE IMAGE_RECITATION UNEXPECTED_TOOL_CALL"
    " TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE MODEL_ARMOR"
).split()
_NUMBERS = {
    "finishReason": "STOP 1 MAX_TOKENS 2 SAFETY 3 RECITATION 4 OTHER 5 LANGUAGE 6 BLOCKLIST 7 PROHIBITED_CONTENT 8 SPII"
    " 9 MALFORMED_FUNCTION_CALL 10 IMAGE_SAFETY 11 UNEXPECTED_TOOL_CALL 12 TOO_MANY_TOOL_CALLS 13",
    "blockReason": "SAFETY 1 OTHER 2 BLOCKLIST 3 PROHIBITED_CONTENT 4 IMAGE_SAFETY 5",
    "modality": "TEXT 1 IMAGE 2 VIDEO 3 AUDIO 4 DOCUMENT 5",
    "language": "PYTHON 1",
    "outcome": "OUTCOME_OK 1 OUTCOME_FAILED 2 OUTCOME_DEADLINE_EXCEEDED 3",
    "probability": "NEGLIGIBLE 1 LOW 2 MEDIUM 3 HIGH 4",
    "category": "HARM_CATEGORY_HARASSMENT 7 HARM_CATEGORY_HATE_SPEECH 8 HARM_CATEGORY_SEXUALLY_EXPLICIT 9"
    " HARM_CATEGORY_DANGEROUS_CONTENT 10 HARM_CATEGORY_CIVIC_INTEGRITY 11",
}
# Makes a signature for a part of a model family: family, name of the call or "".
Sign = Callable[[str, str], str]


class Native(Part, frozen=True):
    """A part of Gemini's own kinds (code, its result, an image), as it stands."""

    part: Json


class GeminiReply(Reply, frozen=True):
    """A reply with what only Gemini says.

    `finish`: a finish reason by its name, instead of what `stop` stands for. `block`: the prompt was blocked, so there
    is no candidate. `candidate`: further members of the candidate that ends (groundingMetadata, citationMetadata,
    safetyRatings, finishMessage). `shape`: the candidate has a content without parts, or none. `tool_tokens`: what
    hosted tools put into the prompt. `numbers`: enums as numbers. `together`: parallel calls in one chunk. `signed`:
    where a signature goes although the vendor would not put one there (True), or none although it would (False).
    """

    finish: str = ""
    block: str = ""
    candidate: Json = {}
    shape: Literal["", "no-parts", "no-content"] = ""
    tool_tokens: int = 0
    numbers: bool = False
    together: bool = False
    signed: bool | None = None


class Asked(msgspec.Struct, frozen=True):
    """What of a request decides the form of its answer."""

    model: Model
    flavour: Flavour
    name: str
    thoughts: bool = False
    tools: bool = False
    candidates: int = 1
    numbers: bool = False
    partial: bool = False


def whole(reply: Reply, asked: Asked, sign: Sign) -> Json:
    """The answer in one piece."""
    extra = _extra(reply)
    response: Json = {}
    if extra.block:
        response["promptFeedback"] = {"blockReason": extra.block, "safetyRatings": ratings()}
    else:
        parts = _signed(_parts(reply, asked), reply, asked, sign, streamed=False)
        ended = {"finishReason": _finish(reply, parts), **_finish_message(reply), **extra.candidate}
        content = _content(parts, extra)
        response["candidates"] = [{**content, **ended, "index": index} for index in range(asked.candidates)]
    response["usageMetadata"] = usage(reply, extra)
    return _finished(response, asked, extra, _identifier())


def chunks(reply: Reply, asked: Asked, sign: Sign) -> list[Json]:
    """The answer as a stream: pieces of text, whole calls, then the reason with an empty text, usage in each."""
    extra, identifier = _extra(reply), _identifier()
    if extra.block:
        return [whole(reply, asked, sign)]
    parts = _signed(_parts(reply, asked), reply, asked, sign, streamed=True)
    groups: list[list[Json]] = []
    for part in parts:
        groups += [[piece] for piece in _pieces(part, reply.deltas, partial=asked.partial)]
    if extra.together:
        texts = [group for group in groups if "functionCall" not in group[0]]
        calls = [group[0] for group in groups if "functionCall" in group[0]]
        groups = [*texts, *([calls] if calls else [])]
    if not extra.shape and (not groups or "text" not in groups[-1][0] or groups[-1][0].get("thought")):
        groups.append([{"text": ""}])
    ended = {"finishReason": _finish(reply, parts), **_finish_message(reply), **extra.candidate}
    if extra.shape:
        groups.append([])
    out = []
    for number, group in enumerate(groups, 1):
        last = number == len(groups)
        candidate = {**_content(group, extra), **(ended if last else {}), "index": 0}
        spent = usage(reply, extra, share=number / len(groups))
        chunk: Json = {"candidates": [candidate], "usageMetadata": spent}
        out.append(_finished(chunk, asked, extra, identifier))
    return out


def _extra(reply: Reply) -> GeminiReply:
    return reply if isinstance(reply, GeminiReply) else GeminiReply()


def _identifier() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=") + "0"


def _parts(reply: Reply, asked: Asked) -> list[Json]:
    """The parts of an answer. Thoughts go out only when they were asked for; broken arguments end the answer."""
    out: list[Json] = []
    for part in reply.parts:
        if isinstance(part, Native):
            out.append(dict(part.part))
        elif isinstance(part, Say):
            out.append({"text": part.text})
        elif isinstance(part, Think):
            if asked.thoughts and not part.redacted:
                out.append({"text": part.text, "thought": True})
        elif isinstance(part, Call) and (arguments := _arguments(part)) is not None:
            call: Json = {"name": part.name, "args": arguments}
            if part.id or asked.flavour.ids:
                call["id"] = part.id or uuid.uuid4().hex[:8]
            out.append({"functionCall": call})
    return out


def _arguments(call: Call) -> Json | None:
    if not isinstance(call.arguments, str):
        return call.arguments
    try:
        value = msgspec.json.decode(call.arguments)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, dict) else None


def _signed(parts: list[Json], reply: Reply, asked: Asked, sign: Sign, *, streamed: bool) -> list[Json]:
    """Puts the signature on the first call, else on the last text: on an empty one that ends a stream."""
    extra = _extra(reply)
    family = asked.model.family
    wanted = asked.model.thinks and (asked.model.signs or asked.tools) and bool(parts)
    if not (wanted if extra.signed is None else extra.signed):
        return parts
    call = next((part for part in parts if "functionCall" in part), None)
    if call is not None:
        call["thoughtSignature"] = sign(family, call["functionCall"]["name"])
    elif streamed or not parts or "text" not in parts[-1] or parts[-1].get("thought"):
        return [*parts, {"text": "", "thoughtSignature": sign(family, "")}]
    else:
        parts[-1]["thoughtSignature"] = sign(family, "")
    return parts


def _pieces(part: Json, count: int, *, partial: bool) -> list[Json]:
    if "functionCall" in part:
        return _partial(part) if partial else [part]
    if "text" not in part or not part["text"]:
        return [part]
    rest = {name: value for name, value in part.items() if name not in ("text", "thoughtSignature")}
    cut = [{"text": text, **rest} for text in pieces(part["text"], count)]
    if "thoughtSignature" in part:
        cut[-1]["thoughtSignature"] = part["thoughtSignature"]
    return cut


def _partial(part: Json) -> list[Json]:
    """A call whose arguments arrive one by one, strings in two pieces, and that ends with an empty call."""
    call = part["functionCall"]
    head = {name: value for name, value in call.items() if name != "args"}
    out: list[Json] = [{**part, "functionCall": {**head, "willContinue": True}}]
    for name, value in call["args"].items():
        path = {"jsonPath": f"$.{name}"}
        if isinstance(value, str):
            texts = pieces(value, 2)
            for number, text in enumerate(texts, 1):
                more = {"willContinue": True} if number < len(texts) else {}
                given: Json = {**path, "stringValue": text, **more}
                out.append({"functionCall": {"partialArgs": [given], "willContinue": True}})
            continue
        kind = (
            "boolValue" if isinstance(value, bool) else "numberValue" if isinstance(value, int | float) else "nullValue"
        )
        scalar = "NULL_VALUE" if kind == "nullValue" else value
        out.append({"functionCall": {"partialArgs": [{**path, kind: scalar}], "willContinue": True}})
    return [*out, {"functionCall": {}}]


def _content(parts: list[Json], extra: GeminiReply) -> Json:
    if parts:
        return {"content": {"parts": parts, "role": "model"}}
    return {} if extra.shape == "no-content" else {"content": {"role": "model"}}


def _finish(reply: Reply, parts: list[Json]) -> str:
    extra = _extra(reply)
    if extra.finish:
        return extra.finish
    broken = any(isinstance(part, Call) and _arguments(part) is None for part in reply.parts)
    return "MALFORMED_FUNCTION_CALL" if broken else STOPS[reply.reason]


def _finish_message(reply: Reply) -> Json:
    broken = next((part for part in reply.parts if isinstance(part, Call) and _arguments(part) is None), None)
    if broken is None:
        return {}
    return {"finishMessage": f"Malformed function call: call:default_api:{broken.name}{broken.arguments}"}


def usage(reply: Reply, extra: GeminiReply, *, share: float = 1.0) -> Json:
    """Usage as far as `share` of the answer: the prompt with what was cached, and thoughts apart from the answer."""
    spent = reply.usage
    prompt = spent.fresh + spent.cached + spent.stored
    said = int((spent.output - spent.reasoning) * share)
    total = prompt + said + spent.reasoning + extra.tool_tokens
    out: Json = {"promptTokenCount": prompt, "candidatesTokenCount": said, "totalTokenCount": total}
    out["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": prompt}]
    if extra.block or not said:
        del out["candidatesTokenCount"]
    if spent.cached:
        out["cachedContentTokenCount"] = spent.cached
        out["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": spent.cached}]
    if spent.reasoning:
        out["thoughtsTokenCount"] = spent.reasoning
    if extra.tool_tokens:
        out["toolUsePromptTokenCount"] = extra.tool_tokens
        out["toolUsePromptTokensDetails"] = [{"modality": "TEXT", "tokenCount": extra.tool_tokens}]
    return out


def _finished(response: Json, asked: Asked, extra: GeminiReply, identifier: str) -> Json:
    response |= {"modelVersion": asked.name, "responseId": identifier}
    return numbered(response) if extra.numbers or asked.numbers else response


def numbered(value: Any, name: str = "") -> Any:
    """The same JSON with enums as numbers, as `$alt=json;enum-encoding=int` asks for it."""
    if isinstance(value, dict):
        return {key: item if key == "args" else numbered(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item, name) for item in value]
    table = _NUMBERS.get(name, "").split()
    return int(table[table.index(value) + 1]) if value in table else value


def ratings() -> list[Json]:
    """Safety ratings of something harmful."""
    return [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}]


def grounded(text: str, *sources: tuple[str, str], query: str = "fake query") -> GeminiReply:
    """An answer that Google Search supports: `sources` are addresses and titles, each supporting the whole text."""
    size = len(text.encode())
    web = [{"web": {"uri": uri, "title": title}} for uri, title in sources]
    segment = {"startIndex": 0, "endIndex": size, "text": text}
    supports = [{"segment": segment, "groundingChunkIndices": list(range(len(sources)))}]
    citations = [{"startIndex": 0, "endIndex": size, "uri": uri} for uri, _ in sources]
    metadata = {
        "webSearchQueries": [query],
        "searchEntryPoint": {"renderedContent": "<div>fake</div>"},
        "groundingChunks": web,
        "groundingSupports": supports,
    }
    candidate = {"groundingMetadata": metadata, "citationMetadata": {"citationSources": citations}}
    return GeminiReply(parts=(Say(text),), candidate=candidate, tool_tokens=30)


def ran_code(code: str, output: str, text: str) -> GeminiReply:
    """An answer for which the vendor's own code execution ran something."""
    ran = Native(part={"executableCode": {"language": "PYTHON", "code": code}})
    result = Native(part={"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": output}})
    return GeminiReply(parts=(ran, result, Say(text)), tool_tokens=82)


def image(data: bytes, kind: str = "image/png") -> Native:
    """A part that is a picture."""
    return Native(part={"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode()}})


def pixel() -> bytes:
    """A grey PNG of one pixel."""
    out = b"\x89PNG\r\n\x1a\n"
    packed = zlib.compress(b"\x00\x80")
    for kind, data in (
        (b"IHDR", b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"),
        (b"IDAT", packed),
        (b"IEND", b""),
    ):
        out += len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return out


def blocked(reason: str = "PROHIBITED_CONTENT") -> GeminiReply:
    """A prompt that the vendor will not answer."""
    return GeminiReply(block=reason)


def finished(reason: str, *parts: Part, **members: Any) -> GeminiReply:
    """An answer that ends for `reason`; without parts the candidate has no content either."""
    return GeminiReply(parts=parts, finish=reason, shape="" if parts else "no-content", candidate=members)
