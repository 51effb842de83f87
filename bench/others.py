"""The requests of `bodies` as clients of other dialects write them, so that lanes can be compared.

Written by hand and not by the product: what is measured must not make its own measure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bench import bodies

Json = dict[str, Any]

BLANK_SESSION = b"888888888888"
"""Where a turn's body names its session, once in the body; only Anthropic's dialect does."""

BLANK_TURN = b"turn 000000000000"
"""Where it says which turn this is."""

_SESSION = f"5e551091-0000-4000-8000-{BLANK_SESSION.decode()}"


def agent_body(dialect: str, model: str) -> bytes:
    """About 93 KB in a dialect; Gemini's has no model in it."""
    whole = bodies.claude_code_body(model)
    return whole if dialect == "anthropic" else _written(dialect, msgspec.json.decode(whole))


def turn_body(dialect: str, model: str) -> bytes:
    """As `agent_body`, with room for a turn's number and, in Anthropic's dialect, for a session's."""
    body: Json = msgspec.json.decode(bodies.claude_code_body(model))
    body["metadata"] = {"user_id": f"user_bench_account__session_{_SESSION}"}
    body["messages"][-1]["content"][-1]["content"][0]["text"] += BLANK_TURN.decode()
    return _written(dialect, body)


def _written(dialect: str, body: Json) -> bytes:
    forms = {"openai_chat": _chat, "openai_responses": _responses, "gemini": _gemini}
    return msgspec.json.encode(forms[dialect](body) if dialect in forms else body)


def small_body(dialect: str, model: str) -> bytes:
    """A question of one line, streamed."""
    if dialect == "anthropic":
        return bodies.small_body(model)
    asked = "Say what time it is."
    written: dict[str, Json] = {
        "openai_chat": {"model": model, "stream": True, "messages": [{"role": "user", "content": asked}]},
        "openai_responses": {"model": model, "stream": True, "store": False, "input": asked},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": asked}]}]},
    }
    return msgspec.json.encode(written[dialect])


def _system(body: Json) -> str:
    return "\n\n".join(block["text"] for block in body["system"])


def _arguments(call: Json) -> str:
    return msgspec.json.encode(call["input"]).decode()


def _text(blocks: list[Json]) -> str:
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def _chat(body: Json) -> Json:
    messages: list[Json] = [{"role": "system", "content": _system(body)}]
    for message in body["messages"]:
        blocks = message["content"]
        results = [block for block in blocks if block["type"] == "tool_result"]
        for result in results:
            messages.append(
                {"role": "tool", "tool_call_id": result["tool_use_id"], "content": _text(result["content"])}
            )
        if message["role"] == "assistant":
            calls = [
                {
                    "id": block["id"],
                    "type": "function",
                    "function": {"name": block["name"], "arguments": _arguments(block)},
                }
                for block in blocks
                if block["type"] == "tool_use"
            ]
            messages.append({"role": "assistant", "content": _text(blocks), "tool_calls": calls})
        elif not results:
            parts = [{"type": "text", "text": block["text"]} for block in blocks]
            messages.append({"role": "user", "content": parts})
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool["description"],
                "parameters": tool["input_schema"],
            },
        }
        for tool in body["tools"]
    ]
    return {
        "model": body["model"],
        "messages": messages,
        "tools": tools,
        "max_completion_tokens": 32000,
        "reasoning_effort": "medium",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _responses(body: Json) -> Json:
    items: list[Json] = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": _system(body)}]}
    ]
    for message in body["messages"]:
        texts: list[Json] = []
        calls: list[Json] = []
        for block in message["content"]:
            match block["type"]:
                case "text":
                    kind = "output_text" if message["role"] == "assistant" else "input_text"
                    texts.append({"type": kind, "text": block["text"]})
                case "tool_use":
                    call = {"name": block["name"], "arguments": _arguments(block), "call_id": block["id"]}
                    calls.append({"type": "function_call", **call})
                case _:
                    output = {"call_id": block["tool_use_id"], "output": _text(block["content"])}
                    calls.append({"type": "function_call_output", **output})
        if texts:
            items.append({"type": "message", "role": message["role"], "content": texts})
        items += calls
    tools = [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool["description"],
            "strict": False,
            "parameters": tool["input_schema"],
        }
        for tool in body["tools"]
    ]
    return {
        "model": body["model"],
        "stream": True,
        "input": items,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "00000000-0000-0000-0000-000000000000",
    }


def _gemini(body: Json) -> Json:
    contents: list[Json] = []
    names: dict[str, str] = {}
    for message in body["messages"]:
        parts: list[Json] = []
        for block in message["content"]:
            match block["type"]:
                case "text":
                    parts.append({"text": block["text"]})
                case "tool_use":
                    names[block["id"]] = block["name"]
                    call = {"id": block["id"], "name": block["name"], "args": block["input"]}
                    parts.append({"functionCall": call})
                case _:
                    answer = {"output": _text(block["content"])}
                    call_id = block["tool_use_id"]
                    parts.append({"functionResponse": {"id": call_id, "name": names[call_id], "response": answer}})
        contents.append({"role": "model" if message["role"] == "assistant" else "user", "parts": parts})
    declared = [
        {"name": tool["name"], "description": tool["description"], "parametersJsonSchema": tool["input_schema"]}
        for tool in body["tools"]
    ]
    return {
        "contents": contents,
        "systemInstruction": {"role": "user", "parts": [{"text": _system(body)}]},
        "tools": [{"functionDeclarations": declared}],
        "generationConfig": {"temperature": 1, "topP": 0.95, "thinkingConfig": {"includeThoughts": True}},
    }
