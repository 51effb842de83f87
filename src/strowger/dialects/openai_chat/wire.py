"""The words and shapes of OpenAI's Chat Completions, as OpenAI and its many imitators write them.

Only data and small pure functions on it. Knows no other dialect.
"""

from __future__ import annotations

import re

from strowger.dialects.base import Capabilities
from strowger.ir.events import StopReason
from strowger.ir.request import Base64, Source, Url

NAME = "openai_chat"

AS_WRITTEN = "as_written"
"""In `Capabilities.thinking` and `.thinking_replay`: whatever spelling the client used."""
ANY = "*"
"""In `Capabilities.service_tiers`: every word is accepted."""

FAITHFUL = Capabilities(
    tool_result_images=True,
    custom_tools=True,
    hosted_tools=True,
    max_tool_name=0,
    max_tokens_field="",
    min_output_tokens=0,
    temperature_max=float("inf"),
    max_stop_sequences=1_000_000,
    system_role="",
    thinking=AS_WRITTEN,
    thinking_replay=AS_WRITTEN,
    cache_hints=True,
    cache_key=True,
    service_tiers=(ANY,),
)
"""Permits everything as it was written: a Chat request that is parsed and rendered under it comes back equal."""

# kinds of signed state
REASONING = "openai_chat:reasoning"
"""Plain thinking text: nothing is signed, the blob is empty, but it says whose thinking it is."""
REASONING_DETAILS = "openai_chat:reasoning_details"
"""OpenRouter's list, whole, as JSON text."""
GOOGLE_SIGNATURE = "gemini:signature"
"""A thought signature of Google's: its OpenAI-compatible servers put one beside a tool call and want it back there."""
TEXT_SIGNED = "text"
"""`Signed.id` of a signature of the text before it."""
GOOGLE = "google"
EXTRA_CONTENT = "extra_content"
ENVELOPE_FORMAT = "strowger"
"""`format` of a reasoning detail that carries an envelope."""

WEB_SEARCH_OPTIONS = "web_search_options"
PLUGINS = "plugins"
"""Members of a request that ask for a search of the web: OpenAI's and OpenRouter's."""

# words put into a conversation where the dialect has no member for what is meant
TOOL_ERROR = "[tool error] "
NO_OUTPUT = "(no output)"
NO_RESULT = "[no result: the conversation was cut]"
IMAGE_FOLLOWS = "[image: in the next message]"
CONTINUE = "Continue your last message exactly where it stopped, without repeating any of it."
NO_REASONING = " "
"""Thinking of a turn whose thinking is lost, for servers that insist on the member: OpenAI-compatible ones check that
it is there, some that it is not empty (MoonshotAI, DeepSeek)."""

PROVIDERS_TOOL = "a tool that ran at the provider has no form in this dialect; the text that came of it is there"

STOP_REASONS: dict[str, StopReason] = {
    "stop": StopReason.END,
    "end_turn": StopReason.END,
    "eos": StopReason.END,
    "eos_token": StopReason.END,
    "STOP": StopReason.END,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "length": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "model_length": StopReason.CONTEXT_FULL,
    "model_context_window_exceeded": StopReason.CONTEXT_FULL,
    "tool_calls": StopReason.TOOL_USE,
    "tool_use": StopReason.TOOL_USE,
    "tool_call": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.REFUSAL,
    "sensitive": StopReason.REFUSAL,
    "refusal": StopReason.REFUSAL,
    "safety": StopReason.REFUSAL,
    "SAFETY": StopReason.REFUSAL,
}
"""Words of upstreams for why they stopped."""

FAILURES: dict[str, str] = {
    "error": "the upstream stopped because of an error",
    "network_error": "the upstream stopped because of a network error of its own",
    "insufficient_system_resource": "the upstream ran out of resources in the middle of the answer",
}
"""Words for why they stopped that mean the answer failed."""

FINISH_REASONS: dict[StopReason, str] = {
    StopReason.END: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.REFUSAL: "content_filter",
    StopReason.PAUSE: "stop",
    StopReason.CONTEXT_FULL: "length",
    StopReason.COMPACTION: "stop",
    StopReason.OTHER: "stop",
}
"""What our clients are told."""


_DATA_URL = re.compile(r"data:([^;,]+);base64,")


def source_of(url: str) -> Source:
    """Where bytes are: inline for a base64 data URL, else to be fetched."""
    found = _DATA_URL.match(url)
    return Base64(found[1], url[found.end() :]) if found else Url(url)


def data_url(source: Base64, default: str = "application/octet-stream") -> str:
    """Inline bytes as a data URL."""
    return f"data:{source.media_type or default};base64,{source.data}"
