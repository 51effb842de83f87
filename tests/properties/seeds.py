"""Small answers of every dialect that hold a bit of everything: what mutation and cutting start from."""

from __future__ import annotations

import json
from typing import Any


def _sse(*events: Any, end: bytes = b"\n\n", named: bool = False) -> bytes:
    """Events as a stream."""
    names = [f"event: {event['type']}\n".encode() if named else b"" for event in events]
    lines = [b"data: " + json.dumps(event, ensure_ascii=False).encode() + end for event in events]
    return b"".join(name + line for name, line in zip(names, lines, strict=True))


ANTHROPIC_SEED = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking",'
    b'"thinking":""}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":'
    b'"thinking_delta","thinking":"hm \xc3\xa9"}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta",'
    b'"index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}\n\nevent: content_block_stop\n'
    b'data: {"type":"content_block_stop","index":0}\n\nevent: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use",'
    b'"id":"toolu_1","name":"f","input":{}}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta",'
    b'"index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}}\n\nevent: content_block_stop\n'
    b'data: {"type":"content_block_stop","index":1}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":'
    b'{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CHAT_SEED = (
    b': keep-alive\n\ndata: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":'
    b'"<thi"}}]}\n\ndata: {"id":"c","choices":[{"index":0,"delta":{"content":"nk>so</think>Hi \xf0\x9f\x92\xa1"}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"reasoning":"more","reasoning_details":[{"type":'
    b'"reasoning.text","text":"more","index":0}]}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":'
    b'{"name":"f","arguments":"{\\"x\\":"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"[1]}"}}]},'
    b'"finish_reason":null}]}\r\n\r\ndata: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}'
    b'\n\ndata: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}\n\n'
    b"data: [DONE]\n\n"
)
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hi é", "annotations": [], "logprobs": []}],
}
_CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
}
_REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "hm"}, {"type": "summary_text", "text": "so"}],
    "encrypted_content": "c2ln",
}
_CUSTOM = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "ls"}
_SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "m",
    "output": [_REASONING, _SEARCH, _MESSAGE, _CALL, _CUSTOM],
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 8,
    },
}
_BEGUN = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}


def _told(index: int, item: dict[str, Any], bare: dict[str, Any], *between: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one item."""
    place = {"output_index": index, "item_id": item["id"]}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": {**item, **bare}},
        *({**event, **place} for event in between),
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


_PART = {"content_index": 0}
_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": _BEGUN},
    {"type": "response.in_progress", "response": _BEGUN},
    *_told(
        0,
        _REASONING,
        {"summary": []},
        {
            "type": "response.reasoning_summary_part.added",
            "summary_index": 0,
            "part": {"type": "summary_text", "text": ""},
        },
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "hm"},
        {"type": "response.reasoning_summary_text.done", "summary_index": 0, "text": "hm"},
        {
            "type": "response.reasoning_summary_part.added",
            "summary_index": 1,
            "part": {"type": "summary_text", "text": ""},
        },
        {"type": "response.reasoning_summary_text.delta", "summary_index": 1, "delta": "so"},
    ),
    *_told(1, _SEARCH, {"status": "in_progress"}, {"type": "response.web_search_call.searching"}),
    *_told(
        2,
        _MESSAGE,
        {"content": []},
        {
            "type": "response.content_part.added",
            **_PART,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        {"type": "response.output_text.delta", **_PART, "delta": "Hi ", "obfuscation": "xy"},
        {"type": "response.output_text.delta", **_PART, "delta": "é", "logprobs": []},
        {"type": "response.output_text.done", **_PART, "text": "Hi é"},
        {"type": "response.content_part.done", **_PART, "part": _MESSAGE["content"][0]},
    ),
    {"type": "keepalive"},
    *_told(
        3,
        _CALL,
        {"arguments": ""},
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.function_call_arguments.done", "arguments": "{}"},
    ),
    *_told(
        4,
        _CUSTOM,
        {"input": ""},
        {"type": "response.custom_tool_call_input.delta", "delta": "ls"},
        {"type": "response.custom_tool_call_input.done", "input": "ls"},
    ),
    {"type": "response.completed", "response": _RESPONSE},
]
RESPONSES_SEED = _sse(*({**event, "sequence_number": number} for number, event in enumerate(_EVENTS)), named=True)
_FAILED = {**_BEGUN, "status": "failed", "error": {"code": "server_error", "message": "no"}}


def _chunk(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A chunk of a Gemini answer."""
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}],
        "modelVersion": "m",
        "responseId": "r",
    }


_CHUNKS: list[dict[str, Any]] = [
    _chunk({"text": "hm é", "thought": True}),
    _chunk({"text": "Hi"}, {"text": " you", "thoughtSignature": "c2ln"}),
    _chunk({"functionCall": {"name": "f", "args": {"a": [1, None]}, "id": "c1"}, "thoughtSignature": "c2ln"}),
    _chunk({"functionCall": {"name": "g", "willContinue": True}}),
    _chunk({"functionCall": {"partialArgs": [{"jsonPath": "$.x[0]", "stringValue": "y"}], "willContinue": False}}),
    _chunk({"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}),
    {
        **_chunk(
            {"text": ""},
            finishReason="STOP",
            groundingMetadata={
                "webSearchQueries": ["q"],
                "groundingChunks": [{"web": {"uri": "https://example.test", "title": "t"}}],
                "groundingSupports": [{"segment": {"endIndex": 2, "text": "Hi"}, "groundingChunkIndices": [0]}],
            },
        ),
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 1,
            "totalTokenCount": 10,
        },
    },
]
_WHOLE = _chunk(
    {"text": "hm", "thought": True},
    {"text": "Hi", "thoughtSignature": "c2ln"},
    {"functionCall": {"name": "f", "args": {}}},
    finishReason="STOP",
)
_RPC = {"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "3s"}]}}
_MORE_SEEDS = {
    "openai_responses": (
        RESPONSES_SEED,
        _sse({"type": "error", "code": "server_error", "message": "no", "param": None}, named=True),
        _sse(
            {"type": "response.created", "response": _BEGUN},
            {"type": "response.failed", "response": _FAILED},
            named=True,
        ),
        json.dumps(_RESPONSE, ensure_ascii=False).encode(),
    ),
    "gemini": (
        _sse(*_CHUNKS, end=b"\r\n\r\n"),
        json.dumps(_CHUNKS, ensure_ascii=False, indent=2).encode(),
        _sse(_CHUNKS[0], _RPC),
        json.dumps({**_WHOLE, "usageMetadata": _CHUNKS[-1]["usageMetadata"]}).encode(),
        b'{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}',
    ),
}
SEEDS: dict[str, tuple[bytes, ...]] = {
    "anthropic": (
        ANTHROPIC_SEED,
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"},{"type":'
        b'"tool_use","id":"t","name":"f","input":{"a":[1,null]}}],"stop_reason":"tool_use","stop_sequence":null,"usage":'
        b'{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3}}',
    ),
    "openai_chat": (
        CHAT_SEED,
        b'data: {"error":{"message":"no","code":429}}\n\n',
        b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
        b'"content":"Hi","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f",'
        b'"arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    ),
    **_MORE_SEEDS,
}
