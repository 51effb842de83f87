"""Short ways to say what Gemini answers, for tests that read like transcripts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from strowger.dialects.base import DecoderSetup, EncoderSetup, Loss, NewId
from strowger.dialects.gemini.encode import StreamEncoder
from strowger.dialects.gemini.response import decode_response
from strowger.dialects.gemini.stream import StreamDecoder
from strowger.ir.events import Checker, Event, Failure, Finish, Start, StopReason
from strowger.ir.request import NO_EXTRAS, Part, ServerToolCall, Signed, Thinking
from strowger.ir.response import Response, fold, unfold_part

Json = dict[str, Any]

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 12}


def ids() -> NewId:
    """Ids that count from one."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def setup(origin: str = "google", names: dict[str, str] | None = None) -> DecoderSetup:
    """What a decoder is told; `names` maps what was sent to what the client said."""
    return DecoderSetup(origin, ids(), names or {})


def client(**wishes: Any) -> EncoderSetup:
    """What an encoder is told."""
    return EncoderSetup(**{"model": "asked-for", "new_id": ids(), **wishes})


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# ---- what an upstream sends ----


def body(*parts: Json, finish: str | int | None = "STOP", beside: Json | None = None, **members: Any) -> Json:
    """An answer with one candidate; `beside` stands in the candidate."""
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **(beside or {})}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-3",
        "responseId": "r1",
        **members,
    }


def text(words: str, **members: Any) -> Json:
    return {"text": words, **members}


def call(name: str = "", args: Json | None = None, **members: Any) -> Json:
    """A part with a function call; members that are not of the call itself begin with `part_`."""
    node: Json = {"name": name} if name else {}
    if args is not None:
        node["args"] = args
    node |= {key: value for key, value in members.items() if not key.startswith("part_")}
    around = {key.removeprefix("part_"): value for key, value in members.items() if key.startswith("part_")}
    return {"functionCall": node, **around}


def chunk(*parts: Json, finish: str | int | None = None, **members: Any) -> Json:
    """One chunk; without a reason it is not the last."""
    return body(*parts, finish=finish, **members)


def sse(*chunks: Json) -> bytes:
    """Chunks as Google frames them."""
    return b"".join(b"data: " + dumps(each) + b"\r\n\r\n" for each in chunks)


def array(*chunks: Json) -> bytes:
    """Chunks as Google frames them unless it is asked for SSE."""
    return b"[" + b"\r\n,\r\n".join(json.dumps(each, indent=2).encode() for each in chunks) + b"\n]"


# ---- what we make of it ----


def events(*wire: bytes, names: dict[str, str] | None = None, origin: str = "google") -> list[Event]:
    """What the decoder makes of a stream, checked for its order."""
    decoder = StreamDecoder(setup(origin, names))
    return checked([event for piece in wire for event in decoder.feed(piece)] + decoder.close())


def whole(value: Any, names: dict[str, str] | None = None) -> list[Event]:
    """What we make of a body."""
    return checked(decode_response(value if isinstance(value, bytes) else dumps(value), setup(names=names)))


def checked(told: list[Event]) -> list[Event]:
    """The events, in legal order and with an end."""
    checker = Checker()
    for event in told:
        checker.check(event)
    assert checker.state == "ended"
    return told


def answer(*chunks: Json, names: dict[str, str] | None = None) -> Response:
    """The folded answer of a stream."""
    return fold(events(sse(*chunks), names=names))


def failed(told: list[Event]) -> Failure:
    """The failure that ends the events."""
    last = told[-1]
    assert isinstance(last, Failure)
    return last


# ---- what a client gets ----


def told(
    *parts: Part, origin: str = "anthropic", finish: Finish | None = None, before: Iterable[Event] = ()
) -> list[Event]:
    """The events of an answer."""
    out: list[Event] = [Start(origin, "id-1", "model-1", 1_700_000_000)]
    for index, part in enumerate(parts):
        out += unfold_part(index, part)
    return checked([*out, *before, finish or Finish(StopReason.END, "end_turn")])


def encoded(told: list[Event], **wishes: Any) -> tuple[list[Json], list[Loss]]:
    """The chunks of an SSE stream, and the losses."""
    encoder = StreamEncoder(client(**wishes))
    wire = b"".join(encoder.encode(event) for event in told)
    blocks = wire.split(b"\r\n\r\n")
    assert blocks.pop() == b""
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks], encoder.losses


def parts_of(chunks: Iterable[Json]) -> list[Json]:
    """The parts of all chunks that hold something."""
    every = [part for each in chunks for candidate in each["candidates"] for part in candidate["content"]["parts"]]
    return [part for part in every if part != {"text": ""}]


def sealed(blob: str = "sig", origin: str = "anthropic", kind: str = "anthropic:signature") -> Signed:
    """State of another dialect."""
    return Signed(origin, kind, blob)


def thought(words: str = "", signed: Signed | None = None) -> Thinking:
    return Thinking(words, signed)


def search(query: str) -> ServerToolCall:
    """A search as other dialects tell it."""
    return ServerToolCall("srvtoolu_1", "web_search", json.dumps({"query": query}), extras=NO_EXTRAS)
