"""Events to the stream of a Chat Completions client.

Chunks differ in their delta only, so everything around it is made once, at the start, and a text delta costs one JSON
string. Parallel calls come one after another, each with its own `index`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.base import EncoderSetup, Loss
from strowger.dialects.losses import extras_losses, unique
from strowger.dialects.openai_chat.citing import annotation
from strowger.dialects.openai_chat.errors import error_object, failure_object
from strowger.dialects.openai_chat.parts import Json
from strowger.dialects.openai_chat.signatures import is_of_call
from strowger.dialects.openai_chat.thinking import envelope_detail
from strowger.dialects.openai_chat.usage import render_usage
from strowger.dialects.openai_chat.wire import EXTRA_CONTENT, FINISH_REASONS, NAME, PROVIDERS_TOOL, REASONING_DETAILS
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
    Citation,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
)

HEARTBEAT = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

_JSON = msgspec.json.Encoder()


class ChatEncoder:
    """One stream to a client; see `strowger.dialects.base.Encoder`."""

    def __init__(self, setup: EncoderSetup) -> None:
        self.losses: list[Loss] = []
        self._setup = setup
        self._ours = False
        self._opening = b""
        self._before = b""
        self._after = b""
        self._text_before = self._thought_before = self._arguments_before = b""
        self._calls = 0
        self._part: Part | None = None
        self._thoughts = 0
        self._before_text = 0
        self._length = 0
        self._cited: list[Citation] = []
        self._annotations = 0
        self._thought: list[str] = []
        self._usage = Usage()
        self._ended = False

    # ---- the protocol ----

    def encode(self, event: Event) -> bytes:
        """The event as chunks; empty when it says nothing here."""
        match event:
            case TextDelta():
                self._length += len(event.text)
                return self._text_before + _JSON.encode(event.text) + self._after
            case ArgumentsDelta():
                if self._arguments_before:
                    return self._arguments_before + _JSON.encode(event.text) + b"}}]" + self._after
                return b""
            case ThinkingDelta():
                self._thought.append(event.text)
                if self._setup.thinking_wanted:
                    return self._thought_before + _JSON.encode(event.text) + self._after
                return b""
            case PartStart():
                return self._open(event)
            case PartStop():
                self._arguments_before = b""
                return self._text_ends() if isinstance(self._part, Text) else b""
            case Start():
                return self._start(event)
            case UsageUpdate():
                self._usage = self._usage.merged(event.usage)
                return b""
            case _:
                return self._rare(event)

    def _rare(self, event: Event) -> bytes:
        match event:
            case SignatureDelta():
                return self._sign(event)
            case CitationDelta():
                self._cited.append(event.citation)  # its text may not have come yet
            case Note():
                if self._ours:
                    return self._opening + b'"choices":[' + bytes(event.raw) + b"]}\n\n"
            case Finish():
                return self._finish(event)
            case Failure():
                return self._failed(event)
            case _:
                pass
        return b""

    def heartbeat(self) -> bytes:
        """A comment: clients read over it."""
        return HEARTBEAT

    def fail(self, error: GatewayError) -> bytes:
        """An error chunk. There is no `[DONE]` behind it: the answer is not done."""
        if self._ended:
            return b""
        self._ended = True
        return b"data: " + _JSON.encode({"error": error_object(error)}) + b"\n\n"

    # ---- the frame ----

    def _start(self, event: Start) -> bytes:
        self._ours = event.origin == NAME
        setup = self._setup
        identity = event.id if self._ours or event.id.startswith("chatcmpl-") else setup.new_id("chatcmpl-")
        head: Json = dict(event.extras) if self._ours else {}
        if not self._ours:
            self.losses = [*unique([*self.losses, *extras_losses(event.extras, "")])]
        head |= {
            "id": identity,
            "object": "chat.completion.chunk",
            "created": setup.created if event.created is None else event.created,
            "model": event.model or setup.model,
        }
        if setup.usage_wanted:
            head["usage"] = None
        self._opening = b"data: " + _JSON.encode(head)[:-1] + b","
        self._before = self._opening + b'"choices":[{"index":0,"delta":'
        self._after = b'},"finish_reason":null}]}\n\n'
        self._text_before = self._before + b'{"content":'
        self._thought_before = self._before + b'{"reasoning_content":'
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: Json) -> bytes:
        return self._before + _JSON.encode(delta)[:-1] + self._after

    # ---- parts ----

    def _open(self, event: PartStart) -> bytes:
        part = self._part = event.part
        match part:
            case Text():
                self._text_before = self._before + b'{"content":'
                self._length = len(part.text)
                self._cited += part.citations
                return self._said("content", part.text)
            case Refusal():
                self._text_before = self._before + b'{"refusal":'
                return self._said("refusal", part.text)
            case Thinking() if self._ours and is_of_call(part):
                return b""  # it stands beside the call
            case Thinking():
                self._thought = [part.text] if part.text else []
                opened = self._said("reasoning_content", part.text) if self._setup.thinking_wanted else b""
                return opened + (self._sign(SignatureDelta(event.index, part.signed)) if part.signed else b"")
            case ToolCall():
                return self._call(part)
            case ServerToolCall() | ServerToolResult():
                self._lose("content", PROVIDERS_TOOL, "info")
                return b""
            case _:
                self._lose(f"content[{event.index}]", f"{type(part).__name__} has no form in this dialect", "warning")
                return b""

    def _said(self, member: str, text: str) -> bytes:
        return self._chunk({member: text}) if text else b""

    def _text_ends(self) -> bytes:
        """Its citations, which count the characters of all text so far; in one piece, with an index each, for that is
        how the official library puts lists together.
        """
        cited, self._cited = self._cited, []
        before, self._before_text = self._before_text, self._before_text + self._length
        written: list[Json | Raw] = []
        for each in cited:
            found = each.raw if self._ours else annotation(each, before, self._length)
            if found is None:
                self._lose("citations", "a citation that is not of a web page", "info")
            elif isinstance(found, Raw):
                written += [found] if len(found) else []
            else:
                written.append({"index": self._annotations, **found})
                self._annotations += 1
        return self._chunk({"annotations": written}) if written else b""

    def _call(self, part: ToolCall) -> bytes:
        index, self._calls = self._calls, self._calls + 1
        key, argument_key = ("custom", "input") if part.kind == "custom" else ("function", "arguments")
        self._arguments_before = self._before + b'{"tool_calls":[{"index":%d,"%b":{"%b":' % (
            index,
            key.encode(),
            argument_key.encode(),
        )
        call: Json = {"index": index, "id": part.id, "type": key}
        call[key] = {"name": part.name, argument_key: part.arguments}
        if self._ours and EXTRA_CONTENT in part.extras:
            call[EXTRA_CONTENT] = part.extras[EXTRA_CONTENT]
        return self._chunk({"tool_calls": [call]})

    def _sign(self, event: SignatureDelta) -> bytes:
        """Signed state rides in a reasoning detail, which clients send back unread."""
        index, self._thoughts = self._thoughts, self._thoughts + 1
        signed = event.signed
        if not self._setup.thinking_wanted:
            return b""
        if self._ours and signed.kind == REASONING_DETAILS:
            return self._chunk({"reasoning_details": Raw(signed.blob.encode())})
        detail = envelope_detail(Thinking("".join(self._thought), signed), index)
        return self._chunk({"reasoning_details": [detail]}) if detail is not None else b""

    # ---- the end ----

    def _finish(self, event: Finish) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        if not self._ours:
            self.losses = [*unique([*self.losses, *extras_losses(event.extras, "")])]
        if event.reason is StopReason.OTHER and event.native:
            self._lose("finish_reason", f"the reason {event.native!r} has no word in this dialect", "info")
        reason = FINISH_REASONS[event.reason].encode()
        last = self._opening + b'"choices":[{"index":0,"delta":{},"finish_reason":"%b"}]}\n\n' % reason
        return last + self._usage_chunk() + DONE

    def _usage_chunk(self) -> bytes:
        if not self._setup.usage_wanted:
            return b""
        usage = _JSON.encode(render_usage(self._usage, ours=self._ours))
        return self._opening.removesuffix(b'"usage":null,') + b'"choices":[],"usage":' + usage + b"}\n\n"

    def _failed(self, event: Failure) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        raw = event.raw if self._ours and event.raw is not None else failure_object(event)
        return b"data: " + _JSON.encode({"error": raw}) + b"\n\n"

    def _lose(self, path: str, reason: str, severity: str) -> None:
        loss = Loss(path, reason, "info" if severity == "info" else "warning")
        if loss not in self.losses:
            self.losses.append(loss)
