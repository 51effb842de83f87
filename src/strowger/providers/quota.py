"""What providers say of their limits: the windows, how much of each is used, and when it begins anew. Plain data.

The readers turn the headers of an answer into a `Reading`; which headers a provider sends is told by its dialect or its
terms. Must not know what is done about it.
"""

from __future__ import annotations

from msgspec import Struct


class Window(Struct, frozen=True, kw_only=True):
    """One limit. `used_percent` is 0 to 100; `limit` and `remaining` are in the window's own unit; `minutes` is its
    length; `resets_at` is Unix time. What the provider does not say is None.
    """

    name: str
    used_percent: float | None = None
    limit: float | None = None
    remaining: float | None = None
    minutes: float | None = None
    resets_at: float | None = None


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
        used = [window.used_percent for window in self.windows if window.used_percent is not None]
        return 100.0 - max(used) if used else None
