"""The typed middle form of a request: the union of what the dialects can say, not their intersection.

Knows nothing of any wire format. Three rules hold for every node:

* A concept gets a field when two dialects have it. What only one dialect knows stays on its node in `extras`,
  as the raw JSON it came in; rendering to the dialect named by `Request.origin` puts it back, rendering to another
  reports it as a loss.
* An explicit JSON `null` is not a value: it stays in `extras`, so that it comes back to its own dialect only.
* `plain` and `forms` remember which of two equal spellings a dialect used (a bare string or a list with one text),
  so that parse and render are inverse; they never change the meaning.

Messages are kept in the order and the roles of the client. A Chat `tool` message is a `Message` of role `tool` that
holds one `ToolResult`; an Anthropic user message holds its results beside its text. Renderers regroup.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Raw, Struct
from msgspec.structs import replace

Extras = Mapping[str, Raw]
NO_EXTRAS: Extras = MappingProxyType({})

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Signed(Struct, frozen=True):
    """State that only its issuer can read: a thinking signature, encrypted reasoning, a thought signature.

    `origin` names who issued it (`Capabilities.origin`), and only that one gets it back. `kind` says what the blob is
    in the issuer's terms (`signature`, `redacted`, `reasoning_details`, …); `blob` is carried without a look inside.
    `id` is what its issuer ties it to, where it does: the id of the reasoning item, of the tool call that it signs.

    It always rides on a `Thinking`. Where a dialect signs other parts (Gemini: calls and texts), a Thinking without
    text stands beside the signed part and holds it, so that every dialect can carry it in the place it has for
    thinking.
    """

    origin: str
    kind: str
    blob: str
    id: str = ""


class CacheHint(Struct, frozen=True):
    """A cache breakpoint after this node. `ttl` is the vendor's word (`5m`, `1h`) or None for its default."""

    ttl: str | None = None
    extras: Extras = NO_EXTRAS


class Base64(Struct, frozen=True):
    """Inline bytes, as base64 text. `media_type` is empty when the dialect does not say it."""

    media_type: str
    data: str
    extras: Extras = NO_EXTRAS


class Url(Struct, frozen=True):
    """Bytes to be fetched by the upstream."""

    url: str
    extras: Extras = NO_EXTRAS


class FileId(Struct, frozen=True):
    """A file stored at the provider that issued the id; it means nothing elsewhere."""

    id: str
    extras: Extras = NO_EXTRAS


class InlineText(Struct, frozen=True):
    """A document given as plain text."""

    text: str
    media_type: str = "text/plain"
    extras: Extras = NO_EXTRAS


Source = Base64 | Url | FileId | InlineText


class Citation(Struct, frozen=True):
    """A source that backs a text, or a stretch of it.

    `raw` is the citation in the shape of the origin dialect. What it says of a web page is in `url` (empty: it is no
    web page) and `title`; `quote` is what the source says. `start` and `end` are characters of the text it stands on;
    None: all of it.
    """

    raw: Raw
    url: str = ""
    title: str = ""
    quote: str = ""
    start: int | None = None
    end: int | None = None


class Text(Struct, frozen=True):
    """Plain text, and what it is drawn from."""

    text: str
    cache: CacheHint | None = None
    citations: tuple[Citation, ...] = ()
    extras: Extras = NO_EXTRAS


class Thinking(Struct, frozen=True):
    """What the model thought. Redacted thinking has no text and its blob in `signed`.

    `form` is the origin dialect's spelling where it has several (`reasoning_content`, `reasoning`, …).
    """

    text: str
    signed: Signed | None = None
    form: str = ""
    extras: Extras = NO_EXTRAS


class Refusal(Struct, frozen=True):
    """The model's own words of refusal, where a dialect keeps them apart from text."""

    text: str
    extras: Extras = NO_EXTRAS


class Image(Struct, frozen=True):
    """A picture. `detail` is OpenAI's resolution hint."""

    source: Source
    detail: str | None = None
    cache: CacheHint | None = None
    extras: Extras = NO_EXTRAS


class Document(Struct, frozen=True):
    """A PDF or a text document."""

    source: Source
    title: str | None = None
    cache: CacheHint | None = None
    extras: Extras = NO_EXTRAS


class Audio(Struct, frozen=True):
    """Sound, with its container format (`wav`, `mp3`)."""

    data: str
    format: str
    extras: Extras = NO_EXTRAS


class ToolCall(Struct, frozen=True):
    """The model asks the client to run a tool. `arguments` is the text exactly as the model wrote it.

    For `kind="function"` that text is meant to be JSON (it may be cut short); for `custom` it is free text.
    `form` is the origin dialect's spelling where it has several (`function_call`, `untyped`, …).
    """

    id: str
    name: str
    arguments: str
    kind: Literal["function", "custom"] = "function"
    cache: CacheHint | None = None
    extras: Extras = NO_EXTRAS
    form: str = ""


class ToolReference(Struct, frozen=True):
    """Inside a tool result: names a deferred tool that is loaded from now on."""

    name: str
    cache: CacheHint | None = None
    extras: Extras = NO_EXTRAS


class Opaque(Struct, frozen=True):
    """A node that only its origin dialect understands, whole. `kind` is its wire name, for losses and logs, `said` what
    it comes to in plain text, for who cannot read it.
    """

    origin: str
    kind: str
    raw: Raw
    said: str = ""


class ToolResult(Struct, frozen=True):
    """What running a tool gave. `plain`: it was written as a bare string. `form` is the origin dialect's spelling where
    it has several (Responses: the type of the item).
    """

    call_id: str
    content: tuple[Text | Image | Document | Audio | ToolReference | Opaque, ...] = ()
    is_error: bool | None = None
    plain: bool = False
    name: str | None = None
    cache: CacheHint | None = None
    extras: Extras = NO_EXTRAS
    form: str = ""


class ServerToolCall(Struct, frozen=True):
    """The provider ran (or will run) one of its own tools; `kind` is the wire name of the part in its dialect.

    Tools that several vendors have go by one `name` in every dialect: `web_search`, `web_fetch`, `code_execution`. A
    web search has `{"query": …}` as its arguments.
    """

    id: str
    name: str
    arguments: str
    kind: str = ""
    cache: CacheHint | None = None
    extras: Extras = NO_EXTRAS


class Found(Struct, frozen=True):
    """One page that a web search found. `age` is in the vendor's words."""

    url: str
    title: str = ""
    age: str = ""


class ServerToolResult(Struct, frozen=True):
    """What a provider's own tool gave; `kind` is the wire name of the block, `raw` the block whole.

    `name` is the tool's, as in `ServerToolCall`. `found` are the pages of a web search, `output` is what running code
    printed, `error` is the vendor's code when it failed.
    """

    call_id: str
    kind: str
    raw: Raw
    name: str = ""
    found: tuple[Found, ...] = ()
    error: str = ""
    output: str = ""


Part = (
    Text
    | Thinking
    | Refusal
    | Image
    | Document
    | Audio
    | ToolCall
    | ToolResult
    | ToolReference
    | ServerToolCall
    | ServerToolResult
    | Opaque
)


class Message(Struct, frozen=True):
    """One turn. `plain`: the content was written as a bare string and is one `Text` (possibly empty). `form` is the
    origin dialect's spelling where it has several.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    plain: bool = False
    name: str | None = None
    extras: Extras = NO_EXTRAS
    form: str = ""


class FunctionTool(Struct, frozen=True):
    """A tool that the client runs, described by a JSON schema (raw: key order matters to prompt caches).

    `deferred`: described, but not shown to the model before a `ToolReference` names it.
    """

    name: str
    description: str | None = None
    parameters: Raw | None = None
    strict: bool | None = None
    deferred: bool = False
    cache: CacheHint | None = None
    form: str = ""
    extras: Extras = NO_EXTRAS


class CustomTool(Struct, frozen=True):
    """A tool with free-text input, maybe under a grammar (`format`, raw)."""

    name: str
    description: str | None = None
    format: Raw | None = None
    extras: Extras = NO_EXTRAS


class WebSearch(Struct, frozen=True):
    """A search of the web, in the words that vendors share. The place is where the user is: `country` as two letters,
    `timezone` as an IANA name. `context_size` is OpenAI's low, medium or high.
    """

    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    max_uses: int | None = None
    country: str = ""
    region: str = ""
    city: str = ""
    timezone: str = ""
    context_size: str = ""


class WebFetch(Struct, frozen=True):
    """Reading of pages by their URL."""

    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    max_uses: int | None = None


class CodeExecution(Struct, frozen=True):
    """Running code in a sandbox of the provider."""


class ToolSearch(Struct, frozen=True):
    """Search among deferred tools, by the provider itself."""


class RemoteMcp(Struct, frozen=True):
    """Tools of an MCP server that the provider calls. `allowed` is None for all of its tools."""

    label: str
    url: str
    authorization: str = ""
    allowed: tuple[str, ...] | None = None


Ability = WebSearch | WebFetch | CodeExecution | ToolSearch | RemoteMcp


class HostedTool(Struct, frozen=True):
    """A tool that the vendor defines: it runs at the provider, or its schema is known to the model.

    `type` is the vendor's versioned name, `name` the one that calls use, `raw` the whole node. `ability` says what it
    does, where other vendors have the like; None: nobody else has it.
    """

    origin: str
    type: str
    name: str
    raw: Raw
    cache: CacheHint | None = None
    ability: Ability | None = None


Tool = FunctionTool | CustomTool | HostedTool


class ToolGroup(Struct, frozen=True):
    """Tools under a common name (a namespace). Calls name them `group.tool`, see `plain_tools`."""

    name: str
    tools: tuple[FunctionTool | CustomTool, ...]
    description: str | None = None
    extras: Extras = NO_EXTRAS


class ToolChoice(Struct, frozen=True):
    """`auto`, `required` (some tool), `none`, or `tool` (the one called `name`)."""

    mode: Literal["auto", "required", "none", "tool"]
    name: str | None = None
    extras: Extras = NO_EXTRAS


class Sampling(Struct, frozen=True):
    """Numbers are kept as the client wrote them: each dialect has its own range."""

    temperature: float | int | None = None
    top_p: float | int | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()


class Reasoning(Struct, frozen=True):
    """How much the model shall think.

    `mode`: `adaptive` (the model decides), `enabled`, `disabled`, or None when the client did not say. `budget` is in
    tokens. `effort` is one of none, minimal, low, medium, high, xhigh, max, or a newer word. `display` says how much of
    it is shown (`summarized`, `omitted`, …). `extras` are those of Anthropic's `thinking` object or its like.
    """

    mode: str | None = None
    budget: int | None = None
    effort: str | None = None
    display: str | None = None
    extras: Extras = NO_EXTRAS


class OutputFormat(Struct, frozen=True):
    """The shape the answer must have. `schema` is raw JSON schema, for `json_schema` only."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    description: str | None = None
    extras: Extras = NO_EXTRAS


class Request(Struct, frozen=True):
    """What a client asks for.

    `origin` is the dialect it was parsed from: extras and opaque nodes mean something there only. `system` is the
    system text that stands apart from the messages; system messages in between stay in `messages`. `parallel`:
    whether the model may call several tools at once, None when not said. `user` identifies the end user, `cache_key`
    the conversation for prompt caches, `tier` is the service tier in the origin's words. `usage_wanted`: a streaming
    client asked for token counts (dialects that always send them say True).
    """

    origin: str
    model: str
    messages: tuple[Message, ...] = ()
    system: tuple[Text | Opaque, ...] = ()
    tools: tuple[Tool | ToolGroup, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    max_tokens: int | None = None
    sampling: Sampling = Sampling()
    reasoning: Reasoning | None = None
    output: OutputFormat | None = None
    stream: bool = False
    usage_wanted: bool = True
    user: str | None = None
    cache_key: str | None = None
    tier: str | None = None
    forms: frozenset[str] = frozenset()
    extras: Extras = NO_EXTRAS


GROUP_MARK = "."
"""Between the name of a group and the name of its tool. No dialect that has groups allows it in either."""


def plain_tools(request: Request) -> tuple[Tool, ...]:
    """The tools without groups, for dialects that have none: `group.tool` is the name of a grouped one."""
    if ToolGroup not in map(type, request.tools):
        return request.tools  # type: ignore[return-value]
    plain: list[Tool] = []
    for tool in request.tools:
        if isinstance(tool, ToolGroup):
            plain += [replace(inner, name=f"{tool.name}{GROUP_MARK}{inner.name}") for inner in tool.tools]
        else:
            plain.append(tool)
    return tuple(plain)
