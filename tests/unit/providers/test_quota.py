"""What a provider says of its limits."""

from __future__ import annotations

from strowger.providers.quota import Reading, Window


def test_least_left() -> None:
    """What is left of an account is what is left of its most used window; unknown windows say nothing."""
    windows = (
        Window(name="five hours", used_percent=40.0),
        Window(name="week", used_percent=95.5),
        Window(name="requests", limit=100, remaining=3),
    )
    assert Reading(at=0.0, windows=windows).left_percent == 4.5
    assert Reading(at=0.0, windows=windows[2:]).left_percent is None
