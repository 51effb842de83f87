"""Names that say where they go."""

from __future__ import annotations

import pytest

from strowger.routing.aliases import Named, discovery_id, is_discoverable, plain, resolve, wishes

PROVIDERS = ("openrouter", "openrouter-anthropic", "ollama", "kimi")
ALIASES = {"fast": "ollama:llama3:8b", "claude-best": "kimi:k3"}


@pytest.mark.parametrize(
    "model, name",
    [
        ("claude-opus-5[1m]", "claude-opus-5"),
        ("gpt-5[1M]", "gpt-5"),
        ("x[200k]", "x"),
        (" x ", "x"),
        ("a[1m]b", "a[1m]b"),
    ],
)
def test_window_suffix(model: str, name: str) -> None:
    """Claude Code's suffix for the window is for Claude Code; no provider knows it."""
    assert plain(model) == name


@pytest.mark.parametrize(
    "model, expected",
    [
        ("gpt-5.5", ("gpt-5.5", "", False)),
        ("gpt-5.5:high", ("gpt-5.5", "high", False)),
        ("gpt-5.5-fast", ("gpt-5.5", "", True)),
        ("gpt-5.5-fast:max", ("gpt-5.5", "max", True)),
        ("llama3:8b", ("llama3:8b", "", False)),
        ("llama3:8b:low", ("llama3:8b", "low", False)),
        (":high", (":high", "", False)),
        ("-fast", ("-fast", "", False)),
    ],
)
def test_wishes(model: str, expected: tuple[str, str, bool]) -> None:
    """Endings ask for an effort or for haste; what is no such word is part of the name."""
    assert wishes(model, ("low", "high", "max"), fast=True) == expected


@pytest.mark.parametrize("model", ["grok-4-fast", "gpt-5.5-fast:high", "x:high"])
def test_endings_that_mean_nothing(model: str) -> None:
    """Where there is no such thing, they are part of the name."""
    assert wishes(model, (), fast=False) == (model, "", False)


@pytest.mark.parametrize(
    "model, expected",
    [
        ("ollama:llama3:8b", ("ollama", "llama3:8b")),
        ("openrouter/anthropic/claude-opus-5", ("openrouter", "anthropic/claude-opus-5")),
        ("openrouter:meta/llama", ("openrouter", "meta/llama")),
        ("fast", ("ollama", "llama3:8b")),
        ("claude-fast", ("ollama", "llama3:8b")),
        ("claude-best", ("kimi", "k3")),
        ("claude-openrouter-x/y", ("openrouter", "x/y")),
        ("claude-openrouter-anthropic-x/y", ("openrouter-anthropic", "x/y")),
        ("claude-ollama-llama3:8b", ("ollama", "llama3:8b")),
        ("claude-opus-4-8", None),
        ("claude-kimi-", None),
        ("kimi:", None),
        ("kimi", None),
        ("meta/llama", None),
        ("llama3:8b", None),
    ],
)
def test_resolve(model: str, expected: tuple[str, str] | None) -> None:
    """Pins, aliases and discovery ids lead to a provider and a model; other names say nothing."""
    named = resolve(model, PROVIDERS, ALIASES)
    assert (named and (named.provider, named.model)) == expected


def test_rules_have_names() -> None:
    """Logs say by which rule a name was followed."""
    assert resolve("fast", PROVIDERS, ALIASES) == Named("ollama", "llama3:8b", "alias fast")
    assert resolve("kimi:k3", PROVIDERS, ALIASES) == Named("kimi", "k3", "pinned kimi")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("model", ["k3", "a/b", "llama3:8b", "glm-5"])
def test_discovery_ids_come_home(provider: str, model: str) -> None:
    """A discovery id is one that Claude Code lists, and leads to the provider and model that it was made of."""
    made = discovery_id(model, provider)
    assert is_discoverable(made)
    assert resolve(made, PROVIDERS, {}) == Named(provider, model, f"pinned {provider}")


def test_discoverable() -> None:
    """Claude Code lists what begins with claude or anthropic."""
    assert is_discoverable("Claude-x")
    assert is_discoverable("anthropic/claude-x")
    assert not is_discoverable("my-claude")
    assert resolve(discovery_id("fast"), PROVIDERS, ALIASES) == Named("ollama", "llama3:8b", "alias fast")
