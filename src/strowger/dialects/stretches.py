"""Conversations grow: what became of their stretches in an earlier turn is written again, not made again.

A stretch begins where the model begins to speak and ends before it does so the next time: what it said, and what it was
answered. One whose calls are all answered in it, and whose answers all belong to its calls, depends on nothing outside
it, and so it is written by itself, the same in every turn. Not so the last one, which the end of the conversation may
change: whoever calls writes that. It is the messages themselves that are known again, never others that are like them.
Pure: bytes, losses and names are those of the first time. Must not know any dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.effects import Effects, Job
from strowger.dialects.lately import Memory
from strowger.dialects.weight import weight
from strowger.ir.request import Message, ToolCall, ToolResult

_ENCODE = msgspec.json.Encoder().encode
_KEPT = 4096
_LONGEST = 1024 * 1024
_ROOM = 16 * 1024 * 1024
"""In bytes: what messages hold, and what became of them."""

Nodes = Sequence[dict[str, Any] | Raw]
"""JSON objects; values may be Raw."""


class Written(Struct, frozen=True):
    """What became of the messages: elements of a JSON list one after the other, as one Raw, and what else a dialect
    wants to know of them.
    """

    messages: tuple[Message, ...]
    raw: Raw
    effects: Effects
    more: object


class Outcome(Struct, frozen=True):
    """What a dialect makes of a stretch. `begins` and `ends`: what it writes does not run into what is before it and
    behind it, and nothing has to be put there.
    """

    nodes: Nodes
    begins: bool
    ends: bool
    more: object = None


Write = Callable[[int, int], Outcome]


_Key = tuple[int, int, int, int]
"""What decides besides the messages; where the conversation begins, if with this stretch, else -1; where the stretch
begins; its first message.
"""
_known: Memory[_Key, Written] = Memory(_KEPT, _ROOM)


class Stretched(Struct, frozen=True):
    """A conversation that was written stretch by stretch: what is known of it, and the end, which was made anew."""

    known: list[Written]
    last: Outcome

    @property
    def more(self) -> list[object]:
        """What else a dialect wants to know of each stretch."""
        return [*[each.more for each in self.known], self.last.more]

    @property
    def raws(self) -> list[Raw]:
        """What is known, as elements of a list."""
        return [each.raw for each in self.known]


def stretched(
    job: Job,
    space: int,
    messages: tuple[Message, ...],
    start: int,
    write: Write,
    *,
    free: bool,
    fits: Callable[[Sequence[object]], bool] | None = None,
) -> Stretched | None:
    """The messages from `start` on, their effects had. None where they have to be written as a whole: then nothing has
    happened.

    `write` writes those from one place up to another as if they were alone, but for the end of a conversation. `free`:
    they are of the target's own dialect, where none depends on another. `fits` tells by `more` whether stretches may
    stand in one request.
    """
    known: list[Written] = []
    cuts = _cuts(messages, start)
    last = cuts[-1]
    if not last > start:
        return None
    job.mark()
    for i in range(len(cuts) - 1):
        stretch = messages[cuts[i] : cuts[i + 1]]
        # what is known is held: no other message has its id
        key = space, -1 if i else start, cuts[i], id(stretch[0])
        found = _known.get(key)
        if (
            found is None
            or len(found.messages) != len(stretch)
            or not all(map(is_, found.messages, stretch))
            or not job.holds(found.effects)
        ):
            found = _made(job, key, stretch, write, free=free)
        if found is None:
            # what is written before may run into it, so that is made again with all that follows
            last = cuts[i - 1] if i else start
            del known[-1:]
            break
        known.append(found)
    if not known:
        job.undo()
        return None
    job.begin()
    made = write(last, len(messages))
    effects = job.end()
    told = Stretched(known, made)
    if not made.begins or (fits is not None and not fits(told.more)):
        job.undo()
        return None
    for each in known:
        if each.effects.losses:
            job.repeat(each.effects)
    job.repeat(effects)
    return told


def _made(job: Job, key: _Key, stretch: tuple[Message, ...], write: Write, *, free: bool) -> Written | None:
    """What becomes of a stretch, remembered; None of one that cannot be written by itself."""
    if not free and not _is_closed(stretch):
        return None
    start = key[2]
    job.begin()
    made = write(start, start + len(stretch))
    effects = job.end()
    if not (made.nodes and made.begins and made.ends):
        return None
    written = Written(stretch, Raw(_ENCODE(made.nodes)[1:-1]), effects, made.more)
    size = weight(stretch) + len(written.raw)
    if size <= _LONGEST:
        _known.keep(key, written, size)
    return written


def _cuts(messages: Sequence[Message], start: int) -> list[int]:
    """Where stretches begin."""
    cuts = [start]
    spoken = True
    for i in range(start, len(messages)):
        if messages[i].role == "assistant":
            if not spoken:
                cuts.append(i)
            spoken = True
        else:
            spoken = False
    return cuts


def _is_closed(messages: Sequence[Message]) -> bool:
    """Whether each call is answered once in these messages, and nothing else is."""
    calls: list[str] = []
    answers: list[str] = []
    for message in messages:
        spoken = message.role == "assistant"
        for part in message.parts:
            if type(part) is ToolCall:
                if not spoken:
                    return False
                calls.append(part.id)
            elif type(part) is ToolResult:
                if spoken:
                    return False
                answers.append(part.call_id)
    return len(calls) == len(answers) == len(set(calls)) and set(calls) == set(answers)
