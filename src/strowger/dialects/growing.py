"""Bodies that grow: with every turn a conversation is sent whole, and all but its end has been sent before.

A body is taken apart into the elements of its long list and its other members, all as they are written. Where it begins
and ends as one that was taken apart lately, only what stands between is read: JSON that is the same up to a place
between two elements has been read to the same point there, and from such a point on the same bytes say the same. So
what is remembered is used only where bytes are equal, never where they look alike. Pure: who calls gets what a look at
the whole body would have given. Must not know what the members mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ELEMENTS = msgspec.json.Decoder(list[Raw])
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)

# Less is read as quickly as it is compared.
_SHORTEST = 8 * 1024
_LONGEST = 1024 * 1024
# Conversations of other sessions differ near the end of a body, where clients say whose it is.
_TAIL = 512


class Cut(Struct, frozen=True, gc=False):
    """A body taken apart: the elements of its list, and its other members. Not to be changed, as others get it too."""

    items: tuple[bytes, ...]
    members: Mapping[str, Raw]


class _Known(Struct, gc=False):
    """A body that was taken apart: where in it the first element begins, and where each of them ends."""

    body: bytes
    cut: Cut
    start: int
    ends: list[int]


class Growing:
    """Takes bodies apart whose list is the member `name`, and remembers `kept` of them, of `room` bytes together."""

    def __init__(self, name: str, *, kept: int = 16, room: int = 4 * 1024 * 1024) -> None:
        self._name = name
        self._kept = kept
        self._room = room
        self._held = 0
        self._known: list[_Known] = []

    def cut(self, body: bytes) -> Cut | None:
        """The body taken apart; None for one that is short, or no object with such a list."""
        size = len(body)
        if size < _SHORTEST:
            return None
        tail = body[-_TAIL:]
        for known in reversed(self._known):
            if known.body is body:
                return known.cut
            if known.body[-_TAIL:] == tail and (grown := _grown(known, body)) is not None:
                self._known.remove(known)
                self._held -= len(known.body)
                self._keep(grown)
                return grown.cut
        whole = _whole(self._name, body)
        if isinstance(whole, _Known):
            if size <= _LONGEST:
                self._keep(whole)
            return whole.cut
        return whole

    def _keep(self, known: _Known) -> None:
        self._known.append(known)
        self._held += len(known.body)
        while len(self._known) > self._kept or self._held > self._room:
            self._held -= len(self._known.pop(0).body)


def _grown(known: _Known, body: bytes) -> _Known | None:
    """The body, if it differs from a known one in the last elements only. None where it does not."""
    old, ends = known.body, known.ends
    rest = old[ends[-1] if ends else known.start :]
    if not body.endswith(rest) or not body.startswith(old[: known.start]):
        return None
    end = len(body) - len(rest)
    same = _same(known, body, end)
    begun = ends[same - 1] if same else known.start
    if same == len(ends) and begun == end:
        return _Known(body, known.cut, known.start, ends)
    try:  # the elements that are known stand as 0
        fresh = _ELEMENTS.decode(b"".join((b"[0" if same else b"[", body[begun:end], b"]")))[1 if same else 0 :]
    except _UNREADABLE:
        return None
    items = (*known.cut.items[:same], *[bytes(item) for item in fresh])
    found = _places(body, items, known.start, ends[:same])
    if found is None or (found[-1] if found else known.start) != end:
        return None
    return _Known(body, Cut(items, known.cut.members), known.start, found)


def _same(known: _Known, body: bytes, end: int) -> int:
    """How many elements are the same, of those that end before `end`."""
    old, ends = known.body, known.ends
    low, high = 0, len(ends)
    while low < high:
        middle = high if high == len(ends) else (low + high + 1) // 2
        if ends[middle - 1] <= end and body.startswith(old[: ends[middle - 1]]):
            low = middle
        else:
            high = middle - 1
    return low


def _whole(name: str, body: bytes) -> _Known | Cut | None:
    """Any body. Known are those that are written without spaces, each member once, as clients do."""
    try:
        members = _MEMBERS.decode(body)
        elements = _ELEMENTS.decode(members[name])
    except (KeyError, *_UNREADABLE):
        return None
    items = tuple([bytes(element) for element in elements])
    others = {key: raw.copy() for key, raw in members.items() if key != name}
    cut = Cut(items, others)
    at, start = 0, 0
    for key, raw in members.items():
        written = b'%b"%b":' % (b"," if at else b"{", key.encode("utf-8", "surrogatepass"))
        if not body.startswith(written, at):
            return cut
        at += len(written)
        if key == name:
            start = at + 1
        if not body.startswith(bytes(raw), at):
            return cut
        at += len(raw)
    if body[at:] != b"}":
        return cut
    ends = _places(body, items, start, [])
    if ends is None or body[ends[-1] if ends else start :][:1] != b"]":
        return cut
    return _Known(body, cut, start, ends)


def _places(body: bytes, items: tuple[bytes, ...], start: int, ends: list[int]) -> list[int] | None:
    """Where the elements end; `ends` tells that of the first few. None where there is anything between them."""
    found = list(ends)
    at = found[-1] if found else start
    for item in items[len(found) :]:
        if found:
            if body[at : at + 1] != b",":
                return None
            at += 1
        if not body.startswith(item, at):
            return None
        at += len(item)
        found.append(at)
    return found
