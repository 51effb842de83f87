"""Order, roles and pairs."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strowger.dialects.anthropic import FAITHFUL
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.render import render_request
from strowger.dialects.anthropic.turns import BEGIN, CUT, FOLLOW, GO_ON, leading, regrouped, written_turns
from strowger.dialects.base import Capabilities
from strowger.dialects.envelope import seal
from strowger.ir.request import Message, Request, Signed, Text, Thinking, ToolCall, ToolResult
from tests.unit.dialects.anthropic.transcripts import USER, parse, paths, render

OLD = replace(FAITHFUL, mid_system=False)


def _user(words: str) -> Message:
    return Message("user", (Text(words),))


def _assistant(*parts: Any) -> Message:
    return Message("assistant", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def _system(words: str) -> Message:
    return Message("system", (Text(words),))


def _call(call_id: str = "c1", name: str = "ls") -> ToolCall:
    return ToolCall(call_id, name, "{}")


def _result(call_id: str = "c1", words: str = "out") -> Message:
    return Message("tool", (ToolResult(call_id, (Text(words),), plain=True),))


def _turns(*messages: Message, caps: Capabilities = FAITHFUL) -> tuple[list[Any], list[str]]:
    """The turns, each as (role, what is in it), and where something was lost."""
    fitting = Fitting(Request("openai_chat", "m"), caps)
    turns = regrouped(messages, fitting, leading(messages, fitting)[1])
    return [(turn["role"], _short(turn["content"])) for turn in written_turns(turns, own=False)], paths(fitting.losses)


def _short(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [block.get("text") or (block["type"], block.get("id") or block.get("tool_use_id")) for block in content]


def test_a_plain_conversation() -> None:
    """What is in order stays as it is."""
    turns, losses = _turns(_user("a"), _assistant("b"), _user("c"))
    assert turns == [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert losses == []


def test_leading_system_messages_are_the_system_text() -> None:
    """All of them, not only the last (clients send several)."""
    fitting = Fitting(Request("openai_chat", "m"), FAITHFUL)
    messages = (_system("a"), Message("developer", (Text("b"),)), _user("c"))
    system, count = leading(messages, fitting)
    turns = regrouped(messages, fitting, count)
    assert system == [Text("a"), Text("b")]
    assert [turn.role for turn in turns] == ["user"]


def test_same_roles_are_merged() -> None:
    """Turns alternate."""
    turns, _ = _turns(_user("a"), _user("b"), _assistant("c"), _assistant("d"), _user("e"))
    assert turns == [("user", ["a", "b"]), ("assistant", ["c", "d"]), ("user", "e")]


def test_results_come_first_in_the_order_of_the_calls() -> None:
    """All results of a turn stand at the head of the next user's turn, whatever order they came in."""
    turns, losses = _turns(
        _user("go"), _assistant("hm", _call("c1"), _call("c2")), _result("c2"), _result("c1"), _user("and?")
    )
    assert turns == [
        ("user", "go"),
        ("assistant", ["hm", ("tool_use", "c1"), ("tool_use", "c2")]),
        ("user", [("tool_result", "c1"), ("tool_result", "c2"), "and?"]),
    ]
    assert losses == []


def test_a_result_behind_a_user_message_is_moved_up() -> None:
    """The API wants it at once after its call."""
    turns, _ = _turns(_user("go"), _assistant(_call()), _user("wait"), _result())
    assert turns[2] == ("user", [("tool_result", "c1"), "wait"])


def test_a_missing_result_is_put_in() -> None:
    """Compaction cuts pairs; the API refuses a call without a result."""
    fitting = Fitting(Request("openai_chat", "m"), FAITHFUL)
    turns = regrouped((_user("go"), _assistant(_call()), _user("on")), fitting)
    assert turns[2].results == [ToolResult("c1", (Text(CUT),), is_error=True, plain=True)]
    assert paths(fitting.losses, "warning") == ["messages[1]"]


def test_an_orphan_result_becomes_text() -> None:
    """What a tool said is kept, though its call is gone."""
    turns, losses = _turns(_user("go"), _result("gone", "words"))
    assert turns == [("user", ["go", "[result of a tool call that is no longer in the conversation: gone]", "words"])]
    assert losses == ["messages[1].content[0]"]


def test_a_second_result_of_a_call_becomes_text() -> None:
    """Each call has one result."""
    turns, losses = _turns(_user("go"), _assistant(_call()), _result("c1", "a"), _result("c1", "b"))
    assert turns[2][1][0] == ("tool_result", "c1")
    assert turns[2][1][2] == "b"
    assert losses == ["messages[3].content[0]"]


def test_ids_that_come_again_are_told_apart() -> None:
    """Some servers number calls from 0 in each answer; each result still finds its own call."""
    turns, _ = _turns(_user("go"), _assistant(_call("0")), _result("0", "a"), _assistant(_call("0")), _result("0", "b"))
    assert turns[1:] == [
        ("assistant", [("tool_use", "0")]),
        ("user", [("tool_result", "0")]),
        ("assistant", [("tool_use", "0_2")]),
        ("user", [("tool_result", "0_2")]),
    ]


def test_a_system_message_stays_where_it_may() -> None:
    """After a user's turn, and last or before the assistant's."""
    turns, losses = _turns(_user("a"), _system("s"), _assistant("b"), _user("c"), _system("t"))
    assert [role for role, _ in turns] == ["user", "system", "assistant", "user", "system"]
    assert losses == []


def test_two_system_messages_become_one() -> None:
    """Two in a row are refused."""
    turns, _ = _turns(_user("a"), _system("s"), _system("t"), _assistant("b"), _user("c"))
    assert turns[1] == ("system", ["s", "t"])


@pytest.mark.parametrize(
    "messages, turns",
    [
        (
            (_user("a"), _system("s"), _user("b")),
            [("user", ["a", "<system-reminder>\ns\n</system-reminder>", "b"])],
        ),
        (
            (_user("a"), _assistant("b"), _system("s"), _user("c")),
            [("user", "a"), ("assistant", "b"), ("user", ["<system-reminder>\ns\n</system-reminder>", "c"])],
        ),
        (
            (_user("a"), _assistant("b"), _system("s")),
            [("user", "a"), ("assistant", "b"), ("user", "<system-reminder>\ns\n</system-reminder>")],
        ),
    ],
)
def test_elsewhere_it_becomes_a_note(messages: tuple[Message, ...], turns: Any) -> None:
    """In its place in the user's turn, in the marks that coding agents use for such notes."""
    assert _turns(*messages) == (turns, [])


def test_old_models_get_notes() -> None:
    """They know no system messages between the others."""
    turns, _ = _turns(_user("a"), _system("s"), _assistant("b"), _user("c"), caps=OLD)
    assert turns == [
        ("user", ["a", "<system-reminder>\ns\n</system-reminder>"]),
        ("assistant", "b"),
        ("user", "c"),
    ]


def test_notes_stand_behind_results() -> None:
    """Nothing may come between a call and its result."""
    turns, _ = _turns(_user("go"), _assistant(_call()), _system("s"), _result(), caps=OLD)
    assert turns[2] == ("user", [("tool_result", "c1"), "<system-reminder>\ns\n</system-reminder>"])


def test_a_conversation_begins_with_the_user() -> None:
    """A greeting of the assistant's gets a line before it."""
    turns, losses = _turns(_assistant("hello"), _user("hi"))
    assert turns[:2] == [("user", BEGIN), ("assistant", "hello")]
    assert losses == ["messages[0]"]


def test_only_system_text() -> None:
    """There must be a message; the system text stays what it is."""
    turns, losses = _turns(_system("be brief"))
    assert turns == [("user", FOLLOW)]
    assert losses == ["messages"]


def test_a_prefill() -> None:
    """It is kept without the white space at its end, which is refused, or asked for where models refuse it."""
    assert _turns(_user("a"), _assistant("The answer is "))[0][-1] == ("assistant", "The answer is")
    turns, losses = _turns(_user("a"), _assistant("The answer is "), caps=replace(FAITHFUL, prefill=False))
    assert turns[-1] == ("user", GO_ON)
    assert losses == ["messages[-1]"]


def test_what_is_lifted_out_of_results_follows_them() -> None:
    """The API wants all results first, also in a request that had them so."""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aQ=="}}
    results = [{"type": "tool_result", "tool_use_id": call, "content": [picture]} for call in ("a", "b")]
    calls: list[dict[str, Any]] = [{"type": "tool_use", "id": call, "name": "f", "input": {}} for call in ("a", "b")]
    messages = [USER, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    body, _ = render(parse(messages=messages), replace(FAITHFUL, tool_result_images=False))
    kinds = [block["type"] for block in body["messages"][2]["content"]]
    assert kinds == ["tool_result", "tool_result", "text", "image", "text", "image"]


def test_a_turn_that_was_lost_whole_is_left_out() -> None:
    """Empty content would be refused."""
    foreign = {"type": "thinking", "thinking": "hm", "signature": seal(Signed("moonshot", "x", ""))}
    messages = [USER, {"role": "assistant", "content": [foreign]}, USER]
    body, _ = render(parse(messages=messages), replace(FAITHFUL, thinking_replay="signed"))
    assert body["messages"] == [USER, USER]


def test_own_messages_are_regrouped_only_for_older_models() -> None:
    """Extras of a system message that had to become a note are losses; what stands stays as it was."""
    cached = {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}
    control = {"role": "system", "content": "now", "output_config": {"effort": "low"}}
    body, losses = render(parse(messages=[cached, control]), OLD)
    assert body["messages"][0]["content"][0] == cached["content"][0]
    assert [(loss.path, loss.severity) for loss in losses] == [("messages[1].output_config", "info")]


def test_empty_messages_leave_no_turn() -> None:
    """Empty content is refused; an assistant that said nothing has no turn."""
    turns, _ = _turns(_user("a"), _assistant(), Message("user", (Text(""),)), _user("b"))
    assert turns == [("user", ["a", "b"])]


_ids = st.sampled_from(["c1", "c2", "c3"])
_messages = st.lists(
    st.one_of(
        st.builds(_user, st.sampled_from(["hi", " ", ""])),
        st.builds(_system, st.sampled_from(["rule", ""])),
        st.builds(_result, _ids),
        st.lists(st.just("words") | st.builds(_call, _ids) | st.just(Thinking("hm")), max_size=3, unique_by=str).map(
            lambda parts: _assistant(*parts)
        ),
    ),
    max_size=8,
)


@given(_messages, st.booleans())
def test_any_history_becomes_one_that_is_taken(messages: list[Message], newer: bool) -> None:
    """Whatever a client kept of a conversation, the rules of the API hold."""
    fitting = Fitting(Request("openai_chat", "m"), replace(FAITHFUL, mid_system=newer, prefill=not newer))
    turns = regrouped(messages, fitting, leading(messages, fitting)[1])
    assert turns[0].role == "user"
    assert not newer or turns[-1].role != "assistant"
    ids = [part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
    assert len(ids) == len(set(ids))
    for before, turn in zip([None, *turns], turns, strict=False):
        assert turn.results or turn.parts
        assert before is None or turn.role != before.role
        calls = [part.id for part in before.parts if isinstance(part, ToolCall)] if before is not None else []
        assert [part.call_id for part in turn.results if isinstance(part, ToolResult)] == calls
        if turn.role == "system":
            assert before is not None
            assert before.role == "user"
    for turn, after in itertools.pairwise(turns):
        assert turn.role != "system" or after.role == "assistant"
        assert not any(isinstance(part, ToolCall) for part in turn.parts) or after.role == "user"
    assert not any(isinstance(part, ToolCall) for part in turns[-1].parts)


def test_ids_that_come_twice_are_told_apart_in_turns_that_were_written_before() -> None:
    """Each turn may have been written by itself, and the first of them for another request."""
    turn, again = (_assistant(_call()), _result()), (_assistant(_call()), _result())
    begun = (_user("go"), *turn)
    earlier = Request("openai_chat", "m", (*begun, _assistant("Well.")))
    assert not render_request(earlier, "m", FAITHFUL).losses
    now = Request("openai_chat", "m", (*begun, *again, *turn, _user("on")))
    body = json.loads(render_request(now, "m", FAITHFUL).body)
    blocks = [block for message in body["messages"] for block in message["content"] if isinstance(block, dict)]
    called = [block["id"] for block in blocks if block["type"] == "tool_use"]
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert called == answered == ["c1", "c1_2", "c1_3"]
