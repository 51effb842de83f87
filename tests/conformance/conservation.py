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

# From the vendors' documentation: what the words for the end of an answer mean. `None`: it gives no reason.
MEANINGS: dict[str, dict[str | None, str]] = {
    "anthropic": {
        "end_turn": "end",
        "stop_sequence": "stopped",
        "max_tokens": "length",
        "tool_use": "calls",
        "refusal": "refusal",
        "pause_turn": "pause",
        "model_context_window_exceeded": "length",
        "compaction": "pause",
        None: "end",
    },
    "openai_chat": {
        "stop": "end",
        "length": "length",
        "tool_calls": "calls",
        "function_call": "calls",
        "content_filter": "refusal",
        "": "end",
        None: "end",
    },
    "openai_responses": {
        "completed": "end",
        "max_output_tokens": "length",
        "content_filter": "refusal",
        "incomplete": "length",
        None: "end",
    },
    "gemini": {
        "STOP": "end",
        "MAX_TOKENS": "length",
        "SAFETY": "refusal",
        "RECITATION": "refusal",
        "BLOCKLIST": "refusal",
        "PROHIBITED_CONTENT": "refusal",
        "SPII": "refusal",
        "MODEL_ARMOR": "refusal",
        None: "end",
    },
}
# The word that a client of each dialect knows for it.
WORDS = {
    "anthropic": {
        "end": "end_turn",
        "stopped": "stop_sequence",
        "length": "max_tokens",
        "calls": "tool_use",
        "refusal": "refusal",
        "pause": "pause_turn",
    },
    "openai_chat": {"end": "stop", "length": "length", "calls": "tool_calls", "refusal": "content_filter"},
    "openai_responses": {"end": "completed", "length": "max_output_tokens", "refusal": "content_filter"},
    "gemini": {"end": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"},
}
_LAX = "end"
"""Upstreams are seen to say this although they called tools, or have no other word; their client has to see that."""


def expected_stop(upstream: str, client: str, said: Reading) -> str:
    """The client's word for the end of what the upstream said."""
    meanings = MEANINGS[upstream]
    meaning = "refusal" if (said.stop or "").startswith("prompt:") else meanings.get(said.stop, meanings[None])
    if meaning == _LAX and said.refused and client == "openai_responses" and not said.calls:
        return "completed"  # where the refusal stands apart from text, it is the answer
    if meaning == _LAX:
        meaning = "calls" if said.calls else "refusal" if said.refused else "stopped" if said.stopped_at else meaning
    words = WORDS[client]
    return words.get(meaning, words["end"])


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


UNTOLD: dict[str, frozenset[str]] = {"gemini": frozenset({"cache_write"})}
"""Counts that a dialect has no member for."""


def differences(
    said: Reading, heard: Reading, *, ordered: bool, by_sdk: bool = False, through: Iterable[str] = ()
) -> dict[str, list[str]]:
    """How two readings of one answer differ, by column of the report; the order counts where the wire can tell it.

    `through`: the dialects that it was written in on its way.
    """
    untold: frozenset[str] = frozenset().union(*(UNTOLD.get(dialect, frozenset()) for dialect in through))
    return {
        "text": _apart(said.text, heard.text),
        "thinking": _apart(said.thinking, heard.thinking),
        "tool calls": _calls(said.calls, heard.calls, by_sdk=by_sdk),
        "order": [f"{said.order} became {heard.order}"] if ordered and said.order != heard.order else [],
        "usage": _tokens(said.tokens, heard.tokens, untold),
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


def _tokens(said: Tokens, heard: Tokens, untold: frozenset[str]) -> list[str]:
    """How counts differ, where the upstream gives them. What was cached is never more than the whole."""
    if said.input is None:
        return []
    members = ["output"] if said.output is not None else []
    if said.input >= said.cache_read + said.cache_write:
        members += ["input", "cache_read", "cache_write"]
    pairs = [(member, getattr(said, member), getattr(heard, member)) for member in members if member not in untold]
    return [f"{member}: {one} became {other}" for member, one, other in pairs if one != other]


def _apart(one: str, other: str) -> list[str]:
    if one == other:
        return []
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return [f"{one[place : place + 40]!r} became {other[place : place + 40]!r} at {place}"]
