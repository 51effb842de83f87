"""One request to a provider: credentials, the host's terms, the transport; after a 401 once more with fresh ones.

Everything that leaves for an upstream leaves here, whether it is a call, a count, a list of models or a kept answer.
Must not know why a request is made, nor what becomes of its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from strowger.auth.credential import Credential
from strowger.config.references import Secret
from strowger.flows.tape import Tape
from strowger.gateway.headers import without_betas
from strowger.gateway.receivers import Masked
from strowger.gateway.taping import TapedIncoming, sent
from strowger.providers.base import Account, Provider
from strowger.providers.quota import Reading
from strowger.providers.terms import Facts
from strowger.upstreams.base import Incoming, Outgoing, Upstream

# Shorter texts would be found inside ordinary words.
_SHORTEST_SECRET = 6
_SHORTEST_HALF = 5

Note = Callable[[Provider, Account | None, Reading], None]
"""Is told what a provider says of the limits of an account."""

Wants = Callable[[Provider, Account | None, float], bool]
"""Whether it is worth while to read of them again at this Unix time."""

Lists = Callable[[Provider, str | None], None]
"""Is told that a provider has a list of models that is worth to be known, and the mark of its present state."""


class Sent(Struct, frozen=True):
    """An answer that has begun, the credentials that it was asked for with, and what takes them out of its bytes."""

    incoming: Incoming
    used: tuple[Credential, ...]
    masked: Masked


class Sender:
    """Sends requests. One for each gateway."""

    def __init__(self, upstream: Upstream, note: Note, wants: Wants = lambda *_: True) -> None:
        self._upstream = upstream
        self._note = note
        self._wants = wants
        self._lists: Lists = lambda *_: None

    def tell_of_lists(self, lists: Lists) -> None:
        """Who wants to know of lists of models."""
        self._lists = lists

    async def open(
        self,
        provider: Provider,
        out: Outgoing,
        facts: Facts,
        *,
        own: Mapping[str, str] = MappingProxyType({}),
        account: Account | None = None,
        tape: Tape | None = None,
    ) -> Sent:
        """Send `out`, which has no credentials yet, and wait for the head of the answer, whatever its status.

        `own` are the client's own credential headers. What goes and comes is put on the `tape`. Raises CredentialError
        and UpstreamError.
        """
        # A list of models is asked for on nobody's behalf: where clients bring their own credential there is none.
        is_bare = provider.client_auth and facts.purpose == "models"
        used = () if is_bare else await provider.credentials(own, account)
        masked = _mask_of(used, tape)
        incoming = await self._send(provider, out, facts, used, account, tape)
        if incoming.status == 401 and provider.invalidate(used, account):
            incoming.close()
            used = await provider.credentials(own, account)
            masked = _mask_of(used, tape)
            incoming = await self._send(provider, out, facts, used, account, tape)
        return Sent(incoming, used, masked)

    async def _send(
        self,
        provider: Provider,
        out: Outgoing,
        facts: Facts,
        used: Sequence[Credential],
        account: Account | None,
        tape: Tape | None,
    ) -> Incoming:
        added = provider.header_lines(used, out.url)
        taken = {name.lower() for name in added}
        headers = [line for line in out.headers if line[0].lower() not in taken] if taken else list(out.headers)
        if provider.without_betas:
            headers = without_betas(headers, provider.without_betas)
        if provider.default_headers:
            present = {name.lower() for name, _ in headers}
            headers.extend([line for line in provider.default_headers if line[0] not in present])
        headers.extend(added.items())

        def aside(event: bytes) -> None:
            self._heed(provider, account, provider.terms.aside(event, time.time()))

        complete = provider.terms.outgoing(replace(out, headers=tuple(headers), aside=aside), facts, used)
        if tape is not None:
            sent(tape, complete)
        incoming = await self._upstream.open(complete)
        self._read(provider, account, incoming)
        if facts.purpose == "call" and provider.terms.lists_models and incoming.status < 400:
            self._lists(provider, incoming.headers.get("x-models-etag"))
        incoming = provider.terms.incoming(incoming, facts)
        return TapedIncoming(incoming, tape) if tape is not None else incoming

    def _read(self, provider: Provider, account: Account | None, incoming: Incoming) -> None:
        """What the head of an answer says of limits, unless that was looked at a moment ago."""
        now = time.time()
        account = account or next(iter(provider.accounts), None)
        if not provider.client_auth and (incoming.status >= 400 or self._wants(provider, account, now)):
            self._heed(provider, account, provider.reading(incoming.headers, now))

    def _heed(self, provider: Provider, account: Account | None, reading: Reading | None) -> None:
        if reading is not None:
            self._note(provider, account or next(iter(provider.accounts), None), reading)


def _mask_of(used: Sequence[Credential], tape: Tape | None) -> Masked:
    masked = mask(secret for credential in used for secret in credential.secrets())
    if tape is not None:
        tape.masks.append(masked)
    return masked


def _spellings(value: bytes) -> Iterable[bytes]:
    """How a text may stand in an error's JSON, or in an address."""
    yield value.replace(b"/", rb"\/")
    yield quote(value, safe="").encode()
    for plus, equals in ((rb"\u002b", rb"\u003d"), (rb"\u002B", rb"\u003D")):
        yield value.replace(b"+", plus).replace(b"=", equals)


def mask(secrets: Iterable[Secret]) -> Mask:
    """Takes these secrets out of what an upstream sent: some servers quote what they were sent.

    The same secrets give the same mask: what it has gone through once, need not go through it again.
    """
    return _mask(frozenset(secrets))


class Mask:
    """Takes secrets out of bytes. What to look for is worked out at the first need: most answers quote nothing."""

    __slots__ = ("_known", "_secrets")

    def __init__(self, secrets: frozenset[Secret]) -> None:
        self._secrets = secrets
        self._known: list[bytes] | None = None

    def __call__(self, data: bytes) -> bytes:
        """Bytes without them."""
        for value in self._known if self._known is not None else self._look_for():
            data = data.replace(value, b"***")
        return data

    def may_be_in(self, data: bytes) -> bool:
        """Whether half of one of them is there: what comes in two parts leaves one half whole."""
        for value in self._known if self._known is not None else self._look_for():
            half = len(value) // 2
            if half < _SHORTEST_HALF:
                half = len(value)
            if value[:half] in data or (half < len(value) and value[half:] in data):
                return True
        return False

    def _look_for(self) -> list[bytes]:
        values = {secret.reveal().encode("utf-8", "surrogateescape") for secret in self._secrets}
        # a header's value may have a scheme before the secret
        values |= {value.rpartition(b" ")[2] for value in values}
        values |= {spelt for value in values for spelt in _spellings(value)}
        values = {value for value in values if len(value) >= _SHORTEST_SECRET}
        # a secret with a scheme before it is found by the secret
        self._known = [value for value in values if not any(other in value for other in values - {value})]
        return self._known


_mask = lru_cache(maxsize=256)(Mask)
