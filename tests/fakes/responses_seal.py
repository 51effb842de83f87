"""Encrypted reasoning as the fake hands it out: text that only it can have made, bound to an account and a family.

Not encryption: whoever looks can read it. What counts is that a changed, invented or foreign one is told apart.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from msgspec import Struct

from tests.fakes.refusal import Refusal

# The vendor's own begin so, being Fernet tokens.
MARK = "gAAAAA"
_SECRET = b"the fake's own secret"
_FAMILY = re.compile(r"^(gpt-\d+|o\d+|codex)")


class Sealed(Struct, frozen=True):
    """What is inside: for whom and which models it was made, which item it belongs to, and what it says."""

    account: str
    family: str
    item: str
    text: str


def family_of(model: str) -> str:
    """The family of a model, whose members read each other's reasoning: `gpt-5` of gpt-5.4-mini."""
    found = _FAMILY.match(model)
    return found.group() if found else model


class Seal:
    """Makes and opens encrypted content for one account."""

    def __init__(self, account: str) -> None:
        self.account = account

    def close(self, model: str, item: str, text: str) -> str:
        """Encrypted content for an item of this account."""
        packed = msgspec.json.encode(Sealed(self.account, family_of(model), item, text))
        return MARK + urlsafe_b64encode(hmac.digest(_SECRET, packed, hashlib.sha256) + packed).decode()

    def open(self, content: object, model: str, item: str | None = None) -> Sealed:
        """What was sealed; refused in the vendor's words when it is not as it was handed out, or not for this use."""
        sealed = _unpack(content)
        if sealed is None:
            raise _unverified(content, item, "Encrypted content could not be decrypted or parsed.")
        if sealed.account != self.account:
            raise _unverified(content, item, "Encrypted content organization_id did not match the target organization.")
        if sealed.family != family_of(model):
            raise _unverified(content, item, "Encrypted content was made by another model.")
        if item is not None and item != sealed.item:
            raise _unverified(content, item, "Encrypted content item_id did not match the target item id.")
        return sealed


def _unpack(content: object) -> Sealed | None:
    if not isinstance(content, str) or not content.startswith(MARK):
        return None
    try:
        raw = urlsafe_b64decode(content.removeprefix(MARK).encode())
        tag, packed = raw[:32], raw[32:]
        # The decoder passes over stray characters; a text that was changed is not what comes out again.
        unchanged = MARK + urlsafe_b64encode(raw).decode() == content
        if not unchanged or not hmac.compare_digest(tag, hmac.digest(_SECRET, packed, hashlib.sha256)):
            return None
        return msgspec.json.decode(packed, type=Sealed)
    except ValueError:
        return None


def _unverified(content: object, item: str | None, reason: str) -> Refusal:
    text = content if isinstance(content, str) else ""
    whose = f"The encrypted content for item {item}" if item else f"The encrypted content {text[:4]}...{text[-4:]}"
    return Refusal(f"{whose} could not be verified. Reason: {reason}", code="invalid_encrypted_content")
