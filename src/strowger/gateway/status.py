"""How a gateway is: what runs, where its calls can go, with which credentials, and what stands in the way.

Of the admin API `GET status` and `GET quota`. Must not know who asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import anyio
import msgspec

from strowger import __version__
from strowger.errors import CredentialError, UnknownModel
from strowger.gateway.endpoints import ANTHROPIC
from strowger.gateway.health import Health
from strowger.gateway.pipeline import Line
from strowger.providers.base import Provider
from strowger.routing.table import RouteTable

# Shorter than whoever asks for the status waits: a command that hangs must not hide everything else.
_CREDENTIAL_SECONDS = 1.0
# What Claude Code asks for where nobody has chosen (2.1.329).
_USUAL_MODEL = "claude-opus-5-5"


async def told(line: Line, launches: list[dict[str, object]], started: float) -> dict[str, object]:
    """All of it as plain data; `started` is the Unix time when the gateway began."""
    recorder, routes = line.recorder, line.routes
    return {
        # as ccode's status has it, for programs that ask for that
        "ok": True,
        "upstream_host": _upstream_host(routes),
        "requests": recorder.calls,
        "started_at": datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": __version__,
        "pid": os.getpid(),
        "started": round(started, 3),
        "uptime_seconds": round(time.time() - started, 1),
        "calls": {
            "total": recorder.calls,
            "running": recorder.running,
            "failed": recorder.failed,
            "cancelled": recorder.cancelled,
            "stopped": line.budgets.stopped,
        },
        "client_token_required": line.access.token_required,
        "launches": launches,
        "providers": await _providers(routes.providers),
        "routes": routes.described(),
        "aliases": dict(routes.aliases),
        "models": list(dict.fromkeys(routes.names())),
        **_trouble(line.health),
    }


def quota(health: Health) -> dict[str, object]:
    """What each account's provider last said of its limits, and who is not asked meanwhile."""
    accounts = [
        {"provider": provider, "account": account, **msgspec.to_builtins(reading)}
        for (provider, account), reading in sorted(health.readings.items())
    ]
    return {"accounts": accounts, **_trouble(health)}


def _trouble(health: Health) -> dict[str, object]:
    return {"resting": list(health.resting()), "breakers": list(health.broken())}


def _upstream_host(routes: RouteTable) -> str:
    """Where Claude Code's conversation goes unless its user says otherwise; empty where that leads nowhere."""
    with suppress(UnknownModel):
        for target in routes.match(_USUAL_MODEL, dialect=ANTHROPIC).targets:
            return urlsplit(target.provider.base_url).hostname or ""
    return ""


async def _providers(providers: Mapping[str, Provider]) -> list[Mapping[str, object]]:
    """All of them in their order; their credentials are looked for at the same time."""
    found: dict[str, Mapping[str, object]] = {}

    async def look(provider: Provider) -> None:
        found[provider.name] = await _provider(provider)

    async with anyio.create_task_group() as tasks:
        for provider in providers.values():
            tasks.start_soon(look, provider)
    return [found[provider.name] for provider in providers.values()]


async def _provider(provider: Provider) -> Mapping[str, object]:
    credential = "none"
    problem: str | None = None
    if provider.client_auth:
        credential = "client"
    elif provider.accounts:
        credential, problem = "unknown", f"it was not there within {_CREDENTIAL_SECONDS:g} s"
        with anyio.move_on_after(_CREDENTIAL_SECONDS):
            try:
                for account in provider.accounts:
                    await provider.credentials(account=account)
                credential, problem = "ok", None
            except CredentialError as error:
                credential, problem = "missing", error.message
    return {
        "name": provider.name,
        "dialect": provider.dialect,
        "base_url": provider.base_url,
        "credential": credential,
        "problem": problem,
    }
