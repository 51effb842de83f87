"""Short ways to say what goes over a Chat Completions wire, for tests that read like transcripts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from strowger.dialects.base import Capabilities, DecoderSetup, EncoderSetup, Loss
from strowger.dialects.openai_chat import DIALECT, FAITHFUL
from strowger.ir.events import Checker, Event
from strowger.ir.request import Request, Text, Thinking, ToolCall
from strowger.ir.response import Response, fold

Json = dict[str, Any]


def ids() -> Callable[[str], str]:
    """Ids that count: `call_0`, `call_1`, …"""
    numbers = itertools.count()
    return lambda prefix: f"{prefix}{next(numbers)}"


def setup(origin: str = "", **names: str) -> DecoderSetup:
    """What a decoder is told; `names` maps what was sent to what the client said."""
    return DecoderSetup(origin=origin, new_id=ids(), names=names)


def client(**wishes: Any) -> EncoderSetup:
    """What an encoder is told."""
    return EncoderSetup(**{"model": "asked", "new_id": ids(), "created": 7, **wishes})


# ---- streams ----


def chunk(delta: Json | None = None, finish: str | None = None, **members: Any) -> bytes:
    """One chunk as an upstream sends it."""
    choice: Json = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return data({"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [choice], **members})


def data(value: object) -> bytes:
    """Any JSON as an event."""
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def say(text: str) -> bytes:
    """A piece of text."""
    return chunk({"content": text})


def call(index: int | None, arguments: object = None, **members: Any) -> bytes:
    """A piece of a tool call; `name` goes into its function."""
    function = {
        key: value
        for key, value in (("name", members.pop("name", None)), ("arguments", arguments))
        if value is not None
    }
    piece: Json = {**members, "function": function}
    if index is not None:
        piece["index"] = index
    return chunk({"tool_calls": [piece]})


DONE = b"data: [DONE]\n\n"


def events(*wire: bytes, origin: str = "", **names: str) -> list[Event]:
    """What a decoder makes of the chunks, checked for their order."""
    decoder = DIALECT.upstream.decoder(setup(origin, **names))
    checker = Checker()
    told = [event for piece in wire for event in decoder.feed(piece)] + decoder.close()
    for event in told:
        checker.check(event)
    assert checker.state == "ended"
    return told


def answer(*wire: bytes, origin: str = "", **names: str) -> Response:
    """The folded answer of a stream."""
    return fold(events(*wire, origin=origin, **names))


def encoded(told: list[Event], **wishes: Any) -> tuple[list[Json], list[Loss]]:
    """What a client of this dialect gets: the JSON of every chunk, with `[DONE]` as an empty object; and the losses."""
    encoder = DIALECT.client.encoder(client(**wishes))
    wire = b"".join(encoder.encode(event) for event in told)
    blocks = [block.removeprefix(b"data: ") for block in wire.split(b"\n\n") if block]
    return [{} if block == b"[DONE]" else json.loads(block) for block in blocks], encoder.losses


# ---- what an answer says ----


def text(response: Response) -> str:
    return "".join(part.text for part in response.parts if isinstance(part, Text))


def thinking(response: Response) -> str:
    return "".join(part.text for part in response.parts if isinstance(part, Thinking))


def calls(response: Response) -> list[tuple[str, str, str]]:
    return [(part.id, part.name, part.arguments) for part in response.parts if isinstance(part, ToolCall)]


# ---- requests ----


def parsed(**members: Any) -> Request:
    """A request body, parsed."""
    return DIALECT.client.parse_request(json.dumps({"model": "m", "messages": [], **members}).encode())


def rendered(request: Request, caps: Capabilities = FAITHFUL) -> Json:
    """A request as it goes to an upstream."""
    body: Json = json.loads(DIALECT.upstream.render_request(request, request.model or "m", caps).body)
    return body


def losses(request: Request, caps: Capabilities = FAITHFUL) -> dict[str, str]:
    """Path and severity of everything that is lost."""
    return {loss.path: loss.severity for loss in DIALECT.upstream.render_request(request, "m", caps).losses}


def same(**members: Any) -> bool:
    """Whether a body comes back from parse and render as it was."""
    body = {"model": "m", "messages": [], **members}
    return rendered(parsed(**members)) == body and not losses(parsed(**members))
