"""Putting the parts of an answer in the order of its items: one open at a time, numbered from 0.

Items say when they begin and when they end, so nothing has to be guessed: the first that has not ended goes straight
through, what others say in the meantime waits. Knows no wire format.
"""

from __future__ import annotations

from collections import deque

from strowger.ir.events import (
    ArgumentsDelta,
    CitationDelta,
    Event,
    PartStart,
    PartStop,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from strowger.ir.request import Citation, Part, ServerToolCall, Signed, Thinking, ToolCall

Growing = type[TextDelta] | type[ThinkingDelta] | type[ArgumentsDelta]
Said = TextDelta | ThinkingDelta | ArgumentsDelta | SignatureDelta | CitationDelta


class Slot:
    """One part on its way. `index` is -1 until it opens; `told` is what it has said so far."""

    __slots__ = ("cited", "delta", "index", "over", "part", "told", "waiting")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.index = -1
        self.over = False
        self.told: list[str] = []
        self.cited = 0
        self.waiting: list[Said] = []
        self.delta: Growing = TextDelta
        if isinstance(part, Thinking):
            self.delta = ThinkingDelta
        elif isinstance(part, ToolCall | ServerToolCall):
            self.delta = ArgumentsDelta


class Place:
    """An item in the line, with its parts that have not ended."""

    __slots__ = ("over", "slots")

    def __init__(self) -> None:
        self.slots: deque[Slot] = deque()
        self.over = False


class Lineup:
    """The line of items; events are appended to the list that is handed in."""

    def __init__(self) -> None:
        self._line: deque[Place] = deque()
        self._count = 0

    def enter(self) -> Place:
        """A new item, behind all others."""
        place = Place()
        self._line.append(place)
        return place

    def begin(self, place: Place, part: Part, out: list[Event]) -> Slot:
        """A part of an item begins."""
        slot = Slot(part)
        place.slots.append(slot)
        if len(place.slots) == 1 and self._line[0] is place:
            self._advance(out)
        return slot

    def grow(self, slot: Slot, text: str, out: list[Event]) -> None:
        """More text of a part. What comes after its end is lost: it was whole."""
        if slot.over or not text:
            return
        slot.told.append(text)
        self._say(slot, slot.delta(slot.index, text), out)

    def cite(self, slot: Slot, citation: Citation, out: list[Event]) -> None:
        """A citation of a part."""
        if not slot.over:
            slot.cited += 1
            self._say(slot, CitationDelta(slot.index, citation), out)

    def sign(self, slot: Slot, signed: Signed, out: list[Event]) -> None:
        """The signed state of a part."""
        if not slot.over:
            self._say(slot, SignatureDelta(slot.index, signed), out)

    def end(self, slot: Slot, out: list[Event]) -> None:
        """A part ends."""
        slot.over = True
        self._advance(out)

    def leave(self, place: Place, out: list[Event]) -> None:
        """An item ends, and with it its parts."""
        for slot in place.slots:
            slot.over = True
        place.over = True
        self._advance(out)

    @staticmethod
    def _say(slot: Slot, event: Said, out: list[Event]) -> None:
        if slot.index >= 0:
            out.append(event)
        else:
            slot.waiting.append(event)

    def _advance(self, out: list[Event]) -> None:
        """Open what is next, close what has ended, and so on."""
        line = self._line
        while line:
            place = line[0]
            while place.slots:
                slot = place.slots[0]
                if slot.index < 0:
                    self._open(slot, out)
                if not slot.over:
                    return
                out.append(PartStop(slot.index))
                place.slots.popleft()
            if not place.over:
                return
            line.popleft()

    def _open(self, slot: Slot, out: list[Event]) -> None:
        slot.index = self._count
        self._count += 1
        out.append(PartStart(slot.index, slot.part))
        out += [_placed(event, slot.index) for event in slot.waiting]
        slot.waiting = []


def _placed(event: Said, index: int) -> Event:
    """What waited, now that its part has a number."""
    match event:
        case SignatureDelta(signed=signed):
            return SignatureDelta(index, signed)
        case CitationDelta(citation=citation):
            return CitationDelta(index, citation)
        case _:
            return type(event)(index, event.text)
