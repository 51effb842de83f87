"""What must be the same on both sides of a translation, and which word for the end stands for which.

The upstream's answer is read twice: plainly from the recording, and as the fold of our decoder's events, so that the
codec is not its own judge. The client's is read twice too: plainly, and by the official SDK.
"""

from __future__ import annotations

from collections.abc import Iterable

from strowger.ir.events import Event
from strowger.ir.request import Refusal, Text, Thinking, ToolCall
from strowger.ir.response import fold
from tests.conformance.reading import Piece, Reading, Tokens, is_object, joined, parsed

# From the vendors' documentation; `None` stands for an answer that gives no reason.
STOPS: dict[str, dict[str | None, str]] = {
    "anthropic": {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
        "pause_turn": "stop",
        "model_context_window_exceeded": "length",
        "compaction": "stop",
        None: "stop",
    },
    "openai_chat": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "function_call": "tool_use",
        "content_filter": "refusal",
        "": "end_turn",
        None: "end_turn",
    },
}
CALLED = {"anthropic": "tool_calls", "openai_chat": "tool_use"}
_LAX = {"stop", "end_turn", "", None}
"""Upstreams are seen to say these although they called tools, whose client has to see that."""


def expected_stop(upstream: str, said: Reading) -> str:
    """The client's word for the end of what the upstream said."""
    if said.stop in _LAX and said.calls:
        return CALLED[upstream]
    if said.stop in _LAX and upstream == "openai_chat":
        return "refusal" if said.refused else "stop_sequence" if said.stopped_at else "end_turn"
    return STOPS[upstream].get(said.stop, STOPS[upstream][None])


def folded(events: Iterable[Event]) -> Reading:
    """The answer as our own middle form has it. Raises IncompleteError for one that failed."""
    response = fold(events)
    pieces: list[Piece] = []
    for part in response.parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                pieces.append(Piece("text", text))
            case Thinking(text=text):
                pieces.append(Piece("thinking", text))
            case ToolCall():
                pieces.append(Piece("call", id=part.id, name=part.name, arguments=part.arguments))
            case _:
                continue
    usage = response.usage
    tokens = Tokens(usage.input, usage.output, usage.cache_read or 0, usage.cache_write or 0)
    return Reading(joined(pieces), response.finish.native or None, tokens)


def differences(said: Reading, heard: Reading, *, ordered: bool, by_sdk: bool = False) -> dict[str, list[str]]:
    """How two readings of one answer differ, by column of the report; the order counts where the wire can tell it."""
    return {
        "text": _apart(said.text, heard.text),
        "thinking": _apart(said.thinking, heard.thinking),
        "tool calls": _calls(said.calls, heard.calls, by_sdk=by_sdk),
        "order": [f"{said.order} became {heard.order}"] if ordered and said.order != heard.order else [],
        "usage": _tokens(said.tokens, heard.tokens),
    }


def _calls(said: tuple[Piece, ...], heard: tuple[Piece, ...], *, by_sdk: bool) -> list[str]:
    """How tool calls differ; an id may be invented where there was none."""
    if len(said) != len(heard):
        return [f"{len(said)} calls became {len(heard)}"]
    found = []
    for one, other in zip(said, heard, strict=True):
        if one.name != other.name or (one.id != other.id if one.id else not other.id):
            found.append(f"{one.name} {one.id} became {other.name} {other.id}")
        if not _same_arguments(one.arguments, other.arguments, by_sdk=by_sdk):
            found += _apart(one.arguments, other.arguments)
    return found


def _same_arguments(said: str, heard: str, *, by_sdk: bool) -> bool:
    """Whether argument texts mean the same. What is no object (cut, or free text) is carried as a member of one where
    an object must be; the SDKs make what they can of a half.
    """
    if said == heard or parsed(said) == parsed(heard):
        return True
    if is_object(said):
        return False
    return by_sdk or parsed(heard) in ({"raw_arguments": said}, {"input": said}, {} if said == "null" else said)


def _tokens(said: Tokens, heard: Tokens) -> list[str]:
    """How counts differ, where the upstream gives them. What was cached is never more than the whole."""
    if said.input is None:
        return []
    members = ["output"] if said.output is not None else []
    if said.input >= said.cache_read + said.cache_write:
        members += ["input", "cache_read", "cache_write"]
    pairs = [(member, getattr(said, member), getattr(heard, member)) for member in members]
    return [f"{member}: {one} became {other}" for member, one, other in pairs if one != other]


def _apart(one: str, other: str) -> list[str]:
    if one == other:
        return []
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return [f"{one[place : place + 40]!r} became {other[place : place + 40]!r} at {place}"]
