"""The packaged providers: host, dialect, key variable, model names, quirks. Data only; anything here can be overridden.

A host that speaks several dialects has a preset for each; the one that is named in configurations lists the `also`.
Sources are the vendors' own documentation (autumn 2026) and recorded traffic; where a fact is a guess, the value is the
careful one (not sent) and the comment says so. Model lists are never closed: globs only say which provider is meant
when nobody says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strowger.config.checks import DEMO_URL
from strowger.config.schema import Preset, Presets
from strowger.providers.clouds import CLOUDS
from strowger.providers.codex_models import CODEX, CODEX_LISTED, CODEX_MODELS, CODEX_STANDS_IN
from strowger.providers.families import (
    CLAUDE,
    CLAUDE_MODELS,
    DEEPSEEK,
    GEMINI,
    GEMINI_MODELS,
    GPT_OSS,
    KIMI,
    KIMI_MODELS,
    LOCAL,
    MESSAGES,
    MOONSHOT,
    MOONSHOT_MODELS,
    OPENAI,
    OPENAI_CHAT_MODELS,
    OPENAI_RESPONSES,
    OPENAI_RESPONSES_MODELS,
    RESPONSES,
    XAI_MODELS,
    ZAI,
    ZAI_MODELS,
)

# openrouter.ai/docs/app-attribution: who asks, as its users see it
_OPENROUTER = (("x-title", "Strowger"),)

_PRESETS: Mapping[str, Preset] = {
    # platform.claude.com/docs: Messages API
    "anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.anthropic.com",
        key_env=("ANTHROPIC_API_KEY",),
        models=("claude-*",),
        capabilities=CLAUDE,
        model_capabilities=CLAUDE_MODELS,
    ),
    # platform.openai.com/docs/api-reference/chat
    "openai": Preset(
        dialect="openai_chat",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        models=("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "codex-*"),
        capabilities=OPENAI,
        model_capabilities=OPENAI_CHAT_MODELS,
        also=("openai-responses",),
        # Chat neither shows reasoning nor takes it back.
        foreign="openai-responses",
    ),
    # platform.openai.com/docs/api-reference/responses
    "openai-responses": Preset(
        dialect="openai_responses",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        models=("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "codex-*"),
        capabilities=OPENAI_RESPONSES,
        model_capabilities=OPENAI_RESPONSES_MODELS,
        infer=False,
        terms="openai",
    ),
    # ChatGPT's backend, as Codex uses it (github.com/openai/codex), with the user's own ChatGPT login
    "codex": Preset(
        dialect="openai_responses",
        base_url="https://chatgpt.com/backend-api/codex",
        auth="login:codex",
        models=("gpt-5.[2-9]*", "gpt-[6-9]*", "codex-*"),
        capabilities=CODEX,
        model_capabilities=CODEX_MODELS,
        packaged=CODEX_LISTED,
        stands_in=CODEX_STANDS_IN,
        terms="codex",
        billing="plan",
    ),
    # openrouter.ai/docs: `reasoning` object, reasoning_details to be sent back as they came
    "openrouter": Preset(
        dialect="openai_chat",
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        headers=_OPENROUTER,
        models=("*/*",),
        capabilities={
            "origin": "openrouter",
            "thinking": "reasoning",
            "efforts": ("none", "minimal", "low", "medium", "high", "xhigh"),
            "thinking_replay": "reasoning_details",
            "cache_hints": True,
            # openrouter.ai/docs/guides/features/server-tools/web-search
            "web_search": "openrouter:web_search",
            "hosted_tools": True,
        },
        also=("openrouter-responses", "openrouter-anthropic"),
    ),
    # openrouter.ai/docs/api_reference/responses: keeps nothing
    "openrouter-responses": Preset(
        dialect="openai_responses",
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        headers=_OPENROUTER,
        models=("*/*",),
        capabilities={
            **RESPONSES,
            "origin": "openrouter",
            "documents": True,
            "efforts": ("none", "minimal", "low", "medium", "high", "xhigh"),
            "summaries": True,
        },
        infer=False,
    ),
    "openrouter-anthropic": Preset(
        dialect="anthropic",
        base_url="https://openrouter.ai/api",
        key_env=("OPENROUTER_API_KEY",),
        auth_header="authorization",
        headers=_OPENROUTER,
        models=("*/*",),
        capabilities={
            **MESSAGES,
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
            **DEEPSEEK,
            "top_k": False,
            "max_stop_sequences": 16,
            "thinking": "thinking",
            "efforts": ("high", "max"),
            "thinking_replay": "reasoning_content",
            "thinking_required_in_tool_loops": True,
            "structured_output": "json_object",
        },
        also=("deepseek-anthropic",),
    ),
    # api-docs.deepseek.com/guides/anthropic_api: unknown models are answered by the flash model, without a word
    "deepseek-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.deepseek.com/anthropic",
        key_env=("DEEPSEEK_API_KEY",),
        models=("deepseek-*",),
        capabilities={**MESSAGES, **DEEPSEEK, "top_k": False, "betas": True},
        infer=False,
    ),
    # platform.kimi.ai/docs; for an account in China set base_url to https://api.moonshot.cn/v1
    "moonshot": Preset(
        dialect="openai_chat",
        base_url="https://api.moonshot.ai/v1",
        key_env=("MOONSHOT_API_KEY",),
        models=("kimi-*", "moonshot-*"),
        capabilities=MOONSHOT,
        model_capabilities=MOONSHOT_MODELS,
        also=("moonshot-anthropic",),
    ),
    "moonshot-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.moonshot.ai/anthropic",
        key_env=("MOONSHOT_API_KEY",),
        auth_header="authorization",
        models=("kimi-*", "moonshot-*"),
        capabilities={**MESSAGES, "origin": "moonshot", "tool_result_images": True, "temperature_max": 1.0},
        infer=False,
    ),
    # Kimi Code membership, by login or with a key from its console; which clients it admits is the vendor's to say
    "kimi": Preset(
        dialect="openai_chat",
        base_url="https://api.kimi.com/coding/v1",
        key_env=("KIMI_API_KEY",),
        auth="login:kimi",
        models=("kimi-for-coding*", "k2.*", "k3*"),
        aliases=(("kimi-k2.6", "kimi-for-coding"), ("k2.6", "kimi-for-coding"), ("kimi-k3", "k3")),
        capabilities=KIMI,
        model_capabilities=KIMI_MODELS,
        also=("kimi-anthropic",),
        terms="kimi",
        billing="plan",
    ),
    # The same models in Anthropic's words: thinking with an effort, and no budget that it would heed.
    "kimi-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.kimi.com/coding",
        key_env=("KIMI_API_KEY",),
        auth="login:kimi",
        models=("kimi-for-coding*", "k2.*", "k3*"),
        aliases=(("kimi-k2.6", "kimi-for-coding"), ("k2.6", "kimi-for-coding"), ("kimi-k3", "k3")),
        capabilities={
            **MESSAGES,
            "origin": "kimi",
            "tool_result_images": True,
            "temperature_max": 1.0,
            "efforts": ("low", "medium", "high", "max"),
        },
        model_capabilities=KIMI_MODELS,
        infer=False,
        terms="kimi",
        billing="plan",
    ),
    # docs.z.ai: pay as you go; the coding plan has hosts of its own (below)
    "zai": Preset(
        dialect="openai_chat",
        base_url="https://api.z.ai/api/paas/v4",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        models=("glm-*",),
        capabilities=ZAI,
        model_capabilities=ZAI_MODELS,
        also=("zai-anthropic",),
    ),
    "zai-coding": Preset(
        dialect="openai_chat",
        base_url="https://api.z.ai/api/coding/paas/v4",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        models=("glm-*",),
        capabilities=ZAI,
        model_capabilities=ZAI_MODELS,
        billing="plan",
        infer=False,
        also=("zai-anthropic",),
    ),
    "zai-anthropic": Preset(
        dialect="anthropic",
        base_url="https://api.z.ai/api/anthropic",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        auth_header="authorization",
        models=("glm-*",),
        capabilities={**MESSAGES, "origin": "zai", "temperature_max": 1.0},
        model_capabilities=tuple(rule for rule in ZAI_MODELS if "images" in rule[1]),
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
            *GPT_OSS,
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
        model_capabilities=(*XAI_MODELS, ("grok-*non-reasoning*", {"max_stop_sequences": 4})),
        also=("xai-responses",),
        foreign="xai-responses",
    ),
    # docs.x.ai/docs/guides/chat, tools: answers are kept for thirty days; reasoning comes encrypted
    "xai-responses": Preset(
        dialect="openai_responses",
        base_url="https://api.x.ai/v1",
        key_env=("XAI_API_KEY",),
        models=("grok-*",),
        capabilities={
            **RESPONSES,
            "origin": "xai",
            "hosted_tools": True,
            "web_search": "web_search",
            "code_execution": "code_interpreter",
            "remote_mcp": True,
            "min_output_tokens": 1,
            "summaries": True,
            "stateful": True,
            "cache_key": True,
        },
        model_capabilities=XAI_MODELS,
        infer=False,
    ),
    # docs.perplexity.ai: the Agent API has the shape of Responses; the older Sonar endpoint has been closed
    "perplexity": Preset(
        dialect="openai_responses",
        base_url="https://api.perplexity.ai/v1",
        key_env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        models=("perplexity/*",),
        aliases=(("sonar", "perplexity/sonar"),),
        capabilities={
            **RESPONSES,
            "origin": "perplexity",
            "strict_tools": False,
            "hosted_tools": True,
            "web_search": "web_search",
            "web_fetch": "fetch_url",
            "efforts": ("low", "medium", "high"),
            "user": False,
        },
    ),
    # docs.together.ai/docs/openai-api-compatibility
    "together": Preset(
        dialect="openai_chat",
        base_url="https://api.together.xyz/v1",
        key_env=("TOGETHER_API_KEY",),
        capabilities={"origin": "together", "documents": False, "audio": False, "strict_tools": False},
        model_capabilities=GPT_OSS,
    ),
    # docs.fireworks.ai
    "fireworks": Preset(
        dialect="openai_chat",
        base_url="https://api.fireworks.ai/inference/v1",
        key_env=("FIREWORKS_API_KEY",),
        models=("accounts/*",),
        capabilities={"origin": "fireworks", "documents": False, "audio": False, "strict_tools": False},
        model_capabilities=GPT_OSS,
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
        model_capabilities=GPT_OSS,
    ),
    # ai.google.dev/api/generate-content
    "google": Preset(
        dialect="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        models=("gemini-*", "gemma-*"),
        capabilities=GEMINI,
        model_capabilities=GEMINI_MODELS,
        also=("google-openai",),
    ),
    # ai.google.dev/gemini-api/docs/openai: thought signatures ride in an extension of tool calls
    "google-openai": Preset(
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
        infer=False,
    ),
    # docs.ollama.com: the key is ignored on one's own machine; tool_choice is ignored; pictures by value only
    "ollama": Preset(
        dialect="openai_chat",
        base_url="http://localhost:11434/v1",
        key_required=False,
        capabilities={
            **LOCAL,
            "origin": "ollama",
            "tool_choice": False,
            "parallel_switch": False,
            "top_k": False,
            "thinking_replay": "reasoning",
        },
        model_capabilities=GPT_OSS,
        also=("ollama-responses", "ollama-anthropic"),
    ),
    # docs.ollama.com/api/openai-compatibility: keeps nothing
    "ollama-responses": Preset(
        dialect="openai_responses",
        base_url="http://localhost:11434/v1",
        key_required=False,
        capabilities={**RESPONSES, **LOCAL, "origin": "ollama", "tool_choice": False, "parallel_switch": False},
        model_capabilities=GPT_OSS,
        infer=False,
    ),
    "ollama-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:11434",
        key_required=False,
        capabilities={**MESSAGES, "origin": "ollama", "tool_choice": False},
    ),
    # lmstudio.ai/docs
    "lmstudio": Preset(
        dialect="openai_chat",
        base_url="http://localhost:1234/v1",
        key_env=("LM_API_TOKEN",),
        key_required=False,
        capabilities={**LOCAL, "origin": "lmstudio"},
        model_capabilities=GPT_OSS,
        infer=False,
        also=("lmstudio-responses", "lmstudio-anthropic"),
    ),
    # lmstudio.ai/docs/developer/openai-compat/responses
    "lmstudio-responses": Preset(
        dialect="openai_responses",
        base_url="http://localhost:1234/v1",
        key_env=("LM_API_TOKEN",),
        key_required=False,
        capabilities={**RESPONSES, **LOCAL, "origin": "lmstudio", "stateful": True},
        model_capabilities=GPT_OSS,
        infer=False,
    ),
    "lmstudio-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:1234",
        key_env=("LM_API_TOKEN",),
        key_required=False,
        capabilities={**MESSAGES, "origin": "lmstudio"},
        infer=False,
    ),
    # docs.vllm.ai: thinking is called `reasoning`, both ways; tools need --enable-auto-tool-choice
    "vllm": Preset(
        dialect="openai_chat",
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        key_required=False,
        capabilities={**LOCAL, "origin": "vllm", "image_urls": True, "thinking_replay": "reasoning"},
        model_capabilities=GPT_OSS,
        infer=False,
        also=("vllm-responses", "vllm-anthropic"),
    ),
    # docs.vllm.ai: answers are kept only where VLLM_ENABLE_RESPONSES_API_STORE is set
    "vllm-responses": Preset(
        dialect="openai_responses",
        base_url="http://localhost:8000/v1",
        key_env=("VLLM_API_KEY",),
        key_required=False,
        capabilities={**RESPONSES, **LOCAL, "origin": "vllm", "image_urls": True, "min_output_tokens": 1},
        model_capabilities=GPT_OSS,
        infer=False,
    ),
    "vllm-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:8000",
        key_env=("VLLM_API_KEY",),
        key_required=False,
        capabilities={**MESSAGES, "origin": "vllm"},
        infer=False,
    ),
    # github.com/ggml-org/llama.cpp, tools/server: tools need --jinja
    "llamacpp": Preset(
        dialect="openai_chat",
        base_url="http://localhost:8080/v1",
        key_env=("LLAMA_API_KEY",),
        key_required=False,
        capabilities={**LOCAL, "origin": "llamacpp", "thinking_replay": "reasoning_content"},
        model_capabilities=GPT_OSS,
        infer=False,
        also=("llamacpp-anthropic",),
    ),
    "llamacpp-anthropic": Preset(
        dialect="anthropic",
        base_url="http://localhost:8080",
        key_env=("LLAMA_API_KEY",),
        key_required=False,
        capabilities={**MESSAGES, "origin": "llamacpp", "count_tokens": True},
        infer=False,
    ),
    **CLOUDS,
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
