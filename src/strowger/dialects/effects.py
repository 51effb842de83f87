"""What rendering a part of a request does besides writing it, so that it can be done again without the rendering.

A part is rendered as if it came first: its losses are told once more where they are told once for a request, and its
names of tools are those of this request. Must not know any dialect.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Protocol

from msgspec import Struct

from strowger.dialects.base import Capabilities, Loss
from strowger.dialects.names import Asked

_SPACES = 256


class Effects(Struct, frozen=True):
    """Losses, each with the reason that is told once for a request, or with none; and the names of tools that it asked
    for.
    """

    losses: tuple[tuple[str, Loss], ...] = ()
    names: Asked = Asked()


class Job(Protocol):
    """One rendering of a request, which can tell what a part of it does."""

    def mark(self) -> None:
        """Take note of the names that are known, for `undo`."""
        ...

    def undo(self) -> None:
        """Forget the names that were asked for since `mark`."""
        ...

    def begin(self) -> None:
        """From here on, effects are those of a part, rendered as if it came first."""
        ...

    def end(self) -> Effects:
        """The effects since `begin`, which the request has not had yet."""
        ...

    def holds(self, effects: Effects) -> bool:
        """Whether the names of tools are in this request what they were."""
        ...

    def repeat(self, effects: Effects) -> None:
        """Have the effects."""
        ...


_spaces: dict[Hashable, int] = {}
_numbers = count()
# Capabilities are hashed member by member, and those of a model are one object for as long as it is configured so.
_targets: dict[int, tuple[Capabilities, int]] = {}


def space(target: str, origin: str, caps: Capabilities, more: Hashable = None) -> int:
    """A number for what decides besides the parts of a request themselves. None ever stands for two."""
    known = _targets.get(id(caps))
    if known is None:
        if len(_targets) >= _SPACES:
            _targets.clear()
        known = _targets[id(caps)] = caps, _number(caps)
    return _number((target, origin, known[1], more))


def _number(what: Hashable) -> int:
    found = _spaces.get(what)
    if found is None:
        if len(_spaces) >= _SPACES:
            _spaces.clear()  # what is known under their numbers is not found any more, and goes in time
        found = _spaces[what] = next(_numbers)
    return found
