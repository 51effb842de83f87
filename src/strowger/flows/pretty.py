"""Bodies for people: JSON and event streams as lines of text in a stable order, and the events of an answer with their
moments.

The same value always gives the same lines, one thing on each, so that two of them can be compared line by line. Knows
no dialect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from strowger.dialects.framing import Frame, FrameTooLargeError, SSEDecoder

_INDENT = "  "
_ANY = msgspec.json.Decoder()
_ENCODE = msgspec.json.Encoder(order="sorted").encode
# What lies deeper is said in one line.
_DEEPEST = 100


class Event(Struct, frozen=True):
    """One event of an answer. `moment` is in seconds since the call had been read: when its last byte came. What is no
    stream has a single event without a `name`.
    """

    moment: float
    name: str
    data: bytes

    @property
    def kind(self) -> str:
        """Its name, or what its data says of itself, or nothing."""
        if self.name:
            return self.name
        try:
            value = _ANY.decode(self.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        said = value.get("type", value.get("object", "")) if isinstance(value, dict) else ""
        return said if isinstance(said, str) else ""


def events_of(pieces: Sequence[bytes], moments: Sequence[float]) -> list[Event]:
    """The events of an answer that came in `pieces` at `moments`."""
    if len(moments) != len(pieces):
        moments = [0.0] * len(pieces)  # of a body that was there as a whole, nobody wrote down when
    if not is_stream(b"".join(pieces[:4])):
        return [Event(moments[-1], "", b"".join(pieces))] if pieces else []
    decoder = SSEDecoder()
    found: list[Event] = []
    try:
        for piece, moment in zip(pieces, moments, strict=True):
            found += [_event(moment, frame) for frame in decoder.feed(piece)]
        found += [_event(moments[-1], frame) for frame in decoder.close()]
    except FrameTooLargeError:
        found.append(Event(moments[-1], "", b""))  # no upstream's answer gets so far
    return found


def _event(moment: float, frame: Frame) -> Event:
    return Event(moment, frame.event, frame.data)


def news(events: Iterable[Event]) -> Iterator[str]:
    """What each event says that the one before did not: in some dialects each repeats who is speaking."""
    before: dict[str, Any] = {}
    for event in events:
        found = parsed(event.data)
        if found is None or not isinstance(found[0], dict):
            yield event.data.decode("utf-8", "replace")
            continue
        said = {name: value for name, value in found[0].items() if name not in before or before[name] != value}
        if said.get("type") == event.kind:
            del said["type"]
        before = found[0]
        yield msgspec.json.encode(said).decode()


def is_stream(body: bytes) -> bool:
    """Whether a body is a stream of events: its first line says so."""
    head = body[:256].lstrip(b"\xef\xbb\xbf\r\n ")
    return head.startswith((b"event:", b"data:", b"id:", b"retry:", b":"))


def lines_of(body: bytes) -> list[str]:
    """A body as lines: JSON with its members in the order of their names, a stream event by event, text as it is."""
    if not body:
        return []
    value = parsed(body)
    with suppress(RecursionError):  # too deep to be laid out: it is shown as it is
        if value is not None:
            return list(_lines(value[0], ""))
        if is_stream(body):
            return [line for event in events_of([body], [0.0]) for line in _event_lines(event)]
    if is_binary(body):
        return [f"({len(body):,} bytes that are no text)"]
    return body.decode("utf-8", "replace").splitlines()


def parsed(body: bytes) -> tuple[Any] | None:
    """The JSON value of a body, in a tuple, as it may be null; None when it is no JSON."""
    try:
        return (_ANY.decode(body),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_binary(body: bytes) -> bool:
    """Whether a body is no text."""
    if b"\0" in body:
        return True
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start < len(body) - 4  # the last character of what was cut off may be half there
    return False


def _event_lines(event: Event) -> Iterator[str]:
    yield f"event: {event.name}" if event.name else "event"
    value = parsed(event.data)
    if value is None:
        yield from (_INDENT + line for line in event.data.decode("utf-8", "replace").splitlines())
    else:
        yield from (_INDENT + line for line in _lines(value[0], ""))


def _lines(value: Any, name: str, depth: int = 0) -> Iterator[str]:
    """A value below its name; text of several lines takes several, so that a change in one shows there."""
    if depth == _DEEPEST:
        yield f"{name}{_ENCODE(value).decode()}"
    elif isinstance(value, dict) and value:
        yield f"{name}{{"
        for key in sorted(value):
            yield from (_INDENT + line for line in _lines(value[key], f"{_quoted(key)}: ", depth + 1))
        yield "}"
    elif isinstance(value, list) and value:
        yield f"{name}["
        for one in value:
            yield from (_INDENT + line for line in _lines(one, "", depth + 1))
        yield "]"
    elif isinstance(value, str) and "\n" in value.rstrip("\n"):
        pieces = value.splitlines(keepends=True)
        yield f"{name}{_quoted(pieces[0])}"
        yield from (_INDENT + _quoted(piece) for piece in pieces[1:])
    else:
        yield f"{name}{_quoted(value) if isinstance(value, str) else msgspec.json.encode(value).decode()}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
