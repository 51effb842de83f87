"""Calls that never were: a flow with its tape, as the line would leave it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

from strowger.flows.flow import Attempt, Flow, Outcome
from strowger.flows.tape import Message, Tape
from strowger.ir.events import Usage

REQUEST = b'{"model":"opus","messages":[{"role":"user","content":"How late is it?"}]}'
ANSWER = (b"event: message_start\ndata: {}\n\n", b"event: ping\ndata: {}\n\n", b"event: message_stop\ndata: {}\n\n")
HEADERS = (("content-type", "application/json"), ("user-agent", "claude-cli/2.1.329"), ("authorization", "Bearer x"))

_numbers = itertools.count(1)


class Clock:
    """A clock that goes on by itself, a hundredth of a second each time it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def begun(
    body: bytes = REQUEST,
    *,
    forwarded: bytes | None = None,
    session: str | None = "s1",
    model: str = "opus",
    started: float | None = None,
    limit: int = 1 << 20,
    name: str | None = None,
) -> Flow:
    """A call whose requests are on its tape; with no `forwarded` the client's own body went upstream."""
    flow = Flow(
        id=name or f"flow_{next(_numbers):016x}",
        started=time.time() if started is None else started,
        clock=0.0,
        method="POST",
        path="/v1/messages",
        dialect="anthropic",
        agent="claude-cli/2.1.329",
        session=session,
        model=model,
        provider="p",
        upstream_model="big",
        request_bytes=len(body),
    )
    flow.tape = Tape(0.0, limit, Clock())
    flow.tape.begin("client_request", "POST /v1/messages", HEADERS, body)
    flow.tape.begin(
        "forwarded", "POST https://p.example/v1/messages", HEADERS, body if forwarded is None else forwarded
    )
    flow.attempts.append(Attempt("p:big", "verbatim", 200, seconds=0.1))
    return flow


def answered(flow: Flow, pieces: Iterable[bytes] = ANSWER, *, outcome: Outcome = "ok", status: int = 200) -> Flow:
    """The same call with its answer, which goes to the client as it comes."""
    assert flow.tape is not None
    both = [flow.tape.begin(kind, "200 OK", HEADERS[:1]) for kind in ("upstream_response", "client_response")]
    for piece in pieces:
        for message in both:
            flow.tape.add(message, piece)
    flow.outcome, flow.status = outcome, status
    if outcome == "failed":
        flow.error_kind, flow.error = "upstream", "it broke"
    flow.usage = Usage(input=100, output=20, cache_read=80)
    flow.duration = 1.5
    return flow


def call(body: bytes = REQUEST, *, session: str | None = "s1", started: float | None = None) -> Flow:
    """A call that is over and went well."""
    return answered(begun(body, session=session, started=started))


def bodies_of(messages: Iterable[Message]) -> dict[tuple[str, int], bytes]:
    """The bodies by kind and number."""
    return {(message.kind, message.number): message.body for message in messages}
