"""Items of an answer to parts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.openai_responses.output import annotation, parts_of, searched, unfolded
from strowger.errors import Malformed
from strowger.ir.events import PartStart, PartStop, SignatureDelta
from strowger.ir.request import (
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from tests.unit.dialects.openai_responses.answering import call, decoder_setup, dumps, message, reasoning


def parts(item: dict[str, Any], origin: str = "openai") -> list[Part]:
    """What an item becomes."""
    return parts_of(Raw(dumps(item)), decoder_setup(origin))


def test_a_message_is_as_many_parts_as_it_has() -> None:
    """The item's own members are with the first."""
    first, second = parts(message("a", "b"))
    assert isinstance(first, Text)
    assert isinstance(second, Text)
    assert (first.text, second.text) == ("a", "b")
    assert bytes(first.extras["message"]) == b'{"id":"msg_1","status":"completed","role":"assistant"}'
    assert "message" not in second.extras


@pytest.mark.parametrize(
    "item",
    [message(), message() | {"role": "user", "content": [{"type": "input_text", "text": "q"}]}, {"type": "message"}],
)
def test_messages_that_are_no_text_of_the_answer(item: dict[str, Any]) -> None:
    """An empty one, and what a compaction repeats of the user's: they stay whole, for their own dialect."""
    assert parts(item) == [Opaque("openai_responses", "message", Raw(dumps(item)))]


def test_a_refusal_is_a_part_of_its_own_kind() -> None:
    """Apart from text."""
    (part,) = parts(message() | {"content": [{"type": "refusal", "refusal": "no"}]})
    assert isinstance(part, Refusal)
    assert part.text == "no"


def test_a_content_that_is_a_bare_text() -> None:
    """Some servers write messages as they are asked."""
    (part,) = parts(message() | {"content": "hi"})
    assert isinstance(part, Text)
    assert part.text == "hi"


def test_a_content_part_that_nobody_knows() -> None:
    """It stays whole, marked as a part of its message."""
    content = [{"type": "output_text", "text": "a"}, {"type": "output_audio", "data": ""}]
    second = parts(message() | {"content": content})[1]
    assert isinstance(second, Opaque)
    assert second.kind == "content output_audio"


def test_annotations() -> None:
    """Of web pages with characters of the text, of files by their names, others as they are."""
    page = annotation(Raw(b'{"type":"url_citation","url":"http://a","title":"A","start_index":1,"end_index":3}'))
    assert (page.url, page.title, page.start, page.end) == ("http://a", "A", 1, 3)
    file = annotation(Raw(b'{"type":"file_citation","file_id":"f","filename":"a.pdf","index":3}'))
    assert (file.url, file.title, file.start) == ("", "a.pdf", None)
    held = annotation(Raw(b'{"type":"container_file_citation","filename":"b.png","start_index":0,"end_index":9}'))
    assert (held.title, held.start, held.end) == ("b.png", 0, 9)
    assert annotation(Raw(b'{"type":"new","filename":5}')).title == ""


def test_thinking_is_a_summary_or_else_the_thinking_itself() -> None:
    """Parts of a summary are paragraphs; the form tells which list it was."""
    (one,) = parts(reasoning("a", "b"))
    (other,) = parts(
        reasoning(content=[{"type": "reasoning_text", "text": "c"}, {"type": "reasoning_text", "text": "d"}])
    )
    assert isinstance(one, Thinking)
    assert isinstance(other, Thinking)
    assert (one.text, one.form, other.text, other.form) == ("a\n\nb", "summary", "cd", "content")


def test_what_ties_thinking_to_its_issuer() -> None:
    """The encrypted content, else the id where the issuer is known, else nothing."""
    (sealed,), (plain,), (nobody,) = (
        parts(reasoning()),
        parts(reasoning(encrypted_content=None)),
        parts(reasoning(encrypted_content=None), origin=""),
    )
    signed = [part.signed for part in (sealed, plain, nobody) if isinstance(part, Thinking)]
    assert signed == [
        Signed("openai", "openai_responses:reasoning", "blob", "rs_1"),
        Signed("openai", "openai_responses:plain", "", "rs_1"),
        None,
    ]


def test_calls_of_functions() -> None:
    """Arguments as text; what has no call id gets the item's, or a new one."""
    (one,), (two,), (three,) = parts(call()), parts(call(call_id="")), parts({"type": "function_call", "name": "f"})
    assert isinstance(one, ToolCall)
    assert isinstance(two, ToolCall)
    assert isinstance(three, ToolCall)
    assert (one.id, one.arguments, two.id, three.id, three.arguments) == ("call_1", '{"a":1}', "fc_1", "call_1", "")
    (four,) = parts(call(arguments={"a": 1}))
    assert isinstance(four, ToolCall)
    assert four.arguments == '{"a":1}'


def test_a_shell_in_a_container_is_the_providers() -> None:
    """Only what the client shall run is a call."""
    item = {"type": "shell_call", "id": "sh_1", "call_id": "c", "action": {"commands": ["ls"]}}
    (local,) = parts(item)
    (remote,) = parts({**item, "environment": {"type": "container_reference", "container_id": "x"}})
    assert isinstance(local, ToolCall)
    assert local.arguments == '{"commands":["ls"]}'
    assert isinstance(remote, Opaque)


@pytest.mark.parametrize(
    "action, arguments",
    [
        ({"type": "search", "query": "q", "queries": ["q", "r"]}, '{"query":"q"}'),
        ({"type": "search", "queries": ["q", "r"]}, '{"query":"q; r"}'),
        ({"type": "open_page", "url": "http://a"}, '{"query":"http://a"}'),
        ({"type": "find_in_page", "url": "http://a", "pattern": "x"}, '{"query":"x http://a"}'),
        ({"type": "search"}, '{"query":""}'),
        ("odd", '{"query":""}'),
    ],
)
def test_what_was_searched(action: object, arguments: str) -> None:
    """One query, in the words that all dialects use."""
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action}
    one, two = parts(item)
    assert isinstance(one, ServerToolCall)
    assert (one.name, one.arguments) == ("web_search", arguments)
    assert isinstance(two, ServerToolResult)
    assert (two.call_id, bytes(two.raw)) == ("ws_1", dumps(item))


def test_a_search_that_failed() -> None:
    """The result says so."""
    item = {"type": "web_search_call", "id": "ws_1", "status": "failed", "action": {"type": "search", "query": "q"}}
    result = parts(item)[1]
    assert isinstance(result, ServerToolResult)
    assert result.error == "failed"


def test_searches_are_counted() -> None:
    """Pages that were opened are none."""
    assert searched(Raw(b'{"type":"web_search_call","action":{"type":"search","query":"q"}}'))
    assert not searched(Raw(b'{"type":"web_search_call","action":{"type":"open_page","url":"u"}}'))
    assert not searched(Raw(b'{"type":"message"}'))


@pytest.mark.parametrize(
    "item, name, arguments",
    [
        ({"type": "mcp_call", "id": "i", "name": "roll", "arguments": '{"n":1}', "error": "no"}, "roll", '{"n":1}'),
        ({"type": "code_interpreter_call", "id": "i", "code": "1+1"}, "code_execution", '{"code":"1+1"}'),
        ({"type": "file_search_call", "id": "i", "queries": ["q"]}, "file_search", '{"queries":["q"]}'),
        ({"type": "image_generation_call", "id": "i", "result": "AAAA"}, "image_generation", ""),
        (
            {"type": "tool_search_call", "id": "i", "call_id": None, "arguments": {"q": 1}},
            "tool_search",
            '{"q":1}',
        ),
        ({"type": "x_search_call", "id": "i", "name": "x", "arguments": "{}", "call_id": ""}, "x_search", "{}"),
    ],
)
def test_tools_that_the_provider_runs(item: dict[str, Any], name: str, arguments: str) -> None:
    """A call and a result that holds the item whole."""
    one, two = parts(item)
    assert isinstance(one, ServerToolCall)
    assert (one.id, one.name, one.arguments, one.kind) == ("i", name, arguments, item["type"])
    assert isinstance(two, ServerToolResult)
    assert (two.kind, two.name, bytes(two.raw)) == (item["type"], name, dumps(item))
    assert two.error == ("no" if "error" in item else "")


def test_a_compaction_is_state() -> None:
    """A thinking without text holds it, so that every dialect can carry it."""
    assert parts({"type": "compaction", "id": "c", "encrypted_content": "gA", "extra": 1})[0] == Thinking(
        "",
        Signed("openai", "openai_responses:compaction", "gA", "c"),
        "compaction",
        {"id": Raw(b'"c"'), "extra": Raw(b"1")},
    )


def test_a_summary_with_more_than_texts_is_kept() -> None:
    """Whatever else is in it: even what no number can hold."""
    (part,) = parts_of(
        Raw(b'{"type":"reasoning","summary":[{"type":"summary_text","text":"a","n":1e999}]}'), decoder_setup()
    )
    assert isinstance(part, Thinking)
    assert (part.text, "summary" in part.extras) == ("a", True)


def test_wrong_types_are_malformed() -> None:
    """Nothing is guessed from them."""
    with pytest.raises(Malformed):
        parts(message() | {"content": [{"type": "output_text", "text": 5}]})


def test_signed_state_is_told_in_a_delta() -> None:
    """Also where there is no text: that is where it is noted."""
    signed = Signed("o", "k", "b")
    assert list(unfolded(3, Thinking("", signed))) == [
        PartStart(3, Thinking("")),
        SignatureDelta(3, signed),
        PartStop(3),
    ]
