"""The usual messages and tools of a request, each read in one go.

Nearly all that clients send is made of a few kinds of nodes with few members. Those are typed here and decoded whole,
several times cheaper than member by member. Whatever is not exactly so (another role, a member that is not listed, a
null, an empty list) is refused, never guessed at: the answer is None, and `request` reads it member by member and says
what is wrong with it. What is read here equals what it would have read. Knows no errors of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from strowger.dialects.openai_chat.wire import source_of
from strowger.ir import request as ir
from strowger.ir.request import NO_EXTRAS, Extras

_NULL = Raw(b"null")
_NO_CONTENT: Extras = {"content": _NULL}


class _Node(Struct, forbid_unknown_fields=True, gc=False):
    pass


class _Text(_Node, tag="text"):
    text: str

    def part(self) -> ir.Text:
        return ir.Text(self.text)


class _Address(_Node):
    url: str
    detail: str | UnsetType = UNSET


class _Image(_Node, tag="image_url"):
    image_url: _Address

    def part(self) -> ir.Image:
        detail = self.image_url.detail
        return ir.Image(source_of(self.image_url.url), None if detail is UNSET else detail)


_Content = str | Annotated[list[_Text | _Image], Meta(min_length=1)]


class _Said(_Node, tag_field="role"):
    content: _Content

    def message(self) -> ir.Message:
        role: ir.Role = self.__struct_config__.tag  # type: ignore[assignment]
        return ir.Message(role, _parts(self.content), isinstance(self.content, str))


class _System(_Said, tag="system"):
    pass


class _Developer(_Said, tag="developer"):
    pass


class _User(_Said, tag="user"):
    pass


class _Result(_Node, tag="tool", tag_field="role"):
    tool_call_id: Annotated[str, Meta(min_length=1)]
    content: _Content

    def message(self) -> ir.Message:
        plain = isinstance(self.content, str)
        result = ir.ToolResult(self.tool_call_id, _parts(self.content), plain=plain)
        return ir.Message("tool", (result,), plain)


class _Function(_Node):
    name: str
    arguments: str


class _Call(_Node):
    id: str
    type: Literal["function"]
    function: _Function


class _Assistant(_Node, tag="assistant", tag_field="role"):
    content: str | Annotated[list[_Text], Meta(min_length=1)] | UnsetType | None = UNSET
    tool_calls: Annotated[list[_Call], Meta(min_length=1)] | UnsetType = UNSET

    def message(self) -> ir.Message:
        content, calls = self.content, self.tool_calls
        said: tuple[ir.Part, ...] = _parts(content) if content else (ir.Text(""),) if content == "" else ()
        if calls is not UNSET:
            said += tuple([ir.ToolCall(call.id, call.function.name, call.function.arguments) for call in calls])
        return ir.Message(
            "assistant", said, isinstance(content, str), extras=_NO_CONTENT if content is None else NO_EXTRAS
        )


class _Described(_Node):
    name: str
    description: str | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class _Tool(_Node):
    type: Literal["function"]
    function: _Described

    def tool(self) -> ir.FunctionTool:
        made = self.function
        parameters = None if made.parameters is UNSET else made.parameters
        if parameters == _NULL:
            raise msgspec.ValidationError("null stands for no value")
        return ir.FunctionTool(
            made.name,
            None if made.description is UNSET else made.description,
            parameters,
            None if made.strict is UNSET else made.strict,
        )


_Message = _System | _Developer | _User | _Assistant | _Result
_MESSAGE: msgspec.json.Decoder[_Message] = msgspec.json.Decoder(_Message)
_TOOLS = msgspec.json.Decoder(list[_Tool])
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError)


def message(raw: Raw) -> ir.Message | None:
    """One message, or None when it is unusual."""
    try:
        return _MESSAGE.decode(raw).message()
    except _UNUSUAL:
        return None


def tools(raw: Raw) -> tuple[ir.FunctionTool, ...] | None:
    """All tools (one at least), or None when any of them is unusual."""
    try:
        return tuple([tool.tool() for tool in _TOOLS.decode(raw)]) or None
    except _UNUSUAL:
        return None


def _parts(content: str | list[_Text] | list[_Text | _Image]) -> tuple[ir.Text | ir.Image, ...]:
    return (ir.Text(content),) if isinstance(content, str) else tuple([part.part() for part in content])
