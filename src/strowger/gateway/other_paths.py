"""What vendors serve beside conversations: files, batches, embeddings, pictures, speech. It is passed on as it is.

To the provider that the path or the key names, else to the only one that speaks the client's dialect: guessing would
send somebody's files to a vendor that they were not meant for. It is asked once: nobody knows what may be repeated.
Must not know what is asked for.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote

from strowger.errors import BadRequest, CredentialError, GatewayError, OverBudget, TimedOut, UnknownPath
from strowger.flows.flow import Flow
from strowger.gateway.access import Client
from strowger.gateway.delivery import ClientGone, Reply
from strowger.gateway.endpoints import CHAT, GEMINI, RESPONSES, SERVED, Call
from strowger.gateway.headers import forwarded, returned
from strowger.gateway.lanes import VERBATIM
from strowger.gateway.pipeline import Line, named_by_key, new_flow
from strowger.gateway.sending import Sent
from strowger.gateway.taping import TapedReply
from strowger.providers.base import Provider
from strowger.providers.terms import Facts
from strowger.routing.table import RouteTable
from strowger.upstreams.base import Headers, Incoming, Outgoing

_OPENAI = frozenset({CHAT, RESPONSES})
# Versions that a client puts before its paths where a provider's address has them already.
_VERSIONS = {"anthropic": (), GEMINI: ("v1", "v1beta", "v1beta1", "v1alpha")}
_PLAIN = "/:@!$&'()*+,;=~-._"
_ERROR_LIMIT = 1024 * 1024
_EMPTY = frozenset({204, 205, 304})


class OtherPaths:
    """Answers calls of which we know no more than whom to ask."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def answer(self, call: Call, reply: Reply) -> None:
        """Answer one call. Raises ClientGone, and GatewayError where it is nobody's: then it never became a call."""
        line = self._line
        client = line.access.admit(call.headers)
        provider = _provider(call, line.routes_for(client))
        url = address(provider, call.endpoint.name, call.query)
        flow = new_flow(call)
        flow.client, flow.launch, flow.project = client.name, client.launch, client.project
        flow.profile = line.profiles.get(client.launch, line.profile)
        flow.route, flow.provider, flow.upstream_dialect, flow.lane = "path", provider.name, provider.dialect, VERBATIM
        line.recorder.begin(flow)
        try:
            await self._pass(call, reply, flow, provider, url, client)
            flow.outcome = "failed" if flow.error_kind else "ok"
        except ClientGone:
            flow.outcome = "cancelled"
            raise
        except GatewayError as error:
            flow.outcome = "stopped" if isinstance(error, OverBudget) else "failed"
            flow.error_kind, flow.error = error.kind, error.message
            if reply.started:
                raise ClientGone from None  # of bytes that we do not know, only a transfer that is cut says that it was
            rendered = line.dialects[call.endpoint.dialect].client.render_error(error)
            flow.status = rendered.status
            await reply.whole(rendered.status, (*rendered.headers, *_marks(flow)), rendered.body)
        finally:
            if flow.outcome == "running":
                flow.outcome = "cancelled"
            flow.duration = time.monotonic() - flow.clock
            line.recorder.finish(flow)

    async def _pass(self, call: Call, reply: Reply, flow: Flow, provider: Provider, url: str, client: Client) -> None:
        line = self._line
        if flow.tape is not None:
            target = f"{call.path}?{call.query}" if call.query else call.path
            flow.tape.begin("client_request", f"{call.method} {target}", call.header_items, call.body)
            reply = TapedReply(reply, flow.tape)
        line.recorder.began(flow)
        await line.budgets.allow(flow)
        flow.sent = time.monotonic() - flow.clock
        sent = await self._open(provider, url, call, client, flow)
        try:
            await self._deliver(sent, call, reply, flow)
        finally:
            sent.incoming.close()

    async def _open(self, provider: Provider, url: str, call: Call, client: Client, flow: Flow) -> Sent:
        """Ask the provider. Raises CredentialError where it refuses our own key, and UpstreamError."""
        out = Outgoing(call.method, url, tuple(forwarded(call.header_items, call.headers)), call.body)
        facts = Facts(
            purpose="other",
            verbatim=True,
            dialect=call.endpoint.dialect,
            session=flow.session,
            flow=flow.id,
            headers=call.headers,
        )
        idle = self._line.timing.idle
        try:
            async with asyncio.timeout(idle):
                sent = await self._line.sender.open(provider, out, facts, own=client.own, tape=flow.tape)
        except TimeoutError:
            raise _silent(provider.name, idle) from None
        if sent.incoming.status == 401 and not provider.client_auth:
            sent.incoming.close()
            raise CredentialError(
                f"provider {provider.name} refused the configured credential",
                hint=f"check `auth` of providers.{provider.name}",
            )
        return sent

    async def _deliver(self, sent: Sent, call: Call, reply: Reply, flow: Flow) -> None:
        """The answer, piece by piece as it comes; an error whole, without what it may quote of our credentials."""
        incoming = sent.incoming
        flow.status = incoming.status
        headers = (*returned(incoming.header_items, incoming.headers), *_marks(flow))
        self._line.recorder.opened(flow)
        if call.method == "HEAD" or incoming.status in _EMPTY:
            await reply.whole(incoming.status, headers, b"")
        elif incoming.status >= 400:
            body = sent.masked(await incoming.read_all(_ERROR_LIMIT))
            self._count(flow, body)
            side = self._line.dialects[flow.upstream_dialect].upstream
            refused = side.parse_error(incoming.status, incoming.headers, body)
            flow.error_kind, flow.error = refused.kind, refused.message
            await reply.whole(incoming.status, headers, body)
        else:
            await reply.start(incoming.status, headers)
            while piece := await self._read(incoming, flow.provider):
                self._count(flow, piece)
                await reply.write(piece)
            await reply.end()

    async def _read(self, incoming: Incoming, who: str) -> bytes:
        try:
            async with asyncio.timeout(self._line.timing.idle):
                return await incoming.read()
        except TimeoutError:
            raise _silent(who, self._line.timing.idle) from None

    def _count(self, flow: Flow, piece: bytes) -> None:
        if flow.first_byte is None:
            flow.first_byte = time.monotonic() - flow.clock
        flow.response_bytes += len(piece)


def _silent(who: str, seconds: float) -> TimedOut:
    return TimedOut(
        f"provider {who} was silent for {seconds:g} seconds", hint="limits.idle_timeout_seconds allows more"
    )


def _marks(flow: Flow) -> Headers:
    """What we add to an answer. There is no model that could be named."""
    return (("x-strowger-flow", flow.id), ("x-strowger-route", flow.provider), ("x-strowger-lane", flow.lane))


def _provider(call: Call, routes: RouteTable) -> Provider:
    """Whom to ask. Raises UnknownPath where that is not plain, and CredentialError for a key that names nobody."""
    dialect = call.endpoint.dialect
    what = f"{call.method} {call.path[:200]}"
    named = call.endpoint.provider or named_by_key(routes, call)
    if named is not None:
        one = routes.providers.get(named)
        if one is None or not _passes(one):
            raise UnknownPath(f"provider {named} has no {what}", hint="of it there are only calls, counts and models")
        return one.speaking(dialect) if _speaks(one, dialect) else one
    found = [one.speaking(dialect) for one in routes.providers.values() if _passes(one) and _speaks(one, dialect)]
    if len(found) == 1:
        return found[0]
    if found:
        ways = ", ".join(f"/{one.name}{call.path[:100]}" for one in found)
        raise UnknownPath(f"{what} could go to several providers", hint=f"name one in the path: {ways}")
    raise UnknownPath(f"nothing is served at {what}", hint="served are " + ", ".join(SERVED))


def _passes(provider: Provider) -> bool:
    return provider.terms.passes_paths and provider.preset != "demo"


def _speaks(provider: Provider, dialect: str) -> bool:
    spoken = provider.speaking(dialect).dialect
    return spoken == dialect or {spoken, dialect} <= _OPENAI


def address(provider: Provider, path: str, query: str = "") -> str:
    """Where the same path is at the provider. Raises BadRequest for one that would lead to another place there."""
    words = path.lstrip("/").split("/")
    if any(word in {".", ".."} for word in words):
        raise BadRequest("a path with dots for a word is not passed on")
    if words[0] in _VERSIONS.get(provider.dialect, ("v1",)):
        del words[0]
    path = quote("/".join(words), safe=_PLAIN, errors="surrogateescape")
    return f"{provider.base_url}/{path}" + (f"?{query}" if query else "")
