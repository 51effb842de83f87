"""How bodies and heads are kept small: zstd, against an earlier body of the same conversation where there is one.

Pure. Must not know the tables.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate
from operator import sub

import msgspec

from strowger.flows.tape import Headers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 3
# Moments are kept in units of this many seconds.
_TICK = 0.0001

_HEAD = msgspec.json.Decoder(tuple[str, Headers])
_encode = msgspec.json.Encoder().encode

RAW, ZSTD = 0, 1
"""Forms in which a body is kept."""


def packed(body: bytes) -> tuple[int, bytes]:
    """The form and the content of a body that stands alone."""
    small = zstd.compress(body, _LEVEL)
    return (ZSTD, small) if len(small) < len(body) else (RAW, body)


def unpacked(form: int, content: bytes) -> bytes:
    """The body again. Raises ValueError for what was never packed here."""
    try:
        return zstd.decompress(content) if form == ZSTD else content
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error


def packed_head(line: str, headers: Headers) -> bytes:
    """The first line and the headers of a message."""
    return zstd.compress(_encode((line, headers)), _LEVEL)


def unpacked_head(content: bytes) -> tuple[str, Headers]:
    """The first line and the headers again. Raises ValueError."""
    try:
        return _HEAD.decode(zstd.decompress(content))
    except (zstd.ZstdError, msgspec.DecodeError) as error:
        raise ValueError(str(error)) from error


def packed_moments(pieces: list[bytes], moments: list[float]) -> bytes:
    """How long each piece was and when it came. Moments are kept to the tenth of a millisecond."""
    ticks = [round(moment / _TICK) for moment in moments]
    steps = array("i", map(sub, ticks, [0, *ticks[:-1]]))
    lengths = array("I", map(len, pieces))
    if sys.byteorder == "big":
        steps.byteswap()
        lengths.byteswap()
    data = lengths.tobytes() + steps.tobytes()
    # Bytes of the same weight stand together: most of them are zeros.
    return zstd.compress(data[0::4] + data[1::4] + data[2::4] + data[3::4], _LEVEL)


def unpacked_moments(content: bytes, body: bytes) -> tuple[list[bytes], list[float]]:
    """The pieces of a body and when they came. Raises ValueError."""
    try:
        planes = zstd.decompress(content)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error
    data = bytearray(len(planes))
    width = len(planes) // 4
    for weight in range(4):
        data[weight::4] = planes[weight * width : (weight + 1) * width]
    lengths, steps = array("I", bytes(data[: len(data) // 2])), array("i", bytes(data[len(data) // 2 :]))
    if sys.byteorder == "big":
        steps.byteswap()
        lengths.byteswap()
    ends = list(accumulate(lengths))
    pieces = [body[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    return pieces, [tick * _TICK for tick in accumulate(steps)]
