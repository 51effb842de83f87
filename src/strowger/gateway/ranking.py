"""Whose turn it is: the targets of a call and the accounts of their providers, in the order in which they are asked.

Targets in the order of their route; the accounts of each as its `spread` says, but a conversation stays with the one
that has its prompt in a warm cache. Whoever rests or has an open breaker goes behind all others; whoever rests because
the provider itself said for how long is not asked at all. Only looks; what is asked, and what comes of it, is for
`attempts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from strowger.gateway.health import Health, Rest
from strowger.providers.base import Account, Provider
from strowger.routing.table import Target


class Candidate(Struct, frozen=True):
    """A target with one of its accounts; None where the provider has none.

    `place` is that of the target in its route. `fills_in`: another model of the same provider, for when that target has
    no room. `rest` is why it is not in its usual place, `is_broken` that its breaker is open.
    """

    target: Target
    account: Account | None
    place: int = 0
    fills_in: bool = False
    rest: Rest | None = None
    is_broken: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it is in its usual place."""
        return self.rest is None and not self.is_broken

    @property
    def must_rest(self) -> bool:
        """Whether the provider itself has said that there is no use in asking."""
        return self.rest is not None and self.rest.told

    @property
    def label(self) -> str:
        """`provider/account:model`; the account only where there may be several."""
        provider = self.target.provider
        account = shown_account(provider, self.account)
        return f"{provider.name}/{account}:{self.target.model}" if account else f"{provider.name}:{self.target.model}"


class Ranking(Struct, frozen=True):
    """`asked` in this order. `resting` are not asked before their time. `passed` were before the first in their usual
    order.
    """

    asked: tuple[Candidate, ...]
    resting: tuple[Candidate, ...] = ()
    passed: tuple[Candidate, ...] = ()


def rank(targets: Sequence[Target], health: Health, session: str | None) -> Ranking:
    """The order for one call of a conversation."""
    usual: list[Candidate] = []
    for place, target in enumerate(targets):
        accounts = _accounts(target.provider, health, session)
        models = (target.model, *(x for x in target.provider.capacity_fallback if x != target.model))
        for number, model in enumerate(models):
            aim = target if number == 0 else replace(target, model=model)
            usual.extend(Candidate(aim, account, place, number > 0) for account in accounts)
    if health.calm:
        return Ranking(tuple(usual))
    seen = [_looked_at(candidate, health) for candidate in usual]
    ready = tuple(one for one in seen if one.is_ready)
    resting = tuple(one for one in seen if one.must_rest)
    behind = tuple(one for one in seen if not one.is_ready and not one.must_rest)
    first = next((number for number, one in enumerate(seen) if one.is_ready and not one.fills_in), len(seen))
    passed = tuple(one for one in seen[:first] if not one.fills_in) if ready else ()
    return Ranking((*ready, *behind), resting, passed)


def shown_account(provider: Provider, account: Account | None) -> str:
    """An account's name where it says anything: the only one of a provider that names none is called something, too."""
    if account is None or (len(provider.accounts) < 2 and account.name == "default"):
        return ""
    return account.name


def _looked_at(candidate: Candidate, health: Health) -> Candidate:
    provider, model = candidate.target.provider, candidate.target.model
    rest = health.rest(provider, candidate.account, model)
    is_broken = health.standing(provider, model) == "open"
    return replace(candidate, rest=rest, is_broken=is_broken) if rest is not None or is_broken else candidate


def _accounts(provider: Provider, health: Health, session: str | None) -> Sequence[Account | None]:
    accounts = provider.accounts
    if len(accounts) < 2:
        return accounts or (None,)
    order = list(accounts)
    if provider.spread == "round_robin":
        turn = health.next_turn(provider) % len(order)
        order = order[turn:] + order[:turn]
    elif provider.spread == "most_left":
        # whom nobody has asked yet may have everything
        order.sort(key=lambda account: -_left(health, provider, account))
    else:
        order.sort(key=lambda account: _left(health, provider, account) <= 0)
    warm = health.sticks_to(provider, session) if session else None
    if warm is not None:
        order.sort(key=lambda account: account.name != warm)
    return order


def _left(health: Health, provider: Provider, account: Account) -> float:
    left = health.left_percent(provider, account)
    return 100.0 if left is None else left
