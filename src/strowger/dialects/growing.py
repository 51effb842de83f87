"""Bodies that grow: with every turn a conversation is sent whole, and all but its end has been sent before.

A body is taken apart into the elements of its long list and its other members, all as they are written. Where it begins
and ends as one that was taken apart lately, only what stands between is read: JSON that is the same up to a place
between two elements has been read to the same point there, and from such a point on the same bytes say the same. So
what is remembered is used only where bytes are equal, never where they look alike. Pure: who calls gets what a look at
the whole body would have given, or nothing. Must not know what the members mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import check_utf_8
from strowger.dialects.lately import Memory

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ELEMENTS = msgspec.json.Decoder(list[Raw])
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)

# Less is read as quickly as it is compared.
_SHORTEST = 8 * 1024
_LONGEST = 1024 * 1024
# Conversations of other sessions differ near the end of a body, where clients say whose it is.
_TAIL = 512
# What stands between two members or elements, and between a name and its value: as most clients write it, and
# as Python does.
_USUAL = b",", b":"
_PYTHONS = b", ", b": "


class Cut(Struct, frozen=True, gc=False):
    """A body taken apart: the elements of its list, and its other members; `outer` are those of the object around it,
    where there is one. All of it is UTF-8. Not to be changed, as others get it too.
    """

    items: tuple[bytes, ...]
    members: Mapping[str, Raw]
    outer: Mapping[str, Raw] | None = None


class _Known(Struct, gc=False):
    """A body that was taken apart: where in it the first element begins, where each of them ends, and what stands
    between two.
    """

    body: bytes
    cut: Cut
    start: int
    ends: list[int]
    comma: bytes


class Growing:
    """Takes bodies apart whose list is the member `name`, or that of their member `within` where they have one, and
    remembers `kept` of them, of `room` bytes together.
    """

    def __init__(self, name: str, within: str = "", *, kept: int = 40, room: int = 4 * 1024 * 1024) -> None:
        self._name = name
        self._within = within
        self.memory: Memory[int, _Known] = Memory(kept, room)

    def cut(self, body: bytes) -> Cut | None:
        """The body taken apart; None for one that is short, very long and new, not written as clients do (without
        spaces or as Python does it, each member once), or no object with such a list.
        """
        size = len(body)
        if size < _SHORTEST:
            return None
        tail = body[-_TAIL:]
        for known in self.memory.latest():
            if known.body is body:
                return known.cut
            if known.body[-_TAIL:] == tail and (grown := _grown(known, body)) is not None:
                self.memory.drop(id(known.body))
                self.memory.keep(id(body), grown, size)
                return grown.cut
        if size > _LONGEST or (whole := _whole(self._name, self._within, body)) is None:
            return None
        self.memory.keep(id(body), whole, size)
        return whole.cut


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
        return msgspec.structs.replace(known, body=body)
    between = body[begun:end]
    try:  # the elements that are known stand as 0
        check_utf_8(between)
        fresh = _ELEMENTS.decode(b"".join((b"[0" if same else b"[", between, b"]")))[1 if same else 0 :]
    except _UNREADABLE:
        return None
    items = (*known.cut.items[:same], *[bytes(item) for item in fresh])
    found = _places(body, items, known.start, ends[:same], known.comma)
    if found is None or (found[-1] if found else known.start) != end:
        return None
    return _Known(body, msgspec.structs.replace(known.cut, items=items), known.start, found, known.comma)


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


def _whole(name: str, within: str, body: bytes) -> _Known | None:
    """Any body."""
    if not body.startswith(b'{"'):
        return None
    comma, colon = _PYTHONS if body.startswith(b": ", body.find(b'":') + 1) else _USUAL
    outer, at, end = None, 0, len(body)
    try:
        members = _MEMBERS.decode(body)
        if within and name not in members:
            place = _place(body, 0, members, within, comma, colon)
            if place is None or place[1] != end:
                return None
            outer, at, end = _copied(members, within), place[0], place[0] + len(members[within])
            members = _MEMBERS.decode(members[within])
        if name not in members:
            return None
        place = _place(body, at, members, name, comma, colon)
        if place is None or place[1] != end:
            return None
        items = tuple([bytes(element) for element in _ELEMENTS.decode(members[name])])
        check_utf_8(body)
    except _UNREADABLE:
        return None
    start = place[0] + 1
    ends = _places(body, items, start, [], comma)
    if ends is None or body[ends[-1] if ends else start :][:1] != b"]":
        return None
    return _Known(body, Cut(items, _copied(members, name), outer), start, ends, comma)


def _copied(members: Mapping[str, Raw], but: str) -> Mapping[str, Raw]:
    """All members but one, so that they do not hold the body."""
    return {key: raw.copy() for key, raw in members.items() if key != but}


def _place(
    body: bytes, at: int, members: Mapping[str, Raw], name: str, comma: bytes, colon: bytes
) -> tuple[int, int] | None:
    """Where the value of the member `name` begins, and where the object ends that begins at `at`. None where it has not
    this member, or has one twice, or where anything stands between its members.
    """
    found, before = -1, b"{"
    for key, raw in members.items():
        written = b'%b"%b"%b' % (before, key.encode("utf-8", "surrogatepass"), colon)
        if not body.startswith(written, at):
            return None
        at += len(written)
        if not body.startswith(bytes(raw), at):
            return None
        if key == name:
            found = at
        at += len(raw)
        before = comma
    return (found, at + 1) if found >= 0 and body.startswith(b"}", at) else None


def _places(body: bytes, items: tuple[bytes, ...], start: int, ends: list[int], comma: bytes) -> list[int] | None:
    """Where the elements end; `ends` tells that of the first few. None where there is anything else between them."""
    found = list(ends)
    at = found[-1] if found else start
    for item in items[len(found) :]:
        if found:
            if not body.startswith(comma, at):
                return None
            at += len(comma)
        if not body.startswith(item, at):
            return None
        at += len(item)
        found.append(at)
    return found
