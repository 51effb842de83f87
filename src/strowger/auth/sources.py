"""Fetching what a secret reference leads to: a variable, a file, the output of a command, a literal.

What was fetched stays in memory until an upstream refuses it. Errors name the reference, never what was found. Must not
know which provider the secret is for beyond its name, nor where it is sent.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from strowger.auth.credential import Credential, CredentialKind
from strowger.config.checks import secrets_in
from strowger.config.layers import Loaded
from strowger.config.references import Secret, SecretRef
from strowger.config.validate import Problem
from strowger.errors import CredentialError

COMMAND_TIMEOUT_SECONDS = 5.0
# A key is short; whatever is larger is the wrong file.
MAX_SECRET_BYTES = 1024 * 1024


async def resolve(reference: SecretRef, *, env: Mapping[str, str], timeout: float = COMMAND_TIMEOUT_SECONDS) -> Secret:
    """The secret that a reference leads to. Raises CredentialError. `timeout` is in seconds and for commands."""
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
            text = await _run(reference, timeout)
        case _:
            raise CredentialError(
                "the client's own credential is not known here",
                hint='"client" is for `auth` of a provider at Anthropic',
            )
    return Secret(_pick(text, reference))


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
    ) -> None:
        """`owner` is named in errors (`provider x`); `timeout` is in seconds and for commands."""
        self._reference = reference
        self._header = header
        self._kind: CredentialKind = kind
        self._env = env
        self._owner = owner
        self._timeout = timeout
        self._known: Credential | None = None
        self._failure: CredentialError | None = None
        self._lock = anyio.Lock()

    def __repr__(self) -> str:
        return f"ReferenceSource({self._reference.text} → {self._header})"

    async def credential(self) -> Credential:
        """The credential, fetched on first use and after `invalidate`.

        A failure is for everyone who waited for that fetch, and is not remembered for calls that come later.
        """
        if self._known is not None:
            return self._known
        before = self._failure
        async with self._lock:
            if self._known is None:
                self._known = await self._fetch_unless_failed(before)
            return self._known

    def invalidate(self, used: Credential) -> bool:
        """Forget `used`, unless another call has already replaced it. Variables and literals cannot change."""
        if self._reference.kind not in {"file", "command"}:
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

    async def _fetch(self) -> Credential:
        try:
            secret = await resolve(self._reference, env=self._env, timeout=self._timeout)
        except CredentialError as error:
            if not self._owner:
                raise
            raise CredentialError(f"no credential for {self._owner}: {error.message}", hint=error.hint) from error
        return Credential(self._header, secret, self._kind)


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
    """Every reference of a configuration that leads nowhere now, tried one after another. Commands are run."""
    found: list[Problem] = []
    for path, reference in secrets_in(loaded.config):
        if reference.kind == "client":
            continue
        try:
            await resolve(reference, env=env)
        except CredentialError as error:
            name = ".".join(str(key) for key in path)
            found.append(Problem(path, f"`{name}`: {error.message}", error.hint, loaded.place(path)))
    return found


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
    except msgspec.DecodeError:
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
