"""Results stand behind the calls they answer, and none is without the other."""

from __future__ import annotations

from msgspec.structs import replace

from strowger.dialects.openai_responses.wire import NO_RESULT
from strowger.ir.request import Base64, Document, Image, InlineText, Message, Text, ToolCall, ToolResult
from tests.unit.dialects.openai_responses.asking import OPENAI, Json, foreign, items, sent

USER = Message("user", (Text("hi"),))
A, B = ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")
DONE_A, DONE_B = ToolResult("a", (Text("A"),)), ToolResult("b", (Text("B"),))


def kinds(given: list[Json]) -> list[str]:
    """What stands where: `call a`, `output a`, or who said what."""
    told = []
    for item in given:
        if item["type"] == "message":
            content = item["content"]
            words = (
                content if isinstance(content, str) else " ".join(part.get("text", part["type"]) for part in content)
            )
            told.append(f"{item['role']}: {words}")
        else:
            told.append(f"{'output' if item['type'].endswith('_output') else 'call'} {item['call_id']}")
    return told


def test_results_leave_the_users_turn() -> None:
    """They come before the words that stand beside them."""
    given = items(USER, Message("assistant", (A, B)), Message("user", (Text("and"), DONE_B, DONE_A)))
    assert kinds(given) == ["user: hi", "call a", "call b", "output b", "output a", "user: and"]


def test_results_in_messages_of_their_own() -> None:
    """As Chat writes them, and as it writes parallel calls of several messages."""
    given = items(
        USER,
        Message("assistant", (A,)),
        Message("assistant", (B,)),
        Message("tool", (DONE_A,)),
        Message("tool", (DONE_B,)),
    )
    assert kinds(given) == ["user: hi", "call a", "call b", "output a", "output b"]


def test_a_call_without_a_result_gets_one() -> None:
    """It says that the conversation was cut; the API refuses a call without."""
    body, losses = sent(foreign(USER, Message("assistant", (A, B)), Message("user", (DONE_B, Text("on")))))
    assert kinds(body["input"]) == ["user: hi", "call a", "call b", "output b", "output a", "user: on"]
    assert body["input"][4]["output"] == NO_RESULT
    assert any("has no result" in loss.reason for loss in losses)


def test_the_last_call_without_a_result_gets_one() -> None:
    """Also at the end, and before the model's next turn."""
    assert kinds(items(USER, Message("assistant", (A,)))) == ["user: hi", "call a", "output a"]
    turns = items(USER, Message("assistant", (A,)), USER, Message("assistant", (B,)), Message("tool", (DONE_B,)))
    assert kinds(turns) == ["user: hi", "call a", "output a", "user: hi", "call b", "output b"]


def test_a_result_without_a_call_is_text() -> None:
    """What it says is not lost."""
    body, losses = sent(foreign(USER, Message("user", (DONE_A,))))
    assert kinds(body["input"]) == ["user: hi", "user: [result of tool call a] A"]
    assert any("answers no call" in loss.reason for loss in losses)


def test_a_second_result_is_text() -> None:
    """A call is answered once."""
    given = items(USER, Message("assistant", (A,)), Message("user", (DONE_A, DONE_A)))
    assert kinds(given) == ["user: hi", "call a", "output a", "user: [result of tool call a] A"]


PICTURE = Image(Base64("image/png", "AA=="))


def test_pictures_of_results_stay_where_they_can() -> None:
    """An output may be a list of parts."""
    shown = items(USER, Message("assistant", (A,)), Message("user", (ToolResult("a", (Text("see"), PICTURE)),)))
    assert [part["type"] for part in shown[-1]["output"]] == ["input_text", "input_image"]


def test_pictures_of_results_move_where_they_must() -> None:
    """They follow in the next message of the user, with a label; a text document stays."""
    caps = replace(OPENAI, tool_result_images=False)
    note = Document(InlineText("n"))
    request = foreign(USER, Message("assistant", (A,)), Message("user", (ToolResult("a", (PICTURE, note)),)))
    body, losses = sent(request, caps)
    assert body["input"][-2]["output"] == "[image: in the next message]\n\n<document>\nn\n</document>"
    assert kinds(body["input"])[-1] == "user: [from the result of tool call a] input_image"
    assert any("pictures of a tool result" in loss.reason for loss in losses)
    followed = items(*request.messages, Message("assistant", (Text("ok"),)), caps=caps)
    assert kinds(followed)[-2:] == ["user: [from the result of tool call a] input_image", "assistant: ok"]
    asked = items(*request.messages, Message("user", (Text("so?"),)), caps=caps)
    assert kinds(asked)[-1] == "user: [from the result of tool call a] input_image so?"
