"""Recorded answers, translated: accepted by the official SDK of the client's dialect, and nothing lost on the way."""

from __future__ import annotations

import functools
import json
import re
from typing import Any, Literal

from strowger.errors import GatewayError
from strowger.ir.events import Checker
from tests.conformance import lanes, naive_gemini, sdks, sse
from tests.conformance.conservation import differences, expected_stop, folded
from tests.conformance.grammar import violations
from tests.conformance.naive import STREAM, WHOLE, recorded
from tests.conformance.outcome import WHOLE as UNLOST
from tests.conformance.outcome import Outcome
from tests.conformance.reading import Reading
from tests.conformance.recordings import SPOKEN, Answered, answers
from tests.conformance.shapes import Taken
from tests.conformance.verbatim import cut_short

Form = Literal["stream", "body"]

ACCEPTED = "accepted by SDK"
WELL_FORMED = "well formed"
CONSERVED = ("text", "thinking", "tool calls", "order", "stop reason", "usage")
FAILED = "failed as it should"
SEVERAL = "the stream holds several answers, joined by its source"
_BEGINNING = {
    "anthropic": re.compile(rb'"type": ?"message_start"'),
    "openai_responses": re.compile(rb'"type": ?"response\.created"'),
}


def crossed(upstream: str, client: str, form: Form, wanted: Form) -> Outcome:
    """Every recorded answer in one form, to clients of another dialect that want it in one form."""
    outcome, taken = Outcome(), Taken()
    ordered = tells_order(upstream, form) and tells_order(client, wanted)
    well_formed = (WELL_FORMED,) if wanted == "stream" else ()
    for column in ("recordings", FAILED, ACCEPTED, *well_formed, *(c for c in CONSERVED if ordered or c != "order")):
        outcome.count(column, False)
    outcome.count(UNLOST, False)
    for case in answers(upstream, form).cases:
        if form == "stream" and several(upstream, case.body):
            continue
        outcome.count("recordings")
        said = recorded(upstream, case)
        if said.ending == "whole":
            _carry(outcome, taken, upstream, client, case, said, form, wanted)
        else:
            outcome.check(FAILED, case.name, _fails(upstream, client, case, form, wanted))
    return outcome


def several(dialect: str, body: bytes) -> bool:
    """Whether a stream is more than one, as some sources keep them."""
    beginning = _BEGINNING.get(dialect)
    return beginning is not None and len(beginning.findall(body)) > 1


def chunked(upstream: str) -> Outcome:
    """Every recorded stream, cut in other places: the events are the same and in legal order, and so are the bytes of
    clients in the other dialects.
    """
    outcome = Outcome()
    for case in answers(upstream, "stream").cases:
        outcome.count("recordings")
        events = lanes.decoded(upstream, [case.body])
        checker = Checker()
        for event in events:
            checker.check(event)
        outcome.check("legal order", case.name, [] if checker.state == "ended" else ["the events do not end"])
        same = lanes.decoded(upstream, lanes.bytewise(case.body)) == events
        outcome.check("same events byte by byte", case.name, [] if same else ["other events"])
        wrong = []
        for framed in reframed(upstream, case):
            wrong += [] if lanes.decoded(upstream, [framed]) == events else [f"other events from {framed[:20]!r}"]
        outcome.check("same events in other frames", case.name, wrong)
        pieces, wrong = lanes.at_random(case.body, case.name), []
        for client in SPOKEN:
            if client != upstream:
                once = lanes.translated(upstream, [case.body], client).body
                wrong += [] if lanes.translated(upstream, pieces, client).body == once else [f"other bytes in {client}"]
        outcome.check("same bytes for clients", case.name, wrong)
    return outcome


def reframed(dialect: str, case: Answered) -> list[bytes]:
    """The same stream with the other line ends, and where the dialect has other frames, in those."""
    if case.body.lstrip()[:1] == b"[":
        found = [value.encode().splitlines() for value in naive_gemini.texts(case.body.decode())]
        return [b"".join(b"".join(b"data: " + line + end for line in lines) + end for lines in found) for end in _ENDS]
    lines = case.body.replace(b"\r\n", b"\n")
    others = [lines.replace(b"\n", end) for end in _ENDS]
    if dialect == "gemini" and naive_gemini.unframed(case.body) is None:
        others.append(b"[" + b",\n".join(event.data.encode() for event in sse.events(case.body)) + b"]")
    return others


_ENDS = (b"\n", b"\r\n", b"\r")


def broken(upstream: str, client: str) -> Outcome:
    """Every recorded stream, cut off before its end: the client has what came, and is told that there was more."""
    outcome, taken = Outcome(), Taken()
    for case in answers(upstream, "stream").cases:
        part = cut_short(upstream, case)
        if part is None:
            continue
        outcome.count("recordings")
        said = _cut(upstream, case)
        delivered = lanes.translated(upstream, lanes.at_random(part, case.name), client)
        known = delivered.body != b"" and delivered.body in taken
        if outcome.check("raised by SDK", case.name, [] if known else _fails_in_stream(client, delivered)):
            taken.add(delivered.body)
        heard = STREAM[client](delivered.body)
        outcome.check("text before the end", case.name, [] if said.text.startswith(heard.text) else ["other text"])
        try:
            lanes.translated_whole(upstream, part, client)
            wrong = ["half an answer became a body"]
        except GatewayError:
            wrong = []
        outcome.check("no body", case.name, wrong)
    return outcome


@functools.cache
def _cut(upstream: str, case: Answered) -> Reading:
    return STREAM[upstream](cut_short(upstream, case) or b"")


def errors(upstream: str, client: str) -> Outcome:
    """Error answers: the SDK raises the error that it has for the status, and says what the upstream said."""
    outcome = Outcome()
    for case in answers(upstream, "error").cases:
        outcome.count("recordings")
        refused = lanes.DIALECTS[upstream].upstream.parse_error(case.status, case.headers, case.body)
        reply = lanes.DIALECTS[client].client.render_error(refused)
        try:
            sdks.read_whole(client, reply.body, reply.status)
            wrong = ["the SDK takes it for an answer"]
        except sdks.SdkError as error:
            wrong = [] if _words(case.body) in str(error) else [f"the upstream's words are gone: {error}"]
            if (case.status < 500) != ((error.status or 0) < 500):
                wrong.append(f"whose fault it is has changed: {case.status} became {error.status}")
        outcome.check("raised by SDK", case.name, wrong)
    return outcome


def tells_order(dialect: str, form: Form) -> bool:
    """Whether an answer tells what came first; Chat's bodies keep thinking, text and calls apart."""
    return form == "stream" or dialect != "openai_chat"


def _delivered(upstream: str, client: str, case: Answered, form: Form, wanted: Form) -> lanes.Delivered:
    if wanted == "body":
        return lanes.translated_whole(upstream, case.body, client)
    if form == "stream":
        return lanes.translated(upstream, [case.body], client)
    return lanes.restreamed(upstream, case.body, client)


@functools.cache
def _decoded(upstream: str, case: Answered) -> Reading:
    """What our decoder makes of a stream."""
    return folded(lanes.decoded(upstream, [case.body]))


def _carry(
    outcome: Outcome, taken: Taken, upstream: str, client: str, case: Answered, said: Reading, form: Form, wanted: Form
) -> None:
    """One answer to its client: what it got is read plainly and by the SDK, and what we decoded is looked at too."""
    try:
        delivered = _delivered(upstream, client, case, form, wanted)
    except GatewayError as error:
        outcome.failures.append(f"{case.name}: nothing was delivered: {error.text}")
        return
    outcome.lose(delivered.flow.losses)
    outcome.failures += [f"{case.name}: {note}" for note in delivered.flow.notes]
    ordered = tells_order(upstream, form) and tells_order(client, wanted)
    heard = STREAM[client](delivered.body) if wanted == "stream" else WHOLE[client](json.loads(delivered.body))
    if heard.ending != "whole":
        outcome.failures.append(f"{case.name}: the answer ends as {heard.ending}: {delivered.body[-200:]!r}")
        return
    if wanted == "stream":
        outcome.check(WELL_FORMED, case.name, violations(client, delivered.body))
    found = [differences(said, heard, ordered=ordered, through=[client])]
    stops = [heard.stop]
    if form == "stream":
        found.append(differences(said, _decoded(upstream, case), ordered=True))
        if client == "gemini" and wanted == "stream":
            as_array = lanes.translated(upstream, [case.body], client, "array").body
            json.loads(as_array)
            found.append(differences(said, STREAM[client](as_array), ordered=ordered, through=[client]))
    failed = len(outcome.failures)
    if (known := delivered.body in taken) or (by_sdk := _by_sdk(outcome, client, case, delivered.body, wanted)) is None:
        outcome.count(ACCEPTED, known)
    else:
        outcome.count(ACCEPTED)
        stops.append(by_sdk.stop)
        # Chat's SDK gathers calls and text apart, so it cannot tell what came first
        found.append(
            differences(said, by_sdk, ordered=ordered and client != "openai_chat", by_sdk=True, through=[client])
        )
    expected = expected_stop(upstream, client, said)
    wrong_stops = [f"{said.stop} became {stop}, not {expected}" for stop in stops if stop != expected]
    for column in CONSERVED if ordered else (c for c in CONSERVED if c != "order"):
        wrong = wrong_stops if column == "stop reason" else [line for one in found for line in one[column]]
        outcome.check(column, case.name, wrong)
    if not known and len(outcome.failures) == failed:
        taken.add(delivered.body)


def _by_sdk(outcome: Outcome, client: str, case: Answered, body: bytes, wanted: Form) -> Reading | None:
    """What the SDK reads, or None where it does not take the answer, which is a failure then."""
    try:
        return (sdks.read_stream if wanted == "stream" else sdks.read_whole)(client, body)
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises means that it does not take the answer
        outcome.failures.append(f"{case.name}: {ACCEPTED}: {type(error).__name__}: {error}"[:300])
        return None


def _fails(upstream: str, client: str, case: Answered, form: Form, wanted: Form) -> list[str]:
    """An answer that broke off, or says that it failed, is an error for the client, in a stream or as a status."""
    try:
        delivered = _delivered(upstream, client, case, form, wanted)
    except GatewayError as error:
        return [] if error.message else ["the error says nothing"]
    if wanted == "body":
        return ["half an answer became a body"]
    return _fails_in_stream(client, delivered)


def _fails_in_stream(client: str, delivered: lanes.Delivered) -> list[str]:
    """The SDK raises the vendor's error; or nothing was said yet, and the failure will be a status."""
    if not delivered.body:
        return [] if delivered.receiver.watch.failure is not None else ["nothing at all was said"]
    try:
        sdks.read_stream(client, delivered.body)
    except sdks.SdkError:
        return []
    except Exception as error:  # noqa: BLE001 - not the error that it has for this
        return [f"{type(error).__name__}: {error}"[:300]]
    return ["it was taken for whole"]


def _words(body: bytes) -> str:
    """The beginning of the upstream's own sentence."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        return ""
    value = value[0] if isinstance(value, list) and value else value
    found = value.get("error", value) if isinstance(value, dict) else value
    message = found.get("message") if isinstance(found, dict) else None
    return message[:30] if isinstance(message, str) else ""
