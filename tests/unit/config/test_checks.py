"""What is refused or warned about although every type is right."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from strowger.config import checks
from strowger.config.references import literal, parse_reference
from strowger.config.schema import (
    Budget,
    Budgets,
    Config,
    Match,
    Preset,
    ProviderConfig,
    Proxy,
    RouteConfig,
    Server,
    Tracing,
)
from strowger.config.validate import Problem

PRESETS = {"alpha": Preset(dialect="openai_chat", base_url="https://api.alpha.test/v1", key_env=("ALPHA_API_KEY",))}
X = ProviderConfig(dialect="openai_chat", base_url="https://x.test/v1")
CLAUDE = ProviderConfig(dialect="anthropic", base_url="https://api.anthropic.com")


def errors(config: Config) -> list[Problem]:
    return list(checks.errors(config, PRESETS))


def of_provider(provider: ProviderConfig, name: str = "x") -> list[str]:
    return [problem.message for problem in errors(Config(providers={name: provider}))]


def changed(provider: ProviderConfig = X, **fields: object) -> ProviderConfig:
    whole: Mapping[str, object] = {"dialect": provider.dialect, "base_url": provider.base_url, **fields}
    return ProviderConfig(**whole)  # type: ignore[arg-type]


def test_a_right_configuration_has_no_problem() -> None:
    """What the documentation shows passes."""
    config = Config(
        server=Server(bind="0.0.0.0", allow_external_bind=True, client_token=parse_reference("env:T")),
        providers={"x": changed(auth=parse_reference("env:K")), "c": changed(CLAUDE, auth=parse_reference("client"))},
        routes=(RouteConfig(match=Match(model="*"), to="x", fallback=("c:claude-opus-5",)),),
        aliases={"fast": "x:m:latest"},
    )
    assert not errors(config)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "[::]"])
def test_external_binds_need_both_permission_and_token(bind: str) -> None:
    """Anything but loopback is refused until both are there, and the message says what is missing."""
    token = parse_reference("env:T")
    assert "`allow_external_bind = true` and a `client_token`" in errors(Config(server=Server(bind=bind)))[0].message
    permitted = errors(Config(server=Server(bind=bind, allow_external_bind=True)))[0]
    assert "needs a `client_token`" in permitted.message
    assert "`strowger config token` makes one" in (permitted.hint or "")
    assert errors(Config(server=Server(bind=bind, client_token=token)))[0].path == ("server", "bind")
    assert not errors(Config(server=Server(bind=bind, client_token=token, allow_external_bind=True)))
    assert (
        "needs a `client_token` in `[server]`"
        in errors(Config(proxy=Proxy(bind=bind, allow_external_bind=True)))[0].message
    )
    assert errors(Config(proxy=Proxy(bind=bind)))[0].path == ("proxy", "bind")
    allowed = Proxy(bind=bind, allow_external_bind=True)
    assert not errors(Config(server=Server(client_token=token), proxy=allowed))


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "my-host"])
def test_loopback_and_names_pass(bind: str) -> None:
    """Loopback is free; a name is looked up at the start, not here."""
    assert not errors(Config(server=Server(bind=bind)))


@pytest.mark.parametrize("bind", ["", "*"])
def test_no_address(bind: str) -> None:
    """What means `everywhere` to some servers is refused."""
    assert errors(Config(server=Server(bind=bind)))


def test_the_client_token_is_a_secret_of_ours() -> None:
    """`client` is no token."""
    assert errors(Config(server=Server(client_token=parse_reference("client"))))[0].path == ("server", "client_token")


@pytest.mark.parametrize(
    "provider, message",
    [
        (ProviderConfig(), "needs a `preset`, or `base_url` and `dialect`"),
        (ProviderConfig(preset="alhpa"), "there is no preset `alhpa`"),
        (changed(base_url="ftp://x"), "must be an http or https URL"),
        (changed(base_url="x.test/v1"), "must be an http or https URL"),
        (changed(base_url="https://a.test\\@b.test"), "must be an http or https URL"),
        (changed(base_url="https://a.test:port"), "must be an http or https URL"),
        (changed(base_url="https://me:planted@x.test"), "must not hold a user or a password"),
        (changed(base_url="https://x.test/v1?key=1"), "must end with its path"),
        (changed(base_url="demo:"), "must be an http or https URL"),
        (changed(auth_header="X Key"), "name of a header"),
        (changed(auth=parse_reference("client")), "is for Anthropic's own hosts only"),
        (changed(auth=literal("sk-ant-planted")), "an Anthropic key must not be sent to provider `x`"),
        (changed(headers={"x-api-key": literal("sk-ant-planted")}), "an Anthropic key must not be sent"),
        (changed(headers={"a b": literal("v")}), "no name of a header"),
        (changed(headers={"a": literal("v\r\nb: c")}), "must be a single line"),
        (changed(capabilities={"imges": True}), "`imges` is unknown"),
        (changed(capabilities={"images": "yes"}), "`providers.x.capabilities.images` must be true or false"),
        (changed(capabilities={"thinking": "lots"}), '`capabilities.thinking` must be one of "effort"'),
    ],
)
def test_bad_providers(provider: ProviderConfig, message: str) -> None:
    """Each slip in a provider's table is one problem, and no secret is in it."""
    (found,) = of_provider(provider)
    assert message in found
    assert "planted" not in found


def test_provider_names() -> None:
    """`:` and `/` separate provider and model, so a name cannot hold them."""
    assert not of_provider(X, "my.own_one-2")
    assert of_provider(X, "a:b") == ["`a:b` is no name for a provider"]


def test_near_miss_of_a_preset() -> None:
    """A table whose name is almost that of a preset, and that has no address, most likely meant it."""
    (found,) = errors(Config(providers={"alpah": ProviderConfig()}))
    assert found.hint == "did you mean the preset `alpha`?"


def test_capabilities_of_the_right_type_pass() -> None:
    """Every capability that is known can be overridden."""
    assert not of_provider(
        changed(capabilities={"images": False, "efforts": ["low"], "thinking": "none", "origin": "o"})
    )


@pytest.mark.parametrize(
    "route, path, message",
    [
        (RouteConfig(match=Match(), to="x"), ("routes", 0, "match"), "needs a condition"),
        (RouteConfig(match=Match(model="*"), to="xx"), ("routes", 0, "to"), "leads to `xx`"),
        (RouteConfig(match=Match(model="*"), to="x:"), ("routes", 0, "to"), "names no model after `x:`"),
        (RouteConfig(match=Match(model="*"), to="x", fallback=("x:m", "y:m")), ("routes", 0, "fallback", 1), "`y`"),
    ],
)
def test_bad_routes(route: RouteConfig, path: tuple[object, ...], message: str) -> None:
    """A route must match something and lead somewhere, and so must each fallback."""
    (found,) = errors(Config(providers={"x": X}, routes=(route,)))
    assert found.path == path
    assert message in found.message


@pytest.mark.parametrize("match", [Match(request_class="main"), Match(agent="Explore"), Match(subagent=False)])
def test_one_condition_is_enough(match: Match) -> None:
    """A route may match by hints alone."""
    assert not errors(Config(providers={"x": X}, routes=(RouteConfig(match=match, to="x"),)))


def test_bad_aliases() -> None:
    """An alias names a configured provider and a model."""
    found = errors(Config(providers={"here": X}, aliases={"a": "here", "b": "hre:m", "c": "here:m"}))
    assert [(problem.path, problem.hint) for problem in found] == [
        (("aliases", "a"), 'such as a = "provider:model"'),
        (("aliases", "b"), "did you mean `here`?"),
    ]


@pytest.mark.parametrize(
    "url, is_theirs",
    [
        ("https://api.anthropic.com", True),
        ("https://API.Anthropic.com/v1", True),
        ("https://anthropic.com:443", True),
        ("https://api.anthropic.com./", True),
        ("https://platform.claude.com/x", True),
        ("http://api.anthropic.com", False),
        ("https://anthropic.com.evil.test", False),
        ("https://notanthropic.com", False),
        ("https://api.anthropic.com@evil.test", False),
        ("https://evil.test\\@api.anthropic.com", False),
        ("https://evil.test#.anthropic.com", False),
        ("https://evil.test/?.anthropic.com", False),
        ("http://127.0.0.1:4000", False),
        ("https://localhost", False),
        ("https://", False),
        ("", False),
    ],
)
def test_anthropics_own_hosts(url: str, is_theirs: bool) -> None:
    """https to anthropic.com or claude.com or below; look-alikes, plain http and loopback are not Anthropic."""
    assert checks.is_anthropic_url(url) is is_theirs


def test_a_test_may_name_an_origin() -> None:
    """An entry with a scheme stands for exactly that origin."""
    hosts = ("http://127.0.0.1:81",)
    assert checks.is_anthropic_url("http://127.0.0.1:81/v1", hosts)
    assert not checks.is_anthropic_url("http://127.0.0.1:82/v1", hosts)
    assert not checks.is_anthropic_url("https://api.anthropic.com", hosts)


@pytest.mark.parametrize(
    "host, is_it",
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("x", False),
    ],
)
def test_loopback(host: str, is_it: bool) -> None:
    """Loopback is what the system keeps to itself."""
    assert checks.is_loopback(host) is is_it


def test_a_budget_warns_before_it_stops() -> None:
    """A warning that nobody could ever hear is a mistake; at the same sum both are heard."""
    budgets = Budgets(session=Budget(warn=9, stop=5), day=Budget(warn=5, stop=5), profile=Budget(warn=9))
    (found,) = errors(Config(providers={"x": X}, budgets=budgets))
    assert (found.path, found.message) == (
        ("budgets", "session", "warn"),
        "`budgets.session` stops at $5, before it warns at $9",
    )


@pytest.mark.parametrize(
    "endpoint, message",
    [
        ("ftp://collector", "must be an http or https URL"),
        ("collector:4317", "must be an http or https URL"),
        ("http://", "must be an http or https URL"),
        ("http://collector:4318/?key=1", "must end with its path"),
        ("http://collector:4318/v1/traces", "is for spans and for metrics"),
        ("http://127.0.0.1:4318", ""),
        ("https://collector.example/otlp/", ""),
    ],
)
def test_where_spans_go(endpoint: str, message: str) -> None:
    """A collector's base URL: OTLP over HTTP, for all signals."""
    found = errors(Config(providers={"x": X}, tracing=Tracing(endpoint=endpoint)))
    assert [problem.path for problem in found] == ([("tracing", "endpoint")] if message else [])
    assert all(message in problem.message for problem in found)


def test_warnings() -> None:
    """An open door and a key in clear text deserve a word each; a clear-text local server does not."""
    key = parse_reference("env:K")
    config = Config(
        server=Server(bind="0.0.0.0", allow_external_bind=True, client_token=key),
        proxy=Proxy(bind="0.0.0.0", allow_external_bind=True),
        providers={
            "far": changed(base_url="http://10.0.0.1", auth=key),
            "near": changed(base_url="http://localhost:1", auth=key),
            "free": changed(base_url="http://10.0.0.1"),
        },
    )
    assert [problem.path for problem in checks.warnings(config, PRESETS)] == [
        ("server", "allow_external_bind"),
        ("proxy", "allow_external_bind"),
        ("providers", "far", "base_url"),
    ]


def test_secrets_are_found() -> None:
    """Token, keys and header values are all secrets to resolve."""
    config = Config(
        server=Server(client_token=literal("a")),
        providers={"x": changed(auth=literal("b"), headers={"h": literal("c")})},
    )
    assert [path for path, _ in checks.secrets_in(config)] == [
        ("server", "client_token"),
        ("providers", "x", "auth"),
        ("providers", "x", "headers", "h"),
    ]
