"""What a Responses request may hold, as tables: members of the body, of each kind of item, content part and tool.

They follow the vendor's own type definitions, which a test compares; what real clients were seen to send beyond those
stands in `UNDOCUMENTED`. Data only.
"""

from __future__ import annotations

import re

from msgspec import Struct

from tests.fakes.refusal import words

MEMBERS = words(
    "access_programs background context_management conversation image include input instructions max_output_tokens"
    " max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key"
    " prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options"
    " temperature text tool_choice tools top_logprobs top_p truncation user client_metadata"
)
# What Codex sends to the public API too, although its types do not have it.
UNDOCUMENTED = words("client_metadata")
# Members that only a frame on a socket may have.
FRAME_MEMBERS = words("type generate stream_id")
COUNT_MEMBERS = words(
    "conversation input instructions model parallel_tool_calls personality previous_response_id reasoning text"
    " tool_choice tools truncation"
)
COMPACT_MEMBERS = words(
    "model image input instructions previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention"
    " service_tier tools parallel_tool_calls reasoning text client_metadata"
)
INCLUDES = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
NESTED = {
    "reasoning": words("effort summary generate_summary context mode"),
    "text": words("format verbosity"),
    "stream_options": words("include_obfuscation reasoning_summary_delivery"),
}
CHOICES: dict[str, tuple[str, ...]] = {
    "service_tier": ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
    "truncation": ("auto", "disabled"),
    "prompt_cache_retention": ("in_memory", "in-memory", "24h"),
    "reasoning.summary": ("auto", "concise", "detailed", "none"),
    "reasoning.generate_summary": ("auto", "concise", "detailed"),
    "reasoning.context": ("auto", "current_turn", "all_turns"),
    "text.verbosity": ("low", "medium", "high"),
}
FLAGS = ("background", "parallel_tool_calls", "store", "stream")
# Top-level texts and the most characters they may have.
TEXTS = {"instructions": 0, "prompt_cache_key": 64, "safety_identifier": 128, "user": 0, "previous_response_id": 0}


class Kind(Struct, frozen=True):
    """A kind of item: how its id begins (empty: not looked at), what it may have and what it must have."""

    prefix: str
    members: frozenset[str]
    required: tuple[str, ...] = ()


def _kinds(table: str) -> dict[str, Kind]:
    kinds = {}
    for line in table.strip().splitlines():
        name, prefix, *members = line.split()
        plain = frozenset(member.rstrip("*") for member in members) | {"type"}
        needed = tuple(member[:-1] for member in members if member.endswith("*"))
        kinds[name] = Kind(prefix.strip("-"), plain, needed)
    return kinds


# name, prefix of its id, members; those with a star have to be there.
ITEMS = _kinds("""
message msg id role* content* status phase
reasoning rs id summary* content encrypted_content status
function_call fc id call_id* name* arguments* namespace status caller async
function_call_output fc id call_id* output* name namespace status caller
custom_tool_call ctc id call_id* name* input* namespace status caller async
custom_tool_call_output ctc id call_id* output* caller name status
tool_search_call tsc id call_id arguments* execution status
tool_search_output tso id call_id tools* execution status
web_search_call ws id action status
file_search_call fs id queries* status results
code_interpreter_call ci id code container_id* outputs status
image_generation_call ig id result status action background error output_format quality revised_prompt size svg_usage
mcp_list_tools mcpl id server_label* tools* error
mcp_approval_request mcpr id server_label* name* arguments*
mcp_approval_response - id approval_request_id* approve* reason
mcp_call mcp id server_label* name* arguments* approval_request_id error output status
computer_call cu id call_id* pending_safety_checks status action actions
computer_call_output cu id call_id* output* acknowledged_safety_checks status
local_shell_call lsh id call_id* action* status
local_shell_call_output - id call_id output* status
shell_call sh id call_id* action* caller environment status
shell_call_output sh id call_id* output* caller max_output_length status
apply_patch_call apc id call_id* operation* caller status
apply_patch_call_output apc id call_id* status* caller output
compaction cmp id encrypted_content*
compaction_trigger - id
additional_tools - id role* tools*
configuration_update - id reasoning text
program - id call_id* code* fingerprint*
program_output - id call_id* result* status*
item_reference - id*
agent_message - id author recipient content
context_compaction - id encrypted_content
""")
# Codex puts this on items, and its own servers and the public ones pass it over.
PASSED_OVER = frozenset({"internal_chat_message_metadata_passthrough"})

# Which kind of item answers which, and what the vendor calls the two.
ANSWERS = {
    "function_call": ("function_call_output", "function call"),
    "custom_tool_call": ("custom_tool_call_output", "custom tool call"),
    "local_shell_call": ("local_shell_call_output", "local shell call"),
    "apply_patch_call": ("apply_patch_call_output", "apply patch call"),
    "computer_call": ("computer_call_output", "computer call"),
    "shell_call": ("shell_call_output", "shell call"),
}
# What a model says or does: the kinds that may follow its reasoning.
SPOKEN = frozenset(ANSWERS) | words(
    "tool_search_call web_search_call file_search_call code_interpreter_call image_generation_call mcp_list_tools"
    " mcp_approval_request mcp_call compaction program agent_message context_compaction"
)

ROLES = ("assistant", "system", "developer", "user")
PARTS = {
    "input_text": words("type text prompt_cache_breakpoint"),
    "input_image": words("type image_url file_id detail prompt_cache_breakpoint"),
    "input_file": words("type file_id file_data filename file_url detail prompt_cache_breakpoint"),
    "input_audio": words("type input_audio"),
    "output_text": words("type text annotations logprobs"),
    "refusal": words("type refusal"),
    "encrypted_content": words("type encrypted_content"),
}
SENT = ("input_text", "input_image", "input_file", "input_audio")
SAID = ("output_text", "refusal")
RETURNED = ("input_text", "input_image", "input_file", "encrypted_content")

TOOLS = _kinds("""
function - name* description parameters strict async allowed_callers defer_loading output_schema
custom - name* description format async allowed_callers defer_loading
namespace - name* description tools*
web_search - external_web_access filters search_context_size user_location search_content_types
web_search_2025_08_26 - external_web_access filters search_context_size user_location search_content_types
web_search_preview - search_content_types search_context_size user_location
web_search_preview_2025_03_11 - search_content_types search_context_size user_location
file_search - vector_store_ids* filters max_num_results ranking_options
code_interpreter - container* allowed_callers
computer -
computer_use_preview - display_height* display_width* environment*
image_generation - action background complexity frame_count frame_duration_ms input_fidelity input_image_mask model \
 moderation output_compression output_format partial_images quality size svg
mcp - server_label* allowed_callers allowed_tools authorization connector_id defer_loading headers require_approval \
 server_description server_url tunnel_id
local_shell -
shell - allowed_callers environment
apply_patch - allowed_callers
tool_search - description execution parameters
programmatic_tool_calling -
""")

REASONING_MODEL = re.compile(r"^(o\d|gpt-5|gpt-6|codex|computer-use)(?!.*-chat)")
_ALL = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# The first that fits says which efforts a model has; what it does when none is asked for is the second.
EFFORTS: tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...] = (
    (re.compile(r"^o\d"), ("low", "medium", "high"), "medium"),
    (re.compile(r"^gpt-5(\.\d)?-pro"), ("medium", "high", "xhigh"), "high"),
    (re.compile(r"^gpt-5(-mini|-nano|-\d{4}.*)?$"), ("minimal", "low", "medium", "high"), "medium"),
    (re.compile(r"^gpt-5(\.1)?-codex$"), ("low", "medium", "high"), "medium"),
    (re.compile(r"^gpt-5\.\d-codex"), ("low", "medium", "high", "xhigh"), "medium"),
    (re.compile(r"^gpt-5\.1"), ("none", "low", "medium", "high"), "none"),
    (re.compile(r"^gpt-5\.[2-4]"), ("none", "low", "medium", "high", "xhigh"), "none"),
    (re.compile(r"^gpt-5\.5"), ("none", "low", "medium", "high", "xhigh"), "medium"),
    (re.compile(r"^gpt-(5\.[6-9]|6)"), ("none", "low", "medium", "high", "xhigh", "max"), "medium"),
)


def efforts_of(model: str) -> tuple[tuple[str, ...], str]:
    """The efforts that a reasoning model has, and its own choice."""
    return next(((known, usual) for pattern, known, usual in EFFORTS if pattern.match(model)), (_ALL, "medium"))
