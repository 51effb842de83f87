"""Model names that say where they go: `provider:model`, `provider/model`, aliases, and `claude-…` discovery ids; and
how: `model:high`, `model-fast`.

Claude Code lists only models whose id begins with `claude` or `anthropic` (clients up to 2.1.329 at least), so every
other model gets a second name `claude-<provider>-<model>`, and every alias `claude-<alias>`. Pure functions over names;
must not know what a route or a provider is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

_WINDOW = re.compile(r"\[\d+[mk]\]$", re.IGNORECASE)
_DISCOVERABLE = ("claude", "anthropic")
_PREFIX = "claude-"
_FAST = "-fast"


class Named(NamedTuple):
    """Where a name leads, and the name of the rule for logs."""

    provider: str
    model: str
    rule: str


def plain(model: str) -> str:
    """The name without Claude Code's context window suffix: `x[1m]` → `x`."""
    return _WINDOW.sub("", model.strip())


def wishes(model: str, efforts: Collection[str], *, fast: bool) -> tuple[str, str, bool]:
    """The name without its endings, the effort and the haste that they ask for: `x-fast:high` → `x`, `high`, True.

    `efforts` are the words that are one, `fast` says whether `-fast` means anything; else they belong to the name.
    """
    rest, found, effort = model.rpartition(":")
    if not (found and rest and effort in efforts):
        rest, effort = model, ""
    bare = rest.removesuffix(_FAST)
    return (bare, effort, True) if fast and bare and bare != rest else (rest, effort, False)


def resolve(model: str, providers: Collection[str], aliases: Mapping[str, str]) -> Named | None:
    """What a name says about where it goes, or None when it is just the name of a model."""
    if model in aliases:
        return _target(aliases[model], f"alias {model}")
    for separator in (":", "/"):
        provider, found, rest = model.partition(separator)
        if found and rest and provider in providers:
            return Named(provider, rest, f"pinned {provider}")
    if not model.startswith(_PREFIX):
        return None
    rest = model.removeprefix(_PREFIX)
    if rest in aliases:
        return _target(aliases[rest], f"alias {rest}")
    # `openrouter-anthropic` before `openrouter`: the longest provider name is meant.
    for provider in sorted(providers, key=len, reverse=True):
        if rest.startswith(f"{provider}-") and len(rest) > len(provider) + 1:
            return Named(provider, rest[len(provider) + 1 :], f"pinned {provider}")
    return None


def is_discoverable(model: str) -> bool:
    """Whether Claude Code would list this id."""
    return model.lower().startswith(_DISCOVERABLE)


def discovery_id(model: str, provider: str = "") -> str:
    """A second name for a model (or, without a provider, for an alias) that Claude Code lists."""
    return f"{_PREFIX}{provider}-{model}" if provider else f"{_PREFIX}{model}"


def _target(target: str, rule: str) -> Named:
    provider, _, model = target.partition(":")
    return Named(provider, model, rule)
