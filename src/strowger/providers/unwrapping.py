"""Answers that a host frames or words in its own way, as the dialect knows them.

A stream in another framing becomes SSE as it comes; a body with another shape is read whole and said again. Must not
know which host it is: what to do with bytes is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from strowger.dialects.eventstream import BrokenFramingError
from strowger.errors import Malformed, Truncated
from strowger.upstreams.base import Headers, Incoming, gathered

# More than any error or any list of models.
_MOST = 16 * 1024 * 1024
_OF_THE_BODY = frozenset({"content-length", "content-type"})


class Framing(Protocol):
    """Takes a framing off. One for each answer."""

    @property
    def between(self) -> bool:
        """Whether nothing has been begun that is not whole."""
        ...

    def feed(self, data: bytes) -> bytes:
        """The same in SSE, as far as it is whole. Raises BrokenFramingError."""
        ...


class _Wrapped:
    """What all of them share: another answer's head, with another length and type."""

    def __init__(self, incoming: Incoming, media_type: str, status: int, more: Headers) -> None:
        self._incoming = incoming
        self.status = status
        kept = (line for line in incoming.header_items if line[0].lower() not in _OF_THE_BODY)
        self.header_items: Headers = (*kept, ("content-type", media_type), *more)

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""
        return {name.lower(): value for name, value in self.header_items}

    @property
    def ended(self) -> bool:
        """Whether the answer has been read to its end."""
        return self._incoming.ended

    def close(self) -> None:
        """Stop the answer now."""
        self._incoming.close()


class Unframed(_Wrapped):
    """A stream out of another framing."""

    def __init__(self, incoming: Incoming, framing: Framing, more: Headers = ()) -> None:
        super().__init__(incoming, "text/event-stream", incoming.status, more)
        self._framing = framing

    async def read(self) -> bytes:
        """The next events, empty at the end. Raises Truncated or Malformed."""
        while data := await self._incoming.read():
            try:
                events = self._framing.feed(data)
            except BrokenFramingError as error:
                self.close()
                raise Malformed(f"the upstream's event stream is damaged: {error}") from None
            if events:
                return events
        if not self._framing.between:
            raise Truncated("the upstream's event stream broke off inside a message")
        return b""

    async def read_all(self, limit: int) -> bytes:
        """The rest of the events. Raises Malformed when they are longer than `limit` bytes."""
        return await gathered(self.read, limit)


class Reworded(_Wrapped):
    """A JSON body in other words, with another status perhaps. `said` is given the whole of it."""

    def __init__(
        self, incoming: Incoming, said: Callable[[bytes], bytes], *, status: int | None = None, more: Headers = ()
    ) -> None:
        super().__init__(incoming, "application/json", status or incoming.status, more)
        self._said = said
        self._told = False

    @property
    def ended(self) -> bool:
        """Whether the answer has been read to its end."""
        return self._told

    async def read(self) -> bytes:
        """The whole body at once, then nothing. Raises Truncated or Malformed."""
        if self._told:
            return b""
        body = await self._incoming.read_all(_MOST)
        self._told = True
        return self._said(body)

    async def read_all(self, limit: int) -> bytes:
        """The whole body. Raises Malformed when it is longer than `limit` bytes."""
        return await gathered(self.read, limit)
