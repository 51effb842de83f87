"""What a fake answers, in words that both vendors' dialects can say. Pure data: knows no dialect and no socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct


class Part(Struct, frozen=True):
    """A piece of an answer. A dialect has kinds of its own besides those that all of them know."""


class Say(Part, frozen=True):
    """A piece of answer text."""

    text: str


class Think(Part, frozen=True):
    """A piece of reasoning. `redacted`: the vendor hands it out as an opaque blob only."""

    text: str
    redacted: bool = False


class Call(Part, frozen=True):
    """A tool call. `arguments` is an object, or text for arguments that are not JSON; no `id` = a fresh one."""

    name: str
    arguments: dict[str, Any] | str
    id: str = ""


class Usage(Struct, frozen=True):
    """Tokens: `fresh` + `cached` + `stored` went in (stored = written to the cache), `output` includes `reasoning`."""

    fresh: int = 100
    cached: int = 0
    stored: int = 0
    output: int = 20
    reasoning: int = 0


Stop = Literal["end", "tools", "length", "refusal", "stop_sequence", "pause", "window"]
Cut = Literal["drop", "eof", "stall", "error", "garbage"]


class Delivery(Struct, frozen=True):
    """How a stream travels, and how it breaks.

    `piece`: bytes per write; 0 = one event per write. `pause`: seconds between writes. `comments`: an SSE comment
    before each event. `event_lines=False` leaves the `event:` lines out. `cut`: after `cut_after` events the connection
    is reset (drop), closed cleanly without the terminal event (eof), kept open in silence (stall), or carries an error
    event and then ends (error) or one event that is not JSON and goes on (garbage). `error` is the vendor's error type
    and message for `cut="error"`.
    """

    gzip: bool = False
    crlf: bool = False
    piece: int = 0
    pause: float = 0.0
    comments: bool = False
    event_lines: bool = True
    cut: Cut | None = None
    cut_after: int = 0
    error: tuple[str, str] = ("overloaded_error", "Overloaded")


class Reply(Struct, frozen=True):
    """A whole answer. `stop=None`: derived from the parts. `deltas`: into how many pieces each part is cut.

    `interleave`: pieces of parallel calls are mixed, where the dialect allows it. `delay`: seconds before the headers.
    """

    parts: tuple[Part, ...] = ()
    stop: Stop | None = None
    stop_sequence: str | None = None
    usage: Usage = Usage()
    delivery: Delivery = Delivery()
    deltas: int = 3
    interleave: bool = False
    delay: float = 0.0

    @property
    def reason(self) -> Stop:
        """Why it stopped: as scripted, else by whether a tool was called."""
        if self.stop is not None:
            return self.stop
        return "tools" if any(isinstance(part, Call) for part in self.parts) else "end"


class Refuse(Struct, frozen=True):
    """An error before any stream: status, body and headers exactly as given."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


class Hang(Struct, frozen=True):
    """No answer at all: the connection is reset before headers (drop) or kept open without a word."""

    drop: bool = False


Step = Reply | Refuse | Hang
# A step may depend on the request, which is given as decoded JSON.
ScriptItem = Step | Callable[[dict[str, Any]], Step]


def say(*texts: str, **reply: Any) -> Reply:
    """An answer of one or more text parts."""
    return Reply(parts=tuple(Say(text) for text in texts), **reply)


def call(name: str, arguments: dict[str, Any] | str, *before: Say | Think, **reply: Any) -> Reply:
    """An answer that ends in one tool call."""
    return Reply(parts=(*before, Call(name, arguments)), **reply)


def bad_gateway() -> Refuse:
    """What a reverse proxy in front of a dead vendor says: HTML, not JSON."""
    page = (
        b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
    )
    return Refuse(502, page, (("content-type", "text/html"),))


def pieces(text: str, count: int) -> list[str]:
    """`text` in at most `count` pieces of about equal length; one empty piece for no text."""
    if not text:
        return [""]
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]
