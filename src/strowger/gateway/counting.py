"""POST /v1/messages/count_tokens: asked of the provider where it counts, else estimated and marked as such."""

from __future__ import annotations

from contextlib import suppress

import anyio
import msgspec

from strowger.dialects.base import patch_model
from strowger.errors import UpstreamError
from strowger.gateway.access import Client
from strowger.gateway.attempts import mask, refused_key
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import Call
from strowger.gateway.headers import forwarded, returned
from strowger.gateway.lanes import Asked
from strowger.gateway.pipeline import Line, match_route
from strowger.gateway.tokens import ESTIMATE_HEADER, estimate
from strowger.routing.table import Target
from strowger.upstreams.base import Outgoing

_LIMIT = 1024 * 1024
# A client that counts wants to go on at once.
_WAIT_SECONDS = 10.0
# What the provider says to the question itself. Anything else is its own trouble, and then an estimate is the answer.
_ANSWERS = frozenset({200, 400, 401, 403, 413, 422})


class Counting:
    """Counts tokens for the routes of a line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def answer(self, call: Call, reply: Reply) -> None:
        """Answer one count. Raises GatewayError."""
        line = self._line
        client = line.access.admit(call.headers)
        asked = Asked(call, line.dialects[call.endpoint.dialect], line.origins)
        target = match_route(line.routes, call, asked.peek.model).targets[0]
        if await self._ask(asked, target, client, reply):
            return
        tokens = await estimate(asked.request)
        headers = (("Content-Type", "application/json"), ESTIMATE_HEADER)
        await reply.whole(200, headers, msgspec.json.encode({"input_tokens": tokens}))

    async def _ask(self, asked: Asked, target: Target, client: Client, reply: Reply) -> bool:
        """Pass the question on to a provider that counts. False when there is none, or it cannot."""
        provider, call = target.provider, asked.call
        caps = provider.capabilities(target.model)
        upstream = self._line.dialects[provider.dialect].upstream
        if provider.dialect != asked.dialect.name or not caps.count_tokens:
            return False
        body = upstream.trim(call.body, caps)
        if not upstream.passes(body, caps):
            return False
        url = provider.count_tokens_url
        used = await provider.credentials(client.own)
        lines = provider.header_lines(used, url)
        headers = [line for line in forwarded(call.header_items) if line[0].lower() not in lines]
        out = Outgoing("POST", url, (*headers, *lines.items()), patch_model(body, target.model))
        counted: bytes | None = None
        with anyio.move_on_after(_WAIT_SECONDS), suppress(UpstreamError):
            incoming = await self._line.upstream.open(out)
            try:
                counted = await incoming.read_all(_LIMIT)
            finally:
                incoming.close()
        if counted is None or incoming.status not in _ANSWERS:
            return False
        if incoming.status != 200:
            counted = mask((*provider.secrets(), *(credential.value for credential in used)))(counted)
        if incoming.status == 401 and not provider.client_auth:
            raise refused_key(upstream.parse_error(401, incoming.headers, counted), provider.name)
        await reply.whole(incoming.status, tuple(returned(incoming.header_items)), counted)
        return True
