"""Answers as Gemini's clients read them: events to a stream, a response to a body.

A stream is chunks of one shape, as SSE without names or as the elements of one array; behind Code Assist each is in an
envelope. Texts are told as they come; a call is told when it is whole. The official SDK for Python takes every line
that is not `data: ` for bare JSON, so there are no comments, and an error is told as Google tells it: as bare JSON.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import EncoderSetup, Loss
from strowger.dialects.gemini.errors import error_object, failure_object
from strowger.dialects.gemini.instants import written
from strowger.dialects.gemini.members import Json, inner, put, put_back
from strowger.dialects.gemini.response import word_of
from strowger.dialects.gemini.usage import render_usage
from strowger.dialects.gemini.wire import FAILURES, FINISH_REASONS, NAME
from strowger.dialects.gemini.writer import Node, Writer
from strowger.errors import GatewayError
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
from strowger.ir.request import Citation, Extras, Part, Refusal, ServerToolCall, Signed, Text, Thinking, ToolCall
from strowger.ir.response import Response

ARRAY = "array"
CODE_ASSIST = "code_assist"

_ENCODE = msgspec.json.Encoder().encode
_OUTER = frozenset({"traceId", "consumedCredits", "remainingCredits"})
"""Members that stand beside the answer in the envelope of Code Assist."""
_EMPTY_TEXT: Node = {"text": ""}
_REFUSED = "promptFeedback"
"""Says why the prompt was refused, in an answer without candidates."""


class _Frame:
    """How chunks are put on the wire: `form` is that of the endpoint."""

    def __init__(self, form: str) -> None:
        self.array = form == ARRAY
        self.enveloped = form == CODE_ASSIST
        self.begun = False

    @property
    def before(self) -> bytes:
        """What stands before a chunk's own bytes."""
        if self.array:
            return b",\r\n" if self.begun else b"["
        return b'data: {"response":' if self.enveloped else b"data: "

    @property
    def after(self) -> bytes:
        """What stands behind them."""
        if self.array:
            return b""
        return b"}\r\n\r\n" if self.enveloped else b"\r\n\r\n"

    def chunk(self, data: bytes, beside: Extras | None = None) -> bytes:
        """A whole chunk; `beside` goes into the envelope."""
        if not self.array and (b"\n" in data or b"\r" in data):  # raw members of an indented answer
            data = msgspec.json.format(data, indent=-1)
        before, after = self.before, self.after
        self.begun = True
        if self.enveloped and beside:
            after = b"," + _ENCODE(dict(beside))[1:] + b"\r\n\r\n"
        return before + data + after

    def error(self, node: Json) -> bytes:
        """An error, and the end. Bare in SSE: so SDKs of all languages raise it."""
        body = _ENCODE({"error": node})
        if self.array:
            return self.before + body + b"]"
        return msgspec.json.format(body, indent=2) + b"\n"


class StreamEncoder:
    """Events to a stream's bytes. One per answer."""

    def __init__(self, setup: EncoderSetup) -> None:
        self._setup = setup
        self._frame = _Frame(setup.form)
        self._writer = Writer("", thinking=setup.thinking_wanted)
        self._start: Start | None = None
        self._head: Json = {}
        self._tail = b""
        self._empty = True
        self._usage = Usage()
        self._ended = False
        self._part: Part | None = None
        self._pieces: list[str] = []
        self._citations: list[Citation] = []
        self._before = self._after = b""

    @property
    def losses(self) -> list[Loss]:
        """What could not be said so far."""
        return self._writer.losses

    @losses.setter
    def losses(self, losses: list[Loss]) -> None:
        self._writer.losses = losses

    # ---- the protocol ----

    def encode(self, event: Event) -> bytes:
        """The event on the wire; empty for what says nothing here, or not yet."""
        kind = type(event)
        if kind is TextDelta:
            self._pieces.append(event.text)  # type: ignore[union-attr]
            return self._before + _ENCODE(event.text) + self._after  # type: ignore[union-attr]
        if kind is ThinkingDelta:
            self._pieces.append(event.text)  # type: ignore[union-attr]
            if not self._before:
                return b""
            return self._before + _ENCODE(event.text) + self._after  # type: ignore[union-attr]
        if kind is ArgumentsDelta:
            self._pieces.append(event.text)  # type: ignore[union-attr]
            return b""
        return self._rare(event)

    def _rare(self, event: Event) -> bytes:
        match event:
            case PartStart():
                return self._open(event.part)
            case PartStop():
                return self._close()
            case UsageUpdate():
                self._usage = self._usage.merged(event.usage)
            case SignatureDelta():
                return self._signed(event.signed)
            case CitationDelta():
                self._citations.append(event.citation)
            case Start():
                self._begin(event)
            case Finish():
                return self._finish(event)
            case Failure():
                return self._failed(event)
            case Note() if self._writer.ours:
                return self._frame.chunk(bytes(event.raw))
            case _:
                pass
        return b""

    def heartbeat(self) -> bytes:
        """An empty line, which every reader of SSE passes over; an array has room for nothing."""
        return b"" if self._frame.array else b"\r\n"

    def fail(self, error: GatewayError) -> bytes:
        """An error inside the stream; nothing follows it."""
        if self._ended:
            return b""
        self._ended = True
        return self._frame.error(error_object(error))

    # ---- the frame ----

    def _begin(self, start: Start) -> None:
        self._start = start
        self._writer = Writer(start.origin, thinking=self._setup.thinking_wanted)
        self._head = _head(start, self._setup)
        self._tail = b'],"role":"model"},"index":0}],' + _ENCODE(self._head)[1:]

    def _chunks(self, nodes: list[Node | Raw]) -> bytes:
        """A chunk for each node: clients join texts of one chunk otherwise than of many."""
        return b"".join(
            self._frame.chunk(b'{"candidates":[{"content":{"parts":[' + _ENCODE(node) + self._tail) for node in nodes
        )

    def _told(self, member: bytes) -> None:
        """From here on deltas are texts of a part that has `member` beside its text."""
        self._before = self._frame.before + b'{"candidates":[{"content":{"parts":[{' + member + b'"text":'
        self._after = b"}" + self._tail + self._frame.after

    # ---- parts ----

    def _open(self, part: Part) -> bytes:
        self._part, self._pieces, self._citations, self._empty = part, [], [], False
        self._before = self._after = b""
        match part:
            case Text() | Refusal():
                out = self._chunks(self._writer.released())
                self._writer.refused = self._writer.refused or isinstance(part, Refusal)
                members = self._writer.extras(part.extras, "content")
                return out + self._telling(_members(members), part.text)
            case Thinking() if part.signed is None or part.text:
                out = self._chunks(self._writer.released())
                if self._setup.thinking_wanted:
                    members = self._writer.extras(part.extras, "content")
                    out += self._telling(_members(members) + b'"thought":true,', part.text)
                else:
                    self._pieces.append(part.text)
                return out + (self._signed(part.signed) if part.signed is not None else b"")
            case Thinking():
                self._part = None
                return self._chunks(self._writer.add(part))
            case ToolCall() | ServerToolCall():
                if part.arguments:
                    self._pieces.append(part.arguments)
                return b""
            case _:
                self._part = None
                return self._chunks(self._writer.add(part))

    def _telling(self, member: bytes, text: str) -> bytes:
        """Text begins; in an array the first chunk of all has another beginning than the others."""
        first = b""
        if self._frame.array and not self._frame.begun:
            first = self._chunks([_EMPTY_TEXT])
        self._told(member)
        if text:
            self._pieces.append(text)
            first += self._before + _ENCODE(text) + self._after
        return first

    def _close(self) -> bytes:
        part, self._part = self._part, None
        self._before = self._after = b""
        match part:
            case Text() | Refusal():
                text = "".join(self._pieces)
                for citation in self._citations:
                    self._writer.cited(citation, text)
                self._writer.spoke(text)
                return b""
            case ToolCall() | ServerToolCall():
                return self._chunks(self._writer.add(replace(part, arguments="".join(self._pieces))))
            case _:
                return b""

    def _signed(self, signed: Signed) -> bytes:
        if self._writer.ours:
            return self._chunks(self._writer.add(Thinking("", signed)))
        # words of a thought cannot be taken back to have it stand on them
        return self._chunks(self._writer.sealed(signed, "".join(self._pieces))) if signed.blob else b""

    # ---- the end ----

    def _finish(self, finish: Finish) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        writer = self._writer
        out = self._chunks(writer.end())
        start = self._start or Start("", "", "")
        extras = dict(writer.extras(start.extras, ""))
        beside = {key: extras.pop(key) for key in tuple(extras) if key in _OUTER}
        body: Json = {key: value for key, value in extras.items() if key != "candidates"}
        refused = writer.ours and self._empty and finish.reason is StopReason.REFUSAL and _REFUSED in body
        if finish.extras or not refused:
            candidate = _candidate(finish, writer, [_EMPTY_TEXT])
            if not word_of(candidate.get("finishReason")):  # a stream without a reason was cut
                candidate["finishReason"] = _reason(finish, writer)
            body["candidates"] = [candidate]
        body["usageMetadata"] = render_usage(self._usage, ours=writer.ours, estimate=self._setup.input_estimate)
        if not writer.ours:
            writer.extras(self._usage.extras, "usage")
        body |= self._head
        return out + self._frame.chunk(_ENCODE(body), beside) + (b"]" if self._frame.array else b"")

    def _failed(self, failure: Failure) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        if self._writer.ours and failure.raw is not None:
            if failure.code in FAILURES:  # Google tells it by the reason of a candidate
                last = self._frame.chunk(_ENCODE({"candidates": [failure.raw], **self._head}))
                return last + (b"]" if self._frame.array else b"")
            return self._frame.error(msgspec.json.decode(failure.raw))
        return self._frame.error(failure_object(failure))


def _members(extras: Extras) -> bytes:
    """Extras as members before others."""
    return _ENCODE(dict(extras))[1:-1] + b"," if extras else b""


def _head(start: Start, setup: EncoderSetup) -> Json:
    """The members that every chunk has."""
    head: Json = {"modelVersion": start.model or setup.model}
    created = start.created if start.created is not None else setup.created
    if created and "createTime" not in start.extras:
        time = written(created)
        if time:
            head["createTime"] = time
    head["responseId"] = start.id or setup.new_id("resp_")
    return head


def _candidate(finish: Finish, writer: Writer, parts: list[Node | Raw]) -> Json:
    """The candidate of the end, with these parts and what else there is to say."""
    extras = writer.extras(finish.extras, "")
    candidate = put_back(extras)
    content = inner(candidate, "content")
    put(content, "parts", parts)
    content.setdefault("role", "model")
    if not extras:
        candidate["finishReason"] = Raw(_ENCODE(_reason(finish, writer)))
        candidate["index"] = 0
    if not writer.ours:
        candidate |= writer.drawn.members()
    return candidate


def _reason(finish: Finish, writer: Writer) -> str:
    if writer.ours and finish.native:
        return finish.native
    reason = finish.reason
    if reason is StopReason.END and writer.refused:
        reason = StopReason.REFUSAL
    if reason is StopReason.OTHER and writer.called:
        reason = StopReason.TOOL_USE
    if reason is StopReason.OTHER and finish.native:
        writer.lose("finishReason", f"the reason {finish.native!r} has no word in this dialect", "info")
    return FINISH_REASONS[reason]


# ---- bodies ----


def render_response(response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
    """A whole answer as a body, with what could not be said."""
    writer = Writer(response.origin, thinking=setup.thinking_wanted)
    finish = response.finish
    nodes = [node for part in response.parts for node in writer.add(part)] + writer.end()
    extras = dict(writer.extras(response.extras, ""))
    beside: Json = {key: extras.pop(key) for key in tuple(extras) if key in _OUTER and setup.form == CODE_ASSIST}
    body: Json = extras
    if writer.ours and (finish.extras or _is_silent(response)):
        _whole(body, finish, nodes, response)
    else:
        body["candidates"] = [_candidate(finish, writer, nodes or [_EMPTY_TEXT])]
        body |= _head(Start(response.origin, response.id, response.model, response.created, extras), setup)
    if response.usage != Usage() or not writer.ours:
        body["usageMetadata"] = render_usage(response.usage, ours=writer.ours, estimate=setup.input_estimate)
    if not writer.ours:
        writer.extras(response.usage.extras, "usage")
    for _ in response.notes if writer.ours else ():
        writer.lose("candidates", "what came in pieces beside the first candidate is not put together")
    if setup.form == CODE_ASSIST:
        body = {"response": body, **beside}
    return _ENCODE(body), writer.losses


def _is_silent(response: Response) -> bool:
    """Whether an answer of this dialect had no candidate at all."""
    return not response.parts and response.finish.reason in {StopReason.END, StopReason.REFUSAL}


def _whole(body: Json, finish: Finish, nodes: list[Node | Raw], response: Response) -> None:
    """An answer that was read from this dialect: its leftovers say what else there was, and what there was not."""
    if finish.extras:
        candidate = put_back(finish.extras)
        if nodes:
            put(inner(candidate, "content"), "parts", nodes)
        further = body.get("candidates")
        body["candidates"] = [candidate, *(msgspec.json.decode(further, type=list[Raw]) if further else ())]
    if response.id:
        put(body, "responseId", response.id)
    if response.model:
        put(body, "modelVersion", response.model)


__all__ = ["NAME", "StreamEncoder", "render_response"]
