"""The endpoint that counts the tokens of a prompt: a request body as its question, its answer both ways.

It takes the members that make up the prompt and refuses the others.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

_ASKED = (
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
    "previous_response_id",
    "conversation",
    "personality",
)

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class _Count(Struct):
    input_tokens: int
    object: str = "response.input_tokens"


_COUNT = msgspec.json.Decoder(_Count)


def count_body(body: bytes) -> bytes:
    """A body of this dialect without what is not of the prompt."""
    members = _MEMBERS.decode(body)
    return msgspec.json.encode({key: members[key] for key in _ASKED if key in members})


def parse_count(body: bytes) -> int | None:
    """The tokens in an answer; None when it holds none."""
    try:
        return _COUNT.decode(body).input_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def render_count(tokens: int) -> bytes:
    """Tokens as a client is told."""
    return msgspec.json.encode(_Count(tokens))
