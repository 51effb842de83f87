"""Contents, as Google is told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.gemini.wire import SIGNATURE, SKIP_SIGNATURE
from strowger.ir.request import (
    Audio,
    Base64,
    Document,
    Image,
    InlineText,
    Message,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tests.unit.dialects.gemini.asking import (
    GEMINI_2,
    GEMINI_3,
    HELLO,
    Json,
    asked,
    call,
    gave,
    lost,
    model,
    said,
    sent,
    user,
)

PNG = "iVBORw0KGgo="


def parts(*said_by_model: Any, caps: Any = GEMINI_3) -> list[Json]:
    """The model's parts, its calls answered."""
    results = [gave(part.id, "ok") for part in said_by_model if isinstance(part, ToolCall)]
    found: list[Json] = sent(said(user("a"), model(*said_by_model), user("b", *results)), caps)["contents"][1]["parts"]
    return found


def google(blob: str, identity: str = "") -> Signed:
    """What Google signed."""
    return Signed("google", SIGNATURE, blob, identity)


# ---- calls and results ----


def test_a_call_and_its_result() -> None:
    """Ids and names go over; the result is the `output`."""
    body = sent(said(user("a"), model(call("c1")), user(gave("c1", "one", "two"))), GEMINI_2)
    assert body["contents"][1]["parts"] == [{"functionCall": {"id": "c1", "name": "look", "args": {"at": 1}}}]
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"id": "c1", "name": "look", "response": {"output": "one\n\ntwo"}}}
    ]


def test_a_result_that_is_an_error_says_so() -> None:
    """In the member that Google documents for it."""
    body = sent(said(user("a"), model(call("c1")), user(gave("c1", "no", is_error=True))))
    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"error": "no"}


DEEP = '{"a":' * 3000 + "1" + "}" * 3000


@pytest.mark.parametrize(
    "arguments, found, losses",
    [
        ("", {}, 0),
        ("null", {}, 0),
        ('{"a":', {"raw_arguments": '{"a":'}, 1),
        ("[1]", {"raw_arguments": "[1]"}, 1),
        (DEEP, {"raw_arguments": DEEP}, 1),
    ],
)
def test_arguments_are_an_object(arguments: str, found: Json, losses: int) -> None:
    """Google takes nothing else."""
    request = said(user("a"), model(call("1", "f", arguments)), user(gave("1", "ok")))
    assert sent(request)["contents"][1]["parts"][0]["functionCall"]["args"] == found
    assert len([path for path, _ in lost(request) if path.endswith("arguments")]) == losses


def test_free_text_is_an_input() -> None:
    """Calls of free-text tools, which are offered as functions with one input."""
    assert parts(ToolCall("1", "patch", "*** Begin", kind="custom"))[0]["functionCall"]["args"] == {
        "input": "*** Begin"
    }


def test_own_calls_without_ids_stay_without() -> None:
    """The ids that we made are ours."""
    contents = [
        HELLO,
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": 1}}}]},
    ]
    assert sent(asked(contents), GEMINI_2)["contents"] == contents


# ---- pictures in results ----


def with_media() -> Message:
    """A result with a picture, a text document and a sound."""
    content = (Text("see"), Image(Base64("image/png", PNG)), Document(InlineText("x")), Audio("AAAA", "wav"))
    return user(ToolResult("c1", content))


def test_pictures_stay_in_results_where_they_may() -> None:
    """From Gemini 3 on; sound follows behind."""
    request = said(user("a"), model(call("c1")), with_media())
    response, label, sound = sent(request)["contents"][2]["parts"]
    assert response["functionResponse"]["response"] == {"output": "see\n\n<document>\nx\n</document>"}
    assert response["functionResponse"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    assert label == {"text": "[from the result of tool call c1]"}
    assert "inlineData" in sound


def test_pictures_follow_all_results_where_they_may_not() -> None:
    """Gemini 2.5 refuses them inside; results must stand together."""
    request = said(user("a"), model(call("c1"), call("c2")), user(*with_media().parts, gave("c2", "two")))
    found = [next(iter(part)) for part in sent(request, GEMINI_2)["contents"][2]["parts"]]
    assert found == ["functionResponse", "functionResponse", "text", "inlineData", "inlineData"]
    assert ("messages[2].content[0]", "info") in lost(request, GEMINI_2)


def test_own_pictures_leave_results_for_an_older_model() -> None:
    """A conversation that moves from Gemini 3 to 2.5."""
    contents = [
        HELLO,
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "name": "f",
                        "response": {"output": "see"},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                    }
                }
            ],
        },
    ]
    assert [next(iter(part)) for part in sent(asked(contents), GEMINI_2)["contents"][2]["parts"]] == [
        "functionResponse",
        "text",
        "inlineData",
    ]


# ---- thinking and signatures ----


def test_a_signature_goes_back_on_its_call() -> None:
    """Wherever the client has put it: Chat loses the order."""
    signed = Thinking("", google("c2ln", "call:c1"))
    assert parts(call("c0"), call("c1"), signed)[1]["thoughtSignature"] == "c2ln"
    assert parts(signed, call("c1"))[0]["thoughtSignature"] == "c2ln"


def test_a_signature_goes_back_on_its_text() -> None:
    """Or on an empty one where there is none."""
    signed = Thinking("", google("c2ln", "text"))
    assert parts("a", signed) == [{"text": "a", "thoughtSignature": "c2ln"}]
    assert parts(signed) == [{"text": "", "thoughtSignature": "c2ln"}]
    assert parts("a", signed, signed) == [
        {"text": "a", "thoughtSignature": "c2ln"},
        {"text": "", "thoughtSignature": "c2ln"},
    ]


def test_a_thought_goes_back_to_who_signed_it() -> None:
    """With its signature."""
    assert parts(Thinking("why", google("c2ln")), "a")[0] == {
        "text": "why",
        "thought": True,
        "thoughtSignature": "c2ln",
    }


def test_signatures_of_what_is_gone_stay_behind() -> None:
    """A call that the client dropped, a part that no other dialect carries."""
    gone = (Thinking("", google("a", "call:c9")), Thinking("", google("b", "part")))
    assert parts("a", *gone) == [{"text": "a"}]
    assert [severity for _, severity in lost(said(user("a"), model("b", *gone), user("c")))] == ["info", "info"]


@pytest.mark.parametrize(
    "thought",
    [
        Thinking("why"),
        Thinking("why", Signed("anthropic", "anthropic:signature", "abc")),
        Thinking("", Signed("", "damaged", "")),
    ],
)
def test_thinking_of_others_is_not_sent(thought: Thinking) -> None:
    """A signature that is not Google's is refused, and a thought without one is nobody's."""
    request = said(user("a"), model(thought, "b"), user("c"))
    assert sent(request)["contents"][1]["parts"] == [{"text": "b"}]
    assert [severity for _, severity in lost(request)] == ["info"]


def test_history_of_others_says_that_it_is() -> None:
    """Gemini 3 refuses a step whose first call is not signed; Google documents what to say instead."""
    found = parts(call("c1"), call("c2"))
    assert found[0]["thoughtSignature"] == SKIP_SIGNATURE
    assert "thoughtSignature" not in found[1]
    assert "thoughtSignature" not in parts(call("c1"), caps=GEMINI_2)[0]


def test_own_history_without_signatures_says_so_too() -> None:
    """A client that drops signatures, on Gemini 3."""
    contents = [HELLO, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}]
    assert sent(asked(contents))["contents"][1]["parts"][0]["thoughtSignature"] == SKIP_SIGNATURE


def test_own_thoughts_of_another_issuer_stay_behind() -> None:
    """The gateway knows better who signed: another provider of this dialect."""
    contents = [HELLO, {"role": "model", "parts": [{"text": "a", "thoughtSignature": "c2ln"}]}]
    assert sent(asked(contents), replace(GEMINI_3, origin="elsewhere"))["contents"][1]["parts"] == [{"text": "a"}]


# ---- the beginning and the end ----


def test_a_turn_with_nothing_to_say_is_left_out() -> None:
    """Thinking alone; what stood around it is one turn."""
    assert sent(said(user("a"), model(Thinking("why")), user("b")))["contents"] == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}
    ]


def test_a_conversation_begins_with_the_user() -> None:
    """Google refuses calls in the first content."""
    request = said(model("a"), user("b"))
    assert [content["role"] for content in sent(request)["contents"]] == ["user", "model", "user"]
    assert lost(request) == [("messages[0]", "info")]


def test_a_model_that_does_not_go_on_is_asked_to() -> None:
    """Prefill."""
    caps = replace(GEMINI_3, prefill=False)
    assert sent(said(user("a"), model("b")), caps)["contents"][-1]["role"] == "user"
    assert sent(said(user("a"), model("b")))["contents"][-1]["role"] == "model"


def test_system_text_alone_is_the_users() -> None:
    """Chat takes a conversation of nothing else; Google wants contents."""
    request = said(Message("system", (Text("a"),)))
    assert sent(request) == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}
