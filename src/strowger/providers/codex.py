"""The terms of OpenAI's hosts that speak Responses: the public API with a key, and ChatGPT's backend with a login.

The backend is the one that Codex uses. It wants to be told who asks, takes few members of a request and refuses any
other, names limits in its headers, and leaves the output out of the last event. What a request may say at all is told
to the dialect by capabilities, so that what is dropped is reported; the list here is the last word, on both lanes. We
say who we are: no other program's name, version or attestation is ever sent. Must not know routes, nor how a login is
made.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.auth.credential import Credential
from strowger.auth.issuers import USER_AGENT
from strowger.config.schema import ProviderConfig
from strowger.dialects.openai_responses.lite import MARK
from strowger.providers.codex_answers import Filled
from strowger.providers.codex_limits import from_event, from_headers
from strowger.providers.codex_turns import HEADER, Turns
from strowger.providers.quota import Reading
from strowger.providers.terms import Facts, Terms
from strowger.upstreams.base import Headers, Incoming, Outgoing, Socket

ORIGINATOR = "strowger"

MEMBERS = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "store", "stream",
        "include", "service_tier", "prompt_cache_key", "text", "client_metadata",
    }
)  # fmt: skip
"""What the backend takes of a request; to any other member it answers "Unsupported parameter"."""
COMPACT_MEMBERS = frozenset(
    {
        "model", "input", "instructions", "tools", "parallel_tool_calls", "reasoning", "service_tier",
        "prompt_cache_key", "text",
    }
)  # fmt: skip
"""The same of `/responses/compact`."""

READS_MODELS_OF = "0.169.0"
"""The list of models is asked for in the shape that this version of the backend's protocol has; it says nothing of who
asks, which the other headers do."""

_HEADERS = frozenset(
    {
        "accept", "accept-encoding", "content-type", "openai-beta", "session-id", "thread-id", "session_id",
        "conversation_id", "x-client-request-id", "x-openai-subagent", "x-responsesapi-include-timing-metrics",
    }
)  # fmt: skip
"""Headers that may travel, beside those of the credential and the backend's own `x-codex-…`."""
_OWN_PREFIXES = ("x-codex-", "x-openai-internal-codex-")
_CONVERSATION = frozenset({"session-id", "thread-id", "session_id", "conversation_id", "x-client-request-id"})
_IDENTITY: Headers = (("originator", ORIGINATOR), ("User-Agent", USER_AGENT))

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_IDS = uuid.UUID("6f1c9f5e-0b0e-5c55-9a7e-3f5c8f6d4a10")
_DECODER = msgspec.json.Decoder(dict[str, Raw])
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_COMPACT = "/responses/compact"
_STREAM = ("Accept", "text/event-stream")
_LITE = "x-openai-internal-codex-responses-lite"
# The usual tier goes without saying: any other word is refused.
_TIERS = (b'"priority"', b'"flex"')


class Responses(Terms):
    """The public API: nothing but the way there, which is HTTP unless a WebSocket is asked for."""

    prefers_sockets = False

    def __init__(self, config: ProviderConfig) -> None:
        self._transport = config.transport
        self._continuation = config.continuation

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """The request, with word of the socket that it may use."""
        if facts.purpose != "call" or out.url.endswith(_COMPACT):
            return out
        members = _members(out.body)
        if members is None:
            return out
        changed = self._settled(members)
        body = out.body if changed is members else msgspec.json.encode(changed)
        return replace(out, body=body, socket=self._socket(changed, facts))

    def _settled(self, members: dict[str, Raw]) -> dict[str, Raw]:
        """The members that may leave; the very same where all may."""
        return members

    def _socket(self, members: Mapping[str, Raw], facts: Facts) -> Socket | None:
        asked_for = self._transport == "websocket"
        if self._transport == "http" or not (asked_for or self.prefers_sockets):
            return None
        if bytes(members.get("stream", b"")) != b"true":
            return None
        if facts.session:
            key = f"{facts.session}\n{facts.agent_id or ''}"
        elif asked_for:
            key = facts.flow  # a conversation without a name: nobody else's connection
        else:
            return None
        return Socket(key, continuation=self._continuation, required=asked_for)


class Codex(Responses):
    """ChatGPT's Codex backend."""

    prefers_sockets = True
    lists_models = True

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._turns = Turns()

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """Only what the backend takes, under our own name."""
        headers = self._named(out.headers, facts, used)
        if facts.purpose == "models":
            return replace(out, url=f"{out.url}?client_version={READS_MODELS_OF}", headers=headers)
        out = replace(out, headers=headers)
        if facts.purpose != "call":
            return out
        if out.url.endswith(_COMPACT):
            return replace(out, body=_only(out.body, COMPACT_MEMBERS))
        out = super().outgoing(_marked(replace(out, headers=_with(headers, _STREAM))), facts, used)
        return out if out.socket is not None else self._in_its_turn(out, facts, used)

    def incoming(self, incoming: Incoming, facts: Facts) -> Incoming:
        """A stream for a client of this dialect ends with the whole answer."""
        self._turns.note(incoming.headers, facts.flow)
        is_stream = "event-stream" in incoming.headers.get("content-type", "")
        if facts.purpose == "call" and facts.dialect == "openai_responses" and facts.stream and is_stream:
            return Filled(incoming)
        return incoming

    def reading(self, headers: Mapping[str, str], now: float) -> Reading | None:
        """The account's limits, from the headers of any answer."""
        return from_headers(headers, now)

    def aside(self, event: bytes, now: float) -> Reading | None:
        """The same, from the event that a WebSocket has instead."""
        return from_event(event, now)

    def _settled(self, members: dict[str, Raw]) -> dict[str, Raw]:
        settled = members
        if bytes(settled.get("service_tier", b'"flex"')) not in _TIERS:
            settled = {name: value for name, value in settled.items() if name != "service_tier"}
        if not settled.keys() <= MEMBERS:
            settled = {name: value for name, value in settled.items() if name in MEMBERS}
        if bytes(settled.get("store", b"")) != b"false" or bytes(settled.get("stream", b"")) != b"true":
            settled = {**settled, "store": _FALSE, "stream": _TRUE}
        return settled

    def _in_its_turn(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """The request with the mark of its turn; a connection has no need of it, and Codex brings its own."""
        members = None if any(name.startswith("x-codex-") for name in facts.headers) else _members(out.body)
        if members is None or not facts.flow:
            return out
        account = "\n".join(value for one in used for _, value in one.companions)
        state = self._turns.state(members, account, facts.flow)
        return out if state is None else replace(out, headers=_with(out.headers, (HEADER, state)))

    def _named(self, headers: Headers, facts: Facts, used: Sequence[Credential]) -> Headers:
        """The headers that may travel, our identity, and the conversation's ids where the client gave none."""
        credentials = {name.lower() for one in used for name, _ in ((one.header, ""), *one.companions)}
        kept = tuple(
            line
            for line in headers
            if (name := line[0].lower()) in _HEADERS or name in credentials or name.startswith(_OWN_PREFIXES)
        )
        for line in _IDENTITY:
            kept = _with(kept, line)
        if facts.session is None or any(line[0].lower() in _CONVERSATION for line in kept):
            return kept
        session = _plain(facts.session)
        thread = _plain(f"{facts.session}/{facts.agent_id}") if facts.agent_id else session
        return (*kept, ("session-id", session), ("thread-id", thread), ("x-client-request-id", thread))


def _marked(out: Outgoing) -> Outgoing:
    """A request in the lite shape says so in a header, for HTTP, and in its body, for a socket."""
    in_body = MARK.encode() in out.body
    if in_body == any(line[0].lower() == _LITE for line in out.headers):
        return out
    if in_body:
        return replace(out, headers=(*out.headers, (_LITE, "true")))
    members = _members(out.body)
    if members is None:
        return out
    labels = {**(_members(bytes(members.get("client_metadata", b""))) or {}), MARK: Raw(b'"true"')}
    return replace(out, body=msgspec.json.encode({**members, "client_metadata": Raw(msgspec.json.encode(labels))}))


def _plain(text: str) -> str:
    """The id as it can stand in a header; else one that is made of it, always the same."""
    return text if _PLAIN_ID.fullmatch(text) else str(uuid.uuid5(_IDS, text))


def _with(headers: Headers, line: tuple[str, str]) -> Headers:
    name = line[0].lower()
    return (*(other for other in headers if other[0].lower() != name), line)


def _members(body: bytes) -> dict[str, Raw] | None:
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _only(body: bytes, names: frozenset[str]) -> bytes:
    members = _members(body)
    if members is None or members.keys() <= names:
        return body
    return msgspec.json.encode({name: value for name, value in members.items() if name in names})
