"""The items of an answer as the events of a stream: what opens, grows and closes, one part at a time.

A message stays open over all the texts that follow one another; items of the provider's own tools stay open until
their result comes. Knows nothing of the response object around the items.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.base import EncoderSetup
from strowger.dialects.openai_responses.errors import members, string
from strowger.dialects.openai_responses.items_out import (
    CODE_ITEM,
    CUSTOM,
    FUNCTION,
    WEB_ITEM,
    Voice,
    annotation_node,
    call_node,
    content_node,
    free_text,
    image_node,
    message_head,
    reasoning_node,
    server_head,
    server_kind,
    server_node,
)
from strowger.dialects.openai_responses.output import CALL_ITEMS, CONTENT, CONTENT_FORM, MESSAGE
from strowger.dialects.openai_responses.parts import Json
from strowger.dialects.openai_responses.wire import COMPACTION_BLOB, NAME
from strowger.ir.request import (
    Citation,
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

_ENCODE = msgspec.json.Encoder().encode


class Frames:
    """Writes events, numbered."""

    def __init__(self) -> None:
        self.sequence = 0

    def one(self, kind: str, members: bytes) -> bytes:
        """An event; `members` are its own, as JSON without the braces."""
        name = kind.encode()
        number, self.sequence = self.sequence, self.sequence + 1
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (name, name, number, members)


class _Pending:
    """An item of a provider's own tool that has begun and not ended."""

    __slots__ = ("arguments", "call", "identity", "index", "kind")

    def __init__(self, index: int, identity: str, kind: str, call: ServerToolCall) -> None:
        self.index = index
        self.identity = identity
        self.kind = kind
        self.call = call
        self.arguments: list[str] = []


class Speaker:
    """Writes the items of one answer.

    The text of the open part goes out at once (`_live`), is held until the part ends (`_held`), or is not wanted.
    """

    def __init__(self, voice: Voice, setup: EncoderSetup) -> None:
        self._voice = voice
        self._setup = setup
        self.frames = Frames()
        self.output: list[bytes] = []
        """The items by their index; empty while they are open."""
        self.refused = False
        """Whether the model refused in words of its own."""
        # the open part
        self._part: Part | None = None
        self._text: list[str] = []
        self._live = False
        self._held = False
        self._before = self._after = b""
        self._index = -1
        self._identity = ""
        self._kind = ""
        self._signed: Signed | None = None
        self._cited: list[Raw] = []
        # the open message
        self._message: Json | None = None
        self._message_index = -1
        self._message_id = ""
        self._contents: list[bytes] = []
        # items of the provider's own tools
        self._waiting: dict[str, _Pending] = {}
        self._server: _Pending | None = None

    # ---- growing ----

    def grow(self, text: str) -> bytes:
        """More text of the open part."""
        if self._live:
            self._text.append(text)
            frames = self.frames
            number = frames.sequence
            frames.sequence = number + 1
            return b"%b%d%b%b}\n\n" % (self._before, number, self._after, _ENCODE(text))
        if self._held:
            self._text.append(text)
            return b""
        match self._part:
            case Text() | Refusal() as part:
                return self._open_text(part) + self.grow(text)
            case Thinking() as part:
                return self._open_thinking(part) + self.grow(text)
            case _:
                return b""

    def _deltas(self, kind: str, where: Json) -> None:
        """Deltas of the open part go out from now on."""
        name = kind.encode()
        self._before = b'event: %b\ndata: {"type":"%b","sequence_number":' % (name, name)
        place = {"item_id": self._identity, "output_index": self._index, **where}
        self._after = b"," + _ENCODE(place)[1:-1] + b',"delta":'
        self._live = True

    # ---- parts ----

    def open(self, part: Part) -> bytes:
        """A part begins."""
        self._part, self._text, self._signed, self._cited = part, [], None, []
        self._live = self._held = False
        match part:
            case Text() | Refusal():
                if part.text or self._voice.own:
                    return self._open_text(part) + (self.grow(part.text) if part.text else b"")
            case Thinking():
                return self._open_thought(part)
            case ToolCall():
                return self._open_call(part)
            case ServerToolCall():
                return self._open_server(part)
            case ServerToolResult():
                self._part = None
                return self._server_result(part)
            case _:
                self._part = None
                return self._whole(part)
        return b""

    def close(self) -> bytes:
        """The open part ends."""
        part, self._part = self._part, None
        live, self._live, self._held = self._live, False, False
        match part:
            case Text() | Refusal() if live:
                return self._close_text(part)
            case Thinking():
                return self._close_thinking(part, live=live)
            case ToolCall():
                return self._close_call(part)
            case ServerToolCall() if self._server is not None:
                self._server.arguments = self._text
            case _:
                pass
        return b""

    def _added(self, item: Json, kind: str) -> bytes:
        """A new item begins: it has the next index from now on."""
        self._index = len(self.output)
        self.output.append(b"")
        identity = item.get("id")
        if isinstance(identity, Raw):
            identity = string(identity)
        self._identity = identity if isinstance(identity, str) and identity else self._voice.new_id(kind)
        if "status" in item:
            item = {**item, "status": "in_progress"}
        return self.frames.one("response.output_item.added", self._item_members(self._index, _ENCODE(item)))

    def _done(self, index: int, item: Json | Raw) -> bytes:
        written = bytes(item) if isinstance(item, Raw) else _ENCODE(item)
        self.output[index] = written
        return self.frames.one("response.output_item.done", self._item_members(index, written))

    @staticmethod
    def _item_members(index: int, item: bytes) -> bytes:
        return b'"output_index":%d,"item":%b' % (index, item)

    def _event(self, kind: str, **rest: object) -> bytes:
        """An event of the open item."""
        return self.frames.one(kind, _ENCODE({"item_id": self._identity, "output_index": self._index, **rest})[1:-1])

    # ---- messages ----

    def _open_text(self, part: Text | Refusal) -> bytes:
        voice, out = self._voice, b""
        if voice.own and MESSAGE in part.extras:
            out += self._close_message("completed")
        if self._message is None:
            self._message, self._contents = message_head(voice, part), []
            out += self._added({**self._message, "content": []}, "message")
            self._message_index, self._message_id = self._index, self._identity
        self._index, self._identity = self._message_index, self._message_id
        place = len(self._contents)
        node = content_node(voice, part, "", [])
        out += self._event("response.content_part.added", content_index=place, part=node)
        if isinstance(part, Text):
            self._deltas("response.output_text.delta", {"content_index": place, "logprobs": []})
        else:
            self.refused = True
            self._deltas("response.refusal.delta", {"content_index": place})
        return out

    def _close_text(self, part: Text | Refusal) -> bytes:
        text, place = "".join(self._text), len(self._contents)
        node = content_node(self._voice, part, text, self._cited)
        if isinstance(part, Text):
            out = self._event("response.output_text.done", content_index=place, text=text, logprobs=[])
        else:
            out = self._event("response.refusal.done", content_index=place, refusal=text)
        written = _ENCODE(node)
        self._contents.append(written)
        return out + self._event("response.content_part.done", content_index=place, part=Raw(written))

    def cite(self, citation: Citation) -> bytes:
        """A citation of the open text."""
        part, out = self._part, b""
        if not isinstance(part, Text) or self._held:
            return b""
        if not self._live:
            out = self._open_text(part)
        raw = citation.raw if self._voice.own else annotation_node(citation, sum(map(len, self._text)))
        if raw is None:
            self._voice.lose("content.citations", "only web pages can be cited here", "info")
            return out
        self._cited.append(raw)
        return out + self._event(
            "response.output_text.annotation.added",
            content_index=len(self._contents),
            annotation_index=len(self._cited) - 1,
            annotation=raw,
        )

    def _close_message(self, status: str) -> bytes:
        message, self._message = self._message, None
        if message is None:
            return b""
        content: Raw | list[Raw] = [Raw(each) for each in self._contents]
        if isinstance(given := message.get("content"), Raw) and len(self._contents) == 1 and bytes(given) == b'""':
            content = _text_of(self._contents[0])
        item = {**message, "content": content}
        if not self._voice.own or ("status" in item and status == "incomplete"):
            item["status"] = status
        return self._done(self._message_index, item)

    # ---- thinking ----

    def _open_thought(self, part: Thinking) -> bytes:
        self._signed = part.signed
        if not self._setup.thinking_wanted and part.form != "compaction":
            self._part = None
            return b""
        if part.text:
            return self._open_thinking(part) + self.grow(part.text)
        return b""

    def _open_thinking(self, part: Thinking) -> bytes:
        out = self._close_message("completed") + self._begin_thinking(part)
        if self._voice.own and part.form == CONTENT_FORM:
            self._deltas("response.reasoning_text.delta", {"content_index": 0})
            return out
        out += self._event("response.reasoning_summary_part.added", summary_index=0, part=_summary_part(""))
        self._deltas("response.reasoning_summary_text.delta", {"summary_index": 0})
        return out

    def _begin_thinking(self, part: Thinking) -> bytes:
        head = reasoning_node(self._voice, part, "", None)
        head.pop("content", None)
        head["summary"] = []
        if not self._voice.own:
            head.pop("encrypted_content", None)
            head["id"] = self._voice.new_id("reasoning")
        return self._added(head, "reasoning")

    def _close_thinking(self, part: Thinking, *, live: bool) -> bytes:
        text, signed, out = "".join(self._text), self._signed, b""
        if not live:
            if signed is None and not self._voice.own:
                return b""
            if self._voice.own and (part.form == "compaction" or (signed and signed.kind == COMPACTION_BLOB)):
                node = reasoning_node(self._voice, part, "", signed)
                return self.whole_item(node, "compaction")
            out = self._close_message("completed") + self._begin_thinking(part)
        elif self._voice.own and part.form == CONTENT_FORM:
            out = self._event("response.reasoning_text.done", content_index=0, text=text)
        else:
            out = self._event("response.reasoning_summary_text.done", summary_index=0, text=text)
            out += self._event("response.reasoning_summary_part.done", summary_index=0, part=_summary_part(text))
        item = reasoning_node(self._voice, part, text, signed)
        if not self._voice.own:
            item = {"id": self._identity, **item}
        return out + self._done(self._index, item)

    # ---- calls ----

    def _open_call(self, call: ToolCall) -> bytes:
        voice = self._voice
        kind = self._kind = voice.form_of(call)
        head = call_node(voice, call, kind, "")
        if not voice.own:
            head = {"id": voice.new_id(kind), **head}
        out = self._close_message("completed") + self._added(head, kind)
        if kind == FUNCTION:
            self._deltas("response.function_call_arguments.delta", {})
        elif kind == CUSTOM and call.kind == "custom":
            self._deltas("response.custom_tool_call_input.delta", {})
        else:
            self._held = True
        return out + (self.grow(call.arguments) if call.arguments else b"")

    def _close_call(self, call: ToolCall) -> bytes:
        kind, arguments, out = self._kind, "".join(self._text), b""
        if kind == CUSTOM:
            if call.kind != "custom":
                arguments = free_text(arguments)
                if arguments:
                    out = self._event("response.custom_tool_call_input.delta", delta=arguments)
            out += self._event("response.custom_tool_call_input.done", input=arguments)
        elif kind not in CALL_ITEMS:
            name = self._voice.named(call)["name"]
            out = self._event("response.function_call_arguments.done", name=name, arguments=arguments)
        node = call_node(self._voice, call, kind, arguments)
        if not self._voice.own:
            node = {"id": self._identity, **node}
        return out + self._done(self._index, node)

    # ---- tools of the provider ----

    def _open_server(self, call: ServerToolCall) -> bytes:
        kind = server_kind(self._voice, call)
        if not kind:
            self._part = None
            self._voice.lose("output", f"the provider's own tool {call.name} has no item here")
            return b""
        self._held = True
        self._text = [call.arguments] if call.arguments else []
        identity = call.id if self._voice.own else self._voice.new_id(kind)
        out = self._close_message("completed") + self._added(server_head(identity, kind), kind)
        if kind == WEB_ITEM:
            out += self._event("response.web_search_call.in_progress") + self._event(
                "response.web_search_call.searching"
            )
        elif kind == CODE_ITEM and not self._voice.own:
            out += self._event("response.code_interpreter_call.in_progress")
        self._server = self._waiting[call.id] = _Pending(self._index, self._identity, kind, call)
        return out

    def _server_result(self, result: ServerToolResult) -> bytes:
        pending = self._waiting.pop(result.call_id, None)
        if pending is not None:
            return self._server_done(pending, result)
        return self.whole_item(result.raw, result.kind) if self._voice.own else b""

    def _server_done(self, pending: _Pending, result: ServerToolResult | None) -> bytes:
        self._server = None
        self._index, self._identity = pending.index, pending.identity
        out = b""
        if pending.kind == WEB_ITEM:
            out = self._event("response.web_search_call.completed")
        elif pending.kind == CODE_ITEM and not self._voice.own:
            out = self._event("response.code_interpreter_call.completed")
        if self._voice.own:
            head = server_head(pending.identity, pending.kind, "incomplete")
            return out + self._done(pending.index, head if result is None else result.raw)
        arguments = "".join(pending.arguments)
        return out + self._done(
            pending.index, server_node(pending.identity, pending.kind, pending.call, arguments, result)
        )

    # ---- whole items ----

    def _whole(self, part: Part) -> bytes:
        """A part without deltas."""
        voice = self._voice
        match part:
            case Opaque() if part.origin == NAME and part.kind.startswith(CONTENT):
                self._contents.append(bytes(part.raw))
                return b""
            case Opaque() if part.origin == NAME:
                return self.whole_item(part.raw, part.kind)
            case Opaque():
                voice.lose("output", f"{part.kind}: only {part.origin} understands it")
            case Image() if (node := image_node(voice, part)) is not None:
                return self.whole_item(node, "image_generation_call")
            case _:
                voice.lose("output", f"{type(part).__name__} has no item in this dialect", "error")
        return b""

    def whole_item(self, item: Json | Raw, kind: str) -> bytes:
        """An item that begins and ends at once."""
        head = (members(item) or {}) if isinstance(item, Raw) else item
        out = self._close_message("completed") + self._added(head, kind)
        return out + self._done(self._index, item)

    def sign(self, signed: Signed) -> None:
        """The signed state of the open thinking, which goes out with its end."""
        self._signed = signed

    def end(self, *, incomplete: bool) -> bytes:
        """What is still open ends: the message, and tools that gave no result."""
        out = self._close_message("incomplete" if incomplete else "completed")
        for pending in list(self._waiting.values()):
            out += self._server_done(pending, None)
        return out

    @property
    def items(self) -> list[Raw]:
        """The items that have ended, in order."""
        return [Raw(item) for item in self.output if item]

    def note(self, raw: Raw) -> bytes:
        """An event of an upstream of this dialect that is of no item, or of the tool that runs; numbered anew."""
        kept = members(raw)
        if kept is None or (kind := string(kept.get("type"))) is None:
            return b""
        for key in ("type", "sequence_number"):
            kept.pop(key, None)
        if "output_index" in kept:
            if self._server is None:
                return b""
            kept["output_index"] = Raw(b"%d" % self._server.index)
        return self.frames.one(kind.replace("\n", " "), _ENCODE(kept)[1:-1]) if kept else b""


def _summary_part(text: str) -> Json:
    return {"type": "summary_text", "text": text}


def _text_of(content: bytes) -> Raw:
    """The text of a content part as raw JSON."""
    return (members(content) or {}).get("text", Raw(b'""'))
