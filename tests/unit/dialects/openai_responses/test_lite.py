"""The shape in which tools and instructions stand in the input."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.openai_responses.lite import MARK
from tests.unit.dialects.openai_responses.asking import CODEX, body, foreign, parsed, sent
from tests.unit.dialects.openai_responses.test_passing import USER, ok

LITE = replace(CODEX, lite=True)
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}
SHAPED: dict[str, Any] = {
    "store": False,
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low", "context": "all_turns"},
}


def test_tools_and_instructions_go_into_the_input() -> None:
    """Before what was said; everything else is as it was, with the marks of the shape."""
    plain = body(USER, instructions="Be good.", tools=[TOOL], reasoning={"effort": "low"}, prompt_cache_key="k")
    written, losses = sent(parsed(plain), LITE)
    assert written["input"] == [
        {"type": "additional_tools", "role": "developer", "tools": [TOOL]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be good."}]},
        USER,
    ]
    assert not written.keys() & {"tools", "instructions", "tool_choice"}
    assert (written["parallel_tool_calls"], written["prompt_cache_key"]) == (False, "k")
    assert written["reasoning"] == {"effort": "low", "context": "all_turns"}
    assert written["client_metadata"] == {MARK: "true"}
    assert losses == ()


def test_what_the_shape_has_no_room_for() -> None:
    """A forced choice, parallel calls and the vendor's own tools are losses; labels are kept."""
    asked = body(
        USER,
        tools=[TOOL, {"type": "web_search"}],
        tool_choice="required",
        parallel_tool_calls=True,
        client_metadata={"a": "b"},
    )
    written, losses = sent(parsed(asked), LITE)
    assert [tool["type"] for tool in written["input"][0]["tools"]] == ["function"]
    assert written["client_metadata"] == {"a": "b", MARK: "true"}
    assert {loss.path for loss in losses} >= {"tool_choice", "tools[1]"}


def test_a_foreign_request() -> None:
    """Has the same shape; without tools and instructions nothing is put before it."""
    written, _ = sent(foreign(), LITE)
    assert "additional_tools" not in str(written)
    assert written["reasoning"]["context"] == "all_turns"
    assert written["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    "change, passes",
    [
        ({}, True),
        ({"tools": [TOOL]}, False),
        ({"instructions": "x"}, False),
        ({"parallel_tool_calls": True}, False),
        ({"reasoning": {"effort": "low"}}, False),
    ],
)
def test_what_has_it_already_passes(change: dict[str, Any], passes: bool) -> None:
    """Byte for byte, as Codex writes it; everything else is brought into it."""
    assert ok(body(USER, **{**SHAPED, **change}), LITE) is passes
