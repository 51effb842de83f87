"""What is no loss although it stays behind: members of an answer that have been read."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.losses import extras_losses


def test_what_has_been_read_is_no_loss() -> None:
    """An answer keeps its own words for its end, and its sums, only to come back to its own dialect."""
    answer = {"finish_reason": Raw(b'"stop"'), "index": Raw(b"0"), "object": Raw(b'"chat.completion"')}
    assert extras_losses(answer, "") == []
    usage = {"total_tokens": Raw(b"7"), "prompt_tokens_details": Raw(b'{"cached_tokens":3}')}
    assert extras_losses(usage, "usage") == []


def test_other_counts_have_no_effect() -> None:
    """What else a vendor counts changes no answer."""
    (only,) = extras_losses({"cost": Raw(b"0.1")}, "usage")
    assert (only.path, only.severity) == ("usage.cost", "info")


def test_the_leftovers_of_a_message_are_told_one_by_one() -> None:
    """What is left of a message is no loss as such, but what it holds may be."""
    message = Raw(b'{"role":"assistant","refusal":null,"audio":{"id":"a"}}')
    assert [loss.path for loss in extras_losses({"message": message}, "")] == ["message.audio"]
    assert [loss.path for loss in extras_losses({"message": Raw(b'"hello"')}, "")] == ["message"]


def test_an_empty_string_says_nothing() -> None:
    """Servers that made tool calls leave an empty text behind."""
    assert extras_losses({"content": Raw(b'""')}, "message") == []
