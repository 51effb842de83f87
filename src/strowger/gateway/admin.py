"""The admin API under /_strowger/: status, quotas, flows, launches. For whoever can read the gateway's pidfile.

GET    status            what runs, where, with which providers and routes
GET    models            what can be asked for, and where each leads (?launch=<id>: for that launch)
GET    quota             what is left of the accounts, who rests, and whose breaker is open
GET    flows             the last calls, newest first (?limit=50)
GET    flows/<id>        one call
POST   reload            the configuration read anew → {"needs_restart": […]}: sections whose change waits for one
POST   launches          {"name": …, "pid": …} → {"id": …, "token": …}: a token for one client's life
                         (with "model", which the client shall ask for, only if that leads anywhere; with "profile"
                         and "via", routed by these alone; "project" is the directory that it works in)
POST   launches/<id>     {"to": …}: its calls go by another profile, or via another provider, from now on
DELETE launches/<id>
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

import anyio
import msgspec

from strowger import __version__
from strowger.config.layers import Choice
from strowger.errors import BadRequest, ConfigError, CredentialError, GatewayError, UnknownPath
from strowger.flows.flow import summary
from strowger.gateway.access import Client, Launch
from strowger.gateway.endpoints import Call
from strowger.gateway.health import Health
from strowger.gateway.models import Models
from strowger.gateway.pipeline import Line
from strowger.gateway.settings import Settings
from strowger.providers.base import Provider
from strowger.routing.table import RouteTable

_MOST_FLOWS = 1000
# Shorter than whoever asks for the status waits: a command that hangs must not hide everything else.
_CREDENTIAL_SECONDS = 1.0


class _LaunchRequest(msgspec.Struct):
    name: str
    pid: int = 0
    model: str | None = None
    profile: str | None = None
    via: str | None = None
    project: str = ""


class _SwitchRequest(msgspec.Struct):
    to: str


class Admin:
    """Answers admin calls; `routes` gives the table in force."""

    def __init__(self, line: Line, models: Models, settings: Settings) -> None:
        self._line = line
        self._access = line.access
        self._recorder = line.recorder
        self._models = models
        self._settings = settings
        self._started = time.time()

    async def answer(self, call: Call, routes: RouteTable) -> tuple[int, object]:
        """Status and JSON data. Raises Forbidden, UnknownPath, UnknownModel, BadRequest."""
        self._access.admit_admin(call.headers)
        name, _, rest = call.endpoint.name.partition("/")
        match call.method, name, rest:
            case "GET", "status", "":
                return 200, await self._status(routes)
            case "GET", "models", "":
                if launch := parse_qs(call.query).get("launch"):
                    routes = self._line.routes_for(Client("", launch=launch[-1]))
                entries = await self._models.entries(routes)
                return 200, {"models": entries, "problems": self._models.problems(routes)}
            case "GET", "quota", "":
                return 200, {"accounts": _accounts(self._line.health), **_trouble(self._line.health)}
            case "GET", "flows", "":
                flows = self._recorder.latest(_limit(call.query))
                return 200, {"flows": [summary(flow) for flow in flows]}
            case "GET", "flows", flow_id:
                flow = self._recorder.get(flow_id)
                if flow is None:
                    raise UnknownPath(f"there is no flow {flow_id[:60]}", hint="only the last calls are kept")
                return 200, summary(flow)
            case "POST", "reload", "":
                return 200, {"needs_restart": list(await self._reload_or_refuse())}
            case "POST", "launches", "":
                return 201, await self._open_launch(call.body)
            case "POST", "launches", launch_id:
                return 200, await self._switch(launch_id, call.body)
            case "DELETE", "launches", launch_id if launch_id:
                if not self._access.close_launch(launch_id):
                    raise UnknownPath(f"there is no launch {launch_id[:60]}")
                self._settings.take(launch_id)
                return 200, {"closed": launch_id}
            case _:
                raise UnknownPath(f"the admin API has nothing at {call.method} {call.path[:200]}")

    async def _reload_or_refuse(self) -> tuple[str, ...]:
        try:
            return await self._settings.reload()
        except ConfigError as error:
            raise BadRequest(str(error), hint=error.hint) from None

    async def _open_launch(self, body: bytes) -> dict[str, object]:
        try:
            asked = msgspec.json.decode(body, type=_LaunchRequest)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"not a launch: {error}") from None
        launch = self._access.open_launch(asked.name[:60], asked.pid, asked.project[:1000])
        try:
            config = await self._settings.give(launch.id, Choice(asked.profile, asked.via))
            if asked.model:
                self._line.routes_for(Client(launch.name, launch=launch.id)).check(asked.model)
        except GatewayError as error:
            self._access.close_launch(launch.id)
            self._settings.take(launch.id)
            if isinstance(error, ConfigError):
                raise BadRequest(str(error), hint=error.hint) from None
            raise
        return {"id": launch.id, "token": launch.token, "env": dict(config.launch.env), "effort": config.launch.effort}

    async def _switch(self, launch_id: str, body: bytes) -> dict[str, object]:
        self._check_open(launch_id)
        try:
            to = msgspec.json.decode(body, type=_SwitchRequest).to
        except msgspec.MsgspecError as error:
            raise BadRequest(f"not a switch: {error}") from None
        try:
            choice = await self._settings.switch(launch_id, to)
        except ConfigError as error:
            raise BadRequest(str(error), hint=error.hint) from None
        try:
            self._check_open(launch_id)
        except UnknownPath:  # it has ended while its choice was read
            self._settings.take(launch_id)
            raise
        return {"profile": choice.profile, "via": choice.via}

    def _check_open(self, launch_id: str) -> None:
        if launch_id not in {launch.id for launch in self._access.launches}:
            raise UnknownPath(f"there is no launch {launch_id[:60]}")

    async def _status(self, routes: RouteTable) -> dict[str, object]:
        recorder = self._recorder
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": round(self._started, 3),
            "uptime_seconds": round(time.time() - self._started, 1),
            "calls": {
                "total": recorder.calls,
                "running": recorder.running,
                "failed": recorder.failed,
                "cancelled": recorder.cancelled,
            },
            "client_token_required": self._access.token_required,
            "launches": [self._launch(launch) for launch in self._access.launches],
            "providers": await _providers(routes.providers),
            "routes": routes.described(),
            "aliases": dict(routes.aliases),
            "models": list(dict.fromkeys(routes.names())),
            **_trouble(self._line.health),
        }

    def _launch(self, launch: Launch) -> dict[str, object]:
        choice = self._settings.choice(launch.id)
        told = {"id": launch.id, "name": launch.name, "pid": launch.pid}
        return {**told, "profile": choice.profile, "via": choice.via}


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


def _accounts(health: Health) -> list[dict[str, object]]:
    """What each account's provider last said of its limits."""
    return [
        {"provider": provider, "account": account, **msgspec.to_builtins(reading)}
        for (provider, account), reading in sorted(health.readings.items())
    ]


def _trouble(health: Health) -> dict[str, object]:
    return {"resting": list(health.resting()), "breakers": list(health.broken())}


def _limit(query: str) -> int:
    text = parse_qs(query).get("limit", ["50"])[-1]
    if not text.isdigit():
        raise BadRequest("limit: expected a number", param="limit")
    return min(int(text[:6]), _MOST_FLOWS)
