"""Breaks requests at random, member by member, and looks whether anything but a clear refusal comes of it.

`python -m tests.properties.fuzz_requests [seconds] [seed]` runs for longer than a test may.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from strowger.dialects.base import Capabilities
from strowger.errors import GatewayError
from tests.conformance.asked import GOALS
from tests.conformance.identity import FAITHFUL
from tests.conformance.lanes import DIALECTS
from tests.conformance.recordings import OTHER
from tests.properties.fuzz import mutated as fuzz_bytes

ANTHROPIC_SEED: dict[str, Any] = {
    "model": "claude-m",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "Let me look.", "citations": [{"type": "char_location", "cited_text": "x"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": ["here", 1, None]}},
                {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen", "is_error": True},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [
                        {"type": "text", "text": "a picture"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWNvbg=="}},
                        {"type": "tool_reference", "tool_name": "later"},
                    ],
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "doc"},
                    "title": "t",
                },
                {"type": "image", "source": {"type": "url", "url": "https://example.test/a.png"}},
                {"type": "text", "text": "And?", "cache_control": {"type": "ephemeral"}},
            ],
        },
        {"role": "system", "content": "Now in French."},
    ],
    "tools": [
        {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"at": {}}}},
        {"name": "later", "input_schema": {"type": "object"}, "defer_loading": True, "strict": True},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ],
    "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1500},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "metadata": {"user_id": '{"session_id":"s"}'},
    "stop_sequences": ["END"],
    "temperature": 0.5,
    "top_k": 3,
    "stream": True,
}
CHAT_SEED: dict[str, Any] = {
    "model": "gpt-m",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "name": "ann", "content": "Hi"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "c2ln", "index": 0}],
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":[1]}'}},
                {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "done"}]},
        {"role": "assistant", "refusal": "No.", "function_call": {"name": "old", "arguments": ""}},
        {"role": "function", "name": "old", "content": "answer"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWNvbg==", "detail": "low"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,cGRm", "filename": "a.pdf"}},
                {"type": "input_audio", "input_audio": {"data": "c291bmQ=", "format": "wav"}},
            ],
        },
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}},
    ],
    "functions": [{"name": "old", "parameters": {}}],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "out", "schema": {}, "strict": True}},
    "stream_options": {"include_usage": True},
    "reasoning_effort": "high",
    "max_completion_tokens": 100,
    "parallel_tool_calls": False,
    "stop": "END",
    "n": 1,
    "stream": True,
}
SEEDS = {"anthropic": ANTHROPIC_SEED, "openai_chat": CHAT_SEED}
CAPS: dict[str, list[Capabilities]] = {
    dialect: [FAITHFUL[dialect], *(goal.caps for goal in GOALS if goal.dialect == dialect)] for dialect in SEEDS
}
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**70, 1e308, 0.5, "", " ", "x", "é💡", "\x00", "auto", "user", "assistant", "system",
    "tool", "text", "object", "data:,", "data:image/png;base64,", [], {}, [[]], [{}], [None], ["x"], {"type": "text"},
    {"type": "text", "text": "t"}, {"type": "unheard_of", "x": [1]}, {"type": "thinking"},
    {"role": "user", "content": "u"}, {"role": "assistant", "content": []},
    {"type": "tool_use", "id": "i", "name": "n", "input": {}},
)  # fmt: skip


def mutated(chance: random.Random, seed: dict[str, Any]) -> dict[str, Any]:
    """A copy in which a few members are other values, gone, doubled, or of another place."""
    body = copy.deepcopy(seed)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        places = list(_places(body))
        holder, key = chance.choice(places)
        match chance.randrange(5):
            case 0:
                del holder[key]
            case 1:
                holder[key] = copy.deepcopy(chance.choice(_VALUES))
            case 2:
                other, from_key = chance.choice(places)
                holder[key] = copy.deepcopy(other[from_key])
            case 3 if isinstance(holder, list):
                holder.insert(chance.randrange(len(holder) + 1), copy.deepcopy(chance.choice((holder[key], *_VALUES))))
            case _:
                if isinstance(holder, dict):
                    holder[chance.choice(("x_unknown", "type", "content", "name", "cache_control"))] = copy.deepcopy(
                        chance.choice(_VALUES)
                    )
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def judge(dialect: str, data: bytes) -> bool:
    """Everything that a request comes by; gives whether it was taken. Raises what breaks, AssertionError for a law."""
    client = DIALECTS[dialect].client
    try:
        client.peek(data)
        request = client.parse_request(data)
    except GatewayError as refusal:
        if not refusal.message:
            raise AssertionError("a refusal without a word") from refusal
        return False
    for target in (dialect, OTHER[dialect]):
        for caps in CAPS[target]:
            DIALECTS[target].upstream.passes(data, caps)
            try:
                rendered = DIALECTS[target].upstream.render_request(request, "other-model", caps)
            except GatewayError:
                continue
            sent = json.loads(rendered.body)
            assert sent["model"] == "other-model", "it asks for another model"
            assert all(loss.reason for loss in rendered.losses), "a loss without a reason"
    return True


def inputs(seed: int) -> Iterator[tuple[str, bytes]]:
    """Endless broken requests: dialect and body, one in four broken as bytes too. A pure function of the seed."""
    chance = random.Random(seed)
    while True:
        dialect = chance.choice(("anthropic", "openai_chat"))
        data = json.dumps(mutated(chance, SEEDS[dialect]), ensure_ascii=chance.random() < 0.5).encode()
        yield dialect, fuzz_bytes(chance, data, (data,)) if chance.random() < 0.25 else data


def fuzz(seed: int, goes_on: Callable[[int], bool]) -> tuple[int, int]:
    """Judge requests while it goes on; gives how many, and how many were taken. A failure names its request."""
    taken = 0
    for number, (dialect, data) in enumerate(inputs(seed)):
        if not goes_on(number):
            return number, taken
        try:
            taken += judge(dialect, data)
        except Exception as error:
            error.add_note(f"{dialect}: {data!r}")
            raise
    raise AssertionError("inputs do not end")


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    first = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    until = time.monotonic() + seconds
    judged, fine = fuzz(first, lambda _: time.monotonic() < until)
    print(f"seed {first}: {judged} requests, {fine} of them taken")
