"""How what goes over the wires is kept small: zstd, and for a body that resembles one that is kept, only what differs.

Requests of a conversation repeat what was said before and add to it, in the midst rather than at the end: clients put
tools and settings behind the messages. So a body is a beginning and an end that a base has too, with its own between.
A base may itself stand on another, up to `DEEPEST`. Must not know the tables.
"""

from __future__ import annotations

import struct
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from strowger.flows.tape import Masked
from strowger.zstandard import zstd

RAW, ZSTD, DELTA, WITHIN, SPLICE = 0, 1, 2, 3, 4
"""Forms of a body: as it is; packed; the lengths of what it shares with its base, then what is between, packed alone,
packed against what is between in the base, or as it is.
"""

DEEPEST = 64
"""Earlier bodies under a body: one is read with all that it stands on."""

_LEVEL = 3
_SHARED = struct.Struct("<II")
# A body that stands on one that is not much like it must be smaller by this factor.
_CLEARLY = 2
_PLAINLY = 16
# What shares all but this part of itself with a base need not be compared with another.
_NEARLY = 50
# What is smaller is not packed: to hand the interpreter over to other threads and back costs more than it saves.
_LITTLE = 200
# From this size on what is between is looked for in what was between.
_MUCH = 1024
# How many bodies of one conversation, or of one kind where there is no conversation, may be stood upon.
_BASES = 3


class Base(Struct, gc=False):
    """A body that others may stand on: its `id` in the file, and on how many of earlier calls it stands itself. What
    `masks` take out is not in it.
    """

    id: int
    body: bytes
    depth: int
    masks: frozenset[Masked]


class Bases:
    """Bodies that the next ones may stand on, by conversation; what was used last stays, up to `limit` bytes."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._size = 0
        self._kept: OrderedDict[tuple[object, ...], list[Base]] = OrderedDict()
        self._used: dict[tuple[object, ...], float] = {}

    def of(self, key: tuple[object, ...]) -> list[Base]:
        """Those of a conversation, newest first."""
        found = self._kept.get(key)
        if found is None:
            return []
        self._kept.move_to_end(key)
        self._used[key] = self._clock()
        return found

    def remember(self, key: tuple[object, ...], base: Base) -> None:
        """The newest of a conversation."""
        if len(base.body) > self._limit // 4:
            return
        kept = self._kept.setdefault(key, [])
        self._kept.move_to_end(key)
        self._used[key] = self._clock()
        kept.insert(0, base)
        self._size += len(base.body)
        while len(kept) > _BASES:
            self._size -= len(kept.pop().body)
        while self._size > self._limit and len(self._kept) > 1:
            self._drop_oldest()

    def expire(self, seconds: float) -> None:
        """Let those go that were not used for so long."""
        before = self._clock() - seconds
        while self._kept and self._used[next(iter(self._kept))] < before:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        key, dropped = self._kept.popitem(last=False)
        del self._used[key]
        self._size -= sum(len(each.body) for each in dropped)

    def forget(self, base: Base) -> None:
        """One is in the file no more."""
        for kept in self._kept.values():
            if base in kept:
                kept.remove(base)
                self._size -= len(base.body)
                return


class Shared(Struct, frozen=True, gc=False):
    """How many bytes a body has in common with a base: at the beginning and at the end."""

    base: Base
    head: int
    tail: int

    def is_most(self, body: bytes) -> bool:
        """Whether less than a half of a body is its own."""
        return 2 * (self.head + self.tail) > len(body)

    def is_all(self, body: bytes) -> bool:
        """Whether the two are equal."""
        return self.head == len(body) == len(self.base.body)


def nearest(body: bytes, bases: list[Base]) -> Shared | None:
    """The base with which a body shares most, or one with which it shares nearly all: no more are looked at then."""
    best: Shared | None = None
    most = -1
    for base in bases:
        head = _shared_head(body, base.body)
        if head == len(body) == len(base.body):
            return Shared(base, head, 0)
        tail = _shared_tail(body, base.body, min(len(body), len(base.body)) - head)
        if head + tail > most:
            best, most = Shared(base, head, tail), head + tail
            if most * _NEARLY >= len(body) * (_NEARLY - 1):
                break
    return best


def _shared_head(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    view = memoryview(other)
    if one.startswith(view[:high]):
        return high
    while high - low > 1:  # the first `low` are equal, the first `high` are not
        middle = (low + high) // 2
        if one.startswith(view[low:middle], low):
            low = middle
        else:
            high = middle
    return low


def _shared_tail(one: bytes, other: bytes, most: int) -> int:
    low, high = 0, most
    view = memoryview(other)
    end = len(other)
    if one.endswith(view[end - high :]) and high:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one.endswith(view[end - middle : end - low], 0, len(one) - low):
            low = middle
        else:
            high = middle
    return low


class Packer:
    """Packs for one thread: the machinery of zstd costs more to set up than a small piece to pack."""

    def __init__(self) -> None:
        self._plain = zstd.ZstdCompressor(_LEVEL)

    def _zstd(self, data: bytes) -> bytes:
        return self._plain.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)

    def body(self, body: bytes) -> tuple[int, bytes]:
        """The form and the content of a body that stands alone."""
        small = self._zstd(body)
        return (ZSTD, small) if len(small) < len(body) else (RAW, body)

    def on(self, body: bytes, shared: Shared, *, try_hard: bool) -> tuple[int, bytes] | None:
        """The form and the content of a body that stands on another; None where that is not worth it.

        What shares neither beginning nor end may still be the same in another order: to see that costs time.
        """
        if shared.is_most(body):
            return self.delta(body, shared)
        if not try_hard:
            return None
        form, content = self.delta(body, shared)
        if len(content) * _PLAINLY < len(body):
            return form, content  # alone it would be a quarter of its size: no need to see
        return (form, content) if len(content) * _CLEARLY < len(self.body(body)[1]) else None

    def delta(self, body: bytes, shared: Shared) -> tuple[int, bytes]:
        """The form and the content of a body that stands on another."""
        between = body[shared.head : len(body) - shared.tail]
        lengths = _SHARED.pack(shared.head, shared.tail)
        if len(between) < _LITTLE:
            return SPLICE, lengths + between
        before = shared.base.body[shared.head : len(shared.base.body) - shared.tail]
        if len(between) < _MUCH or len(before) < _MUCH:
            return DELTA, lengths + self._zstd(between)
        return WITHIN, lengths + zstd.compress(between, _LEVEL, zstd_dict=_dictionary(before).as_prefix)


def _dictionary(sample: bytes) -> zstd.ZstdDict:
    return zstd.ZstdDict(sample.ljust(8), is_raw=True)  # no shorter ones are taken


def unpacked(form: int, content: bytes, base: bytes = b"") -> bytes:
    """The body again. Raises ValueError for what was never packed here."""
    if form == RAW:
        return content
    try:
        if form == ZSTD:
            return zstd.decompress(content)
        head, tail = _SHARED.unpack_from(content)
        if form == SPLICE:
            return base[:head] + content[_SHARED.size :] + base[len(base) - tail :]
        before = _dictionary(base[head : len(base) - tail]).as_prefix if form == WITHIN else None
        return base[:head] + zstd.decompress(content[_SHARED.size :], zstd_dict=before) + base[len(base) - tail :]
    except (zstd.ZstdError, struct.error) as error:
        raise ValueError(f"a body is broken: {error}") from error
