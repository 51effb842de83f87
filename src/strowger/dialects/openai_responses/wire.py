"""The words of OpenAI's Responses API: names of items and members, limits, tables.

Facts are those of the official SDK's types and of recorded traffic (OpenAI, Azure, the ChatGPT backend that Codex
uses, OpenRouter, GitHub Copilot). Only data and small pure functions on it. Knows no other dialect.
"""

from __future__ import annotations

import re

from strowger.dialects.base import Capabilities
from strowger.dialects.efforts import EFFORTS
from strowger.dialects.names import digest
from strowger.ir.events import StopReason
from strowger.ir.request import GROUP_MARK, Base64, Source, Url

NAME = "openai_responses"
VENDOR = "openai"
"""Who issued signed state that stands bare in a client's body, as far as the body alone tells."""

AS_WRITTEN = "as_written"
"""In `Capabilities.thinking`: however the client asked for it."""
ANY = "*"
"""In `Capabilities.service_tiers`: every word is accepted."""


FAITHFUL = Capabilities(
    origin=VENDOR,
    tool_result_images=True,
    custom_tools=True,
    hosted_tools=True,
    max_tool_name=0,
    min_output_tokens=0,
    temperature_max=float("inf"),
    max_stop_sequences=0,
    system_role="",
    thinking=AS_WRITTEN,
    efforts=EFFORTS,
    stateful=True,
    cache_hints=True,
    cache_key=True,
    service_tiers=(ANY,),
    betas=True,
    count_tokens=True,
    judges_itself=True,
)
"""Permits everything as it was written: a Responses request that is parsed and rendered under it comes back equal."""

# ---- signed state ----

REASONING = "openai_responses:reasoning"
"""Kind of a reasoning item's `encrypted_content`; `Signed.id` is the item's id."""
PLAIN = "openai_responses:plain"
"""Kind of a reasoning item without any: its id alone ties it to what its issuer has stored. The blob is empty."""
COMPACTION_BLOB = "openai_responses:compaction"
"""Kind of a compaction item's `encrypted_content`: the conversation so far, as only its issuer can read it."""
SUMMARY = "strowger:summary"
"""Kind of a summary of the conversation that another vendor's model wrote; the blob is the text, for everyone."""
SUMMARY_ORIGIN = "strowger"

# ---- compaction ----

COMPACT = "compact"
"""`Spot.form` of the endpoint /responses/compact."""
COMPACTION = "compaction"
"""In `Request.forms`: the client asks for its conversation to be made shorter, by the endpoint or by an item. The
answer is one compaction item."""
HAND_OVER = (
    "The conversation has become too long and is about to be cut. Write a hand-over summary for another model that "
    "will take over your work without having seen any of it. Say what the user asked for, what has been done and found "
    "out so far, the decisions made and why, the state of files and commands, constraints and preferences of the user, "
    "and what remains to be done next. Be exact with names, paths and numbers. Write the summary and nothing else."
)
"""What a model of another vendor is asked when the client asks for a compaction."""
SUMMARY_HEAD = "Summary of the conversation so far, which was cut here:"

# ---- items ----

CLIENT_CALLS: dict[str, tuple[str, str]] = {
    "local_shell": ("local_shell_call", "action"),
    "shell": ("shell_call", "action"),
    "apply_patch": ("apply_patch_call", "operation"),
    "tool_search": ("tool_search_call", "arguments"),
}
"""Tools that the vendor defines and the client runs: by the type of the tool, the type of its call item and the
member of it that holds what to do, as an object."""

PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "web_search_call": "ws_",
    "code_interpreter_call": "ci_",
    "compaction": "cmp_",
    "local_shell_call": "lsh_",
    "shell_call": "sh_",
    "apply_patch_call": "apc_",
    "tool_search_call": "tsc_",
}
"""How ids of items begin; an item under another's prefix is refused."""

ABILITIES = {
    "web_search": "web_search",
    "web_search_2025_08_26": "web_search",
    "web_search_preview": "web_search",
    "web_search_preview_2025_03_11": "web_search",
    "code_interpreter": "code_execution",
    "tool_search": "tool_search",
}
"""Types of the vendor's tools that others have too, with the name that all dialects use for them."""

STOP_REASONS = {
    "completed": StopReason.END,
    "max_output_tokens": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.REFUSAL,
    "context_length_exceeded": StopReason.CONTEXT_FULL,
}
"""What an answer's `status`, or the reason of an incomplete one, means."""
INCOMPLETE = {
    StopReason.MAX_TOKENS: "max_output_tokens",
    StopReason.CONTEXT_FULL: "max_output_tokens",
    StopReason.REFUSAL: "content_filter",
}
"""The reason of an incomplete answer, for the ends that are one; every other end is `completed`."""

# ---- how items are told apart in the IR ----

ITEM = "item"
"""The one part is the item itself, not the content of a message item."""
UNTYPED = "untyped"
"""A message item that did not say its type."""
TRIGGER = "compaction_trigger"
"""Stands where the client asked for a compaction; the text is ours."""
ADDITIONAL = "additional_tools"
"""An item that brought tools; they are among those of the request."""
AGENT = "agent_message"
"""What another agent said."""

NAMESPACE = "namespace:"
"""Before the length of a function's namespace, which is the first part of the name; 0 where the two are the same."""
CUSTOM_OUTPUT = "custom_tool_call_output"
SEARCH_OUTPUT = "tool_search_output"

# ---- words put into a conversation where the dialect has no member for what is meant ----

TOOL_ERROR = "[tool error] "
NO_OUTPUT = "(no output)"
NO_RESULT = "[no result: the conversation was cut]"
CONTINUE = "Continue your last message exactly where it stopped, without repeating any of it."

# ---- names, ids, sources ----

MIN_OUTPUT = 16
"""The least `max_output_tokens`."""
LONGEST_ID = 64
"""Characters of a call id."""
_DATA_URL = re.compile(r"data:([^;,]+);base64,")


def safe_id(call_id: str, longest: int = LONGEST_ID) -> str:
    """A call id that is not too long and not empty: the same for a call and its result."""
    if 0 < len(call_id) <= longest:
        return call_id
    return f"call_{digest(call_id)}"[:longest]


def grouped(name: str, group: str) -> tuple[str, str]:
    """The one name of a function in a namespace, and its form. A namespace of the function's own name is none: so the
    vendor writes a function without a group that a search for tools has found.
    """
    if not group:
        return name, ""
    return (name, f"{NAMESPACE}0") if group == name else (f"{group}{GROUP_MARK}{name}", f"{NAMESPACE}{len(group)}")


def source_of(url: str) -> Source:
    """Where bytes are: inline for a base64 data URL, else to be fetched."""
    found = _DATA_URL.match(url)
    return Base64(found[1], url[found.end() :]) if found else Url(url)


def data_url(source: Base64, default: str = "application/octet-stream") -> str:
    """Inline bytes as a data URL."""
    return f"data:{source.media_type or default};base64,{source.data}"
