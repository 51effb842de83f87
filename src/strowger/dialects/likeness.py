"""Reading a piece of text from an event that is like the one before it, all but for that text.

Nearly all events of an answer repeat the same members around a few letters, and reading them all again is most of what
an event costs. So what stands before and behind the text is remembered, and compared. Pure; knows no dialect.
"""

from __future__ import annotations

import re

import msgspec

_STRING = msgspec.json.Decoder(str)
_END = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# Servers that say something new with each event (a time, padding) are not worth the trouble.
_PATIENCE = 8


class Likeness:
    """What the events of one stream have in common. `key` is the member that holds the text."""

    __slots__ = ("_after", "_before", "_hope", "_mark")

    def __init__(self, key: bytes) -> None:
        self._mark = b'"' + key + b'":"'
        self._before = b""
        self._after = b""
        self._hope = _PATIENCE

    def text(self, data: bytes) -> str | None:
        """The text of an event that is like the last one that was learnt; None of any other."""
        before, after = self._before, self._after
        if not before or not data.startswith(before) or not data.endswith(after):
            return None
        try:
            # An end of the string before that of the event makes this no JSON.
            found = _STRING.decode(b'"' + data[len(before) : 1 - len(after)])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        self._hope = _PATIENCE
        return found

    @property
    def learns(self) -> bool:
        """Whether there is hope that events will be alike."""
        return self._hope > 0

    def learn(self, data: bytes, text: str) -> None:
        """An event that said nothing but `text`."""
        if self._hope <= 0:
            return
        self._hope -= 1
        at = data.find(self._mark) + len(self._mark)
        if at < len(self._mark) or data.find(self._mark, at) >= 0:
            return
        end = _END.match(data, at)
        if end is None or _STRING.decode(data[at - 1 : end.end()]) != text:
            return
        self._before, self._after = data[:at], data[end.end() - 1 :]
