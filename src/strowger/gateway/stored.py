"""GET and DELETE /responses/{id}: answers that were kept, for the client that they were given to.

What a provider keeps itself is deleted there too. An id that we do not know is asked of the provider that the path
names, if it names one.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.errors import BadRequest, ClientError, CredentialError, ErrorKind
from strowger.flows.conversations import Turn
from strowger.gateway.access import Client
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import RESPONSES, Call
from strowger.gateway.headers import returned
from strowger.gateway.pipeline import Line
from strowger.gateway.recall import missing
from strowger.providers.base import Provider
from strowger.providers.terms import Facts
from strowger.upstreams.base import Headers, Outgoing

_JSON: Headers = (("Content-Type", "application/json"),)
_LIMIT = 64 * 1024 * 1024
_ITEMS = "input_items"
_CANCEL = "cancel"
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}

Json = dict[str, Any]


class Stored:
    """Answers calls about kept answers."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def answer(self, call: Call, reply: Reply) -> None:
        """Answer one call. Raises GatewayError."""
        client = self._line.access.admit(call.headers)
        response_id, _, what = call.endpoint.name.partition("/")
        _check_method(call, what)
        turn = await self._line.memory.conversations.get(response_id, client.name)
        streamed = "true" in parse_qs(call.query).get("stream", ())
        if turn is None:
            if not await self._passed_on(call, call.endpoint.provider, client, reply):
                raise missing("Response", response_id)
        elif call.method == "DELETE":
            await self._line.memory.conversations.forget(response_id, client.name)
            if not await self._passed_on(call, turn.provider, client, reply):
                deleted = {"id": response_id, "object": "response", "deleted": True}
                await reply.whole(200, _JSON, msgspec.json.encode(deleted))
        elif _is_the_vendors(turn, what, streamed=streamed) and await self._passed_on(
            call, turn.provider, client, reply, turn
        ):
            pass
        elif what == _CANCEL:
            raise BadRequest("only answers made in the background can be cancelled, and this one is complete")
        elif what == _ITEMS:
            await reply.whole(200, _JSON, await self._items(turn, client, call.query))
        elif streamed:
            raise BadRequest("only answers made in the background can be streamed again", param="stream")
        else:
            await reply.whole(200, _JSON, turn.response)

    async def _items(self, turn: Turn, client: Client, query: str) -> bytes:
        """What the answer was given to, a page of it. Raises BadRequest for a page that cannot be."""
        before = await self._line.memory.conversations.chain(turn.previous, client.name) if turn.previous else []
        items = [item for earlier in before or () for item in _shown(earlier, earlier.items())]
        items += _shown(turn, msgspec.json.decode(turn.input, type=list[Raw]))
        return msgspec.json.encode(_page(items, {key: values[-1] for key, values in parse_qs(query).items()}))

    async def _passed_on(
        self, call: Call, name: str | None, client: Client, reply: Reply, turn: Turn | None = None
    ) -> bool:
        """Ask the provider that keeps answers itself. False when there is none. What it says of `turn` is kept."""
        provider = self._line.routes.providers.get(name or "")
        provider = provider.speaking(RESPONSES) if provider is not None else None
        if provider is None or provider.dialect != RESPONSES or not provider.base.stateful:
            return False
        # Quoted, as the path was unquoted: an id leads to no other place of the provider's. Dots alone would.
        response_id, slash, what = call.endpoint.name.partition("/")
        if not response_id.strip("."):
            return False
        url = f"{provider.url}/{quote(response_id, safe='')}{slash}{what}" + (f"?{call.query}" if call.query else "")
        lines = (("Accept", "application/json"), ("Accept-Encoding", "identity"))
        sent = await self._line.sender.open(
            provider, Outgoing(call.method, url, lines, b""), Facts(purpose="stored"), own=client.own
        )
        incoming = sent.incoming
        try:
            body = await incoming.read_all(_LIMIT)
        finally:
            incoming.close()
        if incoming.status == 401 and not provider.client_auth:
            raise _refused(provider)
        body = sent.masked(body)
        if turn is not None and incoming.status == 200 and body.startswith(b"{"):
            self._line.memory.update(replace(turn, response=body))
        await reply.whole(incoming.status, tuple(returned(incoming.header_items)), body)
        return True


def _is_the_vendors(turn: Turn, what: str, *, streamed: bool) -> bool:
    """Whether only who makes the answer can say: it is not there yet, or is to be stopped or told once more."""
    return what != _ITEMS and (turn.is_pending() or ((what == _CANCEL or streamed) and turn.is_background()))


def _shown(turn: Turn, items: list[Raw]) -> list[Json]:
    """Items as the vendor lists them: each with an id, its type, and content in parts."""
    return [_item(turn, index, raw) for index, raw in enumerate(items)]


def _item(turn: Turn, index: int, raw: Raw) -> Json:
    item: Json = msgspec.json.decode(raw)
    kind = item.setdefault("type", "message")
    content = item.get("content")
    if kind == "message" and isinstance(content, str):
        said = {"type": "output_text", "annotations": []} if item.get("role") == "assistant" else {"type": "input_text"}
        item["content"] = [{**said, "text": content}]
    if not item.get("id"):
        name = hashlib.sha256(f"{turn.id} {index}".encode()).hexdigest()[:48]
        item["id"] = f"{_PREFIXES.get(kind, 'item')}_{name}"
    if kind in _PREFIXES:
        item.setdefault("status", "completed")
    return item


def _page(items: list[Json], asked: dict[str, str]) -> Json:
    """A page as the vendor has it: the newest first, twenty of them."""
    limit = asked.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise BadRequest(f"limit is a number from 1 to 100, not {limit[:20]!r}", param="limit")
    if asked.get("order") != "asc":
        items.reverse()
    after = asked.get("after", "")
    known = [item.get("id") for item in items]
    start = known.index(after) + 1 if after in known else 0
    shown = items[start : start + int(limit)]
    ends = {"first_id": shown[0].get("id") if shown else None, "last_id": shown[-1].get("id") if shown else None}
    return {"object": "list", "data": shown, **ends, "has_more": len(items) > start + len(shown)}


def _refused(provider: Provider) -> CredentialError:
    return CredentialError(
        f"provider {provider.name} refused the configured credential", hint=f"check `auth` of providers.{provider.name}"
    )


def _check_method(call: Call, what: str) -> None:
    allowed = ("POST",) if what == _CANCEL else ("GET",) if what else ("GET", "DELETE")
    if call.method not in allowed:
        raise ClientError(
            f"{call.path[:200]} is served with {' or '.join(allowed)}, not {call.method[:20]}", kind=ErrorKind.NOT_FOUND
        )
