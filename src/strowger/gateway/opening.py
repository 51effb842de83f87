"""One try of one target: the request is sent, and the answer read until it is known to be one.

A try is over when the first event of the answer is there (streaming clients) or all of it (others): until then nothing
of it has reached the client. Must not know that there may be other tries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import anyio
from msgspec import Struct
from msgspec.structs import replace

from strowger.dialects.base import Dialect
from strowger.errors import CredentialError, ErrorKind, GatewayError, Malformed, Refused, UpstreamError
from strowger.flows.flow import Attempt, Flow
from strowger.gateway.access import Client
from strowger.gateway.headers import text_header
from strowger.gateway.lanes import TRANSLATE, VERBATIM, Draft
from strowger.gateway.pulse import Pulse
from strowger.gateway.ranking import Candidate
from strowger.gateway.receivers import Masked, Receiver, failure_error, looks_like_json
from strowger.gateway.sending import Sender, Sent
from strowger.ir.events import Failure
from strowger.providers.base import Provider
from strowger.providers.terms import Facts
from strowger.routing.table import Target
from strowger.upstreams.base import Headers, Incoming, Outgoing

# More than any answer; a bound against an upstream gone mad, not a policy.
WHOLE_LIMIT = 64 * 1024 * 1024
_ERROR_LIMIT = 1024 * 1024
# An error comes with its words. Where they do not follow at once, its status and its headers have to do.
_ERROR_SECONDS = 3.0
# What OpenAI says to encrypted reasoning that it cannot read.
_FOREIGN_STATE = "invalid_encrypted_content"


class Answer(Struct):
    """An upstream's answer as far as it has come. `head` is ready for the client; a whole answer has no `incoming`.
    `named` are the headers by lower-case name.
    """

    draft: Draft
    status: int
    headers: Headers
    named: Mapping[str, str]
    head: bytes
    receiver: Receiver
    incoming: Incoming | None = None


class Opening:
    """Opens the answers of one call."""

    def __init__(
        self,
        *,
        sender: Sender,
        dialects: dict[str, Dialect],
        client: Client,
        flow: Flow,
        pulse: Pulse,
        prepare: Callable[[Target], Draft],
        receiver: Callable[[Draft, Masked], Receiver],
        disown: Callable[[], bool],
        stream: bool,
        headers: Mapping[str, str],
    ) -> None:
        self._sender = sender
        self._dialects = dialects
        self._client = client
        self._flow = flow
        self._pulse = pulse
        self._prepare = prepare
        self._receiver = receiver
        self._disown = disown
        self._stream = stream
        self._headers = headers

    async def open(self, candidate: Candidate, attempt: Attempt) -> Answer:
        """The beginning of an answer, which may be all of it. Raises GatewayError."""
        try:
            return await self._once(candidate, attempt)
        except Refused as error:
            # Reasoning that another account was given: no client can mend that, and each turn would fail.
            if error.code != _FOREIGN_STATE or not self._disown():
                raise
        return await self._once(candidate, attempt)

    async def _once(self, candidate: Candidate, attempt: Attempt) -> Answer:
        target = candidate.target
        draft = self._prepare(target)
        attempt.lane = draft.lane
        try:
            incoming, masked = await self._send(draft, candidate, attempt)
        except RecursionError:
            raise _too_deep() from None
        try:
            answer = await self._begin(draft, incoming, masked)
        except RecursionError:
            incoming.close()
            raise _too_deep() from None
        except Refused as error:
            incoming.close()
            error.headers = error.headers or _masked_headers(incoming.header_items, masked)
            if error.kind is ErrorKind.UNAUTHENTICATED and not target.provider.client_auth:
                raise refused_key(error, target.provider.name) from error
            raise
        except BaseException:
            incoming.close()
            raise
        if answer.incoming is None:
            incoming.close()
        return answer

    async def _send(self, draft: Draft, candidate: Candidate, attempt: Attempt) -> tuple[Incoming, Masked]:
        """Send, once more with fresh credentials after a 401, and turn an error status into Refused."""
        provider = draft.target.provider
        out = Outgoing("POST", draft.url, draft.headers, draft.body)
        flow = self._flow
        if flow.sent is None:
            flow.sent = self._pulse.now() - flow.clock
        sent = await self._sender.open(
            provider, out, self._facts(draft), own=self._client.own, account=candidate.account, tape=flow.tape
        )
        incoming, masked = sent.incoming, sent.masked
        flow.billing, flow.places = provider.billing_by(sent.used), provider.places
        attempt.status = incoming.status
        headers = incoming.headers
        named = text_header(headers, "request-id") or text_header(headers, "x-request-id")
        flow.upstream_request_id = _masked_text(named, masked) if named else named
        if 200 <= incoming.status < 300:
            flow.upstream_first_byte = self._pulse.now() - flow.clock
            return incoming, masked
        try:
            body = await self._words(incoming)
        finally:
            incoming.close()
        raise self._refusal(provider, sent, masked(body))

    def _refusal(self, provider: Provider, sent: Sent, body: bytes) -> GatewayError:
        """What an error status means. Made here, as an error in a variable of a frame that it goes through stays."""
        incoming = sent.incoming
        error = self._dialects[provider.dialect].upstream.parse_error(incoming.status, incoming.headers, body)
        error.headers = _masked_headers(incoming.header_items, sent.masked)
        if incoming.status < 400:
            error.hint = f"redirects are not followed: is `base_url` of providers.{provider.name} right?"
        # Google says with a 400 that a key is none.
        is_refused = incoming.status == 401 or error.kind is ErrorKind.UNAUTHENTICATED
        if not is_refused or not sent.used or provider.client_auth:
            return error
        told = refused_key(error, provider.name)
        told.__cause__ = error
        return told

    def _facts(self, draft: Draft) -> Facts:
        flow = self._flow
        return Facts(
            model=draft.target.model,
            stream=self._stream,
            session=flow.session,
            agent_id=flow.agent_id,
            flow=flow.id,
            verbatim=draft.lane == VERBATIM,
            dialect=flow.dialect,
            headers=self._headers,
        )

    async def _begin(self, draft: Draft, incoming: Incoming, masked: Masked) -> Answer:
        """Read until the answer is known to be one: all of it, or its first event."""
        if draft.array and "event-stream" in incoming.headers.get("content-type", ""):
            # Who imitates Google may know one framing only, and the client reads the other.
            draft = replace(draft, answer_lane=TRANSLATE, array=False)
        receiver = self._receiver(draft, masked)
        if not self._stream:
            body = await self._read_rest(incoming)
            if not looks_like_json(body):
                draft = replace(draft, answer_lane=TRANSLATE)
            return Answer(
                draft, incoming.status, incoming.header_items, incoming.headers, receiver.whole(body), receiver
            )
        may_be_json = not draft.array and "event-stream" not in incoming.headers.get("content-type", "")
        raw: list[bytes] = []
        head: list[bytes] = []
        size = 0
        while receiver.watch.first is None:
            chunk = await incoming.read()
            self._pulse.heard()
            if may_be_json and not raw and looks_like_json(chunk):
                body = chunk + await self._read_rest(incoming)
                draft = replace(draft, answer_lane=TRANSLATE)
                fed = receiver.restream(body)
                return Answer(draft, incoming.status, incoming.header_items, incoming.headers, fed, receiver)
            if not chunk:
                head.append(receiver.close(None))
                break
            size = _bounded(size + len(chunk))
            raw.append(chunk)
            head.append(receiver.feed(chunk))
        if isinstance(receiver.watch.first, Failure):
            # Held back so far, so it can still be a status, or another target's chance.
            raw.append(await self._words(incoming))
            body = masked(b"".join(raw)[:_ERROR_LIMIT])
            raise failure_error(receiver.watch.first, draft.target.provider.dialect, body)
        fed = b"".join(head)
        return Answer(draft, incoming.status, incoming.header_items, incoming.headers, fed, receiver, incoming)

    async def _words(self, incoming: Incoming) -> bytes:
        """What an upstream says to its error, as far as it comes: half of it is better than none."""
        pieces: list[bytes] = []
        size = 0
        with anyio.move_on_after(_ERROR_SECONDS), suppress(UpstreamError):
            while size < _ERROR_LIMIT and (piece := await incoming.read()):
                self._pulse.heard()
                pieces.append(piece)
                size += len(piece)
        return b"".join(pieces)[:_ERROR_LIMIT]

    async def _read_rest(self, incoming: Incoming) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await incoming.read():
            self._pulse.heard()
            size = _bounded(size + len(piece))
            pieces.append(piece)
        return b"".join(pieces)


def _too_deep() -> Malformed:
    """JSON without an end to its brackets is no fault of ours, nor of the request."""
    return Malformed("the upstream's answer is nested too deeply to be read")


def _bounded(size: int) -> int:
    if size > WHOLE_LIMIT:
        raise Malformed(f"the upstream's answer is longer than {WHOLE_LIMIT // 2**20} MB")
    return size


def _masked_headers(items: Headers, masked: Masked) -> Headers:
    return tuple((name, _masked_text(value, masked)) for name, value in items)


def _masked_text(text: str, masked: Masked) -> str:
    return masked(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def refused_key(error: Refused, provider: str) -> CredentialError:
    """The error for our own key being refused: as a 401 the client would log its user out, or retry for minutes."""
    return CredentialError(
        f"provider {provider} refused the configured credential: {error.message}",
        hint=f"check `auth` of providers.{provider}",
    )
