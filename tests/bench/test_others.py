"""The bodies of other dialects are of one size and hold one conversation."""

from __future__ import annotations

import pytest

from bench import bodies, others, script
from strowger.dialects.base import NOWHERE, Spot
from strowger.gateway.app import DIALECTS
from strowger.ir.request import ToolCall, ToolResult

MODEL = script.model_name(1, 0)


def spot(dialect: str) -> Spot:
    return Spot(MODEL, stream=True) if dialect == "gemini" else NOWHERE


@pytest.mark.parametrize("dialect", script.STREAMS)
def test_an_agents_request(dialect: str) -> None:
    """About 93 KB that parse: the same calls, each with its result, and the same tools."""
    body = others.agent_body(dialect, MODEL)
    assert abs(len(body) - bodies.CLAUDE_CODE_SIZE) < 2_000
    read = DIALECTS[dialect].client.parse_request(body, spot(dialect))
    parts = [part for message in read.messages for part in message.parts]
    calls = [part.id for part in parts if isinstance(part, ToolCall)]
    assert len(calls) == 12
    assert sorted(part.call_id for part in parts if isinstance(part, ToolResult)) == sorted(calls)
    assert len(read.tools) == 25
    assert (read.model, read.stream) == (MODEL, True)


@pytest.mark.parametrize("dialect", script.STREAMS)
def test_a_small_request(dialect: str) -> None:
    """One line, to the same model."""
    body = others.small_body(dialect, MODEL)
    assert len(body) < 150
    read = DIALECTS[dialect].client.parse_request(body, spot(dialect))
    assert (read.model, read.stream, len(read.messages)) == (MODEL, True, 1)
