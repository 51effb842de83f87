"""Another dialect's messages in Google's order.

Turns of the user and of the model alternate. All results of one turn's calls stand at the head of the next, in the
order of the calls and as many as they are; a call or a result that has lost the other is mended. System messages in
between become reminders in the user's turn.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from strowger.dialects.gemini.job import Job
from strowger.dialects.gemini.wire import NO_RESULT
from strowger.dialects.neighbours import leading_system, place
from strowger.ir.request import Message, Opaque, Part, Text, ToolCall, ToolResult

Placed = tuple[str, Part]
"""A part with the path it has in the client's request."""


class Turn(Struct):
    """What one side says before the other does. `role` is Google's word."""

    role: str
    parts: list[Placed]


def system_texts(job: Job) -> list[str]:
    """The system text that stands at the head."""
    system = _system(job)
    for i in range(leading_system(job.request.messages)):
        message, path = job.request.messages[i], place(job.request.origin, i)
        job.lose_extras(message.extras, path)
        system += [part.text for _, part in _texts(message, path) if isinstance(part, Text)]
    return system


def turns(job: Job, start: int, end: int) -> list[Turn]:
    """The turns of the messages from one place to another."""
    grouped: list[Turn] = []
    for i in range(start, end):
        message, path = job.request.messages[i], place(job.request.origin, i)
        job.lose_extras(message.extras, path)
        parts = _reminder(job, message, path) if message.role in {"system", "developer"} else _placed(message, path)
        role = "model" if message.role == "assistant" else "user"
        if grouped and grouped[-1].role == role:
            grouped[-1].parts += parts
        else:
            grouped.append(Turn(role, parts))
    return _paired(job, grouped)


def _system(job: Job) -> list[str]:
    texts: list[str] = []
    for i, part in enumerate(job.request.system):
        if isinstance(part, Opaque):
            job.lose(f"system[{i}]", f"{part.kind or 'this block'} means something to its own vendor only", "info")
        elif part.text:
            texts.append(job.own(part, f"system[{i}]").text)
    return texts


def _placed(message: Message, path: str) -> list[Placed]:
    return [(f"{path}.content[{i}]", part) for i, part in enumerate(message.parts)]


def _texts(message: Message, path: str) -> list[Placed]:
    return [placed for placed in _placed(message, path) if isinstance(placed[1], Text) and placed[1].text]


def _reminder(job: Job, message: Message, path: str) -> list[Placed]:
    job.lose_once(path, "system messages in between are sent as notes in a user message", "info")
    text = "\n\n".join(part.text for _, part in _texts(message, path) if isinstance(part, Text))
    return [(path, Text(f"<system-reminder>\n{text}\n</system-reminder>"))] if text else []


def _paired(job: Job, grouped: list[Turn]) -> list[Turn]:
    """The turns with each call's result right behind it."""
    paired: list[Turn] = []
    waiting: dict[str, ToolCall] = {}
    path = ""
    for turn in grouped:
        if turn.role == "model":
            waiting = {part.id: part for _, part in turn.parts if isinstance(part, ToolCall)}
            path = turn.parts[-1][0] if turn.parts else path
        else:
            turn = Turn("user", _answered(job, turn.parts, waiting, path))
            waiting = {}
        paired.append(turn)
    if waiting:
        paired.append(Turn("user", _answered(job, [], waiting, path)))
    return paired


def _answered(job: Job, parts: list[Placed], waiting: dict[str, ToolCall], path: str) -> list[Placed]:
    """The user's parts with the results first, one for each call; what answers no call becomes text."""
    results: dict[str, Placed] = {}
    rest: list[Placed] = []
    for at, part in parts:
        if not isinstance(part, ToolResult):
            rest.append((at, part))
        elif part.call_id in waiting and part.call_id not in results:
            results[part.call_id] = (at, replace(part, name=waiting[part.call_id].name))
        else:
            job.lose(at, f"the result {part.call_id!r} answers no call before it; it is sent as text")
            rest.append((at, Text(f"[result of tool call {part.call_id}]")))
            rest += [(f"{at}.content[{i}]", inside) for i, inside in enumerate(part.content)]
    ordered: list[Placed] = []
    for identity, call in waiting.items():
        if identity not in results:
            job.lose(path, f"the tool call {identity!r} has no result; a note is sent in its place")
            results[identity] = (path, ToolResult(identity, (Text(NO_RESULT),), name=call.name))
        ordered.append(results[identity])
    return ordered + rest
