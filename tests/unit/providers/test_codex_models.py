"""What is packaged of the models of the Codex backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.config import load
from strowger.config.paths import logins_dir
from strowger.config.schema import ProviderConfig
from strowger.providers import PRESETS, build_provider, build_providers
from strowger.providers.base import Provider
from strowger.providers.codex_models import CODEX_LISTED
from strowger.routing.table import RouteTable


@pytest.fixture
def provider() -> Provider:
    preset = PRESETS["codex"]
    config = ProviderConfig(preset="codex", dialect=preset.dialect, base_url=preset.base_url, models=preset.models)
    return build_provider("codex", config, env={})


@pytest.mark.parametrize("model", [name for name, _ in CODEX_LISTED])
def test_what_is_packaged_leads_here(provider: Provider, model: str) -> None:
    """By its own name, and with what the backend takes of it."""
    caps = provider.capabilities(model)
    assert provider.serves(model)
    assert {"low", "medium", "high", "xhigh"} <= set(caps.efforts)
    assert (caps.output_limit, caps.sampling, caps.stateful, caps.user, caps.whole_answers) == (False,) * 5


def test_new_models_are_not_shut_out(provider: Provider) -> None:
    """The list is not closed: names of the next kind lead here, the public API's older ones do not."""
    assert provider.serves("gpt-7-sol")
    assert provider.serves("gpt-5.9")
    assert not provider.serves("gpt-4o")
    assert not provider.serves("gpt-5")


def test_its_own_list_knows_better(provider: Provider) -> None:
    """What the backend lists goes over what is packaged, until it lists something else."""
    provider.learn({"gpt-5.5": {"efforts": ("low", "ultra")}})
    assert provider.capabilities("gpt-5.5").efforts == ("low", "ultra")
    assert provider.capabilities("gpt-5.4").efforts[0] == "none"
    provider.learn({})
    assert provider.capabilities("gpt-5.5").efforts[0] == "none"


def test_the_user_knows_best() -> None:
    """What is configured goes over both."""
    preset = PRESETS["codex"]
    config = ProviderConfig(dialect=preset.dialect, base_url=preset.base_url, capabilities={"efforts": ["low"]})
    provider = build_provider("codex", config, env={})
    provider.learn({"gpt-5.5": {"efforts": ("low", "high")}})
    assert provider.capabilities("gpt-5.5").efforts == ("low",)


@pytest.mark.parametrize("asked, answers", [("claude-haiku-4-5", "gpt-5.4-mini"), ("claude-opus-5-5", "gpt-5.5")])
def test_claude_codes_own_models_have_somebody(provider: Provider, asked: str, answers: str) -> None:
    """What it asks for in the background is answered, where nobody else serves it."""
    assert provider.stand_in(asked) == answers
    assert provider.stand_in("gemini-3") is None


def test_a_login_is_enough(tmp_path: Path) -> None:
    """Without a configuration file the provider is there as soon as its login is, before whoever has a key."""
    env = {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"}
    assert "codex" not in load(None, env=env, presets=PRESETS).config.providers
    folder = logins_dir(env)
    folder.mkdir(parents=True)
    (folder / "codex.json").write_text("{}")
    found = load(None, env=env, presets=PRESETS).config
    assert list(found.providers) == ["codex", "openai"]
    assert found.providers["codex"].auth is not None
    routes = RouteTable(found, build_providers(found, env=env))
    assert routes.match("gpt-5.5").targets[0].provider.name == "codex"
    assert routes.match("gpt-4.1").targets[0].provider.name == "openai"
    assert routes.match("claude-haiku-4-5").targets[0].model == "gpt-5.4-mini"
