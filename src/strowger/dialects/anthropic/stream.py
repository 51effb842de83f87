"""A stream of the Messages API, as upstreams send it, to events.

Lenient where servers of this dialect are known to be: blocks that never stop or overlap, deltas without a start,
repeated starts, events that are unknown. Strict in one thing: an answer without an end is a failure.
"""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from strowger.dialects.anthropic.blocks import citation, free_text
from strowger.dialects.anthropic.errors import failure
from strowger.dialects.anthropic.response import (
    NO_TEXT,
    Counts,
    decode_response,
    members,
    part_of,
    stop_reason_of,
    word,
)
from strowger.dialects.anthropic.wire import (
    NAME,
    NULL,
    REDACTED,
    SIGNATURE,
    STREAM_EVENT,
    USUAL_END,
    USUAL_MESSAGE,
    StreamDelta,
    StreamEvent,
)
from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import Fields, mended
from strowger.dialects.framing import Frame, FrameTooLargeError, SSEDecoder
from strowger.dialects.likeness import Likeness
from strowger.dialects.refusals import unstructured
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
    Start,
    TextDelta,
    ThinkingDelta,
    UsageUpdate,
)
from strowger.ir.request import NO_EXTRAS, Extras, Opaque, Part, ServerToolCall, Signed, Text, Thinking, ToolCall

LONGEST_PLAIN_BODY = 32 * 1024 * 1024
"""Bytes kept of an answer that is not a stream."""


# as Anthropic writes it; who writes it otherwise is read
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta",'


class StreamDecoder:
    """A stream's bytes to events. One per answer."""

    def __init__(self, setup: DecoderSetup) -> None:
        self._setup = setup
        self._frames = SSEDecoder()
        self._head: bytes | None = b""
        self._plain = bytearray()
        self._counts = Counts()
        self._started = False
        self._ended = False
        self._finish: Finish | None = None
        self._called = False
        self._next = 0
        self._open: Part | None = None
        self._alike: Likeness | None = None
        """What the deltas of the open text have in common."""
        self._wire_index = 0
        self._given = ""
        self._argued = False
        self._signature: list[str] = []
        self._held: dict[str, Raw] | None = None
        self._waiting: dict[int, deque[bytes]] = {}

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes, in legal order."""
        if self._ended:
            return []
        if self._head is not None and not self._looks_like_sse(data):
            return []
        alike = self._alike if self._frames.between else None
        if alike is not None and (text := alike.text(data)) is not None:
            return [self._grown(text)] if text else []
        try:
            frames = self._frames.feed(data)
        except FrameTooLargeError as error:
            return self._fail(_malformed(f"stream cannot be read: {error}"))
        events = self._all(frames)
        if alike is not None and len(frames) == len(events) == 1 and self._frames.between and alike.learns:
            only = events[0]
            if isinstance(only, TextDelta | ThinkingDelta):
                alike.learn(data, only.text)
        return events

    def _grown(self, text: str) -> TextDelta | ThinkingDelta:
        index = self._next - 1
        return TextDelta(index, text) if type(self._open) is Text else ThinkingDelta(index, text)

    def close(self) -> list[Event]:
        """The end of input: what is still open ends here, or fails when the answer had no end."""
        if self._ended:
            return []
        if self._plain:
            return self._whole()
        events = self._all(self._frames.close())
        if events and isinstance(events[-1], Finish | Failure):
            return events
        if self._finish is not None:
            self._end(events)
        else:  # an error that is no event, but a bare line, is the reason
            stray = failure(self._frames.stray) if self._frames.stray else None
            cut = Failure(ErrorKind.UPSTREAM, "the upstream's stream ended before its end", "truncated")
            events += self._fail(stray or cut)
        return events

    def skips(self, data: bytes) -> bool:
        """Whether `data` is one delta of text, thinking or arguments; a signature is none of these."""
        return (
            data.startswith(_DELTA)
            and data.find(b"\n", len(_DELTA)) == len(data) - 2
            and (b'"text_delta"' in data or b'"input_json_delta"' in data or b'"thinking_delta"' in data)
            and data.endswith(b"\n\n")
            and self._frames.between
        )

    def _all(self, frames: list[Frame]) -> list[Event]:
        events: list[Event] = []
        for frame in frames:
            self._frame(frame, events)
            if self._ended:
                break
        return events

    # A server that ignores `stream`, or a proxy with an error page, answers with something else than events.
    def _looks_like_sse(self, data: bytes) -> bool:
        if self._plain:
            self._plain += data[: max(0, LONGEST_PLAIN_BODY - len(self._plain))]
            return False
        start = data.lstrip()
        if not start:
            return True
        self._head = None
        if start[:1] in {b"{", b"<"}:
            self._head = b""
            self._plain += start
            return False
        return True

    def _whole(self) -> list[Event]:
        self._ended = True
        return decode_response(bytes(self._plain), self._setup)

    def _fail(self, failed: Failure) -> list[Event]:
        self._ended = True
        return [failed]

    # ---- events ----

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        data = frame.data
        if not data.isascii():  # some servers cut characters in two; half a character must not end a stream
            data = data.decode("utf-8", "replace").encode()
        try:
            event = STREAM_EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if data.strip() in {b"", b"[DONE]"}:
                return
            data = mended(data)
            read = members(Raw(data))
            if read is None:
                events += self._fail(_malformed("event is not a JSON object"))
                return
            event = _lenient(read, frame.event, data)
        if (
            event.type == "content_block_delta"
            and event.index == self._wire_index
            and event.delta is not None
            and self._open is not None
            and self._delta(event.delta, data, events)
        ):
            return
        self._event(event, event.type or frame.event, data, events)

    def _delta(self, delta: StreamDelta, data: bytes, events: list[Event]) -> bool:
        """A delta of the open part; False when it is none of the common ones, or does not fit the part."""
        part, index = self._open, self._next - 1
        match delta.type:
            case "text_delta" if type(part) is Text:
                if delta.text:
                    events.append(TextDelta(index, delta.text))
            case "input_json_delta" if isinstance(part, ToolCall | ServerToolCall):
                if delta.partial_json and part.kind == "custom":  # its text is told when it can be unwrapped
                    self._given = (self._given if self._argued else "") + delta.partial_json
                    self._argued = True
                elif delta.partial_json:
                    self._argued = True
                    events.append(ArgumentsDelta(index, delta.partial_json))
            case "thinking_delta" if type(part) is Thinking:
                if delta.thinking:
                    events.append(ThinkingDelta(index, delta.thinking))
            case "signature_delta" if type(part) is Thinking:
                if delta.signature:
                    self._signature.append(delta.signature)
            case _:
                return self._rare_delta(delta.type, data, events)
        return True

    def _rare_delta(self, kind: str, data: bytes, events: list[Event]) -> bool:
        fields = members(Raw(data))
        delta = None if fields is None else members(fields.rest.get("delta", NULL))
        if delta is None:
            return False
        if kind == "citations_delta" and type(self._open) is Text and "citation" in delta.rest:
            events.append(CitationDelta(self._next - 1, citation(delta.rest["citation"])))
            return True
        if self._held is not None:
            for key, value in delta.rest.items():
                if key != "type":
                    self._held[key] = _longer(self._held.get(key), value)
            return True
        return False

    def _event(self, event: StreamEvent, kind: str, data: bytes, events: list[Event]) -> None:
        match kind:
            case "content_block_delta":
                self._stray_delta(event, data, events)
            case "content_block_start":
                self._block_start(event, data, events)
            case "content_block_stop":
                self._block_stop(event, data, events)
            case "message_start":
                self._message_start(event.message, events)
            case "message_delta":
                self._message_delta(data, events)
            case "message_stop":
                self._message_stop(events)
            case "ping":
                pass
            case _:
                failed = failure(data) if kind == "error" or b'"error"' in data else None
                if failed is not None or kind == "error":
                    failed = failed or Failure(ErrorKind.UPSTREAM, unstructured(200, data), raw=Raw(data))
                    events += self._fail(failed)
                elif self._started:
                    events.append(Note(Raw(data)))

    def _message_start(self, raw: Raw, events: list[Event]) -> None:
        try:
            usual = USUAL_MESSAGE.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._message_start_slowly(raw, events)
            return
        usage = self._counts.update(usual.usage)
        if not self._started:
            said = NO_EXTRAS if usual.stop_details is UNSET else {"stop_details": usual.stop_details}
            self._start(events, usual.id, usual.model, said)
        if usage is not None:
            events.append(UsageUpdate(usage))

    def _message_start_slowly(self, raw: Raw, events: list[Event]) -> None:
        message = members(raw)
        if message is None:
            return
        usage = self._counts.update(message.rest.pop("usage", NULL))
        blocks: list[Raw] = []
        try:
            blocks = message.items("content") or []
            answer_id, model = message.text("id"), message.text("model")
        except Malformed:
            answer_id = model = None
        for key in ("type", "role", "stop_reason", "stop_sequence", "id", "model", "content"):
            message.rest.pop(key, None)
        if not self._started:
            self._start(events, answer_id or "", model or "", message.extras())
        if usage is not None:
            events.append(UsageUpdate(usage))
        for block in blocks:  # a turn that goes on after a pause may bring blocks here
            self._open_part(block, events)
            if self._ended:
                return
            self._close_part(events)

    def _start(self, events: list[Event], answer_id: str = "", model: str = "", extras: Extras = NO_EXTRAS) -> None:
        self._started = True
        events.append(Start(NAME, answer_id or self._setup.new_id("msg_"), model, extras=extras))

    def _block_start(self, event: StreamEvent, data: bytes, events: list[Event]) -> None:
        if not self._started:
            self._start(events)
        if self._open is not None and event.index == self._wire_index:
            self._close_part(events)  # it was never stopped
        if self._open is not None:  # blocks must not overlap: this one waits for the end of the other
            self._alike = None
            self._waiting.setdefault(event.index, deque()).append(data)
            return
        self._wire_index = event.index
        self._open_part(event.content_block, events)

    def _open_part(self, block: Raw, events: list[Event]) -> None:
        try:
            part = part_of(block, self._setup)
        except Malformed as wrong:
            events += self._fail(_malformed(f"content block cannot be read: {wrong.message}"))
            return
        self._open, self._argued, self._given, self._signature = part, False, "", []
        if part is NO_TEXT:  # as nearly all begin
            self._alike = Likeness(b"text")
            events.append(PartStart(self._next, part))
            self._next += 1
            return
        key = {Text: b"text", Thinking: b"thinking"}.get(type(part))
        self._alike = None if key is None else Likeness(key)
        index, self._next = self._next, self._next + 1
        match part:
            case Text():
                bare = part if part is NO_TEXT else replace(part, text="", citations=())
                events.append(PartStart(index, bare))
                if part.text:
                    events.append(TextDelta(index, part.text))
                events += [CitationDelta(index, each) for each in part.citations]
            case Thinking() if part.signed is not None and part.signed.kind == REDACTED:
                events.append(PartStart(index, part))
            case Thinking():
                extras = {key: value for key, value in part.extras.items() if key != "signature"}
                events.append(PartStart(index, replace(part, text="", signed=None, extras=extras)))
                if part.text:
                    events.append(ThinkingDelta(index, part.text))
                if part.signed is not None:
                    self._signature.append(part.signed.blob)
            case ToolCall() | ServerToolCall():
                self._called = self._called or isinstance(part, ToolCall)
                self._given = part.arguments
                events.append(PartStart(index, replace(part, arguments="")))
            case Opaque():  # a compaction, say, grows by deltas of its own: it is told when it is whole
                held = members(block)
                self._held = {} if held is None else held.rest
            case _:
                events.append(PartStart(index, part))

    def _stray_delta(self, event: StreamEvent, data: bytes, events: list[Event]) -> None:
        """A delta of a block that waits, or of none that was started."""
        if event.index in self._waiting:
            self._waiting[event.index].append(data)
            return
        delta = event.delta
        if delta is None or (self._open is not None and self._delta(delta, data, events)):
            return
        if self._held is not None or delta.type not in {"text_delta", "thinking_delta"}:
            return
        if not self._started:
            self._start(events)
        self._close_part(events)
        kind = delta.type.removesuffix("_delta").encode()
        self._wire_index = event.index
        self._open_part(Raw(b'{"type":"' + kind + b'"}'), events)
        self._delta(delta, data, events)

    def _block_stop(self, event: StreamEvent, data: bytes, events: list[Event]) -> None:
        if event.index in self._waiting:
            self._waiting[event.index].append(data)
            return
        self._close_part(events)
        self._release(events)

    def _release(self, events: list[Event]) -> None:
        """Tell the blocks that waited, in the order they came, up to one that is still growing."""
        while self._waiting and self._open is None and not self._ended:
            index = next(iter(self._waiting))
            for data in self._waiting.pop(index):
                event = STREAM_EVENT.decode(data)
                self._event(event, event.type, data, events)

    def _close_part(self, events: list[Event]) -> None:
        part, self._open, self._alike = self._open, None, None
        if part is None:
            return
        index = self._next - 1
        match part:
            case ToolCall(kind="custom"):
                events.append(ArgumentsDelta(index, free_text(self._given) if self._argued else self._given))
            case ToolCall() | ServerToolCall() if not self._argued:
                events.append(ArgumentsDelta(index, self._given or "{}"))
            case Thinking() if self._signature:
                signed = Signed(self._setup.origin or NAME, SIGNATURE, "".join(self._signature))
                events.append(SignatureDelta(index, signed))
            case Opaque():
                whole = Opaque(NAME, part.kind, Raw(msgspec.json.encode(self._held or {})))
                events.append(PartStart(index, whole))
                self._held = None
            case _:
                pass
        events.append(PartStop(index))

    def _message_delta(self, data: bytes, events: list[Event]) -> None:
        try:
            usual = USUAL_END.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._message_delta_slowly(data, events)
            return
        if not self._started:
            return
        counted = self._counts.update(usual.usage)
        if counted is not None:
            events.append(UsageUpdate(counted))
        stop = usual.delta
        if stop.stop_reason and self._finish is None:
            said = {"stop_sequence": NULL}
            if stop.stop_details is not UNSET:
                said["stop_details"] = stop.stop_details
            reason = stop_reason_of(stop.stop_reason, called=self._called)
            self._finish = Finish(reason, stop.stop_reason, None, said)

    def _message_delta_slowly(self, data: bytes, events: list[Event]) -> None:
        fields = members(Raw(data))
        if fields is None or not self._started:
            return
        fields.rest.pop("type", None)
        usage = self._counts.update(fields.rest.pop("usage", NULL))
        delta = members(fields.rest.pop("delta", NULL))
        last: dict[str, Raw] = {} if delta is None else delta.rest
        native = word(last.pop("stop_reason", NULL))
        stop_sequence = word(last.get("stop_sequence", NULL))
        if stop_sequence is not None:
            last.pop("stop_sequence")
        else:
            last.setdefault("stop_sequence", NULL)
        if usage is not None:
            events.append(UsageUpdate(usage))
        if native and self._finish is None:
            reason = stop_reason_of(native, called=self._called)
            self._finish = Finish(reason, native, stop_sequence, {**last, **fields.rest})

    def _message_stop(self, events: list[Event]) -> None:
        if not self._started:
            events += self._fail(Failure(ErrorKind.UPSTREAM, "the upstream ended its stream before it began", "empty"))
            return
        self._end(events)

    def _end(self, events: list[Event]) -> None:
        self._close_part(events)
        self._release(events)
        while self._open is not None:
            self._close_part(events)
            self._release(events)
        if self._ended:
            return
        self._ended = True
        events.append(self._finish or Finish(stop_reason_of(None, called=self._called), extras={"stop_sequence": NULL}))


def _lenient(read: Fields, name: str, data: bytes) -> StreamEvent:
    """An event with halves of surrogates, or with a member of a wrong type, which then counts for nothing."""
    try:
        return STREAM_EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        rest = read.rest
        kind = word(rest.get("type", NULL)) or name
        return StreamEvent(kind, content_block=rest.get("content_block", NULL), message=rest.get("message", NULL))


def _malformed(what: str) -> Failure:
    return Failure(ErrorKind.UPSTREAM, f"the upstream's {what}", "malformed")


def _longer(old: Raw | None, new: Raw) -> Raw:
    """Strings grow, everything else is replaced."""
    before, after = (None if old is None else word(old)), word(new)
    return new if before is None or after is None else Raw(msgspec.json.encode(before + after))
