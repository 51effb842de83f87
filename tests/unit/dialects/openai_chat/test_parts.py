"""Pieces that requests and answers share."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.openai_chat.parts import render_part
from strowger.ir.request import Opaque, ServerToolCall


def test_parts_without_a_form_are_none() -> None:
    """The caller knows what to say instead."""
    assert render_part(ServerToolCall("1", "web_search", "{}")) is None
    assert render_part(Opaque("anthropic", "compaction", Raw(b"{}"))) is None
