"""Tokens in a JSON file that another program keeps: read where the configuration says, and written back to the same
places.

Whatever else is in the file stays as it is, byte for byte up to blanks: the order of members, numbers, the file's mode,
and the way it is indented. Blocking. Must not know when tokens are refreshed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from strowger.auth.files import Stamp, read_private, stamp_of
from strowger.auth.oauth import Tokens, iso
from strowger.auth.stores import Login
from strowger.config.private import replace_file
from strowger.config.references import Secret, TokenFile
from strowger.errors import CredentialError

ISSUER = "oauth"
"""What stands for the issuer's name in a login that came from such a file."""

# Unix seconds reach this in the year 5138; milliseconds did in 1973.
_FIRST_MILLISECONDS = 1e11
_DIGITS = re.compile(r"-?\d+(\.\d+)?")
_INDENT = re.compile(rb"[{\[]\r?\n( +)\S")

_Table = dict[str, msgspec.Raw]


class OAuthFile:
    """The place of the tokens in one file."""

    def __init__(self, path: Path, fields: TokenFile, *, locks: Path) -> None:
        """`locks` is a directory of ours: a lock beside the file may mean something to its owner."""
        # A link stays a link: what it leads to is replaced.
        self._path = Path(os.path.realpath(path.expanduser()))
        self._fields = fields
        self._locks = locks

    @property
    def path(self) -> Path:
        """The file itself, where links lead to it."""
        return self._path

    @property
    def lock_path(self) -> Path:
        """A file in our own directory, the same for everyone who names this file."""
        plain = re.sub(r"[^A-Za-z0-9.-]+", "_", str(self._path)).strip("_")
        return self._locks / f"{plain[-150:]}.lock"

    def stamp(self) -> Stamp | None:
        """Of the file."""
        return stamp_of(self._path)

    def recover(self) -> None:
        """Nothing: what lies beside another program's file need not be ours."""

    def load(self) -> Login:
        """The tokens in the file. Raises CredentialError."""
        data = self._read()
        table = _decoded(data)
        if table is None:
            raise CredentialError(f"the file {self._path} is not a JSON object", hint="is it the right one?")
        fields = self._fields
        access = _at(table, fields.access)
        if not isinstance(access, str) or not access:
            raise CredentialError(
                f"the file {self._path} has no string at `{fields.access}`",
                hint="`access` is a list of keys with dots between",
            )
        refresh = _at(table, fields.refresh) if fields.refresh else None
        tokens = Tokens(
            access=Secret(access),
            refresh=Secret(refresh) if isinstance(refresh, str) and refresh else None,
            expires_at=moment(_at(table, fields.expires)) if fields.expires else None,
        )
        return Login(ISSUER, tokens, name=self._path.name)

    def save(self, login: Login) -> None:
        """Write the tokens back, in one step. Raises OSError or CredentialError; then the file is as it was."""
        # Read as late as can be: its owner may have written something else to it.
        data = self._read()
        raw = _decoded_raw(data)
        if raw is None:
            raise CredentialError(f"the file {self._path} is not a JSON object any more")
        fields, tokens = self._fields, login.tokens
        _put(raw, fields.access, tokens.access.reveal())
        if fields.refresh and tokens.refresh is not None:
            _put(raw, fields.refresh, tokens.refresh.reveal())
        if fields.expires:
            old = _at(_decoded(data) or {}, fields.expires)
            _put(raw, fields.expires, written(tokens.expires_at, like=old))
        mode = stat.S_IMODE(self._path.stat().st_mode)
        replace_file(self._path, _formatted(msgspec.json.encode(raw), like=data), mode=mode)

    def _read(self) -> bytes:
        data = read_private(self._path, hint=f"chmod 600 {self._path}")
        if data is None:
            raise CredentialError(
                f"the file {self._path} is not there", hint="log in with the program that keeps its tokens in it"
            )
        return data


def moment(value: object) -> float | None:
    """An expiry in unix seconds, from seconds, milliseconds, or ISO 8601; None when it is none of these."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip()
        if not _DIGITS.fullmatch(value):
            try:
                date = datetime.fromisoformat(value)
            except ValueError:
                return None
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        value = float(value)
    if not isinstance(value, int | float):
        return None
    return value / 1000 if abs(value) >= _FIRST_MILLISECONDS else float(value)


def written(expires_at: float | None, *, like: object) -> int | float | str | None:
    """An expiry in the spelling of the one that it replaces; unix seconds where there was none."""
    if expires_at is None:
        return None
    if isinstance(like, str) and not _DIGITS.fullmatch(like.strip()):
        return iso(expires_at)
    is_text = isinstance(like, str)
    number = float(like) if isinstance(like, int | float | str) and not isinstance(like, bool) else 0.0
    whole = round(expires_at * 1000) if abs(number) >= _FIRST_MILLISECONDS else round(expires_at)
    return str(whole) if is_text else whole


def _at(table: Mapping[str, object], path: str) -> object:
    value: object = table
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _put(table: _Table, path: str, value: object) -> None:
    """Set what stands at a path; what is beside it stays as it was written."""
    key, _, rest = path.partition(".")
    if rest:
        inner = _decoded_raw(bytes(table[key])) if key in table else None
        inner = {} if inner is None else inner
        _put(inner, rest, value)
        value = inner
    table[key] = msgspec.Raw(msgspec.json.encode(value))


def _decoded(data: bytes) -> dict[str, object] | None:
    try:
        value: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _decoded_raw(data: bytes) -> _Table | None:
    try:
        return msgspec.json.decode(data, type=_Table)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _formatted(data: bytes, *, like: bytes) -> bytes:
    """Indented as another text is: by as many spaces, on one line with blanks, or without any."""
    indented = _INDENT.search(like)
    indent = len(indented.group(1)) if indented else 0 if re.search(rb'":\s', like) else -1
    return msgspec.json.format(data, indent=indent) + (b"\n" if like.endswith(b"\n") else b"")
