"""Fetching what a secret reference leads to: a variable, a file, the output of a command, the keychain, a login.

What was fetched stays in memory until an upstream refuses it, its file changes or its time is over. Errors name the
reference, never what was found. Must not know which provider the secret is for beyond its name, nor where it is sent.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from strowger.auth.aws import AwsSource
from strowger.auth.credential import AuthSource, Credential, CredentialKind, check_home
from strowger.auth.files import MAX_SECRET_BYTES, Stamp, stamp_of
from strowger.auth.issuers import Issuer, is_safe, issuer_for
from strowger.auth.keychain import Keychain
from strowger.auth.oauth import Exchange
from strowger.auth.oauth_file import ISSUER, OAuthFile
from strowger.auth.refreshing import OAuthSource, Spawn
from strowger.auth.stores import LoginStore
from strowger.config.checks import secrets_in
from strowger.config.layers import Loaded
from strowger.config.paths import state_dir
from strowger.config.references import Secret, SecretRef
from strowger.config.validate import Problem
from strowger.errors import CredentialError

COMMAND_TIMEOUT_SECONDS = 5.0
# When what is known cannot be renewed, it is used on, and this is how soon the next try may be.
_RETRY_SECONDS = 30.0


async def resolve(
    reference: SecretRef,
    *,
    env: Mapping[str, str],
    timeout: float = COMMAND_TIMEOUT_SECONDS,
    keychain: Keychain | None = None,
) -> Secret:
    """The secret that a reference leads to now, without refreshing it. Raises CredentialError.

    `timeout` is in seconds, and for commands that do not bring one of their own.
    """
    match reference.kind:
        case "literal" if reference.literal is not None:
            return reference.literal
        case "env":
            if value := env.get(reference.target, "").strip():
                return Secret(value)
            raise CredentialError(
                f"the environment variable {reference.target} is not set",
                hint=f"export {reference.target}=…, then start again",
            )
        case "file":
            text = await anyio.to_thread.run_sync(_read, reference)
        case "command":
            text = await _run(reference, reference.timeout or timeout)
        case "keychain":
            ring = keychain or Keychain()
            return Secret(await anyio.to_thread.run_sync(ring.read, reference.target, reference.account))
        case "login":
            store = LoginStore(env, keychain=keychain)
            issuer_for(reference.target, env)
            login = await anyio.to_thread.run_sync(store.load, reference.target, reference.account)
            return login.tokens.access
        case "aws":
            return (await AwsSource(reference.target).credential()).value
        case "oauth":
            return (await anyio.to_thread.run_sync(_token_file(reference, env).load)).tokens.access
        case _:
            raise CredentialError(
                "the client's own credential is not known here",
                hint='"client" is for `auth` of a provider at Anthropic',
            )
    return Secret(_pick(text, reference))


class Sources:
    """Makes auth sources of references. Those that lead to the same login are the same source, which is refreshed once.

    `exchange` sends a request to an issuer, `spawn` starts a task that outlives the call it was started in, `note` is
    told what an operator should know.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        exchange: Exchange,
        spawn: Spawn | None = None,
        note: Callable[[str], None] | None = None,
        keychain: Keychain | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` is in unix seconds."""
        self._env = env
        self._exchange = exchange
        self._spawn = spawn
        self._note = note
        self._keychain = keychain or Keychain()
        self._now = now
        self._made: dict[tuple[SecretRef, str, CredentialKind], OAuthSource] = {}

    def __call__(self, reference: SecretRef, header: str, kind: CredentialKind, owner: str = "") -> AuthSource:
        """The source for a reference. Raises CredentialError or ConfigError when there can be none."""
        if reference.kind == "aws":
            return AwsSource(reference.target, owner=owner)
        if reference.kind not in {"login", "oauth"}:
            return ReferenceSource(
                reference, header=header, kind=kind, env=self._env, owner=owner, keychain=self._keychain, now=self._now
            )
        key = (reference, header, kind)
        if key not in self._made:
            self._made[key] = self._login(reference, header, kind, owner)
        return self._made[key]

    def _login(self, reference: SecretRef, header: str, kind: CredentialKind, owner: str) -> OAuthSource:
        if reference.kind == "oauth":
            file = _token_file(reference, self._env)
            tokens = reference.tokens
            return OAuthSource(
                file,
                _asked(reference),
                exchange=self._exchange,
                spawn=self._spawn,
                header=header,
                kind=kind,
                owner=owner,
                hint=f"log in again with the program that keeps its tokens in {file.path}",
                client_secret=tokens.client_secret if tokens else None,
                scope=tokens.scope if tokens else "",
                note=self._note,
                now=self._now,
            )
        return OAuthSource(
            LoginStore(self._env, keychain=self._keychain).shelf(reference.target, reference.account),
            issuer_for(reference.target, self._env),
            exchange=self._exchange,
            spawn=self._spawn,
            header=header,
            kind=kind,
            owner=owner,
            note=self._note,
            now=self._now,
        )


class ReferenceSource:
    """An auth source over one reference. Several calls that need it at once cause one fetch, and share what comes of
    it.
    """

    def __init__(
        self,
        reference: SecretRef,
        *,
        header: str,
        kind: CredentialKind,
        env: Mapping[str, str],
        owner: str = "",
        timeout: float = COMMAND_TIMEOUT_SECONDS,
        keychain: Keychain | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` is named in errors (`provider x`). `timeout` is in seconds, for commands; `now` in unix seconds."""
        self._reference = reference
        self._header = header
        self._kind: CredentialKind = kind
        self._env = env
        self._owner = owner
        self._timeout = timeout
        self._keychain = keychain
        self._now = now
        self._monotonic = monotonic
        self._stamp: Stamp | None = None
        self._renew_in = float("inf")
        self._fetched = (0.0, 0.0)
        self._known: Credential | None = None
        self._failure: CredentialError | None = None
        self._lock = anyio.Lock()

    def __repr__(self) -> str:
        return f"ReferenceSource({self._reference.text} → {self._header})"

    async def credential(self) -> Credential:
        """The credential: fetched on first use, after `invalidate`, when its file has changed or its time is over.

        A failure is for everyone who waited for that fetch, and is not remembered for calls that come later. While
        there is one that nobody has refused, it is used on when it cannot be renewed.
        """
        known = self._known
        if known is not None and not self._is_stale():
            return known
        before = self._failure
        async with self._lock:
            if self._known is None:
                self._known = await self._fetch_unless_failed(before)
            elif self._is_stale():
                await self._renew()
            return self._known

    def invalidate(self, used: Credential) -> bool:
        """Forget `used`, unless another call has already replaced it. Variables and literals cannot change."""
        if self._reference.kind not in {"file", "command", "keychain"}:
            return False
        if self._known == used:
            self._known = None
        return True

    def known(self) -> Credential | None:
        """What is in memory now."""
        return self._known

    async def _fetch_unless_failed(self, before: CredentialError | None) -> Credential:
        """Fetch, unless a fetch has failed since `before` was the last failure: then that is the answer.

        Behind a command that hangs, each call would else wait for all before it.
        """
        if self._failure is not None and self._failure is not before:
            raise CredentialError(self._failure.message, hint=self._failure.hint)
        try:
            return await self._fetch()
        except CredentialError as error:
            # A copy: a raised error holds on to the frames that it went through.
            self._failure = CredentialError(error.message, hint=error.hint)
            raise

    def _is_stale(self) -> bool:
        """Whether what is known may no longer be what the reference leads to."""
        if self._reference.kind == "file":
            stamp = stamp_of(self._path())
            # A file that is gone is being replaced, or was meant to be read once.
            if stamp is not None and stamp != self._stamp:
                return True
        # The clock on the wall counts the time that a machine sleeps; the other one does not jump.
        wall, monotonic = self._fetched
        return max(self._now() - wall, self._monotonic() - monotonic) >= self._renew_in

    async def _renew(self) -> None:
        """Fetch again what is known. What cannot be had now is tried again later."""
        try:
            self._known = await self._fetch()
        except CredentialError:
            self._fetched = (self._now(), self._monotonic())
            if self._reference.kind == "command":
                self._renew_in = min(_RETRY_SECONDS, self._reference.refresh)

    async def _fetch(self) -> Credential:
        reference = self._reference
        # Looked at before it is read: whoever writes to it in between is noticed by the next call.
        stamp = stamp_of(self._path()) if reference.kind == "file" else None
        try:
            secret = await resolve(reference, env=self._env, timeout=self._timeout, keychain=self._keychain)
        except CredentialError as error:
            if not self._owner:
                raise
            raise CredentialError(f"no credential for {self._owner}: {error.message}", hint=error.hint) from error
        self._stamp, self._fetched = stamp, (self._now(), self._monotonic())
        self._renew_in = reference.refresh if reference.kind == "command" and reference.refresh else float("inf")
        return Credential(self._header, secret, self._kind)

    def _path(self) -> Path:
        return Path(self._reference.target).expanduser()


def source_for(
    reference: SecretRef,
    *,
    header: str,
    kind: CredentialKind,
    env: Mapping[str, str],
    owner: str = "",
    exchange: Exchange,
    spawn: Spawn | None = None,
    now: Callable[[], float] = time.time,
) -> AuthSource:
    """A source for one reference alone; `Sources` makes several."""
    return Sources(env, exchange=exchange, spawn=spawn, now=now)(reference, header, kind, owner)


def client_credentials(headers: Mapping[str, str]) -> tuple[Credential, ...]:
    """The credentials that a client sent with its request, whole; header names are lower case.

    Claude Code sends both headers when its key comes from an apiKeyHelper.
    """
    return tuple(
        Credential(name, Secret(headers[name]), "client")
        for name in ("authorization", "x-api-key", "x-goog-api-key")
        if headers.get(name)
    )


async def unreadable(loaded: Loaded, env: Mapping[str, str]) -> list[Problem]:
    """Every reference of a configuration that leads nowhere now, or to a key that its provider will not be sent, tried
    one after another. Commands are run.
    """
    found: list[Problem] = []
    for path, reference in secrets_in(loaded.config):
        if reference.kind == "client":
            continue
        try:
            secret = await resolve(reference, env=env)
            if path[0] == "providers":
                check_home(secret.reveal(), loaded.config.providers[str(path[1])].base_url or "")
        except CredentialError as error:
            name = ".".join(str(key) for key in path)
            found.append(Problem(path, f"`{name}`: {error.message}", error.hint, loaded.place(path)))
    return found


def _token_file(reference: SecretRef, env: Mapping[str, str]) -> OAuthFile:
    if reference.tokens is None:
        raise CredentialError("the reference does not say where in the file the tokens are")
    return OAuthFile(Path(reference.target), reference.tokens, locks=state_dir(env) / "locks")


def _asked(reference: SecretRef) -> Issuer:
    """Whom to ask for the tokens of a file."""
    tokens = reference.tokens
    url = tokens.token_url if tokens else ""
    if tokens is None or not is_safe(url):
        raise CredentialError(
            "`token_url` must be an https URL, or http on this machine", hint="refresh tokens travel to it"
        )
    return Issuer(
        name=ISSUER,
        title=f"the issuer of {reference.target}",
        base="",
        client_id=tokens.client_id,
        token=url,
        refresh_format=tokens.format,
    )


def _read(reference: SecretRef) -> str:
    path = Path(reference.target).expanduser()
    hint = "check the path and that you may read it"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise CredentialError(f"the file {path} cannot be read: {error.strerror}", hint=hint) from None
    if len(data) > MAX_SECRET_BYTES:
        raise CredentialError(f"the file {path} is too large to hold a secret", hint=hint)
    return _text(data, f"the file {path}")


async def _run(reference: SecretRef, timeout: float) -> str:
    program = reference.args[0]
    # Only the program is named: its arguments and what it wrote may hold secrets, and this error goes to the client.
    hint = "run the command by hand to see what it says"
    try:
        with anyio.fail_after(timeout):
            done = await anyio.run_process(
                list(reference.args), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    except TimeoutError:
        raise CredentialError(f"the command `{program}` gave no secret within {timeout:g} seconds", hint=hint) from None
    except OSError as error:
        raise CredentialError(f"the command `{program}` cannot be run: {error.strerror}", hint=hint) from None
    if done.returncode != 0:
        raise CredentialError(f"the command `{program}` failed with exit code {done.returncode}", hint=hint)
    return _text(done.stdout, f"the output of `{program}`")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialError(f"{what} is not text", hint="a secret must be UTF-8") from None


def _pick(text: str, reference: SecretRef) -> str:
    """The text itself without blanks around it, or what stands at the path in it as JSON."""
    what = f"the file {reference.target}" if reference.kind == "file" else f"the output of `{reference.args[0]}`"
    if not reference.path:
        if not text.strip():
            raise CredentialError(f"{what} is empty", hint="it must hold the secret and nothing else")
        return text.strip()
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CredentialError(f"{what} is not JSON", hint="leave `path` out if it holds just the secret") from None
    for key in reference.path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            value = None
    if not isinstance(value, str) or not value.strip():
        raise CredentialError(
            f"{what} has no string at `{reference.path}`", hint="`path` is a list of keys with dots between"
        )
    return value.strip()
