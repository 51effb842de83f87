"""Conversations of another dialect that are what nearly all are: turns in order, each call answered in the next one.

They need no regrouping, and their usual turns are written down at once; the others go the long way of `history`, one by
one. What comes of either way is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import Json
from strowger.dialects.openai_chat.regrouping import is_media
from strowger.dialects.openai_chat.wire import TOOL_ERROR
from strowger.ir.request import Message, Part, Text, ToolCall, ToolResult


def is_straight(job: Job, messages: Sequence[Message]) -> bool:
    """Whether nothing has to be joined, moved or told apart: results have only to leave the user's turn."""
    waiting: list[str] = []
    before, answers = "", False
    for message in messages:
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
