"""Names that a shell may complete: profiles and providers of the configuration, clients that run.

Whoever presses the tab key wants no error: what cannot be read gives no names.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from strowger.errors import GatewayError


def profiles(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Those of the configuration file."""
    return [name for name in _loaded(ctx)[0] if name.startswith(incomplete)]


def providers(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Those that are configured, else those for which there is a preset."""
    from strowger.providers.presets import PRESETS

    configured = [name for name in _loaded(ctx)[1] if name.startswith(incomplete)]
    return configured or [name for name in PRESETS if name.startswith(incomplete)]


def choices(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What a client can be switched to, and before it which client."""
    before = ctx.params.get("words") or ()
    targets = [*profiles(ctx, param, incomplete), *providers(ctx, param, incomplete)]
    if "default".startswith(incomplete):
        targets.append("default")
    return targets if before else [*_running(incomplete), *targets]


def option_for(name: str) -> str | None:
    """The option of `strowger run` that takes this name: that for profiles, that for providers, or none."""
    from strowger.providers.presets import PRESETS

    profiles, providers = _read(None)
    if name in profiles:
        return "--profile"
    return "--via" if name in providers or name in PRESETS else None


def _loaded(ctx: click.Context) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the profiles and of the providers."""
    path = ctx.params.get("path")
    return _read(path if isinstance(path, Path) else None)


def _read(path: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from strowger.config.layers import load
    from strowger.providers.presets import PRESETS

    try:
        loaded = load(path, env=os.environ, presets=PRESETS)
    except GatewayError:
        return (), ()
    return loaded.profiles, tuple(loaded.config.providers)


def _running(incomplete: str) -> list[str]:
    from strowger.cli.loop import run_async
    from strowger.cli.sessions import running

    return [name for one in run_async(running) for name in (one.name, one.launch.name) if name.startswith(incomplete)]
