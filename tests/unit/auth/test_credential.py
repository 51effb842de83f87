"""The gate through which a credential reaches the wire, and what hides it elsewhere."""

from __future__ import annotations

import pytest

from strowger.auth.credential import Credential, header_for, is_redacted, redact, redact_headers
from strowger.config.references import Secret
from strowger.errors import CredentialError

ANTHROPIC = "https://api.anthropic.com/v1/messages"
OTHER = "https://api.deepseek.com/anthropic/v1/messages"
PLANTED = "sk-ant-planted-8c1f0e"


def credential(value: str, header: str = "x-api-key", kind: str = "raw") -> Credential:
    return Credential(header, Secret(value), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("header, kind", [("x-api-key", "raw"), ("authorization", "bearer"), ("x-other", "raw")])
@pytest.mark.parametrize(
    "url",
    [
        OTHER,
        "http://api.anthropic.com/v1/messages",
        "http://127.0.0.1:4000/v1/messages",
        "http://localhost/v1/messages",
        "https://api.anthropic.com.evil.test/v1",
        "https://evil.test\\@api.anthropic.com/v1",
    ],
)
@pytest.mark.parametrize("value", [PLANTED, f"Bearer {PLANTED}"])
def test_an_anthropic_key_goes_to_anthropic_only(header: str, kind: str, url: str, value: str) -> None:
    """Whatever the header and the wrapping, `sk-ant-…` is refused elsewhere, and the error does not tell it."""
    with pytest.raises(CredentialError) as caught:
        header_for(credential(value, header, kind), url)
    assert "an Anthropic credential may not be sent to" in caught.value.message
    assert "planted" not in f"{caught.value.text} {caught.value!r}"


def test_an_anthropic_key_goes_to_anthropic() -> None:
    """To Anthropic's own hosts it goes as it is."""
    assert header_for(credential(PLANTED), ANTHROPIC) == ("x-api-key", PLANTED)


def test_the_clients_own_credential_goes_to_anthropic_only() -> None:
    """Whatever a client sent for Anthropic, also when it looks like nothing in particular, is for Anthropic."""
    own = credential("Bearer opaque-planted", "authorization", "client")
    assert header_for(own, ANTHROPIC) == ("authorization", "Bearer opaque-planted")
    with pytest.raises(CredentialError, match="the client's own credential may not be sent"):
        header_for(own, OTHER)


def test_tests_name_their_fakes() -> None:
    """A fake of Anthropic's API is an origin that a test gives; any other port stays foreign."""
    hosts = ("http://127.0.0.1:81",)
    assert header_for(credential(PLANTED), "http://127.0.0.1:81/v1/messages", anthropic_hosts=hosts)
    with pytest.raises(CredentialError):
        header_for(credential(PLANTED), "http://127.0.0.1:82/v1/messages", anthropic_hosts=hosts)


@pytest.mark.parametrize(
    "value, kind, written",
    [
        ("k", "bearer", "Bearer k"),
        ("Bearer k", "bearer", "Bearer k"),
        ("Basic abc=", "bearer", "Basic abc="),
        ("k", "raw", "k"),
    ],
)
def test_schemes(value: str, kind: str, written: str) -> None:
    """A bearer gets its scheme once; a secret that brings its own keeps it."""
    assert header_for(credential(value, "authorization", kind), OTHER) == ("authorization", written)


@pytest.mark.parametrize("value", ["", "planted\r\nx-evil: 1", "planted\n", "pl\x00anted", "plantedключ"])
def test_what_no_header_can_hold(value: str) -> None:
    """A line end would begin another header; such a secret is refused without being shown."""
    with pytest.raises(CredentialError) as caught:
        header_for(credential(value), OTHER)
    assert "planted" not in caught.value.text


def test_repr() -> None:
    """A credential can be printed without harm."""
    assert PLANTED not in f"{credential(PLANTED)} {credential(PLANTED)!r}"


def test_redact_given_secrets() -> None:
    """Known secrets are masked wherever they stand, the longest first; very short ones would mangle the text."""
    secrets = [Secret("planted"), Secret("planted-longer"), Secret("a")]
    assert redact("a planted-longer, a planted.", secrets) == "a ***, a ***."


@pytest.mark.parametrize(
    "text",
    [
        "key sk-ant-api03-planted8c1f0e failed",
        "sk-proj-planted_8c1f0e-1234",
        "gsk_planted8c1f0e12345",
        "AIzaSyPlanted8c1f0e-planted8c1f0e",
        "Authorization: Bearer planted.8c1f0e",
        'token "eyJwbGFudGVk.eyJwbGFudGVkIjox.planted-_8c1f0e"',
    ],
)
def test_redact_by_shape(text: str) -> None:
    """What is shaped like a vendor's key is masked although nobody named it."""
    assert "lanted" not in redact(text)
    assert "***" in redact(text)


def test_redact_leaves_text_alone() -> None:
    """Ordinary words stay."""
    text = "the task-sk-1 asked for Bearer tokens; xai-like ideas, ask-me-anything"
    assert redact(text) == text


def test_redact_headers() -> None:
    """Headers that carry credentials lose their value; rate limits on tokens keep theirs."""
    headers = [
        ("Authorization", "Bearer planted"),
        ("X-Api-Key", "planted"),
        ("x-goog-api-key", "planted"),
        ("Cookie", "planted"),
        ("X-Auth-Token", "planted"),
        ("anthropic-ratelimit-tokens-limit", "9"),
        ("x-note", "it is planted"),
    ]
    shown = redact_headers(headers, [Secret("planted")])
    assert "planted" not in str(shown)
    assert shown[-2:] == [("anthropic-ratelimit-tokens-limit", "9"), ("x-note", "it is ***")]
    assert not is_redacted("x-claude-code-session-id")
