"""Which bodies of this dialect may go to an upstream untouched."""

from __future__ import annotations

import json

import pytest

from strowger.dialects import envelope
from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat import DIALECT
from strowger.ir.request import Signed
from tests.unit.dialects.openai_chat.talk import Json

USER = {"role": "user", "content": "hi"}
SYSTEM = {"role": "system", "content": "be"}


def passes(body: Json, **caps: object) -> bool:
    """Whether a body passes, written tightly and loosely."""
    target = Capabilities(origin="here", **caps)  # type: ignore[arg-type]
    tight = json.dumps(body, separators=(",", ":")).encode()
    loose = json.dumps(body, indent=2).encode()
    verdict = DIALECT.upstream.passes(tight, target)
    assert DIALECT.upstream.passes(loose, target) is verdict
    return verdict


@pytest.mark.parametrize(
    "members,caps",
    [
        ({"messages": [{"role": "developer", "content": "be"}, USER]}, {"system_role": "developer"}),
        ({"max_completion_tokens": 9}, {"max_tokens_field": "max_completion_tokens"}),
        ({"max_tokens": 9}, {"max_tokens_field": "max_tokens"}),
        ({"max_tokens": 9}, {"max_output_tokens": 9}),
        ({"max_tokens": 9}, {"min_output_tokens": 9}),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}, {}),
        ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, {}),
        ({"tool_choice": "required"}, {}),
        ({"parallel_tool_calls": False}, {}),
        ({"temperature": 1.5, "top_p": 0.5}, {}),
        ({"temperature": 1}, {"temperature_max": 1.0}),
        ({"stop": ["x"]}, {}),
        ({"reasoning_effort": "high"}, {"efforts": ("low", "high")}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"messages": [USER, {"role": "assistant", "content": "a"}]}, {}),
        ({"messages": [{"role": "system", "content": "be"}, USER]}, {"mid_system": False}),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, {}),
        ({"anything": {"later": 1}}, {}),
    ],
)
def test_what_is_taken_passes(members: Json, caps: Json) -> None:
    """Unknown members too: they are for the upstream to judge."""
    assert passes({"model": "m", "messages": [USER], **members}, **caps)


@pytest.mark.parametrize(
    "members,caps",
    [
        ({"messages": [{"role": "developer", "content": "be"}, USER]}, {}),
        ({"max_completion_tokens": 9}, {}),
        ({"max_tokens": 9}, {"max_tokens_field": "max_completion_tokens"}),
        ({"max_tokens": 9}, {"max_output_tokens": 8}),
        ({"max_tokens": 9}, {"min_output_tokens": 16}),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, {"images": False}),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
            {"image_urls": False},
        ),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, {"documents": False}),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, {"audio": False}),
        ({"tools": [{}]}, {"tools": False}),
        ({"tools": [{"type": "custom", "custom": {}}]}, {}),
        ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, {"strict_tools": False}),
        ({"tools": [{"type": "function", "function": {"name": "f" * 65}}]}, {}),
        ({"messages": [{"role": "tool", "tool_call_id": "x" * 10, "content": ""}]}, {"max_tool_id": 9}),
        ({"tool_choice": "required"}, {"tool_choice": False}),
        ({"tool_choice": {"type": "function"}}, {"forced_tool_choice_with_thinking": False}),
        ({"parallel_tool_calls": False}, {"parallel_switch": False}),
        ({"temperature": 0.5}, {"sampling": False}),
        ({"temperature": 1.5}, {"temperature_max": 1.0}),
        ({"stop": "x"}, {"max_stop_sequences": 0}),
        ({"reasoning_effort": "max"}, {"efforts": ("low", "high")}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"structured_output": "json_object"}),
        ({"response_format": {"type": "json_object"}}, {"structured_output": "none"}),
        ({"stream_options": {"include_usage": True}}, {"stream_usage": False}),
        ({"messages": [USER, {"role": "assistant", "content": "a"}]}, {"prefill": False}),
        (
            {"messages": [USER, {"role": "system", "content": "be"}, {"role": "system", "content": "so"}]},
            {"mid_system": False},
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, {"thinking_required_in_tool_loops": True}),
        ({"messages": [USER, {"role": "assistant", "content": " \n"}]}, {"empty_text": False}),
        ({"tools": [{"type": "function", "function": {"parameters": {"type": "object"}}}]}, {"tool_schema": "typed"}),
        ({"thinking": {"effort": "xhigh"}}, {"thinking": "thinking_effort", "efforts": ("low", "max")}),
    ],
)
def test_what_would_be_refused_is_held_back(members: Json, caps: Json) -> None:
    """Each is a 400 somewhere; but a vendor that judges bodies of its own dialect itself gets them."""
    body = {"model": "m", "messages": [USER], **members}
    assert not passes(body, **caps)
    assert passes(body, **caps, judges_itself=True)


def test_an_envelope_is_always_opened_first() -> None:
    """Nobody but us can read it."""
    sealed = envelope.seal(Signed("anthropic", "anthropic:signature", "x"))
    body = {"model": "m", "messages": [{"role": "assistant", "reasoning_details": [{"signature": sealed}]}]}
    assert not passes(body)
    assert not passes(body, judges_itself=True)


def test_nothing_is_cut_out() -> None:
    """What is meant for another vendor alone does not occur in this dialect."""
    body = b'{"model": "m"}'
    assert DIALECT.upstream.trim(body, Capabilities()) is body
