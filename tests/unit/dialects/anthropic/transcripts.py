"""Short ways to write down what goes in and what must come out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from strowger.dialects.anthropic import DIALECT, FAITHFUL
from strowger.dialects.base import Capabilities, DecoderSetup, EncoderSetup, Loss, NewId
from strowger.ir.events import Checker, Event, Failure, Start
from strowger.ir.request import Request
from strowger.ir.response import Response, fold

USER = {"role": "user", "content": "hi"}


def new_id() -> NewId:
    """Ids that count from one."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def decoder_setup(origin: str = "anthropic", names: dict[str, str] | None = None) -> DecoderSetup:
    """What a decoder is told."""
    return DecoderSetup(origin, new_id(), names or {})


def encoder_setup(**members: Any) -> EncoderSetup:
    """What an encoder is told."""
    return EncoderSetup(**{"model": "asked-for", "new_id": new_id(), "input_estimate": 7, **members})


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# ---- requests ----


def parse(**members: Any) -> Request:
    """A request with these members, and a model and a message if they are not said."""
    return DIALECT.client.parse_request(dumps({"model": "m", "messages": [USER], **members}))


def render(request: Request, caps: Capabilities = FAITHFUL, model: str = "m") -> tuple[dict[str, Any], list[Loss]]:
    """The body and the losses."""
    rendered = DIALECT.upstream.render_request(request, model, caps)
    return json.loads(rendered.body), list(rendered.losses)


def paths(losses: Iterable[Loss], severity: str | None = None) -> list[str]:
    """Where something was lost."""
    return [loss.path for loss in losses if severity in {None, loss.severity}]


# ---- answers ----


def sse(*events: dict[str, Any]) -> bytes:
    """Events as the API frames them."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), dumps(event)) for event in events)


def message_start(**members: Any) -> dict[str, Any]:
    """How a stream begins."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
        **members,
    }
    return {"type": "message_start", "message": message}


def block_start(index: int, **block: Any) -> dict[str, Any]:
    """A block begins."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def text_start(index: int) -> dict[str, Any]:
    """A text block begins."""
    return block_start(index, type="text", text="")


def delta(index: int, kind: str, **members: Any) -> dict[str, Any]:
    """A block grows."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **members}}


def text(index: int, words: str) -> dict[str, Any]:
    """A text block grows."""
    return delta(index, "text_delta", text=words)


def block_stop(index: int) -> dict[str, Any]:
    """A block ends."""
    return {"type": "content_block_stop", "index": index}


def text_block(index: int, words: str) -> tuple[dict[str, Any], ...]:
    """A whole text block."""
    return text_start(index), text(index, words), block_stop(index)


def message_delta(stop_reason: str | None = "end_turn", **usage: int) -> dict[str, Any]:
    """How a stream tells why it ends."""
    members = {"stop_reason": stop_reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": members, "usage": {"output_tokens": 5, **usage}}


MESSAGE_STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def decode(*pieces: bytes, origin: str = "anthropic", names: dict[str, str] | None = None) -> list[Event]:
    """The events of a stream that comes in these pieces; their order has been checked."""
    decoder = DIALECT.upstream.decoder(decoder_setup(origin, names))
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return check(events + decoder.close())


def decode_body(body: Any, origin: str = "anthropic", names: dict[str, str] | None = None) -> list[Event]:
    """The events of a whole answer; their order has been checked."""
    data = body if isinstance(body, bytes) else dumps(body)
    return check(DIALECT.upstream.decode_response(data, decoder_setup(origin, names)))


def check(events: list[Event]) -> list[Event]:
    """The events, which are in legal order and have an end."""
    checker = Checker()
    for event in events:
        checker.check(event)
    assert checker.state == "ended"
    return events


def fold_stream(*events: dict[str, Any]) -> Response:
    """The answer that these events of the wire tell."""
    return fold(decode(sse(*events)))


def failure(events: list[Event]) -> Failure:
    """The failure that the events end with."""
    assert isinstance(events[-1], Failure)
    return events[-1]


def encode(events: Iterable[Event], **setup: Any) -> tuple[list[dict[str, Any]], list[Loss]]:
    """The stream that a client gets, as its events, each under its own name, and the losses."""
    encoder = DIALECT.client.encoder(encoder_setup(**setup))
    return frames(b"".join(encoder.encode(event) for event in events)), encoder.losses


def frames(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, read as strictly as can be."""
    assert stream.endswith(b"\n\n")
    found = []
    for block in stream.removesuffix(b"\n\n").split(b"\n\n"):
        name, data = block.split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        found.append(event)
    return found


def foreign(*events: Event) -> list[Event]:
    """Events of an upstream of the Chat dialect, with their start."""
    return check([Start("openai_chat", "chatcmpl-1", "gpt"), *events])
