"""A host without terms of its own."""

from __future__ import annotations

from strowger.providers.terms import NO_TERMS, Facts
from strowger.upstreams.base import Outgoing


def test_nothing_changes() -> None:
    """Without terms a request leaves as it was made, and nothing is read into an answer's headers."""
    out = Outgoing("POST", "http://127.0.0.1/v1/messages", (("X-A", "b"),), b"{}")
    assert NO_TERMS.outgoing(out, Facts(), ()) is out
    assert NO_TERMS.reading({"x-codex-primary-used-percent": "5"}, 0.0) is None
    assert NO_TERMS.aside(b"{}", 0.0) is None
