"""The configuration in force, for everybody and for each launch, and how another takes its place.

A new one is built whole before it is used; calls in flight finish on the old one. Must not know where a configuration
is read from.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import anyio.to_thread

from strowger.config.layers import AS_STARTED, Choice, Loaded
from strowger.config.schema import Config
from strowger.config.validate import suggest
from strowger.errors import ConfigError
from strowger.gateway.pipeline import Line, Timing
from strowger.gateway.pricing import Pricing
from strowger.providers.presets import PRESETS
from strowger.routing.table import RouteTable
from strowger.telemetry.logs import Log

EVERYBODYS = "default"
"""What a launch is switched to when it shall go where all others go."""

_FIXED = ("server", "network", "log", "flows", "prices", "metrics", "tracing", "responses")
"""Sections that are read once."""


_Way = tuple[Config, RouteTable]


class Settings:
    """One for each gateway. What it decides, the line goes by."""

    def __init__(
        self,
        config: Config,
        line: Line,
        table: Callable[[Config], RouteTable],
        again: Callable[[Choice], Loaded] | None,
        log: Log,
        pricing: Pricing,
    ) -> None:
        """`table` builds the routes of a configuration; `again` reads it anew for a choice, and is None where nobody
        wrote it.
        """
        self.config = self._begun = config
        self._line = line
        self._table = table
        self._again = again
        self.log = log
        self._pricing = pricing
        self._choices: dict[str, Choice] = {}
        self._given: dict[str, Config] = {}
        # What is read takes a while, and must not take the place of what was chosen meanwhile.
        self._lock = anyio.Lock()
        self.started = self.read_at = time.time()
        self.read_well = True
        """Whether the last reading could be used; `read_at` is when one was taken into use, in Unix time."""

    async def reload(self) -> tuple[str, ...]:
        """Read the configuration anew and go on with it. Gives the sections whose change needs a new start.

        Raises ConfigError, and then nothing has changed.
        """
        async with self._lock:
            try:
                config = (await self._read(AS_STARTED)).config
                table = self._table(config)
                # all that is known of them now: a launch may end while another's choice is read
                known = [(name, self._given[name], self._line.launches[name]) for name in self._choices]
                chosen = {name: await self._anew(name, self.choice(name), (own, way)) for name, own, way in known}
                prices = await anyio.to_thread.run_sync(self._pricing.read)
            except ConfigError as error:
                self.read_well = False
                self.log.write("error", "reload", {"error": str(error), "hint": error.hint})
                raise
            open_ones = {launch: own for launch, own in chosen.items() if launch in self._choices}
            self._given = {launch: own for launch, (own, _) in open_ones.items()}
            self._line.adopt(table, timing_of(config), {launch: routes for launch, (_, routes) in open_ones.items()})
            self._line.budgets.adopt(config.budgets, {launch: own.budgets for launch, own in self._given.items()})
            self._pricing.adopt(prices)
            self._line.health.adopt(config.retries)
            self.config = config
            self.read_well, self.read_at = True, time.time()
        waiting = tuple(name for name in _FIXED if getattr(config, name) != getattr(self._begun, name))
        self.log.write("warning" if waiting else "info", "reload", {"needs_restart": waiting})
        return waiting

    async def _anew(self, launch: str, choice: Choice, before: _Way) -> _Way:
        """What a launch goes by now; what it went by before, where its choice has gone from the file: it may have been
        left behind by a client that was killed, and must not keep all others from what was written.
        """
        try:
            own = (await self._read(choice)).config
            return own, self._table(own)
        except ConfigError as error:
            self.log.write("warning", "reload", {"launch": launch, "error": str(error), "hint": error.hint})
            return before

    async def give(self, launch: str, choice: Choice) -> Config:
        """Route the calls of a launch by its own choice from now on; `AS_STARTED` is everybody's. Gives what that is.

        Raises ConfigError, and then nothing has changed.
        """
        async with self._lock:
            if choice == AS_STARTED:
                self.take(launch)
                return self.config
            config = (await self._read(choice)).config
            self._line.launches[launch] = self._table(config)
            self._line.profiles[launch] = choice.profile or ""
            self._line.budgets.give(launch, config.budgets)
            self._choices[launch] = choice
            self._given[launch] = config
            return config

    async def switch(self, launch: str, to: str) -> Choice:
        """Give a launch what `to` names: a profile, else a provider (or "provider:model"), or what everybody has.

        Raises ConfigError, and then nothing has changed.
        """
        choice = await self._meant(to)
        await self.give(launch, choice)
        self.log.write("info", "switch", {"launch": launch, "profile": choice.profile, "via": choice.via})
        return choice

    def take(self, launch: str) -> None:
        """Forget the choice of a launch."""
        self._choices.pop(launch, None)
        self._given.pop(launch, None)
        self._line.launches.pop(launch, None)
        self._line.profiles.pop(launch, None)
        self._line.budgets.give(launch, None)

    def choice(self, launch: str) -> Choice:
        """What was chosen for a launch."""
        return self._choices.get(launch, AS_STARTED)

    async def _meant(self, to: str) -> Choice:
        if to == EVERYBODYS:
            return AS_STARTED
        loaded = await self._read(AS_STARTED)
        if to in loaded.profiles:
            return Choice(profile=to)
        provider = to.partition(":")[0]
        if provider in loaded.config.providers or provider in PRESETS:
            return Choice(via=to)
        known = (*loaded.profiles, *loaded.config.providers)
        raise ConfigError(f"`{to}` is neither a profile nor a provider", hint=suggest(to, known, what="there are"))

    async def _read(self, choice: Choice) -> Loaded:
        if self._again is None:
            raise ConfigError("this gateway has no configuration that could be read again")
        return await anyio.to_thread.run_sync(self._again, choice)


def timing_of(config: Config) -> Timing:
    """How long the line waits."""
    return Timing(config.limits.heartbeat_seconds, config.limits.idle_timeout_seconds)
