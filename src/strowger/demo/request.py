"""What the demo model accepts: the OpenAI Chat Completions request, checked as strictly as OpenAI checks it.

Knows the shape of a request and nothing of what is answered. Fields that it does not know are let through, as the
many compatible providers do; fields that it knows must have the right type, and tool results must belong to calls.
Errors are `BadRequest` and `UnknownModel`, with `param` and `code` as OpenAI names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from strowger.errors import BadRequest, UnknownModel

MODELS = ("demo", "demo-fast")
"""`demo` thinks before it answers and takes its time; `demo-fast` does neither."""

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_PART_TYPES = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
}
_REMINDER = re.compile(r"<system-reminder>.*?(</system-reminder>|\Z)", re.DOTALL)

Limit = Annotated[int, Meta(ge=1)]


class Function(Struct, frozen=True):
    """A call's function: its name, and its arguments as JSON text."""

    name: str
    arguments: str


class ToolCall(Struct, frozen=True):
    """A call that an assistant message replays."""

    id: str
    type: str = "function"
    function: Function | None = None


class Part(Struct, frozen=True):
    """One part of a message; only text is read."""

    type: str
    text: str | None = None
    refusal: str | None = None


class Message(Struct, frozen=True):
    """One message as it came."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The text of the message, its parts joined by line ends."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    @property
    def said(self) -> str:
        """The text without the reminders that an agent wraps around its user's words."""
        return _REMINDER.sub("", self.text).strip()


class ToolFunction(Struct, frozen=True):
    """What a tool is called and takes; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Struct, frozen=True):
    """A tool on offer. Custom tools have no schema and are never chosen."""

    type: str
    function: ToolFunction | None = None


class ChoiceName(Struct, frozen=True):
    """The function that a forced choice names."""

    name: str


class ToolChoice(Struct, frozen=True):
    """A forced choice of one tool."""

    type: str
    function: ChoiceName | None = None


class JsonSchema(Struct, frozen=True):
    """The schema that structured output must obey."""

    name: str
    schema: dict[str, Any] | None = None


class ResponseFormat(Struct, frozen=True):
    """Free text, any JSON object, or JSON by a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Struct, frozen=True):
    """Whether the stream ends with a chunk of usage."""

    include_usage: bool | None = None


class ChatRequest(Struct, frozen=True):
    """A request that has been checked; build it with `parse`."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: int | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens that may be answered."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings before which the text must end."""
        found = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return tuple(stop for stop in found if stop)

    @property
    def functions(self) -> dict[str, ToolFunction]:
        """The function tools on offer, by name, in their order."""
        return {tool.function.name: tool.function for tool in self.tools or () if tool.function}

    @property
    def system(self) -> str:
        """Everything said by the program around the user, in one text."""
        return "\n".join(message.text for message in self.messages if message.role in ("system", "developer"))


def parse(body: object) -> ChatRequest:
    """A decoded JSON body as a request. Raises `BadRequest`, or `UnknownModel` for a name not in `MODELS`."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    for key in ("model", "messages"):
        if key not in body:
            raise _missing(key)
    try:
        request = msgspec.convert(body, ChatRequest)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at ")
        raise BadRequest(f"invalid value: {said}", param=path.strip("`").removeprefix("$.") or None) from error
    if request.model not in MODELS:
        raise UnknownModel(f"the model '{request.model}' does not exist", available=MODELS)
    _check_options(request)
    _check_tools(request)
    for index, message in enumerate(request.messages):
        _check_message(message, f"messages[{index}]")
    _check_pairs(request.messages)
    return request


def _missing(name: str) -> BadRequest:
    return BadRequest(f"missing required parameter: '{name}'", param=name, code="missing_required_parameter")


def _check_options(request: ChatRequest) -> None:
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        message = "'max_tokens' and 'max_completion_tokens' cannot both be set"
        raise BadRequest(message, param="max_tokens", code="invalid_parameter_combination")
    if request.stream_options is not None and not request.stream:
        raise BadRequest("'stream_options' is only allowed when 'stream' is true", param="stream_options")
    if request.n not in (None, 1):
        raise BadRequest("the demo model gives one answer: 'n' must be 1", param="n")
    wanted = request.response_format
    if wanted and wanted.type == "json_schema" and wanted.json_schema is None:
        raise _missing("response_format.json_schema")


def _check_tools(request: ChatRequest) -> None:
    for index, tool in enumerate(request.tools or ()):
        where = f"tools[{index}]"
        if tool.type not in ("function", "custom"):
            raise BadRequest(f"invalid value: '{tool.type}'", param=f"{where}.type", code="invalid_value")
        if tool.type == "function" and tool.function is None:
            raise _missing(f"{where}.function")
        if tool.function and not _TOOL_NAME.match(tool.function.name):
            message = "a tool's name must be 1 to 64 letters, digits, underscores and dashes"
            raise BadRequest(message, param=f"{where}.function.name", code="invalid_value")
    choice = request.tool_choice
    if choice is None:
        return
    if not request.tools and choice != "none":
        raise BadRequest("'tool_choice' is only allowed when 'tools' are given", param="tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        raise BadRequest(f"invalid value: '{choice}'", param="tool_choice", code="invalid_value")
    if isinstance(choice, ToolChoice) and choice.function and choice.function.name not in request.functions:
        message = f"tool choice '{choice.function.name}' is not among the tools"
        raise BadRequest(message, param="tool_choice", code="invalid_value")


def _check_message(message: Message, where: str) -> None:
    name = f"{where}.content"
    if message.content is None and message.role != "assistant":
        raise BadRequest("invalid value for 'content': expected a string, got null", param=name)
    if isinstance(message.content, list):
        for index, part in enumerate(message.content):
            at = f"{name}[{index}]"
            if part.type not in _PART_TYPES[message.role]:
                text = f"a '{message.role}' message cannot hold a part of type '{part.type}'"
                raise BadRequest(text, param=f"{at}.type", code="invalid_value")
            if part.type == "text" and part.text is None:
                raise _missing(f"{at}.text")
    if message.role == "assistant" and message.content is None and not message.tool_calls:
        raise BadRequest("an assistant message needs 'content' or 'tool_calls'", param=name)
    if message.tool_calls is not None and (message.role != "assistant" or not message.tool_calls):
        raise BadRequest("'tool_calls' must be a non-empty list of an assistant message", param=f"{where}.tool_calls")
    if message.role == "tool" and message.tool_call_id is None:
        raise _missing(f"{where}.tool_call_id")


def _check_pairs(messages: list[Message]) -> None:
    """Each call must be answered at once, and only what was called may be answered.

    OpenAI refuses orphans of either kind; a gateway that loses one half of a pair shall learn of it here.
    """
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                text = "a message with role 'tool' must answer a preceding message with 'tool_calls'"
                raise BadRequest(text, param=f"messages[{index}].role")
            waiting.discard(message.tool_call_id)
            continue
        if waiting:
            break
        waiting = {call.id for call in message.tool_calls or ()}
    if waiting:
        ids = ", ".join(sorted(waiting))
        text = f"an assistant message with 'tool_calls' must be followed by tool messages; no answer for: {ids}"
        raise BadRequest(text, param="messages")


def since_last_answer(messages: list[Message]) -> Iterator[Message]:
    """The messages after the assistant's last one."""
    last = max((index for index, message in enumerate(messages) if message.role == "assistant"), default=-1)
    yield from messages[last + 1 :]
