"""Short ways to say what is asked over a Responses wire, for tests that read like transcripts."""

from __future__ import annotations

import json
from typing import Any

from strowger.dialects.base import NOWHERE, Capabilities, Loss, Spot
from strowger.dialects.openai_responses.render import render_request
from strowger.dialects.openai_responses.request import parse_request
from strowger.dialects.openai_responses.wire import FAITHFUL
from strowger.ir.request import Message, Request

Json = dict[str, Any]

OPENAI = Capabilities(
    origin="openai",
    tool_result_images=True,
    custom_tools=True,
    hosted_tools=True,
    web_search="web_search",
    code_execution="code_interpreter",
    remote_mcp=True,
    efforts=("low", "medium", "high"),
    system_role="developer",
    cache_key=True,
    stateful=True,
    betas=True,
)
"""The vendor's own API, with a model that thinks."""
CODEX = Capabilities(
    origin="openai",
    tool_result_images=True,
    custom_tools=True,
    web_search="web_search",
    efforts=("low", "medium", "high"),
    system_role="developer",
    cache_key=True,
    output_limit=False,
    sampling=False,
    user=False,
)
"""The ChatGPT backend, which refuses a request with any member that it does not know."""
COMPATIBLE = Capabilities(origin="someone")
"""A compatible server that knows only what all know."""


def body(*items: Json, **members: Any) -> Json:
    """A request body."""
    return {"model": "m", "input": list(items), **members}


def parsed(request: Json, spot: Spot = NOWHERE) -> Request:
    """The request in the middle form."""
    return parse_request(json.dumps(request).encode(), spot)


def same(request: Json, spot: Spot = NOWHERE) -> bool:
    """Whether a request comes back from parse and render as it was."""
    written: Json = json.loads(render_request(parsed(request, spot), request.get("model", ""), FAITHFUL).body)
    assert written == request
    return True


def sent(request: Request, caps: Capabilities = OPENAI) -> tuple[Json, tuple[Loss, ...]]:
    """The body that an upstream with these capabilities gets, and what was lost."""
    rendered = render_request(request, "m", caps)
    return json.loads(rendered.body), rendered.losses


def foreign(*messages: Message, **members: Any) -> Request:
    """A request of another dialect."""
    return Request(origin="anthropic", model="m", messages=messages, **members)


def items(*messages: Message, caps: Capabilities = OPENAI, **members: Any) -> list[Json]:
    """The input items of a request of another dialect."""
    given: list[Json] = sent(foreign(*messages, **members), caps)[0]["input"]
    return given
