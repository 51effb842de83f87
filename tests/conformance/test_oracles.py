"""The plain readings, which judge everything else, agree with the official SDKs wherever those read a recording."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.conformance import sdks, sse
from tests.conformance.conservation import differences
from tests.conformance.crossing import several
from tests.conformance.naive import STREAM, WHOLE
from tests.conformance.reading import Reading, parsed
from tests.conformance.recordings import Answered, Shape, answers
from tests.conformance.shapes import Taken, shape
from tests.shared import needs_shared

# Their accumulators take longer for each chunk the more there are.
LONGEST = 12_000
# What its own SDK is strict about, servers of Responses mostly leave out.
STRICT = {"anthropic": True, "openai_chat": True, "openai_responses": False, "gemini": True}


def readings(dialect: str, shape: Shape) -> tuple[int, list[str]]:
    """How many answers the SDK of their own dialect reads, and where it reads something else than we do."""
    read, wrong = 0, []
    for case in answers(dialect, shape).cases:
        if len(case.body) > LONGEST or several(dialect, case.body) or _in_pieces(dialect, case.body):
            continue
        if dialect == "openai_responses" and shape == "stream" and _contradicts(case.body):
            continue
        plain, by_sdk = _both(dialect, shape, case)
        if plain.ending != "whole":
            continue
        try:
            other = by_sdk()
        except Exception:  # noqa: BLE001 - what an SDK cannot read of its own dialect is no oracle
            continue
        if plain.pieces and not other.pieces and dialect == "openai_responses":
            continue  # the SDK knows the last event only, and some servers say nothing in it
        read += 1
        ordered = dialect != "openai_chat" and (dialect, shape) != ("anthropic", "body")
        found = differences(plain, other, ordered=ordered, by_sdk=True)
        found["tool calls"] = [] if _called(plain) == _called(other) else [f"{plain.calls} became {other.calls}"]
        if dialect == "openai_chat":
            found["thinking"] = []  # OpenAI's SDK knows no thinking: it stands aside, or in the text between tags
            found["text"] = [] if "<think>" in other.text else found["text"]
        found["stop reason"] = [] if plain.stop == other.stop else [f"{plain.stop} became {other.stop}"]
        wrong += [f"{case.name}: {column}: {line}" for column, lines in found.items() for line in lines]
    return read, wrong


def _called(reading: Reading) -> list[tuple[str, str, object]]:
    """The calls; OpenAI's SDK glues ids and names together that a server repeats in each delta."""
    return [(_once(call.id), _once(call.name), parsed(call.arguments)) for call in reading.calls]


def _in_pieces(dialect: str, body: bytes) -> bool:
    """Google's SDK gives arguments that come in pieces as they come; nobody puts them together."""
    return dialect == "gemini" and (b'"partialArgs"' in body or b'"willContinue"' in body)


def _contradicts(body: bytes) -> bool:
    """Whether a stream ends its texts with other words than it told them in; its SDK believes the end, we the words."""
    events = sse.documents(body)
    told = "".join(event["delta"] for event in events if event.get("type") == "response.output_text.delta")
    ended = "".join(event["text"] for event in events if event.get("type") == "response.output_text.done")
    return bool(ended) and told != ended


def _once(word: str) -> str:
    half = word[: len(word) // 2]
    return half if half * 2 == word else word


def _both(dialect: str, shape: Shape, case: Answered) -> tuple[Reading, Callable[[], Reading]]:
    if shape == "stream":
        return STREAM[dialect](case.body), lambda: sdks.read_stream(dialect, case.body, strict=STRICT[dialect])
    return WHOLE[dialect](json.loads(case.body)), lambda: sdks.read_whole(dialect, case.body, strict=STRICT[dialect])


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "dialect, shape, least",
    [
        ("anthropic", "stream", 190),
        ("anthropic", "body", 350),
        ("openai_chat", "stream", 250),
        ("openai_chat", "body", 900),
        ("openai_responses", "stream", 120),
        ("openai_responses", "body", 500),
        ("gemini", "stream", 240),
        ("gemini", "body", 500),
    ],
)
def test_plain_readings(dialect: str, shape: Shape, least: int) -> None:
    """A plain reading that misread its own dialect would let a codec pass that does too."""
    read, wrong = readings(dialect, shape)
    assert wrong == []
    assert read >= least


def test_shapes() -> None:
    """Answers have one shape if they differ in their texts, numbers and how many pieces a text has, in nothing else."""
    words = [
        b'event: delta\ndata: {"type":"text","index":%d,"text":"%b"}' % (n, w) for n, w in enumerate((b"a", b"b c"))
    ]
    end = b'data: {"type":"end","stop_reason":"stop"}\n\n'
    one, more = b"\n\n".join([words[0], end]), b"\n\n".join([*words, *words, end])
    assert shape(one) == shape(more)
    others = (
        one.replace(b'"a"', b'""'),
        one.replace(b'"a"', b"1"),
        one.replace(b'"a"', b"null"),
        one.replace(b'"a"', '"\u2028"'.encode()),
        one.replace(b'"a"', rb'"\udc00"'),
        one.replace(b'"a"', b'"\x7f"'),
        one.replace(b'"stop"', b'"length"'),
        one.replace(b'"type"', b'"kind"'),
        one.replace(b'0,"text"', b'0.5,"text"'),
        one.replace(b"event: delta", b"event: start"),
        b"\n\n".join([words[0], end, words[1], end]),
        b"\n\n".join([end, words[0]]),
        one[:-2],
    )
    assert len({shape(one), *map(shape, others)}) == 1 + len(others)


def test_shapes_that_were_taken() -> None:
    """An answer that was not taken is shown again, and so is each where everything is to be read."""
    taken = Taken()
    assert b'{"text":"a"}' not in taken
    taken.add(b'{"text":"a"}')
    assert (b'{"text":"b"}' in taken) is not Taken.every
    assert b'{"text":1}' not in taken
