"""References to secrets: how they are read, and that they never give a secret away."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from strowger.config.references import BadReference, Secret, SecretRef, literal, looks_sensitive, parse_reference

PLANTED = "planted-8c1f0e"


@pytest.mark.parametrize(
    "written, expected",
    [
        ("env:OPENAI_API_KEY", SecretRef("env", target="OPENAI_API_KEY")),
        ("file:~/.secrets/key", SecretRef("file", target="~/.secrets/key")),
        ("file:creds.json#a.b", SecretRef("file", target="creds.json", path="a.b")),
        ("command:pass show 'my key'", SecretRef("command", args=("pass", "show", "my key"))),
        ("client", SecretRef("client")),
        ({"env": "A_KEY"}, SecretRef("env", target="A_KEY")),
        ({"file": "c#1.json", "path": "x"}, SecretRef("file", target="c#1.json", path="x")),
        ({"command": "op read x", "path": "t.0"}, SecretRef("command", args=("op", "read", "x"), path="t.0")),
        ({"command": ["op", "read a"]}, SecretRef("command", args=("op", "read a"))),
        (PLANTED, literal(PLANTED)),
    ],
)
def test_forms(written: object, expected: SecretRef) -> None:
    """Every documented form of a reference is understood."""
    assert parse_reference(written) == expected


@pytest.mark.parametrize(
    "written, part",
    [
        ("env:sk-planted-8c1f0e", "name of an environment variable"),
        ("env:", "name of an environment variable"),
        ("file:", "followed by a path"),
        ("command:", "followed by a command"),
        ("command:pass 'show", "unbalanced quote"),
        ("vault:planted-8c1f0e", "`vault:` is no kind of reference"),
        ("keychain:planted-8c1f0e", "followed by a service and an account"),
        ("login:", "followed by the issuer"),
        ("", "empty"),
        (7, "expected a secret reference"),
        ({}, "exactly one"),
        ({"env": "A", "file": "b"}, "exactly one"),
        ({"env": "A", "path": "b"}, "not with `env`"),
        ({"env": 1}, "must be a string"),
        ({"file": "a", "path": 1}, "must be a string"),
        ({"envv": "A"}, "`envv` is unknown"),
    ],
)
def test_bad_forms(written: object, part: str) -> None:
    """What is no reference is refused with the reason, and what was written is not repeated: it may be the key."""
    with pytest.raises(BadReference) as caught:
        parse_reference(written)
    assert part in caught.value.message
    assert PLANTED not in f"{caught.value} {caught.value.hint}"


def test_header_values_are_mostly_text() -> None:
    """A header value is a reference only with a known prefix; a URL or a name with a colon is plain text."""
    assert parse_reference("https://example.com/app", lenient=True).literal == Secret("https://example.com/app")
    assert parse_reference("client", lenient=True).kind == "literal"
    assert parse_reference("env:TITLE", lenient=True).kind == "env"


def test_a_secret_is_never_seen() -> None:
    """Neither repr, str, a format, pickle nor an encoder brings a secret to light."""
    secret = Secret(PLANTED)
    reference = literal(PLANTED)
    assert PLANTED not in f"{secret} {secret!r} {secret:>40} {[secret]} {reference} {reference!r} {reference.text}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(reference)
    assert secret.reveal() == PLANTED


def test_secrets_compare_by_value() -> None:
    """Two secrets are equal when their texts are, so a source can tell a new key from the old one."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


@pytest.mark.parametrize(
    "written, shown",
    [
        ("env:A_KEY", "env:A_KEY"),
        ("file:/x#a.b", "file:/x#a.b"),
        ({"command": "op read 'a b'", "path": "t"}, "command:op read 'a b' (path t)"),
        ("client", "client"),
        (PLANTED, "***"),
    ],
)
def test_shown_text(written: object, shown: str) -> None:
    """A reference is shown as it would be written; a literal is masked."""
    assert parse_reference(written).text == shown


def test_sensitive_header_names() -> None:
    """Headers whose names sound secret are recognised."""
    assert all(map(looks_sensitive, ("X-Api-Key", "authorization", "x-access-token", "Cookie")))
    assert not any(map(looks_sensitive, ("HTTP-Referer", "X-Title", "user-agent")))


@pytest.mark.parametrize("text, target", [("aws", ""), ("aws:work", "work")])
def test_aws(text: str, target: str) -> None:
    """The default chain, or a profile; in a header's value it is a word like any other."""
    reference = parse_reference(text)
    assert (reference.kind, reference.target, reference.text) == ("aws", target, text)
    assert parse_reference(text, lenient=True).kind == "literal"
