"""Readings of what providers say of their limits."""

from __future__ import annotations

import pytest

from strowger.providers.quota import Credits, Reading, Window, read_headers

NOW = 1_790_000_000.0
PLAN = {
    "anthropic-ratelimit-unified-status": "allowed_warning",
    "anthropic-ratelimit-unified-reset": "1790003600",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "anthropic-ratelimit-unified-5h-utilization": "0.83",
    "anthropic-ratelimit-unified-5h-reset": "1790003600",
    "anthropic-ratelimit-unified-7d-utilization": "0.2",
    "anthropic-ratelimit-unified-7d-reset": "1790500000",
    "anthropic-ratelimit-unified-7d_opus-utilization": "0.5",
    "anthropic-ratelimit-unified-overage-status": "rejected",
    "anthropic-ratelimit-unified-overage-utilization": "1.0",
    "request-id": "req_1",
}


@pytest.mark.parametrize(
    "windows, left",
    [
        ((), None),
        ((Window(name="5h"),), None),
        ((Window(name="5h", used_percent=30), Window(name="7d", used_percent=80)), 20),
    ],
)
def test_left(windows: tuple[Window, ...], left: float | None) -> None:
    """The narrowest window counts; of a window that says nothing, nothing is known."""
    assert Reading(at=0, windows=windows).left_percent == left


def test_a_window_that_has_begun_anew_is_full() -> None:
    """What was used before its reset is over, and neither stands in the way nor is it shown as used up."""
    reading = Reading(at=NOW, windows=(Window(name="5h", used_percent=100, resets_at=NOW + 10),))
    assert (reading.left_at(NOW + 9), len(reading.used_up(NOW + 9))) == (0, 1)
    assert (reading.left_at(NOW + 10), len(reading.used_up(NOW + 10))) == (100, 0)


def test_windows_of_some_models() -> None:
    """One that is used up leaves the account as full as it is; it only counts where nothing else does."""
    model = Window(name="spark primary", of_some=True, used_percent=100, resets_at=NOW + 1000)
    whole = Window(name="primary", used_percent=100, resets_at=NOW + 10)
    assert Reading(at=NOW, windows=(model,)).left_percent is None
    assert Reading(at=NOW, windows=(model, Window(name="primary", used_percent=30))).left_percent == 70
    assert Reading(at=NOW, windows=(model, whole)).used_up(NOW) == (whole,)
    assert Reading(at=NOW, windows=(model,)).used_up(NOW) == (model,)


def test_readings_add_up() -> None:
    """A later answer may mention other windows than an earlier one; what it does not mention still holds."""
    first = Reading(
        at=NOW,
        plan="max",
        credits=Credits(has_credits=True),
        windows=(Window(name="5h", used_percent=10, resets_at=NOW + 100), Window(name="old", resets_at=NOW + 5)),
    )
    later = Reading(at=NOW + 10, windows=(Window(name="requests", remaining=3),)).after(first)
    assert [window.name for window in later.windows] == ["requests", "5h"]
    assert (later.at, later.plan, later.credits) == (NOW + 10, "max", Credits(has_credits=True))
    again = Reading(at=NOW + 20, windows=(Window(name="5h", used_percent=11),)).after(later)
    assert [(window.name, window.used_percent) for window in again.windows] == [("5h", 11), ("requests", None)]


def test_an_anthropic_plan() -> None:
    """The windows of a subscription come as shares of one; what is paid for beside it is no window of the plan."""
    reading = read_headers("anthropic", PLAN, NOW)
    assert reading == Reading(
        at=NOW,
        windows=(
            Window(name="5h", used_percent=83, minutes=300, resets_at=1_790_003_600),
            Window(name="7d", used_percent=20, minutes=10080, resets_at=1_790_500_000),
            Window(name="7d_opus", of_some=True, used_percent=50, minutes=10080),
        ),
        credits=Credits(has_credits=False),
    )
    rejected = read_headers("anthropic", {**PLAN, "anthropic-ratelimit-unified-status": "rejected"}, NOW)
    assert rejected is not None
    assert rejected.limit_reached


def test_an_anthropic_key() -> None:
    """The limits of an API key are counts, with the time of their reset in RFC 3339."""
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:20Z",
        "anthropic-ratelimit-input-tokens-limit": "40000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
    }
    reading = read_headers("anthropic", headers, NOW)
    assert reading is not None
    assert reading.windows == (
        Window(name="requests", used_percent=2, limit=50, remaining=49, resets_at=NOW + 60),
        Window(name="input tokens", used_percent=100, limit=40000, remaining=0),
    )
    assert [window.name for window in reading.used_up(NOW)] == ["input tokens"]


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses"])
def test_openai(dialect: str) -> None:
    """OpenAI and who counts like it: resets are durations."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "45",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "20ms",
    }
    reading = read_headers(dialect, headers, NOW)
    assert reading is not None
    assert reading.windows == (
        Window(name="requests", used_percent=25, limit=60, remaining=45, resets_at=NOW + 360),
        Window(name="tokens", used_percent=100, limit=150000, remaining=0, resets_at=NOW + 0.02),
    )


def test_who_says_the_unit_of_time() -> None:
    """Some name the window after its length; one that gives no suffix counts requests."""
    headers = {
        "x-ratelimit-limit-requests-day": "14400",
        "x-ratelimit-remaining-requests-day": "14399",
        "x-ratelimit-reset-requests-day": "33011.38",
    }
    reading = read_headers("openai_chat", headers, NOW)
    assert reading is not None
    assert (reading.windows[0].name, reading.windows[0].minutes) == ("requests day", 1440)
    assert reading.windows[0].resets_at == pytest.approx(NOW + 33011.38)
    plain = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "1790000060000"}
    reading = read_headers("openai_chat", plain, NOW)
    assert reading is not None
    assert reading.windows == (
        Window(name="requests", used_percent=75, limit=20, remaining=5, resets_at=1_790_000_060),
    )


@pytest.mark.parametrize("dialect", ["anthropic", "openai_chat", "openai_responses", "gemini"])
def test_nothing_said(dialect: str) -> None:
    """Most answers of most hosts say nothing of limits."""
    assert read_headers(dialect, {"content-type": "text/event-stream", "date": "x"}, NOW) is None


@pytest.mark.parametrize("value", ["", "many", "nan", "-1", "1e999", "é"])
def test_nonsense_is_not_known(value: str) -> None:
    """A header that cannot be read is as good as none."""
    headers = dict.fromkeys(PLAN, value) | {
        "x-ratelimit-remaining-requests": value,
        "x-ratelimit-reset-requests": value,
    }
    for dialect in ("anthropic", "openai_chat"):
        reading = read_headers(dialect, headers, NOW)
        assert reading is not None
        assert reading.windows == ()
