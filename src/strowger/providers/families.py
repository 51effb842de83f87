"""What the models of each vendor accept, as data: capabilities in common, then by model.

Sources are the vendors' own documentation (autumn 2026) and recorded traffic; where a fact is a guess, the value is the
careful one (not sent) and the comment says so. Names are globs; later ones go over earlier ones. Hosts and keys are in
`presets`.
"""

from __future__ import annotations

from strowger.config.schema import Overrides

Rules = tuple[tuple[str, Overrides], ...]

CLAUDE: Overrides = {
    "origin": "anthropic",
    "audio": False,
    "tool_result_images": True,
    "hosted_tools": True,
    # The oldest versions that are still served: every model that has the tool takes them. Calls to MCP servers want a
    # header that announces them, so they are left to clients of this dialect.
    "web_search": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
    # Forced tools together with thinking are refused with a 400.
    "forced_tool_choice_with_thinking": False,
    "max_tool_name": 128,
    "temperature_max": 1.0,
    "max_stop_sequences": 64,
    "mid_system": False,
    "thinking": "adaptive",
    "efforts": ("low", "medium", "high", "max"),
    "thinking_replay": "signed",
    "cache_hints": True,
    "service_tiers": ("auto", "standard_only"),
    "attribution": True,
    "count_tokens": True,
    "betas": True,
    "judges_itself": True,
}

# Old models first; what is not listed is taken for a new one. From 4.6 on thinking is adaptive and a final assistant
# message is refused; from 4.7 on sampling parameters are. Models up to 4.5 know budgets only.
CLAUDE_MODELS: Rules = (
    (
        "claude-*",
        {"prefill": False, "sampling": False, "mid_system": True, "efforts": ("low", "medium", "high", "xhigh", "max")},
    ),
    (
        "claude-*-4-6*",
        {"sampling": True, "mid_system": False, "efforts": ("low", "medium", "high", "max")},
    ),
    *(
        (glob, {"prefill": True, "sampling": True, "mid_system": False, "thinking": "budget", "efforts": ()})
        for glob in ("claude-*-4-5*", "claude-*-4-1*", "claude-*-4-0*", "claude-*-4-2025*", "claude-3-7*")
    ),
    # From 4.6 on it is twice that, as Anthropic's page of each model says. Claude Code asks for it where it knows that
    # it may, and its calls may be sent to one of these. The 64,000 that it asks of Sonnet 5 are its own choice.
    *(
        (glob, {"max_output_tokens": 64000})
        for glob in ("claude-3-7*", "claude-sonnet-4-0*", "claude-sonnet-4-2025*", "claude-*-4-5*")
    ),
    ("claude-opus-4-[01]*", {"structured_output": "none", "max_output_tokens": 32000}),
    ("claude-opus-4-2025*", {"structured_output": "none", "max_output_tokens": 32000}),
    ("claude-sonnet-4-0*", {"structured_output": "none"}),
    ("claude-sonnet-4-2025*", {"structured_output": "none"}),
    ("claude-3-7*", {"structured_output": "none"}),
    *(
        (
            glob,
            {
                "prefill": True,
                "sampling": True,
                "mid_system": False,
                "thinking": "none",
                "efforts": (),
                "structured_output": "none",
                "max_output_tokens": limit,
                "default_max_tokens": limit,
                "code_execution": "",
            },
        )
        for glob, limit in (("claude-3-5*", 8192), ("claude-3-haiku*", 4096), ("claude-3-opus*", 4096))
    ),
    *((glob, {"web_search": "", "web_fetch": ""}) for glob in ("claude-3-haiku*", "claude-3-opus*")),
)

# The same models at clouds, which sign what Anthropic signs, count no tokens the same way and run none of its tools.
CLAUDE_AT_CLOUDS: Overrides = {
    **CLAUDE,
    "web_search": "",
    "web_fetch": "",
    "code_execution": "",
    "service_tiers": (),
    "attribution": False,
    "count_tokens": False,
}
# The one model that gives less there than at Anthropic (LiteLLM's table of limits).
_LESS_AT_CLOUDS: Rules = (("claude-sonnet-4-6*", {"max_output_tokens": 64000}),)
# us.anthropic.claude-sonnet-4-5-20250929-v1:0, and ARNs that hold such a name
BEDROCK_MODELS: Rules = tuple((f"*{glob}", rule) for glob, rule in (*CLAUDE_MODELS, *_LESS_AT_CLOUDS))
# claude-opus-4@20250514
VERTEX_CLAUDE_MODELS: Rules = (
    *CLAUDE_MODELS,
    *_LESS_AT_CLOUDS,
    *((glob.replace("-2025", "@2025"), rule) for glob, rule in CLAUDE_MODELS if "-2025" in glob),
)

OPENAI: Overrides = {
    "origin": "openai",
    "custom_tools": True,
    # "string too long. Expected a string with maximum length 40"
    "max_tool_id": 40,
    "max_tokens_field": "max_completion_tokens",
    "top_k": False,
    "cache_key": True,
    "service_tiers": ("auto", "default", "flex", "priority"),
    "judges_itself": True,
}
OPENAI_REASONING: Overrides = {"sampling": False, "max_stop_sequences": 0, "audio": False}
OPENAI_MODELS: Rules = (
    *((glob, {**OPENAI_REASONING, "efforts": ("low", "medium", "high")}) for glob in ("o1*", "o3*", "o4*")),
    ("gpt-5*", {**OPENAI_REASONING, "efforts": ("minimal", "low", "medium", "high")}),
    ("gpt-5.1*", {"efforts": ("none", "low", "medium", "high")}),
    *(
        (glob, {**OPENAI_REASONING, "efforts": ("none", "low", "medium", "high", "xhigh")})
        for glob in ("gpt-5.[2-9]*", "gpt-[6-9]*")
    ),
    ("gpt-5*-chat*", {"efforts": (), "thinking": "none", "sampling": True}),
    ("gpt-[34]*", {"thinking": "none"}),
)
OPENAI_CHAT_MODELS: Rules = (
    *OPENAI_MODELS,
    # They search whenever they are asked anything; they call no functions and take no sampling.
    *(
        (glob, {"web_search": "web_search_options", "tools": False, "thinking": "none", "sampling": False})
        for glob in ("gpt-4o*search-preview*", "gpt-5-search-api*")
    ),
)

# platform.openai.com/docs/api-reference/responses
OPENAI_RESPONSES: Overrides = {
    "origin": "openai",
    "audio": False,
    "tool_result_images": True,
    "custom_tools": True,
    "hosted_tools": True,
    "web_search": "web_search",
    "code_execution": "code_interpreter",
    "remote_mcp": True,
    # "string too long. Expected a string with maximum length 64"
    "max_tool_id": 64,
    "min_output_tokens": 16,
    "top_k": False,
    "max_stop_sequences": 0,
    "system_role": "developer",
    "stateful": True,
    "cache_key": True,
    "service_tiers": ("auto", "default", "flex", "priority"),
    "count_tokens": True,
    "judges_itself": True,
}
OPENAI_RESPONSES_MODELS: Rules = (
    *OPENAI_MODELS,
    ("gpt-5.1-codex-max*", {"efforts": ("none", "low", "medium", "high", "xhigh")}),
    *((glob, {"summaries": False}) for glob in ("gpt-5*-chat*", "gpt-[34]*")),
    # The search is offered from GPT-4o on, but neither to the smallest GPT-4.1 nor to the first reasoning models.
    *((glob, {"web_search": ""}) for glob in ("gpt-3*", "gpt-4", "gpt-4-*", "gpt-4.1-nano*", "o1*", "o3-mini*")),
    *((glob, {"custom_tools": False}) for glob in ("gpt-[34]*", "o1*", "o3*", "o4*")),
)

# ai.google.dev/gemini-api/docs: gemini-3, thinking, thought-signatures, function-calling, google-search, url-context
GEMINI: Overrides = {
    "origin": "google",
    "image_urls": False,
    "tool_result_images": True,
    "strict_tools": False,
    "hosted_tools": True,
    "web_search": "googleSearch",
    "web_fetch": "urlContext",
    "code_execution": "codeExecution",
    "parallel_switch": False,
    "max_output_tokens": 65536,
    "max_stop_sequences": 5,
    "mid_system": False,
    "thinking": "level",
    "efforts": ("minimal", "low", "medium", "high"),
    "thought_signatures": True,
    "user": False,
    "count_tokens": True,
    "judges_itself": True,
}
_BEFORE_3: Overrides = {
    "tool_result_images": False,
    "thought_signatures": False,
    # "Built-in tools ({google_search}) and Function Calling cannot be combined in the same request."
    "search_with_tools": False,
    # "Function calling with a response mime type: 'application/json' is unsupported"
    "structured_with_tools": False,
    "efforts": (),
}
# What is not listed is taken for a new one.
GEMINI_MODELS: Rules = (
    ("gemini-3*-pro*", {"efforts": ("low", "medium", "high")}),
    ("gemini-3-pro*", {"efforts": ("low", "high")}),
    ("gemini-2.5*", {**_BEFORE_3, "thinking": "budget"}),
    # "Budget 0 is invalid. This model only works in thinking mode."
    ("gemini-2.5-pro*", {"efforts": ("minimal", "low", "medium", "high")}),
    ("gemini-2.0*", {**_BEFORE_3, "thinking": "none", "web_fetch": "", "max_output_tokens": 8192}),
    (
        "gemini-1*",
        {**_BEFORE_3, "thinking": "none", "web_search": "", "web_fetch": "", "max_output_tokens": 8192},
    ),
    (
        "gemma-*",
        {
            **_BEFORE_3,
            "thinking": "none",
            "web_search": "",
            "web_fetch": "",
            "code_execution": "",
            "documents": False,
            "audio": False,
            "max_output_tokens": 8192,
        },
    ),
    # "Function calling is not enabled for models/gemma-3-27b-it", and the same for JSON mode
    ("gemma-3*", {"tools": False, "structured_output": "none"}),
)

DEEPSEEK: Overrides = {
    "origin": "deepseek",
    # "unknown variant `image_url`, expected `text`"
    "images": False,
    "image_urls": False,
    "documents": False,
    "audio": False,
    "strict_tools": False,
    "forced_tool_choice_with_thinking": False,
}

MOONSHOT: Overrides = {
    "origin": "moonshot",
    "image_urls": False,
    "documents": False,
    "audio": False,
    "tool_result_images": True,
    "forced_tool_choice_with_thinking": False,
    "max_tokens_field": "max_completion_tokens",
    "temperature_max": 1.0,
    "top_k": False,
    # "At path 'properties.x': type is not defined", and much else that is right elsewhere
    "tool_schema": "typed",
    # "text content is empty"
    "empty_text": False,
    "thinking": "thinking",
    "thinking_replay": "reasoning_content",
    "thinking_required_in_tool_loops": True,
    "structured_output": "json_object",
    "cache_key": True,
}
# github.com/MoonshotAI/kimi-code, packages/kosong: what its own client asks for
KIMI: Overrides = {
    **MOONSHOT,
    "origin": "kimi",
    "max_tool_id": 64,
    "thinking": "thinking_effort",
    "efforts": ("low", "medium", "high", "max"),
    "structured_output": "json_schema",
}
KIMI_MODELS: Rules = (("*k3*", {"efforts": ("low", "high", "max")}),)
MOONSHOT_MODELS: Rules = tuple(
    (glob, {"thinking": "none"}) for glob in ("moonshot-v1*", "kimi-k2-0*", "kimi-k2-turbo*", "kimi-k2-thinking*")
)

ZAI: Overrides = {
    "origin": "zai",
    "documents": False,
    "audio": False,
    # Documented: tool_choice knows "auto" only.
    "tool_choice": False,
    "parallel_switch": False,
    "strict_tools": False,
    "temperature_max": 1.0,
    "max_stop_sequences": 1,
    "top_k": False,
    "thinking": "thinking",
    "thinking_replay": "reasoning_content",
    "structured_output": "json_object",
}
ZAI_MODELS: Rules = (
    ("glm-*", {"images": False}),
    ("glm-*v*", {"images": True}),
    ("glm-5.[2-9]*", {"efforts": ("high", "max")}),
    ("glm-5*-flash*", {"images": True}),
)

# Messages-compatible services: text, tools and thinking are there, the rest differs and is mostly undocumented.
MESSAGES: Overrides = {
    "image_urls": False,
    "documents": False,
    "audio": False,
    "strict_tools": False,
    "thinking": "budget",
    "thinking_replay": "any",
    "structured_output": "none",
    "mid_system": False,
}

# Responses-compatible services: text, functions and reasoning are there; what is beyond that is said of each.
RESPONSES: Overrides = {
    "documents": False,
    "audio": False,
    "top_k": False,
    "max_stop_sequences": 0,
    "min_output_tokens": 16,
    "summaries": False,
}

XAI_MODELS: Rules = (
    ("grok-3-mini*", {"efforts": ("low", "high")}),
    ("grok-4.[3-9]*", {"efforts": ("none", "low", "medium", "high")}),
)

LOCAL: Overrides = {"documents": False, "audio": False, "strict_tools": False, "image_urls": False}
GPT_OSS: Rules = (("*gpt-oss*", {"efforts": ("low", "medium", "high")}),)
