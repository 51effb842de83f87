"""The endpoints that count the tokens of a prompt: asked of the provider where it counts, else estimated and marked so.

What is counted is what would be sent: towards a provider of another dialect that is the translated request.
"""

from __future__ import annotations

from contextlib import suppress

import anyio
from msgspec import Struct

from strowger.dialects.base import UpstreamSide
from strowger.errors import UpstreamError
from strowger.gateway.access import Client
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import Call
from strowger.gateway.headers import forwarded, returned
from strowger.gateway.lanes import VERBATIM, Asked, draft
from strowger.gateway.opening import refused_key
from strowger.gateway.pipeline import Line, match_route, notice
from strowger.gateway.tokens import ESTIMATE_HEADER, estimate
from strowger.providers.terms import Facts
from strowger.routing.table import Target
from strowger.upstreams.base import Headers, Outgoing

_JSON: Headers = (("Content-Type", "application/json"),)
_LIMIT = 1024 * 1024
# A client that counts wants to go on at once.
_WAIT_SECONDS = 10.0
# What the provider says to the question itself. Anything else is its own trouble, and then an estimate is the answer.
_ANSWERS = frozenset({200, 400, 401, 403, 413, 422})


class _Counted(Struct, frozen=True):
    """A provider's answer. `lines` are its headers."""

    status: int
    lines: Headers
    body: bytes


class Counting:
    """Counts tokens for the routes of a line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def answer(self, call: Call, reply: Reply) -> None:
        """Answer one count. Raises GatewayError."""
        line = self._line
        client = line.access.admit(call.headers)
        asked = Asked(call, line.dialects[call.endpoint.dialect], line.origins)
        noticed = notice(call, asked.peek.session)
        route = match_route(line.routes_for(client), call, asked.peek.model, noticed)
        recalled = await line.memory.recall(call, client.name, route)
        if recalled is not None and recalled.call is not call:
            asked = Asked(recalled.call, asked.dialect, line.origins)
        target = route.targets[0]
        side = line.dialects[target.provider.dialect].upstream
        own = self._own_question(asked, target, side)
        if own is not None:
            counted = await self._ask(own, asked, target, client, side)
            if counted is not None:
                await reply.whole(counted.status, counted.lines, counted.body)
                return
        elif (question := self._question(asked, target, side)) is not None:
            counted = await self._ask(question, asked, target, client, side)
            tokens = side.parse_count(counted.body) if counted is not None and counted.status == 200 else None
            if tokens is not None:
                await reply.whole(200, _JSON, asked.dialect.client.render_count(tokens))
                return
        tokens = await estimate(asked.request)
        await reply.whole(200, (*_JSON, ESTIMATE_HEADER), asked.dialect.client.render_count(tokens))

    def _own_question(self, asked: Asked, target: Target, side: UpstreamSide) -> bytes | None:
        """The client's own question, where the provider can answer it as it stands."""
        caps = target.provider.capabilities(target.model)
        if target.provider.dialect != asked.dialect.name or not _counts(target):
            return None
        body = side.trim(asked.call.body, caps)
        if not side.passes(body, caps, asked.call.endpoint.spot):
            return None
        return side.with_model(body, target.model, asked.peek.written)

    def _question(self, asked: Asked, target: Target, side: UpstreamSide) -> bytes | None:
        """The translated request as a question of the provider's dialect."""
        if not _counts(target):
            return None
        drafted = draft(asked, target, self._line.dialects[target.provider.dialect], strict=False)
        return None if drafted.lane == VERBATIM else side.count_body(drafted.body, target.model)

    async def _ask(
        self, question: bytes, asked: Asked, target: Target, client: Client, side: UpstreamSide
    ) -> _Counted | None:
        """The provider's answer; None when there is none, or it is about its own trouble."""
        provider = target.provider
        url = provider.count_url(target.model)
        own = provider.dialect == asked.dialect.name
        headers = forwarded(asked.call.header_items) if own else [("Content-Type", "application/json")]
        out = Outgoing("POST", url, tuple(headers), question)
        facts = Facts(purpose="count", model=target.model, verbatim=own, dialect=asked.dialect.name)
        body: bytes | None = None
        with anyio.move_on_after(_WAIT_SECONDS), suppress(UpstreamError):
            sent = await self._line.sender.open(provider, out, facts, own=client.own)
            incoming = sent.incoming
            try:
                body = await incoming.read_all(_LIMIT)
            finally:
                incoming.close()
        if body is None or incoming.status not in _ANSWERS:
            return None
        if incoming.status != 200:
            body = sent.masked(body)
        if incoming.status == 401 and not provider.client_auth:
            raise refused_key(side.parse_error(401, incoming.headers, body), provider.name)
        return _Counted(incoming.status, tuple(returned(incoming.header_items)), body)


def _counts(target: Target) -> bool:
    provider = target.provider
    return provider.capabilities(target.model).count_tokens and bool(provider.count_url(target.model))
