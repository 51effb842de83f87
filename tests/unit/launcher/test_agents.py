"""The data about agents: complete, without secrets where others could read them, and in each agent's own words."""

from __future__ import annotations

import json
import re

import pytest

from strowger.client import Model, ModelFacts
from strowger.launcher.agents import AGENTS, TOKEN, VENDOR_STRIP, Spec
from strowger.providers.presets import PRESETS

BIG = Model("big", "p", "big", "Big", facts=ModelFacts(context=400_000, output=64_000, images=False))
ODD = Model("p:odd", "p", "odd")
SPECS = [pytest.param(spec, id=name) for name, spec in AGENTS.items()]


@pytest.mark.parametrize("spec", SPECS)
def test_an_agent_is_told_of_in_full(spec: Spec) -> None:
    """It has a name for people, and whoever does not have it is told how to get it."""
    assert spec.title
    assert spec.install
    assert spec.nicknames or spec.picks_model or spec.chosen or spec.models


@pytest.mark.parametrize("spec", SPECS)
def test_the_token_is_in_the_environment_only(spec: Spec) -> None:
    """Arguments can be read by everybody, and files outlive a crash: neither holds the token; the environment does."""
    shown = (*spec.arguments, *spec.chosen, *spec.effort_arguments)
    written = (*spec.settings.values(), *spec.effort_settings.values())
    assert not any(TOKEN in text for text in (*shown, *written))
    assert TOKEN in spec.set.values()


@pytest.mark.parametrize("spec", SPECS)
def test_places_are_known(spec: Spec) -> None:
    """Every place in a text is one that is filled, or one of the agent's own files."""
    texts = [*spec.set.values(), *spec.default.values(), *spec.models.values(), *spec.helpers.values()]
    texts += [*spec.arguments, *spec.chosen, *spec.effort.values(), *spec.effort_arguments]
    texts += [*spec.settings.values(), *spec.effort_settings.values()]
    places = {place for text in texts for place in re.findall(r"\{(\w+)\}", text)}
    assert places <= {"url", "token", "model", "effort", "context", "output", "models", *spec.settings}


def test_agents_that_know_many_vendors_find_no_keys() -> None:
    """Whatever variable a preset reads a key from, those agents would read too: none of them reaches them."""
    keys = {name for preset in PRESETS.values() for name in preset.key_env}
    assert keys <= set(VENDOR_STRIP)
    assert all(set(VENDOR_STRIP) <= set(AGENTS[name].strip) for name in ("opencode", "aider", "kimi", "qwen", "pi"))


def test_models_in_each_agents_words() -> None:
    """What is known of a model's size reaches the agents that ask for it; what is not known is guessed low, or left."""
    opencode, pi, aider = (AGENTS[name].listing for name in ("opencode", "pi", "aider"))
    assert opencode is not None
    assert pi is not None
    assert aider is not None
    assert opencode([BIG, ODD], "") == {
        "big": {"name": "Big", "limit": {"context": 400_000, "output": 64_000}},
        "p:odd": {"name": "p:odd"},
    }
    assert opencode([ODD], "high") == {"p:odd": {"name": "p:odd", "options": {"effort": "high"}}}
    big, odd = json.loads(json.dumps(pi([BIG, ODD], "high")))
    assert (big["contextWindow"], big["maxTokens"], big["input"]) == (400_000, 64_000, ["text"])
    assert (odd["contextWindow"], odd["maxTokens"], odd["input"]) == (200_000, 32_000, ["text", "image"])
    assert all(each["reasoning"] for each in (big, odd))
    assert json.loads(json.dumps(aider([BIG], "")))["openai/big"]["max_input_tokens"] == 400_000


def test_what_npm_installs_is_looked_for_where_it_puts_it() -> None:
    """A launcher of a desktop, or a service, has no such folder in its path."""
    installed = [spec for spec in AGENTS.values() if (spec.install or "").startswith("npm ")]
    assert len(installed) >= 5
    for spec in (AGENTS["claude"], *installed):
        assert {"~/.npm-global/bin", "~/.bun/bin", "~/node_modules/.bin"} <= set(spec.places), spec.name
