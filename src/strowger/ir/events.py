"""The events of a response, and the order they may come in.

Theory of operation. An upstream's stream, whatever its dialect, is told as

    Start (PartStart delta* PartStop)* (Finish | Failure)

* One part is open at a time, and `index` counts parts from 0 without gaps. A dialect that interleaves parts (Chat sends
  parallel tool calls mixed) is put in order by the decoder before it leaves.
* `UsageUpdate` and `Note` may come anywhere between Start and the end.
* `Failure` may come at any time, also first, also while a part is open; nothing follows it. A stream that just stops
  is a Failure of the decoder's making (`close()`), never a Finish: we do not invent the end of an answer.
* `Finish` comes only when no part is open.

`Checker` enforces this; tests run every decoder through it, and encoders rely on it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Raw, Struct

from strowger.errors import ErrorKind
from strowger.ir.request import NO_EXTRAS, Citation, Extras, Part, Signed


class StopReason(StrEnum):
    """Why the model stopped. `OTHER`: a word we do not know; `Finish.native` has it."""

    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    MAX_TOKENS = "max_tokens"
    TOOL_USE = "tool_use"
    REFUSAL = "refusal"
    PAUSE = "pause"
    CONTEXT_FULL = "context_full"
    COMPACTION = "compaction"
    OTHER = "other"


class Usage(Struct, frozen=True):
    """Token counts, each counted once; None means the upstream did not say.

    `input` is the whole prompt, cached tokens included; `cache_read` and `cache_write` are parts of it (Anthropic's
    wire count excludes them, everyone else's includes them). `output` includes `reasoning`. `estimated`: counted by
    us. `searches` are the web searches that were run. `extras` are other members of the origin's usage object.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    extras: Extras = NO_EXTRAS
    searches: int | None = None

    def merged(self, newer: Usage) -> Usage:
        """This usage with every count that `newer` states replaced: upstreams send cumulative counts."""
        return Usage(
            input=self.input if newer.input is None else newer.input,
            output=self.output if newer.output is None else newer.output,
            cache_read=self.cache_read if newer.cache_read is None else newer.cache_read,
            cache_write=self.cache_write if newer.cache_write is None else newer.cache_write,
            reasoning=self.reasoning if newer.reasoning is None else newer.reasoning,
            estimated=newer.estimated if newer.input is not None or newer.output is not None else self.estimated,
            extras={**self.extras, **newer.extras} if newer.extras else self.extras,
            searches=self.searches if newer.searches is None else newer.searches,
        )


class Start(Struct, frozen=True):
    """The answer begins. `origin` is the upstream's dialect; `created` is in Unix seconds."""

    origin: str
    id: str
    model: str
    created: int | None = None
    extras: Extras = NO_EXTRAS


class PartStart(Struct, frozen=True):
    """Part `index` opens. `part` is its head: texts and arguments are empty and grow by deltas, or whole for opaque
    parts. Thinking that has no text (redacted, or not shown) may bring its signed state here instead of in a delta.
    """

    index: int
    part: Part


class TextDelta(Struct, frozen=True, gc=False):
    """More text of an open Text or Refusal."""

    index: int
    text: str


class ThinkingDelta(Struct, frozen=True, gc=False):
    """More text of an open Thinking."""

    index: int
    text: str


class ArgumentsDelta(Struct, frozen=True, gc=False):
    """More argument text of an open ToolCall or ServerToolCall."""

    index: int
    text: str


class SignatureDelta(Struct, frozen=True):
    """The signed state of the open Thinking; at most once, after its text."""

    index: int
    signed: Signed


class CitationDelta(Struct, frozen=True):
    """A citation of the open Text. Its stretch may lie anywhere in the text so far."""

    index: int
    citation: Citation


class PartStop(Struct, frozen=True, gc=False):
    """Part `index` is complete."""

    index: int


class UsageUpdate(Struct, frozen=True):
    """Counts known so far; merge with `Usage.merged`."""

    usage: Usage


class Note(Struct, frozen=True):
    """A message of the origin dialect that is neither content nor usage (an unknown event, say), whole."""

    raw: Raw


class Finish(Struct, frozen=True):
    """The answer is complete. `native` is the upstream's own word for the reason, `extras` what it said beside it."""

    reason: StopReason
    native: str = ""
    stop_sequence: str | None = None
    extras: Extras = NO_EXTRAS


class Failure(Struct, frozen=True):
    """The upstream failed inside its stream, or the stream was cut. `raw` is its own error object, if it sent one."""

    kind: ErrorKind
    message: str
    code: str | None = None
    retry_after: float | None = None
    raw: Raw | None = None


Event = (
    Start
    | PartStart
    | TextDelta
    | ThinkingDelta
    | ArgumentsDelta
    | SignatureDelta
    | CitationDelta
    | PartStop
    | UsageUpdate
    | Note
    | Finish
    | Failure
)

Delta = TextDelta | ThinkingDelta | ArgumentsDelta | SignatureDelta | CitationDelta

# state -> event type -> next state; what is absent is illegal
TRANSITIONS: dict[str, dict[type, str]] = {
    "idle": {Start: "between", Failure: "ended"},
    "between": {PartStart: "in_part", UsageUpdate: "between", Note: "between", Finish: "ended", Failure: "ended"},
    "in_part": {
        TextDelta: "in_part",
        ThinkingDelta: "in_part",
        ArgumentsDelta: "in_part",
        SignatureDelta: "in_part",
        CitationDelta: "in_part",
        UsageUpdate: "in_part",
        Note: "in_part",
        PartStop: "between",
        Failure: "ended",
    },
    "ended": {},
}


class IllegalEventError(AssertionError):
    """A decoder broke the order above: a bug of ours."""


class Checker:
    """Walks the transition table and the part counter; raises IllegalEventError at the first wrong step."""

    def __init__(self) -> None:
        self.state = "idle"
        self._next = 0

    def check(self, event: Event) -> None:
        """Accept the next event or raise IllegalEventError."""
        following = TRANSITIONS[self.state].get(type(event))
        if following is None:
            raise IllegalEventError(f"{type(event).__name__} is not allowed when {self.state}")
        if isinstance(event, PartStart):
            if event.index != self._next:
                raise IllegalEventError(f"part {event.index} opened where {self._next} was due")
            self._next += 1
        elif isinstance(event, Delta | PartStop) and event.index != self._next - 1:
            raise IllegalEventError(f"{type(event).__name__} for part {event.index} while {self._next - 1} is open")
        self.state = following
