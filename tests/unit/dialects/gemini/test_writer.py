"""Where state rides that clients bring home, and which parts have a form at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.envelope import thought_in
from strowger.dialects.gemini.writer import Writer
from strowger.ir.request import (
    Audio,
    Base64,
    Citation,
    Document,
    FileId,
    Found,
    Image,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    Url,
)
from tests.unit.dialects.gemini.replies import dumps, sealed, search, thought

CALL = ToolCall("1", "f", "{}")
NODE = {"functionCall": {"id": "1", "name": "f", "args": {}}}


def nodes(*parts: Part, origin: str = "anthropic", thinking: bool = True) -> list[Any]:
    """What the parts are on the wire."""
    return written(Writer(origin, thinking=thinking), *parts)


def written(writer: Writer, *parts: Part) -> list[Any]:
    found = [node for part in parts for node in writer.add(part)] + writer.end()
    return [json.loads(bytes(node) if isinstance(node, Raw) else dumps(_plain(node))) for node in found]


def _plain(node: Any) -> Any:
    if isinstance(node, Raw):
        return json.loads(bytes(node))
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node


def state(node: Any) -> Thinking | None:
    """What is sealed on a node."""
    return thought_in(node["thoughtSignature"])


def google(blob: str, identity: str) -> Signed:
    return Signed("google", "gemini:signature", blob, identity)


# ---- state of another dialect ----


def test_state_rides_on_the_next_call() -> None:
    """Past the text in between, with the words that it signs: clients keep it there, whatever they drop."""
    found = nodes(thought("hm", sealed()), Text("a"), CALL, ToolCall("2", "g", "{}"))
    assert [list(node) for node in found] == [
        ["text", "thought"],
        ["text"],
        ["functionCall", "thoughtSignature"],
        ["functionCall"],
    ]
    assert state(found[2]) == Thinking("hm", sealed())


def test_state_without_a_call_rides_on_the_last_text() -> None:
    """As Google's own does."""
    found = nodes(thought("hm", sealed()), Text("a"))
    assert found[0] == {"text": "hm", "thought": True}
    assert found[1]["text"] == "a"
    assert state(found[1]) == Thinking("hm", sealed())


def test_state_alone_is_an_empty_thought() -> None:
    """There is nothing else that it could stand on."""
    found = nodes(thought("", sealed()))
    assert [(node["text"], node["thought"]) for node in found] == [("", True)]
    assert state(found[0]) == Thinking("", sealed())


def test_each_call_has_the_state_before_it() -> None:
    """Models that think between calls."""
    found = nodes(thought("", sealed("1")), CALL, thought("", sealed("2")), CALL)
    assert [state(node) for node in found] == [Thinking("", sealed("1")), Thinking("", sealed("2"))]


def test_two_states_before_one_call() -> None:
    """The last rides on the call, those before it on parts of their own."""
    found = nodes(Text("a"), thought("", sealed("1")), thought("", sealed("2")), CALL)
    assert [node.get("text") for node in found] == ["a", "", None]
    assert [state(node) for node in found[1:]] == [Thinking("", sealed("1")), Thinking("", sealed("2"))]


def test_a_client_that_wants_no_thoughts_still_brings_state_home() -> None:
    """The words are not shown; they travel inside."""
    found = nodes(thought("hm", sealed()), CALL, thinking=False)
    assert len(found) == 1
    assert state(found[0]) == Thinking("hm", sealed())


def test_whose_words_they_are_stays_with_the_words() -> None:
    """Nothing was signed, so there is nothing to bring home but the thought itself."""
    found = nodes(thought("hm", Signed("deepseek", "openai_chat:reasoning", "")), Text("a"))
    assert found[0]["text"] == "hm"
    assert state(found[0]) == Thinking("", Signed("deepseek", "openai_chat:reasoning", ""))
    assert found[1] == {"text": "a"}


# ---- Google's own state ----


def test_own_state_goes_back_where_it_stood() -> None:
    """As it was, on the part that it came with."""
    found = nodes(
        Thinking("hm", google("1", "")),
        Text("a"),
        Thinking("", google("2", "text")),
        Thinking("", google("3", "call:1")),
        CALL,
        Image(Base64("image/png", "AAAA")),
        Thinking("", google("4", "part")),
        ServerToolResult("1", "codeExecutionResult", Raw(b'{"codeExecutionResult":{}}'), "code_execution"),
        Thinking("", google("5", "part")),
        Thinking("", google("6", "text"), "alone"),
        Thinking("", google("7", "text")),
        Thinking("", google("8", "")),
        origin="gemini",
    )
    assert [node.get("thoughtSignature") for node in found] == list("12345678")
    assert [sorted(node.keys() - {"thoughtSignature"}) for node in found] == [
        ["text", "thought"],
        ["text"],
        ["functionCall"],
        ["inlineData"],
        ["codeExecutionResult"],
        [],
        ["text"],
        ["text", "thought"],
    ]


def test_own_state_of_thoughts_that_are_not_wanted() -> None:
    """It goes with them."""
    parts = (Thinking("hm", google("1", "")), Thinking("", google("2", "")), Text("a"))
    assert nodes(*parts, origin="gemini", thinking=False) == [{"text": "a"}]


# ---- parts ----


def test_calls() -> None:
    """Arguments are an object; free text is a member of one; what is no object is kept as text, and said so."""
    writer = Writer("anthropic", thinking=True)
    found = written(
        writer,
        ToolCall("1", "f", '{"a": [1]}', form="no_id no_args"),
        ToolCall("2", "f", ""),
        ToolCall("3", "f", "free", "custom"),
        ToolCall("4", "f", '{"a":', extras={"caller": Raw(b"1")}),
        ToolCall("5", "f", "[1]"),
    )
    calls = [node["functionCall"] for node in found]
    assert [call["id"] for call in calls] == list("12345")
    assert [call["args"] for call in calls] == [
        {"a": [1]},
        {},
        {"input": "free"},
        {"raw_arguments": '{"a":'},
        {"raw_arguments": "[1]"},
    ]
    assert writer.called
    assert [loss.severity for loss in writer.losses if loss.path == "args"] == ["error"]
    assert any(loss.path == "content.caller" for loss in writer.losses)


def test_arguments_nested_too_deeply_to_be_read() -> None:
    """They are kept as text, too."""
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    (node,) = written(Writer("anthropic", thinking=True), ToolCall("1", "f", deep))
    assert node["functionCall"]["args"] == {"raw_arguments": deep}


def test_a_refusal_is_text() -> None:
    """That it was one shows in the reason."""
    writer = Writer("openai_chat", thinking=True)
    assert written(writer, Refusal("no")) == [{"text": "no"}]
    assert writer.refused


@pytest.mark.parametrize(
    "part, expected",
    [
        (Image(Base64("image/png", "AA", {"x": Raw(b"1")})), {"inlineData": {"mimeType": "image/png", "data": "AA"}}),
        (Image(Url("https://a", {"x": Raw(b"1")})), {"fileData": {"fileUri": "https://a"}}),
        (Document(FileId("f")), {"fileData": {"fileUri": "f"}}),
        (Audio("AA", "wav"), {"inlineData": {"mimeType": "audio/wav", "data": "AA"}}),
    ],
)
def test_pictures_and_sound(part: Part, expected: Any) -> None:
    """Without what only their own dialect understands."""
    assert nodes(part, origin="openai_responses") == [expected]


def test_parts_without_a_form() -> None:
    """They are losses."""
    writer = Writer("anthropic", thinking=True)
    opaque = Opaque("anthropic", "container_upload", Raw(b"{}"))
    assert (
        written(writer, opaque, ServerToolCall("1", "tool_search", "{}"), ServerToolCall("2", "code_execution", ""))
        == []
    )
    assert [loss.reason.split()[0].rstrip(":") for loss in writer.losses] == [
        "container_upload",
        "tool_search",
        "code_execution",
    ]


def test_code_that_another_provider_ran() -> None:
    """With what it printed, and whether it failed."""
    found = nodes(
        ServerToolCall("1", "code_execution", '{"code":"print(1)"}'),
        ServerToolResult("1", "k", Raw(b"{}"), "code_execution", output="1\n"),
        ServerToolResult("1", "k", Raw(b"{}"), "code_execution", error="unavailable"),
    )
    assert found == [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": ""}},
    ]


def test_searches_are_collected_for_the_end() -> None:
    """They are no parts here; citations count from the beginning of the answer."""
    writer = Writer("anthropic", thinking=True)
    found = written(
        writer,
        search("q"),
        ServerToolResult("1", "k", Raw(b"{}"), "web_search", (Found("https://a", "A"),)),
        Text("one "),
        Text("two", citations=(Citation(Raw(b"{}"), "https://a", "A", start=0, end=3),)),
    )
    assert found == [{"text": "one "}, {"text": "two"}]
    assert writer.drawn.members()["groundingMetadata"]["groundingSupports"] == [
        {"segment": {"startIndex": 4, "endIndex": 7, "text": "two"}, "groundingChunkIndices": [0]}
    ]
