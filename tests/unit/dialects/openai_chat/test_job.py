"""What one rendering carries along."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.base import Capabilities, Loss
from strowger.dialects.openai_chat.job import Job
from strowger.ir.request import Base64, CacheHint, Citation, Image, Request, Text


def foreign(**caps: object) -> Job:
    return Job(Request("anthropic", "m"), Capabilities(**caps))  # type: ignore[arg-type]


def test_a_sentence_is_told_once() -> None:
    """However many places it holds for."""
    job = foreign()
    for i in range(3):
        job.lose_once(f"messages[{i}]", "the same", "info")
    job.lose("messages[0]", "another")
    assert list(job.losses) == [Loss("messages[0]", "the same", "info"), Loss("messages[0]", "another", "warning")]


def test_a_foreign_part_loses_what_is_foreign_in_it() -> None:
    """Also in its source; a part of this dialect stays what it is."""
    text = Text("a", citations=(Citation(Raw(b"{}")),), extras={"odd": Raw(b"1")})
    picture = Image(Base64("image/png", "AA==", {"odd": Raw(b"1")}))
    job = foreign()
    assert job.own(text, "p") == Text("a")
    assert job.own(picture, "p") == Image(Base64("image/png", "AA=="))
    assert {loss.path for loss in job.losses} == {"p.odd", "p.citations"}
    ours = Job(Request("openai_chat", "m"), Capabilities())
    assert ours.own(text, "p") is text
    assert not ours.losses


def test_cache_hints_stay_where_they_are_taken() -> None:
    """Else they are one loss for all."""
    hinted = Text("a", cache=CacheHint())
    assert foreign(cache_hints=True).own(hinted, "p") is hinted
    assert foreign().own(hinted, "p") == Text("a")


def test_names_that_fit_are_left_alone() -> None:
    """There is nothing to give back then."""
    job = foreign()
    assert job.tool_name("mcp__server__tool-1") == "mcp__server__tool-1"
    assert job.sent_names == {}
