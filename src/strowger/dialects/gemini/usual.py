"""The usual contents and function declarations of a request, each read in one go.

Nearly all that clients send is texts, calls, responses and functions, with few members. Those are typed here and
decoded whole, several times cheaper than member by member. Whatever is not exactly so (another kind of part, a member
that is not listed, a null, a name in snake_case) is refused, never guessed at: the answer is None, and `parts` and
`tools` read it member by member. What is read here equals what they would have read. Knows no errors of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from strowger.dialects.envelope import MARK, WRAPPED
from strowger.dialects.gemini.calls import NO_ID, Calls, meaning
from strowger.dialects.gemini.schema import from_google
from strowger.dialects.gemini.wire import ON_CALL, ON_TEXT, SIGNATURE, VENDOR
from strowger.ir.request import FunctionTool, Message, Part, Signed, Text, Thinking, ToolCall, ToolResult

_Filled = Annotated[str, Meta(min_length=1)]
"""An empty one is not written alike, so it is unusual."""


class _Node(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """Members typed Raw are checked: null must not pass for a value."""


class _Call(_Node):
    name: str
    args: Raw
    id: _Filled | UnsetType = UNSET


class _Response(_Node):
    name: str
    response: Raw
    id: _Filled | UnsetType = UNSET


class _Part(_Node):
    text: str | UnsetType = UNSET
    function_call: _Call | UnsetType = UNSET
    function_response: _Response | UnsetType = UNSET
    thought: bool | UnsetType = UNSET
    thought_signature: _Filled | UnsetType = UNSET


class _Content(_Node):
    role: Literal["user", "model"]
    parts: list[_Part]


class _Declaration(_Node):
    name: str
    description: str | UnsetType = UNSET
    parameters_json_schema: Raw | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET


class _Functions(_Node):
    function_declarations: Annotated[list[_Declaration], Meta(min_length=1)]


_CONTENT = msgspec.json.Decoder(_Content)
_TOOLS = msgspec.json.Decoder(Annotated[list[_Functions], Meta(min_length=1, max_length=1)])
_DECLARATIONS = msgspec.json.Decoder(list[_Declaration])
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError)
_NULL = b"null"
_OBJECT = b"{"
_ENVELOPES = (MARK.decode(), WRAPPED.decode())


def content(raw: Raw, calls: Calls) -> Message | None:
    """One content, or None when it is unusual: then nothing is noted."""
    try:
        read = _CONTENT.decode(raw)
    except _UNUSUAL:
        return None
    model = read.role == "model"
    for part in read.parts:
        if not _is_usual(part, model):
            return None
    return _message(read, calls)


def _message(read: _Content, calls: Calls) -> Message:
    parts: list[Part] = []
    for part in read.parts:
        if part.text is not UNSET and part.thought is UNSET and part.thought_signature is UNSET:  # most of them
            parts.append(Text(part.text))
        else:
            _add(parts, part, calls)
    return Message("assistant" if read.role == "model" else "user", tuple(parts))


def _is_usual(part: _Part, model: bool) -> bool:
    """Whether a part says one thing only, and that in its own place. Nothing is noted before all are known to."""
    text, call, response, signature = part.text, part.function_call, part.function_response, part.thought_signature
    if signature is not UNSET and (not model or signature.startswith(_ENVELOPES)):
        return False
    if text is not UNSET:
        return call is UNSET and response is UNSET and part.thought is not False
    if part.thought is not UNSET:
        return False
    if call is not UNSET:
        return response is UNSET and memoryview(call.args) != _NULL
    return response is not UNSET and signature is UNSET and memoryview(response.response) != _NULL


def _add(parts: list[Part], part: _Part, calls: Calls) -> None:
    call, response, signature = part.function_call, part.function_response, part.thought_signature
    if part.text is not UNSET:
        if part.thought is True:
            signed = None if signature is UNSET else Signed(VENDOR, SIGNATURE, signature)
            parts.append(Thinking(part.text, signed))
            return
        parts.append(Text(part.text))
        if signature is not UNSET:
            parts.append(Thinking("", Signed(VENDOR, SIGNATURE, signature, ON_TEXT)))
    elif call is not UNSET:
        given = None if call.id is UNSET else call.id
        identity = calls.call(given, call.name)
        if signature is not UNSET:
            parts.append(Thinking("", Signed(VENDOR, SIGNATURE, signature, ON_CALL + identity)))
        form = NO_ID if given is None else ""
        parts.append(ToolCall(identity, call.name, bytes(call.args).decode(), form=form))
    elif response is not UNSET:
        parts.append(_result(response, calls))


def _result(response: _Response, calls: Calls) -> ToolResult:
    given = None if response.id is UNSET else response.id
    text, form, failed = meaning(response.response)
    form = f"{form} {NO_ID}".strip() if given is None else form
    return ToolResult(
        calls.response(given, response.name),
        () if text is None else (Text(text),),
        is_error=True if failed else None,
        name=response.name,
        form=form,
    )


def functions(raw: Raw) -> list[FunctionTool] | None:
    """The functions of a request that has nothing but one list of them, or None when it is unusual."""
    try:
        read = _TOOLS.decode(raw)
    except _UNUSUAL:
        return None
    return _declared(read[0].function_declarations)


def declarations(raw: Raw) -> list[FunctionTool] | None:
    """All functions of one list, or None when any of them is unusual."""
    try:
        read = _DECLARATIONS.decode(raw)
    except _UNUSUAL:
        return None
    return _declared(read)


def _declared(read: list[_Declaration]) -> list[FunctionTool] | None:
    tools: list[FunctionTool] = []
    for tool in read:
        schema, form = tool.parameters_json_schema, ""
        if schema is UNSET:
            schema, form = tool.parameters, "parameters"
        elif tool.parameters is not UNSET:
            return None
        if schema is not UNSET and bytes(memoryview(schema)[:1]) != _OBJECT:
            return None
        kept, changed = (None, False) if schema is UNSET else from_google(schema)
        if changed:
            return None
        description = None if tool.description is UNSET else tool.description
        tools.append(FunctionTool(tool.name, description, kept, form=form if kept is not None else ""))
    return tools
