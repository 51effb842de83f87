"""The configuration that a gateway is started with, and the demo's own. Data only: importing this starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from strowger.config.checks import DEMO_URL
from strowger.config.layers import Choice, Loaded
from strowger.config.schema import Config, Launching, Match, ProviderConfig, RouteConfig, Server
from strowger.errors import ConfigError

DEMO_ROUTES = ((("*haiku*", "demo-fast"), "demo:demo-fast"), (("*",), "demo:demo"))
"""Where a demo's models lead: everything to the demo model, small models to the one that does not think."""


class Setup(Struct, frozen=True):
    """A configuration and where it came from. `demo`: it is the demo's own, which no user has written.

    `again` reads it anew from the same places, for a choice; None where there is nothing to read.
    """

    config: Config
    path: Path | None = None
    profile: str | None = None
    demo: bool = False
    again: Callable[[Choice], Loaded] | None = None


def demo_setup(server: Server | None = None) -> Setup:
    """A configuration that needs nothing: whatever is asked for, the built-in demo provider answers."""
    provider = ProviderConfig(preset="demo", dialect="openai_chat", base_url=DEMO_URL, models=("demo", "demo-fast"))
    routes = tuple(RouteConfig(match=Match(model=models), to=to, name="demo") for models, to in DEMO_ROUTES)
    config = Config(server=server or Server(), providers={"demo": provider}, routes=routes)

    def again(choice: Choice) -> Loaded:
        if choice.profile is not None:
            raise ConfigError(f"the demo has no profile `{choice.profile}`")
        if choice.via is not None and choice.via.partition(":")[0] != "demo":
            raise ConfigError("the demo has no other provider", hint="such as demo:demo-fast")
        return Loaded(replace(config, launch=Launching(via=choice.via)), {})

    return Setup(config, demo=True, again=again)


def ephemeral(setup: Setup) -> Setup:
    """The same where `[proxy]` says, any free port of loopback unless it does: for a gateway that does not stay."""
    again = setup.again
    if again is None:
        return replace(setup, config=_private(setup.config))

    def privately(choice: Choice) -> Loaded:
        loaded = again(choice)
        return replace(loaded, config=_private(loaded.config))

    return replace(setup, config=_private(setup.config), again=privately)


def _private(config: Config) -> Config:
    proxy = config.proxy
    own = replace(config.server, bind=proxy.bind, port=proxy.port, allow_external_bind=proxy.allow_external_bind)
    return replace(config, server=own)
