"""The clients that speak more than one dialect: what each wants in its home and environment for a dialect, and how to
run it. Data in, a finished run out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e import clients
from tests.e2e.clients import NODE_22, Ran, run
from tests.e2e.exchange import TOKEN, clean_env

CHAT, MESSAGES, RESPONSES, GEMINI = "Chat", "Anthropic", "Responses", "Gemini"

# Of each client, its own word for a dialect, and what it wants behind the gateway's address.
PI = {
    CHAT: ("openai-completions", "/v1"),
    MESSAGES: ("anthropic-messages", ""),
    RESPONSES: ("openai-responses", "/v1"),
    GEMINI: ("google-generative-ai", "/v1beta"),
}
OPENCODE = {
    CHAT: ("@ai-sdk/openai-compatible", "/v1"),
    MESSAGES: ("@ai-sdk/anthropic", "/v1"),
    RESPONSES: ("@ai-sdk/openai", "/v1"),
    GEMINI: ("@ai-sdk/google", "/v1beta"),
}
KIMI = {
    CHAT: ("kimi", "/v1"),
    MESSAGES: ("anthropic", ""),
    RESPONSES: ("openai_responses", "/v1"),
    GEMINI: ("google-genai", ""),
}
QWEN = {CHAT: ("openai", "/v1"), MESSAGES: ("anthropic", ""), GEMINI: ("gemini", "")}
AIDER = {CHAT: "openai", MESSAGES: "anthropic", GEMINI: "gemini"}


def pi(program: str, home: Path, base_url: str, dialect: str, model: str, prompt: str) -> Ran:
    """pi; its provider stands in a file."""
    api, suffix = PI[dialect]
    folder = home / ".pi" / "agent"
    folder.mkdir(parents=True)
    # Unless it knows that a model reasons it does not bring home what has to come home.
    provider = {"baseUrl": base_url + suffix, "apiKey": TOKEN, "api": api, "models": [{"id": model, "reasoning": True}]}
    (folder / "models.json").write_text(json.dumps({"providers": {"e2e": provider}}))
    return run([program, "--provider", "e2e", "--model", model, "-p", prompt], home, {})


def opencode(program: str, home: Path, base_url: str, dialect: str, model: str, prompt: str) -> Ran:
    """opencode; its provider stands in a file. Each session asks for a title first, on the same model."""
    package, suffix = OPENCODE[dialect]
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    options = {"baseURL": base_url + suffix, "apiKey": TOKEN}
    provider = {"npm": package, "options": options, "models": {model: {}}}
    config = {"provider": {"e2e": provider}, "autoupdate": False, "share": "disabled"}
    (folder / "opencode.json").write_text(json.dumps(config))
    return run([program, "run", "--format", "json", "-m", f"e2e/{model}", prompt], home, {})


def kimi(program: str, home: Path, base_url: str, dialect: str, model: str, prompt: str) -> Ran:
    """kimi-code, on its own Node."""
    kind, suffix = KIMI[dialect]
    if dialect == CHAT and not model.startswith("kimi:"):
        kind = "openai"  # what is called `kimi` sends members that only Kimi takes
    env = {"PATH": f"{NODE_22}:{clean_env(home)['PATH']}", "KIMI_MODEL_NAME": model, "KIMI_MODEL_API_KEY": TOKEN}
    env |= {"KIMI_MODEL_PROVIDER_TYPE": kind, "KIMI_MODEL_BASE_URL": base_url + suffix}
    # It takes every model for one of its own size.
    env |= {"KIMI_MODEL_MAX_OUTPUT_SIZE": "32000", "KIMI_MODEL_MAX_COMPLETION_TOKENS": "32000"}
    return run([program, "-p", prompt, "--output-format", "stream-json"], home, env)


def qwen(program: str, home: Path, base_url: str, dialect: str, model: str, prompt: str) -> Ran:
    """qwen-code."""
    kind, suffix = QWEN[dialect]
    address = "GOOGLE_GEMINI_BASE_URL" if dialect == GEMINI else f"{kind.upper()}_BASE_URL"
    env = {f"{kind.upper()}_API_KEY": TOKEN, f"{kind.upper()}_MODEL": model, address: base_url + suffix}
    # It sends everything to a proxy, whatever NO_PROXY says: so there is none, and nothing to call home about.
    env |= {"HTTP_PROXY": "", "HTTPS_PROXY": ""}
    folder = home / ".qwen"
    folder.mkdir()
    private = {"privacy": {"usageStatisticsEnabled": False}, "general": {"disableAutoUpdate": True}}
    (folder / "settings.json").write_text(json.dumps(private))
    return run([program, "--auth-type", kind, "-m", model, "-p", prompt, "--yolo"], home, env)


def aider(program: str, home: Path, base_url: str, dialect: str, model: str, prompt: str) -> Ran:
    """aider, which has no tools: it reads the answer as the edit of a file."""
    env = {"OPENAI_API_BASE": f"{base_url}/v1", "ANTHROPIC_API_BASE": base_url, "GEMINI_API_BASE": base_url}
    env |= dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), TOKEN)
    options = "--no-git --yes-always --no-check-update --no-show-model-warnings --no-analytics --no-pretty"
    options += " --edit-format whole --map-tokens 0"
    command = [program, "--model", f"{AIDER[dialect]}/{model}", *options.split(), "--message", prompt]
    return run(command, home, env)


Runs = Callable[[str, Path, str, str, str, str], Ran]
FOUND: dict[str, tuple[Callable[[], str | None], Runs]] = {
    "pi": (clients.pi, pi),
    "opencode": (clients.opencode, opencode),
    "kimi": (clients.kimi, kimi),
    "qwen": (clients.qwen, qwen),
    "aider": (clients.aider, aider),
}
"""Where each client is, and how it is run."""
