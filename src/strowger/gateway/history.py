"""The part of the admin API that tells of calls: those under way, those in memory, those in the store.

GET flows                ?where=<filter>&limit=50&before=<next of the last answer>&count=yes → flows, newest first
GET flows/<id>           one of them; a beginning of its id will do, also `last`
GET flows/<id>/messages  what went over the wires: heads, sizes, moments
GET flows/<id>/body      ?kind=client_request|forwarded|upstream_response|client_response&number=0: its bytes; with
                         as=lines, JSON and streams as lines (&offset=&limit=), with as=events, an answer event by event
GET flows/<id>/compare   ?number=0: the client's request beside the one that was forwarded
GET store                how the store is

What is read from disk is read in a worker thread. Must not know sums: they are `sums`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast, get_args

import anyio
import anyio.to_thread
import msgspec
from msgspec.structs import replace

from strowger.errors import BadRequest, ErrorKind, GatewayError, UnknownPath
from strowger.flows import diff, pretty
from strowger.flows.archive import Archive
from strowger.flows.caching import explain_session
from strowger.flows.filters import Filter
from strowger.flows.flow import Flow, summary
from strowger.flows.query import parse
from strowger.flows.recorder import Recorder
from strowger.flows.sharing import without_spelled
from strowger.flows.store import Store
from strowger.flows.tape import Kind, Masked, Message, masked, touched

T = TypeVar("T")
Asked = Mapping[str, str]
"""The query of an admin call."""

_MOST = 1000
_MOST_LINES = 20_000
_MOST_PIECES = 2000
_KINDS = get_args(Kind)
# What was put a moment ago is on disk within this time, in seconds; or the disk is in trouble.
_FLUSH_SECONDS = 2.0
# A page that asks for much at once must not take all the threads that others need.
_READERS = 4


class History:
    """Reads calls. `archive` and `store` are None where nothing is stored; memory is all there is then."""

    def __init__(self, recorder: Recorder, archive: Archive | None, store: Store | None) -> None:
        self._recorder = recorder
        self.archive = archive
        self._store = store
        self._readers = anyio.CapacityLimiter(_READERS)

    async def read(self, work: Callable[[], T]) -> T:
        """Do what takes a disk in a worker thread."""
        return await anyio.to_thread.run_sync(work, limiter=self._readers)

    async def flows(self, asked: Asked) -> dict[str, object]:
        """A page of calls. `next` goes into `before` for the one behind it; None: this was the last.

        Those that are running, and those that are not on disk yet, are on the first page. Raises BadRequest.
        """
        where = filter_of(asked)
        limit = min(number_of(asked, "limit", 50), _MOST)
        before = number_of(asked, "before", 0) or None
        found = await self._stored(where, limit, before)
        told: dict[str, object] = {"next": found[-1]["seq"] if found and len(found) == limit else None}
        if before is None:
            found = self._fresh(where, found, limit)
        if asked.get("count") and self.archive is not None:
            archive = self.archive
            told["count"] = await self.read(lambda: archive.count(where))
        return {"flows": found, **told}

    async def _stored(self, where: Filter, limit: int, before: int | None) -> list[dict[str, object]]:
        archive = self.archive
        if archive is None or limit == 0:
            return []
        return await self.read(lambda: archive.list(where, limit=limit, before=before))

    def _fresh(self, where: Filter, stored: list[dict[str, object]], limit: int) -> list[dict[str, object]]:
        """The page with what memory knows better."""
        known = {str(each["id"]): each for each in stored}
        oldest = cast("float", stored[-1]["started"]) if len(stored) == limit and stored else 0.0
        count = max(limit, 1) if self.archive is None else _MOST
        found = {flow.id: flow for flow in (*self._recorder.latest(count), *self._recorder.under_way())}
        for flow in found.values():
            if flow.started >= oldest and where.matches(told := summary(flow)):
                seq = known.get(flow.id, {}).get("seq")
                known[flow.id] = told if seq is None else {**told, "seq": seq}
            elif flow.id in known and flow.started >= oldest:
                del known[flow.id]  # it has changed since it was written, and does not fit any more
        newest = sorted(known.values(), key=lambda each: cast("float", each["started"]), reverse=True)
        return newest[:limit] if self.archive is None else newest

    async def flow(self, name: str) -> dict[str, object]:
        """One call. Raises GatewayError when there is none, or several of this name."""
        flow = self._recorder.get(name)
        if flow is not None:
            return summary(flow)
        archive = self.archive
        if archive is None:
            newest = next(self._recorder.latest(1), None) if name == "last" else None
            if newest is None:
                raise UnknownPath(
                    f"there is no flow {name[:60]}", hint="only the last calls are kept: flows.store is off"
                )
            return summary(newest)
        if store := self._store:  # what ended a moment ago is on its way there
            await self.read(lambda: store.flush(_FLUSH_SECONDS))
        return await self.read(lambda: archive.get(name))

    def _held(self, name: str) -> Flow | None:
        """A call that memory has: it may not be on disk yet."""
        return next(self._recorder.latest(1), None) if name == "last" else self._recorder.get(name)

    async def messages(self, name: str) -> list[Message]:
        """What went over the wires, as far as it is kept, in order. Raises GatewayError as `flow` does."""
        archive, flow = self.archive, self._held(name)
        name = name if flow is None else flow.id
        held = await self._running(flow) if flow is not None and flow.tape is not None else []
        if archive is None:
            if flow is None:
                await self.flow(name)
            return held
        try:
            stored = await self.read(lambda: archive.messages(name))
        except GatewayError as error:
            if flow is None or error.kind is not ErrorKind.NOT_FOUND:
                raise
            stored = []
        if flow is not None and not held and not any(each.kind == "client_response" for each in stored):
            store = self._store
            if store is not None and await self.read(lambda: store.flush(_FLUSH_SECONDS)):
                stored = await self.read(lambda: archive.messages(name))
        known = {(each.kind, each.number) for each in stored}
        return [*stored, *(each for each in held if (each.kind, each.number) not in known)]

    async def _running(self, flow: Flow) -> list[Message]:
        """What is on a call's tape by now, without its credentials: in memory they are not taken out of bodies yet."""
        tape = flow.tape
        assert tape is not None
        masks = tuple(tape.masks)
        taken = [each.so_far() for each in tape.messages]
        return await self.read(lambda: [_clean(message.unfolded(), masks) for message in taken])

    async def heads(self, name: str) -> dict[str, object]:
        """The messages without their bytes."""
        return {"messages": [head(message) for message in await self.messages(name)]}

    async def body(self, name: str, asked: Asked) -> bytes | dict[str, object]:
        """A message's bytes, or what they say. Raises BadRequest and UnknownPath."""
        message = _chosen(await self.messages(name), kind_of(asked), number_of(asked, "number", -1))
        match asked.get("as", "bytes"):
            case "bytes":
                return message.body
            case "lines":
                offset, limit = number_of(asked, "offset", 0), min(number_of(asked, "limit", 2000), _MOST_LINES)
                lines = await self.read(lambda: pretty.lines_of(message.body))
                return {"lines": lines[offset : offset + limit], "offset": offset, "total": len(lines)}
            case "events":
                offset, limit = number_of(asked, "offset", 0), min(number_of(asked, "limit", 1000), _MOST_LINES)
                events = await self.read(lambda: pretty.events_of(message.pieces, _moments(message)))
                shown = [
                    {"ms": round(one.moment * 1000, 2), "kind": one.kind, "data": one.data.decode("utf-8", "replace")}
                    for one in events[offset : offset + limit]
                ]
                return {"events": shown, "offset": offset, "total": len(events)}
            case other:
                raise BadRequest(f"as: there is no form {other[:40]!r}", param="as", hint="bytes, lines or events")

    async def compare(self, name: str, asked: Asked) -> dict[str, object]:
        """What the client asked beside what was forwarded for it, the last time unless a number is given."""
        messages = await self.messages(name)
        client = _chosen(messages, "client_request", -1)
        forwarded = _chosen(messages, "forwarded", number_of(asked, "number", -1))
        found = await self.read(lambda: diff.compare(client, forwarded))
        numbers = [each.number for each in messages if each.kind == "forwarded"]
        told: dict[str, object] = msgspec.to_builtins(found)
        return {**told, "number": forwarded.number, "numbers": numbers}

    async def cache(self, session: str) -> dict[str, object]:
        """What became of the cache in a session, call by call, and why. Raises BadRequest and UnknownPath."""
        archive = self.archive
        if not session:
            raise BadRequest("session: whose cache?", param="session", hint="such as cache?session=3fa9c1")
        if archive is None:
            raise UnknownPath("no bodies are kept: flows.store is off")
        told: dict[str, object] = msgspec.to_builtins(await self.read(lambda: explain_session(archive, session)))
        return told

    def store(self) -> dict[str, object]:
        """How the store is."""
        if self._store is None:
            return {"on": False}
        state: dict[str, object] = msgspec.to_builtins(self._store.state())
        return {"on": True, **state}


def filter_of(asked: Asked) -> Filter:
    """The filter of a call; without one, everything passes. Raises BadRequest."""
    return parse(asked.get("where", ""))


def number_of(asked: Asked, name: str, otherwise: int) -> int:
    """A whole number of the query. Raises BadRequest."""
    text = asked.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise BadRequest(f"{name}: expected a number", param=name, hint=f"such as {name}=20")
    return int(text)


def kind_of(asked: Asked) -> Kind:
    """Which message is meant. Raises BadRequest."""
    kind = asked.get("kind", "client_request")
    if kind not in _KINDS:
        raise BadRequest(f"kind: there is no {kind[:40]!r}", param="kind", hint=", ".join(_KINDS))
    return cast("Kind", kind)


def _chosen(messages: list[Message], kind: Kind, number: int) -> Message:
    """A message, the last of its kind where no number is given. Raises UnknownPath."""
    found = [each for each in messages if each.kind == kind and number in (-1, each.number)]
    if found:
        return found[-1]
    which = kind.replace("_", " ") + (f" number {number}" if number >= 0 else "")
    hint = "flows.bodies and flows.keep_days say what is kept" if not messages else None
    raise UnknownPath(f"no {which} is kept of this call", hint=hint)


def _clean(message: Message, masks: tuple[Masked, ...]) -> Message:
    def plain(text: str) -> str:
        return masked(masks, text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")

    headers = tuple((plain(name), plain(value)) for name, value in message.headers)
    message = replace(message, line=plain(message.line))
    body = message.body
    clean = masked(masks, body)
    if touched(masks, body) and pretty.is_stream(clean):
        clean = without_spelled(clean, plain)
    if clean == body:
        return replace(message, headers=headers)
    return replace(message, headers=headers, pieces=[clean], moments=message.moments[-1:])


def _moments(message: Message) -> list[float]:
    return message.moments if len(message.moments) == len(message.pieces) else [0.0] * len(message.pieces)


def head(message: Message) -> dict[str, object]:
    """A message without its bytes, as plain data: `answers.MessageHead`."""
    moments = _moments(message)
    pieces = [[round(at * 1000, 2), len(piece)] for at, piece in zip(moments, message.pieces, strict=True)]
    return {
        **message.head(),
        "kept": sum(map(len, message.pieces)),
        "first_ms": pieces[0][0] if pieces else None,
        "last_ms": pieces[-1][0] if pieces else None,
        "pieces": pieces[:_MOST_PIECES],
    }
