"""The admin API under /_strowger/: status, quotas, calls, launches, and the page. For whoever can read the pidfile.

GET    (nothing)         the dashboard; page/<file> are its parts. These need no token: there is nothing in them
GET    status            what runs, where, with which providers and routes
GET    models            what can be asked for, and where each leads (?launch=<id>: for that launch)
GET    prospect          what awaits a conversation that asks for these ?models (&knows: globs of those that its
                         client knows; &launch=<id>, &dialect): how much it may hold, and what is understood
GET    quota             what is left of the accounts, who rests, and whose breaker is open
GET    events            what happens, as it happens: Server-Sent Events (?where=<filter>: only these calls)
GET    flows…, store     calls, what went over the wires in them, how they are kept: `history` lists them
GET    usage, sessions   what was used and what that cost: `sums` lists how it can be asked
POST   flows/<id>/replay {"to": …, "dry_run": …}: the call once more, to another model → {"flow": …, "answer": …}
GET    cache             ?session=<id>: what became of the cache in a session, call by call, and why
POST   tickets           → {"ticket": …}: stands for the token once, for two minutes; for the address of the page
POST   token             {"ticket": …} → {"token": …}
POST   reload            the configuration read anew → {"needs_restart": […]}: sections whose change waits for one
POST   launches          {"name": …, "pid": …} → {"id": …, "token": …}: a token for one client's life
                         (with "model", which the client shall ask for, only if that leads anywhere; with "profile"
                         and "via", routed by these alone; "project" is the directory that it works in)
POST   launches/<id>     {"to": …}: its calls go by another profile, or via another provider, from now on
DELETE launches/<id>

Errors are JSON: {"error": {"message": …, "hint": …, "type": …, "code": …, "param": …}}.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec

from strowger.errors import BadRequest, ConfigError, ErrorKind, GatewayError, UnknownPath
from strowger.flows.query import parse
from strowger.gateway import page, status
from strowger.gateway.access import Client
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import Call
from strowger.gateway.history import Asked, History
from strowger.gateway.launching import Launches
from strowger.gateway.models import Models
from strowger.gateway.pipeline import Line
from strowger.gateway.replaying import Order, Replaying
from strowger.gateway.said import Said
from strowger.gateway.settings import Settings
from strowger.gateway.sums import Sums
from strowger.gateway.watching import Watching
from strowger.routing.table import RouteTable
from strowger.upstreams.base import Headers

# Nothing that a model or a client wrote is to be taken for a page of ours.
_BYTES: Headers = (
    ("Content-Type", "application/octet-stream"),
    ("Content-Disposition", "attachment"),
    ("X-Content-Type-Options", "nosniff"),
)
_JSON: Headers = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))


class Admin:
    """Answers admin calls."""

    def __init__(self, line: Line, models: Models, settings: Settings, watching: Watching, history: History) -> None:
        self._line = line
        self._access = line.access
        self._recorder = line.recorder
        self._models = models
        self._settings = settings
        self._watching = watching
        self._history = history
        self._said = Said(history, line.dialects)
        self._sums = Sums(history)
        self._launches = Launches(line, settings, models)
        self._replaying = Replaying(line, history)
        self._started = time.time()

    async def answer(self, call: Call, reply: Reply) -> None:
        """Answer. Raises ClientGone, and what is to be answered instead: Forbidden, UnknownPath, BadRequest, …"""
        name, _, rest = call.endpoint.name.partition("/")
        if call.method in ("GET", "HEAD") and name in ("", "page"):
            await reply.whole(200, *page.answer(rest))
            return
        if (call.method, name, rest) == ("POST", "token", ""):
            await reply.whole(200, _JSON, msgspec.json.encode({"token": self._access.redeem(_ticket(call.body))}))
            return
        self._access.admit_admin(call.headers)
        asked = {name: values[-1] for name, values in parse_qs(call.query).items()}
        match call.method, name, rest:
            case "GET", "events", "":
                where = asked.get("where", "").strip()
                await self._watching.answer(reply, parse(where).matches if where else None)
            case "GET", "flows", path if path.endswith("/body"):
                body = await self._history.body(path.removesuffix("/body"), asked)
                if isinstance(body, bytes):
                    await reply.whole(200, _BYTES, body)
                else:
                    await reply.whole(200, _JSON, msgspec.json.encode(body))
            case _:
                status, data = await self._plain(call, name, rest, asked)
                await reply.whole(status, _JSON, msgspec.json.encode(data))

    async def _plain(self, call: Call, name: str, rest: str, asked: Mapping[str, str]) -> tuple[int, object]:
        """Status and JSON data."""
        match call.method, name, rest:
            case "GET", "status", "":
                return 200, await status.told(self._line, self._launches.described(), self._started)
            case "GET", "prospect", "":
                return 200, await self._launches.prospect(asked)
            case "GET", "models", "":
                routes = self._routes(asked)
                entries = await self._models.entries(routes)
                return 200, {"models": entries, "problems": self._models.problems(routes)}
            case "GET", "quota", "":
                return 200, status.quota(self._line.health)
            case "GET", "flows" | "store" | "cache" | "usage" | "sessions", _:
                return 200, await self._told(name, rest, asked)
            case "POST", "flows", path if path.endswith("/replay"):
                return 200, await self._replaying.replay(path.removesuffix("/replay"), _order(call.body))
            case "POST", "tickets", "":
                return 201, {"ticket": self._access.ticket()}
            case "POST", "reload", "":
                return 200, {"needs_restart": list(await self._reload_or_refuse())}
            case "POST", "launches", "":
                return 201, await self._launches.open(call.body)
            case "POST", "launches", launch_id:
                return 200, await self._launches.switch(launch_id, call.body)
            case "DELETE", "launches", launch_id if launch_id:
                self._launches.close(launch_id)
                return 200, {"closed": launch_id}
            case _:
                raise _nothing(call.method, call.endpoint.name)

    def _routes(self, asked: Asked) -> RouteTable:
        """Those of a launch, where one is named."""
        launch = asked.get("launch")
        return self._line.routes_for(Client("", launch=launch)) if launch else self._line.routes

    async def _told(self, name: str, rest: str, asked: Asked) -> object:
        """What is known of calls."""
        flow, _, part = rest.partition("/")
        match name, bool(flow), part:
            case "flows", False, "":
                return await self._history.flows(asked)
            case "flows", True, "":
                return await self._history.flow(flow)
            case "flows", True, "messages":
                return await self._history.heads(flow)
            case "flows", True, "transcript":
                return await self._said.transcript(flow, asked)
            case "flows", True, "compare":
                return await self._history.compare(flow, asked)
            case "cache", False, "":
                return await self._history.cache(asked.get("session", ""))
            case "usage", False, "":
                return await self._sums.usage(asked)
            case "sessions", False, "":
                return await self._sums.sessions(asked)
            case "store", False, "":
                return self._history.store()
            case _:
                raise _nothing("GET", f"{name}/{rest}")

    async def _reload_or_refuse(self) -> tuple[str, ...]:
        try:
            return await self._settings.reload()
        except ConfigError as error:
            raise BadRequest(str(error), hint=error.hint) from None


class _Ticket(msgspec.Struct):
    ticket: str


def _ticket(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Ticket).ticket
    except msgspec.MsgspecError as error:
        raise BadRequest(f"not a ticket: {error}") from None


def _order(body: bytes) -> Order:
    try:
        return msgspec.json.decode(body or b"{}", type=Order)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"not a wish for a repetition: {error}") from None


def _nothing(method: str, name: str) -> UnknownPath:
    return UnknownPath(
        f"the admin API has nothing at {method} {name[:200]}",
        hint="is whoever asks of another version than the gateway?",
    )


_STATUS = {
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.UNKNOWN_MODEL: 404,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.UNAUTHENTICATED: 403,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA_EXHAUSTED: 429,
    ErrorKind.OVERLOADED: 503,
}


def refusal(error: GatewayError) -> tuple[int, Headers, bytes]:
    """An error of the admin API: its hint and what it is about stand beside the message."""
    said = {
        "type": error.kind,
        "message": error.message,
        "hint": error.hint,
        "code": error.code,
        "param": error.param,
    }
    return _STATUS.get(error.kind, 500), _JSON, msgspec.json.encode({"type": "error", "error": said})
