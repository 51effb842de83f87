"""Names that a shell may complete: profiles and providers of the configuration, clients that run, calls that are kept.

Whoever presses the tab key wants no error: what cannot be read gives no names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from strowger.errors import GatewayError

# Calls that are looked at, and of those that fit so many are offered: who wants an older one knows its id.
_READ = 500
_MOST = 30


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


def flows(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last calls that are kept, each with what it asked for."""
    from strowger.cli.flows_words import short
    from strowger.flows.words import goal, status

    begin = f"flow_{incomplete.removeprefix('flow_')}"
    found = [flow for flow in _kept(ctx) if str(flow["id"]).startswith(begin)][:_MOST]
    if not found and "last".startswith(incomplete):
        return [CompletionItem("last")]
    tells_apart = len({short(flow) for flow in found}) == len(found)

    def offered(flow: dict[str, Any]) -> str:
        if incomplete.startswith("flow_"):
            return str(flow["id"])
        return short(flow) if tells_apart and len(incomplete) <= len(short(flow)) else str(flow["id"])[len("flow_") :]

    return [
        CompletionItem(
            offered(flow), help=f"{status(flow)} {flow['model'] or flow['path']} → {goal(flow) or 'nowhere'}"
        )
        for flow in found
    ]


def sessions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sessions of the last calls, each with its client and where that works."""
    found = {str(flow["session"]): flow for flow in reversed(_kept(ctx)) if flow["session"]}
    return [
        CompletionItem(session, help=f"{flow['program'] or ''} {flow['project'] or ''}".strip())
        for session, flow in found.items()
        if session.startswith(incomplete)
    ][-_MOST:]


def _kept(ctx: click.Context) -> list[dict[str, Any]]:
    """The last calls of the store that the command would read; its group's options are those of a parent."""
    from strowger.cli.flows import Kept

    given = (ctx.parent or ctx).params
    try:
        found: list[dict[str, Any]] = Kept(given.get("file"), given.get("path")).archive.list(limit=_READ)
    except GatewayError:
        return []
    return found


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

    found = run_async(running)
    offered = [name for one in found for name in (one.name, one.launch.name)]
    if incomplete:  # long, and of use to whoever has begun to write one
        offered += [session for one in found for session in one.launch.sessions]
    return [name for name in offered if name.startswith(incomplete)]
