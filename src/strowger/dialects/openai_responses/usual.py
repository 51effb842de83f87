"""The usual input items and tools, each read in one go.

Nearly all that clients send is a few kinds of items and tools with few members. Those are typed here and decoded whole,
several times cheaper than member by member. Whatever is not exactly so (another type, a member that is not listed, a
null, an empty list) is refused, never guessed at: the answer is None, and `items` or `tools` reads it member by member
and says what is wrong with it. What is read here equals what would have been read there. Knows no errors of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from strowger.dialects.envelope import thought_in
from strowger.dialects.openai_responses.parts import EMPTY_LIST
from strowger.dialects.openai_responses.wire import CUSTOM_OUTPUT, ITEM, PLAIN, REASONING, UNTYPED, VENDOR, grouped
from strowger.ir.request import (
    NO_EXTRAS,
    CustomTool,
    Extras,
    FunctionTool,
    Message,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_NULL = Raw(b"null")
_Filled = Annotated[str, Meta(min_length=1)]
_Empty = Annotated[list[Raw], Meta(max_length=0)]


class _Node(Struct, forbid_unknown_fields=True, gc=False):
    """Members typed Raw stay in the extras."""


class _InputText(_Node, tag="input_text"):
    text: str


class _OutputText(_Node, tag="output_text"):
    text: str
    annotations: _Empty | UnsetType = UNSET
    logprobs: _Empty | UnsetType = UNSET


_Content = Annotated[list[_InputText | _OutputText], Meta(min_length=1)]


class _Untyped(_Node):
    role: Literal["user", "system", "developer", "assistant"]
    content: str | _Content
    id: Raw | UnsetType = UNSET
    status: Raw | UnsetType = UNSET
    phase: Raw | UnsetType = UNSET

    def message(self) -> Message | None:
        return _message(self, UNTYPED)


class _Message(_Untyped, tag="message"):
    def message(self) -> Message | None:
        return _message(self, "")


def _message(item: _Untyped, form: str) -> Message | None:
    extras = _extras(id=item.id, status=item.status, phase=item.phase)
    if isinstance(item.content, str):
        return Message(item.role, (Text(item.content),), True, None, extras, form)
    spoken = item.role == "assistant"
    parts = []
    for part in item.content:
        if isinstance(part, _OutputText) is not spoken:
            return None
        parts.append(_said(part) if isinstance(part, _OutputText) else Text(part.text))
    return Message(item.role, tuple(parts), False, None, extras, form)


def _said(part: _OutputText) -> Text:
    if part.annotations is UNSET and part.logprobs is UNSET:
        return Text(part.text)
    listed = {"annotations": part.annotations, "logprobs": part.logprobs}
    return Text(part.text, extras={key: EMPTY_LIST for key, value in listed.items() if value is not UNSET})


class _Summary(_Node):
    type: Literal["summary_text"]  # not a tag, which may be missing where there is no union
    text: str


class _Reasoning(_Node, tag="reasoning"):
    summary: Annotated[list[_Summary], Meta(max_length=1)]
    id: _Filled | UnsetType = UNSET
    encrypted_content: _Filled | UnsetType = UNSET
    content: UnsetType | None = UNSET
    status: Raw | UnsetType = UNSET

    def message(self) -> Message:
        identity = "" if self.id is UNSET else self.id
        blob = "" if self.encrypted_content is UNSET else self.encrypted_content
        sealed = thought_in(blob)
        extras = _extras(content=UNSET if self.content is UNSET else _NULL, status=self.status)
        form = "summary" if self.summary else ""
        text = self.summary[0].text if self.summary else ""
        if sealed is not None:
            return Message("assistant", (Thinking(text or sealed.text, sealed.signed, form, extras),), form=ITEM)
        thought = Thinking(text, Signed(VENDOR, REASONING if blob else PLAIN, blob, identity), form, extras)
        return Message("assistant", (thought,), form=ITEM)


class _Call(_Node, tag="function_call"):
    call_id: str
    name: str
    arguments: str
    id: Raw | UnsetType = UNSET
    status: Raw | UnsetType = UNSET
    namespace: _Filled | UnsetType = UNSET

    def message(self) -> Message:
        name, form = grouped(self.name, "" if self.namespace is UNSET else self.namespace)
        extras = _beside(self.id, self.status)
        return Message(
            "assistant", (ToolCall(self.call_id, name, self.arguments, extras=extras, form=form),), form=ITEM
        )


class _CustomCall(_Node, tag="custom_tool_call"):
    call_id: str
    name: str
    input: str
    id: Raw | UnsetType = UNSET
    status: Raw | UnsetType = UNSET

    def message(self) -> Message:
        name, form = grouped(self.name, "")
        extras = _beside(self.id, self.status)
        call = ToolCall(self.call_id, name, self.input, kind="custom", extras=extras, form=form)
        return Message("assistant", (call,), form=ITEM)


class _Given(_Node):
    type: Literal["input_text"]
    text: str


class _Output(_Node, tag="function_call_output"):
    call_id: _Filled
    output: str | Annotated[list[_Given], Meta(min_length=1)]
    id: Raw | UnsetType = UNSET
    status: Raw | UnsetType = UNSET

    def message(self) -> Message:
        given, kind = self.output, self.__struct_config__.tag
        plain = isinstance(given, str)
        content = (Text(given),) if isinstance(given, str) else tuple([Text(part.text) for part in given])
        extras = _beside(self.id, self.status)
        result = ToolResult(self.call_id, content, plain=plain, extras=extras, form=kind)  # type: ignore[arg-type]
        return Message("tool", (result,), form=ITEM)


class _CustomOutput(_Output, tag=CUSTOM_OUTPUT):
    pass


def _beside(identity: Raw | UnsetType, status: Raw | UnsetType) -> Extras:
    return NO_EXTRAS if identity is UNSET and status is UNSET else _extras(id=identity, status=status)


def _extras(**members: Raw | UnsetType) -> Extras:
    given = {key: value for key, value in members.items() if value is not UNSET}
    return given or NO_EXTRAS


class _Function(_Node, tag="function"):
    name: str
    parameters: Raw
    description: str | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET

    def tool(self) -> FunctionTool | None:
        if self.parameters == _NULL:
            return None
        strict, described = self.strict, self.description
        return FunctionTool(
            self.name,
            None if described is UNSET else described,
            self.parameters,
            None if strict is UNSET else strict,
            extras=_NOT_STRICT if strict is None else NO_EXTRAS,
        )


class _Custom(_Node, tag="custom"):
    name: str
    format: Raw
    description: str | UnsetType = UNSET

    def tool(self) -> CustomTool | None:
        if self.format == _NULL:
            return None
        return CustomTool(self.name, None if self.description is UNSET else self.description, self.format)


_Item = _Message | _Reasoning | _Call | _CustomCall | _Output | _CustomOutput
_TYPED: msgspec.json.Decoder[_Item] = msgspec.json.Decoder(_Item)
_EASY = msgspec.json.Decoder(_Untyped)
_TOOL: msgspec.json.Decoder[_Function | _Custom] = msgspec.json.Decoder(_Function | _Custom)
_NOT_STRICT: Extras = {"strict": _NULL}
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError)


def usual_item(raw: Raw) -> Message | None:
    """The item as a message, or None when it is not one of the usual."""
    try:
        return _TYPED.decode(raw).message()
    except _UNUSUAL:
        pass
    try:
        return _EASY.decode(raw).message()
    except _UNUSUAL:
        return None


def usual_tool(raw: Raw) -> FunctionTool | CustomTool | None:
    """The tool, or None when it is not one of the usual."""
    try:
        return _TOOL.decode(raw).tool()
    except _UNUSUAL:
        return None
