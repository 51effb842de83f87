"""Addresses of other programs as ours."""

from __future__ import annotations

import pytest

from strowger.config.importers.hosts import Address, address, named_like, preset_of, settled
from strowger.providers.presets import PRESETS


@pytest.mark.parametrize(
    "url, base, dialect",
    [
        ("https://h.example/v1/chat/completions", "https://h.example/v1", "openai_chat"),
        ("https://h.example/v1/responses", "https://h.example/v1", "openai_responses"),
        ("https://h.example/anthropic/v1/messages", "https://h.example/anthropic", "anthropic"),
        ("https://h.example/v1beta/models/", "https://h.example/v1beta", "gemini"),
        ("https://h.example/v1", "https://h.example/v1", "openai_chat"),
    ],
)
def test_end_of_the_url(url: str, base: str, dialect: str) -> None:
    """The end of a call's URL tells the dialect, and is no part of the address."""
    found = address(url)
    assert found is not None
    assert (found.base_url, found.dialect) == (base, dialect)


@pytest.mark.parametrize(
    "url", [None, "", "host", "ftp://h.example", "https://", "https://a b", "http://[", "https://h:x"]
)
def test_no_url(url: str | None) -> None:
    """What is no URL of a host is no address."""
    assert address(url) is None


def test_presets() -> None:
    """A preset is known by host, path and dialect, with or without /v1; the loopback address is localhost."""
    assert preset_of(Address("https://api.deepseek.com", "openai_chat"), "x", PRESETS) == "deepseek"
    assert preset_of(Address("https://api.deepseek.com/anthropic", "anthropic"), "x", PRESETS) == "deepseek-anthropic"
    assert preset_of(Address("http://127.0.0.1:11434/v1", "openai_chat"), "x", PRESETS) == "ollama"
    assert preset_of(Address("https://api.deepseek.com.evil.example", "openai_chat"), "x", PRESETS) is None


def test_without_a_path() -> None:
    """A Chat service without a path is given by its whole URL, unless a preset knows it."""
    assert (
        settled(Address("https://h.example", "openai_chat"), PRESETS).base_url == "https://h.example/chat/completions"
    )
    assert settled(Address("https://api.deepseek.com", "openai_chat"), PRESETS).base_url == "https://api.deepseek.com"


def test_globs() -> None:
    """Globs fit without regard to case."""
    assert named_like("GPT-5", "gpt-*")
    assert not named_like("x", "gpt-*")
