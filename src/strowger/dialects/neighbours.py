"""Messages of the model that follow one another, as one: for dialects that have turns, from those that have items.

The Responses API writes what the model thought, said and called as items of their own; elsewhere they are one turn,
and calls of one turn must be together before their results. Of the dialects it knows only what they call the list.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from strowger.ir.request import Message

Placed = tuple[str, Message]
"""A message with the path it has in the client's request; that of the first where several were joined."""

_LISTS = {"openai_responses": "input", "gemini": "contents"}
"""What the list of messages is called, where not `messages`."""


def place(origin: str, index: int) -> str:
    """The path of a message in a request of that dialect, as its client knows it."""
    return f"{_LISTS.get(origin, 'messages')}[{index}]"


def leading_system(messages: Sequence[Message]) -> int:
    """How many messages of a conversation are system text that comes before everything else."""
    count = 0
    while count < len(messages) and messages[count].role in {"system", "developer"}:
        count += 1
    return count


def joined(messages: Sequence[Message], origin: str, start: int = 0, end: int | None = None) -> list[Placed]:
    """The messages of a request of that dialect from `start` to `end`, neighbouring ones of the model joined."""
    placed: list[Placed] = []
    last: Message | None = None
    for i in range(start, len(messages) if end is None else end):
        message = messages[i]
        if last is not None and last.role == message.role == "assistant":
            extras = {**last.extras, **message.extras} if message.extras else last.extras
            last = replace(last, parts=last.parts + message.parts, plain=False, extras=extras)
            placed[-1] = (placed[-1][0], last)
        else:
            placed.append((place(origin, i), message))
            last = message
    return placed
