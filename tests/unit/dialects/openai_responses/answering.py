"""Short ways to write down what an upstream of the Responses API says and what must become of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from strowger.dialects.base import DecoderSetup, EncoderSetup, Loss, NewId
from strowger.dialects.openai_responses.encode import StreamEncoder, render_response
from strowger.dialects.openai_responses.response import decode_response
from strowger.dialects.openai_responses.stream import StreamDecoder
from strowger.ir.events import Checker, Event, Failure, Finish, Start, StopReason, UsageUpdate
from strowger.ir.request import Part, Request
from strowger.ir.response import Response, fold, unfold_part

Json = dict[str, Any]


def new_id() -> NewId:
    """Ids that count from one."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def decoder_setup(origin: str = "openai", names: dict[str, str] | None = None) -> DecoderSetup:
    """What a decoder is told."""
    return DecoderSetup(origin, new_id(), names or {})


def encoder_setup(**members: Any) -> EncoderSetup:
    """What an encoder is told."""
    return EncoderSetup(**{"model": "asked-for", "new_id": new_id(), "created": 99, "input_estimate": 7, **members})


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# ---- what upstreams say ----


def sse(*events: Json) -> bytes:
    """Events as the API frames them, numbered."""
    numbered = [{**event, "sequence_number": i} for i, event in enumerate(events)]
    return b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), dumps(event)) for event in numbered)


def response(status: str = "completed", **members: Any) -> Json:
    """A response object."""
    head = {"id": "resp_1", "object": "response", "created_at": 5, "model": "gpt", "status": status}
    return {**head, "output": [], "usage": None, "error": None, "incomplete_details": None, **members}


CREATED = {"type": "response.created", "response": response("in_progress")}
IN_PROGRESS = {"type": "response.in_progress", "response": response("in_progress")}
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}


def completed(*output: Json, kind: str = "completed", **members: Any) -> Json:
    """The last event."""
    return {"type": f"response.{kind}", "response": response(kind, output=list(output), **members)}


def added(index: int, **item: Any) -> Json:
    """An item begins."""
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, **item: Any) -> Json:
    """An item ends."""
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def grows(kind: str, index: int, delta: str, **members: Any) -> Json:
    """An item grows."""
    return {"type": f"response.{kind}.delta", "item_id": "x", "output_index": index, "delta": delta, **members}


def text(index: int, words: str, place: int = 0) -> Json:
    """A text grows."""
    return grows("output_text", index, words, content_index=place)


def message(*words: str, **members: Any) -> Json:
    """A message item."""
    content = [{"type": "output_text", "text": each, "annotations": []} for each in words]
    return {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": content,
        **members,
    }


def call(**members: Any) -> Json:
    """A function call item."""
    return {
        "type": "function_call",
        "id": "fc_1",
        "status": "completed",
        "call_id": "call_1",
        "name": "ls",
        "arguments": '{"a":1}',
        **members,
    }


def reasoning(*summary: str, **members: Any) -> Json:
    """A reasoning item."""
    parts = [{"type": "summary_text", "text": each} for each in summary]
    return {"type": "reasoning", "id": "rs_1", "summary": parts, "encrypted_content": "blob", **members}


# ---- what becomes of it ----


def decode(*chunks: bytes, setup: DecoderSetup | None = None) -> list[Event]:
    """The events of a stream, whose order is checked."""
    decoder = StreamDecoder(setup or decoder_setup())
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    events += decoder.close()
    checker = Checker()
    for event in events:
        checker.check(event)
    assert checker.state == "ended"
    return events


def told(*events: Json, setup: DecoderSetup | None = None) -> Response:
    """What a stream folds into."""
    return fold(decode(sse(*events), setup=setup))


def whole(*output: Json, setup: DecoderSetup | None = None, **members: Any) -> Response:
    """What a body folds into."""
    return fold(decode_response(dumps(response(output=list(output), **members)), setup or decoder_setup()))


def failure(*events: Json) -> Failure:
    """The failure that a stream ends in."""
    last = decode(sse(*events))[-1]
    assert isinstance(last, Failure)
    return last


# ---- what clients read ----


def answer(*parts: Part, reason: StopReason = StopReason.END, origin: str = "anthropic", **usage: Any) -> list[Event]:
    """An answer of another dialect."""
    events: list[Event] = [Start(origin, "msg_9", "claude")]
    for index, part in enumerate(parts):
        events += unfold_part(index, part)
    events += [UsageUpdate(**usage)] if usage else []
    return [*events, Finish(reason, "native")]


def encode(events: Iterable[Event], **setup: Any) -> tuple[list[Json], list[Loss]]:
    """The events of a client's stream, whose framing and numbers are checked; and the losses."""
    encoder = StreamEncoder(encoder_setup(**setup))
    return read(b"".join([encoder.encode(event) for event in events])), encoder.losses


def read(stream: bytes) -> list[Json]:
    """The events of a stream."""
    found = []
    for number, block in enumerate(stream.decode().split("\n\n")[:-1]):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event.pop("sequence_number") == number
        found.append(event)
    return found


def kinds(events: Iterable[Json]) -> list[str]:
    """The types of events, without what they have in common."""
    return [event["type"].removeprefix("response.") for event in events]


def items(events: Iterable[Event], **setup: Any) -> list[Json]:
    """The items of the last event, which must be those that were told to be done, in order of their indices."""
    stream, _ = encode(events, **setup)
    ended = {event["output_index"]: event["item"] for event in stream if event["type"].endswith("output_item.done")}
    output: list[Json] = stream[-1]["response"]["output"]
    assert output == [ended[index] for index in sorted(ended)]
    return output


def body(events: Iterable[Event], **setup: Any) -> tuple[Json, list[Loss]]:
    """The body for a client that does not stream."""
    rendered, losses = render_response(fold(events), encoder_setup(**setup))
    return json.loads(rendered), losses


def request(**members: Any) -> Request:
    """A request of a client of this dialect, as far as an encoder looks at it."""
    return Request(**{"origin": "openai_responses", "model": "asked-for", **members})
