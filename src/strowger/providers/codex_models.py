"""What the models of ChatGPT's Codex backend accept, and which there are. Data only.

Sources are Codex's own source (openai/codex) and what its users have seen refused (openai/codex#26173, litellm#21209,
askalf/dario#1009). The backend lists its models to whoever is logged in, with windows and efforts; what is here stands
until that list has been read.
"""

from __future__ import annotations

from strowger.config.schema import Overrides

CODEX: Overrides = {
    # Reasoning is sealed for the account, as with the public API: a refused seal is dropped and the call repeated.
    "origin": "openai",
    "audio": False,
    "tool_result_images": True,
    "custom_tools": True,
    "web_search": "web_search",
    "max_tool_id": 64,
    # "Unsupported parameter: max_output_tokens", and the same of temperature, top_p, user, metadata, truncation, ...
    "output_limit": False,
    "sampling": False,
    "top_k": False,
    "max_stop_sequences": 0,
    "user": False,
    # "System messages are not allowed"
    "system_role": "developer",
    # "Store must be set to false", "Stream must be set to true"
    "stateful": False,
    "whole_answers": False,
    "cache_key": True,
    "service_tiers": ("priority", "flex"),
    "fast_tier": "priority",
    # of a model about which nothing else is known
    "efforts": ("low", "medium", "high"),
}
CODEX_MODELS: tuple[tuple[str, Overrides], ...] = (
    ("gpt-5.[2-5]*", {"efforts": ("none", "low", "medium", "high", "xhigh")}),
    *(
        (glob, {"efforts": ("none", "low", "medium", "high", "xhigh", "max")})
        for glob in ("gpt-5.[6-9]*", "gpt-[6-9]*")
    ),
    *((glob, {"efforts": ("low", "medium", "high", "xhigh")}) for glob in ("gpt-5.*-codex*", "codex-*")),
    ("gpt-5.6*", {"lite": True}),
)

CODEX_LISTED: tuple[tuple[str, int], ...] = (
    ("gpt-6-sol", 272_000),
    ("gpt-6-luna", 272_000),
    ("gpt-5.6-sol", 272_000),
    ("gpt-5.6-terra", 272_000),
    ("gpt-5.6-luna", 272_000),
    ("gpt-5.5", 272_000),
    ("gpt-5.4", 272_000),
    ("gpt-5.4-mini", 272_000),
    ("gpt-5.2", 272_000),
)
"""Models with their context window in tokens, as of autumn 2026."""

CODEX_STANDS_IN: tuple[tuple[str, str], ...] = (("claude-*haiku*", "gpt-5.4-mini"), ("claude-*", "gpt-5.5"))
"""Claude Code asks for models of its own in the background. Where nobody else serves them, these answer."""
