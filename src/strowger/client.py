"""A client of a running gateway's admin API, over HTTP on loopback. What the command line and the launcher see of it.

Must not know how a gateway is built: everything here comes off the wire, so a newer gateway's unknown fields are
ignored, and an older one's missing fields have defaults. Errors are those of the tree: `Unreachable`, `TimedOut`,
`Malformed`, or what the gateway itself answered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from strowger.errors import Forbidden, GatewayError, Malformed, TimedOut, UnknownModel, Unreachable

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds for a whole answer: it comes from this machine, and from memory."""

_SLOW_TIMEOUT = 60.0
"""Seconds for what has to read many bodies from disk."""

_MODEL_TIMEOUT = 900.0
"""Seconds for what waits for a model."""

_SILENCE = 15.0
"""Seconds without an event, of which one comes each second, until a gateway is taken for gone."""


class Calls(Struct, frozen=True):
    """How many calls there have been."""

    total: int = 0
    running: int = 0
    failed: int = 0
    cancelled: int = 0


class ProviderState(Struct, frozen=True):
    """A provider and the state of its credential: `ok`, `missing`, `none` needed, the `client`'s own, or `unknown`
    while a command takes its time.
    """

    name: str
    dialect: str = ""
    base_url: str = ""
    credential: str = ""
    problem: str | None = None


class RouteState(Struct, frozen=True, rename={"request_class": "class"}):
    """A configured route: calls for these models, and for which all the conditions hold, go `to` a target or its
    fallbacks. An empty condition, or one that is None, is none.
    """

    name: str
    model: tuple[str, ...] = ()
    request_class: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    subagent: bool | None = None
    agent_id: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    prompt_over: int | None = None
    prompt_under: int | None = None
    effort: tuple[str, ...] = ()
    thinking: bool | None = None
    plan: bool | None = None
    tool: tuple[str, ...] = ()
    images: bool | None = None
    to: str = ""
    fallback: tuple[str, ...] = ()


class LaunchState(Struct, frozen=True):
    """A client that runs on the gateway, and what was chosen for it alone."""

    id: str
    name: str = ""
    pid: int = 0
    profile: str | None = None
    via: str | None = None


class RestState(Struct, frozen=True):
    """An account that is left alone until a Unix time; all of it where no `model` is named.

    `told`: the provider said for how long, so nobody is asked before.
    """

    provider: str
    account: str = ""
    model: str | None = None
    kind: str = ""
    until: float = 0.0
    told: bool = False


class BreakerState(Struct, frozen=True):
    """A host that failed several times in a row. `seconds` are left until a call may find out how it is."""

    provider: str
    base_url: str = ""
    model: str | None = None
    failures: int = 0
    seconds: float = 0.0


class Status(Struct, frozen=True, rename={"uptime": "uptime_seconds"}):
    """A running gateway. `started` is Unix time, `uptime` in seconds; `models` are the names that lead anywhere."""

    version: str = ""
    pid: int = 0
    started: float = 0.0
    uptime: float = 0.0
    calls: Calls = Calls()
    client_token_required: bool = False
    providers: tuple[ProviderState, ...] = ()
    routes: tuple[RouteState, ...] = ()
    aliases: dict[str, str] = {}
    models: tuple[str, ...] = ()
    launches: tuple[LaunchState, ...] = ()
    resting: tuple[RestState, ...] = ()
    breakers: tuple[BreakerState, ...] = ()


class WindowState(Struct, frozen=True):
    """One limit of an account. `resets_at` is Unix time; what its provider does not say is None."""

    name: str
    used_percent: float | None = None
    limit: float | None = None
    remaining: float | None = None
    minutes: float | None = None
    resets_at: float | None = None


class CreditState(Struct, frozen=True):
    """What can be spent beside the windows."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str | None = None


class AccountState(Struct, frozen=True):
    """What a provider last said, at a Unix time, of one account."""

    provider: str
    account: str = ""
    at: float = 0.0
    plan: str | None = None
    windows: tuple[WindowState, ...] = ()
    credits: CreditState | None = None
    limit_reached: bool = False


class Quota(Struct, frozen=True):
    """What is left of the accounts that calls were made with, and what stands in the way of others."""

    accounts: tuple[AccountState, ...] = ()
    resting: tuple[RestState, ...] = ()
    breakers: tuple[BreakerState, ...] = ()


class ModelFacts(Struct, frozen=True):
    """What is known of a model: tokens of context and of output, 0 when nobody says; whether it takes images."""

    context: int = 0
    output: int = 0
    images: bool | None = None


class Model(Struct, frozen=True):
    """A model that can be asked for, and where that leads. `discovery` names are for Claude Code's list only."""

    id: str
    provider: str = ""
    model: str = ""
    display_name: str = ""
    discovery: bool = False
    facts: ModelFacts = ModelFacts()


class Launch(Struct, frozen=True):
    """A launch that was opened: its token lets one client in until it is closed. `env` is for its environment,
    `effort` for how hard its models think.
    """

    id: str
    token: str
    env: dict[str, str] = {}
    effort: str | None = None

    def __repr__(self) -> str:
        return f"Launch({self.id})"


class Catalog(Struct, frozen=True):
    """What can be asked for, and by provider why its own list is missing."""

    models: tuple[Model, ...]
    problems: dict[str, str] = {}


class Chosen(Struct, frozen=True):
    """What a launch goes by: a profile, or via a provider; neither is what everybody has."""

    profile: str | None = None
    via: str | None = None


class Page(Struct, frozen=True):
    """Calls as plain data, the newest first. `next` goes into `before` for the page behind; None: it was the last.
    `count` is how many there are in all, where that was asked.
    """

    flows: tuple[dict[str, Any], ...] = ()
    next: int | None = None
    count: int | None = None


class MessageHead(Struct, frozen=True):
    """A message on its way over one wire, without its bytes. `line` is `POST https://…` or a status. `size` counts all
    bytes, `kept` those that can be asked for; `pieces` are milliseconds since the call had been read, and bytes.
    """

    kind: str
    number: int = 0
    line: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    size: int = 0
    kept: int = 0
    cut: bool = False
    first_ms: float | None = None
    last_ms: float | None = None
    pieces: tuple[tuple[float, int], ...] = ()


class _Messages(Struct, frozen=True):
    messages: tuple[MessageHead, ...]


class Lines(Struct, frozen=True):
    """A message's body as lines of text from `offset` on; `total` are there."""

    lines: tuple[str, ...] = ()
    offset: int = 0
    total: int = 0


class AnswerEvent(Struct, frozen=True):
    """One event of an answer; `ms` since the call had been read."""

    ms: float
    kind: str = ""
    data: str = ""


class AnswerEvents(Struct, frozen=True):
    """The events of an answer from `offset` on; `total` are there."""

    events: tuple[AnswerEvent, ...] = ()
    offset: int = 0
    total: int = 0


class Comparison(Struct, frozen=True):
    """What a client sent beside what was forwarded, the request with this `number` of those that there are.

    `likeness` is `identical`, `equal` (the same JSON, written otherwise) or `different`; `headers` and `body` are lines
    of a diff.
    """

    line: tuple[str, str] = ("", "")
    headers: tuple[str, ...] = ()
    likeness: str = ""
    body: tuple[str, ...] = ()
    number: int = 0
    numbers: tuple[int, ...] = ()


class StoreState(Struct, frozen=True):
    """How the store of calls is, where there is one (`on`). `problem` is one sentence while it cannot be written."""

    on: bool = False
    path: str = ""
    flows: int = 0
    bytes: int = 0
    waiting: int = 0
    written: int = 0
    bodies_dropped: int = 0
    flows_dropped: int = 0
    problem: str | None = None


class Event(Struct, frozen=True):
    """Something that happened: a `flow` began, opened or ended, a `pulse` of the gateway, changes of `quota` and
    `store`, a `gap` where events were missed. What there will be besides is to be passed over.
    """

    kind: str
    data: Any


class Answered(Struct, frozen=True):
    """What an answer says: text, thinking, the tools that it calls with their arguments (JSON), how it ended, or the
    error that it was.
    """

    status: int = 0
    error: str | None = None
    text: str = ""
    thinking: str = ""
    calls: tuple[dict[str, str], ...] = ()
    stop: str | None = None


class Replayed(Struct, frozen=True):
    """A call that was repeated: the new flow, as plain data, and what was answered."""

    flow: dict[str, Any] = {}
    answer: Answered = Answered()


class _Translated(Struct, frozen=True):
    request: dict[str, Any] = {}


class _Reloaded(Struct, frozen=True):
    needs_restart: tuple[str, ...] = ()


class Admin:
    """`async with Admin(url, token) as admin`: one gateway's admin API."""

    def __init__(self, url: str, token: str, *, timeout: float = TIMEOUT) -> None:
        import aiohttp  # takes longer than all the rest; who only looks for gateways has no need of it

        self._url = url.rstrip("/")
        self._timeout = timeout
        # A proxy of the environment is not asked: what we speak to is on this machine.
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {token}"}, timeout=aiohttp.ClientTimeout(total=timeout), trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def status(self) -> Status:
        """How the gateway is."""
        return await self._ask("GET", "status", Status)

    async def models(self, launch: str = "") -> Catalog:
        """The models that can be asked for, by a launch where one is named. The gateway asks its providers, which it
        gives two seconds.
        """
        return await self._ask("GET", f"models?launch={launch}" if launch else "models", Catalog)

    async def quota(self) -> Quota:
        """What is left of the accounts, as far as their providers have said."""
        return await self._ask("GET", "quota", Quota)

    async def flows(self, limit: int = 20, where: str = "") -> tuple[dict[str, Any], ...]:
        """The last calls that a filter lets pass, the newest first, as plain data."""
        return (await self.page(where, limit=limit)).flows

    async def page(self, where: str = "", *, limit: int = 50, before: int | None = None, count: bool = False) -> Page:
        """Calls that a filter lets pass, page by page; running ones are on the first. `count` takes longer."""
        return await self._ask("GET", _path("flows", where=where, limit=limit, before=before, count=count), Page)

    async def flow(self, id: str) -> dict[str, Any]:
        """One call, as plain data; a beginning of its id will do, also `last`."""
        return await self._ask("GET", f"flows/{_part(id)}", dict[str, Any])

    async def messages(self, id: str) -> tuple[MessageHead, ...]:
        """What went over the wires in a call, as far as it is kept."""
        return (await self._ask("GET", f"flows/{_part(id)}/messages", _Messages)).messages

    async def body(self, id: str, kind: str, number: int | None = None) -> bytes:
        """The bytes of one message, of the last of its kind unless a number is given."""
        return await self._send("GET", _path(f"flows/{_part(id)}/body", kind=kind, number=number), None)

    async def lines(
        self, id: str, kind: str, number: int | None = None, *, offset: int = 0, limit: int = 2000
    ) -> Lines:
        """The same for people: JSON one member to a line, streams event by event."""
        asked = {"kind": kind, "number": number, "offset": offset, "limit": limit, "as": "lines"}
        return await self._ask("GET", _path(f"flows/{_part(id)}/body", **asked), Lines)

    async def answer_events(
        self, id: str, kind: str, number: int | None = None, *, offset: int = 0, limit: int = 1000
    ) -> AnswerEvents:
        """An answer, `upstream_response` or `client_response`, event by event with the moments."""
        asked = {"kind": kind, "number": number, "offset": offset, "limit": limit, "as": "events"}
        return await self._ask("GET", _path(f"flows/{_part(id)}/body", **asked), AnswerEvents)

    async def compare(self, id: str, number: int | None = None) -> Comparison:
        """What the client sent beside what was forwarded, the last time unless a number is given."""
        return await self._ask("GET", _path(f"flows/{_part(id)}/compare", number=number), Comparison)

    async def store(self) -> StoreState:
        """How the store of calls is."""
        return await self._ask("GET", "store", StoreState)

    async def events(self, where: str = "") -> AsyncGenerator[Event, None]:
        """What happens, as it happens, until the gateway goes; of calls only those that a filter lets pass.

        Whoever wants to go on after an end or an error asks again: the stream begins with what is running then. To
        leave early, close it (`contextlib.aclosing`). Raises Unreachable and TimedOut, also when the gateway falls
        silent, and GatewayError for a filter that is none.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=_SILENCE)
        url = f"{self._url}/_strowger/events"
        try:
            async with self._session.get(
                url, params={"where": where} if where else None, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status >= 300:
                    raise _refusal(response.status, await response.read())
                rest = b""
                async for chunk in response.content.iter_any():
                    *frames, rest = (rest + chunk).split(b"\n\n")
                    for frame in frames:
                        event = _event(frame)
                        if event is not None:
                            yield event
        except TimeoutError as error:
            raise TimedOut(f"the gateway at {self._url} has fallen silent") from error
        except aiohttp.ClientError as error:
            raise Unreachable(f"the connection to the gateway at {self._url} broke off") from error

    async def replay(self, id: str, to: str | None = None) -> Replayed:
        """The call of a flow once more, to another model or to the same. Takes as long as the model does.

        Raises GatewayError where there is no such flow, or its body is not kept.
        """
        order = {"to": to, "dry_run": False}
        return await self._ask("POST", f"flows/{id}/replay", Replayed, order, timeout=_MODEL_TIMEOUT)

    async def translated(self, id: str, to: str | None = None) -> dict[str, Any]:
        """What would be sent if it was: url, provider, model, dialect, lane, losses and body."""
        order = {"to": to, "dry_run": True}
        return (await self._ask("POST", f"flows/{id}/replay", _Translated, order)).request

    async def cache(self, session: str) -> dict[str, Any]:
        """What became of the cache in a session, call by call, as plain data."""
        return await self._ask("GET", _path("cache", session=session), dict[str, Any], timeout=_SLOW_TIMEOUT)

    async def reload(self) -> tuple[str, ...]:
        """Have the configuration read anew. Gives the sections whose change needs a new start.

        Raises GatewayError where it cannot be used; the gateway then goes on as it was.
        """
        return (await self._ask("POST", "reload", _Reloaded)).needs_restart

    async def open_launch(
        self,
        name: str,
        pid: int,
        model: str | None = None,
        *,
        profile: str | None = None,
        via: str | None = None,
        project: str = "",
    ) -> Launch:
        """A token for one client; `pid` is of the process that will close the launch again, `project` the directory
        that it works in.

        With `profile` or `via` its calls go by these. Raises UnknownModel where `model`, which the client shall ask
        for, leads nowhere, and GatewayError for a choice that cannot be.
        """
        order = {"name": name, "pid": pid, "model": model, "profile": profile, "via": via, "project": project}
        return await self._ask("POST", "launches", Launch, order)

    async def switch(self, id: str, to: str) -> Chosen:
        """Have a launch's calls go by another profile or via another provider. Raises GatewayError."""
        return await self._ask("POST", f"launches/{id}", Chosen, {"to": to})

    async def close_launch(self, id: str) -> None:
        """Make a launch's token worthless."""
        await self._send("DELETE", f"launches/{id}", None)

    async def _ask(
        self, method: str, path: str, kind: type[T], body: object = None, *, timeout: float | None = None
    ) -> T:
        answer = await self._send(method, path, body, timeout)
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise Malformed(f"the gateway's answer about {path} is not understood", hint=_VERSIONS) from error

    async def _send(self, method: str, path: str, body: object, timeout: float | None = None) -> bytes:
        import aiohttp

        data = None if body is None else msgspec.json.encode(body)
        headers = {"content-type": "application/json"} if data else {}
        try:
            async with self._session.request(
                method,
                f"{self._url}/_strowger/{path}",
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout or self._timeout),
            ) as response:
                answer = await response.read()
        except TimeoutError as error:
            raise TimedOut(f"the gateway at {self._url} does not answer") from error
        except aiohttp.ClientError as error:
            raise Unreachable(f"no gateway answers at {self._url}") from error
        if response.status >= 300:
            raise _refusal(response.status, answer)
        return answer


def _part(name: str) -> str:
    """A part of a path."""
    return quote(name, safe="")


def _path(path: str, **asked: object) -> str:
    """A path with its query; what is None, empty or False is not said."""
    said = {
        name: "yes" if value is True else value
        for name, value in asked.items()
        if value is not None and value is not False and value != ""
    }
    return f"{path}?{urlencode(said)}" if said else path


def _event(frame: bytes) -> Event | None:
    """An event of the stream; a comment is none. Raises Malformed."""
    kind, data = "message", b""
    for line in frame.split(b"\n"):
        if line.startswith(b"event: "):
            kind = line[7:].decode("utf-8", "replace")
        elif line.startswith(b"data: "):
            data += line[6:]
    try:
        return Event(kind, msgspec.json.decode(data)) if data else None
    except msgspec.DecodeError as error:
        raise Malformed("an event of the gateway is not understood", hint=_VERSIONS) from error


_VERSIONS = "is the running gateway of another version? Restart it"


def _refusal(status: int, answer: bytes) -> GatewayError:
    """What the gateway said; an older one says its hint in brackets behind the message."""
    try:
        error = msgspec.json.decode(answer)["error"]
        message, code, hint = str(error["message"]), error.get("code"), error.get("hint")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        message, code, hint = f"the gateway answered with status {status}", None, None
    if code == "model_not_found":
        message, _, bracketed = message.partition(" (hint: ")
        return UnknownModel(message, hint=hint or bracketed.removesuffix(")") or None)
    return Forbidden(message, hint=hint) if status in (401, 403) else GatewayError(message, hint=hint)
