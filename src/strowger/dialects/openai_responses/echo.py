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
from strowger.dialects.openai_responses.render import faithful_members
from strowger.dialects.openai_responses.wire import NAME
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
_NULL = Raw(b"null")
_FUNCTION: Json = {"type": "function", "description": None, "parameters": None, "strict": None}
_TEXT_FORMAT = Raw(b'{"type":"text"}')


def repeated(setup: EncoderSetup) -> Json:
    """The parameters of the request, as the official API repeats them."""
    asked = {} if setup.request is None else _asked(setup.request, setup.model)
    said = {key: value for key, value in asked.items() if key in DEFAULTS and value is not None and value != _NULL}
    members: Json = {**DEFAULTS, **said}
    if setup.follows:
        members["previous_response_id"] = setup.follows
    text = said.get("text")
    if isinstance(text, Raw) and bytes(memoryview(text)[:1]) == b"{":
        text = _MEMBERS.decode(text)
    if isinstance(text, dict):
        members["text"] = {"format": _TEXT_FORMAT, **text}
    if isinstance(tools := members["tools"], list):
        members["tools"] = [_repeated_tool(tool) for tool in tools]
    return members


def _repeated_tool(tool: Json | Raw) -> Json | Raw:
    """A function has all of its members, also those that the client left out."""
    return {**_FUNCTION, **tool} if isinstance(tool, dict) and tool.get("type") == "function" else tool


def _asked(request: Request, model: str) -> Json:
    """The members of the request body, but for what was said in the conversation."""
    if request.origin != NAME:
        return {}
    try:
        return faithful_members(replace(request, messages=()), model)
    except GatewayError:  # what cannot be written cannot be repeated
        return {}
