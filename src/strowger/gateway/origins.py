"""Remembers who signed what: thinking signatures that passed untouched, by the upstream that issued them.

On the verbatim lane a signature reaches the client as it is, and comes back without a word of where it is from. Sent
to another vendor it is refused with a 400 that ends the session. So the gateway keeps a digest of each one that it has
seen pass, bounded and in memory only; one that it does not know is taken for the own of the dialect's vendor.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, OrderedDict
from operator import is_

from msgspec import Struct
from msgspec.structs import replace

from strowger.dialects.base import values_of
from strowger.dialects.lately import Memory
from strowger.ir.request import Message, Part, Request, Signed, Text, Thinking, ToolCall

_KEPT = 20_000
_MESSAGES = 4096
_ROOM = 4 * 1024 * 1024
_NOBODY = "another account"
"""The origin of state that was refused; no upstream is called so."""
_SIGNATURE = re.compile(rb'"([A-Za-z0-9+/=_-]{16,})"')
_MEMBERS = (b"signature", b"data", b"encrypted_content", b"thoughtSignature", b"thought_signature")


class Origins:
    """Digest of a signature → who issued it; the oldest are forgotten."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._origins: OrderedDict[bytes, str] = OrderedDict()
        self._issuers: Counter[str] = Counter()
        self._given: Memory[int, _Given] = Memory(_MESSAGES, _ROOM)

    def note(self, signed: Signed) -> None:
        """A signature on its way to a client."""
        if not signed.blob or not signed.origin:
            return
        digest = _digest(signed.blob.encode())
        self._forget(self._origins.get(digest))
        self._origins[digest] = signed.origin
        self._issuers[signed.origin] += 1
        while len(self._origins) > self._kept:
            self._forget(self._origins.popitem(last=False)[1])

    def _forget(self, origin: str | None) -> None:
        """One signature less of an issuer."""
        if origin is not None:
            self._issuers[origin] -= 1
            if not self._issuers[origin]:
                del self._issuers[origin]

    def all_from(self, body: bytes, origin: str, signatures: tuple[str, ...] | None = None) -> bool:
        """Whether no signature in a body is known to be another's. Where they are not given, they are looked for in
        its bytes, without a parse.
        """
        if not self._issuers or (len(self._issuers) == 1 and origin in self._issuers):
            return True  # nobody else has issued any
        if signatures is not None:
            return all(self._origins.get(_digest(blob.encode()), origin) == origin for blob in signatures if blob)
        return all(
            self._origins.get(_digest(found[1]), origin) == origin
            for member in _MEMBERS
            for at in values_of(body, member)
            if (found := _SIGNATURE.match(body, at)) is not None
        )

    def disown(self, request: Request) -> bool:
        """The upstream does not know the state in a request for its own: another account's. It is nobody's from now on,
        so that it is not sent again. False when there is none.
        """
        blobs = {
            part.signed.blob
            for message in request.messages
            for part in message.parts
            if isinstance(part, Thinking) and part.signed is not None
        }
        known = [blob for blob in blobs if blob and self._origins.get(_digest(blob.encode())) != _NOBODY]
        for blob in known:
            self.note(Signed(_NOBODY, "", blob))
        return bool(known)

    def attribute(self, request: Request) -> Request:
        """The request with each bare signature given to whom we know to have issued it."""
        if not self._origins:
            return request
        messages = tuple([self._message(message) for message in request.messages])
        return request if all(map(is_, messages, request.messages)) else replace(request, messages=messages)

    def _message(self, message: Message) -> Message:
        """The message with its signatures given to their issuers: the very same as in the turn before, by which who
        writes it knows it.
        """
        for part in message.parts:
            if type(part) is Thinking and part.signed is not None:
                break
        else:
            return message
        known = self._given.get(id(message))  # what is remembered is held, so that no other message has its id
        digests = _digests(message) if known is None else known.digests
        issuers = tuple([self._origins.get(digest) for digest in digests])
        if known is None or known.issuers != issuers:
            given = _given(message, issuers)
            known = _Given(message, digests, issuers, given)
            self._given.keep(id(message), known, _size(message))
        return known.given


class _Given(Struct, frozen=True):
    """A message, the digests of its signatures, who issued them, and the message that says so."""

    message: Message
    digests: tuple[bytes, ...]
    issuers: tuple[str | None, ...]
    given: Message


def _size(message: Message) -> int:
    """About how many bytes a message of the model takes."""
    return sum(
        [
            len(part.arguments) if isinstance(part, ToolCall) else len(part.text) + len(_blob(part))
            for part in message.parts
            if isinstance(part, Text | Thinking | ToolCall)
        ]
    )


def _blob(part: Text | Thinking) -> str:
    return part.signed.blob if isinstance(part, Thinking) and part.signed is not None else ""


def _digests(message: Message) -> tuple[bytes, ...]:
    return tuple(
        [
            _digest(part.signed.blob.encode())
            for part in message.parts
            if isinstance(part, Thinking) and part.signed is not None
        ]
    )


def _given(message: Message, issuers: tuple[str | None, ...]) -> Message:
    """The message itself where nothing is to be said."""
    issuer = iter(issuers)
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, Thinking) and (signed := part.signed) is not None:
            origin = next(issuer)
            if origin is not None and origin != signed.origin:
                part = replace(part, signed=replace(signed, origin=origin))
        parts.append(part)
    return message if all(map(is_, parts, message.parts)) else replace(message, parts=tuple(parts))


def _digest(signature: bytes) -> bytes:
    return hashlib.blake2b(signature, digest_size=16).digest()
