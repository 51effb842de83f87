"""Another dialect's messages in Google's order."""

from __future__ import annotations

from msgspec import Raw

from strowger.ir.request import Message, Opaque, Text
from tests.unit.dialects.gemini.asking import call, gave, losses, lost, model, said, sent, user


def roles(*messages: Message) -> list[tuple[str, list[str]]]:
    """Role and kinds of the parts of each content."""
    return [(c["role"], [next(iter(p)) for p in c["parts"]]) for c in sent(said(*messages))["contents"]]


def test_turns_alternate() -> None:
    """Messages of one side in a row are one turn."""
    assert roles(user("a"), user("b"), model("c"), model("d"), user("e")) == [
        ("user", ["text", "text"]),
        ("model", ["text", "text"]),
        ("user", ["text"]),
    ]


def test_results_stand_at_the_head_in_the_order_of_the_calls() -> None:
    """As many as the calls, in one content, whatever the client's order was."""
    body = sent(
        said(user("a"), model(call("1", "f"), call("2", "g")), user("wait", gave("2", "two"), gave("1", "one")))
    )
    parts = body["contents"][2]["parts"]
    assert [part["functionResponse"]["name"] for part in parts[:2]] == ["f", "g"]
    assert parts[2] == {"text": "wait"}


def test_results_in_messages_of_their_own_are_one_turn() -> None:
    """As Chat writes them."""
    tools = (Message("tool", (gave("1", "one"),)), Message("tool", (gave("2", "two"),)))
    assert roles(user("a"), model(call("1"), call("2")), *tools, user("b"))[2] == (
        "user",
        ["functionResponse", "functionResponse", "text"],
    )


def test_a_call_without_a_result_gets_one() -> None:
    """Google refuses another number of responses than of calls."""
    request = said(user("a"), model(call("1"), call("2")), user(gave("2", "two")))
    parts = sent(request)["contents"][2]["parts"]
    assert [part["functionResponse"]["id"] for part in parts] == ["1", "2"]
    assert "the conversation was cut" in parts[0]["functionResponse"]["response"]["output"]
    assert ("messages[1].content[1]", "warning") in lost(request)


def test_calls_at_the_end_are_answered() -> None:
    """A conversation that was cut right behind the calls."""
    assert roles(user("a"), model(call("1")))[-1] == ("user", ["functionResponse"])


def test_a_result_without_a_call_is_text() -> None:
    """Google refuses a response to nothing."""
    request = said(user(gave("9", "nine")))
    assert sent(request)["contents"][0]["parts"] == [{"text": "[result of tool call 9]"}, {"text": "nine"}]
    assert lost(request) == [("messages[0].content[0]", "warning")]


def test_a_second_result_of_one_call_is_text() -> None:
    """One call has one response."""
    assert roles(user("a"), model(call("1")), user(gave("1", "x"), gave("1", "y")))[2][1] == [
        "functionResponse",
        "text",
        "text",
    ]


def test_leading_system_messages_are_the_system_text() -> None:
    """All of them, in order, behind the system text that stands apart."""
    messages = (Message("system", (Text("b"),)), Message("developer", (Text("c"),)), user("d"))
    body = sent(said(*messages, system=(Text("a"), Text(""))))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}


def test_system_messages_in_between_are_reminders() -> None:
    """Where they stand: hoisting them would break the prompt cache, and their sense."""
    request = said(user("a"), Message("system", (Text("mind"),)), user("b"))
    assert sent(request)["contents"][0]["parts"] == [
        {"text": "a"},
        {"text": "<system-reminder>\nmind\n</system-reminder>"},
        {"text": "b"},
    ]
    assert lost(request) == [("messages[1]", "info")]


def test_claude_codes_attribution_stays_at_home() -> None:
    """It names the client to Anthropic, and means nothing elsewhere."""
    request = said(system=(Opaque("anthropic", "attribution", Raw(b"{}")), Text("be kind")))
    assert sent(request)["systemInstruction"] == {"parts": [{"text": "be kind"}]}
    assert [loss.severity for loss in losses(request)] == ["info"]
