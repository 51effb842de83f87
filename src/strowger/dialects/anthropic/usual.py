"""The usual messages, blocks and tools of a request, each list read in one go.

Nearly all that clients send is made of a few kinds of nodes with few members. Those are typed here and decoded whole,
several times cheaper than member by member. Whatever is not exactly so (another type, a member that is not listed, a
null, an empty list) is refused, never guessed at: the answer is None, and `blocks` and `request` read it member by
member and say what is wrong with it. What is read here equals what they would have read. Knows no errors of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from strowger.dialects.anthropic.wire import NAME, REDACTED, SIGNATURE
from strowger.dialects.envelope import opened
from strowger.ir import request as ir
from strowger.ir.request import NO_EXTRAS, Extras

T = TypeVar("T")

_NULL = Raw(b"null")
_TRUE = Raw(b"true")
_EPHEMERAL = Raw(b'"ephemeral"')


class _Node(Struct, forbid_unknown_fields=True, gc=False):
    """Members typed Raw stay in the extras, or are checked: null must not pass for a value."""


class _Cache(_Node):
    type: Raw
    ttl: str | UnsetType = UNSET
    scope: Raw | UnsetType = UNSET

    def hint(self) -> ir.CacheHint:
        kind = UNSET if self.type == _EPHEMERAL else self.type
        return ir.CacheHint(_given(self.ttl), _extras(type=kind, scope=self.scope))


class _Base64(_Node, tag="base64"):
    media_type: str
    data: str

    def source(self) -> ir.Base64:
        return ir.Base64(self.media_type, self.data)


class _Url(_Node, tag="url"):
    url: str

    def source(self) -> ir.Url:
        return ir.Url(self.url)


class _Text(_Node, tag="text"):
    text: str
    cache_control: _Cache | UnsetType = UNSET

    def part(self) -> ir.Text:
        return ir.Text(self.text, _hint(self.cache_control))


class _Image(_Node, tag="image"):
    source: _Base64 | _Url
    cache_control: _Cache | UnsetType = UNSET

    def part(self) -> ir.Image:
        return ir.Image(self.source.source(), cache=_hint(self.cache_control))


class _ToolReference(_Node, tag="tool_reference"):
    tool_name: str

    def part(self) -> ir.ToolReference:
        return ir.ToolReference(self.tool_name)


class _Thinking(_Node, tag="thinking"):
    thinking: str
    signature: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET  # an empty one is none, and stays in the extras

    def part(self) -> ir.Thinking:
        if self.signature is UNSET:
            return ir.Thinking(self.thinking)
        return ir.Thinking(self.thinking, opened(self.signature) or ir.Signed(NAME, SIGNATURE, self.signature))


class _Redacted(_Node, tag="redacted_thinking"):
    data: str

    def part(self) -> ir.Thinking:
        return ir.Thinking("", opened(self.data) or ir.Signed(NAME, REDACTED, self.data))


class _ToolUse(_Node, tag="tool_use"):
    id: str
    name: str
    input: Raw
    cache_control: _Cache | UnsetType = UNSET
    caller: Raw | UnsetType = UNSET

    def part(self) -> ir.ToolCall:
        return ir.ToolCall(
            self.id,
            self.name,
            bytes(_not_null(self.input)).decode(),
            cache=_hint(self.cache_control),
            extras=NO_EXTRAS if self.caller is UNSET else {"caller": self.caller},
        )


class _ToolResult(_Node, tag="tool_result"):
    tool_use_id: str
    content: str | Annotated[list[_Text | _Image | _ToolReference], Meta(min_length=1)] | UnsetType = UNSET
    is_error: bool | UnsetType = UNSET
    cache_control: _Cache | UnsetType = UNSET

    def part(self) -> ir.ToolResult:
        content = self.content
        return ir.ToolResult(
            self.tool_use_id,
            () if content is UNSET else _content(content),
            is_error=_given(self.is_error),
            plain=isinstance(content, str),
            cache=_hint(self.cache_control),
        )


_Block = _Text | _ToolUse | _ToolResult | _Thinking | _Redacted | _Image | _ToolReference


class _Message(_Node):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]
    output_config: Raw | UnsetType = UNSET  # of Claude Code's system messages

    def message(self) -> ir.Message:
        content = self.content
        return ir.Message(
            self.role,
            (ir.Text(content),) if isinstance(content, str) else tuple([block.part() for block in content]),
            plain=isinstance(content, str),
            extras=NO_EXTRAS if self.output_config is UNSET else {"output_config": self.output_config},
        )


class _Tool(_Node):
    name: str
    input_schema: Raw | UnsetType = UNSET
    description: str | UnsetType = UNSET
    type: Literal["custom"] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET
    defer_loading: Raw | UnsetType = UNSET
    cache_control: _Cache | UnsetType = UNSET
    eager_input_streaming: Raw | UnsetType = UNSET

    def tool(self) -> ir.FunctionTool:
        deferred = self.defer_loading == _TRUE
        kept, eager = UNSET if deferred else self.defer_loading, self.eager_input_streaming
        return ir.FunctionTool(
            self.name,
            _given(self.description),
            None if self.input_schema is UNSET else _not_null(self.input_schema),
            _given(self.strict),
            deferred,
            _hint(self.cache_control),
            form=_given(self.type) or "",
            extras=NO_EXTRAS
            if kept is UNSET and eager is UNSET
            else _extras(defer_loading=kept, eager_input_streaming=eager),
        )


_MESSAGE = msgspec.json.Decoder(_Message)
_BLOCK: msgspec.json.Decoder[_Block] = msgspec.json.Decoder(_Block)
_TOOLS = msgspec.json.Decoder(list[_Tool])
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError)


def message(raw: Raw) -> ir.Message | None:
    """One message, or None when it is unusual."""
    try:
        return _MESSAGE.decode(raw).message()
    except _UNUSUAL:
        return None


def block(raw: Raw) -> ir.Part | None:
    """One content block, or None when it is unusual."""
    try:
        return _BLOCK.decode(raw).part()
    except _UNUSUAL:
        return None


def tools(raw: Raw) -> tuple[ir.FunctionTool, ...] | None:
    """All tools (one at least), or None when any of them is unusual."""
    try:
        return tuple([tool.tool() for tool in _TOOLS.decode(raw)]) or None
    except _UNUSUAL:
        return None


def _content(content: str | list[_Text | _Image | _ToolReference]) -> tuple[ir.Text | ir.Image | ir.ToolReference, ...]:
    return (ir.Text(content),) if isinstance(content, str) else tuple([inner.part() for inner in content])


def _hint(cache: _Cache | UnsetType) -> ir.CacheHint | None:
    return None if cache is UNSET else cache.hint()


def _given(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value


def _not_null(value: Raw) -> Raw:
    if value == _NULL:
        raise msgspec.ValidationError("null stands for no value")
    return value


def _extras(**members: Raw | UnsetType) -> Extras:
    return {key: value for key, value in members.items() if value is not UNSET} or NO_EXTRAS
