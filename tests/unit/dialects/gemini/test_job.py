"""What one rendering carries along."""

from __future__ import annotations

from msgspec.structs import replace

from strowger.dialects.gemini import FAITHFUL
from strowger.dialects.gemini.job import Job
from tests.unit.dialects.gemini.asking import GEMINI_3, asked, said


def test_a_name_that_fits_stays() -> None:
    """Dots, colons and hyphens are fine."""
    job = Job(said(), GEMINI_3)
    assert job.tool_name("a.b:c-d_1") == "a.b:c-d_1"
    assert not job.sent_names


def test_names_that_would_fall_together_stay_apart() -> None:
    """The hash is of the whole name, and the same every time."""
    job = Job(said(), GEMINI_3)
    assert job.tool_name("a b") != job.tool_name("a/b")
    assert job.tool_name("a b") == Job(said(), GEMINI_3).tool_name("a b")
    assert job.sent_names[job.tool_name("a b")] == "a b"


def test_own_names_are_only_shortened() -> None:
    """Google said what it takes; the client knows."""
    job = Job(asked(), replace(GEMINI_3, max_tool_name=20))
    assert job.tool_name("a b") == "a b"
    assert len(job.tool_name("x" * 30)) == 20


def test_the_same_loss_is_told_once() -> None:
    """A long history would repeat it hundreds of times."""
    job = Job(said(), GEMINI_3)
    job.lose_once("a", "why")
    job.lose_once("b", "why")
    job.lose("c", "other")
    assert [loss.path for loss in job.losses] == ["a", "c"]


def test_as_written_is_for_own_requests() -> None:
    """A foreign request has no spelling here."""
    assert Job(asked(), FAITHFUL).as_written
    assert not Job(said(), FAITHFUL).as_written
    assert not Job(asked(), GEMINI_3).as_written
