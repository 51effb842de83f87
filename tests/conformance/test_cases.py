"""Cases in the form of `strowger flows export --case`: `cases/<dialect>/<case>/{request.json, stream.sse, notes.md}`.

What a bug report brings is put there as it is, and stays right from then on.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.dialects.base import DecoderSetup, EncoderSetup
from strowger.gateway.app import DIALECTS
from strowger.ir.events import Checker, Event, Failure

CASES = sorted(path for path in (Path(__file__).parent / "cases").glob("*/*") if path.is_dir())


def decoded(dialect: str, stream: bytes, size: int) -> list[Event]:
    """The events of a stream that comes in pieces of some size."""
    decoder = DIALECTS[dialect].upstream.decoder(DecoderSetup(dialect, lambda prefix: f"{prefix}1"))
    pieces = (stream[at : at + size] for at in range(0, len(stream), size))
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.close()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_case_is_carried(case: Path) -> None:
    """Its request is read, its stream keeps the order of events and does not fail, and every client gets all of it."""
    dialect = case.parent.name
    assert DIALECTS[dialect].client.parse_request((case / "request.json").read_bytes()).origin
    assert (case / "notes.md").read_text().startswith("# ")
    stream = (case / "stream.sse").read_bytes()
    events = decoded(dialect, stream, len(stream))
    checker = Checker()
    for event in events:
        checker.check(event)
    assert not [event for event in events if isinstance(event, Failure)]
    assert "".join(map(said, decoded(dialect, stream, 7))) == "".join(map(said, events))
    for client in DIALECTS.values():
        encoder = client.client.encoder(EncoderSetup("m", lambda prefix: f"{prefix}1"))
        told = b"".join(encoder.encode(event) for event in events)
        again = decoded(client.name, told, len(told))
        assert "".join(map(said, again)) == "".join(map(said, events)), client.name


def said(event: Event) -> str:
    """The words of an event."""
    return str(getattr(event, "text", ""))
