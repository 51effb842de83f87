"""The route table: from the model that is asked for, and hints about the call, to providers and their models.

In this order:

 1. the first `[[routes]]` entry that fits, in the order of the file. But a name that says itself where it goes (next
    line) yields only to a route that names it letter by letter or that has a condition besides the model;
 2. names that say where they go: aliases, `provider:model`, `provider/model`, `claude-<provider>-<model>`;
 3. providers whose model globs fit, those that speak the client's own dialect first, then in the order of the file;
 4. a provider that stands in for what nobody serves (the demo); where there are others, for Claude Code's own names
    only, as a mistyped one must not be answered by a stand-in;
 5. the only provider there is.

Immutable: a new configuration is a new table. Must not know how a provider is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from strowger.config.schema import Config
from strowger.config.validate import near_miss
from strowger.dialects.efforts import EFFORTS
from strowger.errors import UnknownModel
from strowger.providers.base import Provider
from strowger.routing import aliases, slots
from strowger.routing.hints import NO_HINTS, Hints, Noticed
from strowger.routing.rules import Rule, rule

# Enough to find the slip; more would bury the message.
MAX_LISTED = 20
# A session asks for a handful of models over and over; the names are the clients' to choose, so it is bounded.
_MOST_WAYS = 1000


class Target(Struct, frozen=True):
    """One place to send a call, and the model to ask it for. `effort` and `tier` are what its name asked for."""

    provider: Provider
    model: str
    effort: str = ""
    tier: str = ""


def target_at(provider: Provider, model: str) -> Target:
    """A provider and its own name for a model, without the endings that mean something to it."""
    caps = provider.capabilities(model)
    bare, effort, fast = aliases.wishes(model, EFFORTS if caps.efforts else (), fast=bool(caps.fast_tier))
    return Target(provider, provider.own_name(bare), effort, caps.fast_tier if fast else "")


class Route(Struct, frozen=True):
    """Where a call goes: the first target, then the others as fallbacks.

    `strict`: losses are refused, whichever target it is; a provider can ask for the same for itself.
    """

    name: str
    targets: tuple[Target, ...]
    strict: bool = False


class _Way(Struct, frozen=True):
    """Where a model leads: by the rules that concern it, in their order, each with its route; by `rest` when none of
    them fits the call. No `rest`: nothing answers then.
    """

    rules: tuple[tuple[Rule, Route], ...]
    rest: Route | None


class RouteTable:
    """Built once from a configuration and its providers."""

    def __init__(self, config: Config, providers: Mapping[str, Provider]) -> None:
        self.providers: Mapping[str, Provider] = MappingProxyType(dict(providers))
        self.aliases: Mapping[str, str] = MappingProxyType(dict(config.aliases))
        written = (rule(number, route) for number, route in enumerate(config.routes))
        # What a launch is given goes before what holds for everybody.
        self._rules = (*(rule(number, route) for number, route in enumerate(slots.routes(config.launch))), *written)
        self._ways: dict[tuple[str, str], _Way] = {}

    def match(self, model: str, *, hints: Hints | Noticed = NO_HINTS, dialect: str = "") -> Route:
        """Where a call goes. `dialect` is the client's. Raises UnknownModel, which lists what there is."""
        way = self._ways.get((model, dialect))
        if way is None:
            way = self._way(model, dialect)
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()
            self._ways[model, dialect] = way
        for each, route in way.rules:
            if each.fits(hints):
                return route
        if way.rest is None:
            raise self._unknown(aliases.plain(model))
        return way.rest

    def check(self, model: str) -> None:
        """Raises UnknownModel when no call for this model leads anywhere, whatever else a client says about it."""
        asked = aliases.plain(model)
        if not any(each.concerns(asked) for each in self._rules):
            self.match(model)

    def _way(self, model: str, dialect: str) -> _Way:
        """All that does not depend on anything but the model: so it is worked out once for each."""
        asked = aliases.plain(model)
        named = aliases.resolve(asked, self.providers, self.aliases)
        concerned: list[tuple[Rule, Route]] = []
        for each in self._rules:
            if each.concerns(asked) and (named is None or each.beats_names(asked)):
                route = self._follow(each, named.model if named else asked)
                if not each.asks:
                    return _Way(tuple(concerned), route)
                concerned.append((each, route))
        return _Way(tuple(concerned), self._by_name(asked, named, dialect))

    def _by_name(self, asked: str, named: aliases.Named | None, dialect: str) -> Route | None:
        """Where a model leads that no rule leads anywhere."""
        if named is not None and (provider := self.providers.get(named.provider)) is not None:
            return Route(named.rule, (target_at(provider, named.model),))
        found = [target_at(provider, asked) for provider in self.providers.values()]
        serving = [target for target in found if target.provider.serves(asked) or target.provider.serves(target.model)]
        for best in sorted(serving, key=lambda target: target.provider.dialect != dialect):
            return Route(f"provider {best.provider.name}", (best,))
        if (target := self._last(asked)) is not None:
            return Route(f"provider {target.provider.name}", (target,))
        return None

    def _last(self, model: str) -> Target | None:
        """Who answers for a model that no provider serves."""
        alone = len(self.providers) == 1
        for provider in self.providers.values():
            if (alone or aliases.is_discoverable(model)) and (own := provider.stand_in(model)):
                return Target(provider, own)
            if alone:
                return target_at(provider, model)
        return None

    def names(self) -> Iterator[str]:
        """What can be asked for, as far as the configuration says: aliases, routes, then providers' globs."""
        yield from self.aliases
        for each in self._rules:
            yield from each.models
        for provider in self.providers.values():
            yield from provider.models or (f"{provider.name}:*",)

    def described(self) -> list[dict[str, object]]:
        """The `[[routes]]` entries in their order, as plain data: what is asked for, and where it goes."""
        return [each.described() for each in self._rules]

    def turns(self) -> tuple[int, ...]:
        """The lengths of a prompt, in tokens, from which on it may be routed otherwise, shortest first."""
        over = {each.prompt_over + 1 for each in self._rules if each.prompt_over is not None}
        return tuple(sorted(over | {each.prompt_under for each in self._rules if each.prompt_under is not None}))

    def literal_models(self) -> Iterator[str]:
        """Models that routes and providers name letter by letter."""
        for globs in (*(each.models for each in self._rules), *(p.models for p in self.providers.values())):
            yield from (glob for glob in globs if not set(glob) & set("*?["))

    def _follow(self, found: Rule, model: str) -> Route:
        targets: list[Target] = []
        for text in (found.to, *found.fallback):
            provider, _, wanted = text.partition(":")
            if provider in self.providers:
                targets.append(target_at(self.providers[provider], wanted or model))
        return Route(found.name, tuple(targets), found.strict)

    def _unknown(self, model: str) -> UnknownModel:
        if not self.providers:
            return UnknownModel(
                f"no provider is configured, so nothing answers for the model `{model}`",
                hint="`strowger config init` writes a configuration; `strowger serve --demo` answers without one",
            )
        names = tuple(dict.fromkeys(self.names()))
        shown = ", ".join(names[:MAX_LISTED]) + (
            f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
        )
        near = self._near(model)
        return UnknownModel(
            f"no route leads to the model `{model}`; there are: {shown}",
            available=names,
            hint=f"did you mean `{near}`?"
            if near
            else "add a route or an alias, or name the provider: `provider:model`",
        )

    def _near(self, model: str) -> str | None:
        """What a mistyped name was probably meant to be: the provider before its colon, or one that is there."""
        provider, _, rest = model.partition(":")
        if rest and (near := near_miss(provider, self.providers)):
            return f"{near}:{rest}"
        return near_miss(model, (*self.aliases, *self.literal_models()))
