"""The file in which Codex keeps its own login: read, never written.

Its refresh token is good once, and whoever uses it logs the other program out. Must not know our own store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from strowger.auth.files import MAX_SECRET_BYTES
from strowger.auth.issuers import life_of
from strowger.auth.oauth import Tokens
from strowger.config.references import Secret
from strowger.errors import CredentialError

_HINT = "strowger login codex makes a login of your own, which is better than a shared one"


class Copied(msgspec.Struct, frozen=True):
    """What was found: the tokens, and when Codex last renewed them (unix seconds; 0 when it does not say)."""

    tokens: Tokens
    account_id: str = ""
    refreshed_at: float = 0.0


class _Tokens(msgspec.Struct):
    access_token: str
    refresh_token: str = ""
    id_token: str = ""
    account_id: str | None = None


class _File(msgspec.Struct):
    tokens: _Tokens | None = None
    last_refresh: str | None = None
    OPENAI_API_KEY: str | None = None


def codex_file(env: Mapping[str, str]) -> Path:
    """Where Codex has it: `auth.json` in $CODEX_HOME, else in `~/.codex`."""
    home = env.get("CODEX_HOME") or "~/.codex"
    return Path(home).expanduser() / "auth.json"


def read_codex_file(path: Path) -> Copied:
    """The login in Codex's file. Blocking. Raises CredentialError; what is in the file is in no message."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError:
        raise CredentialError(f"there is no login of Codex at {path}", hint=_HINT) from None
    except OSError as error:
        raise CredentialError(f"the file {path} cannot be read: {error.strerror}", hint=_HINT) from None
    try:
        found = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CredentialError(f"the file {path} is not what Codex writes", hint=_HINT) from None
    if found.tokens is None or not found.tokens.access_token:
        if found.OPENAI_API_KEY:
            raise CredentialError(
                f"the file {path} holds an API key, and no login",
                hint=f'give it to a provider: auth = "file:{path}#OPENAI_API_KEY"',
            )
        raise CredentialError(f"the file {path} holds no login", hint=_HINT)
    it = found.tokens
    made, expires = life_of(it.access_token)
    tokens = Tokens(
        access=Secret(it.access_token),
        refresh=Secret(it.refresh_token) if it.refresh_token else None,
        id_token=Secret(it.id_token) if it.id_token else None,
        expires_at=expires,
        lifetime=expires - made if expires and made else None,
    )
    return Copied(tokens, it.account_id or "", _moment(found.last_refresh))


def _moment(text: str | None) -> float:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
