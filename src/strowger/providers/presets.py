"""The packaged providers: host, dialect, key variable, model names, quirks. Data only; anything here can be overridden.

Sources are the vendors' own documentation (autumn 2026) and recorded traffic; where a fact is a guess, the value is the
careful one (not sent) and the comment says so. Model lists are never closed: globs only say which provider is meant
when nobody says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strowger.config.checks import DEMO_URL
from strowger.config.schema import Overrides, Preset, Presets

_CLAUDE: Overrides = {
    "origin": "anthropic",
    "audio": False,
    "tool_result_images": True,
    "hosted_tools": True,
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
_CLAUDE_MODELS: tuple[tuple[str, Overrides], ...] = (
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
    ("claude-*-4-5*", {"max_output_tokens": 64000}),
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
            },
        )
        for glob, limit in (("claude-3-5*", 8192), ("claude-3-haiku*", 4096), ("claude-3-opus*", 4096))
    ),
)

_OPENAI: Overrides = {
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
_OPENAI_REASONING: Overrides = {"sampling": False, "max_stop_sequences": 0, "audio": False}
_OPENAI_MODELS: tuple[tuple[str, Overrides], ...] = (
    *((glob, {**_OPENAI_REASONING, "efforts": ("low", "medium", "high")}) for glob in ("o1*", "o3*", "o4*")),
    ("gpt-5*", {**_OPENAI_REASONING, "efforts": ("minimal", "low", "medium", "high")}),
    ("gpt-5.1*", {"efforts": ("none", "low", "medium", "high")}),
    *(
        (glob, {**_OPENAI_REASONING, "efforts": ("none", "low", "medium", "high", "xhigh")})
        for glob in ("gpt-5.[2-9]*", "gpt-[6-9]*")
    ),
    ("gpt-5*-chat*", {"efforts": (), "thinking": "none", "sampling": True}),
    ("gpt-[34]*", {"thinking": "none"}),
)

_DEEPSEEK: Overrides = {
    "origin": "deepseek",
    # "unknown variant `image_url`, expected `text`"
    "images": False,
    "image_urls": False,
    "documents": False,
    "audio": False,
    "strict_tools": False,
    "forced_tool_choice_with_thinking": False,
}

_MOONSHOT: Overrides = {
    "origin": "moonshot",
    "image_urls": False,
    "documents": False,
    "audio": False,
    "tool_result_images": True,
    "forced_tool_choice_with_thinking": False,
    "max_tokens_field": "max_completion_tokens",
    "temperature_max": 1.0,
    "top_k": False,
    "thinking": "thinking",
    "thinking_replay": "reasoning_content",
    "thinking_required_in_tool_loops": True,
    "structured_output": "json_object",
    "cache_key": True,
}
_MOONSHOT_MODELS: tuple[tuple[str, Overrides], ...] = tuple(
    (glob, {"thinking": "none"}) for glob in ("moonshot-v1*", "kimi-k2-0*", "kimi-k2-turbo*", "kimi-k2-thinking*")
)

_ZAI: Overrides = {
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
_ZAI_MODELS: tuple[tuple[str, Overrides], ...] = (
    ("glm-*", {"images": False}),
    ("glm-*v*", {"images": True}),
    ("glm-5.[2-9]*", {"efforts": ("high", "max")}),
    ("glm-5*-flash*", {"images": True}),
)

# Messages-compatible services: text, tools and thinking are there, the rest differs and is mostly undocumented.
_MESSAGES: Overrides = {
    "image_urls": False,
    "documents": False,
    "audio": False,
    "strict_tools": False,
    "thinking": "budget",
    "thinking_replay": "any",
    "structured_output": "none",
    "mid_system": False,
}

_LOCAL: Overrides = {"documents": False, "audio": False, "strict_tools": False, "image_urls": False}
_GPT_OSS: tuple[tuple[str, Overrides], ...] = (("*gpt-oss*", {"efforts": ("low", "medium", "high")}),)

_PRESETS: Mapping[str, Preset] = {
    # platform.claude.com/docs: Messages API
    "anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.anthropic.com",
        key_env=("ANTHROPIC_API_KEY",),
        models=("claude-*",),
        capabilities=_CLAUDE,
        model_capabilities=_CLAUDE_MODELS,
    ),
    # platform.openai.com/docs/api-reference/chat
    "openai": Preset(
        dialect="openai_chat",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        models=("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "codex-*"),
        capabilities=_OPENAI,
        model_capabilities=_OPENAI_MODELS,
    ),
    # openrouter.ai/docs: `reasoning` object, reasoning_details to be sent back as they came
    "openrouter": Preset(
        dialect="openai_chat",
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        models=("*/*",),
        capabilities={
            "origin": "openrouter",
            "thinking": "reasoning",
            "efforts": ("none", "minimal", "low", "medium", "high", "xhigh"),
            "thinking_replay": "reasoning_details",
            "cache_hints": True,
        },
    ),
    "openrouter-anthropic": Preset(
        dialect="anthropic",
        base_url="https://openrouter.ai/api",
        key_env=("OPENROUTER_API_KEY",),
        auth_header="authorization",
        models=("*/*",),
        capabilities={
            **_MESSAGES,
            "origin": "openrouter",
            "image_urls": True,
            "documents": True,
            "cache_hints": True,
            "betas": True,
        },
        infer=False,
    ),
    # api-docs.deepseek.com: thinking mode; reasoning_content must come back inside tool loops
    "deepseek": Preset(
        dialect="openai_chat",
        base_url="https://api.deepseek.com/v1",
        key_env=("DEEPSEEK_API_KEY",),
        models=("deepseek-*",),
        capabilities={
            **_DEEPSEEK,
            "top_k": False,
            "max_stop_sequences": 16,
            "thinking": "thinking",
            "efforts": ("high", "max"),
            "thinking_replay": "reasoning_content",
            "thinking_required_in_tool_loops": True,
            "structured_output": "json_object",
        },
    ),
    # api-docs.deepseek.com/guides/anthropic_api: unknown models are answered by the flash model, without a word
    "deepseek-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.deepseek.com/anthropic",
        key_env=("DEEPSEEK_API_KEY",),
        models=("deepseek-*",),
        capabilities={**_MESSAGES, **_DEEPSEEK, "top_k": False, "betas": True},
        infer=False,
    ),
    # platform.kimi.ai/docs; for an account in China set base_url to https://api.moonshot.cn/v1
    "moonshot": Preset(
        dialect="openai_chat",
        base_url="https://api.moonshot.ai/v1",
        key_env=("MOONSHOT_API_KEY",),
        models=("kimi-*", "moonshot-*"),
        capabilities=_MOONSHOT,
        model_capabilities=_MOONSHOT_MODELS,
    ),
    "moonshot-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.moonshot.ai/anthropic",
        key_env=("MOONSHOT_API_KEY",),
        auth_header="authorization",
        models=("kimi-*", "moonshot-*"),
        capabilities={**_MESSAGES, "origin": "moonshot", "tool_result_images": True, "temperature_max": 1.0},
        infer=False,
    ),
    # Kimi Code membership, with a key from its console; which clients it admits is the vendor's to say
    "kimi": Preset(
        dialect="openai_chat",
        base_url="https://api.kimi.com/coding/v1",
        key_env=("KIMI_API_KEY",),
        models=("kimi-for-coding*", "k2.*", "k3*"),
        capabilities={**_MOONSHOT, "origin": "kimi"},
    ),
    "kimi-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.kimi.com/coding",
        key_env=("KIMI_API_KEY",),
        models=("kimi-for-coding*", "k2.*", "k3*"),
        capabilities={**_MESSAGES, "origin": "kimi", "tool_result_images": True, "temperature_max": 1.0},
        infer=False,
    ),
    # docs.z.ai: pay as you go; the coding plan has hosts of its own (below)
    "zai": Preset(
        dialect="openai_chat",
        base_url="https://api.z.ai/api/paas/v4",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        models=("glm-*",),
        capabilities=_ZAI,
        model_capabilities=_ZAI_MODELS,
    ),
    "zai-coding": Preset(
        dialect="openai_chat",
        base_url="https://api.z.ai/api/coding/paas/v4",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        models=("glm-*",),
        capabilities=_ZAI,
        model_capabilities=_ZAI_MODELS,
        infer=False,
    ),
    "zai-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.z.ai/api/anthropic",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        auth_header="authorization",
        models=("glm-*",),
        capabilities={**_MESSAGES, "origin": "zai", "temperature_max": 1.0},
        model_capabilities=tuple(rule for rule in _ZAI_MODELS if "images" in rule[1]),
        infer=False,
    ),
    # console.groq.com/docs/api-reference: unknown members of messages are refused, so no thinking goes back
    "groq": Preset(
        dialect="openai_chat",
        base_url="https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        models=("llama-3*", "meta-llama/*", "groq/*", "openai/gpt-oss-*"),
        capabilities={
            "origin": "groq",
            "images": False,
            "image_urls": False,
            "documents": False,
            "audio": False,
            "strict_tools": False,
            "max_tokens_field": "max_completion_tokens",
            "top_k": False,
            "structured_output": "json_object",
            "service_tiers": ("auto", "on_demand", "flex", "performance"),
        },
        model_capabilities=(
            *((glob, {"structured_output": "json_schema"}) for glob in ("openai/gpt-oss-*", "moonshotai/kimi-k2-*")),
            *_GPT_OSS,
            ("meta-llama/llama-4-*", {"images": True, "image_urls": True, "structured_output": "json_schema"}),
        ),
    ),
    # docs.mistral.ai/api: usage comes unasked; a last assistant message needs `prefix`; tool ids have nine characters
    "mistral": Preset(
        dialect="openai_chat",
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        models=("mistral-*", "codestral-*", "magistral-*", "devstral-*", "ministral-*", "pixtral-*", "open-mi*"),
        capabilities={
            "origin": "mistral",
            "documents": False,
            "audio": False,
            "max_tool_id": 9,
            "temperature_max": 1.5,
            "top_k": False,
            "prefill": False,
            "thinking": "none",
            "cache_key": True,
            "user": False,
            "stream_usage": False,
        },
        model_capabilities=tuple(
            (glob, {"thinking": "effort", "efforts": ("none", "high")})
            for glob in ("mistral-small-latest", "mistral-small-26*", "mistral-medium-3-5*")
        ),
    ),
    # docs.x.ai: chat completions are deprecated there, but served; reasoning models refuse `stop`
    "xai": Preset(
        dialect="openai_chat",
        base_url="https://api.x.ai/v1",
        key_env=("XAI_API_KEY",),
        models=("grok-*",),
        capabilities={"origin": "xai", "documents": False, "audio": False, "top_k": False, "max_stop_sequences": 0},
        model_capabilities=(
            ("grok-3-mini*", {"efforts": ("low", "high")}),
            ("grok-4.[3-9]*", {"efforts": ("none", "low", "medium", "high")}),
            ("grok-*non-reasoning*", {"max_stop_sequences": 4}),
        ),
    ),
    # docs.together.ai/docs/openai-api-compatibility
    "together": Preset(
        dialect="openai_chat",
        base_url="https://api.together.xyz/v1",
        key_env=("TOGETHER_API_KEY",),
        capabilities={"origin": "together", "documents": False, "audio": False, "strict_tools": False},
        model_capabilities=_GPT_OSS,
    ),
    # docs.fireworks.ai
    "fireworks": Preset(
        dialect="openai_chat",
        base_url="https://api.fireworks.ai/inference/v1",
        key_env=("FIREWORKS_API_KEY",),
        models=("accounts/*",),
        capabilities={"origin": "fireworks", "documents": False, "audio": False, "strict_tools": False},
        model_capabilities=_GPT_OSS,
    ),
    # inference-docs.cerebras.ai/resources/openai
    "cerebras": Preset(
        dialect="openai_chat",
        base_url="https://api.cerebras.ai/v1",
        key_env=("CEREBRAS_API_KEY",),
        capabilities={
            "origin": "cerebras",
            "images": False,
            "image_urls": False,
            "documents": False,
            "audio": False,
            "parallel_switch": False,
            "max_tokens_field": "max_completion_tokens",
            "top_k": False,
            "thinking_replay": "reasoning",
        },
        model_capabilities=_GPT_OSS,
    ),
    # ai.google.dev/gemini-api/docs/openai. Gemini 3 wants its thought signatures back with tool calls; this dialect has
    # an extension for that, which is kept on the same-dialect lane only.
    "google": Preset(
        dialect="openai_chat",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        models=("gemini-*", "gemma-*"),
        capabilities={
            "origin": "google",
            "image_urls": False,
            "documents": False,
            "strict_tools": False,
            "parallel_switch": False,
            "top_k": False,
            "efforts": ("low", "medium", "high"),
        },
        model_capabilities=(
            ("gemma-*", {"efforts": ()}),
            ("gemini-2.0*", {"efforts": ()}),
            ("gemini-1*", {"efforts": ()}),
        ),
    ),
    # docs.ollama.com: the key is ignored on one's own machine; tool_choice is ignored; pictures by value only
    "ollama": Preset(
        dialect="openai_chat",
        base_url="http://localhost:11434/v1",
        key_required=False,
        capabilities={
            **_LOCAL,
            "origin": "ollama",
            "tool_choice": False,
            "parallel_switch": False,
            "top_k": False,
            "thinking_replay": "reasoning",
        },
        model_capabilities=_GPT_OSS,
    ),
    "ollama-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:11434",
        key_required=False,
        capabilities={**_MESSAGES, "origin": "ollama", "tool_choice": False},
    ),
    # lmstudio.ai/docs
    "lmstudio": Preset(
        dialect="openai_chat",
        base_url="http://localhost:1234/v1",
        key_env=("LM_API_TOKEN",),
        key_required=False,
        capabilities={**_LOCAL, "origin": "lmstudio"},
        model_capabilities=_GPT_OSS,
        infer=False,
    ),
    "lmstudio-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:1234",
        key_env=("LM_API_TOKEN",),
        key_required=False,
        capabilities={**_MESSAGES, "origin": "lmstudio"},
        infer=False,
    ),
    # docs.vllm.ai: thinking is called `reasoning`, both ways; tools need --enable-auto-tool-choice
    "vllm": Preset(
        dialect="openai_chat",
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        key_required=False,
        capabilities={**_LOCAL, "origin": "vllm", "image_urls": True, "thinking_replay": "reasoning"},
        model_capabilities=_GPT_OSS,
        infer=False,
    ),
    "vllm-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:8000",
        key_env=("VLLM_API_KEY",),
        key_required=False,
        capabilities={**_MESSAGES, "origin": "vllm"},
        infer=False,
    ),
    # github.com/ggml-org/llama.cpp, tools/server: tools need --jinja
    "llamacpp": Preset(
        dialect="openai_chat",
        base_url="http://localhost:8080/v1",
        key_env=("LLAMA_API_KEY",),
        key_required=False,
        capabilities={**_LOCAL, "origin": "llamacpp", "thinking_replay": "reasoning_content"},
        model_capabilities=_GPT_OSS,
        infer=False,
    ),
    "llamacpp-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:8080",
        key_env=("LLAMA_API_KEY",),
        key_required=False,
        capabilities={**_MESSAGES, "origin": "llamacpp", "count_tokens": True},
        infer=False,
    ),
    # built in: started with the gateway, which then knows its port
    "demo": Preset(
        dialect="openai_chat",
        base_url=DEMO_URL,
        key_required=False,
        models=("demo", "demo-fast"),
        stands_in=(("*haiku*", "demo-fast"), ("*", "demo")),
        capabilities={"origin": "demo", "thinking_replay": "reasoning_content"},
        infer=False,
    ),
}

PRESETS: Presets = MappingProxyType(_PRESETS)
"""Every packaged provider by its name."""
