"""Lists of tools: what became of one in an earlier turn is written again. Agents send the same tools with every turn.

It is the tools themselves that are known again, never others that are like them. Pure: bytes, losses and names are
those of the first time. Must not know any dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import is_
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.effects import Effects, Job
from strowger.dialects.lately import Memory
from strowger.dialects.weight import weight
from strowger.ir.request import Tool, ToolGroup

T = TypeVar("T")

_ENCODE = msgspec.json.Encoder().encode
_LONGEST = 1024 * 1024


class Offer(Struct, Generic[T], frozen=True):
    """What became of tools: members of a body, and what else a dialect wants to know of them."""

    tools: tuple[Tool | ToolGroup, ...]
    members: dict[str, Raw]
    effects: Effects
    more: T


class Offers(Generic[T]):
    """The offers that were made lately, `kept` of them, of `room` bytes together; the oldest go first."""

    def __init__(self, kept: int = 32, room: int = 4 * 1024 * 1024) -> None:
        self._known: Memory[Hashable, Offer[T]] = Memory(kept, room)

    def __len__(self) -> int:
        """How many are known."""
        return len(self._known)

    def made(
        self,
        job: Job,
        tools: tuple[Tool | ToolGroup, ...],
        besides: Hashable,
        make: Callable[[], tuple[dict[str, Any], T]],
    ) -> Offer[T]:
        """The offer of these tools, its effects had. `besides` is all that decides besides them."""
        key = besides, tuple(map(id, tools))
        known = self._known.get(key)  # what is known is held: no other tool has its id
        if known is None or not all(map(is_, known.tools, tools)) or not job.holds(known.effects):
            job.begin()
            members, more = make()
            effects = job.end()
            known = Offer(tools, {name: Raw(_ENCODE(member)) for name, member in members.items()}, effects, more)
            size = weight(tools) + weight(known.members)
            if size <= _LONGEST:
                self._known.keep(key, known, size)
        job.repeat(known.effects)
        return known
