"""A request that goes on from an answer says no less than one that says everything."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strowger.upstreams.continuation import Asked, Heard, added, news, taken_apart

Item = dict[str, Any]
BOOKKEEPING = {"id", "status", "phase"}
WORDS = st.sampled_from(["a", "b", ""])
USERS: st.SearchStrategy[Item] = WORDS.map(
    lambda text: {"role": "user", "content": [{"type": "input_text", "text": text}]}
)
CALLS = st.builds(
    lambda call, name, value: {
        "type": "function_call",
        "id": f"fc_{call}",
        "call_id": f"call_{call}",
        "name": name,
        "arguments": f'{{"a": {value}}}',
        "status": "completed",
    },
    st.integers(0, 3),
    st.sampled_from("fg"),
    st.integers(0, 2),
)
SPOKEN = WORDS.map(
    lambda text: {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
)
THOUGHT = st.integers(0, 2).map(
    lambda seal: {"type": "reasoning", "id": f"rs_{seal}", "summary": [], "encrypted_content": f"sealed {seal}"}
)
SEARCH = st.just({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "a"}})
RESULTS = st.builds(
    lambda call, text: {"type": "function_call_output", "call_id": f"call_{call}", "output": text},
    st.integers(0, 3),
    WORDS,
)
BEFORE = st.lists(USERS | SPOKEN | THOUGHT | CALLS | RESULTS, min_size=1, max_size=4)
OUTPUT = st.lists(SPOKEN | THOUGHT | CALLS | SEARCH, max_size=4)
AFTER = st.lists(USERS | RESULTS | SPOKEN, max_size=3)
# What clients do to a history: places are counted from its end, where an answer is.
CHANGES = st.lists(st.tuples(st.integers(0, 13), st.integers(0, 9), WORDS), max_size=2)


def changed(body: dict[str, Any], kind: int, place: int, word: str) -> None:
    """One of the things that clients do between two turns, or that nobody should."""
    items: list[Item] = body["input"]
    if not items:
        return
    at = max(0, len(items) - 1 - place)
    item = items[at]
    match kind:
        case 0:
            items.pop(at)
        case 1 if at:
            items[at - 1], items[at] = items[at], items[at - 1]
        case 2:
            items.insert(at, copy.deepcopy(item))
        case 3:
            item.pop(sorted(item)[place % len(item)])
        case 4:
            item[sorted(item)[place % len(item)]] = word
        case 5:
            items[:] = [one for one in items if one.get("type") != "reasoning"]
        case 6:
            for one in items:
                one.pop("id", None)
        case 7:
            body["tools"] = [{"type": "function", "name": word}]
        case 8:
            body["instructions"] = word
        case 9:
            del items[:at]
        case 10:
            items.insert(at, {"type": "message", "role": "assistant", "content": word})
        case 11 if isinstance(item.get("arguments"), str):
            item["arguments"] = item["arguments"].replace(" ", "")
        case 12:
            item["role"] = "developer"
        case 13:
            body["reasoning"] = {"effort": "high"}


def read(item: Item) -> object:
    """An item as the API reads it; None for reasoning, of which the upstream has all."""
    item = {"type": "message", **item}
    if item["type"] == "reasoning":
        return None
    kept = {name: value for name, value in item.items() if name not in BOOKKEEPING and value is not None}
    content = kept.get("content")
    if kept["type"] == "message" and kept.get("role") == "assistant" and content is not None:
        kept["content"] = [content] if isinstance(content, str) else [part.get("text") for part in content]
    if kept["type"] == "function_call":
        try:
            kept["arguments"] = msgspec.json.decode(kept.get("arguments") or "{}")
        except msgspec.DecodeError:
            kept["arguments"] = kept["arguments"] or {}
    return kept


def apart(body: dict[str, Any]) -> Asked:
    asked = taken_apart({name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()})
    assert asked is not None
    return asked


@given(BEFORE, OUTPUT, AFTER, CHANGES)
def test_nothing_is_lost(
    before: list[Item], output: list[Item], after: list[Item], changes: list[tuple[int, int, str]]
) -> None:
    """What the upstream remembers, and what it is told then, is what the client says; or it is told everything."""
    first: dict[str, Any] = {"model": "m", "instructions": "i", "tools": [], "input": before}
    heard = Heard(apart(first))
    for index, item in enumerate(output):
        heard.event("response.output_item.done", msgspec.json.encode({"output_index": index, "item": item}))
    heard.event("response.completed", b'{"response":{"id":"resp_1"}}')
    said = heard.said()
    assert said is not None
    body = copy.deepcopy({**first, "input": [*before, *output, *after]})
    for change in changes:
        changed(body, *change)
    asked = apart(body)
    start = news(said, asked)
    if start is None:
        return
    told = msgspec.json.decode(msgspec.json.encode(added(said, asked, start)))
    assert {name: told[name] for name in first if name != "input"} == {
        name: body[name] for name in first if name != "input"
    }
    assert told.keys() - {"previous_response_id"} == body.keys() == first.keys()
    known = [one for one in map(read, [*before, *output, *told["input"]]) if one is not None]
    assert known == [one for one in map(read, body["input"]) if one is not None]
    assert told["input"]


@given(BEFORE, OUTPUT, USERS)
def test_a_turn_that_only_goes_on_is_short(before: list[Item], output: list[Item], user: Item) -> None:
    """Where nothing was changed, only what is new is said."""
    heard = Heard(apart({"input": before}))
    for index, item in enumerate(output):
        heard.event("response.output_item.done", msgspec.json.encode({"output_index": index, "item": item}))
    heard.event("response.completed", b'{"response":{"id":"resp_1"}}')
    start = news(heard.said(), apart({"input": [*before, *output, user]}))
    assert start == len(before) + len(output)
