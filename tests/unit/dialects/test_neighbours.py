"""Messages of the model that follow one another."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.neighbours import joined
from strowger.ir.request import Message, Text, Thinking, ToolCall, ToolResult

THOUGHT, SAID = Thinking("hm"), Text("let me see")
CALLS = ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")


def test_what_the_model_did_in_a_row_is_one_turn() -> None:
    """Thinking, text and parallel calls that came as items of their own stand together, in their order."""
    items = [
        Message("user", (Text("hi"),)),
        Message("assistant", (THOUGHT,)),
        Message("assistant", (SAID,), plain=True, extras={"phase": Raw(b'"commentary"')}),
        *[Message("assistant", (call,)) for call in CALLS],
        Message("tool", (ToolResult("a"),)),
        Message("tool", (ToolResult("b"),)),
        Message("assistant", (SAID,)),
    ]
    placed = joined(items, "openai_responses")
    assert [path for path, _ in placed] == ["input[0]", "input[1]", "input[5]", "input[6]", "input[7]"]
    turn = placed[1][1]
    assert turn.parts == (THOUGHT, SAID, *CALLS)
    assert turn.extras == {"phase": Raw(b'"commentary"')}
    assert not turn.plain


def test_others_stay_as_they_are() -> None:
    """Users' messages are not joined: who wants that has reasons of their own. Messages before the start are left."""
    users = [Message("user", (Text("a"),)), Message("user", (Text("b"),))]
    assert joined(users, "openai_chat") == [("messages[0]", users[0]), ("messages[1]", users[1])]
    assert joined(users, "gemini", 1) == [("contents[1]", users[1])]
