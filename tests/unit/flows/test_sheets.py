"""What is written of the messages of a call, and how little of it."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.flows import sheets
from strowger.flows.sheets import Body, Leaf, Sample
from strowger.flows.tape import Headers, Message

HEADERS = tuple((f"x-header-{number}", f"value {number * 7919}") for number in range(30))


def changed(places: int) -> Headers:
    """Headers of which so many are others."""
    return tuple((name, f"{value}0" if place < places else value) for place, (name, value) in enumerate(HEADERS))


def said(
    pieces: list[bytes] | None = None, moments: list[float] | None = None, headers: Headers = HEADERS, line: str = "200"
) -> Message:
    """An answer from upstream."""
    pieces = [] if pieces is None else pieces
    moments = [0.5] * len(pieces) if moments is None else moments
    return Message("upstream_response", 0, line, headers, pieces, moments, sum(map(len, pieces)))


def leaf_of(message: Message) -> Leaf:
    """With its body on the sheet."""
    return sheets.leaf_of(message, message.body if message.pieces else None)


def there_and_back(leaves: list[Leaf], sample: bytes) -> tuple[list[Leaf], int]:
    """What comes out of the file again, and how much it was there."""
    packed = Sample(1, sample).packed(sheets.encoded(leaves))
    return sheets.unpacked(packed, sample), len(packed)


@pytest.mark.parametrize(
    "headers",
    [changed(0), changed(2), changed(8), changed(30), HEADERS[:-1], (*HEADERS, ("more", "x")), ()],
    ids=["same", "two others", "some others", "all others", "less", "more", "none"],
)
@pytest.mark.parametrize("line", ["POST /v1/messages", "GET /else"])
def test_heads_cost_what_is_new_in_them(headers: Headers, line: str) -> None:
    """Nearly all of a head is what every head of its kind says."""
    sample = sheets.sample_of([leaf_of(said(line="POST /v1/messages"))])
    again, size = there_and_back([leaf_of(said(headers=headers, line=line))], sample)
    assert (again[0].line, again[0].headers) == (line, headers)
    assert size < 350 < len(sample)


def test_nothing_that_was_said_is_in_a_sample() -> None:
    """Samples stay when calls are deleted."""
    sample = sheets.sample_of([leaf_of(said([b"what was said"]))])
    assert b"said" not in sample
    assert b"x-header-3" in sample


@given(st.lists(st.tuples(st.binary(max_size=20), st.floats(0, 1e4)), min_size=1, max_size=40))
def test_moments_come_back(taped: list[tuple[bytes, float]]) -> None:
    """Each piece with the moment when it came, to the tenth of a millisecond."""
    taped.sort(key=lambda each: each[1])
    before = said([piece for piece, _ in taped], [moment for _, moment in taped])
    (again,), _ = there_and_back([leaf_of(before)], b"")
    message = sheets.message_of(again, before.body)
    assert message.pieces == before.pieces
    assert message.moments == pytest.approx(before.moments, abs=0.000051)


def test_moments_of_a_long_answer_are_small() -> None:
    """Three bytes or so for an event of a stream."""
    rng = random.Random(1)
    pieces = [bytes(rng.randrange(90, 130)) for _ in range(1000)]
    before = said(pieces, [number * 0.02 + rng.random() * 0.01 for number in range(1000)])
    _, size = there_and_back([sheets.leaf_of(before, sheets.same_as(0))], b"")
    assert size < 3500


def test_what_was_not_kept_stays_so() -> None:
    """A message of which only the head and the size are known."""
    before = said()
    before.size, before.cut = 700, True
    (again,), _ = there_and_back([leaf_of(before)], b"")
    message = sheets.message_of(again, None)
    assert (message.size, message.cut, message.pieces, message.moments) == (700, True, [], [])


def hide(data: bytes) -> bytes:
    """Takes a secret out."""
    return data.replace(b"secret", b"***")


@pytest.mark.parametrize("body", [None, 7, sheets.same_as(0), b"a secret"], ids=["none", "apart", "the same", "here"])
def test_secrets_are_taken_out_everywhere(body: Body) -> None:
    """Of the first line, of names and values of headers, of a body that is on the sheet."""
    message = said([b"a ", b"secret"], [0.1, 0.2], (("the-secret", "is a secret"),), "GET /secret")
    hidden = sheets.without_secrets(sheets.leaf_of(message, body), message, [hide])
    assert (hidden.line, hidden.headers) == ("GET /***", (("the-***", "is a ***"),))
    assert hidden.body == (b"a ***" if isinstance(body, bytes) else body)
    assert (hidden.lengths, hidden.ticks) == ([2, 3], [1000, 1000])


def test_a_secret_in_two_pieces() -> None:
    """It is taken out, and the pieces are not known any more."""
    message = said([b"a sec", b"ret"], [0.1, 0.2])
    hidden = sheets.without_secrets(leaf_of(message), message, [hide])
    assert sheets.message_of(hidden, b"a ***").pieces == [b"a ***"]
    assert (hidden.body, hidden.ticks) == (b"a ***", [1000])


def test_half_a_character() -> None:
    """No file can hold it: a question mark stands there."""
    leaf = leaf_of(said(headers=(("x", "a\udcff"),), line="GET /\ud800"))
    with pytest.raises(UnicodeEncodeError):
        sheets.encoded([leaf])
    plain = sheets.readable(leaf)
    assert (plain.line, plain.headers) == ("GET /?", (("x", "a?"),))


@pytest.mark.parametrize("content", [b"", b"nothing", bytes(40)])
def test_broken_sheets_are_told(content: bytes) -> None:
    """Whatever stands in the file, nothing but ValueError is raised."""
    with pytest.raises(ValueError, match="broken"):
        sheets.unpacked(content, b"")


def test_leaves_that_make_no_sense_are_told() -> None:
    """Packed well, and not by us."""
    packed = Sample(1, b"").packed(msgspec.msgpack.encode([{"kind": 1}]))
    with pytest.raises(ValueError, match="broken"):
        sheets.unpacked(packed, b"")
    leaf = leaf_of(said())
    leaf.kind = 9
    with pytest.raises(ValueError, match="broken"):
        sheets.message_of(leaf, None)
