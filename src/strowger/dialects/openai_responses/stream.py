"""A stream of the Responses API, as upstreams send it, to events.

Theory of operation. Items begin (`output_item.added`), grow by deltas and are told once more, whole, when they end
(`output_item.done`). Deltas go straight through; at the end of a part only what they left out is told. An item that
had none is told from its end, and what no event told at all from the last one. Servers leave out any of the three.

Nothing is said before the first item: a refusal may come after `response.created`, and until something was said it can
still become an HTTP status. An answer without an end is a failure.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import mended
from strowger.dialects.framing import Frame, FrameTooLargeError, SSEDecoder
from strowger.dialects.openai_responses.errors import Told, failure_of, members, string, told
from strowger.dialects.openai_responses.growth import Growth, Item
from strowger.dialects.openai_responses.lineup import Slot
from strowger.dialects.openai_responses.output import encoded
from strowger.dialects.openai_responses.response import (
    RESPONSE,
    counted,
    decode_response,
    end_of,
    failed,
    start_of,
)
from strowger.errors import ErrorKind, Malformed
from strowger.ir.events import Event, Failure, Note, UsageUpdate
from strowger.ir.request import Extras

LONGEST_PLAIN_BODY = 32 * 1024 * 1024
"""Bytes kept of an answer that is not a stream."""
_MOST_NOTES = 16
"""Events kept until an answer begins; then they are told."""

_NULL = Raw(b"null")

GROWING = {
    "response.output_text.delta": "message",
    "response.refusal.delta": "message",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "function_call",
    "response.custom_tool_call_input.delta": "custom_tool_call",
}
"""Deltas that are told, and the type of the items that have them."""

_WHOLE = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
}
"""Events that repeat a text whole, and the member that holds it."""

_SILENT = frozenset(
    {
        "keepalive", "response.in_progress", "response.queued",
        "response.reasoning_summary_part.added", "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.done", "response.reasoning_text.done", "response.web_search_call.in_progress",
        "response.web_search_call.searching", "response.web_search_call.completed", "response.compaction.compacting",
    }
)  # fmt: skip
"""Events that say nothing that others do not say."""

_SKIPPED = tuple(f"event: {kind}\ndata: {{".encode() for kind in GROWING)


class _Event(Struct, gc=False):
    """Any event of a stream, as far as the common kinds need it; the rare others are read again, whole."""

    type: str = ""
    output_index: int = -1
    content_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    item_id: str | None = None
    item: Raw = _NULL
    response: Raw = _NULL


_EVENT = msgspec.json.Decoder(_Event)


class StreamDecoder:
    """A stream's bytes to events. One per answer."""

    def __init__(self, setup: DecoderSetup) -> None:
        self._setup = setup
        self._frames = SSEDecoder()
        self._looking = True
        self._plain = bytearray()
        self._started = False
        self._ended = False
        self._created: dict[str, Raw] = {}
        self._notes: list[Raw] = []
        self._growth = Growth(setup)
        # the part that the last delta was of: most deltas are followed by another of its kind
        self._hot: Slot | None = None
        self._hot_kind = ""
        self._hot_index = -1
        self._hot_part = 0

    # ---- the protocol ----

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes, in legal order."""
        if self._ended:
            return []
        if self._looking and not self._looks_like_sse(data):
            return []
        try:
            frames = self._frames.feed(data)
        except FrameTooLargeError as error:
            return [self._fail(_malformed(f"stream cannot be read: {error}"))]
        return self._all(frames)

    def close(self) -> list[Event]:
        """The end of input: it is a failure unless the answer has ended."""
        if self._ended:
            return []
        if self._plain:
            self._ended = True
            return decode_response(bytes(self._plain), self._setup)
        events = self._all(self._frames.close())
        if not self._ended:  # an error that is no event, but a bare line, is the reason
            seen = told(self._frames.stray) if self._frames.stray else None
            cut = Failure(ErrorKind.UPSTREAM, "the upstream's stream ended before its end", "truncated")
            events.append(self._fail(failure_of(seen) if seen else cut))
        return events

    def skips(self, data: bytes) -> bool:
        """Whether `data` is one delta of text, thinking or arguments."""
        return (
            data.startswith(_SKIPPED)
            and data.find(b"\n", data.find(b"\n") + 1) == len(data) - 2
            and data.endswith(b"\n\n")
            and self._started
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
        if start[:1] in {b"{", b"<"}:
            self._plain += start
            return False
        self._looking = False
        return True

    def _fail(self, failure: Failure) -> Failure:
        self._ended = True
        return failure

    # ---- events ----

    def _frame(self, frame: Frame, out: list[Event]) -> None:
        data = frame.data
        if not data.isascii():  # some servers cut characters in two; half a character must not end a stream
            data = data.decode("utf-8", "replace").encode()
        try:
            event = _EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if data.strip() in {b"", b"[DONE]"}:
                return
            data = mended(data)
            seen = members(data)
            if seen is None:
                out.append(self._fail(_malformed(f"event is not a JSON object: {_shown(data)}")))
                return
            event = _lenient(seen, data)
        hot = self._hot
        if (
            hot is not None
            and event.delta is not None
            and event.type == self._hot_kind
            and event.output_index == self._hot_index
            and (event.content_index or event.summary_index) == self._hot_part
        ):
            if hot.index >= 0:
                if event.delta:
                    hot.told.append(event.delta)
                    out.append(hot.delta(hot.index, event.delta))
            else:
                self._growth.lineup.grow(hot, event.delta, out)
            return
        try:
            self._event(event, event.type or frame.event, data, out)
        except Malformed as wrong:
            out.append(self._fail(_malformed(f"item cannot be read: {wrong.message}")))

    def _event(self, event: _Event, kind: str, data: bytes, out: list[Event]) -> None:
        self._hot = None
        if kind in GROWING:
            self._delta(event, kind, out)
        elif kind in _SILENT:
            pass
        elif kind == "response.output_item.added":
            self._begin(out)
            self._growth.added(event.output_index, event.item, out)
        elif kind == "response.output_item.done":
            self._begin(out)
            self._growth.done(event.output_index, event.item, out)
        elif kind in _WHOLE:
            self._whole(event, kind, data, out)
        elif kind in {"response.content_part.added", "response.content_part.done"}:
            self._content(event, kind, data, out)
        elif kind == "response.output_text.annotation.added":
            raw = (members(data) or {}).get("annotation")
            item = self._growth.find(event.output_index, event.item_id)
            if item is not None and raw is not None:
                self._growth.annotated(item, event.content_index, raw, out)
        elif kind in {"response.completed", "response.incomplete", "response.done"}:
            self._terminal(event, data, out)
        elif kind in {"response.failed", "response.cancelled"}:
            self._failed(event, data, out)
        elif kind == "response.created":
            self._created = members(event.response) or self._created
        else:
            self._other(event, kind, data, out)

    def _begin(self, out: list[Event]) -> None:
        """The answer begins with the first that is said of it."""
        if self._started:
            return
        self._started = True
        out.append(start_of(self._created, self._setup))
        out += [Note(raw) for raw in self._notes]
        self._notes = []

    def _item(self, event: _Event, kind: str, out: list[Event]) -> Item:
        """The item that an event is of; some servers do not say that one begins."""
        self._begin(out)
        return self._growth.find(event.output_index, event.item_id) or self._growth.added(
            event.output_index, encoded({"type": kind, **({"id": event.item_id} if event.item_id else {})}), out
        )

    def _delta(self, event: _Event, kind: str, out: list[Event]) -> None:
        text = event.delta
        if not text:
            return
        item = self._item(event, GROWING[kind], out)
        place = event.content_index
        if kind == "response.reasoning_summary_text.delta":
            place = event.summary_index
        slot = self._growth.slot(item, kind, place, out)
        if slot is None:
            return
        self._growth.lineup.grow(slot, text, out)
        self._hot, self._hot_kind, self._hot_index, self._hot_part = slot, kind, event.output_index, place

    def _whole(self, event: _Event, kind: str, data: bytes, out: list[Event]) -> None:
        text = string((members(data) or {}).get(_WHOLE[kind]))
        if not text:
            return
        item = self._item(event, GROWING[kind.removesuffix("done") + "delta"], out)
        slot = self._growth.slot(item, kind.removesuffix("done") + "delta", event.content_index, out)
        if slot is not None:
            self._growth.complete(slot, text, out)

    def _content(self, event: _Event, kind: str, data: bytes, out: list[Event]) -> None:
        raw = (members(data) or {}).get("part")
        item = self._growth.find(event.output_index, event.item_id)
        if item is None or raw is None or item.kind != "message":
            return
        if kind.endswith("added"):
            item.heads[event.content_index] = raw
        else:
            self._growth.part_done(item, event.content_index, raw, out)

    def _other(self, event: _Event, kind: str, data: bytes, out: list[Event]) -> None:
        """An error in one of its shapes; else an event of an item that is told when it is whole, or an unknown one."""
        if kind == "error" or (not kind and b'"error"' in data):
            seen = told(data) or Told(f"the upstream sent an error: {_shown(data)}", raw=Raw(data))
            out.append(self._fail(failure_of(seen)))
        elif event.output_index >= 0 and not self._growth.shows(event.output_index):
            return
        elif self._started:
            out.append(Note(Raw(data)))
        elif len(self._notes) < _MOST_NOTES:
            self._notes.append(Raw(data))

    # ---- the end ----

    def _failed(self, event: _Event, data: bytes, out: list[Event]) -> None:
        # Perplexity tells the error beside where others have the response that holds it
        response = members(event.response) or members(Raw(data)) or {}
        if string(response.get("status")) == "cancelled":
            out.append(self._fail(Failure(ErrorKind.UPSTREAM, "the upstream's answer was cancelled", "cancelled")))
        else:
            out.append(self._fail(failed(response)))

    def _terminal(self, event: _Event, data: bytes, out: list[Event]) -> None:
        response = members(event.response) or {}
        status = response.get("status")
        if status is None or string(status) in {"in_progress", "queued"}:
            response["status"] = encoded(event.type.removeprefix("response.").replace("done", "completed"))
        extras = self._closing(response, data)
        end = end_of(response, extras, called=False)
        if isinstance(end, Failure):
            out.append(self._fail(end))
            return
        if not self._created:
            self._created = response
        self._begin(out)
        self._growth.finish(response.get("output"), out)
        if self._growth.called:
            end = end_of(response, extras, called=True)
        usage = counted(response, self._growth.searches)
        if usage is not None:
            out.append(UsageUpdate(usage))
        self._ended = True
        out.append(end)

    def _closing(self, response: dict[str, Raw], data: bytes) -> Extras:
        """What the last event says that the first one did not."""
        first = self._created
        changed = {
            key: value
            for key, value in response.items()
            if key not in {"output", "usage", "id", "model", "created_at"}
            and bytes(first.get(key, b"")) != bytes(value)
        }
        beside = members(data) or {}
        extras = {key: beside[key] for key in beside if key not in {"type", "sequence_number", "response"}}
        return {**extras, RESPONSE: encoded(changed)} if changed else extras


def _lenient(seen: dict[str, Raw], data: bytes) -> _Event:
    """An event with halves of surrogates, or with a member of a wrong type, which then counts for nothing."""
    try:
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        event = _Event(
            string(seen.get("type")) or "", item=seen.get("item", _NULL), response=seen.get("response", _NULL)
        )
    for key in ("output_index", "content_index", "summary_index"):
        digits = bytes(seen.get(key, b""))
        if digits.isdigit() and len(digits) < 10:
            setattr(event, key, int(digits))
    event.delta, event.item_id = string(seen.get("delta")), string(seen.get("item_id"))
    return event


def _malformed(what: str) -> Failure:
    return Failure(ErrorKind.UPSTREAM, f"the upstream's {what}", "malformed")


def _shown(data: bytes) -> str:
    return data[:100].decode("utf-8", "replace")
