"""Requests of every dialect that hold a bit of everything: what mutation and cutting start from."""

from __future__ import annotations

from typing import Any

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
RESPONSES_SEED: dict[str, Any] = {
    "model": "gpt-m",
    "instructions": "Be brief.",
    "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be kind."}]},
        {"type": "message", "role": "user", "content": "Hi"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "content": None,
            "encrypted_content": "c2ln",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [
                {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "No."},
            ],
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": '{"at":[1]}'},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "apply_patch", "input": "*** Begin"},
        {"type": "function_call", "call_id": "call_3", "namespace": "mcp__x", "name": "do", "arguments": ""},
        {"type": "function_call_output", "call_id": "call_1", "output": "seen"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "done"},
        {
            "type": "function_call_output",
            "call_id": "call_3",
            "output": [
                {"type": "input_text", "text": "a picture"},
                {"type": "input_image", "image_url": "data:image/png;base64,aWNvbg==", "detail": "low"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "And?"},
                {"type": "input_image", "image_url": "https://example.test/a.png"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,cGRm"},
            ],
        },
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "c2ln"},
        {"type": "item_reference", "id": "msg_0"},
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": "more"}]},
    ],
    "tools": [
        {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True, "description": "Looks."},
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "namespace", "name": "mcp__x", "tools": [{"type": "function", "name": "do", "parameters": {}}]},
        {"type": "web_search", "filters": {"allowed_domains": ["a.test"]}, "user_location": {"type": "approximate"}},
        {"type": "mcp", "server_label": "s", "server_url": "https://example.test", "require_approval": "never"},
    ],
    "tool_choice": {"type": "function", "name": "look"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "out", "schema": {}, "strict": True}},
    "reasoning": {"effort": "high", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 100,
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "store": False,
    "stream": True,
    "metadata": {"a": "b"},
    "client_metadata": {"session_id": "s"},
}
GEMINI_SEED: dict[str, Any] = {
    "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {"text": "Let me look.", "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "look", "args": {"at": [1, None]}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "look", "args": {}, "id": "c2"}},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "look", "response": {"output": "seen"}}},
                {
                    "functionResponse": {
                        "name": "look",
                        "id": "c2",
                        "response": {"error": {"code": 1}},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "aWNvbg=="}}],
                    }
                },
                {"inline_data": {"mime_type": "image/png", "data": "aWNvbg=="}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}},
                {"text": "And?"},
            ],
        },
    ],
    "tools": [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Looks.", "parameters": {"type": "OBJECT", "properties": {"at": {}}}},
                {"name": "later", "parametersJsonSchema": {"type": "object", "additionalProperties": False}},
            ]
        },
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
    "generationConfig": {
        "temperature": 0.5,
        "topK": 3,
        "maxOutputTokens": 100,
        "stopSequences": ["END"],
        "candidateCount": 1,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
SEEDS = {
    "anthropic": ANTHROPIC_SEED,
    "openai_chat": CHAT_SEED,
    "openai_responses": RESPONSES_SEED,
    "gemini": GEMINI_SEED,
}
