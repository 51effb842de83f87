"""Thinking between tags in the content."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.openai_chat.thinktags import ThinkTags, framed, split_whole


def split(*pieces: str) -> tuple[str, str]:
    """Thinking and text of a content that comes in pieces."""
    tags = ThinkTags()
    stretches = [stretch for piece in pieces for stretch in tags.split(piece)] + tags.rest()
    return "".join(text for inside, text in stretches if inside), "".join(
        text for inside, text in stretches if not inside
    )


@pytest.mark.parametrize(
    "content,thought,text",
    [
        ("<think>a</think>b", "a", "b"),
        (" \n<think>a</think>\n\n b", "a", "b"),
        ("<think></think>b", "", "b"),
        ("<think>a<b></think>c</think>", "a<b>", "c</think>"),
        ("<think>never closed", "never closed", ""),
        ("<think>cut</thi", "cut</thi", ""),
        ("plain", "", "plain"),
        ("  plain", "", "  plain"),
        ("a <think>b</think>", "", "a <think>b</think>"),
        ("<thinking>a</thinking>", "", "<thinking>a</thinking>"),
        ("<thin", "", "<thin"),
        ("\n\n", "", "\n\n"),
        ("<", "", "<"),
        ("", "", ""),
    ],
)
def test_however_it_is_cut(content: str, thought: str, text: str) -> None:
    """At once, character by character, and at every single place."""
    assert split(content) == (thought, text)
    assert split(*content) == (thought, text)
    assert all(split(content[:at], content[at:]) == (thought, text) for at in range(len(content)))


def test_text_is_not_held_longer_than_needed() -> None:
    """What cannot be a tag any more leaves at once."""
    tags = ThinkTags()
    assert tags.split("<th") == []
    assert tags.split("ere") == [(False, "<there")]
    assert tags.done
    assert tags.split("x") == [(False, "x")]
    assert tags.split("") == []


def test_a_whole_content_comes_back() -> None:
    """White space around the tags included."""
    for content in ("<think>a</think>b", " \n<think>\na\n</think>\n\nb", "<think>open", "<think></think>"):
        parts = split_whole(content)
        assert parts is not None
        thought, frame, text = parts
        assert framed(thought, frame) + text == content


@given(st.text(alphabet="<>/think \na", max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_pieces_do_not_matter(content: str, cuts: list[int]) -> None:
    """Any cutting gives what one piece gives, and nothing but tags and the space behind them is lost."""
    ends = sorted({min(cut, len(content)) for cut in cuts} | {0, len(content)})
    pieces = [content[start:end] for start, end in pairwise(ends)]
    assert split(*pieces) == split(content)
    whole = split_whole(content)
    assert split(content) == ((whole[0], whole[2]) if whole else ("", content))
