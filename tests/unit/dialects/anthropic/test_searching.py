"""Searches at other providers, as Anthropic's clients see them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.anthropic import DIALECT
from strowger.dialects.base import Loss
from strowger.dialects.envelope import opened
from strowger.ir.events import Finish, StopReason, Usage
from strowger.ir.request import Citation, Found, Part, ServerToolCall, ServerToolResult, Text, ToolCall
from strowger.ir.response import Response, fold, unfold
from tests.unit.dialects.anthropic.transcripts import decode, encode, encoder_setup

CALL = ServerToolCall("ws_1", "web_search", '{"query":"q"}')
FOUND = ServerToolResult("ws_1", "x", Raw(b"{}"), "web_search", (Found("https://a.test", "A", "2 days"),))
CITED = Text("It is so.", citations=(Citation(Raw(b"{}"), "https://a.test", "A", "so it is", 0, 9),))


def answer(*parts: Part, **members: Any) -> Response:
    return Response("gemini", "r", "m", parts, Finish(StopReason.END), **members)


def body(*parts: Part, **members: Any) -> tuple[dict[str, Any], list[Loss]]:
    rendered, losses = DIALECT.client.render_response(answer(*parts, **members), encoder_setup())
    return json.loads(rendered), losses


def test_a_search_and_what_it_found() -> None:
    """In the blocks of the API, complete, under an id by which we know it again."""
    written, losses = body(CALL, FOUND, CITED, usage=Usage(input=1, output=1, searches=1))
    call, found, text = written["content"]
    assert call == {"type": "server_tool_use", "id": call["id"], "name": "web_search", "input": {"query": "q"}}
    assert call["id"].startswith("srvtoolu_strowger_")
    page = found["content"][0]
    assert (found["type"], found["tool_use_id"]) == ("web_search_tool_result", call["id"])
    assert {**page, "encrypted_content": ""} == {
        "type": "web_search_result",
        "url": "https://a.test",
        "title": "A",
        "page_age": "2 days",
        "encrypted_content": "",
    }
    signed = opened(page["encrypted_content"])
    assert signed is not None
    assert (signed.origin, signed.id) == ("gemini", call["id"])
    cited = text["citations"][0]
    assert {**cited, "encrypted_index": ""} == {
        "type": "web_search_result_location",
        "url": "https://a.test",
        "title": "A",
        "cited_text": "so it is",
        "encrypted_index": "",
    }
    assert opened(cited["encrypted_index"]) is not None
    assert written["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert losses == []


def test_a_stream_says_the_same() -> None:
    """Block by block, read back by the decoder of this dialect."""
    response = answer(CALL, FOUND, CITED, ToolCall("t", "f", "{}"), usage=Usage(input=1, output=1))
    encoder = DIALECT.client.encoder(encoder_setup())
    back = fold(decode(b"".join(encoder.encode(event) for event in unfold(response))))
    call, found, text, _ = back.parts
    assert isinstance(call, ServerToolCall)
    assert (call.name, call.arguments) == ("web_search", '{"query":"q"}')
    assert isinstance(found, ServerToolResult)
    assert (found.call_id, found.found) == (call.id, FOUND.found)
    assert isinstance(text, Text)
    assert (text.citations[0].url, text.citations[0].quote) == ("https://a.test", "so it is")
    assert back.usage.searches == 1


def test_a_search_of_which_nothing_was_told() -> None:
    """Gets an empty result before what follows: clients rely on the pair."""
    sent, _ = encode(unfold(answer(CALL, Text("a"))))
    heads = [event["content_block"] for event in sent if event["type"] == "content_block_start"]
    assert [head["type"] for head in heads] == ["server_tool_use", "web_search_tool_result", "text"]
    assert heads[1] == {"type": "web_search_tool_result", "tool_use_id": heads[0]["id"], "content": []}
    assert [event["index"] for event in sent if event["type"] == "content_block_stop"] == [0, 1, 2]
    written, _ = body(CALL)
    assert [block["type"] for block in written["content"]] == ["server_tool_use", "web_search_tool_result"]


def test_a_result_that_comes_too_late() -> None:
    """Its call has an answer already, and a call has one only."""
    sent, losses = encode(unfold(answer(CALL, Text("a"), FOUND)))
    assert [e["content_block"]["type"] for e in sent if e["type"] == "content_block_start"][1:] == [
        "web_search_tool_result",
        "text",
    ]
    assert [loss.severity for loss in losses] == ["info"]


def test_a_search_that_failed() -> None:
    """With a code that the API has."""
    failed = ServerToolResult("ws_1", "x", Raw(b"{}"), "web_search", error="too_many_requests")
    odd = ServerToolResult("ws_1", "x", Raw(b"{}"), "web_search", error="QUOTA")
    for result, code in ((failed, "too_many_requests"), (odd, "unavailable")):
        content = body(CALL, result)[0]["content"][1]["content"]
        assert content == {"type": "web_search_tool_result_error", "error_code": code}


RUN = ServerToolCall("c", "code_execution", '{"code":"print(1)"}')


@pytest.mark.parametrize(
    "given, content",
    [
        (
            {"output": "1\n"},
            {"type": "code_execution_result", "stdout": "1\n", "stderr": "", "return_code": 0, "content": []},
        ),
        (
            {"output": "oops", "error": "OUTCOME_FAILED"},
            {"type": "code_execution_result", "stdout": "", "stderr": "oops", "return_code": 1, "content": []},
        ),
        ({"error": "OUTCOME_FAILED"}, {"type": "code_execution_tool_result_error", "error_code": "unavailable"}),
    ],
)
def test_code_that_ran(given: dict[str, str], content: dict[str, Any]) -> None:
    """The code, and what it printed."""
    result = ServerToolResult("c", "x", Raw(b"{}"), "code_execution", **given)  # type: ignore[arg-type]
    written, losses = body(RUN, result, Text("1"))
    call, found, _ = written["content"]
    assert (call["name"], call["input"]) == ("code_execution", {"code": "print(1)"})
    assert found == {"type": "code_execution_tool_result", "tool_use_id": call["id"], "content": content}
    assert losses == []
    assert "server_tool_use" not in written["usage"]


def test_code_of_which_nothing_was_told() -> None:
    """Printed nothing, as far as clients are told."""
    found = body(RUN)[0]["content"][1]
    assert found["content"]["stdout"] == ""


def test_other_tools_of_a_provider_have_no_block() -> None:
    """A loss; the text that came of them is there."""
    ran = ServerToolCall("c", "web_fetch", '{"url":"https://a.test"}')
    written, losses = body(ran, ServerToolResult("c", "x", Raw(b"{}"), "web_fetch"), Text("1"))
    assert written["content"] == [{"type": "text", "text": "1"}]
    assert [loss.severity for loss in losses] == ["info"]


def test_arguments_that_are_none() -> None:
    """The input is an object whatever the provider wrote."""
    assert body(ServerToolCall("ws", "web_search", "q"))[0]["content"][0]["input"] == {}


def test_a_citation_of_a_file_has_no_place() -> None:
    """Only pages of the web have addresses that a client can show."""
    written, losses = body(Text("a", citations=(Citation(Raw(b"{}"), title="f.pdf"),)))
    assert written["content"] == [{"type": "text", "text": "a"}]
    assert [loss.path for loss in losses] == ["content.citations"]


def test_a_page_without_a_title_goes_by_its_address() -> None:
    """OpenAI names none, and clients show it."""
    found = ServerToolResult("ws_1", "x", Raw(b"{}"), "web_search", (Found("https://a.test"),))
    assert body(CALL, found)[0]["content"][1]["content"][0]["title"] == "https://a.test"
