"""Stop sequences for upstreams that take none: watched for in the answer's text, which ends before the first of them.

Works on events, so it serves every pair of dialects. A piece of text that may be the beginning of a stop sequence is
held back until it is known not to be one. Must not know who asks for it.
"""

from __future__ import annotations

import re

from strowger.ir.events import Event, Failure, Finish, PartStart, PartStop, StopReason, TextDelta, UsageUpdate
from strowger.ir.request import Text


class StopWatch:
    """Passes events on until a stop sequence comes. `over`: it has come, and nothing that follows counts."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        # Of several that begin at one place the longest is meant.
        self._pattern = re.compile("|".join(re.escape(stop) for stop in sorted(stops, key=len, reverse=True)))
        self._stops = stops
        self._held = ""
        self._index = -1
        self._in_text = False
        self.over = False

    def passed(self, events: list[Event]) -> list[Event]:
        """The events as far as the client gets to see them."""
        if self.over:
            return []
        out: list[Event] = []
        for event in events:
            if isinstance(event, PartStart):
                self._in_text = isinstance(event.part, Text)
                self._index = event.index
            elif isinstance(event, TextDelta) and self._in_text:
                if self._said(event.text, out):
                    return out
                continue
            elif self._held and isinstance(event, PartStop | Finish | Failure):
                out.append(TextDelta(self._index, self._held))
                self._held = ""
            out.append(event)
        return out

    def _said(self, text: str, out: list[Event]) -> bool:
        text = self._held + text
        found = self._pattern.search(text)
        if found is None:
            keep = self._beginning(text)
            self._held = text[keep:]
            if keep:
                out.append(TextDelta(self._index, text[:keep]))
            return False
        self.over = True
        if found.start():
            out.append(TextDelta(self._index, text[: found.start()]))
        out += [PartStop(self._index), Finish(StopReason.STOP_SEQUENCE, stop_sequence=found[0])]
        return True

    def _beginning(self, text: str) -> int:
        """Where an end of the text begins that may become a stop sequence; its length when there is none."""
        longest = max(map(len, self._stops)) - 1
        for at in range(max(0, len(text) - longest), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return len(text)


def cut(events: list[Event], stops: tuple[str, ...]) -> list[Event]:
    """A whole answer's events up to the first stop sequence; what it cost stays."""
    if not stops:
        return events
    watch = StopWatch(stops)
    kept = watch.passed(events)
    if not watch.over:
        return kept
    return [*kept[:-1], *(event for event in events if isinstance(event, UsageUpdate)), kept[-1]]
