"""The coding agents that are known by name: what each reads from its environment, its files and its arguments.

Data, taken from the programs themselves at the versions that scripts/clients.sh installs. Secrets travel in the
environment only, never in arguments, which every user of the machine can read. Must not know how any of it is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from strowger.client import Model, Prospect

URL, TOKEN, MODEL, EFFORT, MODELS = "{url}", "{token}", "{model}", "{effort}", "{models}"
CONTEXT, OUTPUT = "{context}", "{output}"

_CLAUDE_STRIP = (
    # credentials: whichever is left, Claude Code may send it to the gateway instead of the launch token
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
    "CLAUDE_CODE_GATEWAY_TOKEN",
    "CLAUDE_CODE_OAUTH_REFRESH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
    "ANTHROPIC_FOUNDRY_API_KEY",
    "ANTHROPIC_FOUNDRY_AUTH_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    # other ways out: with any of these it does not ask the gateway at all
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_UNIX_SOCKET",
    "ANTHROPIC_AWS_BASE_URL",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
    "ANTHROPIC_FOUNDRY_BASE_URL",
    "ANTHROPIC_FOUNDRY_RESOURCE",
    "ANTHROPIC_VERTEX_BASE_URL",
    "CLAUDE_CODE_API_BASE_URL",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_GATEWAY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_VERTEX",
)
_GOOGLE_STRIP = (
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_CLOUD_ACCESS_TOKEN",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_USE_GCA",
    "GOOGLE_VERTEX_BASE_URL",
    "CODE_ASSIST_ENDPOINT",
    "GEMINI_CLI_CUSTOM_HEADERS",
)
VENDOR_STRIP = (
    *_CLAUDE_STRIP,
    *_GOOGLE_STRIP,
    "ANTHROPIC_OAUTH_TOKEN",
    "ANTHROPIC_API_BASE",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "OPENAI_ORGANIZATION",
    "CODEX_API_KEY",
    "AZURE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "AI_GATEWAY_API_KEY",
    "CEREBRAS_API_KEY",
    "CLOUDFLARE_API_KEY",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "GOOGLE_CLOUD_API_KEY",
    "GROQ_API_KEY",
    "HF_TOKEN",
    "KIMI_API_KEY",
    "LLAMA_API_KEY",
    "LM_API_TOKEN",
    "MINIMAX_API_KEY",
    "MINIMAX_CN_API_KEY",
    "MISTRAL_API_KEY",
    "MOONSHOT_API_KEY",
    "OPENCODE_API_KEY",
    "OPENROUTER_API_KEY",
    "PERPLEXITY_API_KEY",
    "PPLX_API_KEY",
    "TOGETHER_API_KEY",
    "VLLM_API_KEY",
    "XAI_API_KEY",
    "XIAOMI_API_KEY",
    "ZAI_API_KEY",
    "Z_AI_API_KEY",
)
"""Keys by which agents that know many vendors find them, and other addresses of theirs."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

_EVERY_DIALECT = {
    "ANTHROPIC_BASE_URL": URL,
    "ANTHROPIC_AUTH_TOKEN": TOKEN,
    "ANTHROPIC_API_KEY": TOKEN,
    "OPENAI_BASE_URL": f"{URL}/v1",
    "OPENAI_API_BASE": f"{URL}/v1",
    "OPENAI_API_KEY": TOKEN,
    "GOOGLE_GEMINI_BASE_URL": URL,
    "GEMINI_API_KEY": TOKEN,
}

# For models of which nobody says what they hold: small enough for most of today's.
CONTEXT_GUESS, OUTPUT_GUESS = 200_000, 32_000

Listing = Callable[[Sequence[Model], str], object]
"""What an agent wants to be told of models; the second is how hard they shall think, empty when nobody says."""

Telling = Callable[[Prospect, bool], Mapping[str, str]]
"""Variables that tell an agent what awaits its conversation. The second: it will believe to know its models."""


class Spec(Struct, frozen=True, kw_only=True):
    """An agent. `set` wins over what the user has, `default` does not; `models` is set when a model is chosen, and
    `helpers` too, unless the user has them or the agent takes that model for a nickname.

    What the user has in a variable of `merged`, as JSON, stays below ours.

    `{url}`, `{token}`, `{model}`, `{effort}`, `{context}`, `{output}` and `{models}` stand for their values, the last
    as JSON made by `listing`; `{NAME}` for the path of the file that is the settings' NAME. A variable whose value is
    not known is not set.

    `arguments` go before the user's own, `chosen` with them when a model is chosen, unless the user says one of
    `choosing` himself. `effort`, `effort_arguments` and `effort_settings` say how hard it shall think, when that is
    given, in its own words where `efforts` has others. `settings` are variables that name a file, and what stands in it
    while the agent runs; those of `laid_over` stand over what the file holds that it would read instead: the one that
    the variable names, or the first that is there. `suffix` is what the names of these files end in.

    `asks` are the models that its conversation asks for, by the word that the user chose, which is empty where he chose
    none; in each the variable goes first by which he may have another. `knows` are globs of models whose room it knows.
    What it is told of the room that there really is: `telling` in its environment, unless the user has one of these
    variables or of `untold`; `room_arguments` and `room_settings` where there is no variable for it. `assumes` is the
    room that it takes every model for, and `{share}` the part of that at which half of the real one is full. `dialect`
    is what it speaks to us.

    `nicknames` are words that the agent itself turns into the name of a model, so no gateway ever hears them.
    `picks_model`: it has no model of its own to ask for, so one is picked for it. `node` is the version of Node.js that
    it needs, where it runs on one. `keeps_proxies` is false for one that would send even loopback requests to a proxy.
    `note` says what its user has to do besides. `tried` is the newest version that our tests have driven.
    """

    name: str
    title: str = ""
    set: Mapping[str, str]
    merged: frozenset[str] = frozenset()
    default: Mapping[str, str] = {}
    models: Mapping[str, str] = {}
    helpers: Mapping[str, str] = {}
    arguments: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    choosing: tuple[str, ...] = ("--model", "-m")
    effort: Mapping[str, str] = {}
    effort_arguments: tuple[str, ...] = ()
    effort_settings: Mapping[str, str] = {}
    efforts: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}
    laid_over: Mapping[str, tuple[str, ...]] = {}
    suffix: str = ".json"
    listing: Listing | None = None
    dialect: str = "anthropic"
    asks: Mapping[str, tuple[tuple[str, str], ...]] = {}
    knows: tuple[str, ...] = ()
    telling: Telling | None = None
    untold: frozenset[str] = frozenset()
    room_arguments: tuple[str, ...] = ()
    room_settings: Mapping[str, str] = {}
    assumes: int = 0
    nicknames: frozenset[str] = frozenset()
    picks_model: bool = False
    strip: tuple[str, ...] = _CLAUDE_STRIP
    keeps_proxies: bool = True
    places: tuple[str, ...] = ()
    bundled_in: str | None = None
    node: tuple[int, int] | None = None
    install: str | None = None
    note: str | None = None
    tried: str = ""


def _opencode_models(models: Sequence[Model], effort: str) -> object:
    """What opencode wants as `provider.X.models`; where it knows no limits it never compacts."""
    listed: dict[str, dict[str, object]] = {}
    for model in models:
        listed[model.id] = {"name": model.display_name or model.id}
        if context := model.facts.context:
            listed[model.id]["limit"] = {"context": context, "output": model.facts.output or OUTPUT_GUESS}
        if effort:
            listed[model.id]["options"] = {"effort": effort}
    return listed


def _pi_models(models: Sequence[Model], _: str) -> object:
    """What pi wants as the `models` of a provider. Unless one reasons, pi does not bring home what it has signed."""
    free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    return [
        {
            "id": model.id,
            "name": model.display_name or model.id,
            "reasoning": True,
            "input": ["text"] if model.facts.images is False else ["text", "image"],
            "cost": free,
            "contextWindow": model.facts.context or CONTEXT_GUESS,
            "maxTokens": model.facts.output or OUTPUT_GUESS,
        }
        for model in models
    ]


def _litellm_models(models: Sequence[Model], _: str) -> object:
    """What aider's library wants to know of a model that it has not heard of."""
    return {
        f"openai/{model.id}": {
            "litellm_provider": "openai",
            "mode": "chat",
            "max_input_tokens": model.facts.context or CONTEXT_GUESS,
            "max_output_tokens": model.facts.output or OUTPUT_GUESS,
        }
        for model in models
    }


GENERIC = Spec(
    name="",
    set=_EVERY_DIALECT,
    models={"ANTHROPIC_MODEL": MODEL, "OPENAI_MODEL": MODEL, "GEMINI_MODEL": MODEL},
    strip=tuple(name for name in _CLAUDE_STRIP if not name.startswith("AWS_")),
)
"""Any other command: it may be a script that speaks any dialect, or a shell from which one is started."""

# It takes no smaller window than this, but a share of it, of what is left after its own reserve for an answer.
_CLAUDE_LEAST, _CLAUDE_RESERVE = 100_000, 20_000
_CLAUDE_FULL = 0.65
_CLAUDE_ROOM = ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW", "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE")
_OPUS, _SONNET, _HAIKU, _FABLE = (
    (f"ANTHROPIC_DEFAULT_{family.upper()}_MODEL", f"claude-{family}-5-5")
    for family in ("opus", "sonnet", "haiku", "fable")
)


def _claude_telling(prospect: Prospect, believes: bool) -> dict[str, str]:
    """The first variable is for names that it does not know, the second for all, and the last for small models behind
    names that it knows (2.1.197 and 2.1.329, each seen to compact in time).
    """
    told: dict[str, str] = {}
    if prospect.betas:
        # off behind another base URL than Anthropic's, though what is behind it takes them
        told |= {"ENABLE_TOOL_SEARCH": "true", "CLAUDE_CODE_ENABLE_FINE_GRAINED_TOOL_STREAMING": "1"}
    if prospect.room:
        values = (prospect.room, max(prospect.room, _CLAUDE_LEAST))
        told |= dict(zip(_CLAUDE_ROOM, map(str, values), strict=False))
        if believes and prospect.room < _CLAUDE_LEAST:
            share = prospect.room * _CLAUDE_FULL / (_CLAUDE_LEAST - _CLAUDE_RESERVE)
            told[_CLAUDE_ROOM[-1]] = str(max(1, int(share * 100)))
    return told


# Where npm and bun put programs, for a launcher or a shell that does not have them in its path.
_NPM = ("~/.npm-global/bin", "~/.bun/bin", "~/node_modules/.bin")

_CLAUDE = Spec(
    name="claude",
    title="Claude Code",
    tried="2.1.329",
    set={"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": TOKEN},
    default={
        # without it /model does not offer what the gateway routes
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        # tells the gateway whether the main agent, a sub-agent or a compaction is asking
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
    },
    models={"ANTHROPIC_MODEL": MODEL},
    # sub-agents and helpers ask for these by their short names; on one model they shall be on that model
    helpers={
        "ANTHROPIC_DEFAULT_OPUS_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_FABLE_MODEL": MODEL,
    },
    effort={"CLAUDE_CODE_EFFORT_LEVEL": EFFORT},
    # which of the two it asks for where nobody says depends on its login
    asks={
        "": (_OPUS, _SONNET),
        "default": (_OPUS, _SONNET),
        "opusplan": (_OPUS, _SONNET),
        "best": (_OPUS,),
        "opus": (_OPUS,),
        "sonnet": (_SONNET,),
        "haiku": (_HAIKU,),
        "fable": (_FABLE,),
    },
    knows=("claude-opus-*", "claude-sonnet-*", "claude-haiku-*", "claude-fable-*", "claude-[23]*"),
    telling=_claude_telling,
    untold=frozenset({*_CLAUDE_ROOM, "DISABLE_COMPACT", "DISABLE_AUTO_COMPACT"}),
    nicknames=frozenset({"best", "default", "fable", "haiku", "opus", "opusplan", "sonnet"}),
    places=("~/.claude/local", "~/.local/bin", "/usr/local/bin", "/opt/homebrew/bin", *_NPM),
    bundled_in="claude_agent_sdk",
    install="see https://code.claude.com/docs/en/setup, or `pip install claude-agent-sdk`, which brings one",
)

_CODEX = Spec(
    name="codex",
    title="Codex",
    tried="0.169.0",
    set={"STROWGER_LAUNCH_TOKEN": TOKEN},
    # It reads no base URL from its environment. Its own configuration stays as it is.
    arguments=(
        "-c",
        'model_provider="strowger"',
        "-c",
        'model_providers.strowger={name="Strowger",base_url="{url}/v1",env_key="STROWGER_LAUNCH_TOKEN",'
        'wire_api="responses",supports_websockets=true}',
    ),
    chosen=("-c", 'model="{model}"'),
    effort_arguments=("-c", 'model_reasoning_effort="{effort}"'),
    dialect="openai_responses",
    asks={"": (("", "gpt-6.1-sol"),)},  # 0.169, where nobody says so
    # it compacts at nine tenths of it
    room_arguments=("-c", "model_context_window={context}"),
    strip=("OPENAI_API_KEY", "CODEX_API_KEY"),
    places=_NPM,
    install="npm install -g @openai/codex",
)

_GEMINI = Spec(
    name="gemini",
    title="Gemini CLI",
    tried="0.61.0",
    set={"GOOGLE_GEMINI_BASE_URL": URL, "GEMINI_API_KEY": TOKEN},
    models={"GEMINI_MODEL": MODEL},
    # Without it, it takes a base URL of another host for a login that it refuses where it has no terminal. As the
    # system's word it also wins over the user's own, who may have logged in at Google.
    settings={"GEMINI_CLI_SYSTEM_SETTINGS_PATH": '{"security":{"auth":{"selectedType":"gemini-api-key"}}}'},
    laid_over={
        "GEMINI_CLI_SYSTEM_SETTINGS_PATH": (
            "/etc/gemini-cli/settings.json",
            "/Library/Application Support/GeminiCli/settings.json",
            "C:\\ProgramData\\gemini-cli\\settings.json",
        )
    },
    dialect="gemini",
    asks={"": (("GEMINI_MODEL", "gemini-3.1-pro-preview"),)},
    knows=("gemini-*",),
    # it compresses at a share of the room that it believes in (0.61)
    assumes=1_048_576,
    room_settings={"GEMINI_CLI_SYSTEM_SETTINGS_PATH": '{"model":{"compressionThreshold":{share}}}'},
    strip=_GOOGLE_STRIP,
    node=(20, 0),
    places=_NPM,
    install="npm install -g @google/gemini-cli",
)

_OPENCODE = Spec(
    name="opencode",
    title="opencode",
    tried="1.18.33",
    set={
        "STROWGER_LAUNCH_TOKEN": TOKEN,
        # It merges this over the user's own files, and reads no address from its environment. Messages loses least:
        # what vendors sign has a place in it, and its package comes with opencode.
        "OPENCODE_CONFIG_CONTENT": '{"model":"strowger/{model}","small_model":"strowger/{model}",'
        '"enabled_providers":["strowger"],"provider":{"strowger":{"name":"Strowger","npm":"@ai-sdk/anthropic",'
        '"options":{"baseURL":"{url}/v1","apiKey":"{env:STROWGER_LAUNCH_TOKEN}"},"models":{models}}}}',
    },
    merged=frozenset({"OPENCODE_CONFIG_CONTENT"}),
    listing=_opencode_models,
    picks_model=True,
    strip=VENDOR_STRIP,
    places=("~/.opencode/bin", "~/.local/bin", *_NPM),
    install="npm install -g opencode-ai",
)

_AIDER = Spec(
    name="aider",
    title="aider",
    tried="0.86.2",
    # With AIDER_ in front they also win over what .env files and .aider.conf.yml say.
    set={
        "OPENAI_API_BASE": f"{URL}/v1",
        "OPENAI_API_KEY": TOKEN,
        "AIDER_OPENAI_API_BASE": f"{URL}/v1",
        "AIDER_OPENAI_API_KEY": TOKEN,
    },
    models={
        "AIDER_MODEL": f"openai/{MODEL}",
        "AIDER_WEAK_MODEL": f"openai/{MODEL}",
        "AIDER_EDITOR_MODEL": f"openai/{MODEL}",
    },
    # It asks whether its own table knows the model, and that table is about models and not about us.
    effort={"AIDER_REASONING_EFFORT": EFFORT, "AIDER_CHECK_MODEL_ACCEPTS_SETTINGS": "false"},
    settings={"AIDER_MODEL_METADATA_FILE": MODELS},
    listing=_litellm_models,
    dialect="openai_chat",
    picks_model=True,
    strip=VENDOR_STRIP,
    places=("~/.local/bin",),
    install="pipx install aider-chat, or `python -m pip install aider-install && aider-install`",
)

_KIMI = Spec(
    name="kimi",
    title="kimi-code",
    tried="2.1.0",
    set={"KIMI_MODEL_PROVIDER_TYPE": "anthropic", "KIMI_MODEL_BASE_URL": URL, "KIMI_MODEL_API_KEY": TOKEN},
    models={
        "KIMI_MODEL_NAME": MODEL,
        # it takes every model for one of its own size
        "KIMI_MODEL_MAX_CONTEXT_SIZE": CONTEXT,
        "KIMI_MODEL_MAX_OUTPUT_SIZE": OUTPUT,
        "KIMI_MODEL_MAX_COMPLETION_TOKENS": OUTPUT,
    },
    effort={"KIMI_MODEL_THINKING_EFFORT": EFFORT},
    picks_model=True,
    strip=(*VENDOR_STRIP, "KIMI_CODE_BASE_URL"),
    places=("~/.local/bin", "~/.kimi-code/bin", *_NPM),
    node=(22, 19),
    install="npm install -g @moonshot-ai/kimi-code",
)

_QWEN = Spec(
    name="qwen",
    title="qwen-code",
    tried="0.15.10",
    set={"OPENAI_BASE_URL": f"{URL}/v1", "OPENAI_API_KEY": TOKEN},
    # Arguments win over its .env files and settings. Not Messages: it strips blanks from the end of thinking, after
    # which Anthropic refuses its signature.
    arguments=("--auth-type", "openai", "--openai-base-url", f"{URL}/v1"),
    models={"OPENAI_MODEL": MODEL},
    chosen=("--model", MODEL),
    effort_settings={
        "QWEN_CODE_SYSTEM_SETTINGS_PATH": '{"model":{"generationConfig":{"reasoning":{"effort":"{effort}"}}}}'
    },
    dialect="openai_chat",
    room_settings={"QWEN_CODE_SYSTEM_SETTINGS_PATH": '{"model":{"generationConfig":{"contextWindowSize":{context}}}}'},
    laid_over={
        "QWEN_CODE_SYSTEM_SETTINGS_PATH": (
            "/etc/qwen-code/settings.json",
            "/Library/Application Support/QwenCode/settings.json",
            "C:\\ProgramData\\qwen-code\\settings.json",
        )
    },
    picks_model=True,
    strip=VENDOR_STRIP,
    keeps_proxies=False,
    node=(20, 0),
    places=_NPM,
    install="npm install -g @qwen-code/qwen-code (from 0.16 on it needs Node.js 22)",
)

_PI = Spec(
    name="pi",
    title="pi",
    tried="0.73.1",
    set={"STROWGER_LAUNCH_TOKEN": TOKEN},
    # An extension for this run adds a provider; another configuration folder would lose the user's settings, sessions
    # and extensions. What vendors sign has a place in Messages.
    settings={
        "STROWGER_PI_EXTENSION": 'export default (pi) => pi.registerProvider("strowger", {name: "Strowger", '
        'baseUrl: "{url}", apiKey: "STROWGER_LAUNCH_TOKEN", api: "anthropic-messages", models: {models}});\n'
    },
    suffix=".js",
    listing=_pi_models,
    arguments=("--extension", "{STROWGER_PI_EXTENSION}", "--provider", "strowger"),
    chosen=("--model", MODEL),
    choosing=("--model", "--models"),
    effort_arguments=("--thinking", EFFORT),
    efforts={"none": "off", "max": "xhigh"},
    picks_model=True,
    strip=VENDOR_STRIP,
    node=(20, 6),
    places=_NPM,
    install="npm install -g @mariozechner/pi-coding-agent",
)

AGENTS: Mapping[str, Spec] = {
    spec.name: spec for spec in (_CLAUDE, _CODEX, _GEMINI, _OPENCODE, _AIDER, _KIMI, _QWEN, _PI)
}
"""By the name of the program."""
