"""Conversations of another dialect that are what nearly all are: turns in order, each call answered in the next one.

They need no regrouping, and their usual turns are written down at once; the others go the long way of `history`, one by
one. What comes of either way is the same.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import Json
from strowger.dialects.openai_chat.regrouping import is_media
from strowger.dialects.openai_chat.wire import TOOL_ERROR
from strowger.ir.request import Message, Part, Text, ToolCall, ToolResult


def is_straight(job: Job) -> bool:
    """Whether nothing has to be joined, moved or told apart: results have only to leave the user's turn."""
    waiting: list[str] = []
    before, answers = "", False
    for message in job.request.messages:
        role = message.role
        found: list[str] = []
        if role == "assistant":
            if waiting or before == role:
                return False
            for part in message.parts:
                if type(part) is ToolCall:
                    waiting.append(part.id)
                elif type(part) is ToolResult:
                    return False
            if len(waiting) > 1 and len(set(waiting)) < len(waiting):
                return False
        elif role == "user":
            for part in message.parts:
                if type(part) is ToolResult:
                    found.append(part.call_id)
                    if not _stays(job, part):
                        return False
            if found != waiting or (before == role and (found or answers)):
                return False
            waiting = []
        elif role in {"tool", "function"} or any(type(part) is ToolResult for part in message.parts):
            return False
        before, answers = role, bool(found)
    return not waiting


def _stays(job: Job, result: ToolResult) -> bool:
    """Whether the result keeps all that is in it."""
    return job.caps.tool_result_images or not any(type(item) is not Text and is_media(item) for item in result.content)


_ENCODE = msgspec.json.Encoder().encode
# Turns that are remembered, the longest of them, and the bytes of all together as they are written: a conversation is
# sent whole each time, and grows by two.
_KEPT = 4096
_LONGEST = 32 * 1024
_ROOM = 4 * 1024 * 1024

_Written = tuple[Message, tuple[Raw, ...], tuple[str, ...]]


class _Turns:
    """Turns that were written lately, for the messages themselves; the oldest go first."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, object], _Written] = {}
        self._held = 0
        self.get = self._known.get

    def __len__(self) -> int:
        """How many are known."""
        return len(self._known)

    def keep(self, key: tuple[int, object], turn: _Written) -> None:
        """One that is not known yet, if it is not too long."""
        size = _size(turn)
        if size > _LONGEST:
            return
        self._known[key] = turn
        self._held += size
        while len(self._known) > _KEPT or self._held > _ROOM:
            self._held -= _size(self._known.pop(next(iter(self._known))))


def _size(turn: _Written) -> int:
    return sum(map(len, turn[1]))


_turns = _Turns()


def written(job: Job, message: Message) -> tuple[Raw, ...] | None:
    """A usual turn as JSON, made now or earlier; None for one that is not usual, or that the names of other tools may
    change.
    """
    caps = job.caps
    # all that decides besides the names of tools
    key = id(message), (caps.cache_hints, caps.empty_text, caps.thinking_required_in_tool_loops, caps.max_tool_id)
    known = _turns.get(key)  # what is remembered is held, so that no other message has its id
    if known is None:
        nodes = _nodes(job, message)
        if nodes is None:
            return None
        raws = tuple([Raw(_ENCODE(node)) for node in nodes])
        called = tuple([part.name for part in message.parts if type(part) is ToolCall])
        known = message, raws, called
        if all(job.tool_name(name) == name for name in called):
            _turns.keep(key, known)
    for name in known[2]:
        if job.tool_name(name) != name:
            return None
    return known[1]


def _nodes(job: Job, message: Message) -> list[Json] | None:
    """The messages that a turn becomes, if all of them are usual."""
    if message.role == "assistant":
        said = assistant(job, message)
        return None if said is None else [said]
    if message.role != "user" or message.name is not None or message.extras:
        return None
    nodes: list[Json] = []
    rest: list[Part] = []
    for part in message.parts:
        if type(part) is ToolResult:
            node = result(job, part)
            if node is None:
                return None
            nodes.append(node)
        else:
            rest.append(part)
    if rest or not nodes:
        text = _joined(tuple(rest)) if rest else None
        if text is None:
            return None
        nodes.append({"role": "user", "content": text})
    return nodes


def user(message: Message) -> Json | None:
    """A user's turn that is nothing but text; None for another, and for one that says nothing."""
    if message.name is not None or message.extras or not message.parts:
        return None
    text = _joined(message.parts)
    return None if text is None else {"role": "user", "content": text}


def result(job: Job, part: ToolResult) -> Json | None:
    """A result that is nothing but text."""
    if part.name is not None or (part.cache is not None and job.caps.cache_hints) or not part.content:
        return None
    text = _joined(part.content)
    if text is None:
        return None
    if part.is_error:
        text = TOOL_ERROR + text
    return {"role": "tool", "tool_call_id": job.call_id(part.call_id), "content": text}


def assistant(job: Job, message: Message) -> Json | None:
    """A turn of the model that is nothing but text and calls of functions."""
    caps = job.caps
    if message.name is not None or message.extras or not message.parts or caps.thinking_required_in_tool_loops:
        return None
    texts: list[str] = []
    calls: list[ToolCall] = []
    for part in message.parts:
        if type(part) is ToolCall:
            if part.kind != "function" or part.cache is not None or part.form or part.extras:
                return None
            calls.append(part)
        elif type(part) is Text and _is_plain(part):
            texts.append(part.text)
        else:
            return None
    node: Json = {"role": "assistant"}
    if calls:
        node["tool_calls"] = [
            {
                "id": job.call_id(call.id),
                "type": "function",
                "function": {"name": job.tool_name(call.name), "arguments": call.arguments},
            }
            for call in calls
        ]
    if texts:
        node["content"] = "".join(texts)
    elif caps.empty_text:
        node["content"] = None
    return node


def _joined(parts: tuple[Part, ...]) -> str | None:
    """Texts as one, each a paragraph; None where there is something else."""
    if len(parts) == 1:
        part = parts[0]
        return part.text if type(part) is Text and _is_plain(part) else None
    texts: list[str] = []
    for part in parts:
        if type(part) is not Text or not _is_plain(part):
            return None
        texts.append(part.text)
    return "\n\n".join(texts)


def _is_plain(text: Text) -> bool:
    """Whether it says something, and nothing besides."""
    if text.cache is not None or text.extras or text.citations:
        return False
    said = text.text
    return said != "" and not said.isspace()
