"""The words of the Anthropic Messages API: names, limits, tables and the few types that its stream is decoded with.

Facts are those of the public API reference (versions 2023-06-01 and 2026-10-21) and of recorded traffic. Holds data
and pure functions on strings; knows nothing of requests, responses or other dialects.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from strowger.dialects.base import Capabilities
from strowger.dialects.efforts import EFFORTS
from strowger.dialects.names import shortened
from strowger.errors import ErrorKind
from strowger.ir.events import StopReason

NAME = "anthropic"

SIGNATURE = "anthropic:signature"
"""`Signed.kind` of a thinking block's signature."""
REDACTED = "anthropic:redacted"
"""`Signed.kind` of a redacted_thinking block's data."""

ATTRIBUTION = "x-anthropic-billing-header:"
"""How Claude Code's first system block starts. It names the client to Anthropic and differs in each conversation, so
elsewhere it is noise that breaks prompt caches."""

AS_WRITTEN = "as_written"
"""In `Capabilities.thinking`: however the client asked for it."""

FAITHFUL = Capabilities(
    origin=NAME,
    tool_result_images=True,
    hosted_tools=True,
    max_tool_name=128,
    max_stop_sequences=1_000_000,
    temperature_max=float("inf"),
    thinking=AS_WRITTEN,
    efforts=EFFORTS,
    thinking_replay="any",
    cache_hints=True,
    service_tiers=("auto", "standard_only"),
    attribution=True,
    count_tokens=True,
    betas=True,
)
"""An upstream that takes whatever this dialect can say: rendering to it gives back what was parsed."""

MAX_CACHE_HINTS = 4
MIN_THINKING_BUDGET = 1024

BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32000, "max": 32000}
"""Thinking tokens for an effort, where a model takes a budget only."""


def effort_of_budget(budget: int) -> str:
    """The effort that a thinking budget amounts to."""
    for limit, effort in ((512, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high")):
        if budget <= limit:
            return effort
    return "xhigh"


STOP_REASONS = {
    "end_turn": StopReason.END,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "max_tokens": StopReason.MAX_TOKENS,
    "tool_use": StopReason.TOOL_USE,
    "refusal": StopReason.REFUSAL,
    "pause_turn": StopReason.PAUSE,
    "model_context_window_exceeded": StopReason.CONTEXT_FULL,
    "compaction": StopReason.COMPACTION,
}
STOP_WORDS = {reason: word for word, reason in STOP_REASONS.items()}

ERRORS: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.BAD_REQUEST: (400, "invalid_request_error"),
    ErrorKind.UNAUTHENTICATED: (401, "authentication_error"),
    ErrorKind.FORBIDDEN: (403, "permission_error"),
    ErrorKind.NOT_FOUND: (404, "not_found_error"),
    # 400, not 404: Claude Code hides the text of a 404, and the text lists the models that there are.
    ErrorKind.UNKNOWN_MODEL: (400, "invalid_request_error"),
    ErrorKind.TOO_LARGE: (413, "request_too_large"),
    # 400 with "prompt is too long": the one combination that makes Claude Code compact instead of giving up.
    ErrorKind.CONTEXT_OVERFLOW: (400, "invalid_request_error"),
    ErrorKind.UNSUPPORTED: (400, "invalid_request_error"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error"),
    ErrorKind.QUOTA_EXHAUSTED: (402, "billing_error"),
    ErrorKind.OVERLOADED: (529, "overloaded_error"),
    ErrorKind.TIMEOUT: (504, "timeout_error"),
    ErrorKind.UPSTREAM: (502, "api_error"),
    ErrorKind.INTERNAL: (500, "api_error"),
}

KINDS_OF_ERROR = {
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "authentication_error": ErrorKind.UNAUTHENTICATED,
    "billing_error": ErrorKind.QUOTA_EXHAUSTED,
    "permission_error": ErrorKind.FORBIDDEN,
    "not_found_error": ErrorKind.NOT_FOUND,
    "request_too_large": ErrorKind.TOO_LARGE,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "overloaded_error": ErrorKind.OVERLOADED,
    "timeout_error": ErrorKind.TIMEOUT,
    "api_error": ErrorKind.UPSTREAM,
}

CLIENT_TOOLS = ("bash_", "text_editor_", "memory_", "computer_", "computer_toolset_", "browser_toolset_")
"""Types that Anthropic defines and the client runs; all other typed tools run at Anthropic."""

TOOL_SEARCH = "tool_search_tool_"
"""How the types of Anthropic's own search among deferred tools begin."""
MCP_TOOLSET = "mcp_toolset"
MCP_SERVER = "mcp_server"
"""`HostedTool.type` of an MCP server that no toolset names, which an older version of the API takes for all its tools.
It stands in `mcp_servers`, not among the tools."""

FOREIGN_ID = "srvtoolu_strowger_"
"""How we begin the ids of tools that ran at another provider, so that they are known when a client sends them back:
Anthropic would refuse what such tools found."""
FOREIGN_SEARCH = "web_search"
"""`Signed.kind` of the envelopes in such results and in the citations of them. There is nothing in them to give back,
but clients want an opaque string there."""
SERVER_TOOL_ERRORS = {
    "web_search": (
        "invalid_tool_input", "unavailable", "max_uses_exceeded", "too_many_requests", "query_too_long",
        "request_too_large",
    ),
    "code_execution": ("invalid_tool_input", "unavailable", "too_many_requests", "execution_time_exceeded"),
}  # fmt: skip
"""Codes with which tools that run at Anthropic can fail."""

CUSTOM = "custom:"
"""Before a name in `Rendered.names`: the client's tool takes free text, not arguments. No tool's name has a colon."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def safe_id(call_id: str) -> str:
    """A tool call id in the characters that the API takes; the same for a call and its result.

    Ids that had to change, or are empty, get a digest, so that two different ones stay different.
    """
    cleaned = _UNSAFE.sub("_", call_id)
    return cleaned if cleaned == call_id and cleaned else shortened(cleaned, call_id, 0)


NULL = Raw(b"null")
"""What an absent member is taken for."""


class StreamDelta(Struct, gc=False):
    """The `delta` of a content_block_delta, as far as the common kinds need it."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None


class StreamEvent(Struct, gc=False):
    """Any event of a stream, as far as deltas and starts need it; the rare other kinds are read again, whole."""

    type: str = ""
    index: int = 0
    delta: StreamDelta | None = None
    content_block: Raw = NULL
    message: Raw = NULL


STREAM_EVENT = msgspec.json.Decoder(StreamEvent)


class UsualUsage(Struct, gc=False, forbid_unknown_fields=True):
    """A usage object without rarer members and without nulls."""

    input_tokens: int | UnsetType = UNSET
    output_tokens: int | UnsetType = UNSET
    cache_read_input_tokens: int | UnsetType = UNSET
    cache_creation_input_tokens: int | UnsetType = UNSET
    cache_creation: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET
    inference_geo: Raw | UnsetType = UNSET


class UsualMessage(Struct, gc=False, forbid_unknown_fields=True):
    """The message of a message_start that holds no blocks yet."""

    id: str
    type: str
    role: str
    model: str
    content: tuple[()]
    usage: Raw
    stop_reason: None = None
    stop_sequence: None = None
    stop_details: Raw | UnsetType = UNSET


class _Stop(Struct, gc=False, forbid_unknown_fields=True):
    stop_reason: str
    stop_sequence: None = None
    stop_details: Raw | UnsetType = UNSET


class UsualEnd(Struct, gc=False, forbid_unknown_fields=True):
    """A message_delta that says why the answer stopped, and what it cost."""

    type: str
    delta: _Stop
    usage: Raw


USUAL_USAGE = msgspec.json.Decoder(UsualUsage)
USUAL_MESSAGE = msgspec.json.Decoder(UsualMessage)
USUAL_END = msgspec.json.Decoder(UsualEnd)
"""Decoders of what most answers say; they raise where one says anything else, and it is read member by member."""
