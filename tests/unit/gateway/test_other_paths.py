"""Where a path of which we know nothing is at a provider."""

from __future__ import annotations

import pytest

from strowger.config.schema import DialectName, ProviderConfig
from strowger.errors import BadRequest
from strowger.gateway.other_paths import address
from strowger.providers.base import Provider, build_provider


def at(dialect: DialectName, path: str) -> Provider:
    """A provider whose address has this path."""
    return build_provider("up", ProviderConfig(dialect=dialect, base_url=f"http://localhost{path}"), env={})


@pytest.mark.parametrize(
    "dialect, base, asked, found",
    [
        ("openai_chat", "/v1", "/v1/embeddings", "/v1/embeddings"),
        ("openai_chat", "", "/v1/embeddings", "/v1/embeddings"),
        ("openai_chat", "/api/paas/v4", "/v1/embeddings", "/api/paas/v4/embeddings"),
        ("openai_chat", "/v1", "/audio/speech", "/v1/audio/speech"),
        ("openai_responses", "/v1", "/v1/vector_stores", "/v1/vector_stores"),
        ("anthropic", "", "/v1/messages/batches", "/v1/messages/batches"),
        ("anthropic", "/anthropic/v1", "/v1/files", "/anthropic/v1/files"),
        ("gemini", "/v1beta", "/v1beta/cachedContents", "/v1beta/cachedContents"),
        ("gemini", "/v1beta", "/cachedContents/a:b", "/v1beta/cachedContents/a:b"),
        ("openai_chat", "/v1", "/v1/files/a b?c#d", "/v1/files/a%20b%3Fc%23d"),
        ("openai_chat", "/v1", "//elsewhere.example/x", "/v1/elsewhere.example/x"),
    ],
)
def test_the_address_is_completed_as_for_calls(dialect: DialectName, base: str, asked: str, found: str) -> None:
    """Whether the provider's address has its version in it or not; and it is always at that host."""
    assert address(at(dialect, base), asked) == f"http://localhost{found}"
    assert address(at(dialect, base), asked, "a=%26").endswith(f"{found}?a=%26")


@pytest.mark.parametrize("path", ["/v1/../secrets", "/..", "/v1/./x", "/v1/files/.."])
def test_dots_lead_nowhere(path: str) -> None:
    """Out of what the address is for there is nothing to be had."""
    with pytest.raises(BadRequest):
        address(at("openai_chat", "/v1"), path)
