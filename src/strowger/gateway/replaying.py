"""A call that was recorded, once more: to another model, or to the same; or only what would be sent there.

It goes the way of every call, so it is routed, translated, paid for and recorded like one, and says whose repetition it
is. What a client would do with the answer is not known here, so nothing is done with it but told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct

from strowger.config.validate import near_miss
from strowger.dialects.base import DecoderSetup, Dialect, patch_model
from strowger.dialects.efforts import EFFORTS
from strowger.errors import BadRequest, GatewayError, UnknownModel
from strowger.flows.flow import summary
from strowger.flows.tape import HIDDEN, Message
from strowger.gateway.access import CREDENTIAL_HEADERS, TOKEN_HEADER, Launch
from strowger.gateway.endpoints import CHAT, GEMINI, RESPONSES, Call, Verb, match
from strowger.gateway.history import History
from strowger.gateway.lanes import Asked, bounded_depth, draft
from strowger.gateway.pipeline import REPLAY_OF, Line, match_route, new_id, notice
from strowger.gateway.receivers import looks_like_json
from strowger.ir.events import Event, Failure
from strowger.ir.request import Refusal, Text, Thinking, ToolCall
from strowger.ir.response import IncompleteError, Response, fold
from strowger.providers.base import matches, way_to
from strowger.upstreams.base import Headers

# Where a dialect's calls are made, whatever form of it the client used.
_PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses"}
# Of a repetition, and so on.
_REPETITIONS = 20
# What said who the client was and which of its conversations this was: the repetition belongs to none.
_OWN = re.compile(r"(?i)x-(claude-code|strowger)-.*|host|content-length|session[-_]id|conversation[-_]id")


class Order(Struct, frozen=True):
    """What is wanted: `to` a model as clients name them, or where the call went; `dry_run` sends nothing."""

    to: str | None = None
    dry_run: bool = False


class _Collected:
    """A reply that nobody waits for."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.body = bytearray()
        self.started = False
        self.streaming = False

    async def start(self, status: int, headers: Headers) -> None:
        """Begin."""
        self.status, self.headers, self.started, self.streaming = status, headers, True, True

    async def write(self, data: bytes) -> None:
        """Take."""
        self.body += data

    async def end(self, data: bytes = b"") -> None:
        """The last."""
        self.body += data
        self.streaming = False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """All at once."""
        await self.start(status, headers)
        await self.end(body)


class Replaying:
    """Repeats calls over a line."""

    def __init__(self, line: Line, history: History) -> None:
        self._line = line
        self._history = history

    async def replay(self, name: str, order: Order) -> dict[str, object]:
        """Repeat the call of a flow. Gives the new one's summary and what was answered; of a dry run, the request.

        Raises GatewayError where there is no such flow, or not all of it was kept.
        """
        flow = await self._history.flow(name)
        name = str(flow["id"])
        asked = next((one for one in await self._history.messages(name) if one.kind == "client_request"), None)
        if asked is None or not asked.size:
            raise BadRequest(f"the body of flow {flow['id']} is not kept", hint="`flows.bodies` says what is")
        if asked.cut:
            raise BadRequest(f"the body of flow {flow['id']} was too long to be kept", hint="see `flows.max_body_mb`")
        to = self._meant(order.to, str(flow["model"])) if order.to else _went(flow)
        launch = self._line.access.open_launch("replay", os.getpid(), heir_of=await self._whose(flow))
        try:
            with bounded_depth():
                call = _call(flow, asked, to, launch, self._line.routes.providers)
            return await self._dry(call, to) if order.dry_run else await self._wet(call)
        finally:
            self._line.access.close_launch(launch.id)

    def _meant(self, to: str, model: str) -> str:
        """What was named, a provider alone being asked for the model of the call, or for its own in its place.

        A provider before a colon has to be there: a route for all models would take `nobody:x` for the name of one.
        Raises UnknownModel.
        """
        routes = self._line.routes
        name, _, rest = to.partition(":")
        known = name in routes.providers
        if to in routes.aliases or to in routes.literal_models():
            return to
        if known and not rest:
            return f"{name}:{routes.providers[name].stand_in(model) or model}"
        if known or not rest or rest in EFFORTS or any(":" in glob and matches(glob, to) for glob in routes.names()):
            return to
        near = near_miss(name, routes.providers)
        there = ", ".join(routes.providers)
        raise UnknownModel(
            f"no provider `{name[:80]}` is configured",
            available=tuple(routes.providers),
            hint=f"did you mean `{near}:{rest}`?" if near else way_to(name) or f"there are: {there}; `PROVIDER:MODEL`",
        )

    async def _whose(self, flow: Mapping[str, object]) -> str:
        """The client whose call it was, of a repetition too."""
        for _ in range(_REPETITIONS):
            if not flow["replay_of"]:
                break
            try:
                flow = await self._history.flow(str(flow["replay_of"]))
            except GatewayError:
                break
        return str(flow["client"])

    async def _wet(self, call: Call) -> dict[str, object]:
        reply = _Collected()
        dialect = self._line.dialects[call.endpoint.dialect]
        await self._line.handle(call, reply)
        named = {key: value for key, value in reply.headers if key == "x-strowger-flow"}
        flow = self._line.recorder.get(named.get("x-strowger-flow", ""))
        told = summary(flow) if flow is not None else {}
        return {"flow": told, "answer": answered(dialect, reply.status, bytes(reply.body))}

    async def _dry(self, call: Call, to: str) -> dict[str, object]:
        line = self._line
        client = line.access.admit(call.headers)
        route = match_route(line.routes_for(client), call, to, notice(call))
        recalled = await line.memory.recall(call, client.owner, route)
        call = recalled.call if recalled is not None else call
        asked = Asked(call, line.dialects[call.endpoint.dialect], line.origins)
        target = route.targets[0]
        drafted = draft(asked, target, line.dialects[target.provider.dialect], strict=False)
        return {
            "request": {
                "url": drafted.url,
                "provider": target.provider.name,
                "model": target.model,
                "dialect": target.provider.dialect,
                "lane": drafted.lane,
                "losses": msgspec.to_builtins(drafted.losses),
                "body": drafted.body.decode("utf-8", "replace"),
            }
        }


def _went(flow: Mapping[str, object]) -> str:
    """Where a call went, as a model's name; where it got nowhere, what it asked for."""
    return f"{flow['provider']}:{flow['upstream_model']}" if flow["provider"] else str(flow["model"])


def _call(flow: Mapping[str, object], asked: Message, to: str, launch: Launch, providers: Collection[str]) -> Call:
    method, _, target = asked.line.partition(" ")
    path, _, query = target.partition("?")
    dialect, body = str(flow["dialect"]), asked.body
    if dialect == GEMINI and not path.startswith("/v1internal"):
        verb = "streamGenerateContent" if flow["stream"] else "generateContent"
        path, query = f"/v1beta/models/{to}:{verb}", "alt=sse" if flow["stream"] else ""
    else:
        body = patch_model(body, to)
        if not path.endswith("/compact"):
            path = _PATHS.get(dialect, path)
    if HIDDEN in query:
        query = "&".join(part for part in query.split("&") if HIDDEN not in part)
    items = tuple(
        (name, value)
        for name, value in asked.headers
        if name.lower() not in CREDENTIAL_HEADERS and not _OWN.fullmatch(name) and HIDDEN not in value
    )
    items = (*items, (TOKEN_HEADER, launch.token), (REPLAY_OF, str(flow["id"])))
    headers = {name.lower(): value for name, value in items}
    endpoint = match(method, path, headers, providers, query)
    if endpoint.verb is not Verb.CREATE:
        raise BadRequest(f"flow {flow['id']} cannot be repeated: {path[:100]} is no call to a model")
    return Call(method, path, query, endpoint, headers, items, body)


def answered(dialect: Dialect, status: int, body: bytes) -> dict[str, object]:
    """What an answer says, whatever dialect it is in: its text, thinking and tool calls, how it ended, or the error."""
    if status >= 400:
        return _told(status, error=_error(dialect, status, body))
    setup = DecoderSetup(dialect.name, new_id)
    try:
        if looks_like_json(body):
            events: list[Event] = dialect.upstream.decode_response(body, setup)
        else:
            decoder = dialect.upstream.decoder(setup)
            events = [*decoder.feed(body), *decoder.close()]
        return _told(status, fold(events))
    except IncompleteError as error:
        failure: Failure | None = error.failure
        return _told(status, error=failure.message if failure else "the answer has no end")
    except GatewayError as error:
        return _told(status, error=error.message)


def _told(status: int, response: Response | None = None, error: str | None = None) -> dict[str, object]:
    parts = response.parts if response is not None else ()
    return {
        "status": status,
        "error": error,
        "text": "".join(part.text for part in parts if isinstance(part, Text | Refusal)),
        "thinking": "".join(part.text for part in parts if isinstance(part, Thinking)),
        "calls": [{"name": part.name, "arguments": part.arguments} for part in parts if isinstance(part, ToolCall)],
        "stop": response.finish.reason.value if response is not None else None,
    }


def _error(dialect: Dialect, status: int, body: bytes) -> str:
    return dialect.upstream.parse_error(status, {}, body).message
