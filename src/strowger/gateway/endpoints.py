"""Which URL means what: path and method to a verb, a dialect and perhaps a pinned provider.

Knows no server library; a `Call` is a request as it was received, its body read and decompressed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import nullcontext, suppress
from enum import StrEnum
from urllib.parse import parse_qs

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from strowger.dialects.base import NOWHERE, Spot
from strowger.errors import ClientError, ErrorKind, UnknownPath
from strowger.upstreams.base import Headers

ANTHROPIC = "anthropic"
CHAT = "openai_chat"
RESPONSES = "openai_responses"
GEMINI = "gemini"


class Verb(StrEnum):
    """What a client wants of us."""

    CREATE = "create"
    COUNT_TOKENS = "count_tokens"
    STORED = "stored"
    CODE_ASSIST = "code_assist"
    MODELS = "models"
    MODEL = "model"
    HELLO = "hello"
    HEALTH = "health"
    ADMIN = "admin"
    METRICS = "metrics"
    OTHER = "other"


class Endpoint(Struct, frozen=True):
    """A matched URL. `dialect` is the one the client speaks there, `provider` is set when the path pins one,
    `name` is the rest of the path where one matters (a model id, an admin path, what a provider may serve), `spot` what
    it says of the call, `session` the conversation that it names.
    """

    verb: Verb
    dialect: str
    provider: str | None = None
    name: str = ""
    spot: Spot = NOWHERE
    session: str = ""


class Call(Struct, frozen=True):
    """One request as received. Header names in `headers` are lower case; `header_items` keeps order and case.

    `peer` is the client's address. `follows` is the id of the answer that the
    client went on from, once all that was said before is in the body.
    """

    method: str
    path: str
    query: str
    endpoint: Endpoint
    headers: Mapping[str, str]
    header_items: Headers
    body: bytes
    peer: str = ""
    follows: str = ""

    def let_go(self) -> None:
        """Give up the body, once nobody will ask for it again: it is large, and answers take long."""
        force_setattr(self, "body", b"")


_POST = ("POST",)
_GET = ("GET", "HEAD")

_FIXED: dict[str, tuple[tuple[str, ...], Verb, str]] = {
    "/v1/messages": (_POST, Verb.CREATE, ANTHROPIC),
    "/v1/messages/count_tokens": (_POST, Verb.COUNT_TOKENS, ANTHROPIC),
    # of clients whose base URL is wanted with its version, and was given without
    "/messages": (_POST, Verb.CREATE, ANTHROPIC),
    "/messages/count_tokens": (_POST, Verb.COUNT_TOKENS, ANTHROPIC),
    "/v1/chat/completions": (_POST, Verb.CREATE, CHAT),
    "/chat/completions": (_POST, Verb.CREATE, CHAT),
    "/v1/responses": (_POST, Verb.CREATE, RESPONSES),
    "/responses": (_POST, Verb.CREATE, RESPONSES),
    "/v1/responses/compact": (_POST, Verb.CREATE, RESPONSES),
    "/responses/compact": (_POST, Verb.CREATE, RESPONSES),
    "/v1/responses/input_tokens": (_POST, Verb.COUNT_TOKENS, RESPONSES),
    "/v1beta/models": (_GET, Verb.MODELS, GEMINI),
    "/v1/models": (_GET, Verb.MODELS, ""),
    "/models": (_GET, Verb.MODELS, ""),
    "/healthz": (_GET, Verb.HEALTH, ""),
    "/health": (_GET, Verb.HEALTH, ""),
    "/metrics": (_GET, Verb.METRICS, ""),
    "/_strowger/metrics": (_GET, Verb.METRICS, ""),
    # Claude Code asks whether anyone is there: `HEAD /` up to 2.1.2xx, `HEAD /api/hello` later
    "/": (_GET, Verb.HELLO, ""),
    "/api/hello": (_GET, Verb.HELLO, ""),
}

_SPOTS = {path: Spot(stream=False, form="compact") for path in ("/v1/responses/compact", "/responses/compact")}
_MODELS = (("/v1beta/models/", GEMINI), ("/v1/models/", ""), ("/models/", ""))

SERVED = (
    "POST /v1/messages",
    "POST /v1/messages/count_tokens",
    "POST /v1/chat/completions",
    "POST /v1/responses",
    "POST /v1beta/models/{model}:generateContent",
    "POST /v1beta/models/{model}:streamGenerateContent",
    "POST /model/{model}/invoke",
    "POST /model/{model}/invoke-with-response-stream",
    "POST /v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
    "GET /v1/models",
)

_GEMINI = re.compile(
    r"(?:/(?P<version>v1|v1beta1?|v1alpha))?(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/[^/]+)?"
    r"/(?:models|tunedModels)/(?P<model>.+):(?P<method>\w+)"
)
_STORED = re.compile(r"(?:/v1)?/responses/(?P<id>[^/]+)(?P<rest>/input_items|/cancel)?")
# A conversation in the path, below a provider's name, as ccproxy-api has it.
_SESSION = re.compile(r"/(?P<session>[^/]+)(?P<rest>(?:/v1)?/(?:responses|chat/completions))")
_VERSION = re.compile(r"v1(?:beta1?|alpha)?")
# With these, what is none of ours is passed on to a provider.
_PASSED = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_CODE_ASSIST = "/v1internal:"
_GENERATES = {"generateContent": False, "streamGenerateContent": True}

# Clients that take us for a cloud: Claude Code with CLAUDE_CODE_USE_BEDROCK or CLAUDE_CODE_USE_VERTEX.
_BEDROCK = re.compile(r"/model/(?P<model>.+)/(?P<method>invoke|invoke-with-response-stream)")
_VERTEX = re.compile(
    r"(?:/v1)?/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/(?P<model>.+):(?P<method>rawPredict|streamRawPredict)"
)

# Words before a path that say nothing: ccproxy-api has its interface below `/api`.
_UNPINNED = frozenset({"api"})

ADMIN = "/_strowger"
"""Where the admin API is."""


def spoken(headers: Mapping[str, str]) -> str:
    """The dialect of a client where the path does not tell: Anthropic's clients always send `anthropic-version`,
    Google's their key or their name in headers of their own.
    """
    if "anthropic-version" in headers:
        return ANTHROPIC
    return GEMINI if "x-goog-api-key" in headers or "x-goog-api-client" in headers else CHAT


def spoken_at(path: str, headers: Mapping[str, str]) -> str:
    """The dialect of a client from as much of a path as there is: for what never became a call."""
    if path.endswith("/chat/completions"):
        return CHAT
    if path.startswith("/model/") or "/publishers/anthropic/" in path:
        return ANTHROPIC
    if "/messages" in path:
        return ANTHROPIC
    if "/responses" in path:
        return RESPONSES
    return (
        GEMINI if "/v1beta" in path or _CODE_ASSIST in path or ("/models/" in path and ":" in path) else spoken(headers)
    )


def match(method: str, path: str, headers: Mapping[str, str], providers: Collection[str], query: str = "") -> Endpoint:
    """The endpoint at `path`. Raises UnknownPath, which lists what is served."""
    path = _tidy(path)
    found = _found(method, path, headers, query)
    if found is not None:
        return found
    first, _, rest = path[1:].partition("/")
    inner = None
    # a path that is nobody's is not asked for with the wrong method
    with nullcontext() if first in providers else suppress(ClientError):
        inner = _below(method, _tidy("/" + rest), headers, query, pinned=first in providers)
    if inner is not None and first in providers:
        return replace(inner, provider=first)
    if inner is not None and first in _UNPINNED:
        return inner
    if method in _PASSED and rest and first in providers and not rest.startswith(ADMIN[1:]):
        return Endpoint(Verb.OTHER, spoken_at(path, headers), provider=first, name=_tidy("/" + rest))
    if inner is not None and rest and not re.match(r"v\d", first):
        known = ", ".join(f"/{name}/{rest[:100]}" for name in providers)
        raise UnknownPath(
            f"no provider is called {first[:60]!r}",
            hint=f"/{rest[:100]} goes where the configuration says" + (f"; there are also {known}" if known else ""),
        )
    if method in _PASSED and _VERSION.fullmatch(first) and rest:
        return Endpoint(Verb.OTHER, spoken_at(path, headers), name=path)
    raise UnknownPath(
        f"nothing is served at {method} {path[:200]}",
        hint="served are " + ", ".join(SERVED),
    )


def _below(method: str, path: str, headers: Mapping[str, str], query: str, *, pinned: bool) -> Endpoint | None:
    """The endpoint at what stands behind the first word of a path; below a provider's name a conversation may too."""
    found = _found(method, path, headers, query)
    if found is not None:
        return None if found.verb is Verb.ADMIN else found
    if not pinned or (named := _SESSION.fullmatch(path)) is None:
        return None
    inner = _found(method, named["rest"], headers, query)
    return None if inner is None else replace(inner, session=named["session"])


def _found(method: str, path: str, headers: Mapping[str, str], query: str) -> Endpoint | None:
    entry = _FIXED.get(path)
    if entry is not None:
        methods, verb, dialect = entry
        _allow(method, methods, path)
        return Endpoint(verb, dialect or spoken(headers), spot=_SPOTS.get(path, NOWHERE))
    if path == ADMIN or path.startswith(ADMIN + "/"):
        return Endpoint(Verb.ADMIN, spoken(headers), name=path[len(ADMIN) + 1 :])
    if (stored := _STORED.fullmatch(path)) is not None:
        return Endpoint(Verb.STORED, RESPONSES, name=stored["id"] + (stored["rest"] or ""))
    if path.startswith(_CODE_ASSIST):
        return _code_assist(path[len(_CODE_ASSIST) :], query)
    if (called := _BEDROCK.fullmatch(path) or _VERTEX.fullmatch(path)) is not None:
        return _cloud(method, path, called)
    if (called := _GEMINI.fullmatch(path)) is not None:
        return _gemini(method, path, called["model"], called["method"], query)
    if method in _GET:
        for prefix, dialect in _MODELS:
            if path.startswith(prefix) and len(path) > len(prefix):
                return Endpoint(Verb.MODEL, dialect or spoken(headers), name=path[len(prefix) :])
    return None


def _allow(method: str, methods: tuple[str, ...], path: str) -> None:
    if method not in methods:
        raise ClientError(
            f"{path[:200]} is served with {' or '.join(methods)}, not {method[:20]}", kind=ErrorKind.NOT_FOUND
        )


def _cloud(method: str, path: str, called: re.Match[str]) -> Endpoint:
    _allow(method, _POST, path)
    form = "bedrock" if called.re is _BEDROCK else "vertex"
    model, stream = called["model"], called["method"] in {"invoke-with-response-stream", "streamRawPredict"}
    if form == "vertex" and model == "count-tokens":
        return Endpoint(Verb.COUNT_TOKENS, ANTHROPIC, spot=Spot(stream=False, form=form))
    return Endpoint(Verb.CREATE, ANTHROPIC, spot=Spot(model, stream, form))


def _gemini(method: str, path: str, model: str, called: str, query: str) -> Endpoint | None:
    if called == "countTokens":
        _allow(method, _POST, path)
        return Endpoint(Verb.COUNT_TOKENS, GEMINI, spot=Spot(model, stream=False))
    if called not in _GENERATES:
        return None
    _allow(method, _POST, path)
    return Endpoint(Verb.CREATE, GEMINI, spot=_generating(model, called, query))


def _generating(model: str, called: str, query: str, form: str = "") -> Spot:
    stream = _GENERATES[called]
    if stream and not form and "sse" not in parse_qs(query).get("alt", ()):
        form = "array"
    return Spot(model, stream, form)


def _code_assist(called: str, query: str) -> Endpoint:
    if called in _GENERATES:
        return Endpoint(Verb.CREATE, GEMINI, spot=_generating("", called, query, "code_assist"))
    if called == "countTokens":
        return Endpoint(Verb.COUNT_TOKENS, GEMINI, spot=Spot(stream=False, form="code_assist"))
    return Endpoint(Verb.CODE_ASSIST, GEMINI, name=called)


def _tidy(path: str) -> str:
    """A base URL that ends in a version under a client that adds its own, and a slash too many at the end, are
    forgiven.
    """
    if path.startswith(("/v1/v1/", "/v1/v1beta/")):
        path = path[3:]
    elif path.startswith("/v1beta/v1beta/"):
        path = path[7:]
    return path.rstrip("/") or "/"
