"""What may be given to somebody else: messages without credentials, names of accounts and home directories.

Credentials are told by their looks, by a function that is handed in. What a stream says is looked at as a whole, as a
credential may come in pieces, and cut into pieces again. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from strowger.flows.pretty import is_binary, is_stream
from strowger.flows.tape import HIDDEN, Headers, Message, redacted

Clean = Callable[[str], str]
Path = tuple[str | int, ...]

# Members and headers that say who somebody is.
_IDENTITIES = re.compile(
    r"(?i)^(?:user_?id|user|safety_identifier|email(?:_?address)?|.*(?:account|organi[sz]ation|device|installation)_?(?:uu)?id)$"
)
_IDENTITY_HEADERS = ("organization", "account", "installation-id", "device-id", "cf-ray", "x-forwarded", "project")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[A-Za-z]{2,24}(?![\w-])")
_HOMES = re.compile(
    r"(?<![\w.~-])/(?:home|Users)/[^/\s\"'\\:;,<>|()]{1,64}|(?<!\w)[A-Za-z]:\\{1,2}Users\\{1,2}[^\\\s\"':;,<>|()]{1,64}"
)
# Claude Code names the directory of a project's notes after its path: `-home-me-work`.
_DASHED_HOMES = re.compile(r"(?<=/)-(?:home|Users)-[^-/\s\"']{1,64}(?=[-/\s\"']|$)")


class Cleaner:
    """Takes out of texts, bodies and messages what is nobody else's business.

    `secrets` replaces credentials in a text. `homes` are directories that become `~`, besides those that look like one.
    With `mails` e-mail addresses are hidden, too.
    """

    def __init__(self, secrets: Clean, *, homes: tuple[str, ...] = (), mails: bool = True) -> None:
        self._secrets = secrets
        self._mails = mails
        named = [re.escape(home.rstrip("/\\")) for home in homes if len(home.rstrip("/\\")) > 1]
        self._homes = re.compile(rf"(?<![\w.~/-])(?:{'|'.join(named)})(?![\w.-])") if named else None

    def text(self, text: str) -> str:
        """A text without them."""
        text = self._secrets(text)
        if self._homes is not None:
            text = self._homes.sub("~", text)
        if "Users" in text or "home" in text:
            text = _DASHED_HOMES.sub("-~", _HOMES.sub("~", text))
        if self._mails and "@" in text:
            text = _MAIL.sub(HIDDEN + "@" + HIDDEN, text)
        return text

    def plain(self, value: Any) -> Any:
        """Plain data, however deep, without them; members that say who somebody is are hidden as a whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self._member(str(name), one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(one) for one in value]
        return value

    def _member(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and value and _IDENTITIES.match(name):
            return HIDDEN
        return self.plain(value)

    def headers(self, headers: Headers) -> Headers:
        """Headers without them."""
        return tuple(
            (name, HIDDEN if any(word in name.lower() for word in _IDENTITY_HEADERS) else self.text(value))
            for name, value in redacted(headers)
        )

    def body(self, body: bytes) -> bytes:
        """A body without them: the values of JSON, a stream's events, text. Of what is no text nothing is left."""
        if not body:
            return body
        try:
            value = msgspec.json.decode(body)
            if isinstance(value, list):
                _respell(dict(enumerate(value)), self.text)  # Gemini streams as one long array
            return msgspec.json.encode(self.plain(value))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        if is_binary(body):
            return b""
        if is_stream(body):
            with suppress(RecursionError):
                return self._stream(body)
        return self.text(body.decode("utf-8", "replace")).encode()

    def message(self, message: Message) -> Message:
        """A message without them. The pieces of a stream have their moments still, each as far as its last whole line;
        another body is one piece.
        """
        body = message.body
        clean = self.body(body)
        if not clean:
            pieces, moments = [], []
        elif is_stream(body) and len(message.moments) == len(message.pieces):
            pieces, moments = cut_by_lines(clean, message.pieces), message.moments
        else:
            pieces, moments = [clean], message.moments[-1:]
        line, headers = self.text(message.line), self.headers(message.headers)
        return Message(message.kind, message.number, line, headers, pieces, moments, message.size, message.cut)

    # ---- streams ----

    def _stream(self, body: bytes) -> bytes:
        """Line by line, so that the stream stays what it is; what its events spell together is cleaned together."""
        lines = body.split(b"\n")
        events = _events(lines)
        for number, line in enumerate(lines):
            if number not in events:
                lines[number] = self.text(line.decode("utf-8", "replace")).encode()
        _respell(events, self.text)
        for number, value in events.items():
            lines[number] = _line(self.plain(value), lines[number])
        return b"\n".join(lines)


def without_spelled(body: bytes, clean: Clean) -> bytes:
    """A stream without what `clean` takes out of what its events spell together. All other lines stay as they are."""
    lines = body.split(b"\n")
    events = _events(lines)
    for number in _respell(events, clean):
        lines[number] = _line(events[number], lines[number])
    return b"\n".join(lines)


def _events(lines: list[bytes]) -> dict[int, Any]:
    """What the events of a stream say, by the number of the line."""
    events: dict[int, Any] = {}
    for number, line in enumerate(lines):
        if line.startswith(b"data:"):
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                events[number] = msgspec.json.decode(line.removeprefix(b"data:").strip())
    return events


def _line(value: Any, before: bytes) -> bytes:
    """An event in the place of another."""
    return b"data: " + msgspec.json.encode(value) + (b"\r" if before.endswith(b"\r") else b"")


def _respell(events: dict[int, Any], clean: Clean) -> set[int]:
    """Clean what the events say piece by piece: the pieces of one text have the same place in their events. Gives the
    numbers of those that say something else now.
    """
    series: dict[Path, list[tuple[int, Spot, str]]] = {}
    for number, value in events.items():
        for path, spot, text in _texts(value, (), _place_of(value)):
            series.setdefault(path, []).append((number, spot, text))
    changed: set[int] = set()
    for pieces in series.values():
        texts = [text for *_, text in pieces]
        if len(set(texts)) < 2:
            continue
        whole = "".join(texts)
        made = clean(whole)
        if made != whole:
            for (number, spot, before), text in zip(pieces, _cut_again(texts, whole, made), strict=True):
                if text != before:
                    spot.put(text)
                    changed.add(number)
    return changed


def cut_by_lines(clean: bytes, pieces: list[bytes]) -> list[bytes]:
    """A clean stream, which has as many lines, in as many pieces."""
    found: list[bytes] = []
    begin = 0
    for piece in pieces[:-1]:
        end = begin
        for _ in range(piece.count(b"\n")):
            end = clean.index(b"\n", end) + 1
        found.append(clean[begin:end])
        begin = end
    return [*found, clean[begin:]]


def _cut_again(texts: list[str], whole: str, clean: str) -> Iterator[str]:
    """Another text in as many pieces: those before and behind what has changed stay what they were."""
    shortest = min(len(whole), len(clean))
    head = next((at for at in range(shortest) if whole[at] != clean[at]), shortest)
    most = shortest - head
    tail = next((at for at in range(most) if whole[-1 - at] != clean[-1 - at]), most)
    behind, moved = len(whole) - tail, len(clean) - len(whole)
    begin = done = 0
    for text in texts:
        end = begin + len(text)
        # Inside of what has changed, pieces are as long as they were while there is something left for them.
        to = end if end <= head else end + moved if end >= behind else min(end, behind + moved)
        yield clean[done:to]
        begin, done = end, max(done, to)


class Spot(Struct, frozen=True):
    """Where a text stands in plain data."""

    inside: Any
    key: str | int

    def put(self, text: str) -> None:
        """Another text, in the same place."""
        self.inside[self.key] = text


def _place_of(value: Any) -> Path:
    """What tells the events of one text from those of another: the kind, and which part of the answer it belongs to."""
    if not isinstance(value, dict):
        return ()
    return tuple(
        str(value[name])
        for name in ("type", "index", "output_index", "content_index", "summary_index", "item_id")
        if name in value
    )


def _texts(value: Any, path: Path, place: Path) -> Iterator[tuple[Path, Spot, str]]:
    """Every text in plain data with its place, in which items of lists go by their own `index`."""
    if isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, str):
                yield (*place, *path, name), Spot(value, name), one
            else:
                yield from _texts(one, (*path, name), place)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            at = one.get("index", number) if isinstance(one, dict) else number
            if isinstance(one, str):
                yield (*place, *path, at), Spot(value, number), one
            else:
                yield from _texts(one, (*path, at), place)
