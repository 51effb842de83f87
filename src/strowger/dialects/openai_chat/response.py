"""The stream of a Chat Completions upstream, to events.

Theory of operation. Chunks say what to add: text, thinking, pieces of tool calls. The sequencer puts the parts in
order. `finish_reason` is not the end: usage may follow it, and so may text; the end is `[DONE]`, or the end of input
when a finish reason was seen. Without either, the stream was cut, and that is a Failure. Servers differ in what they
leave out, repeat or misplace; what is known of that is written where it is handled.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import mended
from strowger.dialects.framing import Frame, FrameTooLargeError, SSEDecoder
from strowger.dialects.likeness import Likeness
from strowger.dialects.openai_chat.assembly import Assembly
from strowger.dialects.openai_chat.chunks import (
    Choice,
    Chunk,
    Delta,
    Groq,
    decode_chunk,
    decode_delta,
    index_of,
    only_text,
    present,
)
from strowger.dialects.openai_chat.citing import citation, pages
from strowger.dialects.openai_chat.errors import Told, failure_of, told
from strowger.dialects.openai_chat.parts import Json, thinking_text
from strowger.dialects.openai_chat.thinking import detail_text, merge_detail
from strowger.dialects.openai_chat.thinktags import OPEN, ThinkTags
from strowger.dialects.openai_chat.unary import decode_response, finish_of
from strowger.dialects.openai_chat.usage import parse_usage
from strowger.dialects.openai_chat.wire import FAILURES, NAME, REASONING, REASONING_DETAILS
from strowger.dialects.refusals import unstructured
from strowger.dialects.sequencer import Sequencer, Slot
from strowger.errors import ErrorKind
from strowger.ir.events import (
    CitationDelta,
    Event,
    Failure,
    Note,
    Start,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import NO_EXTRAS, Extras, Part, Refusal, Signed, Text, Thinking

DONE = b"[DONE]"
_NULL = b"null"
_KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation", "p", "error"})
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ANY = msgspec.json.Decoder(Raw)
_TEXT = Text("")


class _Others(Struct):
    choices: list[Raw]


class ChatDecoder:
    """Bytes of one stream to events; see `strowger.dialects.base.Decoder`."""

    def __init__(self, setup: DecoderSetup) -> None:
        self._setup = setup
        self._sse = SSEDecoder()
        self._sequencer = Sequencer()
        self._head: list[bytes] | None = []  # all that came, until the first frame
        self._started = False
        self._ended = False
        self._choice: int | None = None
        self._text: Slot | None = None
        self._thinking: Slot | None = None
        self._refusal: Slot | None = None
        self._details: list[Json] = []
        self._uncited: list[Raw] = []
        self._annotated = False
        self._pages: tuple[Raw, Raw] | None = None
        self._said = 0
        self._before_text = 0
        self._spelled = False
        self._tags: ThinkTags | None = ThinkTags()
        self._calls = Assembly(setup, self._sequencer)
        self._likeness = Likeness(b"content")
        self._usage: Usage | None = None
        self._reason: str | None = None
        self._stop: str | None = None

    # ---- the protocol ----

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes."""
        out: list[Event] = []
        if self._ended:
            return out
        if self._head is not None:
            self._head.append(data)
        elif not self._uncited and data.startswith(b"data: ") and data.endswith(b"\n\n") and self._sse.between:
            text = self._likeness.text(data[6:-2])
            if text is not None:  # one event, as it mostly is, and like the one before
                if text:
                    self._content(text, out)
                return out
        try:
            frames = self._sse.feed(data)
        except FrameTooLargeError as error:
            self._fail(Failure(ErrorKind.UPSTREAM, f"the upstream's stream cannot be read: {error}", "malformed"), out)
            return out
        self._frames(frames, out)
        return out

    def close(self) -> list[Event]:
        """The end of input."""
        out: list[Event] = []
        if self._ended:
            return out
        if self._frames(self._sse.close(), out):
            return out
        if self._reason is not None:
            self._finish(out)
        elif self._head is not None and not self._started:
            self._unframed(b"".join(self._head), out)
        else:
            self._fail(Failure(ErrorKind.UPSTREAM, "the upstream's stream ended before its end", "truncated"), out)
        return out

    def skips(self, data: bytes) -> bool:
        """Whether `data` is one chunk that neither ends the answer, nor counts, nor fails."""
        return (
            data.startswith(b"data: {")
            and data.find(b"\n") == len(data) - 2
            and b'"finish_reason":null' in data
            and (b'"usage"' not in data or b'"usage":null' in data)
            and b'"error"' not in data
            and data.endswith(b"\n\n")
            and self._started
            and self._sse.between
        )

    def _frames(self, frames: list[Frame], out: list[Event]) -> bool:
        """Take the frames; whether the answer is at its end."""
        if frames:
            self._head = None
        for event, data in frames:
            if not event and not self._uncited and (text := self._likeness.text(data)) is not None:
                if text:
                    self._content(text, out)
                continue
            self._frame(event, data, out)
            if self._ended:
                return True
        if self._sse.stray and self._head is None:
            self._stray(out)
        return self._ended

    def _stray(self, out: list[Event]) -> None:
        """A line of bare JSON between the events: it ends the stream when it is an error, else it is noise."""
        seen, self._sse.stray = told(self._sse.stray), b""
        if seen is not None and (seen.code or seen.type or seen.raw):
            self._fail(failure_of(seen), out)

    def _unframed(self, body: bytes, out: list[Event]) -> None:
        """No event came at all: the body may be an error, or a whole answer of a server that does not stream."""
        lines = [line for line in body.splitlines() if not line.startswith(b":")]
        text = b"\n".join(lines).strip()
        self._ended = True
        if not text:
            out.append(Failure(ErrorKind.UPSTREAM, "the upstream's stream was empty", "truncated"))
        elif text.startswith(b"{") and _is_json(text):
            out += decode_response(text, self._setup)
        elif text.startswith(b"data:"):
            out.append(Failure(ErrorKind.UPSTREAM, "the upstream's stream ended before its end", "truncated"))
        else:
            out.append(Failure(ErrorKind.UPSTREAM, unstructured(200, text), "malformed"))

    # ---- chunks ----

    def _frame(self, event: str, data: bytes, out: list[Event]) -> None:
        if data.startswith(DONE):
            self._done(out)
            return
        if not data.isascii():  # some servers cut characters in two; half a character must not end a stream
            data = data.decode("utf-8", "replace").encode()
        try:
            chunk = decode_chunk(data)
        except msgspec.DecodeError:
            self._not_json(event, data, out)
            return
        if chunk is None:
            return
        choices = chunk.choices
        if event or not choices or chunk.error:
            stated = event == "error" or present(chunk.error)
            if (stated or choices is None) and self._is_error(chunk, data, out, stated=stated):
                return
        if choices:
            if not self._started:
                self._start(chunk, data, out)
            elif self._likeness.learns and (text := only_text(chunk, self._choice)) and not event:
                self._likeness.learn(data, text)
            for choice in choices:
                self._take(choice, data, out)
                if self._ended:
                    return
        if len(chunk.usage) > 4:  # it is not null
            self._count(chunk.usage)
        if len(chunk.search_results) > 4 or len(chunk.citations) > 4:
            self._pages = (chunk.citations, chunk.search_results)
        if chunk.x_groq is not None:
            self._groq(chunk.x_groq, out)

    def _groq(self, corner: Groq, out: list[Event]) -> None:
        """Groq tells usage and errors in a member of its own, the usage where others do as well in the same chunk."""
        if corner.error is not None:
            self._fail(failure_of(Told(corner.error)), out)
        elif present(corner.usage):
            self._count(corner.usage)

    def _not_json(self, event: str, data: bytes, out: list[Event]) -> None:
        """Empty data is a keep-alive, and half a character can be mended; else it is the end of our understanding."""
        if (whole := mended(data)) != data:
            self._frame(event, whole, out)
        elif data.strip():
            message = f"the upstream sent an event that is not JSON: {data[:100].decode('utf-8', 'replace')}"
            self._fail(Failure(ErrorKind.UPSTREAM, message, "malformed"), out)

    def _done(self, out: list[Event]) -> None:
        if self._started:
            self._finish(out)
        else:
            self._fail(Failure(ErrorKind.UPSTREAM, "the upstream's stream held no answer", "truncated"), out)

    def _is_error(self, chunk: Chunk, data: bytes, out: list[Event], *, stated: bool) -> bool:
        """Whether a chunk is an error, which then ends the stream. `stated`: it says so itself."""
        seen = told(data)
        if seen is None and not stated:
            return False
        if seen is None:
            words = data[:300].decode("utf-8", "replace")
            self._fail(Failure(ErrorKind.UPSTREAM, f"the upstream sent an error: {words}"), out)
            return True
        if stated or seen.code or seen.type:
            self._fail(failure_of(seen), out)
            return True
        return False

    def _start(self, chunk: Chunk, data: bytes, out: list[Event]) -> None:
        self._started = True
        extras: Extras = {
            key: value for key, value in _MEMBERS.decode(data).items() if key not in _KNOWN and bytes(value) != _NULL
        }
        created = None if chunk.created is None else int(chunk.created)
        identity = chunk.id or self._setup.new_id("chatcmpl-")
        out.append(Start(NAME, identity, chunk.model or "", created, extras or NO_EXTRAS))

    def _take(self, choice: Choice, data: bytes, out: list[Event]) -> None:
        if choice.index != self._choice:
            if self._choice is not None:
                self._note_other(choice.index, data, out)
                return
            self._choice = choice.index
        delta = choice.delta
        if delta is None and present(choice.message) and not self._sequencer.count:
            delta = decode_delta(choice.message)
        if delta is not None:
            self._add(delta, out)
        if len(choice.logprobs) > 4 and b"[" in bytes(choice.logprobs):  # else they are null, or all their members are
            out.append(
                Note(Raw(b'{"index":0,"delta":{},"finish_reason":null,"logprobs":' + bytes(choice.logprobs) + b"}"))
            )
        if choice.finish_reason is not None:
            self._stopped(choice, out)
        if len(choice.usage) > 4:
            self._count(choice.usage)

    def _note_other(self, index: int, data: bytes, out: list[Event]) -> None:
        """A piece of a further answer (`n` over 1), for clients of this dialect."""
        for raw in msgspec.json.decode(data, type=_Others).choices:
            if index_of(raw) == index:
                out.append(Note(raw))

    def _stopped(self, choice: Choice, out: list[Event]) -> None:
        reason = choice.finish_reason or ""
        if reason in FAILURES:
            kind = ErrorKind.OVERLOADED if reason == "insufficient_system_resource" else ErrorKind.UPSTREAM
            self._fail(Failure(kind, FAILURES[reason], reason), out)
            return
        if not self._reason:  # some say it again in the chunk with the usage; the first word counts
            self._reason = reason
            for stop in (choice.stop_reason, choice.matched_stop):
                if isinstance(stop, str):
                    self._stop = stop

    def _count(self, raw: Raw) -> None:
        usage = parse_usage(raw)
        if usage is not None:
            self._usage = usage if self._usage is None else self._usage.merged(usage)

    # ---- the end ----

    def _finish(self, out: list[Event]) -> None:
        self._ended = True
        self._release(out)
        if self._uncited:
            self._cite(out)
        if self._pages and not self._annotated:
            self._draw(self._pages, out)
        self._calls.finish(out)
        self._sequencer.end(out)
        if self._usage is not None:
            out.append(UsageUpdate(self._usage))
        out.append(finish_of(self._reason, self._stop, called=self._calls.called))

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        self._ended = True
        if self._started and self._usage is not None:
            out.append(UsageUpdate(self._usage))
        out.append(failure)

    # ---- text and thinking ----

    def _add(self, delta: Delta, out: list[Event]) -> None:
        thought = delta.reasoning_content or delta.reasoning
        if thought or delta.reasoning_details:
            self._reasoned(delta, thought or "", out)
        content = delta.content
        if content:
            if isinstance(content, str):
                self._content(content, out)
            else:
                self._content_parts(content, out)
        if delta.refusal:
            self._refusal = self._grown(self._refusal, Refusal(""), delta.refusal, out)
        if delta.annotations:
            self._uncited += delta.annotations
        if self._uncited and self._text is not None:
            self._cite(out)
        if len(delta.audio) > 4:
            self._note({"audio": delta.audio}, out)
        if delta.tool_calls:
            self._release(out)
            for piece in delta.tool_calls:
                self._calls.add(piece, out)
        if delta.function_call is not None:
            self._release(out)
            self._calls.add_function_call(delta.function_call, out)

    def _grown(self, slot: Slot | None, part: Part, text: str, out: list[Event]) -> Slot:
        """`text` added to the slot, or to a new one for `part` when something else has begun since."""
        sequencer = self._sequencer
        if slot is None or slot is not sequencer.last:
            slot = sequencer.begin(part, out)
        sequencer.extend(slot, text, out)
        return slot

    def _content(self, text: str, out: list[Event]) -> None:
        tags = self._tags
        if tags is None:
            self._say(text, out)
            return
        self._stretches(tags.split(text), out)
        if tags.done:
            self._tags = None

    def _say(self, text: str, out: list[Event]) -> None:
        slot = self._text
        self._text = self._grown(slot, _TEXT, text, out)
        if self._text is not slot:
            self._before_text = self._said
        self._said += len(text)

    def _stretches(self, stretches: list[tuple[bool, str]], out: list[Event]) -> None:
        for is_thinking, text in stretches:
            if is_thinking:
                self._think(text, OPEN, out)
            else:
                self._say(text, out)

    def _release(self, out: list[Event]) -> None:
        """Let go of content that might have been the beginning of a tag."""
        if self._tags is not None:
            tags, self._tags = self._tags, None
            self._stretches(tags.rest(), out)

    def _content_parts(self, parts: list[Any], out: list[Event]) -> None:
        """Mistral's content: text and thinking parts."""
        self._release(out)
        for part in parts:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text" and isinstance(part.get("text"), str):
                self._content(part["text"], out)
            elif kind == "thinking" and (text := thinking_text(msgspec.json.encode(part.get("thinking")))) is not None:
                self._think(text, "part", out)
            else:
                self._note({"content": [part]}, out)

    def _reasoned(self, delta: Delta, thought: str, out: list[Event]) -> None:
        self._release(out)
        details = delta.reasoning_details or ()
        form = (
            "reasoning_content" if delta.reasoning_content else "reasoning" if delta.reasoning else "reasoning_details"
        )
        if thought:
            self._spelled = True
        # The details repeat the text that stands beside them, maybe in a chunk of their own.
        words = thought if self._spelled else "".join(detail_text(raw) for raw in details)
        self._think(words, form, out)
        for raw in details:
            merge_detail(self._details, msgspec.json.decode(raw))

    def _think(self, text: str, form: str, out: list[Event]) -> None:
        slot, sequencer = self._thinking, self._sequencer
        if slot is None or slot is not sequencer.last:
            details = self._details = []
            slot = self._thinking = sequencer.begin(Thinking("", form=form), out, partial(self._signed, details))
        if text:
            sequencer.extend(slot, text, out)

    def _signed(self, details: list[Json]) -> Signed | None:
        """Whose thinking it was, and what its issuer wants to see again."""
        origin = self._setup.origin
        if details:
            return Signed(origin, REASONING_DETAILS, msgspec.json.encode(details).decode())
        return Signed(origin, REASONING, "") if origin else None

    def _cite(self, out: list[Event]) -> None:
        """Citations may come before the text they belong to; when it is told already, they are a note."""
        annotations, self._uncited = self._uncited, []
        self._annotated = True
        slot = self._text
        if slot is None or slot is not self._sequencer.last or slot.index < 0:
            self._note({"annotations": annotations}, out)
        else:
            out += [CitationDelta(slot.index, citation(raw, self._before_text)) for raw in annotations]

    def _draw(self, beside: tuple[Raw, Raw], out: list[Event]) -> None:
        """The pages that were listed beside the answer, for the text that is its last part."""
        slot = self._text
        if slot is not None and slot is self._sequencer.last and slot.index >= 0:
            out += [CitationDelta(slot.index, page) for page in pages(*beside)]

    def _note(self, delta: Json, out: list[Event]) -> None:
        """Something that has no event: for clients of this dialect, as the choice it would stand in."""
        out.append(Note(Raw(msgspec.json.encode({"index": 0, "delta": delta, "finish_reason": None}))))


def _is_json(text: bytes) -> bool:
    try:
        _ANY.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
