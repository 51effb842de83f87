"""Whole answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.openai_responses.response import decode_response
from strowger.errors import ErrorKind
from strowger.ir.events import Checker, Failure, Finish, Start, StopReason
from strowger.ir.request import Text, Thinking, ToolCall
from tests.shared import Recording, cases
from tests.unit.dialects.openai_responses.answering import (
    USAGE,
    call,
    decoder_setup,
    dumps,
    message,
    reasoning,
    response,
    whole,
)

WHOLE = dumps(response(output=[reasoning("hm"), message("a", "b"), call()], usage=USAGE, metadata={"k": "ü"}))


def failed(body: bytes) -> Failure:
    """The failure that a body is."""
    (event,) = decode_response(body, decoder_setup())
    assert isinstance(event, Failure)
    return event


def test_an_answer() -> None:
    """Its parts in order, its counts, its end."""
    folded = whole(reasoning("hm"), message("a", "b"), call(), usage=USAGE)
    assert [type(part) for part in folded.parts] == [Thinking, Text, Text, ToolCall]
    assert (folded.origin, folded.id, folded.model, folded.created) == ("openai_responses", "resp_1", "gpt", 5)
    assert (folded.usage.input, folded.usage.output) == (10, 5)
    assert (folded.finish.reason, folded.finish.native) == (StopReason.TOOL_USE, "completed")


@pytest.mark.parametrize(
    "members, reason, native",
    [
        ({}, StopReason.END, "completed"),
        ({"status": "complete"}, StopReason.END, "completed"),
        ({"status": None}, StopReason.END, ""),
        ({"status": "new"}, StopReason.OTHER, "new"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            StopReason.REFUSAL,
            "content_filter",
        ),
        ({"status": "incomplete"}, StopReason.MAX_TOKENS, "incomplete"),
        ({"object": "response.compaction", "status": None}, StopReason.COMPACTION, ""),
    ],
)
def test_why_it_ended(members: dict[str, Any], reason: StopReason, native: str) -> None:
    """Status and reason are one word."""
    finish = whole(message("a"), **members).finish
    assert (finish.reason, finish.native) == (reason, native)


def test_a_failed_response_is_a_failure() -> None:
    """Although its status is 200: another target may be tried."""
    body = dumps(response("failed", error={"code": "server_is_overloaded", "message": "busy"}))
    assert (failed(body).kind, failed(body).message) == (ErrorKind.OVERLOADED, "busy")


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
def test_an_answer_that_is_not_there(status: str) -> None:
    """There is nothing to tell; a body of this kind still passes to a client of this dialect as it is."""
    event = failed(dumps(response(status)))
    assert (event.code, event.raw) == (status, None)


@pytest.mark.parametrize(
    "body, kind",
    [
        (b'{"error":{"message":"no money","code":"insufficient_quota"}}', ErrorKind.QUOTA_EXHAUSTED),
        (b'{"detail":"Unsupported parameter: x"}', ErrorKind.UPSTREAM),
        (b"<html><title>Bad gateway</title></html>", ErrorKind.UPSTREAM),
        (b'{"object":"response.input_tokens","input_tokens":3}', ErrorKind.UPSTREAM),
        (b'{"output":[{"type":"message","content":5}]}', ErrorKind.UPSTREAM),
        (b"", ErrorKind.UPSTREAM),
        (b"[]", ErrorKind.UPSTREAM),
    ],
)
def test_bodies_that_are_no_answer(body: bytes, kind: ErrorKind) -> None:
    """One failure, in words where there are some."""
    assert failed(body).kind is kind
    assert failed(body).message


@pytest.mark.parametrize("case", cases("openai_responses", lambda r: not r.stream and r.status == 200))
def test_every_recorded_body_is_legal(case: Recording) -> None:
    """Its events are in order, from a start to a finish, or one failure."""
    events = decode_response(case.response.content, decoder_setup())
    checker = Checker()
    for event in events:
        checker.check(event)
    assert checker.state == "ended"
    assert isinstance(events[0], Start | Failure)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bodies(damage: list[tuple[int, int]]) -> None:
    """Wrong bytes give an answer or a failure, never an exception."""
    data = bytearray(WHOLE)
    for position, byte in damage:
        data[position % len(data)] = byte
    assert isinstance(decode_response(bytes(data), decoder_setup())[-1], Finish | Failure)
