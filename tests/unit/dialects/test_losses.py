"""What a foreign member costs."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.base import Loss
from strowger.dialects.losses import extras_losses, unique


def test_each_foreign_member_is_one_loss_with_its_path() -> None:
    """Unknown members may change the answer; book-keeping is known not to."""
    lost = extras_losses({"metadata": Raw(b'{"a":1}'), "seed": Raw(b"1")}, "messages[0]")
    assert [(loss.path, loss.severity) for loss in lost] == [
        ("messages[0].metadata", "info"),
        ("messages[0].seed", "warning"),
    ]


def test_members_that_say_nothing_are_no_loss() -> None:
    """Null, an empty list and an empty object carry nothing."""
    assert extras_losses({"a": Raw(b"null"), "b": Raw(b"[]"), "c": Raw(b"{}")}, "") == []


def test_a_member_of_the_top_has_its_bare_name() -> None:
    """There is no dot where there is nothing before it."""
    assert extras_losses({"seed": Raw(b"1")}, "", "why")[0] == Loss("seed", "why", "warning")


def test_the_same_loss_is_told_once() -> None:
    """Order is kept."""
    a, b = Loss("a", "x"), Loss("b", "x")
    assert unique([b, a, b]) == (b, a)
