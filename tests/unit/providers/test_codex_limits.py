"""The limits of a ChatGPT account, from headers and from the event."""

from __future__ import annotations

import msgspec
import pytest

from strowger.providers.codex_limits import from_event, from_headers
from strowger.providers.quota import Credits, Window

NOW = 1_700_000_000.0


def test_windows_of_the_account() -> None:
    """Two windows, each with what is used, its length and when it begins anew."""
    reading = from_headers(
        {
            "x-codex-primary-used-percent": "12.5",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-at": "1700003600",
            "x-codex-secondary-used-percent": "61",
            "x-codex-secondary-window-minutes": "10080",
            "x-codex-secondary-reset-after-seconds": "60",
            "x-codex-plan-type": "pro",
        },
        NOW,
    )
    assert reading is not None
    assert reading.windows == (
        Window(name="primary", used_percent=12.5, minutes=300, resets_at=NOW + 3600),
        Window(name="secondary", used_percent=61, minutes=10080, resets_at=NOW + 60),
    )
    assert (reading.at, reading.plan, reading.limit_reached, reading.left_percent) == (NOW, "pro", False, 39)


def test_limits_of_single_models() -> None:
    """A family goes by the name that it gives itself, behind the windows of the account; that it is full stops no
    other model.
    """
    reading = from_headers(
        {
            "x-bengalfox-primary-used-percent": "100",
            "x-bengalfox-limit-name": "gpt-5.6-sol",
            "x-codex-secondary-used-percent": "3",
        },
        NOW,
    )
    assert reading is not None
    assert [window.name for window in reading.windows] == ["secondary", "gpt-5.6-sol primary"]
    assert not reading.limit_reached


def test_credits() -> None:
    """What can be spent beside the windows, and that nothing more is needed for it."""
    headers = {"x-codex-credits-has-credits": "True", "x-codex-credits-balance": "12.30"}
    reading = from_headers(headers, NOW)
    assert reading is not None
    assert reading.credits == Credits(has_credits=True, unlimited=False, balance="12.30")


@pytest.mark.parametrize(
    "headers",
    [{"x-codex-primary-used-percent": "100"}, {"x-codex-rate-limit-reached-type": "primary"}],
)
def test_a_limit_that_is_reached(headers: dict[str, str]) -> None:
    """By its name, or by a window of the account that is used up."""
    reading = from_headers(headers, NOW)
    assert reading is not None
    assert reading.limit_reached


@pytest.mark.parametrize("headers", [{}, {"x-request-id": "a", "x-codex-turn-state": "b", "x-models-etag": "c"}])
def test_headers_without_limits(headers: dict[str, str]) -> None:
    """Are no reading: what was said before still holds."""
    assert from_headers(headers, NOW) is None


@pytest.mark.parametrize("text", ["", "much", "nan", "inf", "1e300"])
def test_numbers_that_are_none(text: str) -> None:
    """Count as not said."""
    reading = from_headers({"x-codex-primary-used-percent": text, "x-codex-primary-reset-at": text}, NOW)
    assert reading is not None
    assert reading.windows == (Window(name="primary"),)


def event(**more: object) -> bytes:
    """A `codex.rate_limits` event."""
    window = {"used_percent": 42, "window_minutes": 300, "reset_at": 1700003600}
    limits = {"allowed": True, "limit_reached": False, "primary": window, "secondary": None}
    return msgspec.json.encode({"type": "codex.rate_limits", "plan_type": "plus", "rate_limits": limits, **more})


def test_the_event() -> None:
    """Tells what the headers tell."""
    reading = from_event(event(credits={"has_credits": True, "unlimited": False, "balance": "3.10"}), NOW)
    assert reading is not None
    assert reading.windows == (Window(name="primary", used_percent=42, minutes=300, resets_at=1700003600),)
    assert (reading.plan, reading.limit_reached) == ("plus", False)
    assert reading.credits == Credits(has_credits=True, balance="3.10")


@pytest.mark.parametrize("limits", [{"limit_reached": True}, {"allowed": False}])
def test_the_event_of_a_limit_that_is_reached(limits: dict[str, bool]) -> None:
    """In either word, with seconds from now instead of a time."""
    window = {"used_percent": 100, "reset_after_seconds": 90}
    reading = from_event(event(rate_limits={**limits, "primary": window}, metered_limit_name="gpt-6"), NOW)
    assert reading is not None
    assert reading.limit_reached
    assert reading.windows == (Window(name="gpt-6 primary", of_some=True, used_percent=100, resets_at=NOW + 90),)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"type":"keepalive"}',
        b'{"type":"codex.rate_limits"}',
        b'{"type":"codex.rate_limits","rate_limits":{"primary":7}}',
        b'{"type":"codex.rate_limits","rate_limits":',
        b'{"type":"response.created","name":"codex.rate_limits"}',
    ],
)
def test_other_events(data: bytes) -> None:
    """Say nothing of limits, nor does one that cannot be read."""
    assert from_event(data, NOW) is None
