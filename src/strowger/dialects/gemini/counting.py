"""countTokens: a request body as its question, its answer both ways.

The public API takes a whole request, Code Assist the contents alone.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.gemini.request import COUNTING
from strowger.dialects.gemini.wire import plain_model

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class _Count(Struct, rename="camel"):
    total_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


def count_body(body: bytes, model: str) -> bytes:
    """A body of this dialect as the question for its tokens; one that is such a question already stays one."""
    members = _MEMBERS.decode(body)
    model = f"models/{plain_model(model)}"
    inner = members.get("request")
    if inner is not None and "contents" not in members:
        held = _MEMBERS.decode(inner)
        asked = {"model": model, "contents": held.get("contents", Raw(b"[]"))}
        return msgspec.json.encode({"request": asked})
    for key in (COUNTING, "generate_content_request"):
        if key in members:
            members = _MEMBERS.decode(members[key])
    return msgspec.json.encode({COUNTING: {**members, "model": model}})


def parse_count(body: bytes) -> int | None:
    """The tokens in an answer; None when it holds none."""
    try:
        return _COUNT.decode(body).total_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def render_count(tokens: int) -> bytes:
    """Tokens as a client is told."""
    return msgspec.json.encode(_Count(tokens))
