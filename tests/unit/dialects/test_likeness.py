"""Events that are alike all but for a text."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.likeness import Likeness


def event(text: str, **more: object) -> bytes:
    """An event with members before and behind its text."""
    return json.dumps({"id": "x", "delta": {"content": text}, **more}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "text", ["b", "", 'quo"te', "back\\", "\\", "naïve ☎ \U0001f600", '"},"x":{"content":"', "a\nb"]
)
@pytest.mark.parametrize("first", ["a", 'a"', "\\", ""])
def test_the_text_of_a_like_event_is_read(first: str, text: str) -> None:
    """Whatever is in it."""
    likeness = Likeness(b"content")
    assert likeness.text(event(first)) is None, "nothing was learnt yet"
    likeness.learn(event(first), first)
    assert likeness.text(event(text)) == text


@pytest.mark.parametrize(
    "other",
    [
        event("b", end=True),
        event("b").replace(b'"x"', b'"y"'),
        event("b").replace(b'"}}', b'","content":"c"}}'),
        event("b").replace(b'"b"', b'"b","role":"r"'),
        event("b").replace(b'"b"', b'"\xff"'),
        event("b").replace(b'"b"', b'"\\ud83d"'),
        event("b")[:-1],
        b'{"id":"x","delta":{"content":"}}',
        b"",
    ],
)
def test_an_event_that_says_more_is_not_read(other: bytes) -> None:
    """It has to be decoded."""
    likeness = Likeness(b"content")
    likeness.learn(event("a"), "a")
    assert likeness.text(other) is None


def test_what_is_not_one_text_is_not_learnt() -> None:
    """Two members of that name, or another text than was said."""
    likeness = Likeness(b"content")
    for data in (event("a", content="c"), event("b"), b'{"delta":{}}', b'{"content" : "a"}'):
        likeness.learn(data, "a")
        assert likeness.text(data) is None


def test_servers_that_never_repeat_themselves_are_given_up() -> None:
    """Learning costs, too."""
    likeness = Likeness(b"content")
    for number in range(20):
        assert likeness.text(event("a", at=number)) is None
        likeness.learn(event("a", at=number), "a")
    likeness.learn(event("a"), "a")
    assert likeness.text(event("b")) is None
