"""What Vertex AI wants besides the dialects of its models: Claude's in an envelope, and lists under another name.

Gemini speaks its own dialect there, at a longer address. Claude speaks Messages, with the model in the address and the
version in the body. Must not know how an access token is come by.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strowger.auth.credential import Credential
from strowger.config.schema import ProviderConfig
from strowger.providers.claude import enveloped, known_betas
from strowger.providers.terms import Facts, Terms
from strowger.providers.unwrapping import Reworded
from strowger.upstreams.base import Incoming, Outgoing

VERSION = "vertex-2023-10-16"

# "Unexpected value(s) `…` for the `anthropic-beta` header" refuses the whole request. What is known was found by those
# who were refused (anthropics/claude-code#12429 and #34802, vercel/ai#10981) and is in Google's documentation.
_BETAS = (
    "claude-code-",
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "dev-full-thinking-",
    "fine-grained-tool-streaming-",
    "interleaved-thinking-",
    "output-128k-",
    "thinking-binding-controls-",
    "token-efficient-tools-2025-02-19",
    "tool-examples-",
    "tool-search-tool-",
)
_MOVED = frozenset({"anthropic-version", "anthropic-beta"})

_WORDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class _Model(Struct):
    name: str


class _Page(Struct, rename="camel"):
    publisher_models: tuple[_Model, ...] = ()


class _Status(Struct):
    message: str
    code: int = 0


class _Failed(Struct):
    error: _Status


_FAILED = msgspec.json.Decoder(_Failed | list[_Failed])


class VertexTerms(Terms):
    """The terms for Gemini."""

    passes_paths = False

    def __init__(self, config: ProviderConfig) -> None:
        self._base = (config.base_url or "").rstrip("/")

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """Only a list of models is asked for elsewhere: it is no project's."""
        if facts.purpose != "models":
            return out
        parts = urlsplit(self._base)
        publisher = parts.path.rpartition("/")[2]
        return replace(out, url=f"{parts.scheme}://{parts.netloc}/v1beta1/publishers/{publisher}/models?pageSize=1000")

    def incoming(self, incoming: Incoming, facts: Facts) -> Incoming:
        """A list of models as other hosts write it."""
        if facts.purpose == "models" and incoming.status == 200:
            return Reworded(incoming, _listing)
        return incoming


class VertexClaudeTerms(VertexTerms):
    """The terms for Claude."""

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """The request in Vertex's envelope. A body that is no JSON object goes as it is, to be refused there."""
        if facts.purpose == "models":
            return super().outgoing(out, facts, used)
        model, method, body = facts.model, "rawPredict", out.body
        headers = [line for line in out.headers if line[0].lower() not in _MOVED]
        sent = enveloped(out, VERSION)
        if sent is not None:
            if betas := known_betas(out, _BETAS, sent.members):
                headers.append(("anthropic-beta", ",".join(betas)))
            if facts.purpose == "count":
                sent.members["model"] = msgspec.Raw(msgspec.json.encode(model))
                model = "count-tokens"
            elif sent.stream:
                method = "streamRawPredict"
            body = msgspec.json.encode(sent.members)
        url = f"{self._base}/models/{quote(model, safe='@')}:{method}"
        return replace(out, url=url, headers=tuple(headers), body=body)

    def incoming(self, incoming: Incoming, facts: Facts) -> Incoming:
        """Errors of Google's own in Anthropic's words; Claude's stay as they are."""
        if incoming.status >= 400:
            status = incoming.status
            return Reworded(incoming, lambda body: _error(body, status))
        return super().incoming(incoming, facts)


def _listing(body: bytes) -> bytes:
    try:
        models = msgspec.json.decode(body, type=_Page).publisher_models
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    return msgspec.json.encode({"models": [{"name": f"models/{model.name.rpartition('/')[2]}"} for model in models]})


def _error(body: bytes, status: int) -> bytes:
    try:
        seen = _FAILED.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return body
    told = seen[0].error if isinstance(seen, list) and seen else seen.error if isinstance(seen, _Failed) else None
    if told is None or not told.code:
        return body  # Claude's own errors have a type instead
    word = _WORDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"type": "error", "error": {"type": word, "message": told.message}})
