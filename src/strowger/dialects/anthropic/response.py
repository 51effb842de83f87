"""Whole answers of the Messages API to events, and what a stream shares with them: blocks, counts, stop reasons.

Knows nothing of framing; a body that is no message, but an error or a proxy's page, becomes one Failure.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw

from strowger.dialects.anthropic.blocks import citations, free_text, json_text, parse_other
from strowger.dialects.anthropic.errors import failure
from strowger.dialects.anthropic.wire import (
    CUSTOM,
    NAME,
    NULL,
    REDACTED,
    SIGNATURE,
    STOP_REASONS,
    USUAL_USAGE,
)
from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import Fields
from strowger.dialects.refusals import unstructured
from strowger.errors import ErrorKind, Malformed
from strowger.ir.events import (
    Event,
    Failure,
    Finish,
    Start,
    StopReason,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import NO_EXTRAS, Extras, Part, ServerToolCall, Signed, Text, Thinking, ToolCall
from strowger.ir.response import unfold_part

_FINISH_MEMBERS = frozenset({"stop_details", "container", "context_management", "safeguard_results"})
"""Members of a whole answer that a stream tells at its end."""
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


_EMPTY_TEXT = Raw(b'{"type":"text","text":""}')
NO_TEXT = Text("")
"""What most blocks begin as."""


class Counts:
    """Token counts as the wire states them, to Usage, in which the input holds the cached tokens too.

    The wire's numbers are cumulative, and later ones may leave some out, so sums are made of the latest of each.
    """

    def __init__(self) -> None:
        self._wire: dict[str, int] = {}
        self._reasoning: int | None = None
        self._searches: int | None = None

    def update(self, raw: Raw) -> Usage | None:
        """Usage after one more usage object; None when it is none."""
        try:
            usual = USUAL_USAGE.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._update_slowly(raw)
        wire = self._wire
        if usual.input_tokens is not UNSET:
            wire["input_tokens"] = usual.input_tokens
        if usual.output_tokens is not UNSET:
            wire["output_tokens"] = usual.output_tokens
        if usual.cache_read_input_tokens is not UNSET:
            wire["cache_read_input_tokens"] = usual.cache_read_input_tokens
        if usual.cache_creation_input_tokens is not UNSET:
            wire["cache_creation_input_tokens"] = usual.cache_creation_input_tokens
        extras: dict[str, Raw] = {}
        if usual.cache_creation is not UNSET:
            extras["cache_creation"] = usual.cache_creation
        if usual.service_tier is not UNSET:
            extras["service_tier"] = usual.service_tier
        if usual.inference_geo is not UNSET:
            extras["inference_geo"] = usual.inference_geo
        return self._usage(extras or NO_EXTRAS)

    def _update_slowly(self, raw: Raw) -> Usage | None:
        fields = members(raw)
        if fields is None:
            return None
        for key in _COUNTS:
            count = _count(fields, key)
            if count is not None:
                self._wire[key] = count
        self._reasoning = _inner_count(fields, "output_tokens_details", "thinking_tokens", self._reasoning)
        self._searches = _inner_count(fields, "server_tool_use", "web_search_requests", self._searches)
        return self._usage(fields.extras())

    def _usage(self, extras: Extras) -> Usage:
        wire = self._wire
        read, write = wire.get("cache_read_input_tokens"), wire.get("cache_creation_input_tokens")
        fresh = wire.get("input_tokens")
        return Usage(
            input=None if fresh is None else fresh + (read or 0) + (write or 0),
            output=wire.get("output_tokens"),
            cache_read=read,
            cache_write=write,
            reasoning=self._reasoning,
            extras=extras,
            searches=self._searches,
        )


def members(raw: Raw) -> Fields | None:
    """The members of a raw object, None for anything else."""
    if raw is NULL:
        return None
    try:
        return Fields(raw, error=Malformed)
    except Malformed:
        return None


def _count(fields: Fields, key: str) -> int | None:
    """Take a count; what is none stays where it is."""
    raw = fields.rest.get(key)
    if raw is None:
        return None
    digits = bytes(raw)
    if not digits.isdigit():
        return None
    del fields.rest[key]
    return int(digits)


def _inner_count(fields: Fields, key: str, member: str, before: int | None) -> int | None:
    """Take a count out of an object, of which the rest stays; `before` where there is none."""
    inner = members(fields.rest.get(key, NULL))
    count = None if inner is None else _count(inner, member)
    if inner is None or count is None:
        return before
    del fields.rest[key]
    if inner.rest:
        fields.rest[key] = Raw(msgspec.json.encode(inner.rest))
    return count


def word(raw: Raw) -> str | None:
    """The value of a raw string, None for anything else."""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def part_of(raw: Raw, setup: DecoderSetup) -> Part:
    """A content block as it stands, members that are missing being empty. Raises Malformed for wrong types."""
    if raw == _EMPTY_TEXT:
        return NO_TEXT
    fields = Fields(raw, "content_block", Malformed)
    kind = fields.text("type") or "text"
    match kind:
        case "text":
            return Text(fields.text("text") or "", None, citations(fields), fields.extras())
        case "thinking":
            thought = fields.text("thinking") or ""
            signature = None if fields.holds("signature", b'""') else fields.text("signature")
            signed = None if signature is None else Signed(setup.origin or NAME, SIGNATURE, signature)
            return Thinking(thought, signed, extras=fields.extras())
        case "redacted_thinking":
            signed = Signed(setup.origin or NAME, REDACTED, fields.text("data") or "")
            return Thinking("", signed, extras=fields.extras())
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            call_id = fields.text("id") or setup.new_id("toolu_")
            name = fields.text("name") or ""
            given = fields.raw("input")
            arguments = "" if given is None else json_text(given)
            if kind == "tool_use":
                return _call(call_id, setup.names.get(name, name), arguments, fields.extras())
            return ServerToolCall(call_id, name, arguments, kind, extras=fields.extras())
        case _:
            return parse_other(fields, kind, raw)


def _call(call_id: str, name: str, arguments: str, extras: Extras) -> ToolCall:
    if name.startswith(CUSTOM):
        return ToolCall(call_id, name.removeprefix(CUSTOM), free_text(arguments), kind="custom", extras=extras)
    return ToolCall(call_id, name, arguments, extras=extras)


def stop_reason_of(native: str | None, *, called: bool) -> StopReason:
    """Why it stopped. Some servers say `end_turn`, or nothing, although a tool was called."""
    reason = STOP_REASONS.get(native, StopReason.OTHER) if native else StopReason.END
    return StopReason.TOOL_USE if called and reason is StopReason.END else reason


def decode_response(body: bytes, setup: DecoderSetup) -> list[Event]:
    """A whole answer as the events of a stream; an error body, or one that cannot be read, as one Failure."""
    try:
        return _decode_message(Raw(body), setup)
    except Malformed as wrong:
        failed = failure(body)
        if failed is not None:
            return [failed]
        message = f"the upstream's answer cannot be read: {wrong.message}"
        if not body.lstrip().startswith(b"{"):
            message = unstructured(200, body)
        return [Failure(ErrorKind.UPSTREAM, message, "malformed")]


def _decode_message(raw: Raw, setup: DecoderSetup) -> list[Event]:
    message = Fields(raw, error=Malformed)
    if not message.holds("type", b'"message"') and "content" not in message.rest:
        raise Malformed("it is not a message")
    message.text("type")
    message.text("role")
    blocks = message.items("content") or []
    parts = [part_of(block, setup) for block in blocks]
    usage = Counts().update(message.raw("usage") or NULL)
    native = message.text("stop_reason")
    stop_sequence = message.text("stop_sequence")
    ending = _FINISH_MEMBERS | {"stop_sequence", "stop_reason"}
    last = {key: message.rest.pop(key) for key in tuple(message.rest) if key in ending}
    start = Start(
        NAME, message.text("id") or setup.new_id("msg_"), message.text("model") or "", extras=message.extras()
    )
    events: list[Event] = [start]
    for index, part in enumerate(parts):
        events += unfold_part(index, part)
    if usage is not None:
        events.append(UsageUpdate(usage))
    called = any(isinstance(part, ToolCall) for part in parts)
    events.append(Finish(stop_reason_of(native, called=called), native or "", stop_sequence, last or NO_EXTRAS))
    return events
