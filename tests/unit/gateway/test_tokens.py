"""The local estimate counts everything that a prompt is made of, and nothing that is not sent."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.gateway.tokens import count
from strowger.ir.request import (
    Audio,
    Base64,
    Document,
    FunctionTool,
    Image,
    InlineText,
    Message,
    OutputFormat,
    Part,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)

WORDS = "the quick brown fox jumps over the lazy dog " * 20
SCHEMA = Raw(b'{"type":"object","properties":{"folder":{"type":"string","description":"which folder to look in"}}}')


def asked(*parts: Part, **more: object) -> Request:
    """A request with one user message."""
    return Request(origin="anthropic", model="m", messages=(Message("user", parts),), **more)  # type: ignore[arg-type]


EMPTY = count(asked())


def test_text_is_near_a_word_a_token() -> None:
    """Plain English is about a token for each word, whatever it stands in."""
    words = len(WORDS.split())
    for request in (
        asked(Text(WORDS)),
        asked(Thinking(WORDS)),
        asked(ToolCall("t", "", WORDS)),
        asked(ToolResult("t", (Text(WORDS),))),
        asked(Document(InlineText(WORDS))),
        asked(system=(Text(WORDS),)),
        asked(tools=(FunctionTool("", WORDS),)),
    ):
        assert words * 0.9 <= count(request) - EMPTY <= words * 1.3


@pytest.mark.parametrize(
    "part, at_least",
    [
        (Image(Base64("image/png", "AAAA" * 50_000)), 1000),
        (Image(Url("https://example.com/a.png")), 1000),
        (Document(Base64("application/pdf", "AAAA" * 50_000)), 4000),
        (Document(Url("https://example.com/a.pdf")), 1000),
        (Audio("AAAA" * 50_000, "wav"), 100),
        (ToolResult("t", (Image(Base64("image/png", "AAAA" * 50_000)),)), 1000),
    ],
    ids=["image", "image url", "pdf", "pdf url", "audio", "image in a result"],
)
def test_bytes_are_not_text(part: Part, at_least: int) -> None:
    """Pictures, pages and sound count a flat sum: their base64 is not what a model reads."""
    assert at_least <= count(asked(part)) - EMPTY <= 10_000


def test_schemas_count() -> None:
    """Schemas of tools and of the answer are part of the prompt."""
    bare = count(asked(tools=(FunctionTool("look"),)))
    assert count(asked(tools=(FunctionTool("look", parameters=SCHEMA),))) > bare + 10
    assert count(asked(output=OutputFormat("json_schema", schema=SCHEMA))) > EMPTY + 10


def test_deferred_tools_do_not_count() -> None:
    """What the model is not shown costs nothing but its place."""
    assert count(asked(tools=(FunctionTool("look", WORDS, SCHEMA, deferred=True),))) <= EMPTY + 10


def test_lone_surrogates_are_counted_too() -> None:
    """Half an emoji, cut off by a client, does not break the count."""
    assert count(asked(Text("\ud83d cut"))) > EMPTY
