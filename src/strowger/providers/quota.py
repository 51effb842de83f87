"""What providers say of their limits: the windows, how much of each is used, and when it begins anew. Plain data.

The readers turn the headers of an answer into a `Reading`; which of them is asked is told by the dialect, unless a host
has terms of its own. Must not know what is done about it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from strowger.providers.resets import moment

Headers = Mapping[str, str]


class Window(Struct, frozen=True, kw_only=True):
    """One limit. `used_percent` is 0 to 100; `limit` and `remaining` are in the window's own unit; `minutes` is its
    length; `resets_at` is Unix time. What the provider does not say is None. `of_some`: it is for some of the
    account's models only.
    """

    name: str
    of_some: bool = False
    used_percent: float | None = None
    limit: float | None = None
    remaining: float | None = None
    minutes: float | None = None
    resets_at: float | None = None

    def is_used_up(self, now: float) -> bool:
        """Whether nothing of it is left at Unix time `now`."""
        if self.resets_at is not None and self.resets_at <= now:
            return False
        return self.remaining == 0 or (self.used_percent is not None and self.used_percent >= 100)


class Credits(Struct, frozen=True, kw_only=True):
    """What can be spent beside the windows. `balance` is the provider's own text."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """What a provider last said of one account. `at` is Unix time. `limit_reached`: a window is used up; while there
    are credits that stops nothing.
    """

    at: float
    windows: tuple[Window, ...] = ()
    credits: Credits | None = None
    plan: str | None = None
    limit_reached: bool = False

    @property
    def left_percent(self) -> float | None:
        """How much is left of the window that has least; None when nobody said."""
        return self.left_at(self.at)

    def left_at(self, now: float) -> float | None:
        """The same at Unix time `now`: a window that has begun anew since is full. Those of some models say little of
        the others.
        """
        used = [
            _used_at(window, now) for window in self.windows if window.used_percent is not None and not window.of_some
        ]
        return 100.0 - max(used) if used else None

    def used_up(self, now: float) -> tuple[Window, ...]:
        """The windows of which nothing is left: those of the account, else those of some of its models."""
        found = tuple(window for window in self.windows if window.is_used_up(now))
        return tuple(window for window in found if not window.of_some) or found

    def after(self, earlier: Reading) -> Reading:
        """This reading and what an earlier one said of windows that this one does not mention."""
        named = {window.name for window in self.windows}
        kept = tuple(
            window
            for window in earlier.windows
            if window.name not in named and (window.resets_at is None or window.resets_at > self.at)
        )
        return replace(
            self,
            windows=(*self.windows, *kept) if kept else self.windows,
            credits=self.credits or earlier.credits,
            plan=self.plan or earlier.plan,
        )


def _used_at(window: Window, now: float) -> float:
    begun_anew = window.resets_at is not None and window.resets_at <= now
    return 0.0 if begun_anew or window.used_percent is None else window.used_percent


def read_headers(dialect: str, headers: Headers, now: float) -> Reading | None:
    """What the headers of an answer (names in lower case) say at Unix time `now`, as vendors of the dialect do."""
    if dialect == "anthropic":
        return _anthropic(headers, now)
    if dialect in {"openai_chat", "openai_responses"}:
        return _openai(headers, now)
    return None


# ---- Anthropic ----

_ANTHROPIC = "anthropic-ratelimit-"
_UNIFIED = "anthropic-ratelimit-unified-"
# Every answer that has any of these headers has one of these.
_ANTHROPIC_MARKS = (
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-input-tokens-limit",
)
_LENGTHS = {"5h": 300.0, "7d": 10080.0}


def _anthropic(headers: Headers, now: float) -> Reading | None:
    """Of keys `…-{requests,tokens,…}-{limit,remaining,reset}`, of plans `…-unified-{5h,7d,…}-{utilization,reset}`."""
    if not any(mark in headers for mark in _ANTHROPIC_MARKS):
        return None
    found: dict[str, dict[str, str]] = {}
    for name, value in headers.items():
        if name.startswith(_ANTHROPIC):
            is_unified = name.startswith(_UNIFIED)
            window, _, what = name[len(_UNIFIED if is_unified else _ANTHROPIC) :].rpartition("-")
            # the unified ones that begin with no number are about what is paid for beside the plan
            if what in _MEMBERS and (window[:1].isdigit() if is_unified else window):
                found.setdefault(window, {})[what] = value
    windows = tuple(_window(name, said, now, _LENGTHS.get(name.partition("_")[0])) for name, said in found.items())
    beside = headers.get(f"{_UNIFIED}overage-status")
    return Reading(
        at=now,
        windows=tuple(window for window in windows if window is not None),
        credits=None if beside is None else Credits(has_credits=beside.startswith("allowed")),
        limit_reached=headers.get(f"{_UNIFIED}status") == "rejected",
    )


_MEMBERS = frozenset({"limit", "remaining", "reset", "utilization"})


def _window(name: str, said: Mapping[str, str], now: float, minutes: float | None) -> Window | None:
    limit, remaining = _number(said.get("limit")), _number(said.get("remaining"))
    share = _number(said.get("utilization"))  # of 1
    used = None if share is None else 100 * share
    if used is None and limit and remaining is not None:
        used = 100 * (1 - remaining / limit)
    if used is None and remaining is None:
        return None
    resets_at = moment(said["reset"], now) if "reset" in said else None
    return Window(
        name=name.replace("-", " "),
        of_some="_" in name,  # 7d_opus
        used_percent=None if used is None else min(100.0, max(0.0, round(used, 2))),
        limit=limit,
        remaining=remaining,
        minutes=minutes,
        resets_at=resets_at,
    )


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


# ---- OpenAI, and who counts like it ----

_OPENAI = "x-ratelimit-"
# OpenAI and Groq; Cerebras and SambaNova say the unit of time; OpenRouter only counts requests.
_OPENAI_MARKS = (
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-remaining-requests-day",
    "x-ratelimit-remaining-tokens-minute",
    "x-ratelimit-remaining",
)
_SPANS = {"minute": 1.0, "hour": 60.0, "day": 1440.0}


def _openai(headers: Headers, now: float) -> Reading | None:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; a reset is a duration such as `6m0s`."""
    if not any(mark in headers for mark in _OPENAI_MARKS):
        return None
    found: dict[str, dict[str, str]] = {}
    for name, value in headers.items():
        if name.startswith(_OPENAI):
            what, _, window = name[len(_OPENAI) :].partition("-")
            if what in _MEMBERS:
                found.setdefault(window or "requests", {})[what] = value
    windows = tuple(_window(name, said, now, _SPANS.get(name.rpartition("-")[2])) for name, said in found.items())
    return Reading(at=now, windows=tuple(window for window in windows if window is not None))
