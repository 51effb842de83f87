"""Which requests bring back the mark of a turn, and which must not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.providers.codex_turns import HEADER, Turns

USER = {"role": "user", "content": "do it"}
MORE = {"type": "message", "role": "user", "content": "and that"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "done"}
SAID = {"type": "message", "role": "assistant", "content": "It is done."}
THOUGHT = {"type": "reasoning", "summary": []}


def members(*items: Any, model: str = "gpt-5.5") -> dict[str, Raw]:
    return {"model": Raw(json.dumps(model).encode()), "input": Raw(json.dumps(items).encode())}


class Talk:
    """One conversation after the other with a backend that marks each answer anew."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.calls = 0

    def ask(self, *items: Any, account: str = "a", answers: bool = True, **more: str) -> str | None:
        self.calls += 1
        state = self.turns.state(members(*items, **more), account, f"flow_{self.calls}")
        if answers:
            self.turns.note({HEADER: f"state-{self.calls}"}, f"flow_{self.calls}")
        return state


def test_the_first_mark_of_a_turn_is_the_one() -> None:
    """It comes with the first answer, and goes with each request of the turn; later marks change nothing."""
    talk = Talk()
    assert talk.ask(USER) is None
    assert talk.ask(USER, THOUGHT, CALL, RESULT) == "state-1"
    assert talk.ask(USER, THOUGHT, CALL, RESULT, CALL, RESULT, MORE) == "state-1"


def test_a_new_turn_has_none() -> None:
    """What the user says begins one, and its own mark is another."""
    talk = Talk()
    talk.ask(USER)
    talk.ask(USER, CALL, RESULT)
    assert talk.ask(USER, CALL, RESULT, SAID, MORE) is None
    assert talk.ask(USER, CALL, RESULT, SAID, MORE, CALL, RESULT) == "state-3"
    assert talk.ask(USER, CALL, RESULT) == "state-1"  # the older one goes on elsewhere: a client that went back


def test_a_turn_that_is_begun_again_has_a_new_mark() -> None:
    """The old one is dropped with the first request."""
    talk = Talk()
    talk.ask(USER)
    assert talk.ask(USER) is None
    assert talk.ask(USER, CALL, RESULT) == "state-2"


@pytest.mark.parametrize("other", [{"account": "b"}, {"model": "gpt-5.4"}])
def test_others_have_marks_of_their_own(other: Any) -> None:
    """The same words under another account, or to another model, are another turn."""
    talk = Talk()
    talk.ask(USER)
    assert talk.ask(USER, CALL, RESULT, **other) is None


def test_a_request_beside_the_conversation() -> None:
    """Neither takes the mark nor spoils it."""
    talk = Talk()
    talk.ask(USER)
    assert talk.ask({"role": "user", "content": "a title, please"}) is None
    assert talk.ask(USER, CALL, RESULT) == "state-1"


@pytest.mark.parametrize(
    "items", [(), (SAID,), (CALL, RESULT), "text", [7], [{"type": 7}], (RESULT,)], ids=lambda items: str(items)[:20]
)
def test_what_is_no_turn(items: Any) -> None:
    """Nothing is kept of it."""
    turns = Turns()
    asked = {"model": Raw(b'"m"'), "input": Raw(json.dumps(items).encode())}
    assert turns.state(asked, "a", "flow") is None
    turns.note({HEADER: "state"}, "flow")
    assert turns.state(asked, "a", "flow") is None


@pytest.mark.parametrize("state", ["", "x" * 5000])
def test_marks_that_are_none(state: str) -> None:
    """Are not kept."""
    turns = Turns()
    turns.state(members(USER), "a", "flow")
    turns.note({HEADER: state}, "flow")
    assert turns.state(members(USER, CALL, RESULT), "a", "flow") is None


def test_only_so_many_are_kept() -> None:
    """The oldest turn is forgotten."""
    talk = Talk()
    for number in range(2001):
        talk.ask({"role": "user", "content": str(number)})
    assert talk.ask({"role": "user", "content": "0"}, CALL, RESULT) is None
    assert talk.ask({"role": "user", "content": "2000"}, CALL, RESULT) == "state-2001"
