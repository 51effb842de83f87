"""How much a part of a request holds in memory, roughly: for those who remember it. Must not know what it means."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw, Struct


def weight(node: object) -> int:
    """The bytes and characters of all that is in it."""
    match node:
        case str() | Raw():
            return len(node)
        case Struct():
            return sum([weight(getattr(node, field)) for field in node.__struct_fields__])
        case tuple():
            return sum(map(weight, node))
        case Mapping():
            return sum(map(weight, node.values()))
        case _:
            return 0
