"""Laws that hold for all dialects: whatever may be said is written, and what was written is read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.ir.events import Checker, Event, Failure, Finish
from strowger.ir.response import Response, fold, unfold
from tests.conformance.conservation import MEANINGS, differences, folded
from tests.conformance.lanes import DIALECTS, decoder_setup, encoder_setup
from tests.conformance.recordings import SPOKEN
from tests.properties.cuts import cut, cuts
from tests.properties.strategies import ARGUMENTS, WORDS, event_streams, responses

UNTOLD = {"gemini": ("OTHER",)}
"""Words of a dialect for a reason that it has no word for."""

EACH = pytest.mark.parametrize("dialect", sorted(DIALECTS))
ORIGINS = st.sampled_from([*SPOKEN, "somewhere"])


def encoded(dialect: str, events: list[Event]) -> bytes:
    """Events as a client's stream."""
    encoder = DIALECTS[dialect].client.encoder(encoder_setup())
    return b"".join(encoder.encode(event) for event in events)


def decoded(dialect: str, pieces: list[bytes]) -> list[Event]:
    """A stream's events, each checked to be legal; the end has come."""
    decoder = DIALECTS[dialect].upstream.decoder(decoder_setup())
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()
    checker = Checker()
    for event in events:
        checker.check(event)
    assert checker.state == "ended"
    return events


@EACH
@given(data=st.data())
def test_every_legal_stream_is_written(dialect: str, data: st.DataObject) -> None:
    """An encoder takes any walk through the table, of any origin; a reader of its dialect finds the same end."""
    events = data.draw(event_streams(data.draw(ORIGINS)))
    read = decoded(dialect, [encoded(dialect, events)])
    assert isinstance(read[-1], Failure if isinstance(events[-1], Failure) else Finish)


@EACH
@given(data=st.data(), places=cuts())
def test_what_is_written_is_read(dialect: str, data: st.DataObject, places: list[int]) -> None:
    """Text, thinking, calls in their order and counts come through a stream of any dialect, however it is cut."""
    response = data.draw(responses())
    sent = list(unfold(response))
    heard = folded(decoded(dialect, cut(encoded(dialect, sent), places)))
    found = differences(folded(sent), heard, ordered=True, through=[dialect])
    assert {column: lines for column, lines in found.items() if lines} == {}


@EACH
@given(response=responses())
def test_whole_answers_say_what_streams_say(dialect: str, response: Response) -> None:
    """A body and a stream of one answer mean the same, down to the reason why it ended."""
    body, _ = DIALECTS[dialect].client.render_response(response, encoder_setup())
    of_body = fold(DIALECTS[dialect].upstream.decode_response(body, decoder_setup()))
    of_stream = fold(decoded(dialect, [encoded(dialect, list(unfold(response)))]))
    found = differences(folded(unfold(of_stream)), folded(unfold(of_body)), ordered=False)
    assert {column: lines for column, lines in found.items() if lines} == {}
    assert of_body.finish.reason == of_stream.finish.reason
    assert of_body.finish.native in {*MEANINGS[dialect], *UNTOLD.get(dialect, ())}


@EACH
@given(response=responses(), other=st.sampled_from(SPOKEN), there=cuts(), back=cuts())
def test_there_and_back(dialect: str, response: Response, other: str, there: list[int], back: list[int]) -> None:
    """An answer survives a gateway behind a gateway: written in one dialect, read, written in another, read."""
    sent = list(unfold(response))
    once = decoded(dialect, cut(encoded(dialect, sent), there))
    twice = decoded(other, cut(encoded(other, once), back))
    found = differences(folded(sent), folded(twice), ordered=True, through=[dialect, other])
    assert {column: lines for column, lines in found.items() if lines} == {}


@given(st.data(), cuts())
def test_parallel_calls_are_put_in_order(data: st.DataObject, places: list[int]) -> None:
    """Calls whose pieces come mixed are told one after another, each whole, in the order in which they began."""
    number = data.draw(st.integers(1, 4))
    calls = [(f"call_{i}", data.draw(WORDS), data.draw(ARGUMENTS)) for i in range(number)]
    rest = {i: _pieces(data, arguments) for i, (_, _, arguments) in enumerate(calls)}
    chunks: list[Any] = []
    begun: list[int] = []
    while rest:
        index = data.draw(st.sampled_from(sorted(rest)))
        call: dict[str, Any] = {"index": index, "function": {"arguments": ""}}
        if index not in begun:
            begun.append(index)
            call |= {"id": calls[index][0], "type": "function"}
            call["function"]["name"] = calls[index][1]
        elif rest[index]:
            call["function"]["arguments"] = rest[index].pop(0)
        if not rest[index]:
            del rest[index]
        chunks.append({"tool_calls": [call]})
    stream = b"".join(_chunk(delta) for delta in chunks) + _chunk({}, "tool_calls") + b"data: [DONE]\n\n"
    read = folded(decoded("openai_chat", cut(stream, places)))
    assert [(call.id, call.name, call.arguments) for call in read.calls] == [calls[index] for index in begun]


def _pieces(data: st.DataObject, arguments: str) -> list[str]:
    size = data.draw(st.integers(1, 9))
    return [arguments[i : i + size] for i in range(0, len(arguments), size)]


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"
