"""Results behind their calls, each in a message of its own."""

from __future__ import annotations

from typing import Any

from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat.wire import IMAGE_FOLLOWS, NO_RESULT
from strowger.ir.request import Base64, Image, Message, Part, Request, Text, ToolCall, ToolResult
from tests.unit.dialects.openai_chat.talk import Json, losses, parsed, rendered

PLAIN = Capabilities(origin="here")
PNG = Image(Base64("image/png", "AA=="))
ASK = Message("assistant", (ToolCall("1", "f", "{}"),))


def said(*messages: Message) -> Request:
    """A request that came from Anthropic."""
    return Request("anthropic", "m", messages)


def user(*parts: Part) -> Message:
    return Message("user", parts)


def result(identity: str, *content: Any) -> ToolResult:
    return ToolResult(identity, content)


def messages(request: Request) -> list[Json]:
    sent: list[Json] = rendered(request, PLAIN)["messages"]
    return sent


def test_results_stand_right_behind_their_calls() -> None:
    """In the order of the calls; what the user said with them follows."""
    both = Message("assistant", (Text("go"), ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")))
    request = said(user(Text("a")), both, user(Text("note"), result("2", Text("two")), result("1", Text("one"))))
    assert messages(request)[2:] == [
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
        {"role": "user", "content": "note"},
    ]


def test_results_in_two_turns_are_brought_together() -> None:
    """Anthropic takes neighbouring user turns as one."""
    both = Message("assistant", (ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")))
    request = said(both, user(result("1", Text("one")), Text("a")), user(result("2", Text("two")), Text("b")))
    assert [message["role"] for message in messages(request)] == ["assistant", "tool", "tool", "user"]
    assert messages(request)[-1]["content"] == "a\n\nb"


def test_a_call_without_a_result_gets_a_note() -> None:
    """At the end, before the next turn, and before the user speaks."""
    for rest in ([], [user(Text("go on"))], [Message("assistant", (Text("hm"),))]):
        request = said(ASK, *rest)
        assert messages(request)[1] == {"role": "tool", "tool_call_id": "1", "content": NO_RESULT}
        assert "warning" in losses(request, PLAIN).values()


def test_a_result_without_a_call_becomes_text() -> None:
    """So does a second result for the same call."""
    request = said(user(result("9", Text("lost"))), ASK, user(result("1", Text("one")), result("1", Text("again"))))
    sent = messages(request)
    assert sent[0] == {"role": "user", "content": "[result of tool call 9]\n\nlost"}
    assert sent[2] == {"role": "tool", "tool_call_id": "1", "content": "one"}
    assert sent[3] == {"role": "user", "content": "[result of tool call 1]\n\nagain"}


def test_pictures_of_a_result_follow_in_a_user_message() -> None:
    """With a label, before what the user said; behind all results."""
    both = Message("assistant", (ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")))
    request = said(both, user(result("1", Text("seen"), PNG), result("2", Text("two")), Text("so?")))
    sent = messages(request)
    assert sent[1]["content"] == f"seen\n\n{IMAGE_FOLLOWS}"
    assert sent[2]["content"] == "two"
    assert [part["type"] for part in sent[3]["content"]] == ["text", "image_url", "text"]
    assert sent[3]["content"][0]["text"] == "[from the result of tool call 1]"


def test_pictures_in_results_of_this_dialect_move_too() -> None:
    """Before the next message, or at the end."""
    ask = {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}],
    }
    picture = {"type": "image_url", "image_url": {"url": "https://x"}}
    answered = {"role": "tool", "tool_call_id": "1", "content": [picture]}
    for rest in ([], [{"role": "assistant", "content": "hm"}], [{"role": "user", "content": "so?"}]):
        sent = messages(parsed(messages=[ask, answered, *rest]))
        assert sent[1]["content"] == [{"type": "text", "text": IMAGE_FOLLOWS}]
        assert sent[2]["role"] == "user"
        assert picture in sent[2]["content"]
