"""The verbatim lane over every recording: what goes in comes out, byte for byte, both ways."""

from __future__ import annotations

import functools
import hashlib
import json
import random

from strowger.errors import GatewayError
from strowger.gateway.lanes import VERBATIM
from tests.conformance import lanes, naive_gemini, sse
from tests.conformance.identity import FAITHFUL
from tests.conformance.naive import STREAM, recorded
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import Answered, Asked, all_answers, requests


def sent(dialect: str) -> Outcome:
    """Every recorded request to an upstream of its own dialect, spelt in several ways; the model kept, then changed."""
    outcome = Outcome()
    found = requests(dialect)
    for case in found.cases:
        outcome.count("recordings")
        wrong = []
        for body in spellings(case.body):
            draft = lanes.drafted(case, dialect, body)
            if draft.lane != VERBATIM:
                wrong.append("the lane is not verbatim")
            if not same(draft.body, body):
                wrong.append("the bytes differ")
        outcome.check("equal by hash", case.name, wrong)
        outcome.check("equal but for the model", case.name, _patched(dialect, case))
    return outcome


def spellings(body: bytes) -> list[bytes]:
    """The body as it was recorded, with white space, and in ASCII: clients write JSON in many ways."""
    value = json.loads(body)
    return [body, json.dumps(value, ensure_ascii=False, indent=2).encode(), json.dumps(value).encode()]


def _patched(dialect: str, case: Asked) -> list[str]:
    before = json.loads(case.body)
    draft = lanes.drafted(case, dialect, case.body, "another/model-1", FAITHFUL[dialect])
    after = json.loads(draft.body)
    if case.spot.model:  # the URL names it, and some bodies do too
        named = "another%2Fmodel-1" in draft.url and after.pop("model", "models/another/model-1").endswith("model-1")
        before.pop("model", None)
    else:
        named = after.pop("model") == "another/model-1"
        del before["model"]
    if not named:
        return ["the model was not changed"]
    if list(after) != list(before) and draft.lane == VERBATIM:
        return ["the members stand in another order"]
    return [] if after == before else ["more than the model was changed"]


def received(dialect: str, *shapes: str) -> Outcome:
    """Every recorded answer in these shapes to a client of its own dialect."""
    outcome = Outcome()
    for case in all_answers(dialect):
        if case.shape not in shapes:
            continue
        outcome.count("recordings")
        wrong = _stream(dialect, case) if case.shape == "stream" else _body(dialect, case)
        outcome.check("equal by hash", case.name, wrong)
    return outcome


def _stream(dialect: str, case: Answered) -> list[str]:
    """Streams of every cutting; one that was cut short in the recording gets one error event and nothing else."""
    wrong = []
    cut = recorded(dialect, case).ending == "cut"
    for how, pieces in (
        ("whole", lanes.one_piece(case.body)),
        ("at random", lanes.at_random(case.body, case.name)),
        ("byte by byte", lanes.bytewise(case.body)),
    ):
        delivered = lanes.passed(dialect, pieces, case.spot.form)
        problems = cut_off(case.body, delivered.body) if cut else untouched(case.body, delivered.body)
        wrong += [f"{how}: {problem}" for problem in problems]
        wrong += [f"{how}: {note}" for note in delivered.flow.notes]
    return wrong


def broken(dialect: str) -> Outcome:
    """Every recorded stream, cut off before its end: the events that came, and one more that is an error."""
    outcome = Outcome()
    for case in all_answers(dialect):
        if case.shape != "stream":
            continue
        if (part := cut_short(dialect, case)) is None:
            continue
        outcome.count("recordings")
        delivered = lanes.passed(dialect, lanes.at_random(part, case.name), case.spot.form)
        wrong = _array(part, delivered.body) if case.spot.form == "array" else cut_off(part, delivered.body)
        outcome.check("what came, and one error", case.name, wrong)
    return outcome


def _array(part: bytes, got: bytes) -> list[str]:
    """The same for an array, whose own end tells half of it from the whole."""
    try:
        json.loads(got)
    except ValueError:
        return [] if got == part else ["the bytes differ"]
    return ["it was taken for whole"]


@functools.cache
def cut_short(dialect: str, case: Answered) -> bytes | None:
    """A part of a stream that ends somewhere before its end, or None where there is no such part."""
    chance = random.Random(case.name)
    if recorded(dialect, case).ending != "whole":
        return None
    for _ in range(10):
        part = case.body[: chance.randrange(1, max(2, len(case.body)))]
        if STREAM[dialect](part).ending == "cut":
            return part
    return None


def untouched(sent: bytes, got: bytes) -> list[str]:
    """What is wrong with bytes that should be the same."""
    if same(sent, got):
        return []
    return [f"added: {got[len(sent) :][:100]!r}" if got.startswith(sent) else "the bytes differ"]


def cut_off(sent: bytes, got: bytes) -> list[str]:
    """What is wrong with what a client got of events that were cut; half an event is of no use: it stays behind."""
    kept = max(sent.rfind(mark) + len(mark) if mark in sent else 0 for mark in (b"\n\n", b"\r\n\r\n"))
    wrong = [] if got[:kept] == sent[:kept] else ["the bytes differ"]
    added = got[kept:]
    events = sse.events(added)
    if (len(events) == 1 and "error" in events[0].data) or (not events and naive_gemini.unframed(added) is not None):
        return wrong
    return [*wrong, f"a cut stream ends in {added[:100]!r}"]


def _body(dialect: str, case: Answered) -> list[str]:
    """Bodies; an error under a status of success goes the way of errors, which keep their bytes too."""
    if case.shape == "error":
        refused = lanes.DIALECTS[dialect].upstream.parse_error(case.status, case.headers, case.body)
        kept = refused.body
    else:
        try:
            kept = lanes.passed_whole(dialect, case.body).body
        except GatewayError as error:
            kept = getattr(error, "body", b"")
    return [] if same(kept, case.body) else ["the bytes differ"]


def same(one: bytes, other: bytes) -> bool:
    """Whether two byte strings have the same hash."""
    return hashlib.sha256(one).digest() == hashlib.sha256(other).digest()
