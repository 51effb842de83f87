"""What every answer in the Responses dialect must be, whole or streamed. Each rule gives what is wrong, in words.

The shapes are those of the official `openai` SDK's types, validated member by member (which the SDK itself does not
do), and the members that the Open Responses specification calls required. The order of events, ids and indexes are
the rules of that specification and of vLLM's streaming tests, in words of our own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from openai.types.responses import CompactedResponse, Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from tests.conformance import sse

Json = dict[str, Any]

# https://github.com/openresponses/openresponses, ResponseResource: what must be there, be it null.
REQUIRED = frozenset(
    "id object created_at completed_at status incomplete_details model previous_response_id instructions output error"
    " tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs"
    " temperature reasoning usage max_output_tokens max_tool_calls store background service_tier metadata"
    " safety_identifier prompt_cache_key".split()
)
_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
# What the vendor sends and its SDK's types do not know (yet).
UNTYPED = frozenset({"store", "frequency_penalty", "presence_penalty", "obfuscation", "name", "status"})
_UNDONE = frozenset({"in_progress", "incomplete", "searching", "calling"})
TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_RESPONSE: TypeAdapter[Any] = TypeAdapter(Response)
_COMPACTED: TypeAdapter[Any] = TypeAdapter(CompactedResponse)


# ---- shapes ----


def response_faults(response: Json) -> list[str]:
    """What is wrong with a response object, at any time of its life."""
    wrong = _shape(_RESPONSE, response) + [f"no {name}" for name in sorted(REQUIRED - response.keys())]
    wrong += [f"item {item.get('type')} has no id" for item in response["output"] if not item.get("id")]
    functions = [tool for tool in response["tools"] if tool["type"] == "function"]
    wrong += [f"a tool has no {name}" for tool in functions for name in sorted(_FUNCTION - tool.keys())]
    ids = [item.get("id") for item in response["output"]]
    if len(set(ids)) != len(ids):
        wrong.append(f"two items have one id: {ids}")
    return wrong


def answer_faults(response: Json) -> list[str]:
    """What is wrong with a response object that is the end of a call."""
    wrong = response_faults(response)
    status, usage = response["status"], response["usage"]
    if (status == "incomplete") != bool(response["incomplete_details"]):
        wrong.append(f"{status} because of {response['incomplete_details']}")
    if (status == "failed") != bool(response["error"]):
        wrong.append(f"{status} with error {response['error']}")
    if status == "completed" and not isinstance(response.get("completed_at"), int):
        wrong.append(f"completed at {response.get('completed_at')}")
    # A tool of the provider may have failed: the model went on without it.
    if status == "completed" and any(item.get("status") in _UNDONE for item in response["output"]):
        wrong.append("completed, and an item is not")
    if usage is None:
        return [*wrong, "no usage"] if status != "failed" else wrong
    if usage["total_tokens"] != usage["input_tokens"] + usage["output_tokens"]:
        wrong.append(f"total of {usage}")
    return wrong


def compacted_faults(compacted: Json) -> list[str]:
    """What is wrong with the answer of /responses/compact."""
    return _shape(_COMPACTED, compacted)


def error_faults(status: int, body: Json) -> list[str]:
    """What is wrong with a refusal: the vendor's four members, a text that says something, a status that fits."""
    error = body.get("error")
    if not isinstance(error, dict) or set(error) != {"message", "type", "param", "code"}:
        return [f"error {error}"]
    wrong = [] if isinstance(error["message"], str) and len(error["message"]) > 10 else [f"message {error['message']}"]
    if not isinstance(error["type"], str) or not error["type"]:
        wrong.append(f"type {error['type']}")
    wrong += [f"{name} {error[name]!r}" for name in ("param", "code") if not isinstance(error[name], str | None)]
    return wrong if 400 <= status < 500 else [*wrong, f"status {status}"]


def _shape(adapter: TypeAdapter[Any], value: Json) -> list[str]:
    try:
        read = adapter.validate_python(value, strict=True)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
        return [f"{value.get('type') or value.get('object')}: {told}"]
    return [f"{value.get('type')}: {path} is unknown" for path in _unknown(read)]


def _unknown(read: Any, path: str = "") -> Iterable[str]:
    """Members that the types do not have: what a typed client never sees."""
    if isinstance(read, BaseModel):
        yield from (f"{path}.{name}" for name in read.model_extra or () if name not in UNTYPED)
        for name in read.model_fields_set & type(read).model_fields.keys():
            yield from _unknown(getattr(read, name), f"{path}.{name}")
    elif isinstance(read, list):
        for index, inner in enumerate(read):
            yield from _unknown(inner, f"{path}[{index}]")


# ---- streams ----


def events_of(body: bytes) -> list[Json]:
    """The events of a stream over HTTP. Raises AssertionError where a frame is not called what its event is."""
    events = []
    for frame in sse.events(body):
        event = json.loads(frame.data)
        assert frame.name == event["type"]
        events.append(event)
    return events


def stream_faults(events: list[Json]) -> list[str]:
    """What is wrong with the events of one answer: each of them, their order, and what they add up to."""
    wrong = [fault for event in events for fault in _shape(_EVENT, event)]
    kinds = [event["type"] for event in events]
    if [event["sequence_number"] for event in events] != list(range(len(events))):
        wrong.append("numbers have gaps")
    if kinds[:2] != ["response.created", "response.in_progress"] or kinds.count("response.created") != 1:
        wrong.append(f"begins with {kinds[:2]}")
    if kinds[-1] not in TERMINAL or sum(kind in TERMINAL for kind in kinds) != 1:
        return [*wrong, f"ends with {kinds[-1]}"]
    first, last = events[0]["response"], events[-1]["response"]
    wrong += response_faults(first) + answer_faults(last)
    if (first["status"], first["output"], first["usage"]) != ("in_progress", [], None):
        wrong.append("there is an answer before it has begun")
    wrong += [f"{name} changed" for name in ("id", "created_at", "tools") if first[name] != last[name]]
    items = _Items()
    for event in events:
        items.take(event)
    return wrong + items.faults(last)


_PARTS = {"content_part": "content", "reasoning_summary_part": "summary"}
_WHOLE = {
    "function_call": {"arguments": "function_call_arguments"},
    "custom_tool_call": {"input": "custom_tool_call_input"},
}


class _Items:
    """The output as its events add up to it."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._open: dict[int, Json] = {}
        self._done: dict[int, Json] = {}
        self._added = 0
        self._said: dict[tuple[str, str, int], str] = {}
        self._parts: dict[tuple[str, str], list[Json | None]] = {}

    def take(self, event: Json) -> None:
        kind = event["type"]
        if kind == "response.output_item.added":
            self._open[event["output_index"]] = event["item"]
            self._check(event["output_index"] == self._added, f"item {self._added} has another index")
            self._check(event["item"].get("status") in (None, "in_progress"), f"begins {event['item'].get('status')}")
            self._added += 1
        elif kind == "response.output_item.done":
            self._close(event)
        elif "item_id" in event:
            self._inside(kind.removeprefix("response."), event)

    def _close(self, event: Json) -> None:
        opened, item = self._open.pop(event["output_index"], None), event["item"]
        self._done[event["output_index"]] = item
        if opened is None:
            self.wrong.append(f"{item['type']} ends and never began")
            return
        changed = [name for name in ("id", "type", "call_id", "name", "role") if opened.get(name) != item.get(name)]
        self._check(not changed, f"{item['type']} began with other {changed}")
        self._check(item.get("status") != "in_progress", f"{item['type']} ends in progress")
        for (item_id, place), parts in self._parts.items():
            if item_id == item["id"]:
                self._check(parts == item.get(place), f"{place} of {item['type']} is not what was told")
        if item["type"] == "message":
            self._check(len(item["content"]) == len(self._parts.get((item["id"], "content"), [])), "untold content")
        for member, thing in _WHOLE.get(item["type"], {}).items():
            self._check(self._said.get((item["id"], thing, 0)) == item[member], f"{member} are not their deltas")

    def _inside(self, kind: str, event: Json) -> None:
        item = self._open.get(event["output_index"])
        self._check(item is not None and item.get("id") == event["item_id"], f"{kind} of an item that is not open")
        thing, _, step = kind.rpartition(".")
        index: int = event["summary_index"] if "summary_index" in event else event.get("content_index", 0)
        if thing in _PARTS:
            self._part(thing, step, index, event)
        elif step == "delta":
            key = (event["item_id"], thing, index)
            self._said[key] = self._said.get(key, "") + event["delta"]
        elif step == "done":
            whole = next(event[name] for name in ("text", "arguments", "input", "refusal", "code") if name in event)
            said = self._said.setdefault((event["item_id"], thing, index), "")
            self._check(said == whole, f"{kind} is not its deltas")

    def _part(self, thing: str, step: str, index: int, event: Json) -> None:
        parts = self._parts.setdefault((event["item_id"], _PARTS[thing]), [])
        if step == "added":
            self._check(index == len(parts) and parts[-1:] != [None], f"{thing} begins out of turn")
            parts.append(None)
            return
        self._check(index == len(parts) - 1 and parts[-1] is None, f"{thing} ends out of turn")
        part = event["part"]
        said = "reasoning_summary_text" if part["type"] == "summary_text" else part["type"]
        whole = part["refusal"] if part["type"] == "refusal" else part["text"]
        self._check(self._said.get((event["item_id"], said, index), "") == whole, f"{thing} is not its deltas")
        parts[-1:] = [part]

    def _check(self, holds: bool, fault: str) -> None:
        if not holds:
            self.wrong.append(fault)

    def faults(self, last: Json) -> list[str]:
        """All that is wrong, knowing the response of the last event."""
        if self._open and last["status"] != "failed":
            self.wrong.append(f"never ended: {self._open}")
        if last["output"] != [item for _, item in sorted(self._done.items())]:
            self.wrong.append("the last event has another output than was told")
        return self.wrong
