"""Which URL means what: path and method to a verb, a dialect and perhaps a pinned provider.

Knows no server library; a `Call` is a request as it was received, its body read and decompressed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from msgspec import Struct

from strowger.errors import ClientError, ErrorKind, UnknownPath
from strowger.upstreams.base import Headers

ANTHROPIC = "anthropic"
CHAT = "openai_chat"


class Verb(StrEnum):
    """What a client wants of us."""

    CREATE = "create"
    COUNT_TOKENS = "count_tokens"
    MODELS = "models"
    MODEL = "model"
    HELLO = "hello"
    HEALTH = "health"
    ADMIN = "admin"


class Endpoint(Struct, frozen=True):
    """A matched URL. `dialect` is the one the client speaks there, `provider` is set when the path pins one,
    `name` is the rest of the path where one matters (a model id, an admin path).
    """

    verb: Verb
    dialect: str
    provider: str | None = None
    name: str = ""


class Call(Struct, frozen=True):
    """One request as received. Header names in `headers` are lower case; `header_items` keeps order and case.

    `target` is path and query as they came. `peer` is the client's address.
    """

    method: str
    path: str
    query: str
    endpoint: Endpoint
    headers: Mapping[str, str]
    header_items: Headers
    body: bytes
    peer: str = ""


_POST = ("POST",)
_GET = ("GET", "HEAD")

_FIXED: dict[str, tuple[tuple[str, ...], Verb, str]] = {
    "/v1/messages": (_POST, Verb.CREATE, ANTHROPIC),
    "/v1/messages/count_tokens": (_POST, Verb.COUNT_TOKENS, ANTHROPIC),
    "/v1/chat/completions": (_POST, Verb.CREATE, CHAT),
    "/chat/completions": (_POST, Verb.CREATE, CHAT),
    "/v1/models": (_GET, Verb.MODELS, ""),
    "/models": (_GET, Verb.MODELS, ""),
    "/healthz": (_GET, Verb.HEALTH, ""),
    "/health": (_GET, Verb.HEALTH, ""),
    # Claude Code asks whether anyone is there: `HEAD /` up to 2.1.2xx, `HEAD /api/hello` later
    "/": (_GET, Verb.HELLO, ""),
    "/api/hello": (_GET, Verb.HELLO, ""),
}

SERVED = ("POST /v1/messages", "POST /v1/messages/count_tokens", "POST /v1/chat/completions", "GET /v1/models")

_ADMIN = "/_strowger/"


def spoken(headers: Mapping[str, str]) -> str:
    """The dialect of a client where the path does not tell: Anthropic's clients always send `anthropic-version`."""
    return ANTHROPIC if "anthropic-version" in headers else CHAT


def match(method: str, path: str, headers: Mapping[str, str], providers: Collection[str]) -> Endpoint:
    """The endpoint at `path`. Raises UnknownPath, which lists what is served."""
    path = _tidy(path)
    found = _fixed(method, path, headers)
    if found is None:
        first, _, rest = path[1:].partition("/")
        if first in providers:
            inner = _fixed(method, _tidy("/" + rest), headers)
            if inner is not None and inner.verb is not Verb.ADMIN:
                return Endpoint(inner.verb, inner.dialect, first, inner.name)
        raise UnknownPath(
            f"nothing is served at {method} {path[:200]}",
            hint="served are " + ", ".join(SERVED),
        )
    return found


def _fixed(method: str, path: str, headers: Mapping[str, str]) -> Endpoint | None:
    entry = _FIXED.get(path)
    if entry is not None:
        methods, verb, dialect = entry
        if method not in methods:
            raise ClientError(
                f"{path} is served with {' or '.join(methods)}, not {method[:20]}", kind=ErrorKind.NOT_FOUND
            )
        return Endpoint(verb, dialect or spoken(headers))
    if path.startswith(_ADMIN):
        return Endpoint(Verb.ADMIN, spoken(headers), name=path[len(_ADMIN) :])
    if method in _GET:
        for prefix in ("/v1/models/", "/models/"):
            if path.startswith(prefix) and len(path) > len(prefix):
                return Endpoint(Verb.MODEL, spoken(headers), name=path[len(prefix) :])
    return None


def _tidy(path: str) -> str:
    """A base URL that ends in /v1 under a client that adds /v1, and a slash too many at the end, are forgiven."""
    if path.startswith("/v1/v1/"):
        path = path[3:]
    return path.rstrip("/") or "/"
