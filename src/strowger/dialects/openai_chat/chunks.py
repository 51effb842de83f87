"""The chunks of a stream, as far as events are made of them.

The structs allow the shapes that are seen in the wild, and decoding them costs a microsecond. A chunk that still does
not fit is read again member by member, and what does not fit in it is left out: one odd member must not end a stream.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Raw, Struct

S = TypeVar("S", bound=Struct)

ABSENT = Raw(b"")
"""Default of raw members (a raw member cannot be optional: it would only take null)."""


_NULL = len(b"null")


def present(raw: Raw) -> bool:
    """Whether a raw member is there and not null."""
    return len(raw) > 4 or (len(raw) > 0 and bytes(raw) != b"null")


class ChunkFunction(Struct, gc=False):
    """Name and a piece of the arguments; some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ChunkCustom(Struct, gc=False):
    """Name and a piece of the input of a custom tool call."""

    name: str | None = None
    input: str | None = None


class ChunkCall(Struct, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: ChunkFunction | None = None
    custom: ChunkCustom | None = None
    extra_content: Raw = ABSENT


class Delta(Struct, gc=False):
    """What a chunk adds. `content` is a list of parts in Mistral's answers."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Raw] | None = None
    refusal: str | None = None
    tool_calls: list[ChunkCall] | None = None
    function_call: ChunkFunction | None = None
    annotations: list[Raw] | None = None
    audio: Raw = ABSENT


class Choice(Struct, gc=False):
    """One of the answers. `stop_reason` (vLLM) and `matched_stop` (SGLang) tell the stop sequence; `usage` stands here
    in Moonshot's answers; `message` instead of a delta is seen from servers that pretend to stream.
    """

    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None
    logprobs: Raw = ABSENT
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None
    usage: Raw = ABSENT
    message: Raw = ABSENT


class Groq(Struct, gc=False):
    """Groq's own corner of a chunk."""

    usage: Raw = ABSENT
    error: str | None = None


class Chunk(Struct, gc=False):
    """One event of a stream. `citations` and `search_results` are Perplexity's: the pages that it drew from so far."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[Choice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    citations: Raw = ABSENT
    search_results: Raw = ABSENT
    x_groq: Groq | None = None


_CHUNK = msgspec.json.Decoder(Chunk)


def decode_chunk(data: bytes) -> Chunk | None:
    """A chunk; None when the JSON is no object. Raises msgspec.DecodeError when it is not JSON."""
    try:
        return _CHUNK.decode(data)
    except msgspec.ValidationError:
        seen = msgspec.json.decode(data)
        return salvaged(Chunk, seen) if isinstance(seen, dict) else None


def only_text(chunk: Chunk, index: int | None) -> str | None:
    """The text of a chunk that adds a text to the answer of that index, and says nothing else; None of any other."""
    choice = chunk.choices[0] if chunk.choices and len(chunk.choices) == 1 else None
    if choice is None or choice.delta is None or choice.index != index or chunk.x_groq is not None:
        return None
    beside = (chunk.usage, chunk.error, chunk.citations, chunk.search_results)
    if any(len(raw) > _NULL for raw in (*beside, choice.logprobs, choice.usage, choice.message, choice.delta.audio)):
        return None
    if choice.finish_reason is not None or choice.stop_reason is not None or choice.matched_stop is not None:
        return None
    delta = choice.delta
    more = (delta.reasoning_content, delta.reasoning, delta.reasoning_details, delta.refusal, delta.annotations)
    if any(more) or delta.tool_calls or delta.function_call is not None:
        return None
    return delta.content if isinstance(delta.content, str) else None


def decode_delta(raw: Raw) -> Delta:
    """A message as if it were one big delta."""
    try:
        return msgspec.json.decode(raw, type=Delta)
    except msgspec.ValidationError:
        seen = msgspec.json.decode(raw)
        return salvaged(Delta, seen) if isinstance(seen, dict) else Delta()


class _Index(Struct):
    index: int = 0


def index_of(raw: Raw) -> int | None:
    """The number of a raw choice; None when it is not one."""
    try:
        return msgspec.json.decode(raw, type=_Index, strict=False).index
    except msgspec.ValidationError:
        return None


def salvaged(kind: type[S], seen: dict[str, Any]) -> S:
    """What fits of an object; the rest has its default."""
    members: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = seen.get(field.encode_name)
        if value is not None:
            members[field.name] = _fitting(field.type, value)
    return kind(**members)


def _fitting(kind: Any, value: Any) -> Any:
    """The value as the type, or the nearest that fits: nested objects are salvaged in turn."""
    choices = get_args(kind) or (kind,)
    if kind is Raw:
        return Raw(msgspec.json.encode(value))
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        pass
    for choice in choices:
        if isinstance(value, dict) and isinstance(choice, type) and issubclass(choice, Struct):
            return salvaged(choice, value)
        items = get_args(choice)
        if isinstance(value, list) and items:
            return [fit for item in value if (fit := _fitting(items[0], item)) is not None]
    return 0 if kind is int else None
