"""What is written of the messages of a call: heads, moments and short bodies on one sheet, packed in one go.

Nearly all of a sheet is what every sheet of its kind says, so it is packed against a sample: the heads, without any
body, of the first of its kind. Long bodies are kept apart and a sheet has their numbers. Must not know the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strowger.flows.pretty import is_stream
from strowger.flows.sharing import cut_by_lines, without_spelled
from strowger.flows.tape import Headers, Kind, Masked, Message, masked
from strowger.zstandard import zstd

KINDS: tuple[Kind, ...] = ("client_request", "forwarded", "upstream_response", "client_response")
"""Of messages, as they are numbered in the file."""

Body = int | bytes | None
"""A body that is on the sheet; the number of one that is kept apart; `same_as` an earlier message on the sheet."""

_NUMBER_OF = {kind: number for number, kind in enumerate(KINDS)}
_LEVEL = 1
# Moments are kept in so many parts of a second.
_TICKS = 10_000


class Leaf(Struct, array_like=True, gc=False):
    """A message on a sheet. `lengths` of its pieces are there if it came in several, `ticks` are the moments when they
    came, each counted from the one before.
    """

    kind: int
    number: int
    line: str
    headers: Headers
    size: int
    cut: bool
    body: Body
    lengths: list[int]
    ticks: list[int]


_encode = msgspec.msgpack.Encoder().encode
_LEAVES = msgspec.msgpack.Decoder(list[Leaf])


def same_as(place: int) -> int:
    """Stands for the body of the message in that place on the sheet."""
    return -1 - place


def leaf_of(message: Message, body: Body) -> Leaf:
    """A message, with what is to be written of its body."""
    lengths = message.lengths
    moments = [int(moment * _TICKS + 0.5) for moment in message.times]
    ticks = list(map(sub, moments, [0, *moments[:-1]]))
    return Leaf(
        _NUMBER_OF[message.kind], message.number, message.line, message.headers, message.size, message.cut, body,
        lengths if len(lengths) > 1 else [], ticks,
    )  # fmt: skip


def in_one_piece(each: Leaf) -> Leaf:
    """A message of which the body was changed, so that its pieces are not known any more."""
    return replace(each, lengths=[], ticks=each.ticks[:1])


def without_secrets(each: Leaf, message: Message, masks: Iterable[Masked]) -> Leaf:
    """A message without what any mask takes out of its head and of a body that is on the sheet; a stream's events may
    spell it together.
    """
    hidden = replace(
        each,
        line=_masked_text(masks, each.line),
        headers=tuple((_masked_text(masks, name), _masked_text(masks, value)) for name, value in each.headers),
    )
    body = masked(masks, message.body)
    if is_spelled := is_stream(body):
        body = without_spelled(body, lambda text: _masked_text(masks, text))
    if isinstance(each.body, bytes):
        hidden.body = body
    if not each.lengths:
        return hidden
    pieces = [masked(masks, piece) for piece in message.pieces]
    if b"".join(pieces) != body:  # a secret came in two pieces
        if not is_spelled:
            return in_one_piece(hidden)
        pieces = cut_by_lines(body, message.pieces)
    hidden.lengths = list(map(len, pieces))
    return hidden


def readable(each: Leaf) -> Leaf:
    """A message with a question mark for what is half of a character in its head: no file can hold that."""
    head = (each.line, *(text for header in each.headers for text in header))
    line, *texts = (text.encode("utf-8", "replace").decode() for text in head)
    return replace(each, line=line, headers=tuple(zip(texts[::2], texts[1::2], strict=True)))


def _masked_text(masks: Iterable[Masked], text: str) -> str:
    return masked(masks, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def encoded(leaves: Sequence[Leaf]) -> bytes:
    """A sheet before it is packed. Raises UnicodeEncodeError for half of a character."""
    return _encode(leaves)


def sample_of(leaves: Iterable[Leaf]) -> bytes:
    """What sheets like this one have in common, and nothing that was said."""
    return _encode([replace(each, body=None, lengths=[], ticks=[]) for each in leaves])


class Sample:
    """The heads of an earlier call, with their `id` in the file, against which others are packed."""

    def __init__(self, number: int, content: bytes) -> None:
        """`content` is what `sample_of` gave, without anything secret in it."""
        self.id = number
        self._packer = zstd.ZstdCompressor(_LEVEL, zstd_dict=_dictionary(content))

    def packed(self, sheet: bytes) -> bytes:
        """A sheet, made small."""
        return self._packer.compress(sheet, zstd.ZstdCompressor.FLUSH_FRAME)


def _dictionary(sample: bytes) -> tuple[zstd.ZstdDict, int]:
    return zstd.ZstdDict(sample.ljust(8), is_raw=True).as_digested_dict  # no shorter ones are taken


def unpacked(content: bytes, sample: bytes) -> list[Leaf]:
    """The messages on a sheet again. Raises ValueError for what was never packed here."""
    try:
        return _LEAVES.decode(zstd.decompress(content, zstd_dict=_dictionary(sample)))
    except (zstd.ZstdError, msgspec.DecodeError) as error:
        raise ValueError(f"a sheet is broken: {error}") from error


def message_of(each: Leaf, body: bytes | None) -> Message:
    """A message again, with the body that it has. Raises ValueError."""
    if not 0 <= each.kind < len(KINDS):
        raise ValueError("a sheet is broken: there is no such kind of message")
    made = Message(KINDS[each.kind], each.number, each.line, each.headers, size=each.size, cut=each.cut)
    if body is not None:
        made.pieces = _pieces(body, each.lengths)
        made.moments = [round(tick / _TICKS, 4) for tick in accumulate(each.ticks)]
    return made


def _pieces(body: bytes, lengths: list[int]) -> list[bytes]:
    if not lengths:
        return [body]
    ends = list(accumulate(lengths))
    return [body[end - length : end] for end, length in zip(ends, lengths, strict=True)]
