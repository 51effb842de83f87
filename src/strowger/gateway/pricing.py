"""What each call cost, said once, when it is over. Microseconds: a price is looked up once for each model and day.

Must not know where prices come from, nor what is done with the sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from strowger.flows.flow import Flow
from strowger.routing.prices import Price, Prices, stated_cost, tiers_of

_MOST_KNOWN = 1000


class Pricing:
    """Sets `billed` of calls. One for each gateway."""

    def __init__(self, read: Callable[[], Prices]) -> None:
        """`read` gives the price lists as they are now. Raises ConfigError as it does."""
        self.read = read
        self._prices = read()
        self._known: dict[tuple[tuple[str, ...], str, int], Price | None] = {}

    def adopt(self, prices: Prices) -> None:
        """Go on with other price lists."""
        self._prices = prices
        self._known.clear()

    def price(self, flow: Flow) -> None:
        """Say what a call cost. What nobody counted, and what no list has a price for, stays None."""
        flow.billed = 0.0 if flow.billing == "free" else self._cost(flow)

    def _cost(self, flow: Flow) -> float | None:
        usage = flow.usage
        stated = stated_cost(usage.extras)
        if stated:
            return stated
        # An answer that says nothing of its model is one of the model that was asked.
        price = self._price(flow, flow.response_model or flow.upstream_model)
        if price is None:
            return stated  # of what is free at its provider there is no price
        tiers = tiers_of(usage.extras, flow.finish.extras if flow.finish else {}, flow.tier)
        return price.cost(usage, tiers)

    def _price(self, flow: Flow, model: str) -> Price | None:
        key = (flow.places, model, int(flow.started // 86400))
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            day = time.strftime("%Y-%m-%d", time.gmtime(flow.started))
            self._known[key] = self._prices.find(model, flow.places, day)
        return self._known[key]
