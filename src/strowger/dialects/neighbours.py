"""Messages of the model that follow one another, as one: for dialects that have turns, from those that have items.

The Responses API writes what the model thought, said and called as items of their own; elsewhere they are one turn,
and calls of one turn must be together before their results. Knows no dialect.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from strowger.ir.request import Message

Placed = tuple[str, Message]
"""A message with the path it has in the client's request; that of the first where several were joined."""


def joined(messages: Sequence[Message], start: int = 0) -> list[Placed]:
    """The messages from `start` on, neighbouring ones of the model joined."""
    placed: list[Placed] = []
    last: Message | None = None
    for i in range(start, len(messages)):
        message = messages[i]
        if last is not None and last.role == message.role == "assistant":
            extras = {**last.extras, **message.extras} if message.extras else last.extras
            last = replace(last, parts=last.parts + message.parts, plain=False, extras=extras)
            placed[-1] = (placed[-1][0], last)
        else:
            placed.append((f"messages[{i}]", message))
            last = message
    return placed
