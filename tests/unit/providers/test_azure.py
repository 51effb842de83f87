"""Azure's addresses."""

from __future__ import annotations

import pytest

from strowger.config.schema import DialectName, ProviderConfig
from strowger.providers.azure import AzureTerms
from strowger.providers.base import build_provider
from strowger.providers.presets import PRESETS
from strowger.providers.terms import Facts, Purpose
from strowger.upstreams.base import Outgoing

HOST = "https://mine.openai.azure.com"


def url(dialect: DialectName, path: str, purpose: Purpose, version: str | None, model: str = "a/b") -> str:
    config = ProviderConfig(dialect=dialect, base_url=f"{HOST}/openai/v1", api_version=version)
    out = Outgoing("POST", f"{HOST}/openai/v1{path}", (), b"{}")
    return AzureTerms(config).outgoing(out, Facts(purpose=purpose, model=model), ()).url.removeprefix(HOST)


@pytest.mark.parametrize(
    "dialect, path, purpose, expected",
    [
        ("openai_chat", "/chat/completions", "call", "/openai/deployments/a%2Fb/chat/completions?api-version=v%261"),
        ("openai_chat", "/models", "models", "/openai/models?api-version=v%261"),
        ("openai_responses", "/responses", "call", "/openai/responses?api-version=v%261"),
        ("openai_responses", "/responses/r1?x=1", "stored", "/openai/responses/r1?x=1&api-version=v%261"),
    ],
)
def test_addresses(dialect: DialectName, path: str, purpose: Purpose, expected: str) -> None:
    """With a version those of the older API, without one those that OpenAI has."""
    assert url(dialect, path, purpose, "v&1") == expected
    assert url(dialect, path, purpose, None) == f"/openai/v1{path}"


def test_both_dialects_of_a_resource() -> None:
    """The address of one's own resource is still the preset's, so a client of Responses is served in Responses."""
    preset = PRESETS["azure"]
    config = ProviderConfig(
        preset="azure", dialect="openai_chat", base_url=preset.address({"resource": "mine"}), resource="mine"
    )
    provider = build_provider("azure", config, env={})
    assert provider.speaking("openai_responses").url == f"{HOST}/openai/v1/responses"
    assert provider.speaking("anthropic").dialect == "openai_responses"
