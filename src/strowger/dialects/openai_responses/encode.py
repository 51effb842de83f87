"""Answers as clients of the Responses API read them: events to a stream, a response to a body.

The official clients want every event of an item's life: added, deltas, the whole once more, done; then the whole
answer at the end. A body is the end of a stream that nobody watched, so the two cannot differ. What this dialect cannot
say is a loss.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from strowger.dialects.base import EncoderSetup, Loss
from strowger.dialects.openai_responses.echo import repeated
from strowger.dialects.openai_responses.errors import failed_object, members, string
from strowger.dialects.openai_responses.items_out import Voice, compaction_node
from strowger.dialects.openai_responses.parts import Json
from strowger.dialects.openai_responses.response import RESPONSE
from strowger.dialects.openai_responses.speaking import Speaker
from strowger.dialects.openai_responses.usage import render_usage
from strowger.dialects.openai_responses.wire import COMPACT, COMPACTION, INCOMPLETE
from strowger.errors import GatewayError, Malformed
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
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Text, Thinking
from strowger.ir.response import Response, unfold

HEARTBEAT = b": keep-alive\n\n"
_ENCODE = msgspec.json.Encoder().encode
_PENDING = frozenset({"", "in_progress", "queued"})
_CHANGING = frozenset({"status", "error", "incomplete_details", "output", "usage", "completed_at"})
_NOTHING_YET: Json = {
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
    "output": [],
    "usage": None,
}


class _Summary:
    """An answer that becomes a compaction: its text, unless the upstream has made one; then it is kept as it is."""

    def __init__(self) -> None:
        self.text = ""
        self.made = False
        self.events: list[Event] = []
        self._open = False

    def take(self, event: Event) -> None:
        """The next event of a part."""
        self.events.append(event)
        match event:
            case PartStart(part=part):
                self._open = isinstance(part, Text)
                self.made = self.made or (isinstance(part, Thinking) and part.form == COMPACTION)
                self.text += part.text if isinstance(part, Text) else ""
            case TextDelta(text=text) if self._open:
                self.text += text
            case _:
                pass


class StreamEncoder:
    """Events to a stream's bytes. One per answer."""

    def __init__(self, setup: EncoderSetup) -> None:
        self._setup = setup
        self._voice = Voice(setup)
        self.losses = self._voice.losses
        self.final = b""
        """The whole answer, once it has ended."""
        self.failed: GatewayError | None = None
        self._items = Speaker(self._voice, setup)
        self._grow = self._items.grow
        self._first: Json = {}
        self._head: Json = {}
        self._base = b""
        self._usage = Usage()
        self._ended = False
        wanted = setup.request is not None and COMPACTION in setup.request.forms
        self._compacting = wanted or setup.form == COMPACT
        self._summary: _Summary | None = None

    # ---- the protocol ----

    def encode(self, event: Event) -> bytes:
        """The event on the wire; empty for what says nothing here."""
        kind = type(event)
        if self._summary is not None and kind in _OF_PARTS:
            self._summary.take(event)
            return b""
        if kind is TextDelta or kind is ThinkingDelta or kind is ArgumentsDelta:
            return self._grow(event.text)  # type: ignore[union-attr]
        match event:
            case PartStart():
                return self._items.open(event.part)
            case PartStop():
                return self._items.close()
            case UsageUpdate():
                self._usage = self._usage.merged(event.usage)
            case SignatureDelta():
                self._items.sign(event.signed)
            case CitationDelta():
                return self._items.cite(event.citation)
            case Start():
                return self._start(event)
            case Finish():
                return self._finish(event)
            case Failure():
                return self.fail(
                    GatewayError(event.message, kind=event.kind, code=event.code, retry_after=event.retry_after)
                )
            case Note() if self._voice.own:
                return self._items.note(event.raw)
            case _:
                pass
        return b""

    def heartbeat(self) -> bytes:
        """A comment: clients read over it."""
        return HEARTBEAT

    def fail(self, error: GatewayError) -> bytes:
        """A failed response; nothing follows it."""
        if self._ended:
            return b""
        self._ended = True
        self.failed = error
        if not self._base:
            self._begin(Start("", "", ""))
        failed = {**_NOTHING_YET, "error": failed_object(error), "output": self._items.items}
        return self._items.frames.one("response.failed", b'"response":' + self._response("failed", failed))

    # ---- the frame ----

    def _start(self, start: Start) -> bytes:
        self._begin(start)
        if self._compacting:
            self._summary = _Summary()
        response = b'"response":' + self._response("in_progress", _NOTHING_YET)
        return self._items.frames.one("response.created", response) + self._items.frames.one(
            "response.in_progress", response
        )

    def _begin(self, start: Start) -> None:
        voice, setup = self._voice, self._setup
        voice.begin(start.origin)
        kept = members(start.extras.get(RESPONSE)) if voice.own else None
        if kept:
            self._first = dict(kept)
            head: Json = {key: value for key, value in kept.items() if key not in _CHANGING}
        else:
            if not voice.own:
                voice.extras(start.extras, "")
            head = {
                "id": start.id if start.id.startswith("resp_") else setup.new_id("resp_"),
                "object": "response",
                "created_at": setup.created if start.created is None else start.created,
                "model": start.model or setup.model,
                **repeated(setup),
            }
        head.setdefault("id", start.id or setup.new_id("resp_"))
        self._head, self._base = head, _ENCODE(head)[1:-1]

    def _response(self, status: str, rest: Json) -> bytes:
        """The response object at some time of its life."""
        return b'{%b,"status":"%b",%b' % (self._base, status.encode(), _ENCODE(rest)[1:])

    # ---- the end ----

    def _finish(self, finish: Finish) -> bytes:
        if self._ended:
            return b""
        voice = self._voice
        own_end = members(finish.extras.get(RESPONSE)) if voice.own else None
        ended: Json = {**self._first, **(own_end or {})}
        status = string(ended.get("status")) or ""
        if not voice.own or (status in _PENDING and "status" in ended):
            voice.extras(finish.extras, "")
            status, details = self._status(finish)
            completed = self._now() if status == "completed" else None
            ended |= {"status": status, "error": None, "incomplete_details": details, "completed_at": completed}
        summary, self._summary = self._summary, None
        if summary is not None and not summary.made:
            if not summary.text.strip():
                return self.fail(Malformed("the model wrote no summary of the conversation"))
            out = self._items.whole_item(compaction_node(voice, summary.text), COMPACTION)
        else:
            out = b"" if summary is None else b"".join([self.encode(event) for event in summary.events])
            out += self._items.end(incomplete=status == "incomplete")
        self._ended = True
        self._compose(ended)
        kind = "response.incomplete" if status == "incomplete" else "response.completed"
        beside = {key: value for key, value in finish.extras.items() if key != RESPONSE} if voice.own else {}
        rest = b"," + _ENCODE(beside)[1:-1] if beside else b""
        return out + self._items.frames.one(kind, b'"response":' + self.final + rest)

    def _status(self, finish: Finish) -> tuple[str, Json | None]:
        """The status of a foreign answer, and why it is incomplete."""
        reason = INCOMPLETE.get(finish.reason)
        if finish.reason is StopReason.OTHER:
            self._voice.lose("status", f'"{finish.native}" has no word here; it is told as completed', "info")
        if reason is None or (finish.reason is StopReason.REFUSAL and self._items.refused):
            return "completed", None
        return "incomplete", {"reason": reason}

    def _now(self) -> int:
        """The time in Unix seconds; of an answer that is read again, the time at which it began."""
        setup = self._setup
        return setup.created if setup.clock is None else int(setup.clock())

    def _compose(self, ended: Json) -> None:
        """The whole answer."""
        usage = self._usage
        ended["output"] = self._items.items
        if not self._voice.own:
            ended["usage"] = render_usage(usage, ours=False, estimate=self._setup.input_estimate)
            self._voice.extras(usage.extras, "usage")
        elif replace(usage, searches=None) != Usage():
            ended["usage"] = render_usage(usage, ours=True)
        self.final = _ENCODE({**self._head, **ended})


_OF_PARTS = frozenset({PartStart, PartStop, TextDelta, ThinkingDelta, ArgumentsDelta, SignatureDelta, CitationDelta})


# ---- bodies ----


def render_response(response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
    """A whole answer as a body, with what could not be said. Raises Malformed for a compaction without a summary."""
    encoder = StreamEncoder(setup)
    for event in unfold(response):
        encoder.encode(event)
    if encoder.failed is not None:
        raise encoder.failed
    body = encoder.final
    whole = members(body) if setup.form == COMPACT else None
    if whole is not None and bytes(whole.get("object", b"")) != b'"response.compaction"':
        kept = {key: whole[key] for key in ("id", "created_at", "output", "usage") if key in whole}
        body = _ENCODE({**kept, "object": "response.compaction"})
    return body, encoder.losses
