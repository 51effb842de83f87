"""Loading the configuration for a command: from the layers with its flags, or the demo's own. Prints its warnings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click

from strowger.config.checks import credentials_of
from strowger.config.layers import AS_STARTED, Choice, Loaded, load
from strowger.config.schema import Config, Server
from strowger.launcher.setup import Setup, demo_setup
from strowger.providers.presets import PRESETS


def load_setup(
    path: Path | None,
    profile: str | None,
    *,
    demo: bool = False,
    via: str | None = None,
    flags: Mapping[str, object] = MappingProxyType({}),
) -> Setup:
    """The configuration of a command. `flags` by dotted key; None is a flag not given. Raises InvalidConfig."""
    if demo:
        given = {key.removeprefix("server."): flags.get(key) for key in ("server.bind", "server.port")}
        known = {name: value for name, value in given.items() if value is not None}
        return demo_setup(Server(**known))  # type: ignore[arg-type]

    def read(choice: Choice = AS_STARTED) -> Loaded:
        chosen = choice.profile or profile
        return load(path, env=os.environ, presets=PRESETS, flags=flags, profile=chosen, via=choice.via)

    loaded = read(Choice(via=via))
    for warning in loaded.warnings:
        place = f"{warning.where}: " if warning.where else ""
        click.echo(f"{click.style('warning:', fg='yellow')} {place}{warning.message}", err=True)
        if warning.hint:
            click.echo(f"  {warning.hint}", err=True)
    return Setup(loaded.config, loaded.path, loaded.profile, again=read)


def unset(config: Config, env: Mapping[str, str]) -> dict[str, str]:
    """Providers whose key is a variable that is not set, with its name. Nothing is fetched, no command run."""
    return {
        name: key.target
        for name, provider in config.providers.items()
        for _, key in credentials_of(provider)
        if key.kind == "env" and not env.get(key.target, "").strip()
    }
