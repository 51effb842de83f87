"""Recorded answers, translated: accepted by the official SDK of the client's dialect, and nothing lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from strowger.errors import GatewayError
from strowger.ir.events import Checker
from tests.conformance import lanes, naive_anthropic, naive_chat, sdks
from tests.conformance.conservation import differences, expected_stop, folded
from tests.conformance.outcome import Outcome
from tests.conformance.reading import Reading
from tests.conformance.recordings import OTHER, Answered, answers
from tests.conformance.verbatim import cut_short

Form = Literal["stream", "body"]

STREAM: dict[str, Callable[[bytes], Reading]] = {
    "anthropic": naive_anthropic.stream,
    "openai_chat": naive_chat.stream,
}
WHOLE: dict[str, Callable[[Any], Reading]] = {"anthropic": naive_anthropic.whole, "openai_chat": naive_chat.whole}
SEVERAL = "the stream holds several answers, joined by its source"
ACCEPTED = "accepted by SDK"
CONSERVED = ("text", "thinking", "tool calls", "order", "stop reason", "usage")
FAILED = "failed as it should"


def crossed(upstream: str, form: Form, wanted: Form) -> Outcome:
    """Every recorded answer in one form, to clients of the other dialect that want it in one form."""
    outcome = Outcome()
    ordered = tells_order(upstream, form) and tells_order(OTHER[upstream], wanted)
    for column in ("recordings", FAILED, ACCEPTED, *(c for c in CONSERVED if ordered or c != "order")):
        outcome.count(column, False)
    found = answers(upstream, form)
    outcome.excluded = found.excluded.copy()
    for case in found.cases:
        if form == "stream" and case.body.count(b'"message_start"') > 1:
            outcome.excluded[SEVERAL] += 1
            continue
        outcome.count("recordings")
        said = read(upstream, case, form)
        if said.ending == "whole":
            _carry(outcome, upstream, case, said, form, wanted)
        else:
            outcome.check(FAILED, case.name, _fails(upstream, case, form, wanted))
    return outcome


def chunked(upstream: str) -> Outcome:
    """Every recorded stream, cut in other places: the events are the same and in legal order, and so are the client's
    bytes.
    """
    outcome = Outcome()
    for case in answers(upstream, "stream").cases:
        outcome.count("recordings")
        events = lanes.decoded(upstream, [case.body])
        checker = Checker()
        for event in events:
            checker.check(event)
        outcome.check("legal order", case.name, [] if checker.state == "ended" else ["the events do not end"])
        wrong = [] if lanes.decoded(upstream, lanes.bytewise(case.body)) == events else ["other events byte by byte"]
        once = lanes.translated(upstream, [case.body]).body
        if lanes.translated(upstream, lanes.at_random(case.body, case.name)).body != once:
            wrong.append("other bytes at random")
        outcome.check("same for any chunking", case.name, wrong)
    return outcome


def broken(upstream: str) -> Outcome:
    """Every recorded stream, cut off before its end: the client has what came, and is told that there was more."""
    outcome = Outcome()
    client = OTHER[upstream]
    for case in answers(upstream, "stream").cases:
        part = cut_short(upstream, case)
        if part is None:
            outcome.excluded["the stream is an error, or too short to be cut"] += 1
            continue
        outcome.count("recordings")
        said = STREAM[upstream](part)
        delivered = lanes.translated(upstream, lanes.at_random(part, case.name))
        outcome.check("raised by SDK", case.name, _fails_in_stream(client, delivered))
        heard = STREAM[client](delivered.body)
        outcome.check("text before the end", case.name, [] if said.text.startswith(heard.text) else ["other text"])
        try:
            lanes.translated_whole(upstream, part)
            wrong = ["half an answer became a body"]
        except GatewayError:
            wrong = []
        outcome.check("no body", case.name, wrong)
    return outcome


def errors(upstream: str) -> Outcome:
    """Error answers: the SDK raises the error that it has for the status, and says what the upstream said."""
    outcome = Outcome()
    client = OTHER[upstream]
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
    return form == "stream" or dialect == "anthropic"


def read(upstream: str, case: Answered, form: Form) -> Reading:
    """The plain reading of a recorded answer."""
    return STREAM[upstream](case.body) if form == "stream" else WHOLE[upstream](json.loads(case.body))


def _delivered(upstream: str, case: Answered, form: Form, wanted: Form) -> lanes.Delivered:
    if wanted == "body":
        return lanes.translated_whole(upstream, case.body)
    if form == "stream":
        return lanes.translated(upstream, [case.body])
    return lanes.restreamed(upstream, case.body)


def _carry(outcome: Outcome, upstream: str, case: Answered, said: Reading, form: Form, wanted: Form) -> None:
    """One answer to its client: what it got is read plainly and by the SDK, and what we decoded is looked at too."""
    client = OTHER[upstream]
    try:
        delivered = _delivered(upstream, case, form, wanted)
    except GatewayError as error:
        outcome.failures.append(f"{case.name}: nothing was delivered: {error.text}")
        return
    outcome.lose(delivered.flow.losses)
    outcome.failures += [f"{case.name}: {note}" for note in delivered.flow.notes]
    ordered = tells_order(upstream, form) and tells_order(client, wanted)
    heard = STREAM[client](delivered.body) if wanted == "stream" else WHOLE[client](json.loads(delivered.body))
    found = [differences(said, heard, ordered=ordered)]
    stops = [heard.stop]
    if form == "stream":
        found.append(differences(said, folded(lanes.decoded(upstream, [case.body])), ordered=True))
    try:
        by_sdk = (sdks.read_stream if wanted == "stream" else sdks.read_whole)(client, delivered.body)
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises means that it does not take the answer
        outcome.check(ACCEPTED, case.name, [f"{type(error).__name__}: {error}"[:300]])
    else:
        outcome.count(ACCEPTED)
        stops.append(by_sdk.stop)
        # Chat SDKs gather calls and text apart, so they cannot tell what came first
        found.append(differences(said, by_sdk, ordered=ordered and client == "anthropic", by_sdk=True))
    expected = expected_stop(upstream, said)
    wrong_stops = [f"{said.stop} became {stop}, not {expected}" for stop in stops if stop != expected]
    for column in CONSERVED if ordered else (c for c in CONSERVED if c != "order"):
        wrong = wrong_stops if column == "stop reason" else [line for one in found for line in one[column]]
        outcome.check(column, case.name, wrong)


def _fails(upstream: str, case: Answered, form: Form, wanted: Form) -> list[str]:
    """An answer that broke off, or says that it failed, is an error for the client, in a stream or as a status."""
    try:
        delivered = _delivered(upstream, case, form, wanted)
    except GatewayError as error:
        return [] if error.message else ["the error says nothing"]
    if wanted == "body":
        return ["half an answer became a body"]
    return _fails_in_stream(OTHER[upstream], delivered)


def _fails_in_stream(client: str, delivered: lanes.Delivered) -> list[str]:
    """The SDK raises the vendor's error; or nothing was said yet, and the failure will be a status."""
    if not delivered.body:
        return [] if delivered.receiver.watch.failure is not None else ["nothing at all was said"]
    try:
        sdks.read_stream(client, delivered.body)
    except sdks.SdkError:
        return []
    return ["it was taken for whole"]


def _words(body: bytes) -> str:
    """The beginning of the upstream's own sentence."""
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    found = value.get("error", value) if isinstance(value, dict) else value
    message = found.get("message") if isinstance(found, dict) else None
    return message[:30] if isinstance(message, str) else ""
