"""What awaits a conversation where its model leads: how many tokens it may hold, and what its upstreams understand.

A client has to be told when it starts, and cannot be told later: so it is the least of what the routes have in store
for the conversation itself, whatever its length and its mode. Sub-agents and chores have routes and conversations of
their own. Where a route has fallbacks, its first target counts: that one is meant. Pure; must not know where facts come
from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise

from msgspec import Struct

from strowger.errors import UnknownModel
from strowger.providers.base import Provider, matches
from strowger.routing import aliases
from strowger.routing.facts import Facts, known
from strowger.routing.hints import Hints
from strowger.routing.roles import MAIN
from strowger.routing.table import RouteTable, Target

Told = Callable[[Provider, str], Facts]
"""What a provider's own list says of one of its models."""

_ANTHROPIC = "anthropic"
_ENDLESS = 1 << 62


class Prospect(Struct, frozen=True):
    """`room` is in tokens, and `target` the provider and model that has it; 0 and empty where nobody says, or where the
    client knows by itself. `output` is the most that this model writes. `betas`: all upstreams speak Messages, and take
    what is new in it.
    """

    room: int = 0
    target: str = ""
    output: int = 0
    betas: bool = False


def prospect(
    table: RouteTable, asked: Collection[str], told: Told, *, knows: Collection[str] = (), dialect: str = ""
) -> Prospect:
    """What awaits a conversation that asks for any of these models. `knows` are globs of models whose room the client
    knows, as long as it is really they who answer.
    """
    least: Prospect | None = None
    targets: list[Target] = []
    for model in asked:
        for plan in (False, True):
            for thinking in (False, True):
                hints = Hints(request_class=MAIN, plan=plan, thinking=thinking)
                ways = tuple(_stretches(table, model, hints, dialect))
                targets += [target for _, target in ways]
                found = _limit(ways, model, told, knows)
                if found is not None and (least is None or found.room < least.room):
                    least = found
    betas = bool(targets) and all(_takes_betas(target, dialect) for target in targets)
    room = least or Prospect()
    return Prospect(room.room, room.target, room.output, betas)


def _stretches(table: RouteTable, model: str, hints: Hints, dialect: str) -> Iterator[tuple[int, Target]]:
    """The targets of a conversation as it grows, each with the length at which its stretch ends."""
    for start, end in pairwise((0, *table.turns(), _ENDLESS)):
        try:
            route = table.match(model, hints=_at(hints, start), dialect=dialect)
        except UnknownModel:
            continue
        if route.targets:
            yield end, route.targets[0]


def _at(hints: Hints, length: int) -> Hints:
    return Hints(request_class=hints.request_class, plan=hints.plan, thinking=hints.thinking, prompt=length)


def _limit(ways: Iterable[tuple[int, Target]], model: str, told: Told, knows: Collection[str]) -> Prospect | None:
    """Where a conversation comes to its end: in the first stretch that is longer than its model has room."""
    begin = 0
    for end, target in ways:
        facts = _facts(target, model, told, knows)
        if facts is not None and facts.room < end:
            named = f"{target.provider.name}:{target.model}"
            return Prospect(max(facts.room, begin), named, facts.output)
        begin = end
    return None


def _facts(target: Target, model: str, told: Told, knows: Collection[str]) -> Facts | None:
    """What is known of a target; None where it is nothing, or where the client knows it as well."""
    usual = known(target.model)
    meant = aliases.plain(model).removeprefix(f"{target.provider.name}:")
    itself = target.model == meant and any(matches(glob, target.model) for glob in knows)
    if itself and target.provider.capabilities(target.model).origin == _ANTHROPIC:
        return None
    listed = told(target.provider, target.model)
    if itself and not 0 < listed.context < usual.context:
        return None
    facts = listed.completed(usual)
    return facts if facts.room else None


def _takes_betas(target: Target, dialect: str) -> bool:
    provider = target.provider.speaking(dialect) if dialect else target.provider
    return provider.dialect == _ANTHROPIC and provider.capabilities(target.model).betas
