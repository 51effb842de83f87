"""A whole response, and the two functions that turn it into a stream of events and back.

`fold` and `unfold` are inverse: a streaming and a non-streaming answer are two views of one thing, so there is one
converter per dialect and direction, not two. Knows no wire format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.ir.events import (
    ArgumentsDelta,
    CitationDelta,
    Event,
    Failure,
    Finish,
    Note,
    PartStart,
    PartStop,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import NO_EXTRAS, Citation, Extras, Part, Refusal, ServerToolCall, Text, Thinking, ToolCall


class Response(Struct, frozen=True):
    """A finished answer. `origin` is the dialect whose extras and opaque parts it holds."""

    origin: str
    id: str
    model: str
    parts: tuple[Part, ...]
    finish: Finish
    usage: Usage = Usage()
    created: int | None = None
    notes: tuple[Raw, ...] = ()
    extras: Extras = NO_EXTRAS


class IncompleteError(Exception):
    """`fold` was given a stream that failed or did not end; `failure` is its Failure event, or None if it just
    stopped.
    """

    def __init__(self, failure: Failure | None) -> None:
        super().__init__(failure.message if failure else "the events ended before Finish")
        self.failure = failure


class Folder:
    """Collects events; `response()` once Finish has come. Raises IncompleteError on a Failure."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._parts: list[Part] = []
        self._open: Part | None = None
        self._text: list[str] = []
        self._citations: list[Citation] = []
        self._notes: list[Raw] = []
        self._usage = Usage()
        self._finish: Finish | None = None

    def add(self, event: Event) -> None:
        """Take the next event, in legal order (see `strowger.ir.events`)."""
        match event:
            case TextDelta() | ThinkingDelta() | ArgumentsDelta():
                self._text.append(event.text)
            case PartStart():
                self._open, self._text, self._citations = event.part, [], []
            case PartStop():
                self._close()
            case SignatureDelta():
                if isinstance(self._open, Thinking):
                    self._open = replace(self._open, signed=event.signed)
            case CitationDelta():
                self._citations.append(event.citation)
            case UsageUpdate():
                self._usage = self._usage.merged(event.usage)
            case Start():
                self._start = event
            case Finish():
                self._finish = event
            case Note():
                self._notes.append(event.raw)
            case Failure():
                raise IncompleteError(event)

    def _close(self) -> None:
        part, joined = self._open, "".join(self._text)
        match part:
            case None:
                return
            case Text():
                part = replace(part, text=part.text + joined, citations=part.citations + tuple(self._citations))
            case Thinking() | Refusal():
                part = replace(part, text=part.text + joined)
            case ToolCall() | ServerToolCall():
                part = replace(part, arguments=part.arguments + joined)
            case _:
                pass
        self._parts.append(part)
        self._open = None

    def response(self) -> Response:
        """The folded response; raises IncompleteError when Start or Finish is missing."""
        start, finish = self._start, self._finish
        if start is None or finish is None:
            raise IncompleteError(None)
        return Response(
            origin=start.origin,
            id=start.id,
            model=start.model,
            parts=tuple(self._parts),
            finish=finish,
            usage=self._usage,
            created=start.created,
            notes=tuple(self._notes),
            extras=start.extras,
        )


def fold(events: Iterable[Event]) -> Response:
    """Events to a response. Raises IncompleteError on a Failure or a missing end."""
    folder = Folder()
    for event in events:
        folder.add(event)
    return folder.response()


def unfold(response: Response) -> Iterator[Event]:
    """A response as the events a stream of it would have given, one delta per part."""
    yield Start(response.origin, response.id, response.model, response.created, response.extras)
    for index, part in enumerate(response.parts):
        yield from unfold_part(index, part)
    for raw in response.notes:
        yield Note(raw)
    if response.usage != Usage():
        yield UsageUpdate(response.usage)
    yield response.finish


def unfold_part(index: int, part: Part) -> Iterator[Event]:
    """One part as its events, in one delta each. Thinking without text keeps its signed state in its head."""
    match part:
        case Text():
            yield PartStart(index, replace(part, text="", citations=()))
            if part.text:
                yield TextDelta(index, part.text)
            for citation in part.citations:
                yield CitationDelta(index, citation)
        case Refusal():
            yield PartStart(index, replace(part, text=""))
            if part.text:
                yield TextDelta(index, part.text)
        case Thinking():
            whole = not part.text
            yield PartStart(index, part if whole else replace(part, text="", signed=None))
            if part.text:
                yield ThinkingDelta(index, part.text)
            if part.signed is not None and not whole:
                yield SignatureDelta(index, part.signed)
        case ToolCall() | ServerToolCall():
            yield PartStart(index, replace(part, arguments=""))
            if part.arguments:
                yield ArgumentsDelta(index, part.arguments)
        case _:
            yield PartStart(index, part)
    yield PartStop(index)
