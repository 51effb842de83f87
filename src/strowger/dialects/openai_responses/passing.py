"""Whether a body of this dialect may go to an upstream untouched: a look at its bytes, without parsing.

A false alarm costs only time, since parse and render are inverse; so the patterns may be broad, but not blind.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from strowger.dialects.base import NOWHERE, Capabilities, Spot
from strowger.dialects.efforts import EFFORTS
from strowger.dialects.envelope import MARK
from strowger.dialects.obstacles import finder
from strowger.dialects.openai_responses.lite import is_lite, narrowed
from strowger.dialects.openai_responses.render import KEPT, STABLE
from strowger.dialects.openai_responses.wire import COMPACT, PREFIXES, VENDOR

_LIMIT = re.compile(rb'"max_output_tokens"\s*:\s*(\d+)')
_KEYS = msgspec.json.Decoder(dict[str, Raw])
_VENDORS_OWN = (
    rb'"type"\s*:\s*"(?:compaction|compaction_trigger|context_compaction|namespace|additional_tools|tool_search'
    rb'|local_shell|shell|apply_patch|agent_message|item_reference)[a-z_]*"'
)
"""Items and tools that only the vendor's own servers know."""

_OUTPUT_ID = rb"[a-z]{2,4}o_"
"""How clients, Codex among them, begin ids of the results that they give: `fco_`, `ctco_`."""


def passes(body: bytes, caps: Capabilities, spot: Spot = NOWHERE) -> bool:
    """Whether nothing in the body has to be changed or left out for this upstream."""
    if MARK in body:
        return False  # envelopes are opened first
    if caps.judges_itself:
        return True
    if spot.form == COMPACT:
        return caps.origin == VENDOR
    if caps.lite:
        caps = narrowed(caps)
    if not caps.betas and not _stable_only(body, caps):
        return False
    limit = _LIMIT.search(body)
    if limit is not None:
        asked = int(limit[1])
        if asked < caps.min_output_tokens or (caps.max_output_tokens and asked > caps.max_output_tokens):
            return False
    return not _holds_obstacle(body, caps)


def _stable_only(body: bytes, caps: Capabilities) -> bool:
    """Whether the body has only members that every server of this dialect takes, asks for nothing to be kept where
    nothing is, and for a stream where there is nothing else.
    """
    try:
        members = _KEYS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False  # the parser says what is wrong with it
    if caps.lite and not is_lite(members):
        return False
    if not caps.whole_answers and bytes(members.get("stream", b"")) != b"true":
        return False
    if caps.stateful:
        return members.keys() <= STABLE.union(KEPT)
    return members.keys() <= STABLE and bytes(members.get("store", b"")) == b"false"


def _obstacles(caps: Capabilities) -> list[tuple[bool, bytes]]:
    """(whether it is accepted, how it looks) of everything that an upstream may refuse."""
    vendors_own = caps.betas or caps.origin == VENDOR
    refused = "|".join(word for word in EFFORTS if word not in caps.efforts)
    return [
        (vendors_own, _VENDORS_OWN),
        (caps.betas, rb'"input"\s*:\s*"'),
        (caps.betas, rb'"id"\s*:\s*"(?!(?:%b))' % b"|".join((_OUTPUT_ID, *map(str.encode, PREFIXES.values())))),
        (caps.system_role != "developer", rb'"role"\s*:\s*"system"'),
        (caps.stateful, rb'"previous_response_id"\s*:\s*"'),
        (caps.output_limit, rb'"max_output_tokens"\s*:\s*\d'),
        (caps.images, rb'"type"\s*:\s*"input_image"'),
        (caps.images and caps.image_urls, rb'"image_url"\s*:\s*"http'),
        (caps.documents, rb'"type"\s*:\s*"input_file"'),
        (caps.audio, rb'"type"\s*:\s*"input_audio"'),
        (caps.tools, rb'"tools"\s*:\s*\['),
        (caps.custom_tools, rb'"type"\s*:\s*"custom'),
        (caps.strict_tools, rb'"strict"\s*:\s*true'),
        (caps.tool_choice and caps.forced_tool_choice_with_thinking, rb'"tool_choice"\s*:\s*(?:\{|"required")'),
        (caps.parallel_switch, rb'"parallel_tool_calls"\s*:\s*false'),
        (caps.hosted_tools or caps.web_search != "", rb'"type"\s*:\s*"web_search'),
        (caps.hosted_tools or caps.code_execution != "", rb'"type"\s*:\s*"code_interpreter'),
        (caps.hosted_tools or caps.remote_mcp, rb'"type"\s*:\s*"mcp'),
        (caps.hosted_tools, rb'"type"\s*:\s*"(?:file_search|image_generation|computer)'),
        (caps.max_tool_name == 0, rb'"name"\s*:\s*"[^"]{%d}' % (caps.max_tool_name + 1)),
        (caps.max_tool_id == 0, rb'"call_id"\s*:\s*"[^"]{%d}' % (caps.max_tool_id + 1)),
        (caps.sampling, rb'"(?:temperature|top_p)"\s*:\s*\d'),
        (caps.thinking != "none", rb'"reasoning"\s*:\s*\{'),
        (not refused, rb'"effort"\s*:\s*"(?:%b)"' % refused.encode()),
        (caps.summaries, rb'"summary"\s*:\s*"'),
        (caps.cache_key, rb'"prompt_cache_key"\s*:\s*"'),
        (caps.user, rb'"(?:user|safety_identifier)"\s*:\s*"'),
        (caps.structured_output == "json_schema", rb'"type"\s*:\s*"json_schema"'),
        (caps.structured_output != "none", rb'"type"\s*:\s*"json_object"'),
        (len(caps.service_tiers) > 0, rb'"service_tier"\s*:\s*"(?!auto|default)'),
    ]


_holds_obstacle = finder(_obstacles)
