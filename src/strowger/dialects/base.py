"""What every dialect offers, and the plain values that travel with it.

A dialect has a client side (we are the server: read requests, write answers) and an upstream side (we are the client:
write requests, read answers). Ids and the time are given in, so a decoder and a recorded stream are a deterministic
function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import mended
from strowger.errors import BadRequest, GatewayError, Refused
from strowger.ir.events import Event
from strowger.ir.request import Request
from strowger.ir.response import Response

NewId = Callable[[str], str]
"""Gives a fresh id with the prefix it is called with: `new_id("msg_")`."""
Clock = Callable[[], float]
"""The time in Unix seconds."""

Severity = Literal["info", "warning", "error"]


class Loss(Struct, frozen=True):
    """Something that could not be carried.

    `path` is where it stood (`messages[3].content[1].citations`), `reason` one short clause. `info`: no effect on the
    answer is expected; `warning`: the answer may differ; `error`: the meaning changes (a strict route refuses the
    call).
    """

    path: str
    reason: str
    severity: Severity = "warning"


class Peek(Struct, frozen=True):
    """The few members of a request body that routing needs.

    `session` is the client's conversation id, when the body has one. `written` is the model's name as JSON text, as it
    stands in the body. `signatures` are those of earlier thinking, None where they were not looked for; `seen` is what
    the same dialect's `trim` and `passes` need not look for again.
    """

    model: str
    stream: bool = False
    session: str | None = None
    written: bytes = b""
    signatures: tuple[str, ...] | None = None
    seen: object = None


class Spot(Struct, frozen=True):
    """What the URL says of a call, in dialects that say it there and not in the body.

    `stream` is None where the body says it. `form` is a shape of the same dialect that the endpoint has and others do
    not: Gemini's stream as one JSON array (`array`), its `code_assist` envelope; the `compact` endpoint of Responses;
    Anthropic's API in the envelope of a cloud (`bedrock`, `vertex`).
    """

    model: str = ""
    stream: bool | None = None
    form: str = ""


NOWHERE = Spot()


class Capabilities(Struct, frozen=True, kw_only=True):
    """What one provider's model accepts. Data, given to `render_request`; no dialect ever asks which provider it is.

    The defaults describe a plain compatible server about which nothing is known.
    """

    origin: str = ""
    """Who issues and accepts signed state. Anthropic's API, Bedrock and Vertex share `anthropic`."""

    # what may be sent
    images: bool = True
    image_urls: bool = True
    documents: bool = True
    audio: bool = True
    tool_result_images: bool = False
    """Images inside a tool result; without it they follow in a user message (or become a note)."""
    tools: bool = True
    strict_tools: bool = True
    custom_tools: bool = False
    hosted_tools: bool = False
    """The vendor's own tools (web search, code execution, …), sent as they are to the dialect that defines them."""
    web_search: str = ""
    """The provider's own web search, in the word by which a request of its dialect asks for it (`web_search_20250305`,
    `web_search`, `googleSearch`, `web_search_options`); empty: it has none. So for the next two."""
    web_fetch: str = ""
    code_execution: str = ""
    remote_mcp: bool = False
    """The provider calls MCP servers that a request names."""
    search_with_tools: bool = True
    """Its own tools may stand beside functions in one request."""
    tool_schema: str = "json_schema"
    """What the schemas of tools may say: `json_schema`, `openapi` (Gemini's subset, in `parameters`), or `typed` (every
    property says its type, and refers to nothing elsewhere)."""
    tool_choice: bool = True
    forced_tool_choice_with_thinking: bool = True
    parallel_switch: bool = True
    max_tool_name: int = 64
    max_tool_id: int = 0
    """Longest tool call id, 0 for no limit."""

    # limits and sampling
    output_limit: bool = True
    """Responses: a limit of the output may be sent."""
    max_tokens_field: str = "max_tokens"
    default_max_tokens: int = 32000
    """Sent where the dialect requires a limit and the client gave none."""
    max_output_tokens: int = 0
    """Larger limits are lowered to this; 0 for none."""
    min_output_tokens: int = 1
    sampling: bool = True
    top_k: bool = True
    temperature_max: float = 2.0
    max_stop_sequences: int = 4
    """0: stop sequences are refused by the model."""

    # roles
    system_role: str = "system"
    """Role of system text in dialects that write it as a message: `system` or `developer`."""
    mid_system: bool = True
    """System messages may stand between the others; without it they become notes in a user message."""
    empty_text: bool = True
    """Chat: a text may be empty."""
    prefill: bool = True
    """The last message may be the assistant's."""

    # thinking
    thinking: str = "effort"
    """How thinking is asked for. Chat: `effort` (reasoning_effort), `thinking` (a `thinking` object with `type`, and
    reasoning_effort when `efforts` is not empty), `thinking_effort` (the same object with the effort inside),
    `reasoning` (OpenRouter's object), `none`. Anthropic: `adaptive`
    (type adaptive, effort in output_config), `budget` (enabled with budget_tokens), `none`. Responses: `effort` or
    `none`. Gemini: `level`, `budget` or `none`."""
    efforts: tuple[str, ...] = ()
    """Effort words that are accepted, weakest first; empty: none may be sent. Others are clamped to the nearest."""
    thinking_replay: str = ""
    """Chat: the assistant message field that carries earlier thinking back (`reasoning_content`, `reasoning`,
    `reasoning_details`); empty: none is sent. Anthropic: `signed` (only its own signature) or `any` (signatures are
    not checked)."""
    thinking_required_in_tool_loops: bool = False
    """Assistant turns with tool calls must carry a thinking field when thinking is on (DeepSeek, Kimi)."""

    thought_signatures: bool = False
    """Gemini: a call that comes back without its thought signature is refused."""
    summaries: bool = True
    """Responses: a summary of the reasoning may be asked for."""
    lite: bool = False
    """Responses: tools and instructions have to stand in the input; only functions and free-text tools are taken."""

    # the rest
    structured_output: str = "json_schema"
    """`json_schema`, `json_object` (schema goes into the instructions) or `none`."""
    structured_with_tools: bool = True
    """A format of the answer may be asked for beside tools."""
    stateful: bool = False
    """Responses: answers are kept, and `previous_response_id` refers to them."""
    code_assist: bool = False
    """Gemini: bodies go in the Code Assist envelope; `project` is the cloud project it names."""
    project: str = ""
    cache_hints: bool = False
    cache_key: bool = False
    service_tiers: tuple[str, ...] = ()
    user: bool = True
    stream_usage: bool = True
    """Chat: `stream_options.include_usage` may be sent."""
    streaming: bool = True
    whole_answers: bool = True
    """An answer may be asked for in one piece; without it, every request asks for a stream."""
    fast_tier: str = ""
    """The service tier that `-fast` behind a model's name asks for; empty: such an ending is part of the name."""
    attribution: bool = False
    """Claude Code's attribution block may be sent: Anthropic only."""
    count_tokens: bool = False
    """The provider serves its dialect's endpoint that counts the tokens of a request."""
    betas: bool = False
    """Anthropic dialect: `anthropic-beta` and fields that are unknown to us are understood, or at least ignored.
    Responses: so are members, items and tools that not every server of it knows."""
    judges_itself: bool = False
    """Bodies of its own dialect pass as the client wrote them, whatever the other fields here say: the upstream is the
    dialect's own vendor, or one of which we know nothing, and clients act upon its refusals."""


class Rendered(Struct, frozen=True):
    """A request as it goes to an upstream, before credentials. `names` maps shortened tool names back to the
    client's. `stop` are stop sequences that the upstream does not take, for the gateway to watch for. `converted`:
    something was asked for in another way than the client did, so that the answer has to be translated though the
    upstream speaks the client's dialect.
    """

    body: bytes
    losses: tuple[Loss, ...] = ()
    names: Mapping[str, str] = MappingProxyType({})
    stop: tuple[str, ...] = ()
    converted: bool = False


class DecoderSetup(Struct, frozen=True):
    """What a decoder needs to know: whose signed state this is, ids for what the upstream leaves nameless, tool names
    to restore.
    """

    origin: str
    new_id: NewId
    names: Mapping[str, str] = MappingProxyType({})


class EncoderSetup(Struct, frozen=True):
    """What an encoder needs to know of the call.

    `model` is what the client asked for (used when the upstream names none), `input_estimate` a guess at the prompt's
    tokens for dialects that state it first, `created` the time in Unix seconds, `clock` the same for dialects that also
    say when an answer was complete, `usage_wanted` and `thinking_wanted` the client's own wishes. `request` is the
    parsed request, where it was parsed, for dialects whose answers repeat it or depend on how its tools were written;
    `form` is `Spot.form`; `follows` the id of the answer that the client went on from, where we put what was said into
    the request.
    """

    model: str
    new_id: NewId
    created: int = 0
    input_estimate: int = 0
    usage_wanted: bool = True
    thinking_wanted: bool = True
    request: Request | None = None
    form: str = ""
    clock: Clock | None = None
    follows: str = ""


class Decoder(Protocol):
    """Bytes of an upstream's stream to events. One per answer, not thread-safe."""

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes, in legal order."""
        ...

    def close(self) -> list[Event]:
        """The end of input. A stream without its terminal event gives a Failure, never silence."""
        ...

    def skips(self, data: bytes) -> bool:
        """Whether `data` is one whole event that only continues a text or arguments, by a look at its bytes.

        Who only wants to know how an answer ends and what it costs need not feed it.
        """
        ...


class Encoder(Protocol):
    """Events to bytes of a client's stream. One per answer, not thread-safe."""

    losses: list[Loss]

    def encode(self, event: Event) -> bytes:
        """The event on the wire; empty for an event that says nothing in this dialect."""
        ...

    def heartbeat(self) -> bytes:
        """Something harmless that resets a client's idle timer, legal at any time."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """An error inside a started stream; nothing follows it."""
        ...


class ErrorReply(Struct, frozen=True):
    """An error as an HTTP answer of a dialect."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class ClientSide(Protocol):
    """A dialect as our clients speak it."""

    def peek(self, body: bytes, spot: Spot = NOWHERE) -> Peek:
        """Model, stream flag and session of a request; raises BadRequest."""
        ...

    def parse_request(self, body: bytes, spot: Spot = NOWHERE) -> Request:
        """A request to IR; raises BadRequest that names the member at fault."""
        ...

    def encoder(self, setup: EncoderSetup) -> Encoder:
        """A fresh stream encoder."""
        ...

    def render_response(self, response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
        """A whole answer as a non-streaming body."""
        ...

    def render_error(self, error: GatewayError) -> ErrorReply:
        """An error before anything was sent."""
        ...

    def render_count(self, tokens: int) -> bytes:
        """The answer to a question for the tokens of a prompt."""
        ...


class UpstreamSide(Protocol):
    """A dialect as upstreams speak it."""

    def render_request(self, request: Request, model: str, caps: Capabilities) -> Rendered:
        """IR to a body for `model`, with what could not be carried; raises Unsupported where dropping would lie."""
        ...

    def trim(self, body: bytes, caps: Capabilities, peek: Peek | None = None) -> bytes:
        """A body of this same dialect without what is meant for another vendor; the very same bytes where there is
        nothing of that kind.
        """
        ...

    def passes(self, body: bytes, caps: Capabilities, spot: Spot = NOWHERE, peek: Peek | None = None) -> bool:
        """Whether a trimmed body of this same dialect may go to this upstream untouched (a cheap look, no parse).
        `peek` is what this dialect's own `peek` gave for the body.
        """
        ...

    def with_model(self, body: bytes, model: str, written: bytes = b"") -> bytes:
        """A body that passes, for `model`; every other byte as it was. `written` is `Peek.written`."""
        ...

    def count_body(self, body: bytes, model: str) -> bytes | None:
        """A request body as the question for its tokens; None in a dialect that has no such endpoint."""
        ...

    def parse_count(self, body: bytes) -> int | None:
        """The tokens in the answer to that question; None when it holds none."""
        ...

    def decoder(self, setup: DecoderSetup) -> Decoder:
        """A fresh stream decoder."""
        ...

    def decode_response(self, body: bytes, setup: DecoderSetup) -> list[Event]:
        """A non-streaming body to the same events a stream would give; an error body gives one Failure."""
        ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        """An error answer, whatever it is made of (the dialect's JSON, another's, HTML, nothing). Header names are
        lower case.
        """
        ...


class Dialect(Struct, frozen=True):
    """A dialect by its name: `anthropic`, `openai_chat`, `openai_responses`, `gemini`."""

    name: str
    client: ClientSide
    upstream: UpstreamSide


def patch_model(body: bytes, model: str, written: bytes = b"") -> bytes:
    """`body` with the value of its top-level `model` replaced and every other byte as it was.

    `written` is `Peek.written`, where it is known: it saves another look at the whole body. When the spot cannot be
    told apart from a deeper `model` of the same value, the top level is rebuilt from its members, each of which stays
    byte-identical. Without `written`, halves of surrogate pairs are mended: no upstream would take them. Raises
    BadRequest when the body is not an object with a model.
    """
    if not written:
        try:
            try:
                written = bytes(_MODEL.decode(body).model)
            except msgspec.DecodeError:
                body = mended(body)
                written = bytes(_MODEL.decode(body).model)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"the body is not a JSON object with a model: {error}", param="model") from None
    return patch_member(body, "model", written, msgspec.json.encode(model))


def patch_member(body: bytes, key: str, old: bytes, new: bytes) -> bytes:
    """`body` with the top-level member `key`, whose raw value is `old`, given the raw value `new`.

    Every other byte stays; see `patch_model` for where that cannot be done.
    """
    if old == new:
        return body
    # The top-level member is one of the spots, so it is the spot where there is only one.
    spots = [end for end in values_of(body, key.encode()) if body.startswith(old, end)]
    if len(spots) == 1:
        return body[: spots[0]] + new + body[spots[0] + len(old) :]
    members = msgspec.json.decode(body, type=dict[str, Raw])
    members[key] = Raw(new)
    return msgspec.json.encode(members)


def add_members(body: bytes, more: Sequence[tuple[str, bytes]]) -> bytes:
    """`body` with top-level members that it lacks, as pairs of a name and a raw value; its own bytes stay as they are.

    What is no JSON object comes back as it was.
    """
    if any(b'"%b"' % key.encode() in body for key, _ in more):
        try:
            present = msgspec.json.decode(body, type=dict[str, Raw])
        except msgspec.MsgspecError:
            return body
        more = [(key, value) for key, value in more if key not in present]
    begun = _OBJECT.match(body)
    if begun is None or not more:
        return body
    added = b",".join(msgspec.json.encode(key) + b":" + value for key, value in more)
    comma = b"" if body.startswith(b"}", begun.end()) else b","
    return body[: begun.end()] + added + comma + body[begun.end() :]


_OBJECT = re.compile(rb"\s*\{\s*")
_COLON = re.compile(rb"\s*:\s*")


def values_of(body: bytes, key: bytes) -> Iterator[int]:
    """Where the values of all members of that name begin, at any depth of a JSON text.

    The bytes of a key between its quotes stand nowhere else before a colon: inside a string its quotes are escaped.
    """
    quoted = b'"' + key + b'"'
    at = body.find(quoted)
    while at >= 0:
        colon = _COLON.match(body, at + len(quoted))
        if colon is not None:
            yield colon.end()
        at = body.find(quoted, at + len(quoted))


class _ModelOnly(Struct):
    model: Raw


_MODEL = msgspec.json.Decoder(_ModelOnly)
