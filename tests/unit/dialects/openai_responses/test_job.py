"""What one rendering carries along."""

from __future__ import annotations

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.openai_responses.job import Job
from strowger.dialects.openai_responses.render import render_request
from strowger.dialects.openai_responses.wire import COMPACTION, FAITHFUL, NAME
from strowger.ir.request import Base64, CacheHint, Image, Request, Text
from tests.unit.dialects.openai_responses.asking import CODEX, COMPATIBLE, OPENAI, Json, foreign, parsed

OWN = Request(origin=NAME, model="m")


def test_who_has_what_only_the_vendor_has() -> None:
    """The vendor, and one of which nothing is known; and only for requests of this dialect."""
    assert [Job(OWN, caps).native for caps in (FAITHFUL, OPENAI, CODEX, COMPATIBLE)] == [True, True, True, False]
    assert [Job(OWN, caps).whole for caps in (FAITHFUL, OPENAI, CODEX, COMPATIBLE)] == [True, True, False, False]
    assert not Job(foreign(), OPENAI).native


def test_who_is_asked_for_a_summary() -> None:
    """Who does not make conversations shorter by itself."""
    asked = replace(OWN, forms=frozenset({COMPACTION}))
    assert Job(asked, COMPATIBLE).summarises
    assert not Job(asked, CODEX).summarises
    assert not Job(OWN, COMPATIBLE).summarises


@pytest.mark.parametrize(
    "members,converted",
    [
        ({}, False),
        ({"tools": [{"type": "function", "name": "f"}]}, False),
        ({"tools": [{"type": "custom", "name": "p"}]}, True),
        ({"tools": [{"type": "shell"}]}, True),
        ({"input": [{"type": "compaction_trigger"}]}, True),
    ],
)
def test_what_was_asked_for_in_another_way(members: Json, converted: bool) -> None:
    """Its answer has to be written back in the client's; the vendor's own is not touched."""
    request = parsed({"model": "m", "input": "hi", **members})
    assert render_request(request, "m", COMPATIBLE).converted is converted
    assert not render_request(request, "m", OPENAI).converted


def test_a_loss_that_comes_often_is_told_once() -> None:
    """A long history would repeat it hundreds of times."""
    job = Job(OWN, OPENAI)
    job.lose_once("a", "x", "info")
    job.lose_once("b", "x", "info")
    job.lose("c", "y")
    job.lose("c", "y")
    assert [loss.path for loss in job.losses] == ["a", "c"]


def test_what_is_left_of_a_part() -> None:
    """An own one keeps everything, a foreign one what has a meaning here."""
    text = Text("a", CacheHint(), (), {"x": Raw(b"1")})
    assert Job(OWN, FAITHFUL).own(text, "p") is text
    assert Job(foreign(), FAITHFUL).own(text, "p") == Text("a")
    picture = Image(Base64("image/png", "AA==", {"x": Raw(b"1")}))
    assert Job(foreign(), OPENAI).own(picture, "p") == Image(Base64("image/png", "AA=="))


def test_names() -> None:
    """The vendor's clients may write what they like; others' names are cleaned, and remembered."""
    own = Job(OWN, replace(OPENAI, max_tool_name=0))
    assert own.tool_name("a.b") == "a.b"
    assert not own.sent_names
    job = Job(foreign(), OPENAI)
    sent = job.tool_name("a.b")
    assert sent != "a.b"
    assert job.tool_name("a.b") == sent
    assert job.sent_names == {sent: "a.b"}


def test_ids() -> None:
    """Own ones stay, unless the target has a limit of its own."""
    assert Job(OWN, OPENAI).call_id("i" * 80) == "i" * 80
    assert len(Job(OWN, replace(OPENAI, max_tool_id=9)).call_id("i" * 80)) == 9
    assert len(Job(foreign(), OPENAI).call_id("i" * 80)) <= 64
