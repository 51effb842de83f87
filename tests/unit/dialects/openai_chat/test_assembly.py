"""Tool calls that come in pieces, in every way that servers cut and number them."""

from __future__ import annotations

import json

import pytest

from strowger.ir.events import ArgumentsDelta, Finish, PartStart, PartStop, StopReason
from strowger.ir.request import ToolCall
from tests.unit.dialects.openai_chat.talk import answer, call, calls, chunk, events

STOP = chunk(finish="stop")


def test_a_call_in_pieces() -> None:
    """Id and name first, then the arguments."""
    told = events(
        call(0, "", id="1", type="function", name="f"), call(0, '{"a":'), call(0, "1}"), chunk(finish="tool_calls")
    )
    assert told[1:] == [
        PartStart(0, ToolCall("1", "f", "")),
        ArgumentsDelta(0, '{"a":'),
        ArgumentsDelta(0, "1}"),
        PartStop(0),
        Finish(StopReason.TOOL_USE, "tool_calls"),
    ]


def test_names_are_given_back_to_the_client() -> None:
    """Those that had to be shortened."""
    assert calls(answer(call(0, "{}", id="1", name="short"), STOP, short="very_long"))[0][1] == "very_long"


@pytest.mark.parametrize(
    "wire",
    [
        # by index, interleaved
        [call(0, '{"a', id="1", name="f"), call(1, '{"b', id="2", name="g"), call(0, '":1}'), call(1, '":2}')],
        # without an index, by id
        [call(None, '{"a":1}', id="1", name="f"), call(None, '{"b":2}', id="2", name="g")],
        # without an index, later pieces without an id
        [call(None, '{"a', id="1", name="f"), call(None, '":1}'), call(None, '{"b":2}', id="2", name="g")],
        # every call is number 0, but has its own id and name
        [call(0, '{"a":1}', id="1", name="f"), call(0, '{"b":2}', id="2", name="g")],
        # id and name on every piece
        [call(0, '{"a', id="1", name="f"), call(0, '":1}', id="1", name="f"), call(1, '{"b":2}', id="2", name="g")],
        # the name comes late
        [call(0, '{"a', id="1"), call(0, '":1}', name="f"), call(1, '{"b":2}', id="2", name="g")],
    ],
)
def test_parallel_calls_however_they_are_told_apart(wire: list[bytes]) -> None:
    """Two calls, whole and in order."""
    assert calls(answer(*wire, chunk(finish="tool_calls"))) == [("1", "f", '{"a":1}'), ("2", "g", '{"b":2}')]


def test_calls_in_one_list() -> None:
    """Mistral sends them whole in one chunk, without index and type."""
    pieces = [{"id": i, "function": {"name": n, "arguments": "{}"}} for i, n in (("1", "f"), ("2", "f"))]
    assert calls(answer(chunk({"tool_calls": pieces}, finish="tool_calls"))) == [("1", "f", "{}"), ("2", "f", "{}")]


@pytest.mark.parametrize("identity", [None, ""])
def test_a_call_without_an_id_gets_one(identity: str | None) -> None:
    """Its result must be able to name it."""
    assert calls(answer(call(0, "{}", id=identity, name="f"), STOP))[0][0] == "call_0"


def test_ids_of_any_shape_are_kept() -> None:
    """`functions.weather:0`, nine characters, a bare 0: they go back as they came."""
    for identity in ("functions.weather:0", "0", "a1B2c3D4e"):
        assert calls(answer(call(0, "{}", id=identity, name="f"), STOP))[0][0] == identity


def test_arguments_as_an_object() -> None:
    """They become the text that the client expects."""
    assert json.loads(calls(answer(call(0, {"a": [1]}, id="1", name="f"), STOP))[0][2]) == {"a": [1]}


def test_a_call_without_arguments() -> None:
    """It is a call all the same; empty arguments are not made up."""
    assert calls(answer(call(0, id="1", name="f"), chunk(finish="tool_calls"))) == [("1", "f", "")]


def test_empty_arguments_may_be_a_placeholder() -> None:
    """Some servers begin with `{}` and then send the real ones."""
    assert calls(answer(call(0, "{}", id="1", name="f"), call(0, '{"a":1}'), STOP))[0][2] == '{"a":1}'
    assert calls(answer(call(0, "{}", id="1", name="f"), STOP))[0][2] == "{}"


def test_a_custom_call_is_free_text() -> None:
    """Nothing is read into it."""
    piece = {"index": 0, "id": "1", "type": "custom", "custom": {"name": "f", "input": "{}"}}
    more = {"index": 0, "custom": {"input": "{}"}}
    (part,) = answer(chunk({"tool_calls": [piece]}), chunk({"tool_calls": [more]}), STOP).parts
    assert isinstance(part, ToolCall)
    assert (part.kind, part.arguments) == ("custom", "{}{}")


def test_the_old_function_call() -> None:
    """One call, no id."""
    told = answer(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"a":1}'}}),
        chunk(finish="function_call"),
    )
    (part,) = told.parts
    assert part == ToolCall("call_0", "f", '{"a":1}', form="function_call")
    assert told.finish.reason is StopReason.TOOL_USE


def test_a_call_without_a_name_is_told_at_the_end() -> None:
    """What the model wrote is not lost, though nobody can run it."""
    assert calls(answer(call(0, '{"a":1}', id="1"), chunk(finish="tool_calls"))) == [("1", "", '{"a":1}')]
