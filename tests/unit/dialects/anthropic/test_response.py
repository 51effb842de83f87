"""Whole answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.anthropic import DIALECT
from strowger.dialects.anthropic.response import Counts
from strowger.errors import ErrorKind
from strowger.ir.events import Start, StopReason, Usage
from strowger.ir.request import (
    Opaque,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import fold
from tests.unit.dialects.anthropic.transcripts import decode_body, dumps, encoder_setup, failure

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}

BODIES: list[dict[str, Any]] = [
    {},
    {"content": []},
    {"stop_reason": "max_tokens"},
    {"stop_reason": "stop_sequence", "stop_sequence": "END"},
    {"stop_reason": "of_next_year"},
    {"stop_reason": None},
    {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": None}},
    {"container": {"id": "c"}, "context_management": {"applied_edits": []}, "newer": [1], "stop_details": None},
    {"usage": {"input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 2}},
    {"usage": {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": None, "service_tier": "standard"}},
    {"usage": {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4, "x": 1}}},
    {"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "d"}]},
    {
        "content": [
            {"type": "thinking", "thinking": "", "signature": "s"},
            {"type": "thinking", "thinking": "hm", "signature": ""},
        ]
    },
    {
        "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}}],
        "stop_reason": "tool_use",
    },
    {"content": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}]},
    {"content": [{"type": "mcp_tool_use", "id": "s", "name": "ask", "input": {}, "server_name": "wiki"}]},
    {
        "content": [
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            {"type": "compaction", "content": "c"},
        ]
    },
    {
        "content": [
            {"type": "text", "text": "a", "citations": [{"type": "x", "cited_text": "y"}]},
            {"type": "text", "text": "b", "citations": None},
        ]
    },
]


@pytest.mark.parametrize("members", BODIES, ids=json.dumps)
def test_decode_and_render_are_inverse(members: dict[str, Any]) -> None:
    """An answer comes out as it went in, with what we do not know."""
    body = {**MESSAGE, **members}
    rendered, losses = DIALECT.client.render_response(fold(decode_body(body)), encoder_setup())
    assert json.loads(rendered) == body
    assert losses == []


def test_an_answer_without_a_stop_sequence_stays_so() -> None:
    """Some servers of this dialect leave it out."""
    body = {key: value for key, value in MESSAGE.items() if key != "stop_sequence"}
    assert json.loads(DIALECT.client.render_response(fold(decode_body(body)), encoder_setup())[0]) == body


def test_what_an_answer_means() -> None:
    """Blocks, usage and ending in the words of the IR."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hi"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "newer", "x": 1},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    response = fold(decode_body({**MESSAGE, "content": content, "stop_reason": "tool_use"}, origin="deepseek"))
    assert response.parts == (
        Thinking("hm", Signed("deepseek", "anthropic:signature", "s")),
        Text("hi"),
        ServerToolCall("s", "web_search", '{"q":1}', "server_tool_use"),
        ServerToolResult("s", "web_search_tool_result", Raw(dumps(content[3])), "web_search"),
        Opaque("anthropic", "newer", Raw(dumps(content[4]))),
        ToolCall("t", "f", '{"a":1}'),
    )
    assert (response.origin, response.id, response.model) == ("anthropic", "msg_1", "claude")
    assert (response.finish.reason, response.finish.native) == (StopReason.TOOL_USE, "tool_use")
    assert response.usage == Usage(input=10, output=5)


def test_names_are_restored() -> None:
    """A shortened tool name is ours; the client knows its own."""
    content = [{"type": "tool_use", "id": "t", "name": "short", "input": {}}]
    [part] = fold(decode_body({**MESSAGE, "content": content}, names={"short": "mcp.long/name"})).parts
    assert isinstance(part, ToolCall)
    assert part.name == "mcp.long/name"


def test_free_text_tools_come_back_as_such() -> None:
    """A custom tool was sent with one text argument; the client gets the text."""
    content = [{"type": "tool_use", "id": "t", "name": "patch", "input": {"input": "*** \n"}}]
    [part] = fold(decode_body({**MESSAGE, "content": content}, names={"patch": "custom:patch"})).parts
    assert part == ToolCall("t", "patch", "*** \n", kind="custom")


@pytest.mark.parametrize(
    "native, called, reason",
    [
        ("end_turn", True, StopReason.TOOL_USE),
        (None, True, StopReason.TOOL_USE),
        ("", False, StopReason.END),
        ("max_tokens", True, StopReason.MAX_TOKENS),
        ("of_next_year", False, StopReason.OTHER),
    ],
)
def test_stop_reasons(native: str | None, called: bool, reason: StopReason) -> None:
    """A call that was made must be run, whatever the server says; a limit stays a limit."""
    content = [{"type": "tool_use", "id": "t", "name": "f", "input": {}}] if called else []
    finish = fold(decode_body({**MESSAGE, "content": content, "stop_reason": native})).finish
    assert (finish.reason, finish.native) == (reason, native or "")


def test_cached_tokens_are_part_of_the_input() -> None:
    """This wire states them apart, the IR together; each token is counted once."""
    usage = Counts().update(
        Raw(b'{"input_tokens":3,"cache_creation_input_tokens":5,"cache_read_input_tokens":7,"output_tokens":2,"x":1}')
    )
    assert usage == Usage(input=15, output=2, cache_read=7, cache_write=5, extras={"x": Raw(b"1")})


def test_counts_are_cumulative() -> None:
    """A later event may state some of them only; sums are made of the latest of each."""
    counts = Counts()
    counts.update(Raw(b'{"input_tokens":3,"cache_read_input_tokens":7,"output_tokens":1}'))
    later = counts.update(Raw(b'{"input_tokens":4,"output_tokens":9}'))
    assert later is not None
    assert (later.input, later.output) == (11, 9)


@pytest.mark.parametrize("raw", [b"null", b"5", b"[]"])
def test_no_usage_is_none(raw: bytes) -> None:
    """Nothing is invented."""
    assert Counts().update(Raw(raw)) is None


def test_odd_counts_are_kept_aside() -> None:
    """A count that is no number is no count, and no reason to lose the answer."""
    usage = Counts().update(Raw(b'{"input_tokens":"many","output_tokens":2}'))
    assert usage == Usage(output=2, extras={"input_tokens": Raw(b'"many"')})


def test_missing_members_are_lenient() -> None:
    """Compatible servers leave out what they think nobody needs."""
    events = decode_body({"type": "message", "content": [{"type": "text"}, {"type": "tool_use", "name": "f"}]})
    start = events[0]
    assert isinstance(start, Start)
    assert start.id.startswith("msg_")
    response = fold(events)
    assert response.parts[0] == Text("")
    assert isinstance(response.parts[1], ToolCall)
    assert response.parts[1].id.startswith("toolu_")


@pytest.mark.parametrize(
    "body, kind, words",
    [
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            ErrorKind.OVERLOADED,
            "Overloaded",
        ),
        ({"error": "model crashed"}, ErrorKind.UPSTREAM, "model crashed"),
        ({"message": "Internal failure"}, ErrorKind.UPSTREAM, "Internal failure"),
        ({"input_tokens": 5}, ErrorKind.UPSTREAM, "cannot be read"),
        (b"<html><title>Bad gateway</title></html>", ErrorKind.UPSTREAM, "Bad gateway"),
        (b"", ErrorKind.UPSTREAM, "empty body"),
        (b'{"type":"message","content":[', ErrorKind.UPSTREAM, "cannot be read"),
        ({**MESSAGE, "content": [5]}, ErrorKind.UPSTREAM, "cannot be read"),
    ],
)
def test_an_error_with_status_200_is_a_failure(body: Any, kind: ErrorKind, words: str) -> None:
    """It must be seen before anything is sent, so that another target can be tried."""
    failed = failure(decode_body(body))
    assert failed.kind is kind
    assert words in failed.message
