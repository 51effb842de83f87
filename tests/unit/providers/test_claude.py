"""What clouds want of a Messages request, at its edges."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.providers.claude import add_betas, enveloped, known_betas
from strowger.upstreams.base import Outgoing


def out(body: bytes, **headers: str) -> Outgoing:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Outgoing("POST", "https://x.test", lines, body)


@pytest.mark.parametrize(
    "version, expected",
    [(None, b'"own"'), ("2023-06-01", b'"own"'), ("2026-10-21", b'"2026-10-21"')],
)
def test_versions(version: str | None, expected: bytes) -> None:
    """The old ones have a name of the cloud's own, newer ones the same name everywhere."""
    sent = enveloped(out(b"{}", **({"Anthropic_Version": version} if version else {})), "own")
    assert sent is not None
    assert bytes(sent.members["anthropic_version"]) == expected


def test_members_stay_byte_for_byte() -> None:
    """Only the model goes."""
    sent = enveloped(out(b'{"model":"m","a" : { "b":1.0 },"stream": true,"anthropic_version":"x"}'), "own")
    assert sent is not None
    assert sent.stream
    assert sent.members == {"a": Raw(b'{ "b":1.0 }'), "stream": Raw(b"true"), "anthropic_version": Raw(b'"x"')}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":', b"\xff"])
def test_what_is_no_object(body: bytes) -> None:
    """Is nothing to change."""
    assert enveloped(out(body), "own") is None


def test_betas() -> None:
    """Known ones, once each, in their order, some under another name."""
    said = out(b"", ANTHROPIC_BETA="b-2,x-1, a-1 ,advanced-tool-use-2025-11-20,b-2")
    assert known_betas(said, ("a-", "b-", "tool-search-"), {}) == ["b-2", "a-1", "tool-search-tool-2025-10-19"]
    assert known_betas(out(b""), ("a-",), {}) == []


def test_both_halves_or_neither() -> None:
    """What a beta announces goes with it; what nobody announced stays, for the cloud to refuse."""
    said = out(b"", anthropic_beta="dangerous-tool-use-2026-09-03,thinking-display-2026-01-01")
    members = {
        "safeguards": Raw(b"[]"),
        "mcp_servers": Raw(b"[]"),
        "thinking": Raw(b'{"type":"enabled","display":"updates"}'),
    }
    assert known_betas(said, ("a-",), members) == []
    assert members == {"mcp_servers": Raw(b"[]"), "thinking": Raw(b'{"type":"enabled"}')}


@pytest.mark.parametrize("thinking", [b'{"display":"omitted"}', b'{"display":1}', b"[]", b"{}"])
def test_an_ordinary_display_stays(thinking: bytes) -> None:
    """And so does what is none."""
    members = {"thinking": Raw(thinking)}
    known_betas(out(b"", anthropic_beta="thinking-display-1"), ("a-",), members)
    assert bytes(members["thinking"]) == thinking


def test_betas_in_the_body() -> None:
    """Behind those that are there; where nothing is known, nothing is named; what is no list stays."""
    members: dict[str, Raw] = {}
    add_betas(members, [])
    assert not members
    add_betas(members, ["a"])
    add_betas(members, ["a", "b"])
    assert members == {"anthropic_beta": Raw(b'["a","b"]')}
    odd = {"anthropic_beta": Raw(b'"x"')}
    add_betas(odd, ["a"])
    assert odd == {"anthropic_beta": Raw(b'"x"')}
