"""What each client needs to speak to the gateway: variables to set, to default and to take away, and where it is.

Data, and the few functions that apply it to an environment. Secrets travel in the environment only, never in
arguments, which every user of the machine can read. Must not know how a gateway is found or started.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from strowger.routing.aliases import plain

_GATEWAY = "{url}"
_TOKEN = "{token}"
_MODEL = "{model}"
_EFFORT = "{effort}"

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
_CLAUDE_MODELS = {
    "ANTHROPIC_MODEL": _MODEL,
    # sub-agents and helpers ask for these by their short names; on one model they shall be on that model
    "ANTHROPIC_DEFAULT_OPUS_MODEL": _MODEL,
    "ANTHROPIC_DEFAULT_SONNET_MODEL": _MODEL,
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": _MODEL,
    "ANTHROPIC_DEFAULT_FABLE_MODEL": _MODEL,
}
_CLAUDE_PLACES = ("~/.claude/local", "~/.local/bin", "/usr/local/bin", "/opt/homebrew/bin")

_EVERY_DIALECT = {
    "ANTHROPIC_BASE_URL": _GATEWAY,
    "ANTHROPIC_AUTH_TOKEN": _TOKEN,
    "ANTHROPIC_API_KEY": _TOKEN,
    "OPENAI_BASE_URL": f"{_GATEWAY}/v1",
    "OPENAI_API_BASE": f"{_GATEWAY}/v1",
    "OPENAI_API_KEY": _TOKEN,
    "GOOGLE_GEMINI_BASE_URL": _GATEWAY,
    "GEMINI_API_KEY": _TOKEN,
}


class Spec(Struct, frozen=True, kw_only=True):
    """A client. `set` wins over what the user has, `default` does not; `models` is set when a model is chosen.

    `{url}`, `{token}`, `{model}` and `{effort}` stand for their values. `arguments` go before the user's own, `chosen`
    with them when a model is chosen; `effort` and `effort_arguments` say how hard it shall think, when that is given.
    `settings` are variables that name a file, and what stands in it while the client runs. `nicknames` are words that
    the client itself turns into the name of a model, so no gateway ever hears them. `note` says what its user has to
    do besides.
    """

    name: str
    set: Mapping[str, str]
    default: Mapping[str, str] = {}
    models: Mapping[str, str] = {}
    arguments: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    effort: Mapping[str, str] = {}
    effort_arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}
    nicknames: frozenset[str] = frozenset()
    strip: tuple[str, ...] = _CLAUDE_STRIP
    places: tuple[str, ...] = ()
    bundled_in: str | None = None
    install: str | None = None
    note: str | None = None


GENERIC = Spec(
    name="",
    set=_EVERY_DIALECT,
    models={"ANTHROPIC_MODEL": _MODEL, "OPENAI_MODEL": _MODEL, "GEMINI_MODEL": _MODEL},
    strip=tuple(name for name in _CLAUDE_STRIP if not name.startswith("AWS_")),
)
"""Any other command: it may be a script that speaks any dialect, or a shell from which one is started."""

CLIENTS = {
    spec.name: spec
    for spec in (
        Spec(
            name="claude",
            set={"ANTHROPIC_BASE_URL": _GATEWAY, "ANTHROPIC_AUTH_TOKEN": _TOKEN},
            default={
                # without it /model does not offer what the gateway routes
                "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
                # tells the gateway whether the main agent, a sub-agent or a compaction is asking
                "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
            },
            models=_CLAUDE_MODELS,
            effort={"CLAUDE_CODE_EFFORT_LEVEL": _EFFORT},
            nicknames=frozenset({"best", "default", "fable", "haiku", "opus", "opusplan", "sonnet"}),
            places=_CLAUDE_PLACES,
            bundled_in="claude_agent_sdk",
            install="see https://code.claude.com/docs/en/setup, or `pip install claude-agent-sdk`, which brings one",
        ),
        Spec(
            name="aider",
            set={**_EVERY_DIALECT, "ANTHROPIC_API_BASE": _GATEWAY},
            note="aider takes the model from `--model openai/NAME` or `--model anthropic/NAME`",
        ),
        Spec(
            name="opencode",
            set=_EVERY_DIALECT,
            note="opencode reads base URLs from its own configuration only: give a provider of the package "
            '@ai-sdk/openai-compatible the options {"baseURL": "{env:OPENAI_BASE_URL}", '
            '"apiKey": "{env:OPENAI_API_KEY}"}',
        ),
        Spec(
            name="codex",
            set={"STROWGER_LAUNCH_TOKEN": _TOKEN},
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
            strip=("OPENAI_API_KEY", "CODEX_API_KEY"),
            install="npm install -g @openai/codex",
        ),
        Spec(
            name="gemini",
            set={"GOOGLE_GEMINI_BASE_URL": _GATEWAY, "GEMINI_API_KEY": _TOKEN},
            models={"GEMINI_MODEL": _MODEL},
            # Without it, it takes a base URL of another host for a login that it refuses where it has no terminal.
            settings={"GEMINI_CLI_SYSTEM_DEFAULTS_PATH": '{"security":{"auth":{"selectedType":"gemini-api-key"}}}'},
            strip=(
                "GOOGLE_API_KEY",
                "GOOGLE_GENAI_USE_VERTEXAI",
                "GOOGLE_GENAI_USE_GCA",
                "GOOGLE_CLOUD_ACCESS_TOKEN",
                "GOOGLE_VERTEX_BASE_URL",
                "CODE_ASSIST_ENDPOINT",
                "GEMINI_CLI_CUSTOM_HEADERS",
            ),
            install="npm install -g @google/gemini-cli",
        ),
    )
}


def spec_for(command: str) -> Spec:
    """What is known of a command, by the name of its file."""
    name = Path(command).name
    return CLIENTS.get(name.removesuffix(".exe").removesuffix(".cmd"), GENERIC)


def environment(
    spec: Spec, env: Mapping[str, str], *, url: str, token: str, model: str | None = None, effort: str | None = None
) -> dict[str, str]:
    """The child's environment: the user's own, without ways around the gateway, with the way to it."""
    made = {name: value for name, value in env.items() if name.upper() not in spec.strip}
    values = {_GATEWAY: url, _TOKEN: token, _MODEL: model or "", _EFFORT: effort or ""}
    wanted = {**spec.set, **(spec.effort if effort else {})}
    if model:
        # The user chose it for this run: that is more than what the shell's profile says about the main model.
        own = routed(spec, model) is None
        wanted |= {
            name: value for name, value in spec.models.items() if _is_main(name) or (name not in made and not own)
        }
    wanted |= {name: value for name, value in spec.default.items() if name not in made}
    for name, value in wanted.items():
        made[name] = _filled(value, values)
    _keep_own_headers(made)
    _bypass_proxies(made)
    return made


def arguments(spec: Spec, *, url: str, model: str | None = None, effort: str | None = None) -> tuple[str, ...]:
    """What goes before the user's own arguments. Nothing secret: everyone on the machine can read them."""
    values = {_GATEWAY: url, _MODEL: model or "", _EFFORT: effort or ""}
    words = (*spec.arguments, *(spec.chosen if model else ()), *(spec.effort_arguments if effort else ()))
    return tuple(_filled(word, values) for word in words)


def routed(spec: Spec, model: str | None) -> str | None:
    """The model that the gateway will be asked for, as far as that is known: not for a client's own nicknames."""
    return None if model is None or plain(model) in spec.nicknames else model


def find(command: str, spec: Spec, env: Mapping[str, str]) -> str | None:
    """The file to run for a command, or None when there is none: on the path, then where its installers put it."""
    if found := shutil.which(command, path=env.get("PATH")):
        return found
    if os.sep in command:
        return None
    candidates = (Path(_at_home(place, env)) / spec.name for place in spec.places)
    return next((str(path) for path in (*candidates, *_bundled(spec)) if _is_program(path)), None)


def overridden_by_settings(env: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """Settings files of Claude Code whose `env` takes precedence over what we set, with the variables' names."""
    own = Path(env.get("CLAUDE_CONFIG_DIR") or _at_home("~/.claude", env))
    files = (own / "settings.json", folder / ".claude/settings.json", folder / ".claude/settings.local.json")
    ours = {*CLIENTS["claude"].set, *CLIENTS["claude"].strip}
    found: dict[str, list[str]] = {}
    for path in files:
        try:
            settings = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        variables = settings.get("env") if isinstance(settings, dict) else None
        if isinstance(variables, dict) and (names := sorted(ours & variables.keys())):
            found[str(path)] = names
    return found


def _filled(value: str, values: Mapping[str, str]) -> str:
    for placeholder, actual in values.items():
        value = value.replace(placeholder, actual)
    return value


def _is_main(name: str) -> bool:
    return name in {"ANTHROPIC_MODEL", "OPENAI_MODEL", "GEMINI_MODEL"}


def _keep_own_headers(env: dict[str, str]) -> None:
    """ANTHROPIC_CUSTOM_HEADERS holds `Name: value` lines; those that authorise would overrule the launch token."""
    lines = env.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines()
    kept = [line for line in lines if line.partition(":")[0].strip().lower() not in _CREDENTIAL_HEADERS]
    if kept != lines:
        env["ANTHROPIC_CUSTOM_HEADERS"] = "\n".join(kept)


_CREDENTIAL_HEADERS = {"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie", "x-strowger-token"}


def _bypass_proxies(env: dict[str, str]) -> None:
    """Keep the way to the gateway free of proxies: clients send even loopback requests to one if it is set."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in env.get(name, "").split(",") if host.strip()]
        env[name] = ",".join([*hosts, *(host for host in ("127.0.0.1", "localhost") if host not in hosts)])


def _bundled(spec: Spec) -> Iterator[Path]:
    """The program inside a Python package, which is looked up without importing it."""
    if spec.bundled_in is None:
        return
    try:
        package = importlib.util.find_spec(spec.bundled_in)
    except (ImportError, ValueError):
        return
    for location in package.submodule_search_locations or () if package else ():
        yield Path(location) / "_bundled" / spec.name


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _at_home(place: str, env: Mapping[str, str]) -> str:
    return place.replace("~", env.get("HOME") or str(Path.home()), 1) if place.startswith("~") else place
