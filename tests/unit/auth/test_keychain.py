"""The keychain, with a backend in memory."""

from __future__ import annotations

import sys

import pytest
from keyring.backends import fail
from keyring.errors import KeyringLocked, NoKeyringError, PasswordDeleteError

from strowger.auth.keychain import PIECE_CHARS, Keychain
from strowger.errors import CredentialError


class Ring:
    """A keyring of a dictionary, with the limit of the narrowest real one."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        # Windows: 2560 bytes of UTF-16.
        assert len(password.encode("utf-16-le")) <= 2560
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


class Shut(Ring):
    """A keyring that its user has not unlocked, or that is not there."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error


def test_a_key() -> None:
    """A key that the user has stored is read without blanks around it."""
    ring = Ring()
    ring.kept["openai", "me"] = " key\n"
    assert Keychain(ring).read("openai", "me") == "key"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_no_key(value: str | None) -> None:
    """What is not there, or empty, is named, with the command that stores it."""
    ring = Ring()
    if value is not None:
        ring.kept["openai", "me"] = value
    with pytest.raises(CredentialError) as caught:
        Keychain(ring).read("openai", "me")
    assert caught.value.message == "the keychain holds nothing for openai/me"
    assert caught.value.hint == "store it: keyring set openai me"


@pytest.mark.parametrize("size", [0, 1, PIECE_CHARS, PIECE_CHARS + 1, 7_777])
def test_long_secrets_are_kept_in_pieces(size: int) -> None:
    """A login comes back whole whatever its length, and leaves nothing behind."""
    ring = Ring()
    data = (b"0123456789:" * size)[:size]
    keychain = Keychain(ring)
    keychain.save("codex", "g1", data)
    keychain.save("codex", "g2", b"another")
    assert keychain.load("codex", "g1") == data
    keychain.delete("codex", "g1")
    assert keychain.load("codex", "g1") == b""
    assert keychain.load("codex", "g2") == b"another"
    keychain.delete("codex", "g2")
    assert ring.kept == {}


def test_a_missing_piece() -> None:
    """What is not whole is nothing; it can still be removed."""
    ring = Ring()
    keychain = Keychain(ring)
    keychain.save("codex", "g1", b"x" * 3000)
    del ring.kept["strowger", "codex#g1.1"]
    assert keychain.load("codex", "g1") == b""
    keychain.delete("codex", "g1")
    assert ring.kept == {}


@pytest.mark.parametrize("head", ["", "nonsense", "99999:x", "-1:x"])
def test_a_strange_piece(head: str) -> None:
    """What we did not write is not taken for a login, nor does it make anybody look for thousands of pieces."""
    ring = Ring()
    ring.kept["strowger", "codex#g1.0"] = head
    assert Keychain(ring).load("codex", "g1") == b""


def test_too_long() -> None:
    """There is an end to what is put into a keychain."""
    with pytest.raises(CredentialError, match="too long"):
        Keychain(Ring()).save("codex", "g1", b"x" * 100_000)


@pytest.mark.parametrize(
    "error, message",
    [
        (KeyringLocked("planted"), "the keychain refused: KeyringLocked"),
        (NoKeyringError(), "there is no keychain here"),
    ],
)
def test_a_keychain_that_refuses(error: Exception, message: str) -> None:
    """A keychain that is locked or missing is an error of ours, without the backend's words."""
    with pytest.raises(CredentialError) as caught:
        Keychain(Shut(error)).read("openai", "me")
    assert caught.value.message == message
    assert caught.value.hint
    assert "planted" not in caught.value.text


def test_without_any_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without a keychain the library's own answer to everything is understood."""
    monkeypatch.setattr("keyring.get_keyring", fail.Keyring)
    with pytest.raises(CredentialError, match="there is no keychain here"):
        Keychain().read("openai", "me")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is optional: without it the error says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(CredentialError) as caught:
        Keychain().read("openai", "me")
    assert caught.value.text == "the keychain needs the package `keyring` (hint: pip install 'strowger[keychain]')"
