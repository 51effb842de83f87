"""Token counts as Responses servers write them, both ways.

`input_tokens` include cached ones and `output_tokens` include reasoning, as the middle form has it. The objects of
details stay whole in extras, so that a usage comes back to this dialect as it was.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from strowger.ir.events import Usage

Json = dict[str, Any]
Count = int | float | None


class _Details(Struct):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    reasoning_tokens: Count = None


class _ServerSide(Struct):
    web_search_calls: Count = None


class _Usage(Struct):
    input_tokens: Count = None
    output_tokens: Count = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    server_side_tool_usage_details: _ServerSide | None = None  # xAI


_USAGE = msgspec.json.Decoder(_Usage)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NOTHING = _Details()


def parse_usage(raw: Raw | bytes) -> Usage | None:
    """Counts of a usage object; None when it is none."""
    try:
        seen = _USAGE.decode(raw)
        extras = _MEMBERS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    for key, value in (("input_tokens", seen.input_tokens), ("output_tokens", seen.output_tokens)):
        if isinstance(value, int):
            del extras[key]
    prompt = seen.input_tokens_details or _NOTHING
    answer = seen.output_tokens_details or _NOTHING
    server = seen.server_side_tool_usage_details
    return Usage(
        input=_whole(seen.input_tokens),
        output=_whole(seen.output_tokens),
        cache_read=_whole(prompt.cached_tokens),
        cache_write=_whole(prompt.cache_write_tokens),
        reasoning=_whole(answer.reasoning_tokens),
        extras=extras,
        searches=(_whole(server.web_search_calls) or None) if server is not None else None,
    )


def _whole(count: Count) -> int | None:
    return None if count is None else int(count)


def render_usage(usage: Usage, *, ours: bool, estimate: int = 0) -> Json:
    """A usage object with every member that the official SDK expects. When it came from this dialect its extras hold
    totals and details already. `estimate`: the prompt's tokens, where the upstream did not count.
    """
    if ours and (usage.extras or not usage.estimated):
        stated = {"input_tokens": usage.input, "output_tokens": usage.output}
        return {key: count for key, count in stated.items() if count is not None} | dict(usage.extras)
    prompt = estimate if usage.input is None else usage.input
    answer = usage.output or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read or 0,
            "cache_write_tokens": usage.cache_write or 0,
        },
        "output_tokens": answer,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": prompt + answer,
    }
