"""Token counts as Gemini writes them, both ways.

Thoughts stand beside what the model wrote, and what the provider's own tools read for the model stands beside the
prompt; the middle form has each in one sum. The object stays whole in extras, so that it comes back as it was.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.gemini.members import Json, Members
from strowger.errors import Malformed
from strowger.ir.events import Usage

Count = int | float | None


class _Counts(Struct, rename="camel", gc=False):
    prompt_token_count: Count = None
    candidates_token_count: Count = None
    thoughts_token_count: Count = None
    cached_content_token_count: Count = None
    tool_use_prompt_token_count: Count = None


_COUNTS = msgspec.json.Decoder(_Counts)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NAMES = tuple((field.name, field.encode_name) for field in msgspec.structs.fields(_Counts))


def parse_usage(raw: Raw | bytes) -> Usage | None:
    """Counts of a `usageMetadata`; None when it is none, or says nothing."""
    try:
        extras = _MEMBERS.decode(raw)
        seen = _COUNTS.decode(raw) if "prompt_token_count" not in extras else _loose(raw)
    except msgspec.ValidationError:
        try:
            seen = _loose(raw)
        except Malformed:
            return None
        extras = _MEMBERS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not extras:
        return None
    return Usage(
        input=_sum(seen.prompt_token_count, seen.tool_use_prompt_token_count),
        output=_sum(seen.candidates_token_count, seen.thoughts_token_count),
        cache_read=_sum(seen.cached_content_token_count),
        reasoning=_sum(seen.thoughts_token_count),
        extras=extras,
    )


def _loose(raw: Raw | bytes) -> _Counts:
    """The same of an object in snake_case, or with members of a wrong type, which count for nothing."""
    fields = Members(raw, "usageMetadata", Malformed)
    counts: dict[str, Count] = {}
    for name, member in _NAMES:
        try:
            counts[name] = fields.number(member)
        except Malformed:
            continue
    return _Counts(**counts)


def _sum(*counts: Count) -> int | None:
    stated = [int(count) for count in counts if count is not None]
    return sum(stated) if stated else None


def render_usage(usage: Usage, *, ours: bool, estimate: int = 0) -> Json:
    """A `usageMetadata`. What came from this dialect holds all of it in its extras. `estimate` is a guess at the
    prompt's tokens, for an upstream that did not count them.
    """
    if ours and usage.extras:
        return dict(usage.extras)
    prompt = estimate if usage.input is None else usage.input
    output, thoughts = usage.output or 0, usage.reasoning or 0
    node: Json = {"promptTokenCount": prompt}
    if usage.cache_read:
        node["cachedContentTokenCount"] = usage.cache_read
    node["candidatesTokenCount"] = max(0, output - thoughts)
    if usage.reasoning is not None:
        node["thoughtsTokenCount"] = min(thoughts, output)
    node["totalTokenCount"] = prompt + output
    return node
