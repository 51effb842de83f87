"""A client without a gateway: what `[proxy] enabled = false` gives it of the configuration. Nobody translates, so its
provider has to speak what it speaks; nobody renews, so its key has to be one that lasts.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from strowger.auth.credential import Credential, header_for
from strowger.auth.sources import resolve
from strowger.config.checks import credentials_of, is_anthropic_url
from strowger.config.references import SecretRef
from strowger.config.schema import Config, ProviderConfig
from strowger.errors import ConfigError
from strowger.launcher.agents import Spec
from strowger.providers.presets import PRESETS

# What Claude Code calls the kinds of model that slots are for.
_SLOTS = {
    "main": "ANTHROPIC_MODEL",
    "opus": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "sonnet": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "subagent": "CLAUDE_CODE_SUBAGENT_MODEL",
    "background": "ANTHROPIC_SMALL_FAST_MODEL",
}
# Kimi's are about logins of ours.
_PLAIN_TERMS = ("", "kimi")
_NOBODYS = "none"
_LASTING = ("literal", "env", "file", "command", "keychain")
_ENABLE = "proxy.enabled = true has the gateway do it"


class Direct(Struct, frozen=True):
    """A client's environment, where it leads in words, and what its user should know."""

    env: Mapping[str, str]
    where: str
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Direct({self.where})"


async def straight(spec: Spec, config: Config, env: Mapping[str, str], model: str | None) -> Direct:
    """What a client is given. Raises ConfigError for what only a gateway can do, and CredentialError."""
    launch = config.launch
    made = {**env, **launch.env}
    name, _, chosen = (launch.models.main or launch.via or "").partition(":")
    if spec.name != "claude" or not name:
        notes = (f"warning: without a gateway only Claude Code is led to a provider, {name} is not",) if name else ()
        return Direct(made, "where its own settings lead", notes)
    provider = config.providers[name]
    url = _address(name, provider)
    key = next((reference for _, reference in credentials_of(provider)), None)
    if key is None or key.kind != "client":
        made = {variable: value for variable, value in made.items() if variable.upper() not in spec.strip}
    made["ANTHROPIC_BASE_URL"] = url
    if key is None:
        made["ANTHROPIC_AUTH_TOKEN"] = _NOBODYS  # else it would send what it has of Anthropic's
    elif key.kind != "client":
        made[_variable(provider, url)] = await _lasting(name, key, url, env)
    made |= _models(config, name, model or chosen)
    if launch.effort:
        made |= dict.fromkeys(spec.effort, launch.effort)
    headers = (f"warning: without a gateway the headers of {name} are not sent",) if provider.headers else ()
    return Direct(made, f"to {url}", headers)


def _address(name: str, provider: ProviderConfig) -> str:
    """Where the provider speaks Messages: at its own address, or at that which its preset knows besides."""
    preset = PRESETS.get(provider.preset or "")
    url = provider.base_url or ""
    terms = preset.terms if preset else ""
    if provider.dialect != "anthropic":
        known = [PRESETS[also] for also in (preset.also if preset and preset.base_url == url else ())]
        spoken = next((also for also in known if also.dialect == "anthropic"), None)
        if spoken is None:
            raise ConfigError(f"{name} does not speak Anthropic Messages, and Claude Code nothing else", hint=_ENABLE)
        url, terms = spoken.base_url, spoken.terms
    if terms not in _PLAIN_TERMS:
        raise ConfigError(f"{name} wants more of a request than a key and a model", hint=_ENABLE)
    return url.rstrip("/").removesuffix("/v1")


def _variable(provider: ProviderConfig, url: str) -> str:
    """The variable for its key: a token goes into `Authorization`, a key into `x-api-key`."""
    header = provider.auth_header or ("x-api-key" if is_anthropic_url(url) else "authorization")
    return "ANTHROPIC_API_KEY" if header.lower() == "x-api-key" else "ANTHROPIC_AUTH_TOKEN"


async def _lasting(name: str, key: SecretRef, url: str, env: Mapping[str, str]) -> str:
    """The key, if it may go to this address."""
    if key.kind not in _LASTING:
        raise ConfigError(f"the login of {name} has to be renewed while the client runs", hint=_ENABLE)
    secret = await resolve(key, env=env)
    header_for(Credential("authorization", secret), url)  # raises where a gateway would
    return secret.reveal()


def _models(config: Config, name: str, main: str) -> dict[str, str]:
    """The models by the variables for them. Raises ConfigError for one of another provider."""
    made = {_SLOTS["main"]: main} if main else {}
    for slot, variable in _SLOTS.items():
        provider, _, model = (getattr(config.launch.models, slot) or "").partition(":")
        if slot == "main" or not provider:
            continue
        if provider != name:
            raise ConfigError(f"the slot `{slot}` is of {provider}, and all else of {name}", hint=_ENABLE)
        if model:
            made[variable] = model
    return made
