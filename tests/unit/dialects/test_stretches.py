"""Conversations that are written stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from strowger.dialects import stretches
from strowger.dialects.base import Capabilities
from strowger.dialects.job import BaseJob
from strowger.dialects.lately import Memory
from strowger.dialects.names import plain
from strowger.dialects.stretches import Outcome, Stretched, stretched
from strowger.ir.request import Message, Request, Text, ToolCall, ToolResult

ASK = Message("user", (Text("Hi"),))
CALL = Message("assistant", (ToolCall("1", "run", "{}"), ToolCall("2", "a.run", "{}")))
ANSWER = Message("user", (ToolResult("1", (Text("one"),)), ToolResult("2", (Text("two"),))))
SAID = Message("assistant", (Text("Done."),))
NOTE = Message("system", (Text("note"),))


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Each test begins with nothing written."""
    with patch.object(stretches, "_known", Memory(64, 1 << 20)):
        yield


class Desk:
    """Writes the roles of messages, and tells which were written."""

    def __init__(self) -> None:
        self.wrote: list[tuple[int, int]] = []

    def written(
        self, *messages: Message, start: int = 0, free: bool = False, fits: bool = True, longest: int = 0
    ) -> tuple[Stretched | None, BaseJob]:
        job = BaseJob(Request("elsewhere", "m", messages), Capabilities(max_tool_name=longest), "here", plain)

        def write(first: int, end: int) -> Outcome:
            self.wrote.append((first, end))
            for message in messages[first:end]:
                job.lose_once(f"messages[{first}]", f"a {message.role}")
                for part in message.parts:
                    if isinstance(part, ToolCall):
                        job.tool_name(part.name)
            nodes = [{"role": message.role} for message in messages[first:end] if message.parts]
            begins = bool(nodes) and nodes[0]["role"] == ("user" if first == start else "assistant")
            return Outcome(nodes, begins, bool(nodes) and nodes[-1]["role"] == "user", first)

        told = stretched(job, job.space(), messages, start, write, free=free, fits=lambda more: fits)
        return told, job


def test_only_the_end_is_written_anew() -> None:
    """What was written in an earlier turn is written again as it was, with its losses and names."""
    desk = Desk()
    first, _ = desk.written(ASK, CALL, ANSWER, SAID, ASK)
    assert first is not None
    assert desk.wrote == [(0, 1), (1, 3), (3, 5)]
    second, job = desk.written(ASK, CALL, ANSWER, SAID, ASK, CALL, ANSWER)
    assert second is not None
    assert desk.wrote[3:] == [(3, 5), (5, 7)]
    assert [bytes(raw) for raw in second.raws] == [
        b'{"role":"user"}',
        b'{"role":"assistant"},{"role":"user"}',
        b'{"role":"assistant"},{"role":"user"}',
    ]
    assert second.more == [0, 1, 3, 5]
    assert [loss.path for loss in job.losses] == ["messages[0]", "messages[1]"]
    assert job.sent_names == {"a__run": "a.run"}


def test_it_is_the_very_messages_that_are_known() -> None:
    """Others that are like them are written again, and the same ones in another place or under other names."""
    desk = Desk()
    desk.written(ASK, CALL, ANSWER, SAID)
    assert desk.wrote == [(0, 1), (1, 3), (3, 4)]
    desk.written(ASK, replace(CALL), ANSWER, SAID)
    assert desk.wrote[3:] == [(1, 3), (3, 4)]
    desk.written(ASK, CALL, replace(ANSWER), SAID)
    assert desk.wrote[5:] == [(1, 3), (3, 4)]
    desk.written(ASK, ASK, CALL, replace(ANSWER), SAID)
    assert desk.wrote[7:] == [(0, 2), (2, 4), (4, 5)]
    desk.written(ASK, CALL, ANSWER, SAID, longest=5)
    assert (1, 3) in desk.wrote[10:]


def test_what_comes_first_is_known_as_that() -> None:
    """A stretch may be written otherwise where a conversation begins with it."""
    desk = Desk()
    assert desk.written(ASK, CALL, ANSWER, SAID)[0] is not None
    told, _ = desk.written(NOTE, CALL, ANSWER, SAID, start=1)
    assert told is None


@pytest.mark.parametrize(
    "messages, last",
    [
        ((ASK, SAID, ASK, CALL, ASK, SAID, ASK), 1),  # a call without its answer
        ((ASK, SAID, ANSWER, SAID, ASK), None),  # answers to nothing
        ((ASK, SAID, ASK, CALL, replace(ANSWER, parts=ANSWER.parts * 2), SAID), 1),
        ((ASK, SAID, ASK, Message("assistant"), ASK, SAID), 1),  # it runs into the stretch before
        ((ASK, SAID, NOTE, SAID, ASK), None),  # its end is not the user's
        ((ASK, SAID, ASK, Message("assistant"), ASK), None),  # the end runs into the stretch before
        ((SAID, ASK, SAID, ASK), None),
        ((ASK, ASK), None),
        ((ASK, Message("assistant", ANSWER.parts), ASK, SAID), None),
        ((ASK, SAID, replace(ANSWER, parts=CALL.parts), SAID), None),
        ((), None),
    ],
)
def test_what_depends_on_others_is_written_with_them(messages: tuple[Message, ...], last: int | None) -> None:
    """And with all that follows; nothing has happened where all would have to be."""
    desk = Desk()
    told, job = desk.written(*messages)
    again, _ = desk.written(*messages)
    assert told == again
    if last is None:
        assert told is None
        assert not job.losses
        assert not job.sent_names
    else:
        assert desk.wrote[-1] == (last, len(messages))
    assert desk.written(*messages, fits=False)[0] is None


def test_messages_of_the_targets_own_dialect_depend_on_nothing() -> None:
    """Whatever was called and answered in them."""
    told, _ = Desk().written(ASK, CALL, ASK, CALL, ANSWER, ANSWER, SAID, free=True)
    assert told is not None
    assert len(told.known) == 3


def test_few_are_remembered() -> None:
    """Long ones are not kept at all; what messages hold counts as well as what became of them."""
    desk = Desk()
    long = Message("user", (Text("x" * stretches._LONGEST),))
    for _ in range(2):
        desk.written(ASK, SAID, long, SAID)
    assert desk.wrote.count((1, 3)) == 2
    assert desk.wrote.count((0, 1)) == 1
    for _ in range(200):
        desk.written(Message("user", (Text("x" * 20_000),)), SAID)
    assert len(stretches._known) < 60
