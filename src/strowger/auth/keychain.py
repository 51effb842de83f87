"""The operating system's keychain, through the optional library `keyring`: imported when first used.

Some keychains hold but 1280 characters under one name (Windows), and a login is longer: it is cut into pieces.
Blocking. Must not know what it keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from strowger.errors import CredentialError

SERVICE = "strowger"
PIECE_CHARS = 1000
_MAX_PIECES = 64
_EXTRA = "pip install 'strowger[keychain]'"


class Ring(Protocol):
    """What we use of a keyring backend."""

    def get_password(self, service: str, username: str) -> str | None:
        """The password, or None."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Forget one; an error when there is none."""
        ...


class Keychain:
    """A keychain: the user's, unless `ring` is another."""

    def __init__(self, ring: Ring | None = None) -> None:
        """Opens nothing yet."""
        self._ring = ring

    def read(self, service: str, account: str) -> str:
        """One password, as any program may have stored it. Raises CredentialError."""
        found = self._get(service, account)
        if found is None or not found.strip():
            raise CredentialError(
                f"the keychain holds nothing for {service}/{account}",
                hint=f"store it: keyring set {service} {account}",
            )
        return found.strip()

    def save(self, label: str, generation: str, data: bytes) -> None:
        """Keep `data` under a label and a generation, in pieces."""
        text = data.decode()
        pieces = [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)] or [""]
        if len(pieces) > _MAX_PIECES:
            raise CredentialError("the login is too long for the keychain", hint="store it in a file instead")
        # The number of pieces stands before the first.
        pieces[0] = f"{len(pieces)}:{pieces[0]}"
        for number, piece in enumerate(pieces):
            with self._opened() as ring:
                ring.set_password(SERVICE, _account(label, generation, number), piece)

    def load(self, label: str, generation: str) -> bytes:
        """What was kept; empty when it is not there, or not whole."""
        count, _, text = (self._get(SERVICE, _account(label, generation, 0)) or "").partition(":")
        if not count.isdecimal() or int(count) > _MAX_PIECES:
            return b""
        pieces = [text]
        for number in range(1, int(count)):
            piece = self._get(SERVICE, _account(label, generation, number))
            if piece is None:
                return b""
            pieces.append(piece)
        return "".join(pieces).encode()

    def delete(self, label: str, generation: str) -> None:
        """Forget all pieces. That some are not there is no error."""
        count = (self._get(SERVICE, _account(label, generation, 0)) or "").partition(":")[0]
        pieces = int(count) if count.isdecimal() and int(count) <= _MAX_PIECES else 0
        # The first goes last: it says how many there are.
        for number in reversed(range(pieces)):
            if self._get(SERVICE, _account(label, generation, number)) is not None:
                with self._opened() as ring:
                    ring.delete_password(SERVICE, _account(label, generation, number))

    def _get(self, service: str, account: str) -> str | None:
        with self._opened() as ring:
            return ring.get_password(service, account)

    @contextmanager
    def _opened(self) -> Iterator[Ring]:
        """The backend; what it raises becomes a CredentialError. A given one needs the library for its errors only."""
        try:
            import keyring
            from keyring.errors import KeyringError, NoKeyringError
        except ImportError:
            raise CredentialError("the keychain needs the package `keyring`", hint=_EXTRA) from None
        if self._ring is None:
            self._ring = keyring.get_keyring()
        try:
            yield self._ring
        except NoKeyringError:
            raise CredentialError(
                "there is no keychain here", hint="start the desktop's secret service, or store the login in a file"
            ) from None
        except KeyringError as error:
            # Only the kind: what a backend writes may hold anything.
            raise CredentialError(f"the keychain refused: {type(error).__name__}", hint="unlock it") from None


def _account(label: str, generation: str, number: int) -> str:
    return f"{label}#{generation}.{number}"
