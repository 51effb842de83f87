"""A client of a running gateway's admin API, over HTTP on loopback. What the command line and the launcher see of it.

Must not know how a gateway is built: everything here comes off the wire, so a newer gateway's unknown fields are
ignored, and an older one's missing fields have defaults. Errors are those of the tree: `Unreachable`, `TimedOut`,
`Malformed`, or what the gateway itself answered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from strowger.answers import (
    AccountState,
    AgentUse,
    Answered,
    AnswerEvent,
    AnswerEvents,
    BreakerState,
    Calls,
    Catalog,
    Chosen,
    Comparison,
    CreditState,
    Event,
    Launch,
    LaunchState,
    Lines,
    MessageHead,
    Model,
    ModelFacts,
    Page,
    Prospect,
    ProviderState,
    Quota,
    Replayed,
    RestState,
    RouteState,
    SessionUse,
    Status,
    StoreState,
    Transcript,
    Usage,
    WindowState,
)
from strowger.errors import Forbidden, GatewayError, Malformed, TimedOut, UnknownModel, Unreachable

__all__ = [
    "AccountState",
    "Admin",
    "AgentUse",
    "AnswerEvent",
    "AnswerEvents",
    "Answered",
    "BreakerState",
    "Calls",
    "Catalog",
    "Chosen",
    "Comparison",
    "CreditState",
    "Event",
    "Launch",
    "LaunchState",
    "Lines",
    "MessageHead",
    "Model",
    "ModelFacts",
    "Page",
    "Prospect",
    "ProviderState",
    "Quota",
    "Replayed",
    "RestState",
    "RouteState",
    "SessionUse",
    "Status",
    "StoreState",
    "Transcript",
    "Usage",
    "WindowState",
]

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds for a whole answer: it comes from this machine, and from memory."""

_SLOW_TIMEOUT = 60.0
"""Seconds for what has to read many bodies from disk."""

_MODEL_TIMEOUT = 900.0
"""Seconds for what waits for a model."""

_SILENCE = 15.0
"""Seconds without an event, of which one comes each second, until a gateway is taken for gone."""


class _Messages(Struct, frozen=True):
    messages: tuple[MessageHead, ...]


class _Sessions(Struct, frozen=True):
    sessions: tuple[SessionUse, ...]


class _Ticket(Struct, frozen=True):
    ticket: str


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

    async def prospect(
        self, launch: str, models: Sequence[str], *, knows: Sequence[str] = (), dialect: str = ""
    ) -> Prospect:
        """What awaits a conversation of a launch that asks for any of these models. `knows` are globs of models that
        the client knows itself. The gateway may ask providers, which it gives two seconds.
        """
        asked = {"launch": launch, "models": " ".join(models), "knows": " ".join(knows), "dialect": dialect}
        return await self._ask("GET", f"prospect?{urlencode(asked)}", Prospect)

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

    async def transcript(self, id: str, *, last: int = 40) -> Transcript:
        """What was said in a call, as people read it: the last turns, and the answer."""
        return await self._ask("GET", _path(f"flows/{_part(id)}/transcript", last=last), Transcript)

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

    async def usage(self, by: Sequence[str] = (), *, where: str = "", since: str = "", until: str = "") -> Usage:
        """What was used, put together by what calls have in common; `since` and `until` as in a filter (`7d`)."""
        return await self._ask("GET", _path("usage", by=",".join(by), where=where, since=since, until=until), Usage)

    async def sessions(self, where: str = "", *, limit: int = 50) -> tuple[SessionUse, ...]:
        """The sessions that were heard of last, each with its agents as a tree."""
        return (await self._ask("GET", _path("sessions", where=where, limit=limit), _Sessions)).sessions

    async def ticket(self) -> str:
        """What stands for the admin token once, for two minutes, in the address of the dashboard."""
        return (await self._ask("POST", "tickets", _Ticket)).ticket

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
        if self._session.closed:  # whoever asks has kept us for longer than the gateway has run
            raise Unreachable(f"the gateway at {self._url} has ended")
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
