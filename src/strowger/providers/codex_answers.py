"""An answer of the ChatGPT backend whose last event leaves out what was said before it.

Its `response.completed` comes with an empty `output`. Codex does not mind, but OpenAI's own SDKs take the last event
for the whole answer. So the items are written into it as they were told when each of them was done; every other byte
passes as it is. Must not know why an answer was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from strowger.upstreams.base import Headers, Incoming, gathered

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_ITEM = b'"response.output_item.done"'
_ENDS = (b'"response.completed"', b'"response.incomplete"')
_SPOKEN_OF = (b"response.output_item.done", b"response.completed", b"response.incomplete")
# More than any event; a frame without an end is passed on as it comes.
_LONGEST_FRAME = 32 * 1024 * 1024


class _Event(Struct):
    type: str = ""
    output_index: int = -1
    item: Raw = Raw(b"")
    response: Raw = Raw(b"")


_EVENT = msgspec.json.Decoder(_Event)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class Filled:
    """An `Incoming` that carries SSE, with its last event made whole. Frames come out undivided."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._rest = b""
        self._items: dict[int, Raw] = {}
        self._over = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._incoming.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name, without a length that is no longer true."""
        return {name: value for name, value in self._incoming.headers.items() if name != "content-length"}

    @property
    def header_items(self) -> Headers:
        """Headers as received, in order, without a length."""
        return tuple(line for line in self._incoming.header_items if line[0].lower() != "content-length")

    @property
    def ended(self) -> bool:
        """Whether the answer has been read to its end."""
        return self._incoming.ended and not self._rest

    async def read(self) -> bytes:
        """The next whole frames, what is left at the end, then nothing."""
        while True:
            data = await self._incoming.read()
            if not data:
                rest, self._rest = self._rest, b""
                return rest
            if self._over:
                return data
            if out := self._frames(data):
                return out

    async def read_all(self, limit: int) -> bytes:
        """The rest of the body. Raises Malformed when it is longer than `limit` bytes."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """Stop the answer now."""
        self._incoming.close()

    def _frames(self, data: bytes) -> bytes:
        if not self._rest and data.endswith(b"\n\n") and not any(name in data for name in _SPOKEN_OF):
            return data
        data, self._rest = self._rest + data, b""
        out: list[bytes] = []
        start = 0
        for blank in _BLANK_LINE.finditer(data):
            out.append(self._frame(data[start : blank.end()]))
            start = blank.end()
        rest = data[start:]
        if len(rest) > _LONGEST_FRAME:
            self._over = True
            out.append(rest)
        else:
            self._rest = rest
        return b"".join(out)

    def _frame(self, frame: bytes) -> bytes:
        is_end = any(name in frame for name in _ENDS)
        if not is_end and _ITEM not in frame:
            return frame
        name, event = _read(frame)
        if event is None:
            return frame
        if event.type == "response.output_item.done":
            self._items[event.output_index] = event.item
            return frame
        if event.type not in ("response.completed", "response.incomplete"):
            return frame
        response = _members(event.response)
        if response is None or not self._items or bytes(response.get("output", b"[]")) not in (b"[]", b"null"):
            return frame
        whole = {**response, "output": [self._items[index] for index in sorted(self._items)]}
        told = {**(_members(_data(frame)) or {}), "response": whole}
        return name + b"data: " + msgspec.json.encode(told) + b"\n\n"


def _read(frame: bytes) -> tuple[bytes, _Event | None]:
    """The `event:` line of a frame with its end, and the event."""
    line, found, _ = frame.partition(b"\n")
    name = line.rstrip(b"\r") + b"\n" if found and line.startswith(b"event:") else b""
    try:
        return name, _EVENT.decode(_data(frame))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return name, None


def _data(frame: bytes) -> bytes:
    lines = (line for line in frame.splitlines() if line.startswith(b"data:"))
    return b"\n".join(line[5:].strip() for line in lines)


def _members(raw: Raw | bytes) -> dict[str, Raw] | None:
    try:
        return _MEMBERS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
