"""What Amazon Bedrock wants besides Anthropic's dialect: the model in the URL, betas in the body, its own framing.

Claude speaks Messages there, in an envelope: the model and whether to stream stand in the address, the version and
the betas in the body, streams come as AWS event streams, and errors are named in a header. Both ways only that is
changed; each member of a body stays byte for byte. Must not know how a signature is made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strowger.auth.aws import AwsKeys, sign
from strowger.auth.credential import Credential
from strowger.config.schema import ProviderConfig
from strowger.dialects.eventstream import MEDIA_TYPE, EventStreamDecoder, Message
from strowger.dialects.overflow import is_context_overflow
from strowger.providers.claude import add_betas, enveloped, known_betas
from strowger.providers.terms import Facts, Terms
from strowger.providers.unwrapping import Reworded, Unframed
from strowger.upstreams.base import Headers, Incoming, Outgoing

VERSION = "bedrock-2023-05-31"

# "invalid beta flag" refuses the whole request. Which are known is from AWS's documentation and from what others were
# told flag by flag (BerriAI/litellm#19877, router-for-me/CLIProxyAPI#4750); dates are left open.
_BETAS = (
    "claude-code-",
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "dev-full-thinking-",
    "effort-",
    "fine-grained-tool-streaming-",
    "interleaved-thinking-",
    "output-128k-",
    "structured-outputs-",
    "thinking-binding-controls-",
    "token-efficient-tools-2025-02-19",
    "tool-examples-",
    "tool-search-tool-",
)

_REGION = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_MOVED = frozenset({"anthropic-version", "anthropic-beta", "accept"})
_JSON = "application/json"

# AWS's names for what went wrong, without "Exception", in Anthropic's words.
_ERRORS = {
    "accessdenied": "permission_error",
    "expiredtoken": "authentication_error",
    "incompletesignature": "authentication_error",
    "internalserver": "api_error",
    "invalidsignature": "authentication_error",
    "missingauthenticationtoken": "authentication_error",
    "modelerror": "api_error",
    "modelnotready": "overloaded_error",
    "modelstreamerror": "api_error",
    "modeltimeout": "timeout_error",
    "resourcenotfound": "not_found_error",
    "servicequotaexceeded": "rate_limit_error",
    "serviceunavailable": "overloaded_error",
    "throttling": "rate_limit_error",
    "unrecognizedclient": "authentication_error",
    "validation": "invalid_request_error",
}
# Where AWS's status says something else than the same status means elsewhere.
_STATUSES = {"authentication_error": 401, "rate_limit_error": 429}
_BY_STATUS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
_FAILED_DEPENDENCY = 424


class _Chunk(Struct):
    event: bytes = msgspec.field(default=b"", name="bytes")


class _Kind(Struct):
    type: str = ""


class _Profile(Struct, rename="camel"):
    inference_profile_id: str
    inference_profile_name: str = ""
    status: str = "ACTIVE"


class _Profiles(Struct, rename="camel"):
    inference_profile_summaries: tuple[_Profile, ...] = ()


class BedrockTerms(Terms):
    """The terms of one region."""

    passes_paths = False

    def __init__(self, config: ProviderConfig) -> None:
        self._base = (config.base_url or "").rstrip("/")
        named = _REGION.search(self._base)
        self._region = config.region or (named[1] if named else "us-east-1")

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """The request in Bedrock's envelope, signed where no token goes along. A body that is no JSON object goes as it
        is, to be refused there.
        """
        wrapped = self._listing(out) if facts.purpose == "models" else self._call(out, facts)
        keys = next((credential for credential in used if isinstance(credential, AwsKeys)), None)
        if keys is None:
            return wrapped
        headers = {name.lower(): value for name, value in wrapped.headers}
        signed = sign(
            keys,
            method=wrapped.method,
            url=wrapped.url,
            body=wrapped.body,
            service="bedrock",
            region=self._region,
            headers={"content-type": headers["content-type"]} if "content-type" in headers else {},
        )
        names = {name.lower() for name in signed}
        kept = (line for line in wrapped.headers if line[0].lower() not in names)
        return replace(wrapped, headers=(*kept, *signed.items()))

    def _listing(self, out: Outgoing) -> Outgoing:
        parts = urlsplit(self._base)
        # what there is, is asked of another host of the same region
        host = parts.netloc.replace("bedrock-runtime", "bedrock", 1)
        return replace(out, url=f"{parts.scheme}://{host}/inference-profiles?maxResults=1000", headers=_plain(out))

    def _call(self, out: Outgoing, facts: Facts) -> Outgoing:
        sent = enveloped(out, VERSION)
        body, stream = out.body, False
        if sent is not None:
            stream = sent.stream
            sent.members.pop("stream", None)
            add_betas(sent.members, known_betas(out, _BETAS, sent.members))
            body = msgspec.json.encode(sent.members)
        called = "invoke-with-response-stream" if stream else "invoke"
        headers = (*_plain(out), ("Accept", MEDIA_TYPE if stream else _JSON))
        url = f"{self._base}/model/{quote(facts.model, safe=':')}/{called}"
        return replace(out, url=url, headers=headers, body=body)

    def incoming(self, incoming: Incoming, facts: Facts) -> Incoming:
        """The answer out of its framing, an error in Anthropic's words."""
        request_id = incoming.headers.get("x-amzn-requestid")
        more: Headers = (("request-id", request_id),) if request_id else ()
        if incoming.status >= 400:
            named = incoming.headers.get("x-amzn-errortype", "").partition(":")[0]
            word = _word(named) or _BY_STATUS.get(incoming.status, "")
            status = _STATUSES.get(word, 500 if incoming.status == _FAILED_DEPENDENCY else incoming.status)
            return Reworded(incoming, lambda body: _error(body, word, request_id), status=status, more=more)
        if facts.purpose == "models":
            return Reworded(incoming, _profiles, more=more)
        if MEDIA_TYPE in incoming.headers.get("content-type", ""):
            return Unframed(incoming, _Framing(), more)
        return Reworded(incoming, bytes, more=more)


def _plain(out: Outgoing) -> Headers:
    return tuple(line for line in out.headers if line[0].lower() not in _MOVED)


class _Framing:
    """Bedrock's event stream to SSE."""

    def __init__(self) -> None:
        self._decoder = EventStreamDecoder()

    @property
    def between(self) -> bool:
        return self._decoder.between

    def feed(self, data: bytes) -> bytes:
        return b"".join([_as_sse(message) for message in self._decoder.feed(data)])


def _as_sse(message: Message) -> bytes:
    headers, payload = message
    if headers.get(":message-type", "event") != "event":
        name = headers.get(":exception-type") or headers.get(":error-code", "")
        text = payload or msgspec.json.encode({"message": headers.get(":error-message", name)})
        return b"event: error\ndata: " + _error(text, _word(name) or "api_error", None) + b"\n\n"
    if headers.get(":event-type", "chunk") != "chunk":
        return b""
    try:
        event = msgspec.json.decode(payload, type=_Chunk).event
        kind = msgspec.json.decode(event, type=_Kind).type
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return b""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), b" ".join(event.splitlines()))


def _word(name: str) -> str:
    return _ERRORS.get(name.rpartition("#")[2].lower().removesuffix("exception"), "")


def _error(body: bytes, word: str, request_id: str | None) -> bytes:
    """AWS's error in Anthropic's shape. What is no JSON object is no error of AWS's, and stays."""
    try:
        members = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return body
    told = next((text for key in ("message", "Message", "originalMessage") if (text := members.get(key))), "")
    message = str(told or word or "no reason was given")
    word = word or _word(str(members.get("__type", ""))) or "api_error"
    if word == "invalid_request_error" and is_context_overflow(message):
        message = f"prompt is too long: {message}"  # what clients look for
    error: dict[str, object] = {"type": "error", "error": {"type": word, "message": message}}
    return msgspec.json.encode(error | ({"request_id": request_id} if request_id else {}))


def _profiles(body: bytes) -> bytes:
    """The inference profiles of Claude's models as a list of models; a profile is what can be called."""
    try:
        profiles = msgspec.json.decode(body, type=_Profiles).inference_profile_summaries
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    return msgspec.json.encode(
        {
            "data": [
                {"type": "model", "id": profile.inference_profile_id, "display_name": profile.inference_profile_name}
                for profile in profiles
                if "anthropic." in profile.inference_profile_id and profile.status == "ACTIVE"
            ]
        }
    )
