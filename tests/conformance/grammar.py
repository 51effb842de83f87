"""What a client's stream must look like beyond what its SDK insists on. Written from the vendors' documentation.

Clients that do without an SDK rely on more: numbers without gaps, ids that stay, an end that repeats what was said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conformance import sse
from tests.conformance.naive_responses import CALLS

_IDS = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "web_search_call": "ws_",
}


def violations(dialect: str, body: bytes) -> list[str]:
    """What is wrong with a whole stream; empty when nothing is."""
    return _RULES[dialect](sse.events(body))


def _anthropic(events: list[sse.Event]) -> list[str]:
    told = [(event.name, json.loads(event.data)) for event in events]
    wrong = [f"{name} is called {value.get('type')}" for name, value in told if name != value.get("type")]
    kinds = [name for name, _ in told if name != "ping"]
    if not kinds or kinds[0] != "message_start" or kinds[-1] != "message_stop" or kinds.count("message_start") > 1:
        wrong.append(f"begins with {kinds[:1]} and ends with {kinds[-1:]}")
    if kinds.count("message_delta") != 1 or kinds[-2:-1] != ["message_delta"]:
        wrong.append("the reason does not come once, before the end")
    opened, last = None, -1
    for name, value in told:
        if name == "content_block_start":
            if opened is not None or value["index"] != last + 1:
                wrong.append(f"block {value['index']} begins behind {last}, {opened} being open")
            opened = last = value["index"]
        elif name in {"content_block_delta", "content_block_stop"}:
            if value["index"] != opened:
                wrong.append(f"{name} of block {value['index']} while {opened} is open")
            opened = None if name == "content_block_stop" else opened
    return wrong if opened is None else [*wrong, f"block {opened} is never closed"]


def _chat(events: list[sse.Event]) -> list[str]:
    wrong = [f"an event has the name {event.name}" for event in events if event.name]
    if not events or events[-1].data != "[DONE]":
        wrong.append("[DONE] is missing")
    chunks = [json.loads(event.data) for event in events if event.data != "[DONE]"]
    if len({(chunk["id"], chunk["model"], chunk["object"]) for chunk in chunks}) != 1:
        wrong.append("id, model or object change")
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason") is not None]
    if len(reasons) != 1 or choices[-1].get("finish_reason") is None:
        wrong.append(f"the reasons are {reasons}, or the last choice has none")
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls") or ()]
    firsts = [call["index"] for call in calls if call.get("id")]
    if firsts != list(range(len(firsts))):
        wrong.append(f"the calls begin as {firsts}")
    return wrong


def _responses(events: list[sse.Event]) -> list[str]:
    told = [json.loads(event.data) for event in events]
    wrong = [f"{event.name} is called {value.get('type')}" for event, value in zip(events, told, strict=True)
             if event.name != value.get("type")]  # fmt: skip
    numbers = [value.get("sequence_number") for value in told]
    if numbers != list(range(len(told))):
        wrong.append(f"the numbers are {numbers[:20]}")
    if [value["type"] for value in told[:1]] != ["response.created"]:
        wrong.append("it does not begin with response.created")
    if told[-1]["type"] not in {"response.completed", "response.incomplete"}:
        return [*wrong, f"it ends with {told[-1]['type']}"]
    ids = {value["response"]["id"] for value in told if "response" in value}
    if len(ids) != 1 or not all(identity.startswith("resp_") for identity in ids):
        wrong.append(f"the response is called {sorted(ids)}")
    return wrong + _items(told)


def _items(told: list[dict[str, Any]]) -> list[str]:
    """Items begin in order, are told by deltas under one id, end with what the deltas said, and make the output."""
    wrong: list[str] = []
    added: dict[int, dict[str, Any]] = {}
    done: dict[int, dict[str, Any]] = {}
    grown: dict[tuple[int, str, int], str] = {}
    for value in told:
        kind, index = value["type"], value.get("output_index", -1)
        if kind == "response.output_item.added":
            if index != len(added):
                wrong.append(f"item {index} begins as number {len(added)}")
            added[index] = value["item"]
        elif kind == "response.output_item.done":
            done[index] = value["item"]
        elif index >= 0:
            if (
                index not in added
                or index in done
                or value.get("item_id", added[index].get("id")) != added[index]["id"]
            ):
                wrong.append(f"{kind} of item {index}, {value.get('item_id')}, which is not open")
            if kind.endswith(".delta"):
                key = (index, kind.removesuffix(".delta"), value.get("content_index", value.get("summary_index", 0)))
                grown[key] = grown.get(key, "") + value["delta"]
            elif kind.endswith(".done"):
                key = (index, kind.removesuffix(".done"), value.get("content_index", value.get("summary_index", 0)))
                ended = [value[member] for member in ("text", "arguments", "input", "refusal") if member in value]
                if ended and ended[0] != grown.get(key, ""):
                    wrong.append(f"{kind} of item {index} says something else than its deltas")
    for index, item in added.items():
        prefix = _IDS.get(item["type"])
        if prefix and not item["id"].startswith(prefix):
            wrong.append(f"a {item['type']} is called {item['id']}")
        if (done.get(index) or {}).get("id") != item.get("id"):
            wrong.append(f"item {index} ends as {done.get(index)}")
    if told[-1]["response"]["output"] != [done[index] for index in sorted(done)]:
        wrong.append("the output at the end is not what was done")
    wrong += [
        f"item {index} is not what its deltas say" for index, item in done.items() if not _grew(index, item, grown)
    ]
    return wrong


def _grew(index: int, item: dict[str, Any], grown: dict[tuple[int, str, int], str]) -> bool:
    if item["type"] in CALLS:
        return bool(item[CALLS[item["type"]]] == "".join(text for key, text in grown.items() if key[0] == index))
    if item["type"] == "message":
        texts = "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])
        return texts == "".join(text for key, text in grown.items() if key[0] == index)
    return True


def _gemini(events: list[sse.Event]) -> list[str]:
    wrong = [f"an event has the name {event.name}" for event in events if event.name]
    chunks = [json.loads(event.data) for event in events]
    ids = {chunk.get("responseId") for chunk in chunks}
    if len(ids) != 1 or not all(ids):
        wrong.append(f"the response is called {ids}")
    candidates = [candidate for chunk in chunks for candidate in chunk.get("candidates") or ()]
    reasons = [candidate["finishReason"] for candidate in candidates if candidate.get("finishReason")]
    if len(reasons) != 1 or not chunks[-1].get("candidates") or not candidates[-1].get("finishReason"):
        wrong.append(f"the reasons are {reasons}, or the last chunk has none")
    if "usageMetadata" not in chunks[-1]:
        wrong.append("the last chunk counts no tokens")
    for candidate in candidates:
        content = candidate.get("content") or {}
        if content and content.get("role") != "model":
            wrong.append(f"the role is {content.get('role')}")
        calls = [part["functionCall"] for part in content.get("parts") or () if "functionCall" in part]
        wrong += [f"arguments are {call.get('args')}" for call in calls if not isinstance(call.get("args", {}), dict)]
    return wrong


_RULES: dict[str, Callable[[list[sse.Event]], list[str]]] = {
    "anthropic": _anthropic,
    "openai_chat": _chat,
    "openai_responses": _responses,
    "gemini": _gemini,
}
