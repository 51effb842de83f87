"""The load generator sees every event once, however the bytes are cut, and takes nothing incomplete for whole."""

from __future__ import annotations

import asyncio
import time

import pytest

from bench import bodies, script
from bench.load import Job, LoadConnection, Run

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that only remembers whether it was closed."""

    closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def receive(answer: bytes, step: int, events: int = 3, dialect: str = "anthropic") -> Run:
    loop = asyncio.new_event_loop()
    try:
        run = Run(Job(port=1, dialect=dialect, events=events, requests=1), loop)
        run.open = 1
        connection = LoadConnection(run)
        connection.connection_made(Wire())
        for at in range(0, len(answer), step):
            connection.data_received(answer[at : at + step])
        connection.connection_lost(None)
        return run
    finally:
        loop.close()


@pytest.mark.parametrize("dialect", script.STREAMS)
@pytest.mark.parametrize("step", [1, 2, 7, 64, 100_000])
def test_counts_events_in_any_cut(step: int, dialect: str) -> None:
    """Stamps and chunks split over reads are neither lost nor counted twice."""
    answer = HEAD + script.STREAMS[dialect].whole(3).replace(script.BLANK_STAMP, script.now_stamp())
    run = receive(answer, step, dialect=dialect)
    assert (run.complete, run.events, run.failures) == (1, 3, [])
    assert len(run.latencies) == 3
    assert 0 <= max(run.latencies) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + script.ANTHROPIC.whole(2),
        HEAD + script.ANTHROPIC.whole(3)[:-40],
        HEAD + script.ANTHROPIC.head + script.ANTHROPIC.delta * 3 + b"0\r\n\r\n",
        HEAD.replace(b"200 OK", b"500 No") + script.ANTHROPIC.whole(3),
    ],
    ids=["event missing", "cut off", "no end of message", "wrong status"],
)
def test_fails_what_is_not_whole(answer: bytes) -> None:
    """An answer counts only with status 200, all events and the dialect's own end."""
    run = receive(answer, 100_000)
    assert run.complete == 0
    assert len(run.failures) == 1


@pytest.mark.parametrize("dialect", script.STREAMS)
def test_needs_the_end_of_each_dialect(dialect: str) -> None:
    """An answer that only stops is not whole."""
    stream = script.STREAMS[dialect]
    run = receive(HEAD + stream.head + stream.delta * 3 + b"0\r\n\r\n", 100_000, dialect=dialect)
    assert (run.complete, len(run.failures)) == (0, 1)


def test_counts_no_text_twice() -> None:
    """Responses repeats its text when it is whole; that is no event."""
    stream = script.RESPONSES
    again = b'data: {"type":"response.output_text.done","text":" ' + script.BLANK_STAMP + b'"}\n\n'
    told = b"%x\r\n%b\r\n" % (len(again), again)
    answer = HEAD + stream.head + stream.delta * 3 + told + stream.tail
    assert receive(answer, 11, dialect="openai_responses").complete == 1


def test_reads_an_answer_without_length() -> None:
    """Without chunks and length the answer ends with the connection."""
    body = b"".join(b"data: %b\n\n" % script.now_stamp() for _ in range(3)) + b'data: {"type":"message_stop"}\n\n'
    run = receive(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body, 11)
    assert (run.complete, run.events) == (1, 3)


def test_order_travels_in_the_model() -> None:
    """What the load generator orders in a body of either size is what the upstream reads."""
    for build in (bodies.small_body, bodies.claude_code_body):
        assert script.read_order(build(script.model_name(300, 100))) == (300, 100)
    assert script.read_order(b"POST /v1beta/models/bench-e300-r100:streamGenerateContent HTTP/1.1") == (300, 100)
    assert script.read_order(b'{"model":"other"}') == (1, 0)


def test_turns_are_not_alike() -> None:
    """Each request of a run has a number of its own and its session's, in a body that is as long as ever."""
    loop = asyncio.new_event_loop()
    try:
        run = Run(Job(port=1, body="turns"), loop)
    finally:
        loop.close()
    asked = [run.request_of(session) for session in (1, 1, 2) if run.take()]
    assert len({len(each) for each in [*asked, run.request]}) == 1
    assert [each.count(b"turn %012d" % (number + 1)) for number, each in enumerate(asked)] == [1, 1, 1]
    assert [each.count(b"4000-8000-%012d" % session) for each, session in zip(asked, (1, 1, 2), strict=True)] == [1] * 3


def test_agent_size() -> None:
    """The large body has the size that it says, and is the same in each run."""
    body = bodies.claude_code_body("bench-e1-r0")
    assert len(body) == bodies.CLAUDE_CODE_SIZE
    assert body == bodies.claude_code_body("bench-e1-r0")


def test_one_request_at_least() -> None:
    """A run whose time is over before it could begin asks once all the same: a figure of nothing is none."""
    loop = asyncio.new_event_loop()
    try:
        run = Run(Job(port=1, seconds=0.0), loop)
    finally:
        loop.close()
    assert [run.take(), run.take()] == [True, False]
