"""Items as the events of a stream."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.ir.events import CitationDelta, Event, Finish, PartStart, PartStop, Start, StopReason, TextDelta
from strowger.ir.request import (
    Audio,
    Base64,
    Citation,
    CustomTool,
    Found,
    Image,
    Opaque,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolGroup,
)
from tests.unit.dialects.openai_responses.answering import (
    CREATED,
    added,
    answer,
    completed,
    decode,
    done,
    encode,
    grows,
    items,
    kinds,
    message,
    reasoning,
    request,
    sse,
    text,
)

PATCH = request(tools=(CustomTool("apply_patch"), ToolGroup("agents", (CustomTool("say"),))))


def test_texts_that_follow_one_another_are_one_message() -> None:
    """Vendors cut a text where a citation begins; a client shows each message apart."""
    (item,) = items(answer(Text("a"), Text("b")))
    assert [part["text"] for part in item["content"]] == ["a", "b"]


def test_whatever_comes_between_ends_a_message() -> None:
    """Text, call, text are three items, in order."""
    output = items(answer(Text("a"), ToolCall("c", "ls", "{}"), Text("b")))
    assert [item["type"] for item in output] == ["message", "function_call", "message"]


def test_messages_of_this_dialect_stay_apart() -> None:
    """Where the upstream ended one."""
    events = decode(sse(CREATED, done(0, **message("a")), done(1, **message("b", "c", id="msg_2")), completed()))
    assert [len(item["content"]) for item in items(events)] == [1, 2]


def test_parts_that_say_nothing_leave_no_item() -> None:
    """An empty text, thinking without text or state."""
    assert items(answer(Text(""), Thinking(""))) == []


def test_annotations_are_told_and_kept() -> None:
    """Each with its number, and once more at the end of its text."""
    events: list[Event] = [
        Start("anthropic", "m", "c"),
        PartStart(0, Text("")),
        TextDelta(0, "Hello"),
        CitationDelta(0, Citation(Raw(b"{}"), "http://a", "A")),
        CitationDelta(0, Citation(Raw(b"{}"), quote="page 3")),
        PartStop(0),
        Finish(StopReason.END),
    ]
    stream, losses = encode(events)
    told = [event for event in stream if event["type"] == "response.output_text.annotation.added"]
    assert [(event["annotation_index"], event["annotation"]["end_index"]) for event in told] == [(0, 5)]
    assert len(stream[-1]["response"]["output"][0]["content"][0]["annotations"]) == 1
    assert [(loss.path, loss.severity) for loss in losses] == [("content.citations", "info")]


@pytest.mark.parametrize("name", ["apply_patch", "agents.say"])
def test_a_function_that_stands_for_free_text_is_unwrapped(name: str) -> None:
    """Its arguments are held until they can be; the client gets the text, in one piece."""
    events, _ = encode(answer(ToolCall("c", name, '{"input":"*** Begin"}')), request=PATCH)
    assert kinds(events)[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin")
    assert item["id"].startswith("ctc_")
    assert item.get("namespace", "") == name.rpartition(".")[0]


def test_free_text_goes_out_at_once() -> None:
    """Where the upstream has such tools too."""
    events, _ = encode(answer(ToolCall("c", "apply_patch", "*** Begin", kind="custom")), request=PATCH)
    assert [event["delta"] for event in events if event["type"].endswith("input.delta")] == ["*** Begin"]


def test_a_foreign_search_has_its_life() -> None:
    """It begins, searches and completes; its item has an id of its own kind."""
    call = ServerToolCall("srvtoolu_1", "web_search", '{"query":"q"}', "server_tool_use")
    result = ServerToolResult("srvtoolu_1", "x", Raw(b"{}"), "web_search", (Found("http://a"),))
    events, losses = encode(answer(call, result, Text("so")))
    assert kinds(events)[2:7] == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    assert events[6]["item"]["action"]["query"] == "q"
    assert events[6]["item"]["id"].startswith("ws_")
    assert losses == []


def test_searches_whose_results_come_late() -> None:
    """Each ends with its own result, or with the answer."""
    calls = [ServerToolCall(name, "web_search", f'{{"query":"{name}"}}') for name in "ab"]
    result = ServerToolResult("a", "x", Raw(b"{}"), "web_search")
    output = items(answer(*calls, Text("t"), result))
    assert [item.get("action", {}).get("query") for item in output] == ["a", "b", None]


def test_tools_that_have_no_item_here() -> None:
    """The call is a loss, its result is nothing more."""
    call = ServerToolCall("c", "advisor", "{}")
    stream, losses = encode(answer(call, ServerToolResult("c", "advisor_result", Raw(b"{}")), Text("t")))
    assert [item["type"] for item in stream[-1]["response"]["output"]] == ["message"]
    assert [loss.reason for loss in losses] == ["the provider's own tool advisor has no item here"]


def test_other_parts() -> None:
    """A picture is an item; sound and what others alone understand are losses."""
    parts = (Image(Base64("image/png", "AAAA")), Audio("AAAA", "wav"), Opaque("gemini", "x", Raw(b"{}")))
    stream, losses = encode(answer(*parts))
    assert [item["type"] for item in stream[-1]["response"]["output"]] == ["image_generation_call"]
    assert [loss.severity for loss in losses] == ["error", "warning"]


def test_thinking_itself_of_an_upstream_of_this_dialect() -> None:
    """In its own events and its own list."""
    item = reasoning(content=[{"type": "reasoning_text", "text": "long"}], encrypted_content=None)
    wire = (
        CREATED,
        added(0, type="reasoning", id="rs_1", summary=[], content=[], encrypted_content=None),
        grows("reasoning_text", 0, "long", content_index=0),
        done(0, **item),
        completed(item),
    )
    events = decode(sse(*wire))
    stream, _ = encode(events)
    assert kinds(stream)[2:-1] == [
        "output_item.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "output_item.done",
    ]
    assert items(events)[0]["content"] == item["content"]


def test_a_part_of_a_message_that_nobody_knows_comes_back() -> None:
    """In its place."""
    content = [{"type": "output_text", "text": "a", "annotations": []}, {"type": "output_audio", "data": "AA"}]
    item = message() | {"content": content}
    assert items(decode(sse(CREATED, done(0, **item), completed(item)))) == [item]


def test_items_that_only_this_dialect_has_come_back() -> None:
    """Whole."""
    listed = {"type": "mcp_list_tools", "id": "l", "server_label": "dice", "tools": []}
    assert items(decode(sse(CREATED, done(0, **listed), completed(listed)))) == [listed]


def test_the_id_of_an_item_is_the_same_in_all_its_events() -> None:
    """Also on servers where it is another one each time."""
    wire = (
        CREATED,
        added(0, **message(id="msg_a")),
        text(0, "a"),
        done(0, **message("a", id="msg_b")),
        completed(message("a", id="msg_c")),
    )
    stream, _ = encode(decode(sse(*wire)))
    ids = {event.get("item_id") or event["item"]["id"] for event in stream if "output_index" in event}
    assert ids == {"msg_a"}
