"""Request bodies in the Anthropic Messages dialect: a small one, and one of 93 KB shaped like a coding agent's.

All text is made up from a list of words with a fixed seed, so every run sends the same bytes. Sizes are in bytes.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

CLAUDE_CODE_SIZE = 93_000
_TOOLS = 25
_WORDS = (
    "the a file line of test when path should return value each open read write call name is not function list before "
    "after change module import error class string number under run command output input check keep branch commit "
    "search pattern "
    'result `key` "quoted" user — café option default must never always table column index tree node edge'
).split(" ")


def small_body(model: str) -> bytes:
    """A question of one line, streamed."""
    return msgspec.json.encode(
        {
            "model": model,
            "max_tokens": 1024,
            "stream": True,
            "messages": [{"role": "user", "content": "Say what time it is."}],
        }
    )


def claude_code_body(model: str) -> bytes:
    """93 KB: system blocks with cache marks, 25 tools with schemas, a conversation with tool calls and results."""
    rng = random.Random(1891)  # the year of the patent; any seed will do
    messages = _conversation(rng)
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "system": _system(rng),
        "tools": [_tool(rng, number) for number in range(_TOOLS)],
        "metadata": {"user_id": "user_" + "0" * 64 + "_account__session_00000000-0000-0000-0000-000000000000"},
        "max_tokens": 32000,
        "thinking": {"type": "enabled", "budget_tokens": 16000},
        "stream": True,
    }
    missing = CLAUDE_CODE_SIZE - len(msgspec.json.encode(body))
    result = messages[2]["content"][0]
    result["content"][0]["text"] += "x" * missing
    return msgspec.json.encode(body)


def _text(rng: random.Random, size: int) -> str:
    lines: list[str] = []
    written = 0
    while written < size:
        line = " ".join(rng.choices(_WORDS, k=rng.randint(4, 16)))
        lines.append(line)
        written += len(line) + 1
    return "\n".join(lines)


def _system(rng: random.Random) -> list[dict[str, Any]]:
    cache = {"type": "ephemeral"}
    return [
        {"type": "text", "text": "You are an agent that works on code."},
        {"type": "text", "text": _text(rng, 2_000), "cache_control": cache},
        {"type": "text", "text": _text(rng, 11_000), "cache_control": cache},
    ]


def _tool(rng: random.Random, number: int) -> dict[str, Any]:
    properties: dict[str, Any] = {
        f"option_{index}": {"type": rng.choice(("string", "integer", "boolean")), "description": _text(rng, 70)}
        for index in range(5)
    }
    properties["mode"] = {"type": "string", "enum": ["content", "files", "count"], "description": _text(rng, 60)}
    properties["edits"] = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
            "required": ["from", "to"],
            "additionalProperties": False,
        },
    }
    return {
        "name": f"Tool{number}",
        "description": _text(rng, 640),
        "input_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": ["option_0", "mode"],
            "additionalProperties": False,
        },
    }


def _conversation(rng: random.Random) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\n" + _text(rng, 2_500) + "\n</system-reminder>"},
                {"type": "text", "text": "Find out why the test fails, and mend it."},
            ],
        }
    ]
    for turn in range(8):
        ids = [f"toolu_{turn:02d}{call}{'Bench' * 4}" for call in range(1 + turn % 2)]
        calls: list[dict[str, Any]] = [
            {
                "type": "tool_use",
                "id": each,
                "name": f"Tool{turn}",
                "input": {"option_0": _text(rng, 120), "mode": "content"},
            }
            for each in ids
        ]
        messages.append({"role": "assistant", "content": [{"type": "text", "text": _text(rng, 200)}, *calls]})
        messages.append({"role": "user", "content": [_tool_result(rng, each) for each in ids]})
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return messages


def _tool_result(rng: random.Random, call_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": _text(rng, 1_500)}]}
