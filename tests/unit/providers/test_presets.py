"""The packaged providers are usable data, and say what recordings and documentation say."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from strowger.config import checks, load
from strowger.config.checks import CHOICES, DEMO_URL, is_loopback, split_url
from strowger.config.schema import Config, ProviderConfig
from strowger.config.validate import convert
from strowger.dialects.base import Capabilities
from strowger.providers import PRESETS, build_provider

ALL = sorted(PRESETS)
# What the issue promises, by the names that users write.
PROMISED = {
    "anthropic", "openai", "openrouter", "deepseek", "deepseek-anthropic", "moonshot", "zai", "groq", "mistral", "xai",
    "openai-responses", "openrouter-responses", "xai-responses", "ollama-responses", "lmstudio-responses",
    "vllm-responses", "google", "google-openai", "perplexity",
    "together", "fireworks", "cerebras", "ollama", "lmstudio", "vllm", "llamacpp", "demo",
}  # fmt: skip


def capabilities(preset: str, model: str) -> Capabilities:
    chosen = PRESETS[preset]
    config = ProviderConfig(preset=preset, dialect=chosen.dialect, base_url=chosen.base_url)
    return build_provider(preset, config, env={}).capabilities(model)


def test_all_are_there() -> None:
    """Nobody's provider is missing."""
    assert set(PRESETS) >= PROMISED


@pytest.mark.parametrize("name", ALL)
def test_one_line_is_enough(name: str) -> None:
    """`[providers.NAME]` alone is a right configuration, but for what only the user of a cloud can know."""
    address = PRESETS[name].base_url
    missing = {gap: f"my-{gap}" for gap in ("region", "project", "resource") if f"{{{gap}}}" in address}
    loaded = load(None, env={"HOME": "/nowhere"}, presets=PRESETS, flags={f"providers.{name}": missing})
    assert loaded.config.providers[name].base_url == address.format(**missing)


@pytest.mark.parametrize("name", ALL)
def test_capabilities_exist(name: str) -> None:
    """Every capability a preset speaks of exists, has the right type and a value that the dialects know."""
    preset = PRESETS[name]
    for overrides in (preset.capabilities, *(rule for _, rule in preset.model_capabilities)):
        _, problems = convert(Capabilities, overrides)
        assert not problems
        assert all(overrides[key] in CHOICES[key] for key in CHOICES.keys() & overrides.keys())


@pytest.mark.parametrize("name", ALL)
def test_thinking_words_fit_the_dialect(name: str) -> None:
    """How thinking is asked for is said in the words of the preset's own dialect."""
    words = {
        "anthropic": {"adaptive", "budget", "none"},
        "openai_chat": {"effort", "thinking", "thinking_effort", "reasoning", "none"},
        "openai_responses": {"effort", "none"},
        "gemini": {"level", "budget", "none"},
    }
    replay = {
        "anthropic": {"", "signed", "any"},
        "openai_chat": {"", "reasoning_content", "reasoning", "reasoning_details"},
        "openai_responses": {""},
        "gemini": {""},
    }
    preset = PRESETS[name]
    for overrides in (preset.capabilities, *({**preset.capabilities, **rule} for _, rule in preset.model_capabilities)):
        assert overrides.get("thinking", "none") in words[preset.dialect]
        assert overrides.get("thinking_replay", "") in replay[preset.dialect]


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"demo"}))
def test_addresses(name: str) -> None:
    """Services elsewhere are reached by https and need a key; those on one's own machine need none."""
    preset = PRESETS[name]
    address = preset.base_url.format(region="r", project="p", resource="r")
    parts = split_url(address)
    assert parts is not None
    is_local = is_loopback(parts.hostname or "")
    assert parts.scheme == ("http" if is_local else "https")
    assert preset.key_required is not is_local
    assert bool(preset.key_env or preset.auth) or is_local
    provider = ProviderConfig(preset=name, dialect=preset.dialect, base_url=address)
    assert not list(checks.errors(Config(providers={name: provider}), PRESETS))


def test_only_anthropic_keeps_anthropics_attribution() -> None:
    """Claude Code's attribution block is for Anthropic; its signatures are also for clouds that have its models."""
    for name, preset in PRESETS.items():
        assert bool(preset.capabilities.get("attribution")) is (name == "anthropic")
        hosts = name in {"anthropic", "bedrock", "vertex-anthropic"}
        assert (preset.capabilities["origin"] == "anthropic") is hosts


def test_demo_waits_for_its_port() -> None:
    """The demo provider has no address until it runs, and is never inferred."""
    assert PRESETS["demo"].base_url == DEMO_URL
    assert not PRESETS["demo"].infer


def test_one_inference_per_key() -> None:
    """A key variable brings one provider, not one for each dialect of the vendor."""
    inferred = [preset.key_env[0] for preset in PRESETS.values() if preset.infer and preset.key_env]
    assert len(inferred) == len(set(inferred))


def test_quirks_from_recordings() -> None:
    """Facts that recordings or documentation prove, one for each vendor that has one."""
    assert not capabilities("deepseek", "deepseek-v4-flash").images
    assert capabilities("deepseek", "deepseek-v4-pro").thinking_required_in_tool_loops
    assert not capabilities("mistral", "mistral-large-latest").stream_usage
    assert capabilities("mistral", "mistral-small-latest").efforts == ("none", "high")
    assert capabilities("groq", "openai/gpt-oss-120b").efforts == ("low", "medium", "high")
    assert capabilities("xai", "grok-4.3").efforts == ("none", "low", "medium", "high")
    assert capabilities("xai", "grok-4.20-0309-reasoning").efforts == ()
    assert capabilities("openrouter", "x/y").thinking_replay == "reasoning_details"
    assert capabilities("moonshot", "kimi-k2-0905-preview").thinking == "none"
    assert capabilities("zai", "glm-4.6v").images
    assert not capabilities("zai", "glm-4.7").images
    assert not capabilities("ollama", "qwen3").tool_choice
    assert capabilities("llamacpp-anthropic", "any").count_tokens
    assert capabilities("google-openai", "gemini-3.5-flash").origin == "google"
    assert not capabilities("openrouter-responses", "openai/gpt-5.5").stateful
    assert capabilities("perplexity", "perplexity/sonar").web_fetch == "fetch_url"


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.also])
def test_dialects_of_one_host(name: str) -> None:
    """The presets that a provider brings along differ from it in their dialect, not in their host, which gets the key,
    and not in whose signatures they take.
    """
    preset = PRESETS[name]
    others = [PRESETS[other] for other in preset.also]
    assert {urlsplit(other.base_url or "").netloc for other in others} == {urlsplit(preset.base_url or "").netloc}
    assert len({preset.dialect, *(other.dialect for other in others)}) == 1 + len(others)
    assert all(other.key_env == preset.key_env for other in others)
    assert {other.capabilities["origin"] for other in others} == {preset.capabilities["origin"]}
    assert not any(other.infer for other in others if other.key_env)
    assert preset.foreign in {"", *preset.also}
