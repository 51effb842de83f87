"""Thinking beside the content, and what comes home in it."""

from __future__ import annotations

from strowger.dialects import envelope
from strowger.dialects.openai_chat.thinking import details_blob, envelope_detail, merge_detail
from strowger.dialects.openai_chat.wire import REASONING, REASONING_DETAILS
from strowger.ir.request import Signed, Text, Thinking
from tests.unit.dialects.openai_chat.talk import Json, parsed


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


def test_envelopes_come_home() -> None:
    """What a client of this dialect brought back is state again, each signature with its own stretch of the text."""
    first, second = Signed("anthropic", "anthropic:signature", "1"), Signed("anthropic", "anthropic:signature", "2")
    redacted = Signed("anthropic", "anthropic:redacted", "3")
    details = [
        {"type": "reasoning.text", "signature": envelope.seal(first), "length": 2},
        {"type": "reasoning.encrypted", "data": envelope.seal(redacted)},
        {"type": "reasoning.text", "signature": envelope.seal(second), "length": 3},
    ]
    body = {"role": "assistant", "content": "t", "reasoning_content": "abcde", "reasoning_details": details}
    (message,) = parsed(messages=[body]).messages
    assert [(part.text, part.signed) for part in message.parts if isinstance(part, Thinking)] == [
        ("ab", first),
        ("", redacted),
        ("cde", second),
    ]


def test_a_single_signature_needs_no_length() -> None:
    """A client that keeps only what it knows of a detail loses nothing."""
    signed = Signed("anthropic", "anthropic:signature", "1")
    details = [{"type": "reasoning.text", "signature": envelope.seal(signed)}]
    body = {"role": "assistant", "content": "t", "reasoning_content": "hm", "reasoning_details": details}
    assert parsed(messages=[body]).messages[0].parts[0] == Thinking("hm", signed, "reasoning_content")


def test_a_text_that_was_changed_has_no_signature() -> None:
    """A signature of other words would be refused."""
    signed = Signed("anthropic", "anthropic:signature", "1")
    details = [{"type": "reasoning.text", "signature": envelope.seal(signed), "length": 2}] * 2
    body = {"role": "assistant", "content": "t", "reasoning_content": "cut", "reasoning_details": details}
    assert parsed(messages=[body]).messages[0].parts[0] == Thinking("cut", form="reasoning_content")


def test_clients_may_keep_the_details_alone() -> None:
    """The words are in the envelope too: some clients keep no text beside the details."""
    thoughts = [Thinking("hm", Signed("anthropic", "anthropic:signature", "1")), Thinking("", Signed("o", "k", "2"))]
    thoughts.append(Thinking("so", Signed("anthropic", "anthropic:signature", "3")))
    details = [envelope_detail(thought, i) for i, thought in enumerate(thoughts)]
    for beside in ({}, {"reasoning_content": "hmso"}, {"reasoning": "something else"}):
        body = {"role": "assistant", "content": "t", "reasoning_details": details, **beside}
        parts = parsed(messages=[body]).messages[0].parts
        assert [(part.text, part.signed) for part in parts if isinstance(part, Thinking)] == [
            (thought.text, thought.signed) for thought in thoughts
        ]


def test_what_nobody_signed_is_kept_beside_what_somebody_did() -> None:
    """A thought without state has no detail; its words stand in the text alone, in their place."""
    signed = Thinking("b", Signed("anthropic", "anthropic:signature", "1"))
    details = [envelope_detail(signed, 1)]
    body = {"role": "assistant", "content": "t", "reasoning_details": details, "reasoning_content": "abc"}
    parts = parsed(messages=[body]).messages[0].parts
    assert [(part.text, part.signed) for part in parts if isinstance(part, Thinking)] == [
        ("a", None),
        ("b", signed.signed),
        ("c", None),
    ]


def test_a_signature_without_its_words_is_none() -> None:
    """A signature of no words would be refused."""
    signed = Signed("anthropic", "anthropic:signature", "1")
    redacted = Signed("anthropic", "anthropic:redacted", "2")
    details = [
        {"type": "reasoning.text", "signature": envelope.seal(signed), "length": 2},
        {"type": "reasoning.encrypted", "data": envelope.seal(redacted)},
    ]
    body = {"role": "assistant", "content": "t", "reasoning_details": details}
    assert parsed(messages=[body]).messages[0].parts == (Text("t"),)


def test_what_is_tied_to_something_else_stands_for_itself() -> None:
    """The signature of a call holds whatever became of the thinking; so does one beside thinking that nobody signed."""
    call = Signed("google", "gemini:signature", "1", "call:c")
    item = Signed("openai", "openai_responses:reasoning", "2")
    words = {"type": "reasoning.text", "signature": envelope.seal(Signed("google", "x", "3")), "length": 9}
    sealed = [{"type": "reasoning.encrypted", "data": envelope.seal(signed)} for signed in (call, item)]
    for details, kept in (([words, *sealed], [call]), (sealed, [call, item])):
        body = {"role": "assistant", "content": "t", "reasoning_content": "cut", "reasoning_details": details}
        parts = parsed(messages=[body]).messages[0].parts
        assert [part.signed for part in parts if isinstance(part, Thinking)] == [None, *kept]
