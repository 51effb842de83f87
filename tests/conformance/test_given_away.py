"""What is given away of real calls: nothing but the secrets is missing."""

from __future__ import annotations

from strowger.dialects.base import DecoderSetup
from strowger.flows.sharing import Cleaner
from strowger.flows.transcript import answered, asked
from strowger.gateway.app import DIALECTS
from strowger.telemetry.redaction import Redaction
from tests.conformance.recordings import all_answers, requests

ANTHROPIC = DIALECTS["anthropic"]
EVERY = 8
"""Of so many recordings one: all of them were looked at when this was written."""


def test_recorded_calls_can_be_read_and_given_away() -> None:
    """Each request and answer has its turns, also when it is clean; a stream's events keep their order and number."""
    cleaner = Cleaner(Redaction().text)
    for request in requests("anthropic").cases[::EVERY]:
        whole, clean = asked(ANTHROPIC, request.body), asked(ANTHROPIC, cleaner.body(request.body))
        assert whole is not None, request.name
        assert clean is not None, request.name
        assert [turn.role for turn in clean.turns] == [turn.role for turn in whole.turns]
    for answer in all_answers("anthropic")[::EVERY]:
        clean_body = cleaner.body(answer.body)
        assert answered(ANTHROPIC, clean_body) is not None
        if answer.shape == "stream":
            assert kinds(clean_body) == kinds(answer.body), answer.name


def kinds(stream: bytes) -> list[str]:
    """What kinds of events there are."""
    decoder = ANTHROPIC.upstream.decoder(DecoderSetup("anthropic", lambda prefix: prefix))
    return [type(event).__name__ for event in (*decoder.feed(stream), *decoder.close())]
