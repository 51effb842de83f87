"""A Responses request body to the middle form.

The inverse is `render.py`; together they are the identity on everything a client can write. What has no field stays
in extras; which of several spellings was used is remembered in `forms` (see `Form`).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import NOWHERE, Peek, Spot
from strowger.dialects.fields import Fields, is_string
from strowger.dialects.growing import Cut, Growing
from strowger.dialects.openai_responses.items import brought, parse_input, parse_items
from strowger.dialects.openai_responses.parts import EMPTY_LIST, filled, leftovers
from strowger.dialects.openai_responses.tools import listed_tools, names_of, take_choice
from strowger.dialects.openai_responses.wire import COMPACT, COMPACTION, HAND_OVER, NAME, TRIGGER
from strowger.errors import BadRequest
from strowger.ir.request import (
    Message,
    OutputFormat,
    Reasoning,
    Request,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolGroup,
)


class Form:
    """Names of spellings in `Request.forms`, beside those of `tools`."""

    NOT_STREAMING = "stream=false"
    INPUT_STRING = "input=string"
    BROUGHT = "brought="
    """Before how many of the tools, the last ones, were brought by items of the input."""
    CHOICE = "chosen="
    """Before the client's own choice among tools, raw, where a compaction forbids all calls."""


ASKED = "asked_to_compact"
"""`Message.form` of the question that stands for the endpoint /responses/compact; the client did not write it."""

_BEFORE = frozenset({"previous_response_id", "prompt", "conversation"})
"""Members by which a request goes on from what the vendor has."""
_DISPLAY = {b'"none"': "omitted"}
_SHOWN = frozenset({b'"auto"', b'"concise"', b'"detailed"'})


class _Metadata(Struct):
    session_id: str | None = None
    thread_id: str | None = None


class _Peek(Struct):
    model: Raw
    stream: bool | None = None
    prompt_cache_key: str | None = None
    client_metadata: _Metadata | None = None


_PEEK = msgspec.json.Decoder(_Peek)
_STRING = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool | None)
_KEY = msgspec.json.Decoder(str | None)
_NAMED = msgspec.json.Decoder(_Metadata | None)
_NULL = Raw(b"null")
_GROWING = Growing("input")


def peek(body: bytes) -> Peek:
    """The members that routing needs; raises BadRequest."""
    try:
        cut = _GROWING.cut(body)
        seen = _PEEK.decode(body) if cut is None else _seen(cut)
        model = _STRING.decode(seen.model)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _peek_slowly(body)
    named = seen.client_metadata or _Metadata()
    session = seen.prompt_cache_key or named.session_id or named.thread_id
    return Peek(model, bool(seen.stream), session, bytes(seen.model))


def _seen(cut: Cut) -> _Peek:
    """What the peek looks for in a body that has been taken apart. Raises what msgspec raises."""
    said = cut.members
    return _Peek(
        said.get("model", _NULL),
        _FLAG.decode(said.get("stream", _NULL)),
        _KEY.decode(said.get("prompt_cache_key", _NULL)),
        _NAMED.decode(said.get("client_metadata", _NULL)),
    )


def _peek_slowly(body: bytes) -> Peek:
    fields = Fields(body)
    model = fields.need(fields.text("model"), "model")
    return Peek(model, bool(fields.flag("stream")), fields.text("prompt_cache_key"))


def parse_request(body: bytes, spot: Spot = NOWHERE) -> Request:
    """A request body to IR; raises BadRequest that names the member at fault."""
    cut = _GROWING.cut(body)
    fields = Fields(body) if cut is None else Fields.of(dict(cut.members))
    forms: set[str] = set()
    model = filled(fields, "model")
    messages = _messages(fields, forms) if cut is None else _listed(cut, fields)
    stream = fields.flag("stream")
    if stream is False:
        forms.add(Form.NOT_STREAMING)
    tools = _tools(fields, messages, forms)
    choice = take_choice(fields, forms)
    if spot.form == COMPACT:
        messages += (Message("user", (Text(HAND_OVER),), plain=True, form=ASKED),)
        forms.add(COMPACTION)
    elif messages and messages[-1].form == TRIGGER:
        forms.add(COMPACTION)
    if COMPACTION in forms:
        choice = _no_calls(body, choice, forms)
    instructions = filled(fields, "instructions")
    return Request(
        origin=NAME,
        model=model,
        messages=messages,
        system=(Text(instructions),) if instructions else (),
        tools=tools,
        tool_choice=choice,
        parallel=fields.flag("parallel_tool_calls"),
        max_tokens=fields.integer("max_output_tokens"),
        sampling=Sampling(fields.number("temperature"), fields.number("top_p")),
        reasoning=_reasoning(fields),
        output=_output(fields),
        stream=bool(stream) if spot.stream is None else spot.stream,
        user=fields.text("user"),
        cache_key=fields.text("prompt_cache_key"),
        tier=fields.text("service_tier"),
        forms=frozenset(forms),
        extras=fields.extras(),
    )


def _listed(cut: Cut, fields: Fields) -> tuple[Message, ...]:
    if not cut.items:
        fields.rest["input"] = EMPTY_LIST
    return parse_items(cut.items)


def _messages(fields: Fields, forms: set[str]) -> tuple[Message, ...]:
    raw = fields.raw("input")
    if raw is None:
        if not _BEFORE & fields.rest.keys():
            hint = "a Chat request goes to /v1/chat/completions" if "messages" in fields.rest else None
            raise BadRequest(
                "one of input, previous_response_id, prompt and conversation is needed",
                hint=hint,
                param="input",
                code="missing_required_parameter",
            )
        return ()  # what came before says it all, or a stored prompt
    if is_string(raw):
        forms.add(Form.INPUT_STRING)
    elif bytes(raw) == bytes(EMPTY_LIST):
        fields.rest["input"] = raw
    return parse_input(raw)


def _tools(fields: Fields, messages: tuple[Message, ...], forms: set[str]) -> tuple[Tool | ToolGroup, ...]:
    """The tools of the request, and behind them those that items brought."""
    tools: tuple[Tool | ToolGroup, ...] = ()
    raw = fields.rest.get("tools")
    if raw is not None and bytes(memoryview(raw)[:1]) == b"[":
        tools = listed_tools(bytes(raw))
        del fields.rest["tools"]
        if not tools:
            fields.rest["tools"] = EMPTY_LIST
    else:
        fields.items("tools")  # says what is wrong with it
    more: list[Tool | ToolGroup] = []
    found = brought(messages)
    known: set[str] = {name for tool in tools for name in names_of(tool)} if found else set()
    for tool in found:
        names = set(names_of(tool))
        if names and not names <= known:
            known |= names
            more.append(tool)
    if more:
        forms.add(f"{Form.BROUGHT}{len(more)}")
    return tools + tuple(more)


def _no_calls(body: bytes, choice: ToolChoice | None, forms: set[str]) -> ToolChoice:
    """A summary is written without calls; the client's own choice is kept for an upstream that compacts by itself."""
    if choice is not None:
        written = msgspec.json.decode(body, type=dict[str, Raw])["tool_choice"]
        forms.add(f"{Form.CHOICE}{bytes(written).decode()}")
    return ToolChoice("none")


def _reasoning(fields: Fields) -> Reasoning | None:
    raw = fields.rest.get("reasoning")
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return None
    inner = Fields(raw, "reasoning")
    del fields.rest["reasoning"]
    summary = bytes(inner.rest.get("summary", b""))
    display = "summarized" if summary in _SHOWN else _DISPLAY.get(summary)
    return Reasoning(effort=inner.text("effort"), display=display, extras=inner.extras())


def _output(fields: Fields) -> OutputFormat | None:
    """`text.format`; a kind that is not known stays in the rest, as does what else is in `text`."""
    raw = fields.rest.get("text")
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return None
    outer = Fields(raw, "text")
    inner = outer.fields("format")
    kind = inner.text("type") if inner is not None else None
    if inner is None or kind not in {"text", "json_object", "json_schema"}:
        return None
    del fields.rest["text"]
    leftovers(fields, "text", outer)
    if kind != "json_schema":
        return OutputFormat(kind, extras=inner.extras())  # type: ignore[arg-type]
    name, schema, strict = inner.text("name"), inner.raw("schema"), inner.flag("strict")
    return OutputFormat("json_schema", name, schema, strict, inner.text("description"), inner.extras())
