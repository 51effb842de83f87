"""The envelope of clouds, off and on again, at its edges."""

from __future__ import annotations

import json

import pytest

from strowger.dialects.eventstream import EventStreamDecoder
from strowger.gateway.cloud_clients import BedrockReply, plain
from strowger.gateway.endpoints import Call, Endpoint, Verb, match
from strowger.upstreams.base import Headers

pytestmark = pytest.mark.anyio

VERTEX = "/v1/projects/p/locations/r/publishers/anthropic/models"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Kept:
    """A reply that only notes what it is given."""

    started = streaming = False

    def __init__(self) -> None:
        self.head: tuple[int, Headers] = (0, ())
        self.data = b""

    async def start(self, status: int, headers: Headers) -> None:
        self.head, self.started, self.streaming = (status, headers), True, True

    async def write(self, data: bytes) -> None:
        self.data += data

    async def end(self, data: bytes = b"") -> None:
        self.data += data
        self.streaming = False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.head, self.data = (status, headers), body


def call(path: str, body: bytes, *lines: tuple[str, str]) -> Call:
    endpoint = match("POST", path, {}, ())
    return Call("POST", path, "", endpoint, {name.lower(): value for name, value in lines}, lines, body)


@pytest.mark.parametrize(
    "path, verb, model, stream, form",
    [
        ("/model/a:0/invoke", Verb.CREATE, "a:0", False, "bedrock"),
        ("/model/arn:x/y/invoke-with-response-stream", Verb.CREATE, "arn:x/y", True, "bedrock"),
        (f"{VERTEX}/claude@1:rawPredict", Verb.CREATE, "claude@1", False, "vertex"),
        (f"{VERTEX[3:]}/claude@1:streamRawPredict", Verb.CREATE, "claude@1", True, "vertex"),
        (f"{VERTEX}/count-tokens:rawPredict", Verb.COUNT_TOKENS, "", False, "vertex"),
    ],
)
def test_addresses(path: str, verb: Verb, model: str, stream: bool, form: str) -> None:
    """What they say of a call; a provider may stand before them."""
    endpoint = match("POST", path, {}, ())
    assert (endpoint.verb, endpoint.dialect) == (verb, "anthropic")
    assert (endpoint.spot.model, endpoint.spot.stream, endpoint.spot.form) == (model, stream, form)
    assert match("POST", f"/up{path}", {}, ("up",)).provider == "up"


def test_the_envelope_comes_off() -> None:
    """The model and the stream into the body, the version and the betas into the head; nothing of AWS's stays."""
    body = b'{"anthropic_version":"2026-10-21","anthropic_beta":["b"],"a" : [ 1 ]}'
    arrived = plain(call("/model/m/invoke", body, ("Anthropic-Beta", "a"), ("X-Amz-Date", "d"), ("X-Own", "1")), Kept())
    assert arrived.call.body == b'{"a":[ 1 ],"model":"m","stream":false}'
    assert dict(arrived.call.headers) == {"x-own": "1", "anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
    assert arrived.call.endpoint == Endpoint(Verb.CREATE, "anthropic")
    assert isinstance(arrived.reply, BedrockReply)


@pytest.mark.parametrize("body", [b"[]", b"nonsense"])
def test_what_is_no_object(body: bytes) -> None:
    """Goes on as it is."""
    assert plain(call("/model/m/invoke", body), Kept()).call.body == body


def test_odd_members() -> None:
    """Of other types than they should be are left out; the version that the client says itself counts."""
    arrived = plain(
        call(f"{VERTEX}/m:rawPredict", b'{"anthropic_version":1,"anthropic_beta":"x"}', ("anthropic-version", "v")),
        Kept(),
    )
    assert dict(arrived.call.headers) == {"anthropic-version": "v"}
    assert isinstance(arrived.reply, Kept)


async def test_a_stream() -> None:
    """However the events are cut, each is a message; an error among them is an exception."""
    kept = Kept()
    reply = BedrockReply(kept)
    await reply.start(200, (("content-type", "text/event-stream"), ("x", "y")))
    assert (reply.started, reply.streaming) == (True, True)
    for piece in (b'event: ping\ndata: {"ty', b'pe":"ping"}\n\n: comment\n\n', b""):
        await reply.write(piece)
    await reply.end(b'event: error\ndata: {"error":{"type":"overloaded_error","message":"m"}}\n')
    assert kept.head == (200, (("x", "y"), ("Content-Type", "application/vnd.amazon.eventstream")))
    first, second = EventStreamDecoder().feed(kept.data)
    assert json.loads(first.payload) == {"bytes": "eyJ0eXBlIjoicGluZyJ9"}
    assert second.headers[":exception-type"] == "serviceUnavailableException"
    assert json.loads(second.payload) == {"message": "m"}


@pytest.mark.parametrize(
    "status, kind, body, named, expected",
    [
        (200, "application/json", b"{}", None, b"{}"),
        (
            429,
            "application/json",
            b'{"error":{"type":"rate_limit_error","message":"m"}}',
            "Throttling",
            b'{"message":"m"}',
        ),
        (400, "application/json", b'{"error":{"type":"x","message":"m"}}', "Validation", b'{"message":"m"}'),
        (502, "text/html", b"<html>", "Validation", b'{"message":"<html>"}'),
    ],
)
async def test_whole_answers(status: int, kind: str, body: bytes, named: str | None, expected: bytes) -> None:
    """Errors are AWS's, with their name in a header."""
    kept = Kept()
    await BedrockReply(kept).whole(status, (("content-type", kind),), body)
    assert kept.data == expected
    assert dict(kept.head[1]).get("x-amzn-ErrorType") == (f"{named}Exception" if named else None)


async def test_a_stream_that_is_there_at_once() -> None:
    """Is framed too."""
    kept = Kept()
    await BedrockReply(kept).whole(200, (("content-type", "text/event-stream"),), b"data: {}\n\ndata: [1]")
    assert len(EventStreamDecoder().feed(kept.data)) == 2
