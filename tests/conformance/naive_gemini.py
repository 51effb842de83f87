"""A plain reading of Gemini answers, written from the vendor's documentation and not from our codec.

It knows what is recorded: SSE with either line end, streams as one JSON array, enums as numbers, names in camelCase or
in snake_case, the Code Assist envelope, arguments that come in pieces, an error that is not framed at all.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from tests.conformance import sse
from tests.conformance.reading import Ending, Piece, Reading, Tokens, joined

_NUMBERED = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION"}
"""Reasons by number, as servers write them that were asked for `enum-encoding=int`. Higher ones differ by server."""
_BROKEN = {"UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"}
"""Reasons that say that the model went wrong in a call."""
_APART = re.compile(r"[\s,]*")
_UNFRAMED = re.compile(rb"^\{.*^\}", re.DOTALL | re.MULTILINE)


def stream(body: bytes) -> Reading:
    """An answer in chunks, in SSE or as an array; its first candidate."""
    if body.lstrip()[:1] == b"[":
        return _read(values(body.decode("utf-8", "replace")), streamed=True)
    error = unframed(body)
    return _read(sse.documents(body) + ([] if error is None else [error]), streamed=True)


def unframed(body: bytes) -> Any:
    """An error that stands in a stream as it is, without a frame; None when there is none."""
    found = _UNFRAMED.search(body)
    return None if found is None else json.loads(found[0])


def whole(body: Any) -> Reading:
    """An answer in one piece; its first candidate."""
    return _read([body], streamed=False)


def tokens(usage: dict[str, Any]) -> Tokens:
    """What tools read for the model is part of the prompt, and thoughts are part of what it wrote."""
    usage = camel(usage)
    prompt, candidates = usage.get("promptTokenCount"), usage.get("candidatesTokenCount")
    thoughts = usage.get("thoughtsTokenCount")
    if prompt is not None:
        prompt += usage.get("toolUsePromptTokenCount") or 0
    output = None if candidates is None and thoughts is None else (candidates or 0) + (thoughts or 0)
    return Tokens(prompt, output, usage.get("cachedContentTokenCount") or 0)


def values(text: str) -> list[Any]:
    """The values of an array, also of one that was cut."""
    return [json.loads(value) for value in texts(text)]


def texts(text: str) -> list[str]:
    """The same, each as it is written."""
    decoder, found = json.JSONDecoder(), []
    at = text.find("[") + 1
    while (begin := _APART.match(text, at)) is not None and begin.end() < len(text):
        try:
            _, at = decoder.raw_decode(text, begin.end())
        except ValueError:
            break
        found.append(text[begin.end() : at])
    return found


def _read(chunks: list[Any], *, streamed: bool) -> Reading:
    pieces: list[Piece] = []
    usage: dict[str, Any] = {}
    stop: str | None = None
    ending: Ending = "cut" if streamed else "whole"
    unfinished = False
    for chunk in chunks:
        chunk = camel(chunk)
        chunk = camel(chunk.get("response") or chunk)
        if chunk.get("error"):
            ending = "error"
            break
        counted = camel(chunk.get("usageMetadata") or {})
        # a count of everything stands for itself: what it does not name is nothing
        usage = counted if "totalTokenCount" in counted else usage | counted
        blocked = camel(chunk.get("promptFeedback") or {}).get("blockReason")
        if blocked:
            stop, ending = stop or f"prompt:{blocked}", "whole"
        for candidate in map(camel, chunk.get("candidates") or ()):
            if candidate.get("index", 0) != 0:
                continue
            for part in map(camel, camel(candidate.get("content") or {}).get("parts") or ()):
                unfinished = _add(pieces, part, unfinished=unfinished)
            reason = candidate.get("finishReason")
            if reason:
                stop = _NUMBERED.get(reason, "OTHER") if isinstance(reason, int) else reason
                ending = "whole"
    if stop in _BROKEN and not pieces:
        ending = "error"  # there is nothing that a client could have been given
    return Reading(joined(pieces), stop, tokens(usage), ending)


def _add(pieces: list[Piece], part: dict[str, Any], *, unfinished: bool) -> bool:
    """One part; gives whether a call is open whose arguments go on in the next."""
    if part.get("functionCall") is not None:
        call = camel(part["functionCall"])
        if unfinished:
            before = pieces.pop()
            arguments = _assembled(json.loads(before.arguments), call.get("partialArgs") or ())
            piece = Piece("call", id=before.id, name=before.name, arguments=json.dumps(arguments))
        else:
            arguments = _assembled(call.get("args") or {}, call.get("partialArgs") or ())
            piece = Piece("call", id=call.get("id") or "", name=call.get("name") or "", arguments=json.dumps(arguments))
        pieces.append(piece)
        return bool(call.get("willContinue"))
    if isinstance(part.get("text"), str):
        pieces.append(Piece("thinking" if part.get("thought") else "text", part["text"]))
    return False


def _assembled(arguments: dict[str, Any], pieces: Any) -> dict[str, Any]:
    """Arguments with more of them put in at the JSON paths that the pieces name (`$.days[0].high`)."""
    for piece in map(camel, pieces):
        steps = [int(i) if i else name for name, i in re.findall(r"\.?([^.\[\]$]+)|\[(\d+)\]", piece["jsonPath"])]
        values = [piece[key] for key in ("stringValue", "numberValue", "boolValue") if key in piece]
        _put(arguments, steps, values[0] if values else None)
    return arguments


def _put(holder: Any, steps: list[Any], value: Any) -> None:
    for step, following in itertools.pairwise(steps):
        fresh: Any = [] if isinstance(following, int) else {}
        if isinstance(holder, list):
            while len(holder) <= step:
                holder.append(fresh)
            holder = holder[step]
        else:
            holder = holder.setdefault(step, fresh)
    if isinstance(holder, list):
        while len(holder) <= steps[-1]:
            holder.append(None)
        before = holder[steps[-1]]
    else:
        before = holder.get(steps[-1])
    holder[steps[-1]] = before + value if isinstance(before, str) and isinstance(value, str) else value


def camel(node: Any) -> dict[str, Any]:
    """The members of a node under their names in camelCase; protobuf's JSON may be written in either."""
    if not isinstance(node, dict):
        return {}
    if not any("_" in key for key in node):
        return node
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): value for key, value in node.items()}
