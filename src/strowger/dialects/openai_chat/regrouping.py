"""Bringing another dialect's messages into this one's order.

Results leave the user's turn and stand right behind the calls they answer, each in a message of its own; pictures in
results move into the user message that follows where the target takes text results only. Calls and results that lost
each other are told apart from those that did not: upstreams refuse the one without the other.
"""

from __future__ import annotations

from typing import TypeGuard

from msgspec.structs import replace

from strowger.dialects.neighbours import Placed, joined
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.wire import IMAGE_FOLLOWS, NO_RESULT
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


def regrouped(job: Job, start: int, end: int) -> list[Placed]:
    """Messages from one place to another in this dialect's order, results split off and paired with their calls."""
    messages = job.request.messages
    if job.ours:
        placed = [(f"messages[{i}]", messages[i]) for i in range(start, end)]
    else:
        placed = _merged_users(joined(messages, job.request.origin, start, end))
    return _Regrouping(job).run(placed)


def _merged_users(placed: list[Placed]) -> list[Placed]:
    """Neighbouring user messages become one where results are involved: all results must follow the calls at once."""
    merged: list[Placed] = []
    for path, message in placed:
        before = merged[-1][1] if merged else None
        if (
            before is not None
            and before.role == message.role == "user"
            and any(isinstance(part, ToolResult) for part in (*before.parts, *message.parts))
        ):
            merged[-1] = (merged[-1][0], replace(before, parts=before.parts + message.parts, plain=False))
        else:
            merged.append((path, message))
    return merged


class _Regrouping:
    """One walk over the messages. `_pending`: calls that still wait for their result, by id; `_lifted`: parts that
    wait for the next user message.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._out: list[Placed] = []
        self._pending: dict[str, ToolCall] = {}
        self._lifted: list[Part] = []
        self._lifted_at = ""

    def run(self, placed: list[Placed]) -> list[Placed]:
        path = ""
        for path, message in placed:
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            if results:
                self._results(path, message, results)
            else:
                self._other(path, message)
        self._settle(path)
        self._release()
        return self._out

    def _results(self, path: str, message: Message, results: list[ToolResult]) -> None:
        rest: list[Part] = []
        if len(results) < len(message.parts):
            rest = [part for part in message.parts if not isinstance(part, ToolResult)]
        if not self._job.ours:
            results, strays = self._paired(path, results)
            rest = strays + rest
        role = message.role if message.role in {"tool", "function"} else "tool"
        extras = message.extras if role == message.role else {}
        for result in results:
            self._out.append((path, Message(role, (self._without_media(path, result),), extras=extras)))
        if role != message.role:
            self._settle(path)
            rest = self._lifted + rest
            self._lifted = []
            if rest:
                self._out.append((path, replace(message, parts=tuple(rest), plain=False)))

    def _paired(self, path: str, results: list[ToolResult]) -> tuple[list[ToolResult], list[Part]]:
        """Results in the order of their calls; those that answer no call become text."""
        if [result.call_id for result in results] == list(self._pending):
            self._pending = {}
            return results, []
        known: dict[str, ToolResult] = {}
        strays: list[Part] = []
        for result in results:
            if result.call_id in self._pending and result.call_id not in known:
                known[result.call_id] = result
                continue
            self._job.lose(path, f"the result {result.call_id!r} answers no call before it; it is sent as text")
            strays += [Text(f"[result of tool call {result.call_id}]"), *result.content]
        ordered = [known[identity] for identity in self._pending if identity in known]
        for result in ordered:
            del self._pending[result.call_id]
        return ordered, strays

    def _other(self, path: str, message: Message) -> None:
        if message.role not in {"system", "developer"}:
            self._settle(path)
        if message.role == "user" and self._lifted:
            message = replace(message, parts=(*self._lifted, *message.parts), plain=False)
            self._lifted = []
        elif message.role == "assistant":
            self._release()
            if not self._job.ours:
                self._pending = {part.id: part for part in message.parts if isinstance(part, ToolCall)}
        self._out.append((path, message))

    def _settle(self, path: str) -> None:
        """Give every call that is still without a result one that says so: upstreams refuse a call without."""
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
        if self._job.caps.tool_result_images or not any(map(is_media, result.content)):
            return result
        kept: list[Text | Image | Document | Audio | ToolReference | Opaque] = []
        for part in result.content:
            if is_media(part):
                self._lifted_at = path
                self._lifted += [Text(f"[from the result of tool call {result.call_id}]"), part]
                kept.append(Text(IMAGE_FOLLOWS))
            else:
                kept.append(part)
        self._job.lose_once(path, "pictures of a tool result are sent in the user message that follows", "info")
        return replace(result, content=tuple(kept), plain=False)


def is_media(part: Part) -> TypeGuard[Image | Document | Audio]:
    """Whether a part of a result is no text, and has to leave it where the target takes text only."""
    match part:
        case Text():
            return False
        case Document(source=source):
            return not isinstance(source, InlineText)
        case Image() | Audio():
            return True
        case _:
            return False
