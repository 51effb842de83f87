"""The configuration that a gateway is started with, and the demo's own. Data only: importing this starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from strowger.config.checks import DEMO_URL
from strowger.config.schema import Config, Match, ProviderConfig, RouteConfig, Server

DEMO_ROUTES = ((("*haiku*", "demo-fast"), "demo:demo-fast"), (("*",), "demo:demo"))
"""Where a demo's models lead: everything to the demo model, small models to the one that does not think."""


class Setup(Struct, frozen=True):
    """A configuration and where it came from. `demo`: it is the demo's own, which no user has written.

    `again` reads it anew from the same places; None where there is nothing to read.
    """

    config: Config
    path: Path | None = None
    profile: str | None = None
    demo: bool = False
    again: Callable[[], Config] | None = None


def demo_setup(server: Server | None = None) -> Setup:
    """A configuration that needs nothing: whatever is asked for, the built-in demo provider answers."""
    provider = ProviderConfig(preset="demo", dialect="openai_chat", base_url=DEMO_URL, models=("demo", "demo-fast"))
    routes = tuple(RouteConfig(match=Match(model=models), to=to, name="demo") for models, to in DEMO_ROUTES)
    return Setup(Config(server=server or Server(), providers={"demo": provider}, routes=routes), demo=True)


def ephemeral(setup: Setup) -> Setup:
    """The same on any free port of loopback: for a gateway that serves one launch only."""
    again = setup.again
    return replace(setup, config=_private(setup.config), again=(lambda: _private(again())) if again else None)


def _private(config: Config) -> Config:
    own = replace(config.server, bind="127.0.0.1", port=0, allow_external_bind=False)
    return replace(config, server=own)
