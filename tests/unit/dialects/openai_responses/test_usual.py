"""The usual items and tools read in one go are what they are read member by member."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.envelope import seal
from strowger.dialects.openai_responses.items import parse_item
from strowger.dialects.openai_responses.tools import parse_tool
from strowger.dialects.openai_responses.usual import usual_item, usual_tool
from strowger.ir.request import Signed
from tests.unit.dialects.openai_responses.asking import Json

SAID = {"type": "output_text", "text": "a"}
SEALED = seal(Signed("anthropic", "anthropic:signature", "sig"))


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "hi"},
        {"role": "developer", "content": ""},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "role": "user", "content": "hi", "id": "msg_1"},
        {
            "type": "message",
            "role": "assistant",
            "content": [SAID],
            "id": "msg_1",
            "status": "completed",
            "phase": None,
        },
        {"role": "assistant", "content": [{**SAID, "annotations": [], "logprobs": []}, {**SAID, "annotations": []}]},
        {"type": "reasoning", "summary": []},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x", "content": None},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": SEALED},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": ""}], "status": "completed"},
        {"type": "function_call", "call_id": "", "name": "f", "arguments": "{}"},
        {"type": "function_call", "id": None, "call_id": "c", "name": "f", "arguments": "", "status": None},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "g", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "", "status": "completed"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
        {"type": "function_call_output", "call_id": "c", "output": "done", "id": "o"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
    ],
)
def test_a_usual_item(item: Json) -> None:
    """It is taken, and equal."""
    raw = Raw(json.dumps(item).encode())
    assert usual_item(raw) == parse_item(raw, "input[0]")


@pytest.mark.parametrize(
    "item",
    [
        {"role": "critic", "content": "hi"},
        {"role": "user", "content": None},
        {"role": "user", "content": []},
        {"role": "user", "content": "hi", "later": 1},
        {"role": "user", "content": [SAID]},
        {"role": "assistant", "content": [{"type": "input_text", "text": "hi"}]},
        {"role": "assistant", "content": [{**SAID, "annotations": [{}]}]},
        {"role": "user", "content": [{"type": "input_image"}]},
        {"type": None, "role": "user", "content": "hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}] * 2},
        {"type": "reasoning", "summary": [], "id": ""},
        {"type": "reasoning", "summary": [], "encrypted_content": None},
        {"type": "reasoning"},
        {"type": "reasoning", "summary": [{"text": "a"}]},
        {"type": "function_call_output", "call_id": "c", "output": [{"text": "x"}]},
        {"role": "user", "content": [{"text": "x"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": {}},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "{}", "namespace": "g"},
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": None},
        {"type": "custom_tool_call_output", "call_id": "", "output": "x"},
        {"type": "function_call_output", "call_id": "", "output": "x"},
        {"type": "function_call_output", "call_id": "c", "output": []},
        {"type": "function_call_output", "call_id": "c", "output": "x", "name": "f"},
        {"type": "compaction_trigger"},
    ],
)
def test_an_unusual_item(item: Json) -> None:
    """It is left to who reads closely."""
    assert usual_item(Raw(json.dumps(item).encode())) is None


@pytest.mark.parametrize("broken", [b"7", b"[]", b'{"role":"user","content":"\\ud83d"}', b"\xff"])
def test_a_broken_item(broken: bytes) -> None:
    """So is what is no item."""
    assert usual_item(Raw(broken)) is None


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "name": "f", "parameters": {"type": "object"}},
        {"type": "function", "name": "", "description": "d", "strict": False, "parameters": {}},
        {"type": "function", "name": "f", "strict": None, "parameters": []},
        {"type": "function", "name": "f", "strict": True, "parameters": "odd"},
        {"type": "custom", "name": "f", "description": "d", "format": {"type": "text"}},
        {"type": "custom", "name": "f", "format": 7},
    ],
)
def test_a_usual_tool(tool: Json) -> None:
    """It is taken, and equal."""
    raw = Raw(json.dumps(tool).encode())
    assert usual_tool(raw) == parse_tool(raw, "tools[0]")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "name": "f"},
        {"type": "function", "name": "f", "parameters": None},
        {"type": "function", "name": "f", "parameters": {}, "description": None},
        {"type": "function", "name": "f", "parameters": {}, "strict": "yes"},
        {"type": "function", "name": "f", "parameters": {}, "defer_loading": True},
        {"type": "function", "name": None, "parameters": {}},
        {"type": "custom", "name": "f"},
        {"type": "custom", "name": "f", "format": None},
        {"type": "web_search"},
        {"type": "namespace", "name": "n", "tools": []},
        {"name": "f", "parameters": {}},
        7,
    ],
)
def test_an_unusual_tool(tool: object) -> None:
    """It is left to who reads closely."""
    assert usual_tool(Raw(json.dumps(tool).encode())) is None
