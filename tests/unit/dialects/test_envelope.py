"""State that comes home."""

from __future__ import annotations

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.envelope import MARK, PREFIX, WRAPPED, opened, seal, thought_in, wrapped
from strowger.ir.request import Signed, Thinking


@given(st.text(), st.text(), st.text())
def test_what_is_sealed_is_opened(origin: str, kind: str, blob: str) -> None:
    """Whatever the blob holds."""
    signed = Signed(origin, kind, blob)
    assert opened(seal(signed)) == signed


def test_an_envelope_survives_any_client() -> None:
    """It has no character that JSON, URLs or XML would escape, and bodies that hold one can be told by their bytes."""
    sealed = seal(Signed("anthropic", "anthropic:signature", "ü\n\"<&>'" * 50))
    assert re.fullmatch(r"[A-Za-z0-9._-]+", sealed)
    assert MARK in sealed.encode()


def test_other_strings_are_no_envelopes() -> None:
    """A signature of the vendor's own is left to its vendor."""
    assert opened("ErUBCkYIBRgCIkDx") is None
    assert opened("") is None


def test_a_damaged_envelope_belongs_to_nobody() -> None:
    """It is recognised as ours, so that no upstream is sent it."""
    sealed = seal(Signed("o", "k", "blob"))
    for broken in (sealed[:-3], PREFIX, PREFIX + "???", PREFIX + "e30", sealed + "x"):
        signed = opened(broken)
        assert signed is not None, broken
        assert signed.origin in {"", "o"}


@given(st.text(), st.text(), st.text())
def test_a_wrapped_envelope_is_bytes_to_everyone(origin: str, kind: str, blob: str) -> None:
    """SDKs that hold the member as bytes read it, and may write it in the other alphabet, with or without padding."""
    signed = Signed(origin, kind, blob)
    text = wrapped(signed)
    rewritten = base64.urlsafe_b64encode(base64.b64decode(text, validate=True)).decode()
    assert text.encode().startswith(WRAPPED)
    assert opened(text) == opened(rewritten) == opened(rewritten.rstrip("=")) == signed


def test_a_damaged_wrapping_belongs_to_nobody() -> None:
    """It is recognised as ours all the same."""
    text = wrapped(Signed("o", "k", "blob"))
    for broken in (WRAPPED.decode(), text[:-9], text[:20] + "ü" + text[20:], WRAPPED.decode() + "AAAA"):
        signed = opened(broken)
        assert signed is not None, broken
        assert signed.origin in {"", "o"}


@given(st.text(), st.text())
def test_the_words_of_the_thought_come_along(identity: str, words: str) -> None:
    """Some clients keep the envelope only; who signed the words wants to see both."""
    signed = Signed("o", "k", "blob", identity)
    for sealed in (seal(signed, words), wrapped(signed, words)):
        assert thought_in(sealed) == Thinking(words, signed)
        assert opened(sealed) == signed
    assert thought_in("ErUBCkYIBRgCIkDx") is None
