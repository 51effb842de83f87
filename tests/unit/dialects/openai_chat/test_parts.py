"""Pieces that requests and answers share."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.openai_chat.parts import details_blob, envelope_detail, merge_detail, render_part
from strowger.dialects.openai_chat.wire import REASONING, REASONING_DETAILS
from strowger.ir.request import Opaque, ServerToolCall, Signed, Thinking
from tests.unit.dialects.openai_chat.talk import Json


def test_pieces_of_a_detail_are_merged() -> None:
    """Under one index and type; null and absent members do not undo what was said."""
    details: list[Json] = []
    merge_detail(details, {"type": "reasoning.summary", "index": 0, "summary": "a", "format": "f", "id": "1"})
    merge_detail(details, {"type": "reasoning.summary", "index": 0, "summary": "b", "format": None})
    merge_detail(details, {"type": "reasoning.summary", "index": 1, "summary": "c"})
    merge_detail(details, {"type": "reasoning.text", "index": 1, "text": "d"})
    assert [detail.get("summary") or detail.get("text") for detail in details] == ["ab", "c", "d"]
    assert details[0]["format"] == "f"


def test_sealed_details_are_never_merged() -> None:
    """Each is whole."""
    details: list[Json] = []
    for data in "xy":
        merge_detail(details, {"type": "reasoning.encrypted", "index": 0, "data": data})
    assert [detail["data"] for detail in details] == ["x", "y"]


def test_details_of_several_thoughts_are_one_list() -> None:
    """In their order; what is signed in another way is not among them."""
    parts = [
        Thinking("", Signed("o", REASONING_DETAILS, '[{"a":1},{"b":2}]')),
        Thinking("", Signed("o", "anthropic:signature", "sig")),
        Thinking("", Signed("o", REASONING_DETAILS, '[{"c":3}]')),
    ]
    assert [bytes(item) for item in details_blob(parts)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_there_is_no_envelope_without_anything_to_carry() -> None:
    """Plain thinking has an issuer, but no state."""
    assert envelope_detail(Thinking("hm"), 0) is None
    assert envelope_detail(Thinking("hm", Signed("o", REASONING, "")), 0) is None


def test_parts_without_a_form_are_none() -> None:
    """The caller knows what to say instead."""
    assert render_part(ServerToolCall("1", "web_search", "{}")) is None
    assert render_part(Opaque("anthropic", "compaction", Raw(b"{}"))) is None
