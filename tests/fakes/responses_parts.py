"""Parts of a scripted answer that only Responses has, beside Say, Think and Call of script.py. Pure data."""

from __future__ import annotations

import time
from typing import Any, Literal

from tests.fakes.script import Call, Part, Reply, Say

# What a picture of one pixel is in base64.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Message(Say, frozen=True):
    """A message item of its own, with a phase and what its text cites.

    Plain `Say` and `Decline` that stand together are parts of one message.
    """

    phase: Literal["commentary", "final_answer"] | None = None
    annotations: tuple[dict[str, Any], ...] = ()


class Decline(Part, frozen=True):
    """A refusal that the model words itself."""

    text: str


class Ponder(Part, frozen=True):
    """Reasoning in the open, as models with open weights have it: `reasoning_text` in the item's content."""

    text: str


class Freeform(Part, frozen=True):
    """A call of a custom tool, whose input is any text."""

    name: str
    input: str
    id: str = ""
    namespace: str = ""


class NamespacedCall(Call, frozen=True):
    """A call of a function that stands in a namespace."""

    namespace: str = ""


class LocalShell(Part, frozen=True):
    """A call of the hosted `local_shell` tool, which the client runs."""

    command: tuple[str, ...]
    id: str = ""


class ToolSearch(Part, frozen=True):
    """A search among deferred tools, which the client runs."""

    arguments: dict[str, Any]
    id: str = ""


class WebSearch(Part, frozen=True):
    """A search that the vendor ran."""

    query: str
    sources: tuple[str, ...] = ()


class RemoteTools(Part, frozen=True):
    """What a remote MCP server was found to offer."""

    server: str
    tools: tuple[dict[str, Any], ...] = ()


class RemoteCall(Part, frozen=True):
    """A call that the vendor made to a remote MCP server; `error` instead of `output` when it failed."""

    server: str
    name: str
    arguments: dict[str, Any]
    output: str = ""
    error: str = ""


class Compute(Part, frozen=True):
    """Code that the vendor ran."""

    code: str
    logs: str = ""


class Paint(Part, frozen=True):
    """A picture that the vendor made, as base64; it is shown unfinished first."""

    result: str = PIXEL
    prompt: str = "a grey dot"


class Compact(Part, frozen=True):
    """A summary of the conversation so far, sealed."""

    text: str = "what was said before"


class Aside(Part, frozen=True):
    """An event that belongs to no item: its type and members. `Aside("keepalive")`."""

    type: str
    data: dict[str, Any] = {}


class Wire(Part, frozen=True):
    """What happens on a WebSocket between two events: a binary frame, a ping, a close with a code, or a broken line."""

    do: Literal["binary", "ping", "close", "drop"]
    code: int = 1011


class Fail(Part, frozen=True):
    """The response fails here. A capacity refusal inside 200 is an answer of nothing else."""

    code: str = "server_error"
    message: str = "An error occurred while processing your request."


class Trouble(Part, frozen=True):
    """An `error` event, as the types have it or, `wrapped`, as it is seen on the wire; nothing comes after it."""

    code: str = "server_error"
    message: str = "An error occurred while processing your request."
    param: str | None = None
    wrapped: bool = True


def at_capacity(after: tuple[Part, ...] = ()) -> Reply:
    """A refusal for lack of capacity that comes after the status 200."""
    words = "Our servers are currently overloaded. Please try again later."
    return Reply(parts=(*after, Fail("server_is_overloaded", words)))


def rate_limited_inside(seconds: float = 1.5) -> Reply:
    """A rate limit that comes after the status 200; only the words say when to come back."""
    return Reply(parts=(Fail("rate_limit_exceeded", f"Rate limit reached. Please try again in {seconds}s."),))


def overflow_inside() -> Reply:
    """A full context that is told after the status 200."""
    words = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return Reply(parts=(Fail("context_length_exceeded", words),))


def limits(used: int, *, reached: bool = False, resets_in: int = 3600) -> Aside:
    """How much of the account's allowance is used, as the Codex backend tells it in the stream."""
    window = {"used_percent": used, "window_minutes": 300, "reset_after_seconds": resets_in}
    window["reset_at"] = int(time.time()) + resets_in
    told = {"allowed": not reached, "limit_reached": reached, "primary": window, "secondary": None}
    credits = {"has_credits": False, "unlimited": False, "balance": None}
    return Aside("codex.rate_limits", {"plan_type": "pro", "rate_limits": told, "credits": credits})


KEEPALIVE = Aside("keepalive")
