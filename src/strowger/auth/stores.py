"""Where a login lies: one JSON file for each, or the operating system's keychain with a file that says so.

A file is 0600 in a directory that is 0700, is replaced in one step, and is not believed when others could have read or
written it. Members of it that are not ours stay. Must not know when a login is refreshed, nor by whom it is used.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from strowger.auth.files import Stamp, make_private_dir, read_private, remove, stamp_of
from strowger.auth.issuers import ISSUERS, Holder
from strowger.auth.keychain import Keychain
from strowger.auth.oauth import Tokens
from strowger.config.paths import logins_dir
from strowger.config.private import left_behind, replace_file
from strowger.config.references import Secret
from strowger.errors import CredentialError, LoginNeeded

Storage = Literal["file", "keychain"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DEVICE = "device_id"


class Login(msgspec.Struct, frozen=True):
    """A login: what was granted, by whom, to whom, and when (unix seconds by our clock)."""

    issuer: str
    tokens: Tokens
    name: str = ""
    holder: Holder = Holder()
    obtained_at: float = 0.0
    refreshed_at: float = 0.0
    device_id: str = ""
    storage: Storage = "file"

    @property
    def label(self) -> str:
        """`codex`, or `codex/work`: as it is written in the configuration."""
        return f"{self.issuer}/{self.name}" if self.name else self.issuer


class Entry(msgspec.Struct, frozen=True):
    """A stored login as it is listed: the login, or what is wrong with it."""

    issuer: str
    name: str
    path: Path
    login: Login | None = None
    problem: CredentialError | None = None

    @property
    def label(self) -> str:
        """As in `Login.label`."""
        return f"{self.issuer}/{self.name}" if self.name else self.issuer


class Shelf(Protocol):
    """The place of one login, as a refresher sees it. Blocking: to be called from a thread."""

    @property
    def lock_path(self) -> Path:
        """The file to be locked while the login is read, refreshed and written back."""
        ...

    def stamp(self) -> Stamp | None:
        """Changes whenever what is stored may have changed; None when nothing is there."""
        ...

    def recover(self) -> None:
        """Finish what a killed process has begun to store, as far as it is whole. For whoever holds the lock."""
        ...

    def load(self) -> Login:
        """What is stored. Raises LoginNeeded when there is nothing, CredentialError when it cannot be used."""
        ...

    def save(self, login: Login) -> None:
        """Replace what is stored, in one step. Raises OSError or CredentialError; then the old one is still there."""
        ...


def login_command(issuer: str, name: str = "") -> str:
    """What the user types to log in."""
    return f"strowger login {issuer}" + (f" --name {name}" if name else "")


def check_name(name: str) -> None:
    """Raises CredentialError unless `name` may name a login."""
    if not _NAME.fullmatch(name):
        raise CredentialError(
            f"`{name}` cannot name a login", hint="letters, digits, `.`, `-` and `_`, at most 64 of them, such as work"
        )


class LoginStore:
    """The stored logins of one user. Blocking. `keychain` is only needed for logins that lie in it."""

    def __init__(self, env: Mapping[str, str], *, keychain: Keychain | None = None) -> None:
        """`env` says where the files are."""
        self._directory = logins_dir(env)
        self._keychain = keychain

    @property
    def directory(self) -> Path:
        """Where the files are."""
        return self._directory

    def shelf(self, issuer: str, name: str = "") -> LoginShelf:
        """The place of one login."""
        return LoginShelf(self, issuer, name)

    def path(self, issuer: str, name: str = "") -> Path:
        """The file of a login."""
        if name:
            check_name(name)
        return self._directory / (f"{issuer}.{name}.json" if name else f"{issuer}.json")

    def load(self, issuer: str, name: str = "") -> Login:
        """The stored login. Raises LoginNeeded when there is none, CredentialError when it cannot be used."""
        path = self.path(issuer, name)
        hint = login_command(issuer, name)
        data = read_private(path, hint=f"chmod 600 {path}, or log in again: {hint}")
        if data is None:
            raise LoginNeeded(f"there is no login for {_label(issuer, name)}", hint=hint)
        table = _decoded(data)
        if table is not None and table.get("storage") == "keychain":
            kept = _decoded(self._open_keychain().load(_label(issuer, name), str(table.get("generation", ""))))
            table = None if kept is None else {**table, **kept}
        login = None if table is None else _login(table, issuer, name)
        if login is None:
            raise LoginNeeded(f"the stored login {path} cannot be understood", hint=hint)
        return login

    def save(self, login: Login) -> None:
        """Store a login in place of the old one, in one step. Raises OSError or CredentialError."""
        path = self.path(login.issuer, login.name)
        make_private_dir(self._directory)
        data = read_private(path, hint=f"chmod 600 {path}")
        table = (_decoded(data) if data is not None else None) or {}
        before = str(table.get("generation", ""))
        tokens, about = _members(login)
        for member in (*tokens, "generation"):
            table.pop(member, None)
        if login.storage == "file":
            replace_file(path, _encoded({**table, **about, **tokens}))
        else:
            # The file is written last, and says which generation counts: whatever is cut short, one of them is whole.
            generation = uuid.uuid4().hex[:8]
            self._open_keychain().save(login.label, generation, msgspec.json.encode(tokens))
            replace_file(path, _encoded({**table, **about, "generation": generation}))
        if before:
            self._open_keychain().delete(login.label, before)

    def recover(self, issuer: str, name: str = "") -> None:
        """Put a login in its place that was written whole by a process that was killed before the last step.

        For whoever holds its lock. Where there is no login any more, none comes back.
        """
        path = self.path(issuer, name)
        newest = _refreshed_at(read_private(path, hint=f"chmod 600 {path}"))
        for left in left_behind(path) if newest is not None else ():
            try:
                found = _refreshed_at(read_private(left, hint=f"remove {left}"))
            except CredentialError:  # not one of ours, then
                continue
            if found is not None and newest is not None and found > newest:
                newest = found
                os.replace(left, path)

    def delete(self, issuer: str, name: str = "") -> bool:
        """Forget a login; False when there was none."""
        path = self.path(issuer, name)
        data = read_private(path, hint=f"remove {path} by hand")
        if data is None:
            return False
        table = _decoded(data) or {}
        for each in (path, *left_behind(path)):
            remove(each)
        if generation := str(table.get("generation", "")):
            self._open_keychain().delete(_label(issuer, name), generation)
        return True

    def list(self) -> list[Entry]:
        """Every stored login, those that cannot be used too."""
        found: list[Entry] = []
        try:
            paths = sorted(self._directory.glob("*.json"))
        except OSError:
            return []
        for path in paths:
            issuer, _, name = path.name.removesuffix(".json").partition(".")
            if issuer not in ISSUERS or (name and not _NAME.fullmatch(name)):
                continue
            try:
                found.append(Entry(issuer, name, path, login=self.load(issuer, name)))
            except CredentialError as error:
                found.append(Entry(issuer, name, path, problem=error))
        return found

    def device_id(self) -> str:
        """The id by which issuers know this machine: random, made once. Raises OSError or CredentialError."""
        path = self._directory / _DEVICE
        make_private_dir(self._directory)
        data = read_private(path, hint=f"remove {path}")
        text = data.decode("ascii", "replace").strip() if data is not None else ""
        if re.fullmatch(r"[0-9a-f-]{32,36}", text):
            return text
        fresh = str(uuid.uuid4())
        replace_file(path, f"{fresh}\n".encode())
        return fresh

    def _open_keychain(self) -> Keychain:
        if self._keychain is None:
            self._keychain = Keychain()
        return self._keychain


class LoginShelf:
    """The place of one login in a store."""

    def __init__(self, store: LoginStore, issuer: str, name: str = "") -> None:
        self._store = store
        self._issuer = issuer
        self._name = name
        self._path = store.path(issuer, name)

    @property
    def lock_path(self) -> Path:
        """A file beside the login's, which is never removed: two would else hold locks on different files."""
        return self._path.with_name(f"{self._path.name}.lock")

    def stamp(self) -> Stamp | None:
        """Of the file. A login in the keychain changes its file as well."""
        return stamp_of(self._path)

    def recover(self) -> None:
        """As `LoginStore.recover`."""
        self._store.recover(self._issuer, self._name)

    def load(self) -> Login:
        """As `LoginStore.load`."""
        return self._store.load(self._issuer, self._name)

    def save(self, login: Login) -> None:
        """As `LoginStore.save`."""
        self._store.save(login)


def _label(issuer: str, name: str) -> str:
    return f"{issuer}/{name}" if name else issuer


class _Stored(msgspec.Struct):
    """The members of the file that are ours."""

    access_token: str
    refresh_token: str = ""
    id_token: str = ""
    expires_at: float | None = None
    lifetime: float | None = None
    scope: str = ""
    account_id: str = ""
    user_id: str = ""
    email: str = ""
    plan: str = ""
    fedramp: bool = False
    obtained_at: float = 0.0
    refreshed_at: float = 0.0
    device_id: str = ""
    storage: Storage = "file"


def _login(table: Mapping[str, object], issuer: str, name: str) -> Login | None:
    try:
        it = msgspec.convert(table, _Stored)
    except msgspec.ValidationError:
        return None
    tokens = Tokens(
        access=Secret(it.access_token),
        refresh=Secret(it.refresh_token) if it.refresh_token else None,
        id_token=Secret(it.id_token) if it.id_token else None,
        expires_at=it.expires_at,
        lifetime=it.lifetime,
        scope=it.scope,
    )
    return Login(
        issuer=issuer,
        tokens=tokens,
        name=name,
        holder=Holder(it.account_id, it.user_id, it.email, it.plan, it.fedramp),
        obtained_at=it.obtained_at,
        refreshed_at=it.refreshed_at,
        device_id=it.device_id,
        storage=it.storage,
    )


def _refreshed_at(data: bytes | None) -> float | None:
    """When a login was refreshed that is in a file as a whole: a part of JSON is no JSON."""
    table = None if data is None else _decoded(data)
    moment = None if table is None else table.get("refreshed_at")
    return float(moment) if isinstance(moment, int | float) and not isinstance(moment, bool) else None


def _members(login: Login) -> tuple[dict[str, object], dict[str, object]]:
    """What is secret in a login, and what is about it."""
    tokens = login.tokens
    secret: dict[str, object] = {
        "access_token": tokens.access.reveal(),
        "refresh_token": tokens.refresh.reveal() if tokens.refresh else "",
        "id_token": tokens.id_token.reveal() if tokens.id_token else "",
    }
    about: dict[str, object] = {
        "issuer": login.issuer,
        "storage": login.storage,
        "expires_at": tokens.expires_at,
        "lifetime": tokens.lifetime,
        "scope": tokens.scope,
        **msgspec.structs.asdict(login.holder),
        "obtained_at": login.obtained_at,
        "refreshed_at": login.refreshed_at,
        "device_id": login.device_id,
    }
    return secret, about


def _decoded(data: bytes) -> dict[str, object] | None:
    try:
        value: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _encoded(table: Mapping[str, object]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(table), indent=2) + b"\n"
