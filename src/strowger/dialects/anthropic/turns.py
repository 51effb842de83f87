"""Messages to turns: the order, roles and pairs that the Messages API insists on.

A request of this dialect is in order already and is only written down. Others are regrouped: system text to where it
may stand, every tool call followed by its result at once and at the head of the user's turn, same roles merged. Knows
messages only, not the other members of a request.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from strowger.dialects.anthropic.blocks import Json, render_part
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.wire import MAX_CACHE_HINTS, safe_id
from strowger.dialects.losses import extras_losses
from strowger.dialects.neighbours import Placed, joined, leading_system, place
from strowger.dialects.stretches import Outcome, Stretched, stretched
from strowger.ir.request import Message, Opaque, Part, Text, ToolCall, ToolResult

CUT = "[no result: the conversation was cut]"
BEGIN = "[the conversation begins with the assistant's message]"
GO_ON = "Go on from where your last message stops."
FOLLOW = "Follow the instructions above."


class Turn(Struct):
    """One turn while it is put together. `results` stand before `parts`: the API wants them first."""

    role: str
    parts: list[Part] = field(default_factory=list)
    results: list[Part] = field(default_factory=list)

    @property
    def all(self) -> list[Part]:
        """Its parts in the order they are written."""
        return self.results + self.parts


class Said(Struct, frozen=True):
    """The messages as they are written, known ones first. `last` are those that are not Raw: where there are others,
    they begin with the model's last turn. `hinted`: the client marked what to cache in one of them.
    """

    known: Sequence[Raw]
    last: list[Json]
    hinted: bool


class _More(Struct, frozen=True):
    """Of a stretch: whether thinking was lost, whether the client marked what to cache, how many of its marks are left,
    and the ids of its calls.
    """

    lost: bool
    hinted: bool = False
    hints: int = 0
    ids: frozenset[str] = frozenset()


def straight(messages: tuple[Message, ...], fitting: Fitting) -> Said:
    """Messages of this dialect, in the order they are in."""

    def write(start: int, end: int) -> Outcome:
        turns = _straight(messages, fitting, start, end)
        begins = not start or (bool(turns) and turns[0]["role"] == "assistant")
        ends = bool(turns) and turns[-1]["role"] != "assistant"
        return Outcome(turns, begins, ends, _More(fitting.thinking_lost))

    told = stretched(fitting, fitting.space(), messages, 0, write, free=True)
    if told is None:
        return Said((), _straight(messages, fitting, 0, len(messages)), hinted=False)
    return _said(told, fitting)


def _straight(messages: Sequence[Message], fitting: Fitting, start: int, end: int) -> list[Json]:
    turns: list[Json] = []
    for i in range(start, end):
        message, path = messages[i], f"messages[{i}]"
        parts = fitting.parts(message.parts, path)
        extras = fitting.extras(message.extras, path)
        if message.parts and not parts:
            continue  # all of it was lost; an empty turn would be refused
        if len(parts) != len(message.parts):
            parts.sort(key=lambda part: not isinstance(part, ToolResult))  # what was lifted out of results follows them
        written = _written(message.role, parts, plain=message.plain)
        turns.append({**extras, **written} if extras else written)
    return turns


def leading(messages: Sequence[Message], fitting: Fitting) -> tuple[list[Text | Opaque], int]:
    """The system text that comes before everything else, and how many messages it is."""
    count = leading_system(messages)
    system: list[Text | Opaque] = []
    for i in range(count):
        path = place(fitting.origin, i)
        parts = fitting.parts(messages[i].parts, path)
        system += [part for part in parts if isinstance(part, Text)]
        _message_losses(messages[i], path, fitting)
    return system, count


def regrouped(messages: Sequence[Message], fitting: Fitting, start: int = 0) -> list[Turn]:
    """Messages of any dialect from `start` on as turns that the API accepts."""
    builder = _Builder(joined(messages, fitting.origin, start), fitting)
    turns = builder.built()
    if not turns:
        fitting.lose("messages", "there was no message beside the system's", "info")
        return [Turn("user", [Text(FOLLOW)])]
    if turns[0].role == "assistant":
        fitting.lose(place(fitting.origin, 0), "a conversation begins with the user: a line was put before it", "info")
        turns.insert(0, Turn("user", [Text(BEGIN)]))
    if turns[-1].role == "assistant":
        _prefill(turns, fitting)
    return turns


def stretches(messages: tuple[Message, ...], fitting: Fitting, start: int, hints: int) -> Said | None:
    """The same for messages of other dialects, written, where most were written in an earlier turn. `hints` are the
    breakpoints before them. None where the messages have to be regrouped as a whole.
    """

    def write(first: int, end: int) -> Outcome:
        builder = _Builder(joined(messages, fitting.origin, first, end), fitting)
        turns = builder.built()
        begins = bool(turns) and turns[0].role == ("user" if first == start else "assistant")
        ends = bool(turns) and turns[-1].role == "user"
        if end == len(messages) and turns and turns[-1].role == "assistant":
            _prefill(turns, fitting)
        hinted = any(map(is_hinted, messages[first:end]))
        marks = sum(getattr(part, "cache", None) is not None for turn in turns for part in turn.all) if hinted else 0
        more = _More(fitting.thinking_lost, hinted, marks, frozenset(builder.ids))
        return Outcome(written_turns(turns, own=False), begins, ends, more)

    def fits(found: Sequence[object]) -> bool:
        left, seen = MAX_CACHE_HINTS - hints, set[str]()
        for more in found:
            if isinstance(more, _More):
                left -= more.hints
                if left < 0 or not seen.isdisjoint(more.ids):
                    return False
                seen |= more.ids
        return True

    told = stretched(fitting, fitting.space(), messages, start, write, free=False, fits=fits)
    return None if told is None else _said(told, fitting)


def _said(told: Stretched, fitting: Fitting) -> Said:
    hinted = False
    for more in told.more:
        if isinstance(more, _More):
            fitting.thinking_lost = fitting.thinking_lost or more.lost
            hinted = hinted or more.hinted
    return Said(told.raws, [node for node in told.last.nodes if isinstance(node, dict)], hinted)


def is_hinted(message: Message) -> bool:
    """Whether the client marked in it what to cache."""
    return any(getattr(part, "cache", None) is not None for part in message.parts)


def written_turns(turns: Sequence[Turn], *, own: bool) -> list[Json]:
    """Regrouped turns as they are written."""
    return [_written(turn.role, turn.all, plain=not own, own=own) for turn in turns]


def _written(role: str, parts: list[Part], *, plain: bool, own: bool = True) -> Json:
    if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].cache is None and plain:
        return {"role": role, "content": parts[0].text}
    return {"role": role, "content": [render_part(part, own=own) for part in parts]}


def _message_losses(message: Message, path: str, fitting: Fitting) -> None:
    if message.extras:
        fitting.losses += extras_losses(message.extras, path, "it belonged to a message that stands elsewhere now")
    if message.name is not None and message.role not in {"tool", "function"}:
        fitting.lose(f"{path}.name", "this dialect does not name speakers", "info")


class _Builder:
    """Puts turns together, message by message. Call ids that come twice are told apart, with their results."""

    def __init__(self, placed: Sequence[Placed], fitting: Fitting) -> None:
        self._placed = placed
        self._fitting = fitting
        self._turns: list[Turn] = []
        self._claimed: set[tuple[int, int]] = set()
        self.ids: set[str] = set()
        self._reminders: list[Part] = []

    def _add(self, index: int) -> None:
        path, message = self._placed[index]
        _message_losses(message, path, self._fitting)
        if message.role == "assistant":
            self._assistant(index, path)
        elif message.role in {"system", "developer"}:
            self._system(self._fitting.parts(message.parts, path))
        else:
            self._user(index, path)

    def built(self) -> list[Turn]:
        """The turns of all messages."""
        for index in range(len(self._placed)):
            self._add(index)
        if self._reminders:
            self._turn("user")
        return [turn for turn in self._turns if turn.results or turn.parts]

    def _turn(self, role: str) -> Turn:
        """The open turn of this role: the last one, or a new one."""
        if role == "user" and self._turns and self._turns[-1].role == "system":
            # a system turn must be last or stand before the assistant's: it becomes a note after all
            notes = [_reminder(part) for part in self._turns.pop().parts]
            self._turn("user").parts.extend(notes)
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(Turn(role))
        turn = self._turns[-1]
        if role == "user" and self._reminders:
            turn.parts.extend(self._reminders)
            self._reminders = []
        return turn

    def _system(self, parts: list[Part]) -> None:
        if not parts:
            return
        last = self._turns[-1] if self._turns else None
        if self._fitting.caps.mid_system and last is not None and last.role in {"user", "system"}:
            self._turn("system").parts.extend(parts)
        elif last is not None and last.role == "user":
            last.parts.extend(_reminder(part) for part in parts)
        else:
            self._reminders.extend(_reminder(part) for part in parts)

    def _assistant(self, index: int, path: str) -> None:
        message = self._placed[index][1]
        fitted = self._fitting.parts(message.parts, path)
        if not fitted:
            return
        if self._reminders:
            self._turn("user")
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        results = self._results_of(index, {call.id for call in calls})
        turn = self._turn("assistant")
        answers: list[Part] = []
        for part in fitted:
            if not isinstance(part, ToolCall):
                turn.parts.append(part)
                continue
            original = calls.pop(0)
            call_id = self._fresh(part.id)
            turn.parts.append(part if part.id == call_id else replace(part, id=call_id))
            answers += self._answer(results.get(original.id), call_id, path)
        if answers:
            user = self._turn("user")
            user.results += [part for part in answers if isinstance(part, ToolResult)]
            user.parts += [part for part in answers if not isinstance(part, ToolResult)]

    def _answer(self, found: tuple[str, ToolResult] | None, call_id: str, path: str) -> list[Part]:
        if found is None:
            self._fitting.lose(path, "a tool call had no result; one that says so was put in", "warning")
            return [ToolResult(call_id, (Text(CUT),), is_error=True, plain=True)]
        where, result = found
        return [
            replace(part, call_id=call_id) if isinstance(part, ToolResult) and part.call_id != call_id else part
            for part in self._fitting.part(result, where)
        ]

    def _results_of(self, index: int, wanted: set[str]) -> dict[str, tuple[str, ToolResult]]:
        """The first result of each call, from the messages up to the next that makes calls."""
        found: dict[str, tuple[str, ToolResult]] = {}
        for i in range(index + 1, len(self._placed)) if wanted else ():
            path, message = self._placed[i]
            if message.role == "assistant" and any(isinstance(part, ToolCall) for part in message.parts):
                break
            for j, part in enumerate(message.parts):
                if isinstance(part, ToolResult) and part.call_id in wanted and part.call_id not in found:
                    found[part.call_id] = (f"{path}.content[{j}]", part)
                    self._claimed.add((i, j))
        return found

    def _user(self, index: int, path: str) -> None:
        parts: list[Part] = []
        for j, part in enumerate(self._placed[index][1].parts):
            where = f"{path}.content[{j}]"
            if not isinstance(part, ToolResult):
                parts += self._fitting.part(part, where)
            elif (index, j) not in self._claimed:
                parts += self._orphan(part, where)
        if parts:
            self._turn("user").parts.extend(parts)

    def _orphan(self, part: ToolResult, where: str) -> list[Part]:
        self._fitting.lose(where, "a tool result without its call goes as text", "warning")
        inner = [fitted for part in self._fitting.part(part, where) for fitted in _content(part)]
        return [Text(f"[result of a tool call that is no longer in the conversation: {part.call_id}]"), *inner]

    def _fresh(self, call_id: str) -> str:
        """The id, or one with a number when an earlier call had the same."""
        fresh, number = call_id, 1
        while fresh in self.ids:
            number += 1
            fresh = safe_id(f"{call_id}_{number}")
        self.ids.add(fresh)
        return fresh


def _prefill(turns: list[Turn], fitting: Fitting) -> None:
    last = turns[-1].parts
    if not fitting.caps.prefill:
        fitting.lose("messages[-1]", "this model does not continue an assistant's message; it is asked to")
        turns.append(Turn("user", [Text(GO_ON)]))
    elif last and isinstance(last[-1], Text):
        last[-1] = replace(last[-1], text=last[-1].text.rstrip())  # white space at the end is refused


def _content(part: Part) -> Sequence[Part]:
    return part.content if isinstance(part, ToolResult) else (part,)


def _reminder(part: Part) -> Part:
    """System text as a note in a user's turn, in the marks that coding agents use for it."""
    return Text(f"<system-reminder>\n{part.text}\n</system-reminder>") if isinstance(part, Text) else part
