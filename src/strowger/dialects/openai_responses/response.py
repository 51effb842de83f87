"""Whole answers of the Responses API to events, and what a stream shares with them: the head, the end.

Knows nothing of framing; a body that is no answer, but an error or a proxy's page, becomes one Failure.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import Fields
from strowger.dialects.openai_responses.errors import Told, failure_of, members, string, told
from strowger.dialects.openai_responses.output import encoded, parts_of, searched, unfolded
from strowger.dialects.openai_responses.usage import parse_usage
from strowger.dialects.openai_responses.wire import NAME, STOP_REASONS
from strowger.dialects.refusals import unstructured
from strowger.errors import ErrorKind, Malformed
from strowger.ir.events import Event, Failure, Finish, Start, StopReason, Usage, UsageUpdate
from strowger.ir.request import Extras, Part, ToolCall

RESPONSE = "response"
"""In the extras of a start or a finish: the members of the response object, which repeat what was asked."""

_NULL = Raw(b"null")
_INTEGER = msgspec.json.Decoder(int | float)
_UNFINISHED = frozenset({"queued", "in_progress", "cancelled"})
_APART = frozenset({"output", "usage"})
"""Members of a response that are told by events of their own."""
_NOTHING = frozenset({b"null", b"{}"})


def start_of(response: dict[str, Raw], setup: DecoderSetup) -> Start:
    """The beginning of an answer, from the members of a response object."""
    identity, model = string(response.get("id")), string(response.get("model"))
    kept = {key: value for key, value in response.items() if key not in _APART or bytes(value) in _NOTHING}
    extras: Extras = {RESPONSE: encoded(kept)}
    return Start(NAME, identity or setup.new_id("resp_"), model or "", _seconds(response.get("created_at")), extras)


def _seconds(raw: Raw | None) -> int | None:
    try:
        return None if raw is None else int(_INTEGER.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, ValueError):
        return None


def end_of(response: dict[str, Raw], extras: Extras, *, called: bool) -> Finish | Failure:
    """The end of an answer. A response that failed, or is not there yet, is no answer."""
    status = string(response.get("status")) or ""
    if status == "failed":
        return failed(response)
    if status in _UNFINISHED:
        return Failure(ErrorKind.UPSTREAM, f"the upstream's answer is {status.replace('_', ' ')}", status)
    native = "completed" if status == "complete" else status
    if status == "incomplete":
        details = members(response.get("incomplete_details")) or {}
        native = string(details.get("reason")) or status
    reason = STOP_REASONS.get(native, StopReason.OTHER) if native else StopReason.END
    if native == "incomplete":
        reason = StopReason.MAX_TOKENS
    elif string(response.get("object")) == "response.compaction":
        reason = StopReason.COMPACTION
    elif called and (reason is StopReason.END or (reason is StopReason.OTHER and status != "incomplete")):
        reason = StopReason.TOOL_USE  # also under a word of another API, such as `requires_action`
    return Finish(reason, native, None, extras)


def failed(response: dict[str, Raw]) -> Failure:
    """The failure that a response object tells."""
    seen = told(encoded({"error": response.get("error", _NULL)}))
    return failure_of(seen or Told("the upstream's answer failed without a reason", raw=encoded(response)))


def counted(response: dict[str, Raw], searches: int) -> Usage | None:
    """The usage of an answer, with the searches that its items show."""
    usage = parse_usage(response.get("usage", _NULL))
    if not searches or (usage is not None and usage.searches is not None):
        return usage
    return replace(usage or Usage(), searches=searches)


def decode_response(body: bytes, setup: DecoderSetup) -> list[Event]:
    """A whole answer as the events of a stream; an error body, or one that cannot be read, as one Failure."""
    try:
        return _decode(body, setup)
    except Malformed as wrong:
        seen = told(body)
        if seen is not None:
            return [failure_of(seen)]
        message = f"the upstream's answer cannot be read: {wrong.message}"
        if not body.lstrip().startswith(b"{"):
            message = unstructured(200, body)
        return [Failure(ErrorKind.UPSTREAM, message, "malformed")]


def _decode(body: bytes, setup: DecoderSetup) -> list[Event]:
    response = Fields(body, error=Malformed)
    items = response.items("output")
    if items is None and string(response.rest.get("status")) not in {"failed", *_UNFINISHED}:
        raise Malformed("it is not a response")
    parts: list[Part] = []
    searches = 0
    for item in items or []:
        parts += parts_of(item, setup)
        searches += searched(item)
    called = any(isinstance(part, ToolCall) for part in parts)
    end = end_of(response.rest, {}, called=called)
    if isinstance(end, Failure):
        return [end]
    events: list[Event] = [start_of(response.rest, setup)]
    for index, part in enumerate(parts):
        events += unfolded(index, part)
    usage = counted(response.rest, searches)
    if usage is not None:
        events.append(UsageUpdate(usage))
    events.append(end)
    return events
