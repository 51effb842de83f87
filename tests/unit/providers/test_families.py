"""What each generation of a vendor's models accepts, as the presets put it together."""

from __future__ import annotations

import pytest

from strowger.config.schema import ProviderConfig
from strowger.dialects.base import Capabilities
from strowger.providers import PRESETS, build_provider
from strowger.routing.facts import known


def capabilities(preset: str, model: str) -> Capabilities:
    chosen = PRESETS[preset]
    config = ProviderConfig(preset=preset, dialect=chosen.dialect, base_url=chosen.base_url)
    return build_provider(preset, config, env={}).capabilities(model)


@pytest.mark.parametrize(
    "model, thinking, efforts, sampling",
    [
        ("claude-3-haiku-20240307", "none", (), True),
        ("claude-3-5-haiku-20241022", "none", (), True),
        ("claude-3-7-sonnet-20250219", "budget", (), True),
        ("claude-sonnet-4-20250514", "budget", (), True),
        ("claude-opus-4-1-20250805", "budget", (), True),
        ("claude-haiku-4-5-20251001", "budget", (), True),
        # "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."
        ("claude-opus-4-6", "adaptive", ("low", "medium", "high", "max"), True),
        ("claude-opus-4-7", "adaptive", ("low", "medium", "high", "xhigh", "max"), False),
        ("claude-opus-5-5", "adaptive", ("low", "medium", "high", "xhigh", "max"), False),
        ("claude-fable-5", "adaptive", ("low", "medium", "high", "xhigh", "max"), False),
    ],
)
def test_claude_generations(model: str, thinking: str, efforts: tuple[str, ...], sampling: bool) -> None:
    """Each generation of Claude is asked to think in its own way; an unknown one is taken for new."""
    found = capabilities("anthropic", model)
    assert (found.thinking, found.efforts, found.sampling) == (thinking, efforts, sampling)


@pytest.mark.parametrize(
    "model, limit",
    [
        ("claude-3-7-sonnet-20250219", 64_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-haiku-4-5-20251001", 64_000),
        ("claude-opus-4-5-20251101", 64_000),
        ("claude-opus-4-6", 0),
        ("claude-sonnet-4-6", 0),
        ("claude-opus-4-8", 0),
        ("claude-sonnet-5", 0),
        ("claude-sonnet-5-5", 0),
        ("claude-opus-5-5-20261001", 0),
        ("claude-opus-6", 0),
    ],
)
def test_output_of_claude(model: str, limit: int) -> None:
    """What Claude Code asks of the newest is more than others take; nothing is known of what is to come.

    Where there is a limit, clients are told of the same one.
    """
    assert capabilities("anthropic", model).max_output_tokens == limit
    assert known(model).output == (limit or (0 if model == "claude-opus-6" else 128_000))


@pytest.mark.parametrize(
    "preset, model, limit",
    [
        ("bedrock", "us.anthropic.claude-sonnet-4-6", 64_000),
        ("bedrock", "anthropic.claude-opus-4-6-v1", 0),
        ("vertex-anthropic", "claude-sonnet-4-6@default", 64_000),
        ("vertex-anthropic", "claude-sonnet-5", 0),
    ],
)
def test_output_of_claude_at_clouds(preset: str, model: str, limit: int) -> None:
    """As at Anthropic, but for one model."""
    assert capabilities(preset, model).max_output_tokens == limit


@pytest.mark.parametrize(
    "model, efforts, sampling, stops",
    [
        ("gpt-4o-mini", (), True, 4),
        ("gpt-4.1", (), True, 4),
        ("o3-mini", ("low", "medium", "high"), False, 0),
        ("gpt-5-nano", ("minimal", "low", "medium", "high"), False, 0),
        ("gpt-5.1", ("none", "low", "medium", "high"), False, 0),
        ("gpt-5.6-sol", ("none", "low", "medium", "high", "xhigh"), False, 0),
        ("gpt-5-chat-latest", (), True, 0),
    ],
)
def test_openai_generations(model: str, efforts: tuple[str, ...], sampling: bool, stops: int) -> None:
    """Reasoning models refuse sampling and stop sequences, and each knows its own efforts."""
    found = capabilities("openai", model)
    assert (found.efforts, found.sampling, found.max_stop_sequences) == (efforts, sampling, stops)
    assert found.max_tokens_field == "max_completion_tokens"


@pytest.mark.parametrize(
    "model, thinking, efforts, signatures, together",
    [
        ("gemini-3.5-flash", "level", ("minimal", "low", "medium", "high"), True, True),
        ("gemini-3-pro-preview", "level", ("low", "high"), True, True),
        ("gemini-3.1-pro-preview", "level", ("low", "medium", "high"), True, True),
        ("gemini-flash-latest", "level", ("minimal", "low", "medium", "high"), True, True),
        ("gemini-2.5-flash", "budget", (), False, False),
        ("gemini-2.5-pro", "budget", ("minimal", "low", "medium", "high"), False, False),
        ("gemini-2.0-flash-001", "none", (), False, False),
        ("gemma-3-27b-it", "none", (), False, False),
    ],
)
def test_gemini_generations(
    model: str, thinking: str, efforts: tuple[str, ...], signatures: bool, together: bool
) -> None:
    """From 3 on thinking has levels, calls are signed, and Google's own tools may stand beside functions."""
    found = capabilities("google", model)
    assert (found.thinking, found.efforts) == (thinking, efforts)
    assert (found.thought_signatures, found.tool_result_images) == (signatures, signatures)
    assert (found.search_with_tools, found.structured_with_tools) == (together, together)


@pytest.mark.parametrize(
    "preset, model, search, fetch, code",
    [
        ("anthropic", "claude-opus-5-5", "web_search_20250305", "web_fetch_20250910", "code_execution_20250825"),
        ("anthropic", "claude-3-5-haiku-20241022", "web_search_20250305", "web_fetch_20250910", ""),
        ("anthropic", "claude-3-haiku-20240307", "", "", ""),
        ("openai-responses", "gpt-5.5", "web_search", "", "code_interpreter"),
        ("openai-responses", "gpt-4.1-nano", "", "", "code_interpreter"),
        ("openai", "gpt-5.5", "", "", ""),
        ("openai", "gpt-4o-search-preview", "web_search_options", "", ""),
        ("openrouter", "x/y", "openrouter:web_search", "", ""),
        ("google", "gemini-3.5-flash", "googleSearch", "urlContext", "codeExecution"),
        ("google", "gemini-2.0-flash", "googleSearch", "", "codeExecution"),
        ("google", "gemma-3-27b-it", "", "", ""),
        ("deepseek", "deepseek-v4-pro", "", "", ""),
    ],
)
def test_tools_that_run_at_the_provider(preset: str, model: str, search: str, fetch: str, code: str) -> None:
    """Each in the word of the provider's own dialect; none where it is not documented."""
    found = capabilities(preset, model)
    assert (found.web_search, found.web_fetch, found.code_execution) == (search, fetch, code)


def test_models_that_only_search() -> None:
    """OpenAI's search models call no functions."""
    found = capabilities("openai", "gpt-4o-mini-search-preview")
    assert (found.tools, found.sampling) == (False, False)
