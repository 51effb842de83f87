"""Whether a body of this dialect may go to an upstream untouched: a look at its bytes, without parsing.

A false alarm costs only time, since parse and render are inverse; so the patterns may be broad, but not blind. Members
are looked for in both spellings.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import Capabilities, Spot, patch_member, values_of
from strowger.dialects.envelope import MARK, WRAPPED
from strowger.dialects.gemini.request import CODE_ASSIST
from strowger.dialects.gemini.wire import AS_WRITTEN, plain_model
from strowger.dialects.obstacles import finder

_LIMIT = re.compile(rb'"max(?:OutputTokens|_output_tokens)"\s*:\s*"?(\d+)')
_FUNCTIONS = re.compile(rb'"function(?:Declarations|_declarations)"\s*:\s*[\[{]')
_HOSTED = re.compile(
    rb'"(?:google(?:Search|_search|SearchRetrieval|_search_retrieval|Maps|_maps)|url(?:Context|_context)'
    rb"|code(?:Execution|_execution)|file(?:Search|_search)|mcp(?:Servers|_servers)"
    rb'|enterprise(?:WebSearch|_web_search))"\s*:\s*[\[{]'
)
_CALLS = re.compile(rb'"function(?:Call|_call)"\s*:\s*\{')
_SIGNATURE = re.compile(rb'"thought(?:Signature|_signature)"\s*:\s*"[^"]')
_STRING = msgspec.json.Decoder(str)


def passes(body: bytes, caps: Capabilities, spot: Spot) -> bool:
    """Whether nothing in the body has to be changed or left out for this upstream."""
    if MARK in body or WRAPPED in body:
        return False  # envelopes of ours are opened first
    if (spot.form == CODE_ASSIST) != caps.code_assist:
        return False
    if caps.judges_itself:
        return True
    limit = _LIMIT.search(body)
    if limit is not None:
        asked = int(limit[1])
        if asked < caps.min_output_tokens or (caps.max_output_tokens and asked > caps.max_output_tokens):
            return False
    if not caps.hosted_tools and _HOSTED.search(body):
        return False
    if not caps.search_with_tools and _HOSTED.search(body) and _FUNCTIONS.search(body):
        return False
    if caps.thought_signatures and _CALLS.search(body) and not _SIGNATURE.search(body):
        return False
    return not _holds_obstacle(body, caps)


def _obstacles(caps: Capabilities) -> list[tuple[bool, bytes]]:
    """(whether it is accepted, how it looks) of everything that an upstream may refuse."""
    return [
        (caps.images, rb'"mime(?:Type|_type)"\s*:\s*"image/'),
        (caps.documents, rb'"mime(?:Type|_type)"\s*:\s*"(?:application/pdf|text/)'),
        (caps.audio, rb'"mime(?:Type|_type)"\s*:\s*"audio/'),
        (caps.image_urls, rb'"file(?:Uri|_uri)"\s*:\s*"(?!https://generativelanguage\.|https://(?:www\.)?youtu|gs://)'),
        (caps.tools, rb'"function(?:Declarations|_declarations)"\s*:\s*[\[{]'),
        (caps.tool_choice and caps.forced_tool_choice_with_thinking, rb'"mode"\s*:\s*(?:"ANY"|2)'),
        (caps.sampling, rb'"(?:temperature|top(?:P|_p|K|_k))"\s*:\s*[\d"]'),
        (caps.top_k, rb'"top(?:K|_k)"\s*:\s*[\d"]'),
        (caps.max_stop_sequences > 0, rb'"stop(?:Sequences|_sequences)"\s*:\s*\['),
        (caps.thinking != "none", rb'"thinking(?:Config|_config)"\s*:\s*\{'),
        (caps.thinking in {"level", "effort", AS_WRITTEN}, rb'"thinking(?:Level|_level)"\s*:'),
        (caps.thinking in {"budget", AS_WRITTEN}, rb'"thinking(?:Budget|_budget)"\s*:'),
        (caps.structured_output == "json_schema", rb'"response(?:JsonSchema|_json_schema|Schema|_schema)"\s*:\s*\{'),
        (caps.structured_output != "none", rb'"response(?:MimeType|_mime_type)"\s*:\s*"application/json"'),
    ]


class _Outer(Struct):
    model: Raw = Raw(b"")


_OUTER = msgspec.json.Decoder(_Outer)


def with_model(body: bytes, model: str, written: bytes = b"") -> bytes:
    """A body for `model`: the URL names it, unless the body does besides, or the envelope of Code Assist."""
    if not written:
        if next(values_of(body, b"model"), None) is None:
            return body
        try:
            written = bytes(_OUTER.decode(body).model)
        except msgspec.MsgspecError:
            return body  # the upstream will say what is wrong with it
    if not written.startswith(b'"'):
        return body
    before = _STRING.decode(written)
    named = before[: len(before) - len(plain_model(before))] + model
    return patch_member(body, "model", written, msgspec.json.encode(named))


_holds_obstacle = finder(_obstacles)
