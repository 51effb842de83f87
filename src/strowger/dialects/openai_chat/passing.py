"""Whether a body of this dialect may go to an upstream untouched: a look at its bytes, without parsing.

Imitators answer a member that they do not know in two ways: most pass over it, some refuse the whole request. Only
what is known to be refused stops a body here. A false alarm costs time only, since parse and render are inverse; so
the patterns may be broad, but not blind.
"""

from __future__ import annotations

import re

from strowger.dialects.base import Capabilities
from strowger.dialects.efforts import EFFORTS
from strowger.dialects.envelope import MARK
from strowger.dialects.obstacles import finder

_LIMIT = re.compile(rb'"max_(?:completion_)?tokens"\s*:\s*(\d+)')
_LAST_ROLE = re.compile(rb'"role"\s*:\s*"assistant"')
_SYSTEM = re.compile(rb'"role"\s*:\s*"(?:system|developer)"')


def passes(body: bytes, caps: Capabilities) -> bool:
    """Whether nothing in the body has to be changed or left out for this upstream."""
    if MARK in body:
        return False  # envelopes are opened first
    if caps.judges_itself:
        return True
    if not caps.prefill and _LAST_ROLE.match(body, body.rfind(b'"role"')):
        return False
    if not caps.mid_system and len(_SYSTEM.findall(body)) > 1:
        return False
    limit = _LIMIT.search(body)
    if limit is not None:
        asked = int(limit[1])
        if asked < caps.min_output_tokens or (caps.max_output_tokens and asked > caps.max_output_tokens):
            return False
    return not _holds_obstacle(body, caps)


def _obstacles(caps: Capabilities) -> list[tuple[bool, bytes]]:
    """(whether it is accepted, how it looks) of everything that an upstream may refuse."""
    refused = "|".join(word for word in EFFORTS if word not in caps.efforts)
    wrong_limit = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
    field = wrong_limit.get(caps.max_tokens_field, "max_tokens")
    return [
        (caps.system_role != "system", rb'"role"\s*:\s*"developer"'),
        (caps.max_tokens_field == "", rb'"%b"\s*:\s*\d' % field.encode()),
        (caps.images, rb'"type"\s*:\s*"image_url"'),
        (caps.images and caps.image_urls, rb'"url"\s*:\s*"http'),
        (caps.documents, rb'"type"\s*:\s*"file"'),
        (caps.audio, rb'"type"\s*:\s*"input_audio"'),
        (caps.tools, rb'"tools"\s*:\s*\['),
        (caps.tool_schema != "typed", rb'"parameters"\s*:\s*\{'),
        (caps.empty_text, rb'"(?:content|text)"\s*:\s*"(?:\s|\\[nrt])*"'),
        (caps.custom_tools, rb'"type"\s*:\s*"custom"'),
        (caps.strict_tools, rb'"strict"\s*:\s*true'),
        (caps.tool_choice and caps.forced_tool_choice_with_thinking, rb'"tool_choice"\s*:\s*(?:\{|"required"|"any")'),
        (caps.parallel_switch, rb'"parallel_tool_calls"\s*:\s*false'),
        (caps.max_tool_name == 0, rb'"name"\s*:\s*"[^"]{%d}' % (caps.max_tool_name + 1)),
        (caps.max_tool_id == 0, rb'"tool_call_id"\s*:\s*"[^"]{%d}' % (caps.max_tool_id + 1)),
        (caps.sampling, rb'"(?:temperature|top_p)"\s*:\s*\d'),
        (caps.temperature_max >= 1.0, rb'"temperature"\s*:\s*\d'),
        (caps.temperature_max >= 2.0, rb'"temperature"\s*:\s*(?:1\.\d*[1-9]|2)'),
        (caps.max_stop_sequences > 0, rb'"stop"\s*:\s*(?:\[|")'),
        (caps.thinking != "effort" or not refused, rb'"reasoning_effort"\s*:\s*"(?:%b)"' % refused.encode()),
        (caps.thinking != "thinking_effort" or not refused, rb'"effort"\s*:\s*"(?:%b)"' % refused.encode()),
        (not caps.thinking_required_in_tool_loops, rb'"tool_calls"\s*:\s*\['),
        (caps.structured_output == "json_schema", rb'"type"\s*:\s*"json_schema"'),
        (caps.structured_output != "none", rb'"type"\s*:\s*"json_object"'),
        (caps.stream_usage, rb'"stream_options"\s*:\s*\{'),
    ]


_holds_obstacle = finder(_obstacles)
