"""A provider as built: URLs, credentials and where they go, capabilities and globs."""

from __future__ import annotations

import anyio
import pytest

from strowger.config.references import SecretRef, literal, parse_reference
from strowger.config.schema import Config, Preset, ProviderConfig
from strowger.errors import ConfigError, CredentialError
from strowger.providers.base import Provider, build_provider, build_providers, matches

PRESETS = {
    "alpha": Preset(
        dialect="openai_chat",
        base_url="https://alpha.test/v1",
        capabilities={"origin": "alpha", "images": False, "top_k": False},
        model_capabilities=(("a-*", {"images": True, "efforts": ("low",)}), ("a-b*", {"efforts": ("high",)})),
    )
}
ANTHROPIC_FAKE = "http://127.0.0.1:81"


def built(
    *,
    dialect: str = "openai_chat",
    base_url: str = "https://x.test/v1",
    env: dict[str, str] | None = None,
    anthropic_hosts: tuple[str, ...] = ("anthropic.com",),
    **fields: object,
) -> Provider:
    config = ProviderConfig(dialect=dialect, base_url=base_url, **fields)  # type: ignore[arg-type]
    return build_provider("x", config, env=env or {}, presets=PRESETS, anthropic_hosts=anthropic_hosts)


@pytest.mark.parametrize(
    "base_url, url, models_url",
    [
        ("https://x.test", "https://x.test/v1/chat/completions", "https://x.test/v1/models"),
        ("https://x.test/", "https://x.test/v1/chat/completions", "https://x.test/v1/models"),
        ("https://x.test/v1", "https://x.test/v1/chat/completions", "https://x.test/v1/models"),
        ("https://x.test/v1/", "https://x.test/v1/chat/completions", "https://x.test/v1/models"),
        ("https://x.test/v1/chat/completions", "https://x.test/v1/chat/completions", "https://x.test/v1/models"),
        ("https://x.test/chat/completions", "https://x.test/chat/completions", "https://x.test/models"),
        (
            "https://x.test/v1beta/openai/",
            "https://x.test/v1beta/openai/chat/completions",
            "https://x.test/v1beta/openai/models",
        ),
        ("https://x.test:8443/a/v4", "https://x.test:8443/a/v4/chat/completions", "https://x.test:8443/a/v4/models"),
        ("http://[::1]:80", "http://[::1]:80/v1/chat/completions", "http://[::1]:80/v1/models"),
    ],
)
def test_chat_urls(base_url: str, url: str, models_url: str) -> None:
    """A base with or without /v1 or a slash at its end, or the whole URL: never a double /v1; other paths are kept."""
    provider = built(base_url=base_url)
    assert (provider.url, provider.models_url, provider.count_tokens_url) == (url, models_url, "")


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/messages"])
@pytest.mark.parametrize("base", ["https://x.test", "https://x.test/anthropic"])
def test_messages_urls(base: str, path: str) -> None:
    """Anthropic's base is meant without /v1, but /v1 does no harm."""
    provider = built(dialect="anthropic", base_url=base + path)
    assert provider.base_url == base
    assert provider.url == f"{base}/v1/messages"
    assert provider.models_url == f"{base}/v1/models"
    assert provider.count_tokens_url == f"{base}/v1/messages/count_tokens"


@pytest.mark.parametrize(
    "fields, lines",
    [
        ({"auth": literal("k")}, {"authorization": "Bearer k"}),
        ({"dialect": "anthropic", "auth": literal("k")}, {"x-api-key": "k"}),
        ({"dialect": "anthropic", "auth": literal("k"), "auth_header": "Authorization"}, {"authorization": "Bearer k"}),
        ({"auth": literal("k"), "auth_header": "api-key"}, {"api-key": "k"}),
        ({"auth": parse_reference("env:K")}, {"authorization": "Bearer from-env"}),
        (
            {"headers": {"X-Title": literal("t"), "X-Org": parse_reference("env:K")}},
            {"x-title": "t", "x-org": "from-env"},
        ),
        ({}, {}),
    ],
)
def test_header_lines(fields: dict[str, object], lines: dict[str, str]) -> None:
    """Key and extra headers become header lines, in the dialect's style unless the configuration says otherwise."""
    provider = built(env={"K": "from-env"}, **fields)  # type: ignore[arg-type]

    async def main() -> dict[str, str]:
        return provider.header_lines(await provider.credentials({"authorization": "Bearer client-planted"}))

    assert anyio.run(main) == lines


def test_the_clients_credential_is_passed_through_on_demand_only() -> None:
    """With `auth = "client"` the client's headers go to Anthropic; without it they go nowhere."""
    client = {"authorization": "Bearer sk-ant-oat-planted", "x-api-key": "k"}
    through = built(
        dialect="anthropic", base_url=ANTHROPIC_FAKE, auth=SecretRef("client"), anthropic_hosts=(ANTHROPIC_FAKE,)
    )

    async def main() -> None:
        assert through.client_auth
        assert through.header_lines(await through.credentials(client)) == client
        with pytest.raises(CredentialError, match="sent no credential of its own"):
            await through.credentials({})

    anyio.run(main)


def test_an_anthropic_key_never_leaves_for_another_host() -> None:
    """Wherever the key came from (variable, client, extra header), the host decides when the header is written."""
    planted = "sk-ant-planted"
    for fields in (
        {"auth": parse_reference("env:K")},
        {"auth": SecretRef("client")},
        {"headers": {"x-other": parse_reference("env:K")}},
    ):
        provider = built(env={"K": planted}, dialect="anthropic", base_url="https://deepseek.test", **fields)

        async def main(provider: Provider = provider) -> None:
            credentials = await provider.credentials({"x-api-key": planted})
            with pytest.raises(CredentialError) as caught:
                provider.header_lines(credentials)
            assert planted not in caught.value.text
            assert planted not in f"{provider!r} {credentials!r}"

        anyio.run(main)


def test_the_url_of_this_request_decides() -> None:
    """Credentials for one URL are checked against that URL, not against the provider's own."""
    provider = built(
        dialect="anthropic", base_url=ANTHROPIC_FAKE, auth=literal("sk-ant-planted"), anthropic_hosts=(ANTHROPIC_FAKE,)
    )

    async def main() -> None:
        credentials = await provider.credentials()
        assert provider.header_lines(credentials)
        with pytest.raises(CredentialError):
            provider.header_lines(credentials, "http://127.0.0.1:82/v1/messages")

    anyio.run(main)


def test_invalidate_and_secrets(tmp_path: object) -> None:
    """After a refusal, a key from a file merits a replay, a literal does not; secrets in memory can be masked."""
    key = f"{tmp_path}/key"
    with open(key, "w", encoding="utf-8") as file:
        file.write("old-key")

    async def main() -> None:
        fixed = built(auth=literal("fixed"))
        assert not fixed.invalidate(await fixed.credentials())
        renewed = built(auth=parse_reference(f"file:{key}"), headers={"x-org": literal("org")})
        assert renewed.secrets() == ()
        used = await renewed.credentials()
        assert {secret.reveal() for secret in renewed.secrets()} == {"old-key", "org"}
        assert renewed.invalidate(used)
        assert [secret.reveal() for secret in renewed.secrets()] == ["org"]

    anyio.run(main)


def test_capabilities_layers() -> None:
    """Preset, then its rules for the model (later ones over earlier ones), then the configuration, for all models."""
    provider = built(preset="alpha", capabilities={"top_k": True, "service_tiers": ["flex"]})
    plain, a, ab = (provider.capabilities(model) for model in ("z", "a-1", "A-B"))
    assert (plain.images, plain.efforts, plain.top_k, plain.origin) == (False, (), True, "alpha")
    assert (a.images, a.efforts) == (True, ("low",))
    assert (ab.images, ab.efforts, ab.service_tiers) == (True, ("high",), ("flex",))


def test_what_the_user_says_beats_the_presets_rules() -> None:
    """An override of the configuration is not undone by a rule for the model."""
    assert built(preset="alpha", capabilities={"images": False}).capabilities("a-1").images is False


def test_an_unknown_service_is_its_own_origin() -> None:
    """Signed state of a service that we do not know is kept for that provider alone."""
    assert built().capabilities("m").origin == "x"


def test_an_unknown_service_is_taken_at_its_word() -> None:
    """From a host of which only the dialect is known nothing is held back; what the user says of it still counts."""
    found = built(dialect="anthropic", capabilities={"betas": False}).capabilities("m")
    assert (found.judges_itself, found.hosted_tools, found.betas) == (True, True, False)
    assert built(dialect="openai_chat").capabilities("m").judges_itself
    assert not built(preset="alpha").capabilities("m").judges_itself


def test_globs() -> None:
    """A provider serves the names that its globs fit, whatever their case."""
    provider = built(models=("gpt-*", "o[13]*"))
    assert all(map(provider.serves, ("gpt-5", "GPT-5", "o1", "o3-mini")))
    assert not any(map(provider.serves, ("o2", "my-gpt-5")))
    assert matches("*/*", "a/b")


def test_versions_are_sent_by_default() -> None:
    """Anthropic's API needs a version; a client that speaks another dialect has none."""
    assert built(dialect="anthropic").default_headers == (("anthropic-version", "2023-06-01"),)
    assert built().default_headers == ()


def test_what_cannot_be_built() -> None:
    """A provider without an address, the demo before it runs, or with impossible capabilities is a ConfigError."""
    with pytest.raises(ConfigError, match="needs a `preset`"):
        build_provider("x", ProviderConfig(), env={})
    with pytest.raises(ConfigError, match="has no address yet"):
        build_provider("demo", ProviderConfig(preset="demo", dialect="openai_chat", base_url="demo:"), env={})
    with pytest.raises(ConfigError, match="cannot be used"):
        built(capabilities={"images": "yes"})


def test_all_in_order() -> None:
    """Providers keep the order of the configuration, which is the order of implicit routes."""
    config = Config(
        providers={
            name: ProviderConfig(dialect="openai_chat", base_url=f"https://{name}.test", strict=name == "z")
            for name in ("z", "a")
        }
    )
    providers = build_providers(config, env={})
    assert list(providers) == ["z", "a"]
    assert providers["z"].strict
