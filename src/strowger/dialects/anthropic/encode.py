"""Answers as Anthropic's clients read them: events to a stream, a response to a body.

Clients break on what the official API never does, so: `event:` lines always, full objects, blocks counted from 0
without gaps or overlap, one start, and an error instead of an end that did not come. What this dialect cannot say is
a loss.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic.blocks import Json, render_part, tool_input
from strowger.dialects.anthropic.errors import described, failure_object
from strowger.dialects.anthropic.mending import may_need_mending, mended
from strowger.dialects.anthropic.searching import Searches, whole_input
from strowger.dialects.anthropic.wire import NAME, REDACTED, STOP_WORDS
from strowger.dialects.base import EncoderSetup, Loss, Severity
from strowger.dialects.envelope import seal
from strowger.dialects.losses import extras_losses
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
from strowger.ir.request import (
    NO_EXTRAS,
    Audio,
    Citation,
    Document,
    Extras,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import Response

_ENCODE = msgspec.json.Encoder().encode
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_EVENT_LEVEL = frozenset({"context_management"})
"""Members that a message_delta has beside its `delta`, not inside."""
_EMPTY = Raw(b"{}")
_LAST = "signed state behind the last text: clients take the last block for the answer"


def _frame(name: bytes, data: bytes) -> bytes:
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


class _Said:
    """What an answer has said so far, for the words at its end; and how foreign state is written."""

    def __init__(self, setup: EncoderSetup) -> None:
        self.own = False
        self.origin = ""
        self.called = False
        self.refused = False
        self.losses: list[Loss] = []
        self.searches = Searches(setup.new_id, self.losses)

    def lose(self, path: str, reason: str, severity: Severity = "warning") -> None:
        loss = Loss(path, reason, severity)
        if loss not in self.losses:
            self.losses.append(loss)

    def begin(self, origin: str) -> None:
        self.own, self.origin = origin == NAME, origin
        self.searches.origin = origin

    def extras(self, extras: Extras, path: str) -> Extras:
        """Extras that mean something here; those of another dialect are losses."""
        if self.own or not extras:
            return extras
        for loss in extras_losses(extras, path):
            self.lose(loss.path, loss.reason, "info" if loss.severity == "info" else "warning")
        return NO_EXTRAS

    def signature(self, signed: Signed) -> str:
        """Anthropic's own signature as it is; any other state in an envelope that brings it home."""
        return signed.blob if self.own and signed.kind.startswith("anthropic:") else seal(signed)

    def redacted(self, part: Thinking) -> bool:
        return self.own and part.signed is not None and part.signed.kind == REDACTED

    def note_part(self, part: Part) -> None:
        self.called = self.called or isinstance(part, ToolCall)
        self.refused = self.refused or isinstance(part, Refusal)

    def carries(self, part: Part) -> bool:
        """Whether the part can be written; if not, it is a loss."""
        match part:
            case Opaque() if part.origin != NAME:
                self.lose("content", f"{part.kind}: only {part.origin} understands it")
            case Audio():
                self.lose("content", "this dialect cannot carry sound", "error")
            case Image() | Document() if not self.own:
                self.lose("content", "answers in this dialect hold neither pictures nor files", "error")
            case _:
                return True
        return False

    def foreign_tool(self, part: Part) -> bool:
        """Whether the part is of a tool that ran at another provider."""
        return not self.own and isinstance(part, ServerToolCall | ServerToolResult)

    def mended(self, call: ToolCall, arguments: str) -> ToolCall:
        """The call with these arguments, as far as its client takes them."""
        better = mended(call.name, arguments)
        if better is not arguments:
            self.lose(f"{call.name}.pages", "an empty page range, which the client would refuse", "info")
        return replace(call, arguments=better)

    def stop_reason(self, finish: Finish) -> str | None:
        """The word for why it stopped; a client must see tool_use to run the tools that were called."""
        if self.own and (finish.native or "stop_reason" in finish.extras):
            return finish.native or None
        reason = finish.reason
        if reason in {StopReason.END, StopReason.OTHER} and self.called:
            reason = StopReason.TOOL_USE
        elif reason is StopReason.END and self.refused:
            reason = StopReason.REFUSAL
        if reason is StopReason.OTHER:
            self.lose("stop_reason", f'"{finish.native}" has no word here; it is told as end_turn')
            return "end_turn"
        return STOP_WORDS[reason]


def usage_object(usage: Usage, said: _Said) -> Json:
    """Token counts as this dialect states them: cached tokens apart from the input."""
    written: Json = dict(usage.extras) if said.own else {}
    if not said.own:
        said.extras(usage.extras, "usage")
    read, write = usage.cache_read, usage.cache_write
    if usage.input is not None:
        written["input_tokens"] = max(0, usage.input - (read or 0) - (write or 0))
    if write is not None or (not said.own and usage.input is not None):
        written["cache_creation_input_tokens"] = write or 0
    if read is not None or (not said.own and usage.input is not None):
        written["cache_read_input_tokens"] = read or 0
    if usage.output is not None:
        written["output_tokens"] = usage.output
    if usage.reasoning is not None:
        details = msgspec.json.decode(written.get("output_tokens_details", _EMPTY), type=dict[str, Raw])
        written["output_tokens_details"] = {**details, "thinking_tokens": usage.reasoning}
    searches = usage.searches if said.own or usage.searches is not None else said.searches.count or None
    if searches is not None:
        tools: Json = msgspec.json.decode(written.get("server_tool_use", _EMPTY), type=dict[str, Raw])
        if not said.own:
            tools["web_fetch_requests"] = 0  # the member is required
        written["server_tool_use"] = {**tools, "web_search_requests": searches}
    return written


# ---- streams ----


class StreamEncoder:
    """Events to a stream's bytes. One per answer."""

    def __init__(self, setup: EncoderSetup) -> None:
        self._setup = setup
        self._said = _Said(setup)
        self.losses = self._said.losses
        self._start: Start | None = None
        self._usage = Usage()
        self._index = -1
        self._prefix = b""
        self._skipped = False
        self._wraps = False
        # The call whose arguments are written when they are whole, and what there is of them.
        self._mends: ToolCall | None = None
        self._whole: list[str] = []
        # A block that so far holds nothing to show, and the one before that stayed so: each waits for what follows it.
        self._held = b""
        self._behind = b""

    def encode(self, event: Event) -> bytes:
        """The event on the wire; empty for what says nothing here."""
        kind = type(event)
        if kind is TextDelta or kind is ThinkingDelta or kind is ArgumentsDelta:
            if self._skipped:
                return self._hidden(event.text)  # type: ignore[union-attr]
            return self._prefix + _ENCODE(event.text) + b"}}\n\n"  # type: ignore[union-attr]
        if kind is Start:
            return self._begin(event)  # type: ignore[arg-type]
        if kind is UsageUpdate:
            self._usage = self._usage.merged(event.usage)  # type: ignore[union-attr]
            return self._flush_start()
        return self._flush_start() + self._rare(event)

    def heartbeat(self) -> bytes:
        """A ping."""
        return _PING

    def fail(self, error: GatewayError) -> bytes:
        """An error event; nothing follows it."""
        return _frame(b"error", described(error)[1])

    def _begin(self, start: Start) -> bytes:
        """message_start waits for the usage that follows at once where an upstream of this dialect began."""
        self._said.begin(start.origin)
        self._start = start
        return b"" if self._said.own else self._flush_start()

    def _flush_start(self) -> bytes:
        start, self._start = self._start, None
        if start is None:
            return b""
        usage = usage_object(self._usage, self._said)
        usage.setdefault("input_tokens", self._setup.input_estimate)
        usage["output_tokens"] = max(1, self._usage.output or 0)
        message = {
            **self._said.extras(start.extras, ""),
            **_message_head(start.id, start.model, self._said.own, self._setup),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return _frame(b"message_start", _ENCODE({"type": "message_start", "message": message}))

    def _rare(self, event: Event) -> bytes:
        match event:
            case PartStart():
                return self._open(event.part)
            case PartStop():
                return self._close()
            case SignatureDelta():
                return self._signed(event.signed)
            case CitationDelta():
                return self._citation(event.citation)
            case Finish():
                return self._finish(event)
            case Failure():
                return _frame(b"error", failure_object(event, own=self._said.own))
            case Note() if self._said.own:
                return _frame(_name_of(event.raw), bytes(event.raw))
            case _:
                return b""

    def _open(self, part: Part) -> bytes:
        said = self._said
        said.note_part(part)
        if said.foreign_tool(part):
            return self._foreign_tool(part)
        answered = self._unanswered()
        self._skipped = not said.carries(part) or (isinstance(part, Thinking) and not self._setup.thinking_wanted)
        if self._skipped:
            return answered
        self._index += 1
        block, after = self._head(part)
        answered, self._behind = self._behind + answered, b""
        if isinstance(part, Thinking) and not part.text and not said.own:
            self._skipped, self._held = True, self._started(block) + after
            return answered
        return answered + self._started(block) + after

    def _started(self, block: Json | Raw) -> bytes:
        return _frame(
            b"content_block_start",
            b'{"type":"content_block_start","index":%d,"content_block":%s}' % (self._index, _ENCODE(block)),
        )

    def _foreign_tool(self, part: Part) -> bytes:
        searches = self._said.searches
        block = None
        if isinstance(part, ServerToolCall):
            block = searches.call(part)
        elif isinstance(part, ServerToolResult):
            block = searches.result(part)
        self._skipped = block is None
        if block is None:
            return b""
        self._index += 1
        self._prefix = self._deltas(b"input_json_delta", b"partial_json")
        before, self._behind = self._behind, b""
        return (
            before + self._started(block) + (self._first(part.arguments) if isinstance(part, ServerToolCall) else b"")
        )

    def _unanswered(self) -> bytes:
        """Blocks for searches of which no result came, before anything else."""
        written = b""
        for block in self._said.searches.unanswered():
            self._index += 1
            written += self._started(block) + self._close()
        return written

    def _head(self, part: Part) -> tuple[Json | Raw, bytes]:
        """The block as it begins, and the deltas that its head already brings."""
        said = self._said
        match part:
            case Text() | Refusal():
                self._prefix = self._deltas(b"text_delta", b"text")
                extras = said.extras(part.extras, "content")
                return {**extras, "type": "text", "text": ""}, self._first(part.text)
            case Thinking():
                if said.redacted(part):
                    return render_part(part, own=True), b""
                self._prefix = self._deltas(b"thinking_delta", b"thinking")
                extras = said.extras(part.extras, "content")
                head: Json = {**extras, "type": "thinking", "thinking": "", "signature": ""}
                signature = b"" if part.signed is None else self._signature(part.signed)
                return head, self._first(part.text) + signature
            case ToolCall() | ServerToolCall():
                self._prefix = self._deltas(b"input_json_delta", b"partial_json")
                kind = part.kind or "server_tool_use" if isinstance(part, ServerToolCall) else "tool_use"
                extras = said.extras(part.extras, "content")
                head = {**extras, "type": kind, "id": part.id, "name": part.name, "input": {}}
                if part.kind == "custom":
                    self._skipped = self._wraps = True
                    return head, self._first('{"input":"') + self._free_text(part.arguments)
                if not said.own and isinstance(part, ToolCall) and may_need_mending(part.name):
                    self._skipped, self._mends, self._whole = True, part, [part.arguments]
                    return head, b""
                return head, self._first(part.arguments)
            case Opaque() if part.kind == "compaction":
                return self._compaction(part)
            case _:
                return render_part(part, own=said.own), b""

    def _compaction(self, part: Opaque) -> tuple[Json, bytes]:
        """The one opaque block that clients expect to grow by a delta."""
        members = msgspec.json.decode(part.raw, type=dict[str, Raw])
        members.pop("type", None)
        delta = {"type": "compaction_delta", **members}
        head: Json = {"type": "compaction", **dict.fromkeys(members)}
        data = b'{"type":"content_block_delta","index":%d,"delta":%s}' % (self._index, _ENCODE(delta))
        return head, _frame(b"content_block_delta", data)

    def _deltas(self, kind: bytes, member: bytes) -> bytes:
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":'
            % (self._index, kind, member)
        )

    def _first(self, text: str) -> bytes:
        return self._prefix + _ENCODE(text) + b"}}\n\n" if text else b""

    def _signature(self, signed: Signed) -> bytes:
        return self._deltas(b"signature_delta", b"signature") + _ENCODE(self._said.signature(signed)) + b"}}\n\n"

    def _citation(self, citation: Citation) -> bytes:
        written = bytes(citation.raw)
        if not self._said.own:
            block = self._said.searches.citation(citation)
            if block is None:
                return b""
            written = _ENCODE(block)
        return self._deltas(b"citations_delta", b"citation") + written + b"}}\n\n"

    def _signed(self, signed: Signed) -> bytes:
        if self._held:
            self._held += self._signature(signed)
        return b"" if self._skipped else self._signature(signed)

    def _hidden(self, text: str) -> bytes:
        """More of a block that is not written as it comes."""
        if self._held:
            held, self._held, self._skipped = self._held, b"", False
            return held + self._first(text)
        if self._mends is not None:
            self._whole.append(text)
        return self._free_text(text) if self._wraps else b""

    def _free_text(self, text: str) -> bytes:
        """More of the input of a tool that takes free text: here it is a string in an object."""
        return self._first(_ENCODE(text)[1:-1].decode())

    def _close(self) -> bytes:
        if self._wraps:
            self._skipped = self._wraps = False
            return self._first('"}') + self._close()
        if self._mends is not None:
            call = self._said.mended(self._mends, "".join(self._whole))
            self._skipped, self._mends = False, None
            return self._first(call.arguments) + self._close()
        stop = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index
        if self._held:
            self._behind, self._held = self._held + stop, b""
            stop = b""
        elif self._skipped:
            stop = b""
        self._skipped = False
        return stop

    def _finish(self, finish: Finish) -> bytes:
        said = self._said
        answered = self._unanswered()
        if self._behind and self._index:
            said.lose("content", _LAST, "info")
        elif self._behind:
            answered += self._behind
        extras = said.extras(finish.extras, "")
        delta: Json = {key: value for key, value in extras.items() if key not in _EVENT_LEVEL}
        delta["stop_reason"] = said.stop_reason(finish)
        delta["stop_sequence"] = finish.stop_sequence
        usage = usage_object(self._usage, said)
        usage.setdefault("output_tokens", 0)
        event: Json = {"type": "message_delta", "delta": delta, "usage": usage}
        event |= {key: value for key, value in extras.items() if key in _EVENT_LEVEL}
        return answered + _frame(b"message_delta", _ENCODE(event)) + _STOP


def _name_of(raw: Raw) -> bytes:
    """The type of a raw event, for its `event:` line."""
    try:
        kind: Any = msgspec.json.decode(raw).get("type", "message")
    except (msgspec.MsgspecError, UnicodeDecodeError):  # it was looked at, but not into every string
        kind = "message"
    return str(kind).encode("utf-8", "replace").replace(b"\n", b" ")


def _message_head(answer_id: str, model: str, own: bool, setup: EncoderSetup) -> Json:
    """A foreign model goes by the name that the client gave it: Claude Code 2.1.197 forgets the thinking of an
    answer that names another one.
    """
    named, other = (model, setup.model) if own else (setup.model, model)
    return {
        "id": answer_id if answer_id.startswith("msg_") else setup.new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": named or other,
    }


# ---- bodies ----


def render_response(response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
    """A whole answer as a body, with what could not be said."""
    said = _Said(setup)
    said.begin(response.origin)
    finish = response.finish
    content: list[Json | Raw] = []
    for i, part in enumerate(response.parts):
        said.note_part(part)
        if said.foreign_tool(part):
            content += _foreign_tool(part, said)
            continue
        content += said.searches.unanswered()
        if said.carries(part) and (setup.thinking_wanted or not isinstance(part, Thinking)):
            content.append(_block(part, said, f"content[{i}]"))
    content += said.searches.unanswered()
    if not said.own and len(content) > 1 and isinstance(content[-1], dict) and content[-1].get("thinking") == "":
        said.lose("content", _LAST, "info")
        del content[-1]
    usage = usage_object(response.usage, said)
    if not said.own:
        usage.setdefault("input_tokens", setup.input_estimate)
        usage.setdefault("output_tokens", 0)
    message: Json = {
        **said.extras(response.extras, ""),
        **said.extras(finish.extras, ""),
        **_message_head(response.id, response.model, said.own, setup),
        "content": content,
        "stop_reason": said.stop_reason(finish),
        "usage": usage,
    }
    if said.own:
        message["id"] = response.id
    if finish.stop_sequence is not None or not said.own:
        message["stop_sequence"] = finish.stop_sequence
    return _ENCODE(message), said.losses


def _foreign_tool(part: Part, said: _Said) -> list[Json]:
    block = None
    if isinstance(part, ServerToolCall):
        block = said.searches.call(part)
        if block is not None:
            block["input"] = whole_input(part.arguments)
    elif isinstance(part, ServerToolResult):
        block = said.searches.result(part)
    return [] if block is None else [block]


def _block(part: Part, said: _Said, path: str) -> Json | Raw:
    if not said.own:
        said.extras(getattr(part, "extras", NO_EXTRAS), path)
        if isinstance(part, ToolCall) and may_need_mending(part.name):
            part = said.mended(part, part.arguments)
    match part:
        case ToolCall() if not tool_input(part)[1]:
            said.lose(f"{path}.input", "the arguments are not a JSON object; they are given as raw_arguments", "error")
        case Thinking() if not said.redacted(part):
            block: Json = dict(part.extras) if said.own else {"signature": ""}
            block |= {"type": "thinking", "thinking": part.text}
            if part.signed is not None:
                block["signature"] = said.signature(part.signed)
            return block
        case Text() if part.citations and not said.own:
            cited = [found for each in part.citations if (found := said.searches.citation(each)) is not None]
            return {"type": "text", "text": part.text} | ({"citations": cited} if cited else {})
        case _:
            pass
    return render_part(part, own=said.own)
