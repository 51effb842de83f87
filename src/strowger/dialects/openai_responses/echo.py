"""The response object around an answer: what every event of its life repeats.

The official API repeats the parameters of the request, and typed clients expect all of them. An answer of an upstream
of this dialect keeps what that upstream repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import EncoderSetup
from strowger.dialects.openai_responses.render import render_request
from strowger.dialects.openai_responses.wire import FAITHFUL, NAME
from strowger.errors import GatewayError
from strowger.ir.request import Request

Json = dict[str, Any]

DEFAULTS: Json = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What the official API repeats of a request that said nothing, from recorded answers."""

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_TEXT_FORMAT = Raw(b'{"type":"text"}')


def repeated(setup: EncoderSetup) -> Json:
    """The parameters of the request, as the official API repeats them."""
    asked = {} if setup.request is None else _asked(setup.request, setup.model)
    said = {key: value for key, value in asked.items() if key in DEFAULTS and bytes(value) != b"null"}
    members: Json = {**DEFAULTS, **said}
    if setup.follows:
        members["previous_response_id"] = setup.follows
    if "text" in said and bytes(memoryview(said["text"])[:1]) == b"{":
        members["text"] = {"format": _TEXT_FORMAT, **_MEMBERS.decode(said["text"])}
    return members


def _asked(request: Request, model: str) -> dict[str, Raw]:
    """The members of the request body, but for what was said in the conversation."""
    if request.origin != NAME:
        return {}
    try:
        return _MEMBERS.decode(render_request(replace(request, messages=()), model, FAITHFUL).body)
    except GatewayError:  # what cannot be written cannot be repeated
        return {}
