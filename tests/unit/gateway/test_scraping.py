"""What of the figures is looked at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from strowger.gateway.health import Broken, Resting
from strowger.gateway.scraping import Observer, alias, looker
from strowger.providers.quota import Reading, Window
from strowger.telemetry import families
from strowger.telemetry.tallies import Family

NOW = 1_000_000.0


def looked(family: Family, **health: Any) -> dict[tuple[str, ...], float]:
    seen = SimpleNamespace(
        wall=lambda: NOW,
        readings=health.get("readings", {}),
        resting=lambda: health.get("resting", ()),
        broken=lambda: health.get("broken", ()),
    )
    settings = SimpleNamespace(started=NOW - 60, read_well=False, read_at=NOW - 50)
    log = SimpleNamespace(redactions={"jwt": 3})
    observers = lambda: [Observer("store", 7, {"bodies": 2, "flows": 1})]  # noqa: E731
    look = looker(seen, lambda: ("groq", "codex"), settings, log, observers)  # type: ignore[arg-type]
    return {labels: value for of, labels, value in look() if of is family}


def test_what_is_left_of_an_account() -> None:
    """As a share of the whole, however the provider said it; a window that has begun anew is full."""
    windows = (
        Window(name="5h", used_percent=75.0, resets_at=NOW + 100),
        Window(name="7d", used_percent=99.0, resets_at=NOW - 1),
        Window(name="requests", limit=50, remaining=10),
        Window(name="silent"),
    )
    readings = {("codex", "me@example.com"): Reading(at=NOW, windows=windows)}
    name = alias("me@example.com")
    assert looked(families.QUOTA_LEFT, readings=readings) == {
        ("codex", name, "5h"): 0.25, ("codex", name, "7d"): 1.0, ("codex", name, "requests"): 0.2,
    }  # fmt: skip
    assert looked(families.QUOTA_RESET, readings=readings) == {
        ("codex", name, "5h"): NOW + 100, ("codex", name, "7d"): NOW - 1,
    }  # fmt: skip


def test_an_address_is_no_label() -> None:
    """Figures go further than the gateway; other names are the user's own aliases."""
    assert alias("work") == "work"
    assert alias("me@example.com") == alias("me@example.com") != alias("you@example.com")
    assert "me" not in alias("me@example.com")


def test_a_breaker_is_in_one_state() -> None:
    """The worst of a provider's models; who never failed is closed."""
    broken = (Broken("groq", "u", "a", 5, 0.0), Broken("groq", "u", "b", 5, 12.0), Broken("gone", "u", None, 5, 0.0))
    states = looked(families.BREAKER, broken=broken)
    assert {labels for labels, value in states.items() if value} == {
        ("groq", "open"), ("codex", "closed"), ("gone", "half_open"),
    }  # fmt: skip
    assert len(states) == 9


def test_who_rests() -> None:
    """Once for an account, however many of its models rest."""
    resting = [Resting("codex", "work", model, "rate_limited", NOW + 9, True) for model in ("a", "b")]
    assert looked(families.RESTING, resting=resting) == {("codex", "work"): 1.0}


def test_those_who_look_on_and_the_gateway_itself() -> None:
    """What they could not keep up with, what was redacted, and whether the configuration could be read."""
    assert looked(families.DROPPED) == {("store", "bodies"): 2.0, ("store", "flows"): 1.0}
    assert looked(families.QUEUED) == {("store",): 7.0}
    assert looked(families.REDACTIONS) == {("jwt",): 3.0}
    assert looked(families.RELOADED_WELL) == {(): 0.0}
    assert looked(families.RELOADED_AT) == {(): NOW - 50}
    assert list(looked(families.BUILD).values()) == [1.0]
