"""The middle form of a request."""

from __future__ import annotations

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.ir.request import Message, Request, Text


def test_nodes_cannot_be_changed() -> None:
    """What comes before and after a change can be compared, for nobody changes a node in place."""
    request = Request("anthropic", "m", (Message("user", (Text("hi"),)),))
    with pytest.raises(AttributeError):
        request.model = "n"  # type: ignore[misc]
    with pytest.raises(TypeError):
        request.extras["x"] = Raw(b"1")  # type: ignore[index]
    assert replace(request, model="n") != request


def test_silence_is_not_a_value() -> None:
    """A request that says nothing of a setting holds None for it, not somebody's default."""
    request = Request("anthropic", "m")
    unsaid = (request.max_tokens, request.tool_choice, request.parallel, request.reasoning, request.output)
    assert unsaid == (None,) * 5
    assert request.sampling.temperature is None


def test_plain_is_a_spelling() -> None:
    """A bare string and a list with one text differ in how they are written only."""
    assert replace(Message("user", (Text("hi"),), plain=True), plain=False) == Message("user", (Text("hi"),))
