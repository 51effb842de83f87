"""What authorises a request, the one gate through which it reaches the wire, and what hides it everywhere else.

`header_for` is the only way from a credential to the text of a header, and it refuses to write an Anthropic credential
for a host that is not Anthropic's. Must not know where credentials come from, nor how requests are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, Protocol

import msgspec

from strowger.config.checks import ANTHROPIC_HOSTS, ANTHROPIC_KEY_PREFIX, is_anthropic_url, split_url
from strowger.config.references import MASK, Secret
from strowger.errors import CredentialError

CredentialKind = Literal["bearer", "raw", "client"]

REDACTED_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
        "x-goog-api-key",
    }
)
"""Headers whose values are never logged, stored or shown, in lower case."""

_REDACTED_NAME = re.compile(r"(?:^|[-_])(?:api-?key|token|secret|password)$", re.IGNORECASE)
_REDACTED_TEXT = (
    re.compile(r"\b(?:sk|gsk|xai|csk|fw|AIza)[-_][A-Za-z0-9_-]{12,}"),
    re.compile(r"\bAIza[A-Za-z0-9_-]{20,}"),
    # a JSON web token: `{"` in base64, three parts
    re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}"),
    re.compile(r"(?<=\bBearer )[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
)
# Shorter texts would be found inside ordinary words.
_SHORTEST_SECRET = 6
_SCHEME = re.compile(r"(?:Bearer|Basic|Token) \S", re.IGNORECASE)
# Printable ASCII and Latin-1: a line end in a header value would begin another header.
_HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]+")


class Credential(msgspec.Struct, frozen=True):
    """What authorises a request: a header and the secret in it.

    `bearer`: the header says `Bearer` before the secret, unless the secret brings a scheme of its own. `raw`: the
    secret is the whole value. `client`: the whole value as our client sent it, which may go to Anthropic's own hosts
    only. `companions` are headers that say whose it is and go wherever it goes, such as the id of an account.
    """

    header: str
    value: Secret
    kind: CredentialKind = "bearer"
    companions: tuple[tuple[str, str], ...] = ()

    def secrets(self) -> tuple[Secret, ...]:
        """All of it that nobody may read in an answer, a log or an error."""
        return (self.value,)


class AuthSource(Protocol):
    """Where a credential comes from. Safe to share between calls."""

    async def credential(self) -> Credential:
        """The credential, from memory after the first time. Raises CredentialError."""
        ...

    def invalidate(self, used: Credential) -> bool:
        """The upstream refused `used`: forget it. True when asking again may give another, which merits a replay."""
        ...

    def known(self) -> Credential | None:
        """What is in memory now, for redaction."""
        ...


def header_for(
    credential: Credential, url: str, *, anthropic_hosts: tuple[str, ...] = ANTHROPIC_HOSTS
) -> tuple[str, str]:
    """Name and value of the header that carries the credential to `url`; raises CredentialError where it may not go.

    `anthropic_hosts` is for tests, whose fakes are not at Anthropic's: an entry with a scheme is one whole origin.
    """
    secret = credential.value.reveal()
    check_home(secret, url, credential.kind, anthropic_hosts=anthropic_hosts)
    if not _HEADER_VALUE.fullmatch(secret):
        raise CredentialError(
            f"the credential for the header {credential.header} is empty or holds control characters",
            hint="check what the reference in the configuration leads to",
        )
    has_scheme = credential.kind != "bearer" or _SCHEME.match(secret) is not None
    return credential.header, secret if has_scheme else f"Bearer {secret}"


def check_home(
    secret: str, url: str, kind: CredentialKind = "bearer", *, anthropic_hosts: tuple[str, ...] = ANTHROPIC_HOSTS
) -> None:
    """Raise CredentialError for what is Anthropic's alone, at an address that is not."""
    is_bound = ANTHROPIC_KEY_PREFIX in secret or kind == "client"
    if not is_bound or is_anthropic_url(url, anthropic_hosts):
        return
    parts = split_url(url)
    host = f"{parts.scheme}://{parts.hostname}" if parts and parts.hostname else "this host"
    whose = "the client's own credential" if kind == "client" else "an Anthropic credential"
    raise CredentialError(
        f"{whose} may not be sent to {host}",
        hint="give this provider a key of its own: `auth` in the configuration",
    )


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """`text` with the given secrets masked, and whatever is shaped like a key of a known vendor."""
    # The longest first: one secret may contain another.
    for value in sorted((secret.reveal() for secret in secrets), key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, MASK)
    for pattern in _REDACTED_TEXT:
        text = pattern.sub(MASK, text)
    return text


def redact_headers(headers: Iterable[tuple[str, str]], secrets: Iterable[Secret] = ()) -> list[tuple[str, str]]:
    """The headers as they may be stored: those that carry credentials are masked, the others redacted."""
    secrets = tuple(secrets)
    return [(name, MASK if is_redacted(name) else redact(value, secrets)) for name, value in headers]


def is_redacted(header: str) -> bool:
    """Whether the value of this header is never to be shown."""
    return header.lower() in REDACTED_HEADERS or _REDACTED_NAME.search(header) is not None
