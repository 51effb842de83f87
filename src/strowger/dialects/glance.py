"""A closer look at a body than the peek, still without parsing it: for routes that ask what stands in it.

Members are looked up by the names that the dialects give them, all in one table, as no two of them mean different
things by one name. What is not as it should be is as if it were not there: judging a body is for the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec
from msgspec import Raw

_NOTHING = Raw(b"null")
_BYTES_PER_TOKEN = 4
# Below this a body holds no picture worth mentioning.
_LEAST_WITH_BLOBS = 20_000
_BLOB = re.compile(rb'"(?:data:[^",]{1,80},)?[A-Za-z0-9+/_=-]{4000,}"')
_BLOB_TOKENS = 1500
_MARKS_OF_BLOBS = (b"base64", b"inlineData", b"inline_data", b"file_data", b"input_audio")
_PICTURE = re.compile(rb'"type"\s*:\s*"(?:image|image_url|input_image)"|"mime_?[tT]ype"\s*:\s*"image/')
_ON = frozenset({"enabled", "adaptive"})
_SYSTEM_ROLES = ("system", "developer")
_NOBODY = frozenset({"assistant", "model", "tool", "function"})


class _Body(msgspec.Struct):
    """The members of all dialects, as they stand."""

    system: Raw = _NOTHING
    instructions: Raw = _NOTHING
    systemInstruction: Raw = _NOTHING  # noqa: N815 - as Google writes it
    system_instruction: Raw = _NOTHING
    messages: Raw = _NOTHING
    input: Raw = _NOTHING
    contents: Raw = _NOTHING
    tools: Raw = _NOTHING
    web_search_options: Raw = _NOTHING
    thinking: Raw = _NOTHING
    output_config: Raw = _NOTHING
    reasoning_effort: Raw = _NOTHING
    reasoning: Raw = _NOTHING
    generationConfig: Raw = _NOTHING  # noqa: N815 - as Google writes it
    generation_config: Raw = _NOTHING
    client_metadata: Raw = _NOTHING
    request: Raw = _NOTHING
    """Code Assist has the whole of it in here."""


class _Message(msgspec.Struct):
    type: str = "message"
    """Other items of Responses stand between its messages."""
    role: str = "user"
    content: Raw = _NOTHING
    parts: Raw = _NOTHING


class Glance:
    """What can be read off a body. Each property reads what it needs, once, when it is asked for; nothing raises."""

    def __init__(self, body: bytes) -> None:
        self.raw = body

    @cached_property
    def _body(self) -> _Body:
        try:
            found = msgspec.json.decode(self.raw, type=_Body)
            return found if bytes(found.request)[:1] != b"{" else msgspec.json.decode(found.request, type=_Body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _Body()

    @cached_property
    def _messages(self) -> list[_Message]:
        body = self._body
        for member in (body.messages, body.input, body.contents):
            try:
                found = msgspec.json.decode(member, type=list[_Message])
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            return [message for message in found if message.type == "message"]
        return []

    @cached_property
    def system(self) -> tuple[str, ...]:
        """The texts of the system prompt, wherever it stands; not what came between the messages later."""
        body = self._body
        found = [
            text
            for member in (body.system, body.instructions, body.systemInstruction, body.system_instruction)
            for text in _texts(_plain(member))
        ]
        for message in self._messages:
            if message.role not in _SYSTEM_ROLES:
                break
            found += _said(message)
        return tuple(found)

    @cached_property
    def last(self) -> tuple[str, ...]:
        """The texts of the last message that a user, or a program in his name, has written."""
        for message in reversed(self._messages):
            if message.role == "user":
                return tuple(_said(message))
        return tuple(_texts(_plain(self._body.input))) if not self._messages else ()

    def told(self) -> Iterator[str]:
        """All that the model was told, by users and by programs, from the latest to the first; then the system prompt.

        Not what it said itself, nor what its tools brought.
        """
        for message in reversed(self._messages):
            if message.role not in _NOBODY:
                yield from reversed(list(_said(message)))
        yield from reversed(self.system)

    @cached_property
    def effort(self) -> str:
        """How hard the model shall think, in the client's own word, lower case; empty when nobody says."""
        body = self._body
        found = (
            _member(body.output_config, "effort"),
            _plain(body.reasoning_effort),
            _member(body.reasoning, "effort"),
            _member(self._thinking_config, "thinkingLevel"),
        )
        return next((word.lower() for word in found if isinstance(word, str)), "")

    @cached_property
    def thinking(self) -> bool:
        """Whether the model is asked to think before it answers, as far as the request says so."""
        body = self._body
        if (kind := _member(body.thinking, "type")) is not None:
            return kind in _ON
        if self.effort:
            return self.effort != "none"
        if isinstance(config := _plain(self._thinking_config), dict):
            return config.get("thinkingBudget") != 0
        return isinstance(reasoning := _plain(body.reasoning), dict) and reasoning.get("enabled") is not False

    @cached_property
    def _thinking_config(self) -> Raw:
        for settings in (self._body.generationConfig, self._body.generation_config):
            for name in ("thinkingConfig", "thinking_config"):
                if isinstance(found := _member(settings, name), dict):
                    return Raw(msgspec.json.encode(found))
        return _NOTHING

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """What a client of Responses says of the request in words of its own: what HTTP has headers for, where frames
        have none.
        """
        found = _plain(self._body.client_metadata)
        return (
            {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
        )

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that are offered, and of hosted ones their types too."""
        found = list(_tools(_plain(self._body.tools)))
        return (*found, "web_search") if bytes(self._body.web_search_options) != b"null" else tuple(found)

    @cached_property
    def images(self) -> bool:
        """Whether there is a picture anywhere in the conversation."""
        return _PICTURE.search(self.raw) is not None

    @cached_property
    def tokens(self) -> int:
        """About how long the prompt is, in tokens, from the size of the body; what is base64 counts a flat sum."""
        size, flat = len(self.raw), 0
        if size > _LEAST_WITH_BLOBS and any(mark in self.raw for mark in _MARKS_OF_BLOBS):
            for blob in _BLOB.finditer(self.raw):
                size -= blob.end() - blob.start()
                flat += _BLOB_TOKENS
        return size // _BYTES_PER_TOKEN + flat


def _plain(raw: Raw) -> object:
    try:
        found: object = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found


def _member(raw: Raw, name: str) -> object:
    found = _plain(raw)
    return found.get(name) if isinstance(found, dict) else None


def _said(message: _Message) -> Iterator[str]:
    yield from _texts(_plain(message.content))
    yield from _texts(_plain(message.parts))


def _texts(content: object) -> Iterator[str]:
    """The texts of a content in any dialect: a string, a list of parts, or parts in an object."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text
    elif isinstance(content, dict):
        yield from _texts(content.get("parts") or content.get("text"))


def _tools(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        function = tool.get("function")
        named = tool.get("name") or (function.get("name") if isinstance(function, dict) else None)
        kind = tool.get("type")
        for word in (named, kind if kind not in {"function", "custom", named} else None):
            if isinstance(word, str):
                yield word
        declared = tool.get("functionDeclarations") or tool.get("function_declarations")
        if isinstance(declared, list):
            yield from (
                each["name"] for each in declared if isinstance(each, dict) and isinstance(each.get("name"), str)
            )
        # Google's own stand by their names: {"googleSearch": {}}
        yield from (name for name in tool if name in _GOOGLES)


_GOOGLES = frozenset({"googleSearch", "google_search", "urlContext", "url_context", "codeExecution", "code_execution"})
