"""What makes a well-formed configuration wrong all the same: dead names, keys for foreign hosts, open doors.

Looks at the configuration and at nothing else: no file, no environment, no network. Must not know how anything is
built.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

from strowger.config.lines import Path
from strowger.config.references import SecretRef
from strowger.config.schema import (
    Budgets,
    Config,
    Presets,
    ProviderConfig,
    Proxy,
    RouteConfig,
    Server,
    Tracing,
)
from strowger.config.validate import Problem, convert, near_miss, suggest
from strowger.dialects.base import Capabilities

DEMO_URL = "demo:"
"""The base URL of the built-in demo provider until it is started and has a port."""

ANTHROPIC_HOSTS = ("anthropic.com", "claude.com")
"""Anthropic's own hosts, with all their subdomains. Its credentials go to these and to no other."""

ANTHROPIC_KEY_PREFIX = "sk-ant-"

_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GAP = re.compile(r"\{(region|project|resource)\}")
_SUCH_AS = {"region": "us-east-1", "project": "my-project", "resource": "my-resource"}
_COLLECTOR = "http://127.0.0.1:4318"
_AMBIGUOUS = re.compile(r"[\s\\\x00-\x1f\x7f]")

CHOICES: Mapping[str, tuple[str, ...]] = {
    "max_tokens_field": ("max_tokens", "max_completion_tokens"),
    "system_role": ("system", "developer"),
    "thinking": ("effort", "thinking", "thinking_effort", "reasoning", "adaptive", "budget", "level", "none"),
    "thinking_replay": ("", "reasoning_content", "reasoning", "reasoning_details", "signed", "any"),
    "structured_output": ("json_schema", "json_object", "none"),
    "tool_schema": ("json_schema", "openapi", "typed"),
}
"""Capabilities that are words from a closed list."""


def is_anthropic_url(url: str, hosts: tuple[str, ...] = ANTHROPIC_HOSTS) -> bool:
    """Whether a URL leads to Anthropic: https, and one of its hosts or a subdomain of one.

    An entry of `hosts` with a scheme stands for that very origin: tests name their fakes so.
    """
    parts = split_url(url)
    if parts is None or not parts.hostname:
        return False
    if f"{parts.scheme}://{parts.netloc}" in hosts:
        return True
    host = parts.hostname.rstrip(".")
    return parts.scheme == "https" and any(host == known or host.endswith(f".{known}") for known in hosts)


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL, or None when it is none, or when two readers might take it for two different hosts."""
    if _AMBIGUOUS.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts


def is_loopback(host: str) -> bool:
    """Whether this is `localhost` or a loopback address. Other names are not looked up."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def errors(config: Config, presets: Presets) -> Iterator[Problem]:
    """Everything that forbids a start."""
    yield from _server(config)
    for name, provider in config.providers.items():
        yield from _provider(name, provider, presets)
    for number, route in enumerate(config.routes):
        yield from _route(number, route, config, presets)
    yield from _launch(config, presets)
    yield from _budgets(config.budgets)
    yield from _tracing(config.tracing)
    for alias, target in config.aliases.items():
        path: Path = ("aliases", alias)
        if ":" not in target:
            yield Problem(path, f"alias `{alias}` must name a model", f'such as {alias} = "provider:model"')
        else:
            yield from _target(target, path, f"alias `{alias}`", config, presets)


def warnings(config: Config, presets: Presets) -> Iterator[Problem]:
    """What works but deserves a word."""
    for section, may in (("server", config.server.allow_external_bind), ("proxy", config.proxy.allow_external_bind)):
        if not may:
            continue
        yield Problem(
            (section, "allow_external_bind"),
            "the gateway may be reached from other machines",
            "anyone with the client token spends your money",
        )
    for name, provider in config.providers.items():
        path: Path = ("providers", name)
        parts = split_url(provider.base_url or "")
        is_clear = parts is not None and parts.scheme == "http" and not is_loopback(parts.hostname or "")
        if is_clear and (provider.auth is not None or provider.accounts):
            yield Problem((*path, "base_url"), f"the key of provider `{name}` travels unencrypted", "use https")
        preset = presets.get(provider.preset or "")
        is_keyless = provider.auth is None and not provider.accounts
        needs_key = preset is not None and (preset.key_required and not preset.auth)
        if preset and needs_key and is_keyless and provider.base_url != preset.base_url:
            yield Problem(
                (*path, "base_url"),
                f"provider `{name}` has no key: the usual variable is only used for the preset's own host",
                'add `auth = "env:NAME"` to it',
            )


def _server(config: Config) -> Iterator[Problem]:
    token = config.server.client_token
    if token is not None and token.kind == "client":
        yield Problem(
            ("server", "client_token"), '`server.client_token` cannot be "client"', 'use "env:NAME" or "file:PATH"'
        )
    yield from _bind("server", config.server, has_token=token is not None)
    yield from _bind("proxy", config.proxy, has_token=token is not None)


def _bind(section: str, listening: Server | Proxy, *, has_token: bool) -> Iterator[Problem]:
    """Whether other machines may reach where we listen: only by two words of the user's."""
    bind = listening.bind
    try:
        address = ipaddress.ip_address(bind.strip("[]"))
    except ValueError:
        if not bind or "*" in bind:
            wanted = f"`{section}.bind` must be an address or a host name"
            yield Problem((section, "bind"), wanted, 'such as "127.0.0.1"')
        return  # a name is looked up at the start, not here
    if address.is_loopback or (listening.allow_external_bind and has_token):
        return
    token = "a `client_token`" if section == "server" else "a `client_token` in `[server]`"
    missing = f"`allow_external_bind = true` and {token}"
    if listening.allow_external_bind:
        missing = token
    elif has_token:
        missing = "`allow_external_bind = true`"
    yield Problem(
        (section, "bind"),
        f"binding to {bind} opens the gateway to other machines; that needs {missing}",
        ("" if has_token else "`strowger config token` makes one; ") + 'or bind = "127.0.0.1"',
    )


def _provider(name: str, provider: ProviderConfig, presets: Presets) -> Iterator[Problem]:
    path: Path = ("providers", name)
    if not _PROVIDER_NAME.fullmatch(name):
        yield Problem(path, f"`{name}` is no name for a provider", "use letters, digits, dots, dashes and underscores")
    if provider.preset is not None and provider.preset not in presets:
        hint = suggest(provider.preset, presets, what="there are")
        yield Problem((*path, "preset"), f"there is no preset `{provider.preset}`", hint)
        return
    if provider.base_url is None or provider.dialect is None:
        near = near_miss(name, presets)
        spoken = 'dialect is "anthropic", "openai_chat", "openai_responses" or "gemini"'
        hint = f"did you mean the preset `{near}`?" if near else spoken
        yield Problem(path, f"provider `{name}` needs a `preset`, or `base_url` and `dialect`", hint)
    if provider.base_url is not None:
        yield from _base_url(provider.base_url, provider.preset, (*path, "base_url"))
    yield from _auth(name, provider, path)
    yield from _capabilities(provider, path)


def _base_url(url: str, preset: str | None, path: Path) -> Iterator[Problem]:
    if url == DEMO_URL and preset == "demo":
        return
    parts = split_url(_GAP.sub("gap", url))
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Problem(path, "`base_url` must be an http or https URL", 'such as "https://host/v1"')
    elif parts.username is not None or parts.password is not None:
        yield Problem(path, "`base_url` must not hold a user or a password", "use `auth` for credentials")
    elif gap := _GAP.search(url):
        name = gap.group(1)
        example = "global" if name == "region" and ".googleapis.com" in url else _SUCH_AS[name]
        yield Problem(path, f"the address of this provider needs `{name}`", f'such as {name} = "{example}"')
    elif parts.query or parts.fragment:
        yield Problem(path, "`base_url` must end with its path", "leave out everything from `?` or `#` on")


def _auth(name: str, provider: ProviderConfig, path: Path) -> Iterator[Problem]:
    if provider.auth_header is not None and not _TOKEN.fullmatch(provider.auth_header):
        yield Problem((*path, "auth_header"), "`auth_header` must be the name of a header", 'such as "x-api-key"')
    is_ours = is_anthropic_url(provider.base_url or "")
    if provider.auth is not None and provider.accounts:
        yield Problem(
            (*path, "accounts"), "`auth` and `accounts` exclude each other", "give `auth` a name in `accounts`"
        )
    if provider.auth is not None and provider.auth.kind == "client" and not is_ours:
        hint = 'use "env:NAME" for the key of this provider'
        yield Problem((*path, "auth"), '`auth = "client"` is for Anthropic\'s own hosts only', hint)
    for at, reference in credentials_of(provider):
        if reference.kind == "client" and at != ("auth",):
            yield Problem((*path, *at), '"client" is for `auth`, not for one of several accounts')
        if reference.kind == "aws" and provider.preset != "bedrock":
            yield Problem((*path, *at), '"aws" signs requests to Bedrock, and to nothing else')
        if not is_ours and _is_anthropic_key(reference):
            yield Problem(
                (*path, *at), f"an Anthropic key must not be sent to provider `{name}`, which is another host"
            )
    for header, value in provider.headers.items():
        if not _TOKEN.fullmatch(header):
            yield Problem((*path, "headers", header), "this is no name of a header")
        if value.literal is not None and re.search(r"[\r\n\x00]", value.literal.reveal()):
            yield Problem((*path, "headers", header), f"the value of header `{header}` must be a single line")
        if not is_ours and _is_anthropic_key(value):
            yield Problem(
                (*path, "headers", header),
                f"an Anthropic key must not be sent to provider `{name}`, which is another host",
            )


def _is_anthropic_key(reference: SecretRef) -> bool:
    return reference.literal is not None and ANTHROPIC_KEY_PREFIX in reference.literal.reveal()


def _capabilities(provider: ProviderConfig, path: Path) -> Iterator[Problem]:
    _, problems = convert(Capabilities, provider.capabilities, (*path, "capabilities"))
    yield from problems
    for key, choices in CHOICES.items():
        value = provider.capabilities.get(key)
        if isinstance(value, str) and value not in choices:
            listed = ", ".join(f'"{choice}"' for choice in choices)
            yield Problem(
                (*path, "capabilities", key), f"`capabilities.{key}` must be one of {listed}", suggest(value, choices)
            )


def _route(number: int, route: RouteConfig, config: Config, presets: Presets) -> Iterator[Problem]:
    path: Path = ("routes", number)
    match = route.match
    if not any(getattr(match, name) not in ((), "", None) for name in match.__struct_fields__):
        yield Problem((*path, "match"), "`match` needs a condition", 'model = "*" matches everything')
    if match.prompt_over is not None and match.prompt_under is not None and match.prompt_under <= match.prompt_over + 1:
        says = f"no prompt is over {match.prompt_over:,} and under {match.prompt_under:,} tokens"
        yield Problem((*path, "match", "prompt_under"), says)
    yield from _target(route.to, (*path, "to"), "the route", config, presets)
    for position, fallback in enumerate(route.fallback):
        yield from _target(fallback, (*path, "fallback", position), "the fallback", config, presets)


def _launch(config: Config, presets: Presets) -> Iterator[Problem]:
    launch = config.launch
    if launch.via is not None:
        yield from _target(launch.via, ("launch", "via"), "`via`", config, presets)
    for slot in launch.models.__struct_fields__:
        target = getattr(launch.models, slot)
        if target is not None:
            yield from _target(target, ("launch", "models", slot), f"the slot `{slot}`", config, presets)
    for name in launch.env:
        if not _VARIABLE.fullmatch(name):
            yield Problem(("launch", "env", name), f"`{name}` is no name of an environment variable")


def _budgets(budgets: Budgets) -> Iterator[Problem]:
    limits = {"session": budgets.session, "day": budgets.day, "profile": budgets.profile}
    for name, one in limits.items():
        if one.warn is not None and one.stop is not None and one.warn > one.stop:
            says = f"`budgets.{name}` stops at ${one.stop:,g}, before it warns at ${one.warn:,g}"
            yield Problem(("budgets", name, "warn"), says, "`warn` is the smaller of the two")


def _tracing(tracing: Tracing) -> Iterator[Problem]:
    if tracing.endpoint is None:
        return
    path: Path = ("tracing", "endpoint")
    parts = split_url(tracing.endpoint)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Problem(path, "`tracing.endpoint` must be an http or https URL", f'such as "{_COLLECTOR}"')
    elif parts.query or parts.fragment:
        yield Problem(path, "`tracing.endpoint` must end with its path", "leave out everything from `?` or `#` on")
    elif parts.path.rstrip("/").endswith(("/v1/traces", "/v1/metrics")):
        yield Problem(
            path, "`tracing.endpoint` is for spans and for metrics", "leave out `/v1/traces` and `/v1/metrics`"
        )


def _target(target: str, path: Path, what: str, config: Config, presets: Presets) -> Iterator[Problem]:
    provider, colon, model = target.partition(":")
    if provider not in config.providers:
        hint = suggest(provider, config.providers, what="configured are")
        if provider in presets:
            hint = f"add `[providers.{provider}]`: there is a preset of that name"
        yield Problem(path, f"{what} leads to `{provider}`, which is no configured provider", hint)
    elif colon and not model:
        yield Problem(
            path,
            f"{what} names no model after `{provider}:`",
            f'write "{provider}" to keep the model that was asked for',
        )


def credentials_of(provider: ProviderConfig) -> Iterator[tuple[Path, SecretRef]]:
    """What a provider is paid with, each at its key path below the provider's table."""
    if provider.auth is not None:
        yield ("auth",), provider.auth
    for account, reference in provider.accounts.items():
        yield ("accounts", account), reference


def secrets_in(config: Config) -> Iterator[tuple[Path, SecretRef]]:
    """Every secret reference, with its key path. Literal header values count when the header's name sounds secret."""
    if config.server.client_token is not None:
        yield ("server", "client_token"), config.server.client_token
    for name, provider in config.providers.items():
        for at, reference in credentials_of(provider):
            yield ("providers", name, *at), reference
        for header, value in provider.headers.items():
            yield ("providers", name, "headers", header), value
