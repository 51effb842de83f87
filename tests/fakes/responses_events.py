"""A scripted answer as Responses streams it: numbered events from `response.created` to the one that ends it.

What comes in one piece is the response that the last event holds, so the two cannot differ.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import msgspec
from msgspec import Struct

from tests.fakes.refusal import Json
from tests.fakes.responses_flavours import ResponsesFlavour
from tests.fakes.responses_ledger import fresh
from tests.fakes.responses_output import Manner, Written, grouped, write
from tests.fakes.responses_parts import Aside, Fail, Trouble, Wire
from tests.fakes.responses_seal import Seal
from tests.fakes.responses_tables import REASONING_MODEL, efforts_of
from tests.fakes.script import Call, Part, Reply

CREATED = 1_795_000_000
# No event: something that a socket does at its place.
WIRE = "wire"
INCOMPLETE = {"length": "max_output_tokens", "window": "max_output_tokens", "refusal": "content_filter"}


class Told(Struct):
    """An answer: its events, and the response as it is in the end."""

    events: list[Json]
    response: Json


def tell(body: Json, reply: Reply, flavour: ResponsesFlavour, seal: Seal, previous: str | None = None) -> Told:
    """The whole answer to a request that was accepted."""
    options = body.get("stream_options") or {}
    teller = _Teller(_frame(body, flavour, previous), padded=options.get("include_obfuscation") is not False)
    teller.emit("response.created", response={**teller.response})
    teller.emit("response.in_progress", response={**teller.response})
    manner = _manner(body, reply, flavour, seal)
    for batch in _batches(reply):
        first = batch[0][0]
        if isinstance(first, Aside):
            teller.emit(first.type, **first.data)
        elif isinstance(first, Wire):
            teller.events.append({"type": WIRE, "do": first.do, "code": first.code})
        elif isinstance(first, Fail | Trouble):
            teller.fail(first)
            return Told(teller.events, teller.response)
        else:
            teller.items([write(parts, manner) for parts in batch])
    teller.end(reply, whole=flavour.whole)
    return Told(teller.events, teller.response)


def prewarmed(body: Json, flavour: ResponsesFlavour) -> Told:
    """The answer to `generate: false`: a response of nothing, to be continued."""
    teller = _Teller(_frame(body, flavour, body.get("previous_response_id")), padded=False)
    teller.emit("response.created", response={**teller.response})
    teller.end(Reply(), whole=True)
    return Told(teller.events, teller.response)


def _batches(reply: Reply) -> list[list[list[Part]]]:
    """Groups of parts, each an item; calls that stand together are one batch when they are to be mixed."""
    batches: list[list[list[Part]]] = []
    for parts in grouped(reply.parts):
        mixes = reply.interleave and isinstance(parts[0], Call)
        if mixes and batches and isinstance(batches[-1][-1][0], Call):
            batches[-1].append(parts)
        else:
            batches.append([parts])
    return batches


class _Teller:
    def __init__(self, response: Json, *, padded: bool) -> None:
        self.events: list[Json] = []
        self.response = response
        self._output: list[Json] = []
        self._padded = padded

    def emit(self, kind: str, **data: Any) -> None:
        if self._padded and "delta" in data:
            data["obfuscation"] = fresh("")[1 : 17 - len(data["delta"]) % 16]
        self.events.append({"type": kind, **data, "sequence_number": len(self.events)})

    def fail(self, part: Fail | Trouble) -> None:
        self.response |= {"status": "failed", "error": {"code": part.code, "message": part.message}}
        if isinstance(part, Fail):
            self.emit("response.failed", response={**self.response})
        else:
            self.emit("error", **error_event(part.code, part.message, part.param, wrapped=part.wrapped))

    def items(self, batch: list[Written]) -> None:
        first = len(self._output)
        for index, item in enumerate(batch, first):
            self.emit("response.output_item.added", item=item.opened, output_index=index)
        rows = [
            [(kind, {**data, "item_id": item.done["id"], "output_index": index}) for kind, data in item.steps]
            for index, item in enumerate(batch, first)
        ]
        for column in zip_longest(*rows):
            for kind, data in filter(None, column):
                self.emit(kind, **data)
        for index, item in enumerate(batch, first):
            self.emit("response.output_item.done", item=item.done, output_index=index)
            self._output.append(item.done)

    def end(self, reply: Reply, *, whole: bool) -> None:
        reason = INCOMPLETE.get(reply.reason)
        status = "incomplete" if reason else "completed"
        if reason and self._output and "status" in self._output[-1]:
            # The item in which it broke off is known by its own status too.
            last = self._output[-1]
            last["status"] = "incomplete"
        self.response |= {
            "status": status,
            "incomplete_details": {"reason": reason} if reason else None,
            "completed_at": None if reason else CREATED + 2,
            "output": self._output,
            "usage": usage(reply),
        }
        shown = self.response if whole else {**self.response, "output": []}
        self.emit(f"response.{status}", response=shown)


def error_event(code: str, message: str, param: str | None, *, wrapped: bool) -> Json:
    """The members of an `error` event: as the types have them, or wrapped as they are seen on the wire."""
    error = {"code": code, "message": message, "param": param}
    return {"error": {"type": code, **error}} if wrapped else {**error}


def _manner(body: Json, reply: Reply, flavour: ResponsesFlavour, seal: Seal) -> Manner:
    reasoning, include = body.get("reasoning") or {}, body.get("include") or ()
    return Manner(
        seal=seal,
        model=body.get("model") or "",
        summaries=(reasoning.get("summary") or reasoning.get("generate_summary") or "none") != "none",
        sealed="reasoning.encrypted_content" in include,
        sources="web_search_call.action.sources" in include,
        deltas=reply.deltas,
    )


def _frame(body: Json, flavour: ResponsesFlavour, previous: str | None) -> Json:
    """The response before anything was said: what was asked for, with what was left open filled in."""
    model = body.get("model") or "gpt-5.5"
    reasoning: Json = {"effort": None, "summary": None}
    if REASONING_MODEL.match(model):
        reasoning["effort"] = efforts_of(model)[1]
    text: Json = {"format": {"type": "text"}, "verbosity": "medium"}
    given = {name: body.get(name) for name in _ECHOED}
    tier = body.get("service_tier")
    return {
        "id": fresh("resp"),
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "background": bool(body.get("background")),
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        **given,
        "model": model,
        "moderation": None,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "presence_penalty": 0.0,
        "previous_response_id": previous,
        "reasoning": reasoning | {name: value for name, value in (body.get("reasoning") or {}).items() if value},
        "service_tier": "default" if tier in (None, "auto") else tier,
        "store": body.get("store") is not False,
        "temperature": 1.0 if body.get("temperature") is None else body["temperature"],
        "text": text | {name: value for name, value in (body.get("text") or {}).items() if value},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": [_told(tool) for tool in body.get("tools") or ()],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": 1.0 if body.get("top_p") is None else body["top_p"],
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "metadata": body.get("metadata") or {},
    }


_ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "user",
)


def _told(tool: Json) -> Json:
    """A tool as the vendor repeats it: of a function all members, whatever the client left out."""
    told = strict_by_default(tool)
    return {"description": None, "parameters": None, **told} if tool.get("type") == "function" else told


def strict_by_default(tool: Json) -> Json:
    """A function as the vendor takes it: one that does not say is strict, so that it must have all that it may have."""
    if tool.get("type") != "function" or tool.get("strict") is not None:
        return tool
    schema = tool.get("parameters")
    if not isinstance(schema, dict) or not schema.get("properties"):
        return {**tool, "strict": True}
    closed = {**schema, "required": list(schema["properties"]), "additionalProperties": False}
    return {**tool, "strict": True, "parameters": closed}


def usage(reply: Reply) -> Json:
    """Usage in this dialect: what went in counts the cached tokens too, what came out the reasoning."""
    spent = reply.usage
    went_in = spent.fresh + spent.cached + spent.stored
    return {
        "input_tokens": went_in,
        "input_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": spent.stored},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning},
        "total_tokens": went_in + spent.output,
    }


def sse(event: Json) -> bytes:
    """One event as SSE; its name is its type."""
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"
