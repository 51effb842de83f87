"""A provider as it is used: URLs, credentials, what its models accept. Built once from the configuration, then shared.

Knows how credentials are applied, but opens no connection. Nothing here depends on which provider it is: that is data,
in the presets and in the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from strowger.auth.aws import AwsSource
from strowger.auth.credential import AuthSource, Credential, CredentialKind, header_for
from strowger.auth.sources import ReferenceSource, client_credentials
from strowger.config.checks import ANTHROPIC_HOSTS, DEMO_URL, is_loopback
from strowger.config.references import Secret, SecretRef
from strowger.config.schema import (
    GAPS,
    Billing,
    Config,
    DialectName,
    Overrides,
    Preset,
    Presets,
    ProviderConfig,
    Spread,
)
from strowger.dialects.base import Capabilities
from strowger.errors import ConfigError, CredentialError
from strowger.providers.azure import AzureTerms
from strowger.providers.bedrock import BedrockTerms
from strowger.providers.codex import Codex, Responses
from strowger.providers.google import VertexClaudeTerms, VertexTerms
from strowger.providers.kimi import KimiTerms
from strowger.providers.presets import PRESETS
from strowger.providers.quota import Reading, read_headers
from strowger.providers.terms import NO_TERMS, Terms

DEFAULT_AUTH_HEADER: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "x-api-key",
        "openai_chat": "authorization",
        "openai_responses": "authorization",
        "gemini": "x-goog-api-key",
    }
)

# For calls that come from another dialect; a client that speaks Anthropic's says its own version.
DIALECT_HEADERS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {"anthropic": (("anthropic-version", "2023-06-01"),), "openai_chat": (), "openai_responses": (), "gemini": ()}
)


# A host of which we only know the dialect is taken at its word: what it says it speaks, it understands.
_UNKNOWN: Mapping[str, Overrides] = MappingProxyType(
    {
        "anthropic": {
            "judges_itself": True,
            "tool_result_images": True,
            "hosted_tools": True,
            "cache_hints": True,
            "betas": True,
            "max_tool_name": 128,
            "temperature_max": 1.0,
            "thinking": "adaptive",
            "efforts": ("low", "medium", "high", "max"),
            "mid_system": False,
        },
        "openai_chat": {"judges_itself": True},
        "openai_responses": {
            "judges_itself": True,
            "tool_result_images": True,
            "custom_tools": True,
            "max_stop_sequences": 0,
            "top_k": False,
            "system_role": "developer",
        },
        "gemini": {
            "judges_itself": True,
            "tool_result_images": True,
            "image_urls": False,
            "parallel_switch": False,
            "strict_tools": False,
            "max_stop_sequences": 5,
            "mid_system": False,
            "thinking": "level",
            "efforts": ("minimal", "low", "medium", "high"),
            "thought_signatures": True,
            "user": False,
        },
    }
)


_MOST_KNOWN = 1000
# How the tokens begin that Claude's own login gives, and those of `claude setup-token`.
_CLAUDE_LOGIN = "sk-ant-oat"


class Account(msgspec.Struct, frozen=True):
    """One credential of a provider. The only one of a provider that names none is called `default`."""

    name: str
    source: AuthSource


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream service. `url` is where calls go (`call_url` for a certain model), `base_url` what the other URLs
    were made from.

    `accounts` is empty when nothing is sent (a local server) and when `client_auth` says that the client's own
    credential is passed through. `headers` are the configured extra ones; each comes from a source, as its value may
    be a secret. `default_headers` go out when the client has none of that name. `packaged` are models with their
    context window, for as long as its own list is not to be had. `siblings` are the same service in its other dialects,
    `foreign` the one of them for clients of yet another dialect. `billing` is who pays, as far as the credential that a
    client brings does not say otherwise (`billing_by`).
    """

    name: str
    dialect: DialectName
    base_url: str
    url: str
    models_url: str
    count_tokens_url: str
    accounts: tuple[Account, ...] = ()
    spread: Spread = "fill_first"
    capacity_fallback: tuple[str, ...] = ()
    without_betas: tuple[str, ...] = ()
    client_auth: bool = False
    terms: Terms = NO_TERMS
    headers: tuple[AuthSource, ...] = ()
    default_headers: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, bytes], ...] = ()
    stands_in: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    billing: Billing = "metered"
    preset: str | None = None
    base: Capabilities = Capabilities()
    rules: tuple[tuple[str, Overrides], ...] = ()
    configured: Overrides = MappingProxyType({})
    packaged: tuple[tuple[str, int], ...] = ()
    anthropic_hosts: tuple[str, ...] = ANTHROPIC_HOSTS
    siblings: tuple[Provider, ...] = ()
    foreign: Provider | None = None
    _known: dict[str, Capabilities] = msgspec.field(default_factory=dict)
    _told: dict[str, Overrides] = msgspec.field(default_factory=dict)

    def speaking(self, dialect: str) -> Provider:
        """This service as a client of `dialect` is served best: in its own dialect, where the service speaks it."""
        if self.dialect == dialect:
            return self
        return next((sibling for sibling in self.siblings if sibling.dialect == dialect), self.foreign or self)

    def call_url(self, model: str, *, stream: bool, array: bool = False) -> str:
        """Where a call for `model` goes. `array`: its stream is wanted as one JSON array, which only Gemini has."""
        if self.dialect != "gemini":
            return self.url
        method = "streamGenerateContent" if stream else "generateContent"
        query = "?alt=sse" if stream and not array else ""
        if self.base.code_assist:
            return f"{self.url}:{method}{query}"
        return f"{self.url}/models/{quote(model, safe='')}:{method}{query}"

    def count_url(self, model: str) -> str:
        """Where the tokens of a prompt for `model` are asked for; empty when nowhere."""
        if self.dialect != "gemini":
            return self.count_tokens_url
        if self.base.code_assist:
            return f"{self.url}:countTokens"
        return f"{self.url}/models/{quote(model, safe='')}:countTokens"

    def serves(self, model: str) -> bool:
        """Whether one of the model globs fits."""
        return any(matches(glob, model) for glob in self.models)

    def own_name(self, model: str) -> str:
        """The name under which it knows a model that others call `model`."""
        return next((own for alias, own in self.aliases if alias == model.lower()), model)

    def stand_in(self, model: str) -> str | None:
        """Its own model that answers for a name which no provider serves; most have none."""
        return next((own for glob, own in self.stands_in if matches(glob, model)), None)

    def capabilities(self, model: str) -> Capabilities:
        """What this model accepts: the preset's word, then that for the model, then its own list's, then the
        configuration's.
        """
        caps = self._known.get(model)
        if caps is None:
            overrides: dict[str, object] = {}
            for glob, rule in self.rules:
                if matches(glob, model):
                    overrides.update(rule)
            if (told := self._told.get(model)) is not None:
                overrides.update({**told, **self.configured})
            caps = msgspec.structs.replace(self.base, **overrides) if overrides else self.base
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[model] = caps
        return caps

    def learn(self, told: Mapping[str, Overrides]) -> None:
        """What its own list says of what its models accept, by model, in the place of what it said before."""
        if self._told != told:
            self._told.clear()
            self._told.update(told)
            self._known.clear()

    async def credentials(
        self, client_headers: Mapping[str, str] = MappingProxyType({}), account: Account | None = None
    ) -> tuple[Credential, ...]:
        """Everything that authorises a call by one account, the first unless it is named. Raises CredentialError.

        `client_headers` are the client's, names in lower case, without a token that was meant for us; they are looked
        at only when the provider passes the client's own credential through.
        """
        found = [await source.credential() for source in self.headers]
        if self.client_auth:
            own = client_credentials(client_headers)
            if not own:
                raise CredentialError(
                    f"the client sent no credential of its own for provider {self.name}",
                    hint="start the client yourself, logged in (`strowger run` gives it a token instead), "
                    'or set `auth = "env:ANTHROPIC_API_KEY"`',
                )
            found.extend(own)
        elif self.accounts:
            found.append(await (account or self.accounts[0]).source.credential())
        return tuple(found)

    def header_lines(self, credentials: Sequence[Credential], url: str | None = None) -> dict[str, str]:
        """Headers that carry the credentials to `url` (else to calls). Raises CredentialError where they may not go."""
        to = url or self.url
        lines: dict[str, str] = {}
        for credential in credentials:
            name, value = header_for(credential, to, anthropic_hosts=self.anthropic_hosts)
            lines[name] = value
            lines.update(credential.companions)
        return lines

    def invalidate(self, credentials: Sequence[Credential], account: Account | None = None) -> bool:
        """The upstream refused these. True when asking for credentials again may give others, so replay once."""
        sources = [*self.headers, *(one.source for one in ((account,) if account else self.accounts[:1]))]
        answers = [source.invalidate(used) for source, used in zip(sources, credentials, strict=False)]
        return any(answers)

    def billing_by(self, credentials: Sequence[Credential]) -> Billing:
        """Who pays for a call with these: a Claude login is paid by its plan, wherever it comes from."""
        if self.billing == "metered" and any(_CLAUDE_LOGIN in one.value.reveal() for one in credentials):
            return "plan"
        return self.billing

    @property
    def places(self) -> tuple[str, ...]:
        """What a price list may call it: its name, its preset, its host."""
        return _places(self.name, self.preset, self.base_url)

    def reading(self, headers: Mapping[str, str], now: float) -> Reading | None:
        """What the headers of an answer (names in lower case) say of an account's limits at Unix time `now`."""
        return self.terms.reading(headers, now) or read_headers(self.dialect, headers, now)

    def secrets(self) -> tuple[Secret, ...]:
        """The secrets in memory now, for redaction."""
        sources = (*self.headers, *(account.source for account in self.accounts))
        known = (source.known() for source in sources)
        return tuple(secret for one in known if one is not None for secret in one.secrets())


@lru_cache(maxsize=256)
def _places(name: str, preset: str | None, url: str) -> tuple[str, ...]:
    host = urlsplit(url).hostname or ""
    return tuple(place for place in (name, preset, host) if place)


SourceFor = Callable[[SecretRef, str, CredentialKind, str], AuthSource]
"""Makes the source behind a reference: given the reference, the header, its kind, and the owner for error texts."""

TERMS: Mapping[str, Callable[[ProviderConfig], Terms]] = MappingProxyType(
    {
        "azure": AzureTerms,
        "bedrock": BedrockTerms,
        "codex": Codex,
        "kimi": lambda _: KimiTerms(),
        "openai": Responses,
        "vertex": VertexTerms,
        "vertex-claude": VertexClaudeTerms,
    }
)
"""How the terms that presets name are made."""


def way_to(name: str, presets: Presets = PRESETS) -> str | None:
    """What to do so that a packaged provider is there; None when there is no preset of that name."""
    preset = presets.get(name)
    if preset is None:
        return None
    # Where there is a configuration, only its own providers are there.
    table = f"add [providers.{name}] to the configuration if you have one"
    if preset.auth.startswith("login:"):
        return f"`strowger login {preset.auth.removeprefix('login:')}`, {table}, then start the gateway again"
    if preset.key_env:
        return f"export {preset.key_env[0]}=…, {table}, then start the gateway again"
    return f"add [providers.{name}] to the configuration"


def matches(glob: str, name: str) -> bool:
    """Whether a shell-style pattern fits the whole name, without regard to case."""
    return fnmatchcase(name.lower(), glob.lower())


def build_providers(
    config: Config,
    *,
    env: Mapping[str, str],
    presets: Presets = PRESETS,
    anthropic_hosts: tuple[str, ...] = ANTHROPIC_HOSTS,
    source_for: SourceFor | None = None,
) -> dict[str, Provider]:
    """Every configured provider by name, in the order of the configuration. See `build_provider`."""
    made = source_for or _references(env)
    return {
        name: build_provider(name, provider, env=env, presets=presets, anthropic_hosts=anthropic_hosts, source_for=made)
        for name, provider in config.providers.items()
    }


def build_provider(
    name: str,
    config: ProviderConfig,
    *,
    env: Mapping[str, str],
    presets: Presets = PRESETS,
    anthropic_hosts: tuple[str, ...] = ANTHROPIC_HOSTS,
    source_for: SourceFor | None = None,
) -> Provider:
    """A provider from its table. `env` is where `env:` references look; `anthropic_hosts` is for tests.

    `source_for` makes the sources of its credentials; without it there are only those that need no HTTP.
    """
    made = source_for or _references(env)
    if config.base_url is None or config.dialect is None:
        raise ConfigError(f"provider `{name}` needs a `preset`, or `base_url` and `dialect`")
    if config.base_url == DEMO_URL:
        raise ConfigError(f"provider `{name}` has no address yet", hint="the demo provider is started with the gateway")
    base_url, url, models_url, count_tokens_url = _urls(config.base_url, config.dialect)
    header = (config.auth_header or DEFAULT_AUTH_HEADER[config.dialect]).lower()
    kind: CredentialKind = "bearer" if header == "authorization" else "raw"
    owner = f"provider {name}"
    passes_client = config.auth is not None and config.auth.kind == "client"
    named = {} if passes_client else {"default": config.auth} if config.auth else config.accounts
    accounts = tuple(
        Account(
            account, made(reference, header, kind, owner if account == "default" else f"{owner}, account {account}")
        )
        for account, reference in named.items()
    )
    extra = tuple(made(reference, extra_name.lower(), "raw", owner) for extra_name, reference in config.headers.items())
    preset = presets.get(config.preset or "")
    make_terms = TERMS.get(preset.terms) if preset else None
    base, rules = _capabilities(name, config, preset)
    billing = _billing(config, preset)
    siblings = {
        other: build_provider(
            name,
            _sibling(config, presets[other], other, billing),
            env=env,
            anthropic_hosts=anthropic_hosts,
            source_for=made,
        )
        for other in (preset.also if preset and _as_packaged(config, preset) else ())
    }
    return Provider(
        name=name,
        dialect=config.dialect,
        base_url=base_url,
        url=url,
        models_url=models_url,
        count_tokens_url=count_tokens_url,
        accounts=accounts,
        spread=config.spread,
        capacity_fallback=config.capacity_fallback,
        without_betas=config.without_betas,
        terms=make_terms(config) if make_terms else NO_TERMS,
        client_auth=passes_client,
        headers=extra,
        default_headers=(*DIALECT_HEADERS[config.dialect], *(preset.headers if preset else ())),
        models=config.models,
        aliases=preset.aliases if preset else (),
        options=_options(name, config.options),
        stands_in=preset.stands_in if preset else (),
        configured=_converted(config.capabilities),
        packaged=preset.packaged if preset else (),
        strict=config.strict,
        billing=billing,
        preset=config.preset,
        base=base,
        rules=rules,
        anthropic_hosts=anthropic_hosts,
        siblings=tuple(siblings.values()),
        foreign=siblings.get(preset.foreign) if preset else None,
    )


def _references(env: Mapping[str, str]) -> SourceFor:
    def made(reference: SecretRef, header: str, kind: CredentialKind, owner: str) -> AuthSource:
        if reference.kind == "aws":
            return AwsSource(reference.target, owner=owner)
        return ReferenceSource(reference, header=header, kind=kind, env=env, owner=owner)

    return made


def _as_packaged(config: ProviderConfig, preset: Preset) -> bool:
    """Whether the address is the preset's own: of another host we do not know what else it speaks."""
    return config.dialect == preset.dialect and config.base_url == preset.address(_given(config))


def _billing(config: ProviderConfig, preset: Preset | None) -> Billing:
    """Who pays: what the user says, else what is known of the host, else what credential and address suggest."""
    if config.billing is not None:
        return config.billing
    if preset is not None and preset.billing is not None:
        return preset.billing
    kinds = {reference.kind for reference in (config.auth, *config.accounts.values()) if reference is not None}
    if kinds & {"login", "oauth"}:
        return "plan"
    is_ours = "client" not in kinds and is_loopback(urlsplit(config.base_url or "").hostname or "")
    return "free" if is_ours else "metered"


def _sibling(config: ProviderConfig, preset: Preset, name: str, billing: Billing) -> ProviderConfig:
    return msgspec.structs.replace(
        config,
        billing=billing,
        preset=name,
        dialect=preset.dialect,
        base_url=preset.address(_given(config)),
        auth_header=preset.auth_header,
    )


def _given(config: ProviderConfig) -> Mapping[str, object]:
    return {gap: getattr(config, gap) for gap in GAPS}


def _capabilities(
    name: str, config: ProviderConfig, preset: Preset | None
) -> tuple[Capabilities, tuple[tuple[str, Overrides], ...]]:
    configured = _converted(config.capabilities)
    if preset is None:
        assumed = _UNKNOWN.get(config.dialect or "", {})
        return msgspec.structs.replace(Capabilities(), **{"origin": name, **assumed, **configured}), ()
    base = msgspec.structs.replace(Capabilities(), **{"origin": name, **preset.capabilities, **configured})
    # What the user says holds for every model: it goes over the rules of the preset.
    rules = tuple((glob, {**rule, **configured}) for glob, rule in preset.model_capabilities)
    return base, rules


def _options(name: str, options: Overrides) -> tuple[tuple[str, bytes], ...]:
    """The members for every body, each as JSON."""
    try:
        return tuple((key, msgspec.json.encode(value)) for key, value in options.items())
    except TypeError as error:
        raise ConfigError(f"`options` of provider `{name}` cannot be sent: {error}") from None


def _converted(overrides: Overrides) -> dict[str, object]:
    """The overrides with the types of the fields: lists from TOML become tuples."""
    try:
        whole = msgspec.convert(dict(overrides), Capabilities)
    except msgspec.ValidationError as error:
        raise ConfigError(f"`capabilities` cannot be used: {error}") from None
    return {key: getattr(whole, key) for key in overrides}


def _urls(base_url: str, dialect: DialectName) -> tuple[str, str, str, str]:
    """Base, calls, models, count_tokens.

    Anthropic's clients are given a base without `/v1`, OpenAI's with it, and people paste either, or the whole URL.
    An OpenAI base with another path is taken as it is: not every service has a version in its path. Google's SDKs are
    given the host alone and add `/v1beta`; Code Assist is given as `https://host/v1internal`.
    """
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")

    def whole(path: str) -> str:
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    if dialect == "anthropic":
        path = path.removesuffix("/messages").removesuffix("/v1")
        base = whole(path)
        return base, f"{base}/v1/messages", f"{base}/v1/models", f"{base}/v1/messages/count_tokens"
    if dialect == "gemini":
        path = path.removesuffix("/models") or "/v1beta"
        base = whole(path)
        return base, base, f"{base}/models", f"{base}/models"
    called = "/chat/completions" if dialect == "openai_chat" else "/responses"
    if path.endswith(called):
        path = path.removesuffix(called)
    elif not path:
        path = "/v1"
    base = whole(path)
    counted = "" if dialect == "openai_chat" else f"{base}/responses/input_tokens"
    return base, f"{base}{called}", f"{base}/models", counted
