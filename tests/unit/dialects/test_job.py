"""What one rendering carries along, whatever the dialect."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.dialects.base import Capabilities, Loss
from strowger.dialects.job import BaseJob
from strowger.dialects.names import plain
from strowger.ir.request import Base64, CacheHint, Citation, Image, Part, Request, Text, ToolCall

CAPS = Capabilities()
ODD = {"odd": Raw(b"1")}


def job(origin: str = "elsewhere", caps: Capabilities = CAPS) -> BaseJob:
    return BaseJob(Request(origin, "m"), caps, "here", plain)


def test_a_sentence_is_told_once() -> None:
    """However many places it holds for; other sentences are told beside it."""
    one = job()
    for i in range(3):
        one.lose_once(f"messages[{i}]", "the same", "info")
    one.lose("messages[0]", "another")
    assert list(one.losses) == [Loss("messages[0]", "the same", "info"), Loss("messages[0]", "another", "warning")]


@pytest.mark.parametrize(
    "part,left,lost",
    [
        (Text("a", citations=(Citation(Raw(b"{}")),), extras=ODD), Text("a"), {"p.odd", "p.citations"}),
        (Image(Base64("image/png", "AA==", ODD)), Image(Base64("image/png", "AA==")), set()),
        (ToolCall("1", "f", "{}", cache=CacheHint()), ToolCall("1", "f", "{}"), {"cache_control"}),
    ],
)
def test_a_foreign_part_loses_what_is_foreign_in_it(part: Part, left: Part, lost: set[str]) -> None:
    """Also in its source, and its cache hints; a part of this dialect stays what it is."""
    foreign = job()
    assert foreign.own(part, "p") == left
    assert {loss.path for loss in foreign.losses} == lost
    ours = job("here", Capabilities(cache_hints=True))
    assert ours.own(part, "p") is part
    assert not ours.losses


def test_names_come_back() -> None:
    """What had to change is known by the name it was sent under."""
    one = job()
    assert (one.tool_name("a.b"), one.tool_name("c")) == ("a__b", "c")
    assert one.sent_names == {"a__b": "a.b"}


def test_the_effects_of_a_part_can_be_had_again() -> None:
    """Its losses, those that are told once as if it came first, and the names it asked for; nothing before that."""
    one = job()
    one.lose_once("a", "told once")
    one.begin()
    one.lose_once("b", "told once")
    one.lose_once("c", "told once")
    one.lose_extras(ODD, "d")
    one.tool_name("a.b")
    effects = one.end()
    assert [(once, loss.path) for once, loss in effects.losses] == [("told once", "b"), ("", "d.odd")]
    assert effects.names.names == (("a.b", "a__b"),)
    assert [loss.path for loss in one.losses] == ["a"]
    one.repeat(effects)
    assert [loss.path for loss in one.losses] == ["a", "d.odd"]
    other = job()
    assert other.holds(effects)
    assert other.sent_names == {"a__b": "a.b"}
    other.repeat(effects)
    assert [loss.path for loss in other.losses] == ["b", "d.odd"]
    assert not job(caps=Capabilities(max_tool_name=3)).holds(effects)


def test_names_that_were_asked_for_in_vain_are_forgotten() -> None:
    """Who holds the map of them holds it still."""
    one = job()
    names = one.sent_names
    one.tool_name("a.b")
    one.mark()
    one.tool_name("c.d")
    one.undo()
    assert names is one.sent_names
    assert names == {"a__b": "a.b"}


def test_what_decides_has_a_number() -> None:
    """One for what is equal, another for each that differs in anything."""
    same = job(caps=Capabilities()).space("more")
    others = [job("here"), job(caps=Capabilities(origin="up"))]
    assert job().space("more") == same
    assert len({same, job().space(), *[each.space("more") for each in others]}) == 4
