"""Clients that take us for a cloud: Claude Code in its Bedrock mode or its Vertex mode, with a base URL that is ours.

They speak Messages in the envelope of that cloud. It is taken off at the door, so that everything behind it sees a
plain call for any provider, and put on again on the way out. What a client has signed is worth nothing here, and none
of it goes on. Must not know where a call goes.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.base import NOWHERE
from strowger.dialects.eventstream import MEDIA_TYPE, encode
from strowger.dialects.framing import Frame, SSEDecoder
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import Call, Verb
from strowger.gateway.replies import Onward
from strowger.upstreams.base import Headers

FORMS = frozenset({"bedrock", "vertex"})

_PLAIN_VERSION = "2023-06-01"
_CLOUDS = ("bedrock-", "vertex-")
# What AWS's clients sign and send along, a session's token among it.
_SIGNED = ("x-amz-", "amz-sdk-", "x-amzn-")

# Anthropic's words in AWS's.
_EXCEPTIONS = {
    "authentication_error": "UnrecognizedClientException",
    "billing_error": "ServiceQuotaExceededException",
    "not_found_error": "ResourceNotFoundException",
    "overloaded_error": "ServiceUnavailableException",
    "permission_error": "AccessDeniedException",
    "rate_limit_error": "ThrottlingException",
    "timeout_error": "ModelTimeoutException",
    "api_error": "InternalServerException",
}
_OTHERWISE = "ValidationException"

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class Arrived(NamedTuple):
    """A call as it would have come without the cloud, and where its answer goes."""

    call: Call
    reply: Reply


class _Error(Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Failed(Struct, frozen=True):
    error: _Error = _Error()


def plain(call: Call, reply: Reply) -> Arrived:
    """The call out of its envelope. A body that is no JSON object stays what it is, to be refused as such."""
    spot = call.endpoint.spot
    lines = [line for line in call.header_items if not line[0].lower().startswith(_SIGNED)]
    body = call.body
    try:
        members = _MEMBERS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        members = None
    if members is not None:
        lines = _with_version(lines, _text(members.pop("anthropic_version", None)))
        lines = _with_betas(lines, members.pop("anthropic_beta", None))
        if call.endpoint.verb is Verb.CREATE:
            members["model"] = Raw(msgspec.json.encode(spot.model))
            members["stream"] = Raw(msgspec.json.encode(bool(spot.stream)))
        body = msgspec.json.encode(members)
    headers = {name.lower(): value for name, value in lines}
    endpoint = replace(call.endpoint, spot=NOWHERE)
    bare = replace(call, endpoint=endpoint, body=body, headers=headers, header_items=tuple(lines))
    return Arrived(bare, BedrockReply(reply) if spot.form == "bedrock" else reply)


def _with_version(lines: list[tuple[str, str]], version: str) -> list[tuple[str, str]]:
    if any(name.lower() == "anthropic-version" for name, _ in lines):
        return lines
    return [*lines, ("anthropic-version", _PLAIN_VERSION if not version or version.startswith(_CLOUDS) else version)]


def _with_betas(lines: list[tuple[str, str]], betas: Raw | None) -> list[tuple[str, str]]:
    try:
        named = msgspec.json.decode(betas, type=list[str]) if betas is not None else []
    except msgspec.MsgspecError:
        named = []
    if not named:
        return lines
    said = [value for name, value in lines if name.lower() == "anthropic-beta"]
    others = [line for line in lines if line[0].lower() != "anthropic-beta"]
    return [*others, ("anthropic-beta", ",".join([*said, *named]))]


def _text(raw: Raw | None) -> str:
    try:
        return msgspec.json.decode(raw, type=str) if raw is not None else ""
    except msgspec.MsgspecError:
        return ""


class BedrockReply(Onward):
    """A reply in Bedrock's words: a stream in AWS's framing, an error with its name in a header."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self._frames = SSEDecoder()

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a stream."""
        await self.beneath.start(status, _typed(headers, MEDIA_TYPE))

    async def write(self, data: bytes) -> None:
        """Events, each as a message."""
        await self.beneath.write(self._framed(data))

    async def end(self, data: bytes = b"") -> None:
        """The last events, and the end."""
        last = self._framed(data) + b"".join(map(_message, self._frames.close()))
        await self.beneath.end(last)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """An answer at once: a stream as one, an error in AWS's shape, anything else as it is."""
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        if status >= 400:
            named, told = _named(body)
            lines = (*_typed(headers, "application/json"), ("x-amzn-ErrorType", named))
            await self.beneath.whole(status, lines, msgspec.json.encode({"message": told}))
        elif "event-stream" in kind:
            framed = self._framed(body) + b"".join(map(_message, self._frames.close()))
            await self.beneath.whole(status, _typed(headers, MEDIA_TYPE), framed)
        else:
            await self.beneath.whole(status, headers, body)

    def _framed(self, data: bytes) -> bytes:
        return b"".join(map(_message, self._frames.feed(data))) if data else b""


def _typed(headers: Headers, media_type: str) -> Headers:
    kept = (line for line in headers if line[0].lower() not in {"content-type", "content-length"})
    return (*kept, ("Content-Type", media_type))


def _message(frame: Frame) -> bytes:
    if frame.event == "error":
        named, told = _named(frame.data)
        headers = {
            ":exception-type": named[:1].lower() + named[1:],
            ":content-type": "application/json",
            ":message-type": "exception",
        }
        return encode(headers, msgspec.json.encode({"message": told}))
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return encode(headers, msgspec.json.encode({"bytes": frame.data}))


def _named(body: bytes) -> tuple[str, str]:
    """AWS's name for an error of Anthropic's, and its words."""
    try:
        error = msgspec.json.decode(body, type=_Failed).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        error = _Error(message=body[:300].decode("utf-8", "replace"))
    return _EXCEPTIONS.get(error.type, _OTHERWISE), error.message
