"""Breaks streams and bodies at random and looks whether anything breaks with them.

`python -m tests.properties.fuzz [seconds] [seed]` runs for longer than a test may; a failure prints what to repeat.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator

from strowger.dialects.framing import Frame, SSEDecoder
from strowger.errors import GatewayError
from strowger.ir.events import Checker, Event, Failure, Finish
from strowger.ir.response import IncompleteError, fold
from tests.conformance.lanes import (
    DIALECTS,
    at_random,
    decoder_setup,
    encoder_setup,
    passed,
    restreamed,
    translated,
    translated_whole,
)
from tests.conformance.recordings import OTHER

ANTHROPIC_SEED = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking",'
    b'"thinking":""}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":'
    b'"thinking_delta","thinking":"hm \xc3\xa9"}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta",'
    b'"index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}\n\nevent: content_block_stop\n'
    b'data: {"type":"content_block_stop","index":0}\n\nevent: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use",'
    b'"id":"toolu_1","name":"f","input":{}}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta",'
    b'"index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}}\n\nevent: content_block_stop\n'
    b'data: {"type":"content_block_stop","index":1}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":'
    b'{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CHAT_SEED = (
    b': keep-alive\n\ndata: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":'
    b'"<thi"}}]}\n\ndata: {"id":"c","choices":[{"index":0,"delta":{"content":"nk>so</think>Hi \xf0\x9f\x92\xa1"}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"reasoning":"more","reasoning_details":[{"type":'
    b'"reasoning.text","text":"more","index":0}]}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":'
    b'{"name":"f","arguments":"{\\"x\\":"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"[1]}"}}]},'
    b'"finish_reason":null}]}\r\n\r\ndata: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}'
    b'\n\ndata: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}\n\n'
    b"data: [DONE]\n\n"
)
SEEDS = {
    "anthropic": (
        ANTHROPIC_SEED,
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"},{"type":'
        b'"tool_use","id":"t","name":"f","input":{"a":[1,null]}}],"stop_reason":"tool_use","stop_sequence":null,"usage":'
        b'{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3}}',
    ),
    "openai_chat": (
        CHAT_SEED,
        b'data: {"error":{"message":"no","code":429}}\n\n',
        b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
        b'"content":"Hi","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f",'
        b'"arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    ),
}
_SCRAPS = (
    b"\n", b"\n\n", b"\r", b"\r\n\r\n", b"data: ", b"data:", b"event: x\n", b": c\n", b"[DONE]", b"data: [DONE]\n\n",
    b"{", b"}", b"[", b"]", b'"', b"\\", b"\\ud83d", b"\\u0000", b"null", b"true", b"-1", b"1e999", b"9" * 20,
    b'""', b"{}", b"[]", b"\xff", b"\xc3", b"\xf0\x9f", b"\xef\xbb\xbf", b"\x00", b'"index":7', b'"type":"text_delta"',
    b'"choices":null', b'"content":[{}]', b'"delta":[]', b'"usage":{"prompt_tokens":"x"}', b'"finish_reason":""',
    b'"error":{}', b"<think>", b"</think>",
)  # fmt: skip


def mutated(chance: random.Random, data: bytes, others: tuple[bytes, ...]) -> bytes:
    """The data after a few random changes: bytes flipped, runs cut, doubled, moved in from elsewhere, scraps put in."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(out) + 1)
        size = chance.choice((1, 2, 5, 20, 100))
        match chance.randrange(7):
            case 0 if at < len(out):
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size]
            case 3:
                out[at:at] = chance.choice(_SCRAPS)
            case 4:
                out[at : at + size] = chance.choice(_SCRAPS)
            case 5:
                other = chance.choice(others)
                begin = chance.randrange(len(other))
                out[at:at] = other[begin : begin + size]
            case _:
                del out[at:]
    return bytes(out)


def judge(dialect: str, data: bytes, seed: str) -> None:
    """Everything that an upstream's bytes come by. Raises whatever breaks, or AssertionError for a broken law."""
    pieces = at_random(data, seed, longest=40)
    frames = _framed([data])
    assert _framed(pieces) == frames, "other frames"
    events = _decoded(dialect, [data])
    assert _decoded(dialect, pieces) == events, "other events"
    _written(dialect, events)
    if data.lstrip()[:1] in (b"{", b"["):
        told = DIALECTS[dialect].upstream.decode_response(data, decoder_setup())
        _lawful(told)
        _written(dialect, told)
    passed(dialect, pieces)
    translated(dialect, pieces)
    for whole in (translated_whole, restreamed):
        try:
            whole(dialect, data)
        except GatewayError:
            continue
    DIALECTS[dialect].upstream.parse_error(500, {}, data)
    refused = DIALECTS[dialect].upstream.parse_error(400, {"retry-after": data[:20].decode("latin-1")}, data)
    DIALECTS[OTHER[dialect]].client.render_error(refused)


def _framed(pieces: list[bytes]) -> list[Frame]:
    decoder = SSEDecoder()
    return [frame for piece in pieces for frame in decoder.feed(piece)] + decoder.close()


def _decoded(dialect: str, pieces: list[bytes]) -> list[Event]:
    decoder = DIALECTS[dialect].upstream.decoder(decoder_setup())
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
    _lawful(events)
    return events


def _lawful(events: list[Event]) -> None:
    checker = Checker()
    for event in events:
        checker.check(event)
    assert isinstance(events[-1], Finish | Failure), "no end"


def _written(dialect: str, events: list[Event]) -> None:
    """Whatever was decoded can be told to a client of either dialect."""
    for client in (dialect, OTHER[dialect]):
        encoder = DIALECTS[client].client.encoder(encoder_setup())
        for event in events:
            encoder.encode(event)
        try:
            response = fold(events)
        except IncompleteError:
            continue
        DIALECTS[client].client.render_response(response, encoder_setup())


def inputs(seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Endless broken inputs: dialect, a name to cut by, bytes. A pure function of the seed."""
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        dialect = chance.choice(("anthropic", "openai_chat"))
        seeds = SEEDS[chance.choice((dialect, dialect, dialect, OTHER[dialect]))]
        yield dialect, f"{seed}-{number}", mutated(chance, chance.choice(seeds), seeds)


def fuzz(seed: int, goes_on: Callable[[int], bool]) -> int:
    """Judge inputs while it goes on; gives their number. A failure names its input."""
    for number, (dialect, name, data) in enumerate(inputs(seed)):
        if not goes_on(number):
            return number
        try:
            judge(dialect, data, name)
        except Exception as error:
            error.add_note(f"{dialect} {name}: {data!r}")
            raise
    raise AssertionError("inputs do not end")


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    first = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    until = time.monotonic() + seconds
    print(f"seed {first}: {fuzz(first, lambda _: time.monotonic() < until)} inputs held")
