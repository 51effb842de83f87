"""Where a secret is to be found: `env:NAME`, `file:PATH#a.b`, `command:WORDS`, `keychain:SERVICE/ACCOUNT`,
`login:ISSUER`, a JSON file with tokens that are to be refreshed, `aws:PROFILE`, a literal, or the client's own.

A reference is data that can be shown; the secret behind it is fetched by the auth package. A literal is the one kind
that carries its secret along, so it is wrapped at once: neither `repr` nor an encoder can bring it to light. Must not
know how a secret is fetched or where it travels.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Literal

import msgspec

MASK = "***"

ReferenceKind = Literal["env", "file", "command", "keychain", "login", "oauth", "aws", "literal", "client"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z-]*):")
_LOGIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OAUTH_HINT = 'such as { oauth = "~/tokens.json", token_url = "https://…/token", client_id = "…" }'
_STYLES: Mapping[str, Literal["form", "json"]] = {"form": "form", "json": "json"}
_SENSITIVE_NAME = re.compile(r"key|token|secret|auth|cookie|password|credential", re.IGNORECASE)


class Secret:
    """A text that must not be seen. `repr`, `str`, f-strings and encoders get a constant; only `reveal` tells."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: call it where the bytes leave, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        raise TypeError("a secret cannot be pickled")


class TokenFile(msgspec.Struct, frozen=True, kw_only=True):
    """How to read and renew tokens that another program left in a JSON file: the way to each, and whom to ask.

    `access`, `refresh` and `expires` are keys with dots between; an empty one is not there. `format` is how the token
    endpoint wants to be asked.
    """

    access: str = "access_token"
    refresh: str = "refresh_token"
    expires: str = "expires_at"
    token_url: str
    client_id: str
    client_secret: Secret | None = None
    scope: str = ""
    format: Literal["form", "json"] = "form"


class SecretRef(msgspec.Struct, frozen=True):
    """One reference. `target` is the variable, the file, the keychain's service or the issuer of a login; `args` the
    command, `path` the way into a JSON answer, `account` the keychain's entry or the name of the login.

    `timeout` (0: the usual one) and `refresh` (0: until it is refused) are in seconds, for commands. `tokens` says how
    to renew what stands in a file of kind `oauth`.
    """

    kind: ReferenceKind
    target: str = ""
    args: tuple[str, ...] = ()
    path: str = ""
    literal: Secret | None = None
    account: str = ""
    timeout: float = 0.0
    refresh: float = 0.0
    tokens: TokenFile | None = None

    @property
    def text(self) -> str:
        """The reference as it may be shown; a literal is masked."""
        match self.kind:
            case "literal":
                return MASK
            case "client":
                return "client"
            case "aws":
                return f"aws:{self.target}" if self.target else "aws"
            case "command":
                return f"command:{shlex.join(self.args)}" + (f" (path {self.path})" if self.path else "")
            case "file":
                return f"file:{self.target}" + (f"#{self.path}" if self.path else "")
            case _:
                return f"{self.kind}:{self.target}" + (f"/{self.account}" if self.account else "")


class BadReference(ValueError):
    """The reference cannot be understood. Its text never holds what was written: that may be a secret."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_FORMS = (
    'write "env:NAME", "file:PATH", "command:WORDS", "keychain:SERVICE/ACCOUNT", "login:ISSUER", '
    'or a table such as { file = "…", path = "a.b" }'
)
# What may stand beside the member that says the kind.
_MEMBERS: Mapping[str, frozenset[str]] = {
    "env": frozenset(),
    "file": frozenset({"path"}),
    "command": frozenset({"path", "timeout_seconds", "refresh_seconds"}),
    "keychain": frozenset({"account"}),
    "login": frozenset({"account"}),
    "oauth": frozenset({"access", "refresh", "expires", "token_url", "client_id", "client_secret", "scope", "format"}),
}


def literal(value: str) -> SecretRef:
    """A reference that carries its own secret."""
    return SecretRef("literal", literal=Secret(value))


def parse_reference(value: object, *, lenient: bool = False) -> SecretRef:
    """Read a string or a table. Raises BadReference.

    `lenient` is for header values, which are mostly plain text: there, only a known prefix makes a reference.
    """
    if isinstance(value, str):
        return _parse_text(value, lenient=lenient)
    if isinstance(value, Mapping):
        return _parse_table({str(key): item for key, item in value.items()})
    raise BadReference("expected a secret reference", _FORMS)


def looks_sensitive(name: str) -> bool:
    """Whether a header of this name is likely to carry a secret, so that its literal value is not shown."""
    return _SENSITIVE_NAME.search(name) is not None


def _parse_text(value: str, *, lenient: bool) -> SecretRef:
    if value == "client" and not lenient:
        return SecretRef("client")
    scheme, _, rest = value.partition(":")
    match scheme:
        case "env":
            return _env(rest)
        case "file":
            target, _, path = rest.partition("#")
            return _file(target, path)
        case "command":
            return _command(rest, "")
        case "keychain":
            return _keychain(*rest.partition("/")[::2])
        case "login":
            return _login(*rest.partition("/")[::2])
        case "aws" if not lenient:
            return SecretRef("aws", target=rest.strip())
    if lenient:
        return literal(value)
    if not value.strip():
        raise BadReference("the secret is empty", _FORMS)
    if found := _SCHEME.match(value):
        raise BadReference(f"`{found.group(1)}:` is no kind of reference", _FORMS)
    return literal(value)


def _parse_table(table: dict[str, object]) -> SecretRef:
    kinds = [kind for kind in _MEMBERS if kind in table]
    if len(kinds) != 1:
        unknown = sorted(set(table) - set(_MEMBERS) - set().union(*_MEMBERS.values()))
        if unknown and not kinds:
            raise BadReference(f"`{unknown[0]}` is unknown in a secret reference", _FORMS)
        listed = ", ".join(f"`{kind}`" for kind in _MEMBERS)
        raise BadReference(f"a secret reference names exactly one of {listed}", _FORMS)
    kind = kinds[0]
    for name in sorted(set(table) - {kind} - _MEMBERS[kind]):
        owners = [other for other, members in _MEMBERS.items() if name in members]
        if owners:
            raise BadReference(f"`{name}` goes with {' and '.join(f'`{o}`' for o in owners)}, not with `{kind}`")
        raise BadReference(f"`{name}` is unknown in a secret reference", _FORMS)
    target = table[kind]
    if kind == "command" and isinstance(target, list) and all(isinstance(word, str) for word in target):
        return _timed(_command([str(word) for word in target], _word(table, "path")), table)
    if not isinstance(target, str):
        raise BadReference(f"`{kind}` of a secret reference must be a string", _FORMS)
    match kind:
        case "env":
            return _env(target)
        case "file":
            return _file(target, _word(table, "path"))
        case "keychain":
            return _keychain(target, _word(table, "account"))
        case "login":
            return _login(target, _word(table, "account"))
        case "oauth":
            return _token_file(target, {name: _word(table, name) for name in table if name != "oauth"})
        case _:
            return _timed(_command(target, _word(table, "path")), table)


def _word(table: Mapping[str, object], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise BadReference(f"`{name}` of a secret reference must be a string", 'such as path = "tokens.access"')
    return value


def _timed(reference: SecretRef, table: Mapping[str, object]) -> SecretRef:
    """With the times of a command's table."""
    return msgspec.structs.replace(
        reference, timeout=_seconds(table, "timeout_seconds"), refresh=_seconds(table, "refresh_seconds")
    )


def _seconds(table: Mapping[str, object], name: str) -> float:
    value = table.get(name, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadReference(f"`{name}` of a secret reference must be a number of seconds", f"such as {name} = 30")
    return float(value)


def _keychain(service: str, account: str) -> SecretRef:
    if not service or not account:
        raise BadReference("`keychain:` must be followed by a service and an account", "such as keychain:openai/me")
    return SecretRef("keychain", target=service, account=account)


def _login(issuer: str, name: str) -> SecretRef:
    if not _LOGIN_NAME.fullmatch(issuer) or (name and not _LOGIN_NAME.fullmatch(name)):
        raise BadReference("`login:` must be followed by the issuer", "such as login:codex, or login:codex/work")
    return SecretRef("login", target=issuer, account=name)


def _token_file(target: str, words: dict[str, str]) -> SecretRef:
    if not target:
        raise BadReference("`oauth` must name a file", _OAUTH_HINT)
    for name in ("token_url", "client_id"):
        if not words.get(name):
            raise BadReference(f"`{name}` is missing beside `oauth`", _OAUTH_HINT)
    style = words.pop("format", "form")
    if style not in {"form", "json"}:
        raise BadReference('`format` must be "form" or "json"', _OAUTH_HINT)
    secret = words.pop("client_secret", "")
    tokens = TokenFile(**words, client_secret=Secret(secret) if secret else None, format=_STYLES[style])
    return SecretRef("oauth", target=target, tokens=tokens)


def _env(name: str) -> SecretRef:
    if not _VARIABLE.fullmatch(name):
        # The name is not repeated: after `env:` people have pasted the key itself.
        raise BadReference(
            "`env:` must be followed by the name of an environment variable", "such as env:OPENAI_API_KEY"
        )
    return SecretRef("env", target=name)


def _file(target: str, path: str) -> SecretRef:
    if not target:
        raise BadReference("`file:` must be followed by a path", "such as file:~/.secrets/openai")
    return SecretRef("file", target=target, path=path)


def _command(words: str | list[str], path: str) -> SecretRef:
    try:
        args = tuple(shlex.split(words)) if isinstance(words, str) else tuple(words)
    except ValueError:
        raise BadReference("`command:` has an unbalanced quote", "the words are split as a shell would") from None
    if not args:
        raise BadReference("`command:` must be followed by a command", "such as command:pass show openai")
    return SecretRef("command", args=args, path=path)
