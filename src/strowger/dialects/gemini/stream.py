"""The stream of a Gemini upstream to events: SSE or one JSON array, each chunk bare or in Code Assist's envelope.

Theory of operation. A chunk brings parts of the answer; texts that follow each other are one text. There is no word
for the end: a finish reason was seen, and the input ends. Texts may go on after it, and an error may follow. Without a
reason the stream was cut, and that is a Failure. What an answer is drawn from is told at the end, so a text stays open
until something else begins; a signature on it waits that long as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import itemgetter

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import mended
from strowger.dialects.framing import BOM, ArrayDecoder, FrameTooLargeError, SSEDecoder
from strowger.dialects.gemini.calls import NO_ID
from strowger.dialects.gemini.chunks import Chunk, TextPart, decode_chunk, decode_text_part
from strowger.dialects.gemini.errors import failure_of, told
from strowger.dialects.gemini.grounding import GROUNDING, Grounds, Said, recited, within
from strowger.dialects.gemini.members import Members, starts
from strowger.dialects.gemini.partial import Arguments, Piece, decode_piece
from strowger.dialects.gemini.response import (
    CITED,
    Reader,
    blocked_by,
    decode_response,
    finish_of,
    opened,
    searched,
    start_of,
    word_of,
)
from strowger.dialects.gemini.usage import parse_usage
from strowger.dialects.gemini.wire import FAILURES, NAME, ON_CALL, ON_TEXT, SIGNATURE
from strowger.errors import ErrorKind, Malformed
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
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Part, Signed, Text, Thinking, ToolCall
from strowger.ir.response import unfold_part

LONGEST_PLAIN_BODY = 32 * 1024 * 1024
"""Bytes kept of an answer that is not a stream."""

_DATA = itemgetter(1)  # of a frame
_TOTAL = b'"totalTokenCount"'
_BESIDE = (GROUNDING, CITED, "urlContextMetadata")
"""Members of a candidate that some servers send empty where they have nothing to say."""


class StreamDecoder:
    """Bytes of one stream to events; see `strowger.dialects.base.Decoder`."""

    def __init__(self, setup: DecoderSetup) -> None:
        self._setup = setup
        self._reader = Reader(setup)
        self._head: bytes | None = b""
        self._sse = SSEDecoder()
        self._array: ArrayDecoder | None = None
        self._plain: bytearray | None = None
        self._started = False
        self._ended = False
        self._count = 0
        self._open: Part | None = None
        self._said: list[str] = []
        self._begin = 0
        self._length = 0
        self._behind: Signed | None = None
        self._arguments: Arguments | None = None
        self._usage: list[Raw] = []
        self._word = ""
        self._blocked = ""
        self._rest: dict[str, Raw] = {}
        self._choice: int | None = None

    # ---- the protocol ----

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes, in legal order."""
        out: list[Event] = []
        if self._ended:
            return out
        if self._head is not None:
            data = self._recognised(data)
        if self._plain is not None:
            self._plain += data[: max(0, LONGEST_PLAIN_BODY - len(self._plain))]
            return out
        try:
            if self._array is not None:
                self._all(self._array.feed(data), out)
            else:
                self._all(map(_DATA, self._sse.feed(data)), out)
        except FrameTooLargeError as error:
            self._fail(_malformed(f"the upstream's stream cannot be read: {error}"), out)
        return out

    def close(self) -> list[Event]:
        """The end of input."""
        out: list[Event] = []
        if self._ended:
            return out
        if self._plain is not None:
            self._ended = True
            return decode_response(bytes(self._plain), self._setup)
        if self._array is None and self._all([frame.data for frame in self._sse.close()], out):
            return out
        seen = told(self._sse.stray) if self._sse.stray else None
        if seen is not None:  # the reason for the end is no event, but bare JSON
            self._fail(failure_of(seen), out)
        else:
            self._end(out)
        return out

    def skips(self, data: bytes) -> bool:
        """Whether `data` is one chunk of texts, without a reason, a signature or anything told beside."""
        return (
            data.startswith(b"data: {")
            and data.find(b"\n") >= len(data) - 3
            and b'"text"' in data
            and data.endswith((b"\r\n\r\n", b"\n\n"))
            and _TELLING.search(data) is None
            and self._started
            and self._array is None
            and self._sse.between
        )

    def _recognised(self, data: bytes) -> bytes:
        """Which kind of stream it is, by its first byte; gives what is to be read of it."""
        start = ((self._head or b"") + data).lstrip()
        if BOM.startswith(start[: len(BOM)]) and len(start) < len(BOM):
            self._head = start
            return b""
        start = start.removeprefix(BOM).lstrip()
        self._head = None if start else b""
        if not start:
            return b""
        if start[:1] == b"[":
            self._array = ArrayDecoder()
        elif start[:1] in {b"{", b"<"}:
            self._plain = bytearray()
        return start

    # ---- chunks ----

    def _all(self, datas: Iterable[bytes], out: list[Event]) -> bool:
        """Take the chunks; whether the answer is at its end."""
        for data in datas:
            self._chunk(data, out)
            if self._ended:
                return True
        return False

    def _chunk(self, data: bytes, out: list[Event]) -> None:
        if not data.isascii():  # half a character must not end a stream
            data = data.decode("utf-8", "replace").encode()
        try:
            chunk = decode_chunk(data)
            if chunk is None or not self._started or not self._add_plain(chunk, out):
                self._add(data, out)
        except (Malformed, msgspec.MsgspecError, RecursionError) as wrong:
            if data.strip() in {b"", b"[DONE]"}:
                return
            if (whole := mended(data)) != data:
                self._chunk(whole, out)
                return
            words = f"the upstream sent a chunk that cannot be read: {getattr(wrong, 'message', wrong)}"
            self._fail(_malformed(words), out)

    def _add_plain(self, chunk: Chunk, out: list[Event]) -> bool:
        """A chunk of texts and counts, as nearly all are; False for any other."""
        if chunk.error or chunk.response or chunk.prompt_feedback:
            return False
        candidates = chunk.candidates
        if candidates:
            if len(candidates) > 1:
                return False
            candidate = candidates[0]
            if candidate.index != self._choice or not candidate.plain():
                return False
            if candidate.content is not None and candidate.content.parts:
                for part in candidate.content.parts:
                    self._text_part(part, out)
        if len(chunk.usage_metadata) > 4:
            self._count_usage(chunk.usage_metadata)
        return True

    def _add(self, data: bytes, out: list[Event]) -> None:
        """Any chunk, member by member."""
        fields = opened(data)
        if fields.says("error"):
            seen = told(bytes(msgspec.json.encode(fields.rest)))
            if seen is not None:
                self._fail(failure_of(seen), out)
                return
        candidates = fields.items("candidates") or []
        usage = fields.raw("usageMetadata")
        if usage is not None:
            self._count_usage(usage)
        self._blocked = self._blocked or blocked_by(fields.look("promptFeedback"))
        if not self._started:
            out.append(start_of(fields))
            self._started = True
        for i, raw in enumerate(candidates):
            self._candidate(Members(raw, f"candidates[{i}]", Malformed), raw, out)
        if self._word in FAILURES and isinstance(failure := self._finish(), Failure):
            self._fail(failure, out)  # at once: whoever passes the bytes on has passed on all there is to say

    def _candidate(self, candidate: Members, raw: Raw, out: list[Event]) -> None:
        index = candidate.rest.get("index", Raw(b"0"))
        number = int(bytes(index)) if bytes(index).isdigit() else 0
        if self._choice is None:
            self._choice = number
        if number != self._choice:  # a further answer, for clients of this dialect
            out.append(Note(Raw(b'{"candidates":[' + bytes(raw) + b"]}")))
            return
        if candidate.is_object("content") and (content := candidate.members("content")) is not None:
            for i, part in enumerate(content.items("parts") or ()):
                self._part(part, f"{content.path}.parts[{i}]", out)
            candidate.keep("content", content, empty=True)
        self._word = word_of(candidate.look("finishReason")) or self._word
        if "logprobsResult" in candidate.rest:
            beside = Raw(b'{"candidates":[{"logprobsResult":' + bytes(candidate.rest.pop("logprobsResult")) + b"}]}")
            out.append(Note(beside))
        for key, value in candidate.rest.items():
            if key not in _BESIDE or bytes(value) != b"{}" or key not in self._rest:
                self._rest[key] = value

    def _count_usage(self, raw: Raw) -> None:
        """Counts are of all that came so far. A sum of them all leaves nothing of earlier ones."""
        if _TOTAL in bytes(raw):
            self._usage.clear()
        self._usage.append(raw)

    # ---- parts ----

    def _part(self, raw: Raw, path: str, out: list[Event]) -> None:
        if bytes(raw) == b"{}":
            return
        text = decode_text_part(raw)
        if text is not None and (text.text is not None or text.thought_signature):
            self._text_part(text, out)
            return
        fields = Members(raw, path, Malformed)
        call = fields.look("functionCall")
        if call is not None and starts(call, b"{"):
            piece = decode_piece(call)
            if piece is not None and self._in_pieces(piece, fields, out):
                return
        for part in self._reader.parts(raw, path):
            if isinstance(part, Text) and not part.text:
                continue
            self._close_part(out)
            self._whole(part, out)

    def _whole(self, part: Part, out: list[Event]) -> None:
        if isinstance(part, Text):
            self._begin = self._length
            self._say(part.text)
        out += unfold_part(self._count, part)
        self._count += 1

    def _text_part(self, part: TextPart, out: list[Event]) -> None:
        text, signature = part.text, part.thought_signature
        if part.thought:
            if type(self._open) is not Thinking and (text or signature):
                self._start_part(Thinking(""), out)
            if text:
                out.append(ThinkingDelta(self._count - 1, text))
            if signature:
                out.append(SignatureDelta(self._count - 1, Signed(self._reader.origin, SIGNATURE, signature)))
                self._close_part(out)
            return
        if text:
            if type(self._open) is not Text or self._behind is not None:
                self._start_part(Text(""), out)
                self._begin = self._length
            self._say(text)
            out.append(TextDelta(self._count - 1, text))
        if signature:
            signed = Signed(self._reader.origin, SIGNATURE, signature, ON_TEXT)
            if type(self._open) is not Text or self._behind is not None:
                self._close_part(out)
                self._whole(Thinking("", signed), out)
            else:
                self._behind = signed

    def _say(self, text: str) -> None:
        self._said.append(text)
        self._length += len(text)

    def _start_part(self, part: Part, out: list[Event]) -> None:
        self._close_part(out)
        self._open = part
        out.append(PartStart(self._count, part))
        self._count += 1

    def _close_part(self, out: list[Event]) -> None:
        part, self._open = self._open, None
        if part is None:
            return
        if self._arguments is not None and isinstance(part, ToolCall):
            whole = self._reader.call(replace(part, arguments=self._arguments.text()))
            self._arguments = None
            out.append(ArgumentsDelta(self._count - 1, whole.arguments))
        out.append(PartStop(self._count - 1))
        signed, self._behind = self._behind, None
        if signed is not None:
            self._whole(Thinking("", signed), out)

    def _in_pieces(self, piece: Piece, fields: Members, out: list[Event]) -> bool:
        """A call that comes in pieces, or a piece of it; False for one that is whole."""
        going = self._arguments is not None
        # A server may repeat name and id in each piece, and the whole arguments in the last.
        again = going and isinstance(self._open, ToolCall) and piece.id == self._open.id
        if not going or (piece.name and not again):
            if not (piece.will_continue or piece.partial_args) or not piece.name:
                return False
            self._begin_call(piece, fields, out)
        if self._arguments is not None:
            self._arguments.add(piece)
        if not piece.will_continue:
            self._close_part(out)
        return True

    def _begin_call(self, piece: Piece, fields: Members, out: list[Event]) -> None:
        name = piece.name or ""
        call_id = self._reader.call_id(piece.id, name)
        signature = fields.text("thoughtSignature")
        self._close_part(out)
        if signature:
            signed = Signed(self._reader.origin, SIGNATURE, signature, ON_CALL + call_id)
            self._whole(Thinking("", signed), out)
        call = self._reader.call(ToolCall(call_id, name, "", form="" if piece.id else NO_ID))
        self._arguments = Arguments()
        self._start_part_of_call(call, name, out)

    def _start_part_of_call(self, call: ToolCall, name: str, out: list[Event]) -> None:
        out.append(PartStart(self._count, replace(call, arguments="")))
        self._count += 1
        self._open = replace(call, name=name, arguments="", kind="function")

    # ---- the end ----

    def _end(self, out: list[Event]) -> None:
        finish = self._finish()
        if isinstance(finish, Failure):
            self._fail(finish, out)
            return
        self._ended = True
        raw = self._rest.get(GROUNDING)
        grounds = None if raw is None else Grounds(raw)
        if isinstance(self._open, Text):
            out += self._citations(grounds)
        self._close_part(out)
        if grounds is not None and (found := grounds.search(self._reader.search_id())) is not None:
            for part in found:
                self._whole(part, out)
        usage = searched(self._counted(), grounds)
        if usage != Usage():
            out.append(UsageUpdate(usage))
        out.append(finish)

    def _citations(self, grounds: Grounds | None) -> list[Event]:
        """Citations of the text that is still open; what is drawn from elsewhere before it has gone."""
        source = self._rest.get(CITED)
        if grounds is None and source is None:
            return []
        said = Said("".join(self._said))
        found = [] if grounds is None else grounds.citations(said)
        if source is not None:
            found += recited(source, said)
        return [CitationDelta(self._count - 1, each) for each in within(found, self._begin, self._length)]

    def _finish(self) -> Finish | Failure:
        if not self._word:
            if self._blocked and not self._count:
                return Finish(StopReason.REFUSAL, self._blocked)
            return Failure(ErrorKind.UPSTREAM, "the upstream's stream ended before its end", "truncated")
        return finish_of(self._word, self._rest, called=self._reader.called)

    def _counted(self) -> Usage:
        usage = Usage()
        for raw in self._usage:
            seen = parse_usage(raw)
            if seen is not None:
                usage = usage.merged(seen)
        return usage

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        self._ended = True
        if self._started and (usage := self._counted()) != Usage():
            out.append(UsageUpdate(usage))
        out.append(failure)


def decode_body(body: bytes, setup: DecoderSetup) -> list[Event]:
    """A whole answer as events, also one that is the array of a stream."""
    if body.lstrip()[:1] != b"[":
        return decode_response(body, setup)
    decoder = StreamDecoder(setup)
    return decoder.feed(body) + decoder.close()


_TELLING = re.compile(
    rb'"(?:finishReason|thoughtSignature|functionCall|error|promptFeedback|groundingMetadata|citationMetadata)"'
)
"""What makes a chunk more than text."""


def _malformed(what: str) -> Failure:
    return Failure(ErrorKind.UPSTREAM, what, "malformed")


__all__ = ["NAME", "StreamDecoder"]
