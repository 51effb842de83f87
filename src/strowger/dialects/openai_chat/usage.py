"""Token counts as Chat Completions servers write them, both ways.

`prompt_tokens` include cached ones and `completion_tokens` include reasoning, as the middle form has it. The objects
of details stay whole in extras, so that a usage comes back to this dialect as it was.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.openai_chat.parts import Json
from strowger.ir.events import Usage

Count = int | float | None


class _Details(Struct):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    reasoning_tokens: Count = None


class _ServerTools(Struct):
    web_search_requests: Count = None


class _Usage(Struct):
    prompt_tokens: Count = None
    completion_tokens: Count = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    # the same counts where others put them: DeepSeek, Moonshot, Groq and xAI, gateways in front of Anthropic
    prompt_cache_hit_tokens: Count = None
    cached_tokens: Count = None
    num_cached_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    reasoning_tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    # what OpenRouter ran for the model
    server_tool_use: _ServerTools | None = None
    server_tool_use_details: _ServerTools | None = None


_USAGE = msgspec.json.Decoder(_Usage)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NOTHING = _Details()
_NONE_RAN = _ServerTools()


def parse_usage(raw: Raw | bytes) -> Usage | None:
    """Counts of a usage object; None when it is none."""
    try:
        seen = _USAGE.decode(raw)
        extras = _MEMBERS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    for key, value in (("prompt_tokens", seen.prompt_tokens), ("completion_tokens", seen.completion_tokens)):
        if value is not None:
            del extras[key]
    prompt = seen.prompt_tokens_details or _NOTHING
    completion = seen.completion_tokens_details or _NOTHING
    return Usage(
        input=_first(seen.prompt_tokens, seen.input_tokens),
        output=_first(seen.completion_tokens, seen.output_tokens),
        cache_read=_first(
            prompt.cached_tokens,
            seen.prompt_cache_hit_tokens,
            seen.cached_tokens,
            seen.num_cached_tokens,
            seen.cache_read_input_tokens,
        ),
        cache_write=_first(prompt.cache_write_tokens, seen.cache_creation_input_tokens),
        reasoning=_first(completion.reasoning_tokens, seen.reasoning_tokens),
        extras=extras,
        searches=_first(
            (seen.server_tool_use or _NONE_RAN).web_search_requests,
            (seen.server_tool_use_details or _NONE_RAN).web_search_requests,
        ),
    )


def _first(*counts: Count) -> int | None:
    return next((int(count) for count in counts if count is not None), None)


def render_usage(usage: Usage, *, ours: bool) -> Json:
    """A usage object. When it came from this dialect its extras hold totals and details already."""
    if ours and (usage.extras or not usage.estimated):
        stated = {"prompt_tokens": usage.input, "completion_tokens": usage.output}
        return dict(usage.extras) | {key: count for key, count in stated.items() if count is not None}
    prompt, completion = usage.input or 0, usage.output or 0
    node: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if usage.cache_read is not None or usage.cache_write is not None:
        node["prompt_tokens_details"] = {"cached_tokens": usage.cache_read or 0}
        if usage.cache_write is not None:
            node["prompt_tokens_details"]["cache_write_tokens"] = usage.cache_write
    if usage.reasoning is not None:
        node["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    if usage.searches:
        node["server_tool_use"] = {"web_search_requests": usage.searches}
    return node
