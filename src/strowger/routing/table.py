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

import msgspec

from strowger.config.schema import Config, Match, RouteConfig
from strowger.config.validate import near_miss
from strowger.dialects.efforts import EFFORTS
from strowger.errors import UnknownModel
from strowger.providers.base import Provider, matches
from strowger.routing import aliases, slots

# Enough to find the slip; more would bury the message.
MAX_LISTED = 20
# A session asks for a handful of models over and over; the names are the clients' to choose, so it is bounded.
_MOST_MATCHED = 1000


class Target(msgspec.Struct, frozen=True):
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


class Route(msgspec.Struct, frozen=True):
    """Where a call goes: the first target, then the others as fallbacks.

    `strict`: losses are refused, whichever target it is; a provider can ask for the same for itself.
    """

    name: str
    targets: tuple[Target, ...]
    strict: bool = False


class Hints(msgspec.Struct, frozen=True):
    """What a client says about a call besides its model; empty and false when it says nothing."""

    request_class: str = ""
    agent: str = ""
    subagent: bool = False

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Hints:
        """Read Claude Code's headers; names are lower case.

        x-claude-code-agent-id is there on every request of a sub-agent; the class and the agent type only with
        CLAUDE_CODE_GATEWAY_HINT_HEADERS=1.
        """
        request_class = headers.get("x-claude-code-request-class", "")
        return cls(
            request_class=request_class,
            agent=headers.get("x-claude-code-agent-type", ""),
            subagent=bool(headers.get("x-claude-code-agent-id")) or request_class == "subagent",
        )


NO_HINTS = Hints()


class _Rule(msgspec.Struct, frozen=True):
    """A `[[routes]]` entry, ready to match."""

    name: str
    models: tuple[str, ...]
    classes: tuple[str, ...]
    agents: tuple[str, ...]
    subagent: bool | None
    to: str
    fallback: tuple[str, ...]
    strict: bool

    def concerns(self, model: str) -> bool:
        """Whether it fits the model, with the right hints."""
        return not self.models or any(matches(glob, model) for glob in self.models)

    def fits(self, model: str, hints: Hints) -> bool:
        return (
            self.concerns(model)
            and (not self.classes or any(matches(glob, hints.request_class) for glob in self.classes))
            and (not self.agents or any(matches(glob, hints.agent) for glob in self.agents))
            and (self.subagent is None or self.subagent == hints.subagent)
        )

    def beats_names(self, model: str) -> bool:
        """Whether it goes before a name that says itself where it goes."""
        return bool(self.classes or self.agents or self.subagent is not None or model in self.models)


class RouteTable:
    """Built once from a configuration and its providers."""

    def __init__(self, config: Config, providers: Mapping[str, Provider]) -> None:
        self.providers: Mapping[str, Provider] = MappingProxyType(dict(providers))
        self.aliases: Mapping[str, str] = MappingProxyType(dict(config.aliases))
        written = (_rule(number, route) for number, route in enumerate(config.routes))
        # What a launch is given goes before what holds for everybody.
        self._rules = (*(_rule(number, route) for number, route in enumerate(slots.routes(config.launch))), *written)
        self._matched: dict[tuple[str, Hints, str], Route] = {}

    def match(self, model: str, *, hints: Hints = NO_HINTS, dialect: str = "") -> Route:
        """Where a call goes. `dialect` is the client's. Raises UnknownModel, which lists what there is."""
        asked = (model, hints, dialect)
        route = self._matched.get(asked)
        if route is None:
            if len(self._matched) >= _MOST_MATCHED:
                self._matched.clear()
            route = self._matched[asked] = self._match(model, hints, dialect)
        return route

    def check(self, model: str) -> None:
        """Raises UnknownModel when no call for this model leads anywhere, whatever else a client says about it."""
        asked = aliases.plain(model)
        if not any(rule.concerns(asked) for rule in self._rules):
            self.match(model)

    def _match(self, model: str, hints: Hints, dialect: str) -> Route:
        asked = aliases.plain(model)
        named = aliases.resolve(asked, self.providers, self.aliases)
        for rule in self._rules:
            if rule.fits(asked, hints) and (named is None or rule.beats_names(asked)):
                return self._follow(rule, named.model if named else asked)
        if named is not None and (provider := self.providers.get(named.provider)) is not None:
            return Route(named.rule, (target_at(provider, named.model),))
        found = [target_at(provider, asked) for provider in self.providers.values()]
        serving = [target for target in found if target.provider.serves(asked) or target.provider.serves(target.model)]
        for best in sorted(serving, key=lambda target: target.provider.dialect != dialect):
            return Route(f"provider {best.provider.name}", (best,))
        if (target := self._last(asked)) is not None:
            return Route(f"provider {target.provider.name}", (target,))
        raise self._unknown(asked)

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
        for rule in self._rules:
            yield from rule.models
        for provider in self.providers.values():
            yield from provider.models or (f"{provider.name}:*",)

    def described(self) -> list[dict[str, object]]:
        """The `[[routes]]` entries in their order, as plain data: what is asked for, and where it goes."""
        return [
            {
                "name": rule.name,
                "model": rule.models,
                "class": rule.classes,
                "agent": rule.agents,
                "subagent": rule.subagent,
                "to": rule.to,
                "fallback": rule.fallback,
            }
            for rule in self._rules
        ]

    def literal_models(self) -> Iterator[str]:
        """Models that routes and providers name letter by letter."""
        for globs in (*(rule.models for rule in self._rules), *(p.models for p in self.providers.values())):
            yield from (glob for glob in globs if not set(glob) & set("*?["))

    def _follow(self, rule: _Rule, model: str) -> Route:
        targets: list[Target] = []
        for text in (rule.to, *rule.fallback):
            provider, _, wanted = text.partition(":")
            if provider in self.providers:
                targets.append(target_at(self.providers[provider], wanted or model))
        return Route(rule.name, tuple(targets), rule.strict)

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


def _rule(number: int, route: RouteConfig) -> _Rule:
    match: Match = route.match
    return _Rule(
        name=route.name or f"routes[{number}]",
        models=_globs(match.model),
        classes=_globs(match.request_class),
        agents=_globs(match.agent),
        subagent=match.subagent,
        to=route.to,
        fallback=route.fallback,
        strict=route.strict,
    )


def _globs(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return value
