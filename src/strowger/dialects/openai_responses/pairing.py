"""Bringing another dialect's results behind the calls they answer.

An output without its call is refused, and so is a call without its output. Results leave the user's turn and come
first in it; calls and results that lost each other are repaired, each with its loss. Pictures in results move into
the user's message where the target takes text results only.
"""

from __future__ import annotations

from msgspec.structs import replace

from strowger.dialects.neighbours import Placed, place
from strowger.dialects.openai_responses.job import Job
from strowger.dialects.openai_responses.wire import NO_RESULT
from strowger.ir.request import (
    Audio,
    Document,
    Image,
    InlineText,
    Message,
    Opaque,
    Part,
    Text,
    ToolCall,
    ToolReference,
    ToolResult,
)


def paired(job: Job, start: int, end: int) -> list[Placed]:
    """The messages from one place to another, results paired with their calls."""
    walk = _Pairing(job)
    for i in range(start, end):
        walk.add(place(job.request.origin, i), job.request.messages[i])
    return walk.finished()


class _Pairing:
    """One walk over the messages. `_pending`: calls that still wait for their result; `_lifted`: parts that wait for
    the next user message.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._out: list[Placed] = []
        self._pending: dict[str, None] = {}
        self._lifted: list[Part] = []
        self._lifted_at = ""
        self._path = ""

    def add(self, path: str, message: Message) -> None:
        """Take the next message."""
        self._path = path
        if message.role == "assistant":
            self._assistant(path, message)
        elif any(isinstance(part, ToolResult) for part in message.parts):
            self._results(path, message)
        else:
            if message.role == "user":
                self._settle(path)
                if self._lifted:
                    message = replace(message, parts=(*self._lifted, *message.parts), plain=False)
                    self._lifted = []
            self._out.append((path, message))

    def finished(self) -> list[Placed]:
        """All of them, with what was still open."""
        self._settle(self._path)
        self._release()
        return self._out

    def _assistant(self, path: str, message: Message) -> None:
        calls = [part.id for part in message.parts if isinstance(part, ToolCall)]
        # calls of one turn may come in several messages; a result in between ends it
        if not (self._out and self._out[-1][1].role == "assistant"):
            self._settle(path)
            self._release()
        self._pending.update(dict.fromkeys(calls))
        self._out.append((path, message))

    def _results(self, path: str, message: Message) -> None:
        answers: list[Part] = []
        rest: list[Part] = []
        for part in message.parts:
            if not isinstance(part, ToolResult):
                rest.append(part)
            elif part.call_id in self._pending:
                del self._pending[part.call_id]
                answers.append(self._without_media(path, part))
            else:
                self._job.lose(path, f"the result {part.call_id!r} answers no call before it; it is sent as text")
                rest += [Text(f"[result of tool call {part.call_id}]"), *part.content]
        if answers:
            self._out.append((path, replace(message, parts=tuple(answers), plain=False)))
        if rest:
            self._settle(path)
            parts = (*self._lifted, *rest)
            self._lifted = []
            self._out.append((path, Message("user", parts)))

    def _settle(self, path: str) -> None:
        """Give every call that is still without a result one that says so."""
        for identity in self._pending:
            self._job.lose(path, f"the tool call {identity!r} has no result; a note is sent in its place")
            self._out.append((path, Message("tool", (ToolResult(identity, (Text(NO_RESULT),)),))))
        self._pending = {}

    def _release(self) -> None:
        if self._lifted:
            self._out.append((self._lifted_at, Message("user", tuple(self._lifted))))
            self._lifted = []

    def _without_media(self, path: str, result: ToolResult) -> ToolResult:
        """The result with its pictures and files moved to the next user message, where the target wants it so."""
        if self._job.caps.tool_result_images or not any(map(_is_media, result.content)):
            return result
        kept: list[Text | Image | Document | Audio | ToolReference | Opaque] = []
        for part in result.content:
            if _is_media(part):
                self._lifted_at = path
                self._lifted += [Text(f"[from the result of tool call {result.call_id}]"), part]
                kept.append(Text(f"[{type(part).__name__.lower()}: in the next message]"))
            else:
                kept.append(part)
        self._job.lose_once(path, "pictures of a tool result are sent in the user message that follows", "info")
        return replace(result, content=tuple(kept), plain=False)


def _is_media(part: Part) -> bool:
    if isinstance(part, Document):
        return not isinstance(part.source, InlineText)
    return isinstance(part, Image | Audio)
