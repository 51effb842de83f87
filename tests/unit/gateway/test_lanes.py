"""The lanes: what a client gets for what an upstream sent, without a socket."""

from __future__ import annotations

import pytest

from strowger.errors import ErrorKind, Refused
from tests.conformance.lanes import restreamed, translated, translated_whole

ERROR = b'{"error":{"message":"no such deployment","type":"invalid_request_error","code":404}}'
ANSWER = b'{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'


def test_an_error_body_is_no_stream() -> None:
    """An error under a status of success, where a stream was asked for, becomes an error with a status."""
    with pytest.raises(Refused, match="no such deployment") as caught:
        restreamed("openai_chat", ERROR)
    assert caught.value.body == ERROR


def test_an_error_body_is_no_answer() -> None:
    """An error under a status of success, where a body was asked for, is an error too."""
    with pytest.raises(Refused, match="no such deployment"):
        translated_whole("openai_chat", ERROR)


def test_a_body_for_a_client_that_streams() -> None:
    """A server that does not stream although it was asked to: its client gets a stream all the same."""
    delivered = restreamed("openai_chat", ANSWER)
    assert delivered.body.startswith(b"event: message_start\n")
    assert delivered.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert b'"text":"Hi"' in delivered.body


def test_a_cut_stream_says_so() -> None:
    """A stream that stops in the middle ends in an error event for the client, which is told nothing after it."""
    chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hal"}}]}\n\n'
    delivered = translated("openai_chat", [chunk])
    failure = delivered.receiver.watch.failure
    assert failure is not None
    assert (failure.kind, failure.code) == (ErrorKind.UPSTREAM, "truncated")
    assert delivered.body.count(b"event: error\n") == 1
    assert b"message_stop" not in delivered.body
    assert delivered.receiver.done
