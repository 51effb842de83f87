"""Where a secret is to be found: `env:NAME`, `file:PATH#a.b`, `command:WORDS`, a literal, or the client's own.

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

ReferenceKind = Literal["env", "file", "command", "literal", "client"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z-]*):")
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


class SecretRef(msgspec.Struct, frozen=True):
    """One reference. `target` is the variable or the file, `args` the command, `path` the way into a JSON answer."""

    kind: ReferenceKind
    target: str = ""
    args: tuple[str, ...] = ()
    path: str = ""
    literal: Secret | None = None

    @property
    def text(self) -> str:
        """The reference as it may be shown; a literal is masked."""
        match self.kind:
            case "literal":
                return MASK
            case "client":
                return "client"
            case "command":
                return f"command:{shlex.join(self.args)}" + (f" (path {self.path})" if self.path else "")
            case "file":
                return f"file:{self.target}" + (f"#{self.path}" if self.path else "")
            case _:
                return f"{self.kind}:{self.target}"


class BadReference(ValueError):
    """The reference cannot be understood. Its text never holds what was written: that may be a secret."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_FORMS = 'write "env:NAME", "file:PATH", "command:WORDS", or a table such as { file = "…", path = "a.b" }'


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
    if lenient:
        return literal(value)
    if not value.strip():
        raise BadReference("the secret is empty", _FORMS)
    if found := _SCHEME.match(value):
        raise BadReference(f"`{found.group(1)}:` is no kind of reference", _FORMS)
    return literal(value)


def _parse_table(table: dict[str, object]) -> SecretRef:
    kinds = [kind for kind in ("env", "file", "command") if kind in table]
    unknown = sorted(set(table) - {"env", "file", "command", "path"})
    if unknown:
        raise BadReference(f"`{unknown[0]}` is unknown in a secret reference", _FORMS)
    if len(kinds) != 1:
        raise BadReference("a secret reference names exactly one of `env`, `file` and `command`", _FORMS)
    path = table.get("path", "")
    if not isinstance(path, str):
        raise BadReference("`path` of a secret reference must be a string", 'such as path = "tokens.access"')
    target = table[kinds[0]]
    if kinds[0] == "command" and isinstance(target, list) and all(isinstance(word, str) for word in target):
        return _command([str(word) for word in target], path)
    if not isinstance(target, str):
        raise BadReference(f"`{kinds[0]}` of a secret reference must be a string", _FORMS)
    match kinds[0]:
        case "env":
            if path:
                raise BadReference("`path` goes with `file` and `command`, not with `env`")
            return _env(target)
        case "file":
            return _file(target, path)
        case _:
            return _command(target, path)


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
