"""Putting the parts of an answer in order: one open at a time, numbered from 0. Knows no wire format.

Chat upstreams mix the pieces of parallel tool calls, and text may come while a call is not finished. The rule: the
part that is open goes straight through. A part that begins behind it waits, unless the open one can be closed: text
and thinking always can, a tool call when its arguments are complete JSON. What waits is kept in order and follows as
soon as what is before it closes; at the end everything does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from strowger.ir.events import (
    ArgumentsDelta,
    Event,
    PartStart,
    PartStop,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from strowger.ir.request import Part, Signed, Thinking, ToolCall

_ANY = msgspec.json.Decoder(msgspec.Raw)

Sign = Callable[[], Signed | None]
"""Gives the signed state of a thinking part that is complete."""

DeltaType = type[TextDelta] | type[ThinkingDelta] | type[ArgumentsDelta]


class Slot:
    """One part on its way. `index` is -1 until it opens; `sign` is asked for its signed state when it ends."""

    __slots__ = ("arguments", "closed", "delta", "index", "part", "sign", "waiting")

    def __init__(self, part: Part, sign: Sign | None) -> None:
        self.part = part
        self.sign = sign
        self.index = -1
        self.closed = False
        self.waiting: list[str] = []
        self.arguments: list[str] | None = [] if isinstance(part, ToolCall) else None
        self.delta: DeltaType = TextDelta
        if isinstance(part, ToolCall):
            self.delta = ArgumentsDelta
        elif isinstance(part, Thinking):
            self.delta = ThinkingDelta

    def closable(self) -> bool:
        """Whether nothing more is expected."""
        if self.arguments is None:
            return True
        if len(self.arguments) > 1:
            self.arguments = ["".join(self.arguments)]
        text = self.arguments[0].strip() if self.arguments else ""
        if not (text.startswith("{") and text.endswith("}")):
            return False
        try:
            _ANY.decode(text)
        except msgspec.DecodeError:
            return False
        return True


class Sequencer:
    """The queue of parts; events are appended to the list that is handed in."""

    def __init__(self) -> None:
        self._queue: deque[Slot] = deque()
        self._count = 0
        self.last: Slot | None = None
        """The part that began last, while more of it may come."""

    @property
    def count(self) -> int:
        """How many parts have opened."""
        return self._count

    def begin(self, part: Part, out: list[Event], sign: Sign | None = None) -> Slot:
        """A part begins; it opens at once if the one before it can be closed."""
        slot = self.last = Slot(part, sign)
        self._queue.append(slot)
        self._advance(out)
        return slot

    def extend(self, slot: Slot, text: str, out: list[Event]) -> None:
        """More of a part. What comes for a part that is closed is lost: its JSON was complete."""
        if slot.closed:
            return
        if slot.arguments is not None:
            slot.arguments.append(text)
        if slot.index >= 0:
            out.append(slot.delta(slot.index, text))
            return
        slot.waiting.append(text)
        self._advance(out)

    def end(self, out: list[Event]) -> None:
        """Nothing more comes: everything that waits follows in order."""
        while self._queue:
            self._open(self._queue[0], out)
            self._close(out)
        self.last = None

    def _advance(self, out: list[Event]) -> None:
        """Close the open part while another waits behind it and it can be closed; then open the next."""
        queue = self._queue
        self._open(queue[0], out)
        while len(queue) > 1 and queue[0].closable():
            self._close(out)
            self._open(queue[0], out)

    def _open(self, slot: Slot, out: list[Event]) -> None:
        if slot.index >= 0:
            return
        slot.index = self._count
        self._count += 1
        out.append(PartStart(slot.index, slot.part))
        if slot.waiting:
            out.append(slot.delta(slot.index, "".join(slot.waiting)))
            slot.waiting = []

    def _close(self, out: list[Event]) -> None:
        slot = self._queue.popleft()
        slot.closed = True
        signed = slot.sign() if slot.sign is not None else None
        if signed is not None:
            out.append(SignatureDelta(slot.index, signed))
        out.append(PartStop(slot.index))
