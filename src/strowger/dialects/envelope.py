"""One envelope for state that must come home: thinking signatures, encrypted reasoning, whole reasoning details.

A client of another dialect cannot hold such state as what it is, but every dialect has an opaque string that clients
send back unread. The envelope is such a string: a prefix of ours, then who issued it, what it is, and the blob. On
the next turn it is opened, given to its issuer, and dropped for everyone else. It is not encrypted: it holds nothing
the client was not sent.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from strowger.ir.request import Signed, Thinking

PREFIX = "strowger1."
MARK = PREFIX.encode()
"""Bytes that tell that a body holds an envelope somewhere; such a body cannot go anywhere untouched."""
WRAPPED = base64.b64encode(b"strowger1")
"""How an envelope begins where it is wrapped in base64 again."""

_DECODER = msgspec.json.Decoder(list[str])
_WRAPPED = WRAPPED.decode()
_STANDARD = str.maketrans("-_", "+/")


def seal(signed: Signed, words: str = "") -> str:
    """Signed state as an opaque string. `words` are those of the thought that it signs, for clients that may not bring
    them back.
    """
    named = (signed.id, words) if words else (signed.id,) if signed.id else ()
    packed = msgspec.json.encode((signed.origin, signed.kind, signed.blob, *named))
    return PREFIX + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def wrapped(signed: Signed, words: str = "") -> str:
    """The same for members that hold bytes: SDKs decode them from base64, and write them again in either alphabet."""
    return base64.b64encode(seal(signed, words).encode()).decode()


def opened(text: str) -> Signed | None:
    """The state inside, wrapped or not; None when `text` is not an envelope of ours (or a damaged one: then it is
    nobody's).
    """
    thought = thought_in(text)
    return None if thought is None else thought.signed


def thought_in(text: str) -> Thinking | None:
    """The same on the thought that it signs, with its words as far as they are inside."""
    if text.startswith(_WRAPPED):
        text = _unwrapped(text)
    if not text.startswith(PREFIX):
        return None
    packed = text[len(PREFIX) :]
    try:
        origin, kind, blob, *named = _DECODER.decode(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return Thinking("", Signed("", "damaged", ""))
    identity, words = (*named, "", "")[:2]
    return Thinking(words, Signed(origin, kind, blob, identity))


def _unwrapped(text: str) -> str:
    try:
        inner = base64.b64decode(text.translate(_STANDARD) + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return PREFIX
    return inner if inner.startswith(PREFIX) else PREFIX
