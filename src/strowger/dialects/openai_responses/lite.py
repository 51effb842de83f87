"""The shape that some models want requests in: tools and instructions stand in the input, before what was said.

OpenAI calls it Responses Lite, and its list of models says which want it (openai/codex, `use_responses_lite`). Such a
model takes functions and free-text tools only, chooses among them itself, calls one after another, and is told that its
reasoning of all turns comes back. A mark says that a request has this shape. Data and pure functions.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.openai_responses.parts import Json
from strowger.dialects.openai_responses.wire import ADDITIONAL

MARK = "ws_request_header_x_openai_internal_codex_responses_lite"
"""In `client_metadata`; over plain HTTP it is a header."""

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def narrowed(caps: Capabilities) -> Capabilities:
    """What is left of the capabilities in this shape."""
    return replace(
        caps,
        hosted_tools=False,
        web_search="",
        web_fetch="",
        code_execution="",
        remote_mcp=False,
        tool_choice=False,
    )


def is_lite(members: dict[str, Raw]) -> bool:
    """Whether the members of a body are in this shape."""
    if members.keys() & {"tools", "instructions"} or bytes(members.get("parallel_tool_calls", b"")) != b"false":
        return False
    return b'"all_turns"' in bytes(members.get("reasoning", b""))


def reshape(body: Json) -> None:
    """Bring a body into this shape."""
    before: list[Json | Raw] = []
    if tools := body.pop("tools", None):
        before.append({"type": ADDITIONAL, "role": "developer", "tools": tools})
    if instructions := body.pop("instructions", None):
        text = {"type": "input_text", "text": instructions}
        before.append({"type": "message", "role": "developer", "content": [text]})
    if before:
        body["input"] = [*before, *body.get("input", ())]
    body.pop("tool_choice", None)
    body["parallel_tool_calls"] = False
    body["reasoning"] = {**_object(body.get("reasoning")), "context": "all_turns"}
    body["client_metadata"] = {**_object(body.get("client_metadata")), MARK: "true"}


def _object(node: Json | Raw | None) -> Json:
    """An object as it may be written."""
    return _MEMBERS.decode(node) if isinstance(node, Raw) else node or {}
