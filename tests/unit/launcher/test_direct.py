"""A client without a gateway: what it is given of a configuration, and what it cannot be given."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest

from strowger.config.layers import load
from strowger.errors import ConfigError, CredentialError
from strowger.launcher.agents import AGENTS
from strowger.launcher.clients import spec_for
from strowger.launcher.direct import Direct, straight
from strowger.providers.presets import PRESETS

KEYS = {"DEEPSEEK_API_KEY": "planted-deep", "ANTHROPIC_API_KEY": "planted-ant", "KIMI_API_KEY": "planted-kimi"}


def given(
    agent: str, launch: Mapping[str, object], providers: Mapping[str, object], model: str | None = None, **env: str
) -> Direct:
    """What a client is given by a configuration with these tables."""
    table = {"providers": providers, "launch": launch, "proxy": {"enabled": False}}
    config = load(None, env={}, presets=PRESETS, table=table).config
    return anyio.run(straight, spec_for(agent), config, {**KEYS, **env}, model)


def test_another_vendors_messages() -> None:
    """Address, token and models of the profile; the user's own credentials do not go there."""
    models = {"opus": "deepseek:deepseek-v4-pro", "subagent": "deepseek:deepseek-v4-flash", "haiku": "deepseek"}
    launch = {"via": "deepseek:deepseek-v4-pro", "models": models, "effort": "high", "env": {"MINE": "1"}}
    found = given("claude", launch, {"deepseek": {}}, CLAUDE_CODE_USE_BEDROCK="1")
    changed = {name: value for name, value in found.env.items() if KEYS.get(name) != value}
    assert changed == {
        "MINE": "1",
        "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic",
        "ANTHROPIC_AUTH_TOKEN": "planted-deep",
        "ANTHROPIC_MODEL": "deepseek-v4-pro",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "deepseek-v4-pro",
        "CLAUDE_CODE_SUBAGENT_MODEL": "deepseek-v4-flash",
        "CLAUDE_CODE_EFFORT_LEVEL": "high",
    }
    assert "ANTHROPIC_API_KEY" not in found.env
    assert (found.where, found.notes) == ("to https://api.deepseek.com/anthropic", ())


def test_anthropic_itself() -> None:
    """A key goes where keys go; a model that the launch names goes before the profile's."""
    found = given("claude", {"via": "anthropic:claude-opus-5"}, {"anthropic": {}}, "claude-sonnet-5")
    assert found.env["ANTHROPIC_API_KEY"] == "planted-ant"
    assert "ANTHROPIC_AUTH_TOKEN" not in found.env
    assert found.env["ANTHROPIC_MODEL"] == "claude-sonnet-5"


def test_the_clients_own_login() -> None:
    """It stays with the client, and so does what the client has in its environment."""
    found = given("claude", {"via": "anthropic"}, {"anthropic": {"auth": "client"}}, CLAUDE_CODE_OAUTH_TOKEN="own")
    assert found.env["CLAUDE_CODE_OAUTH_TOKEN"] == "own"
    assert found.env["ANTHROPIC_BASE_URL"] == "https://api.anthropic.com"


@pytest.mark.parametrize(
    "provider, variable",
    [
        ({"auth": "env:OWN"}, "ANTHROPIC_AUTH_TOKEN"),
        ({"auth": "env:OWN", "auth_header": "x-api-key"}, "ANTHROPIC_API_KEY"),
        ({"accounts": {"a": "env:OWN", "b": "env:NONE"}}, "ANTHROPIC_AUTH_TOKEN"),
    ],
)
def test_a_host_of_ones_own(provider: dict[str, object], variable: str) -> None:
    """Its address without what Claude Code adds, its key in the header that it wants; of several, the first."""
    table = {"dialect": "anthropic", "base_url": "https://llm.example.com/x/v1/", **provider}
    found = given("claude", {"via": "mine"}, {"mine": table}, OWN="planted-own")
    assert found.env["ANTHROPIC_BASE_URL"] == "https://llm.example.com/x"
    assert found.env[variable] == "planted-own"


@pytest.mark.parametrize(
    "via, providers, why",
    [
        ("openai", {"openai": {}}, "openai does not speak Anthropic Messages"),
        ("deepseek", {"deepseek": {"base_url": "https://elsewhere.example/v1"}}, "does not speak Anthropic Messages"),
        ("kimi-anthropic", {"kimi-anthropic": {"auth": "login:kimi"}}, "has to be renewed"),
        ("bedrock", {"bedrock": {"region": "eu-west-1", "auth": "env:X"}}, "wants more of a request"),
    ],
)
def test_what_only_a_gateway_can_do(via: str, providers: dict[str, object], why: str) -> None:
    """It is refused, with the way to a gateway."""
    with pytest.raises(ConfigError, match=why) as caught:
        given("claude", {"via": via}, providers)
    assert "proxy.enabled = true" in (caught.value.hint or "")


def test_one_provider_for_all() -> None:
    """A slot that leads elsewhere would lead nowhere."""
    with pytest.raises(ConfigError, match="the slot `haiku` is of anthropic"):
        given("claude", {"via": "deepseek", "models": {"haiku": "anthropic:h"}}, {"deepseek": {}, "anthropic": {}})


def test_what_is_anthropics_stays_there() -> None:
    """No key of Anthropic's goes to another host, and where none is wanted, the client does not send what it has."""
    with pytest.raises(CredentialError, match="an Anthropic credential may not be sent to https://api.deepseek.com"):
        given("claude", {"via": "deepseek"}, {"deepseek": {}}, DEEPSEEK_API_KEY="sk-ant-planted")
    found = given("claude", {"via": "ollama-anthropic:m"}, {"ollama-anthropic": {}}, CLAUDE_CODE_OAUTH_TOKEN="own")
    assert found.env["ANTHROPIC_AUTH_TOKEN"] == "none"
    assert "CLAUDE_CODE_OAUTH_TOKEN" not in found.env


def test_a_key_that_is_not_there() -> None:
    """It is told before the client starts."""
    with pytest.raises(CredentialError, match="OWN is not set"):
        given("claude", {"via": "deepseek"}, {"deepseek": {"auth": "env:OWN"}})


@pytest.mark.parametrize("agent", sorted(AGENTS))
def test_without_a_provider(agent: str) -> None:
    """A client gets the profile's environment, and everything else stays as it is."""
    found = given(agent, {"env": {"MINE": "1"}}, {"deepseek": {}})
    assert found.env == {**KEYS, "MINE": "1"}
    assert (found.where, found.notes) == ("where its own settings lead", ())


def test_what_is_not_done_is_said() -> None:
    """Other clients are not led anywhere, and headers of a provider are not sent."""
    (note,) = given("codex", {"via": "deepseek"}, {"deepseek": {}}).notes
    assert "only Claude Code is led to a provider" in note
    (note,) = given("claude", {"via": "deepseek"}, {"deepseek": {"headers": {"x-a": "b"}}}).notes
    assert "headers of deepseek are not sent" in note
    assert "planted" not in repr(given("claude", {"via": "deepseek"}, {"deepseek": {}}))
