"""Function calls and responses, and ids for those without."""

from __future__ import annotations

from typing import Any

import pytest

from strowger.dialects.gemini.calls import Calls, Noted, Settled
from strowger.errors import BadRequest
from strowger.ir.request import Base64, Image, Text, ToolCall, ToolResult
from tests.unit.dialects.gemini.asking import HELLO, Json, asked, part_comes_back

PIXEL = "iVBORw0KGgo="


def turn(*parts: Json) -> Json:
    """A content of the model with calls, or of the user with responses."""
    return {"role": "model" if "functionCall" in parts[0] else "user", "parts": list(parts)}


def calling(name: str, **members: Any) -> Json:
    """A call."""
    return {"functionCall": {"name": name, "args": {}, **members}}


def giving(name: str, response: object = None, **members: Any) -> Json:
    """A response."""
    return {
        "functionResponse": {"name": name, "response": {"output": "ok"} if response is None else response, **members}
    }


def ids(contents: list[Json]) -> tuple[list[str], list[str]]:
    """The ids of calls and those that results answer."""
    parts = [part for message in asked([HELLO, *contents]).messages for part in message.parts]
    return (
        [part.id for part in parts if isinstance(part, ToolCall)],
        [part.call_id for part in parts if isinstance(part, ToolResult)],
    )


def result(response: object, **members: Any) -> ToolResult:
    """The one result of a request."""
    part = asked([HELLO, turn(calling("f")), turn(giving("f", response, **members))]).messages[2].parts[0]
    assert isinstance(part, ToolResult)
    return part


def test_calls_without_ids_get_one_by_their_place() -> None:
    """The id is the same in every turn of the conversation, as it is made of the place and the name alone."""
    first = [turn(calling("a"), calling("b"))]
    later = [*first, turn(giving("a"), giving("b")), turn(calling("a"))]
    assert ids(first)[0] == ["call_1_a", "call_2_b"]
    assert ids(later)[0][:2] == ids(first)[0]


def test_responses_without_ids_find_their_call_by_name() -> None:
    """Google matches them by order and name."""
    calls, results = ids([turn(calling("a"), calling("b")), turn(giving("b"), giving("a"))])
    assert results == [calls[1], calls[0]]


def test_responses_to_calls_of_one_name_go_in_order() -> None:
    """Two calls of one function are answered first come first served."""
    calls, results = ids([turn(calling("a"), calling("a")), turn(giving("a"), giving("a"))])
    assert results == calls


def test_a_response_may_name_its_call() -> None:
    """An id counts for more than the order."""
    calls, results = ids(
        [turn(calling("a", id="x"), calling("a", id="y")), turn(giving("a", id="y"), giving("a", id="x"))]
    )
    assert (calls, results) == (["x", "y"], ["y", "x"])


def test_a_response_without_an_id_answers_a_call_with_one() -> None:
    """Some clients drop the id on the way back."""
    assert ids([turn(calling("a", id="x")), turn(giving("a"))]) == (["x"], ["x"])


def test_calls_that_were_never_answered_wait_no_longer() -> None:
    """After a turn with responses, a later response of that name answers the later call."""
    calls, results = ids([turn(calling("a"), calling("b")), turn(giving("b")), turn(calling("a")), turn(giving("a"))])
    assert results == [calls[1], calls[2]]


def test_a_response_to_nothing_has_an_id_of_its_own() -> None:
    """It answers no call, and must not seem to."""
    assert Calls().response(None, "f") == "call_1_f"


def test_made_ids_are_of_letters_that_others_take() -> None:
    """Anthropic takes letters, digits, underscore and hyphen."""
    assert Calls().call(None, "a.b:c" + "d" * 80) == "call_1_a_b_c" + "d" * 35


@pytest.mark.parametrize(
    "part",
    [
        calling("f"),
        calling("f", id="x"),
        calling("f", id=""),
        {"functionCall": {"name": "f"}},
        {"functionCall": {"name": "f", "args": None}},
        {"function_call": {"name": "f", "args": {"a": 1}, "id": None}},
        calling("f", partialArgs=[{"jsonPath": "$.a"}], willContinue=True),
        {**calling("f"), "partMetadata": {"a": 1}},
    ],
)
def test_calls_come_back(part: Json) -> None:
    """In either spelling, with and without ids and arguments."""
    assert part_comes_back(part)


@pytest.mark.parametrize(
    "part",
    [
        giving("f"),
        giving("f", {}),
        giving("f", {"result": 3}),
        giving("f", {"error": {"code": 1}}),
        giving("f", {"output": "a", "b": 1}),
        giving("f", {"temperature": 20}, id="x", scheduling="SILENT", willContinue=False),
        {"functionResponse": {"name": "f"}},
        {"functionResponse": {"name": "f", "response": None}},
        giving("f", parts=[]),
        giving("f", parts=None),
        giving("f", parts={"inlineData": {"mimeType": "image/png", "data": PIXEL}}),
        {
            "function_response": {
                "name": "f",
                "response": {"a": 1},
                "parts": [{"inline_data": {"mime_type": "image/png", "data": PIXEL}}],
            }
        },
        giving("f", parts=[{"fileData": {"fileUri": "gs://b/v.mp4", "mimeType": "video/mp4"}}]),
    ],
)
def test_responses_come_back(part: Json) -> None:
    """However they are wrapped, and with parts of their own."""
    assert part_comes_back(part, "user")


@pytest.mark.parametrize(
    "response, text, failed",
    [
        ({"output": "fine"}, "fine", None),
        ({"result": {"a": 1}}, '{"a":1}', None),
        ({"error": "no"}, "no", True),
        ({"weather": "fair"}, '{"weather":"fair"}', None),
        ({"output": "a", "exit": 0}, '{"output":"a","exit":0}', None),
    ],
)
def test_what_a_response_says(response: Json, text: str, failed: bool | None) -> None:
    """Wrapping that clients put around a text is taken off; anything else is said as JSON. `error` means an error."""
    part = result(response)
    assert part.content == (Text(text),)
    assert part.is_error is failed


def test_pictures_of_a_response_are_its_content() -> None:
    """Gemini 3 takes them inside."""
    part = result({"output": "see"}, parts=[{"inlineData": {"mimeType": "image/png", "data": PIXEL}}])
    assert part.content == (Text("see"), Image(Base64("image/png", PIXEL)))


@pytest.mark.parametrize("part", [{"functionCall": {"args": {}}}, {"functionResponse": {"response": {}}}])
def test_a_name_is_needed(part: Json) -> None:
    """Without it nobody knows what is called."""
    with pytest.raises(BadRequest, match="name: field required"):
        asked([{"role": "model", "parts": [part]}])


def test_arguments_stay_as_the_client_wrote_them() -> None:
    """Not parsed, not ordered anew."""
    part = asked([HELLO, turn({"functionCall": {"name": "f", "args": {"b": 1.0, "a": [1e3]}}})]).messages[1].parts[0]
    assert isinstance(part, ToolCall)
    assert part.arguments == '{"b":1.0,"a":[1000.0]}'


def test_no_arguments_are_an_empty_object_to_others() -> None:
    """Every other dialect wants an object."""
    part = asked([HELLO, turn({"functionCall": {"name": "f"}})]).messages[1].parts[0]
    assert isinstance(part, ToolCall)
    assert part.arguments == "{}"


def test_what_a_content_asked_is_noted() -> None:
    """So that the same can be asked again behind other contents, and the content be read with the ids that it gets."""
    noted = Noted()
    ids = [noted.call(None, "f"), noted.call("x", "g"), noted.response(None, "g"), noted.response(None, "f")]
    assert noted.ids == ids == ["call_1_f", "x", "x", "call_1_f"]
    assert noted.asked == [(True, None, "f"), (True, "x", "g"), (False, None, "g"), (False, None, "f")]
    settled = Settled(["a", "b"])
    assert (settled.call(None, "f"), settled.response("x", "g")) == ("a", "b")


def test_the_same_content_twice_has_two_ids() -> None:
    """A content that is known is read for the place where it stands; in the next turn it is the same object."""
    both = [turn(calling("f", id=None)), turn(giving("f", id=None))]
    first, again = asked([HELLO, *both, *both]), asked([HELLO, *both, *both, *both])
    ids = [part.id for message in again.messages for part in message.parts if isinstance(part, ToolCall)]
    answered = [part.call_id for message in again.messages for part in message.parts if isinstance(part, ToolResult)]
    assert ids == answered == ["call_1_f", "call_2_f", "call_3_f"]
    for one, other in zip(first.messages, again.messages, strict=False):
        assert other is one
