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
from tests.conformance.naive import STREAM
from tests.conformance.recordings import SPOKEN
from tests.properties.seeds import SEEDS

_SCRAPS = (
    b"\n", b"\n\n", b"\r", b"\r\n\r\n", b"data: ", b"data:", b"event: x\n", b": c\n", b"[DONE]", b"data: [DONE]\n\n",
    b"{", b"}", b"[", b"]", b'"', b"\\", b"\\ud83d", b"\\u0000", b"null", b"true", b"-1", b"1e999", b"9" * 20,
    b'""', b"{}", b"[]", b"\xff", b"\xc3", b"\xf0\x9f", b"\xef\xbb\xbf", b"\x00", b'"index":7', b'"type":"text_delta"',
    b'"choices":null', b'"content":[{}]', b'"delta":[]', b'"usage":{"prompt_tokens":"x"}', b'"finish_reason":""',
    b'"error":{}', b"<think>", b"</think>", b'"output_index":9', b'"item":null', b'"response":{}', b'"parts":[null]',
    b'"candidates":[{}]', b'"functionCall":{}', b'"args":[1]', b'"jsonPath":"$.[["', b'"finishReason":7', b',\n',
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
    client = random.Random(seed).choice([other for other in SPOKEN if other != dialect])
    heard = translated(dialect, pieces, client).body
    assert not heard or STREAM[client](heard).ending != "cut", f"no end in {client}"
    for whole in (translated_whole, restreamed):
        try:
            whole(dialect, data, client)
        except GatewayError:
            continue
    DIALECTS[dialect].upstream.parse_error(500, {}, data)
    refused = DIALECTS[dialect].upstream.parse_error(400, {"retry-after": data[:20].decode("latin-1")}, data)
    DIALECTS[client].client.render_error(refused)


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
    """Whatever was decoded can be told to a client of any dialect."""
    for client in SPOKEN:
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
        dialect = chance.choice(SPOKEN)
        seeds = SEEDS[chance.choice((dialect, dialect, dialect, *SEEDS))]
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
