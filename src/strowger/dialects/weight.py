"""How much a part of a request holds in memory, roughly: for those who remember it. Must not know what it means."""

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.structs import astuple


def weight(node: object) -> int:
    """The bytes and characters of all texts and raw members in it, of objects, tuples and dicts."""
    whole = 0
    waiting = [node]
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind is str or kind is Raw:
            whole += len(each)  # type: ignore[arg-type]
        elif kind is tuple:
            waiting += each  # type: ignore[arg-type]
        elif kind is dict:
            waiting += each.values()  # type: ignore[attr-defined]
        elif isinstance(each, Struct):
            waiting += astuple(each)
    return whole
