"""Content blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.anthropic.blocks import citation, parse_block, render_part, tool_input
from strowger.dialects.envelope import seal
from strowger.errors import BadRequest
from strowger.ir.request import (
    Base64,
    CacheHint,
    Document,
    FileId,
    Found,
    Image,
    InlineText,
    Opaque,
    Part,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)
from tests.unit.dialects.anthropic.transcripts import dumps


def _parse(block: Any) -> Part:
    return parse_block(Raw(dumps(block)), "messages[0].content[0]")


SIGNED = Signed("anthropic", "anthropic:signature", "c2ln")

BLOCKS: list[tuple[dict[str, Any], type]] = [
    ({"type": "text", "text": "hi"}, Text),
    ({"type": "text", "text": "", "citations": None}, Text),
    ({"type": "text", "text": "a", "citations": []}, Text),
    ({"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "a"}]}, Text),
    ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, Text),
    ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}}, Text),
    ({"type": "text", "text": "a", "cache_control": None}, Text),
    ({"type": "text", "text": "a", "newer": {"x": [1, 2.0]}}, Text),
    ({"type": "thinking", "thinking": "hm", "signature": "c2ln"}, Thinking),
    ({"type": "thinking", "thinking": "", "signature": "c2ln"}, Thinking),
    ({"type": "thinking", "thinking": "hm", "signature": ""}, Thinking),
    ({"type": "thinking", "thinking": "hm"}, Thinking),
    ({"type": "redacted_thinking", "data": "ZGF0YQ=="}, Thinking),
    ({"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"b": 1, "a": [None]}}, ToolCall),
    ({"type": "tool_use", "id": "t", "name": "ls", "input": {}, "caller": {"type": "direct"}}, ToolCall),
    ({"type": "tool_result", "tool_use_id": "t"}, ToolResult),
    ({"type": "tool_result", "tool_use_id": "t", "content": ""}, ToolResult),
    ({"type": "tool_result", "tool_use_id": "t", "content": []}, ToolResult),
    ({"type": "tool_result", "tool_use_id": "t", "content": None, "is_error": False}, ToolResult),
    (
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}], "is_error": True},
        ToolResult,
    ),
    (
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "cache_control": {"type": "ephemeral"},
            "content": [
                {"type": "tool_reference", "tool_name": "WebFetch"},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
                {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}, "title": "y"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aQ=="}},
            ],
        },
        ToolResult,
    ),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aQ=="}}, Image),
    ({"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}, Image),
    ({"type": "image", "source": {"type": "file", "file_id": "file_1"}, "cache_control": {"type": "ephemeral"}}, Image),
    ({"type": "image", "source": {"type": "newer", "x": 1}}, Opaque),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}, Document),
    (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "aQ=="},
            "title": None,
            "context": "c",
            "citations": {"enabled": True},
        },
        Document,
    ),
    ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}}, Opaque),
    ({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}, ServerToolCall),
    ({"type": "mcp_tool_use", "id": "m", "name": "ask", "input": {}, "server_name": "wiki"}, ServerToolCall),
    ({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}, ServerToolResult),
    ({"type": "mcp_tool_result", "tool_use_id": "m", "is_error": False, "content": []}, ServerToolResult),
    ({"type": "container_upload", "file_id": "file_1"}, Opaque),
    ({"type": "compaction", "content": None, "encrypted_content": "x"}, Opaque),
    ({"type": "of_next_year", "x": {}}, Opaque),
]


@pytest.mark.parametrize(
    "block, kind", BLOCKS, ids=lambda value: json.dumps(value) if isinstance(value, dict) else None
)
def test_parse_and_render_are_inverse(block: dict[str, Any], kind: type) -> None:
    """A block is what it was, with its nulls, its empty lists and what we do not know."""
    part = _parse(block)
    assert isinstance(part, kind)
    written = render_part(part, own=True)
    assert json.loads(bytes(written) if isinstance(written, Raw) else dumps(_plain(written))) == block


def _plain(value: Any) -> Any:
    if isinstance(value, Raw):
        return json.loads(bytes(value))
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def test_what_blocks_mean() -> None:
    """Each block is told in the words of the IR."""
    assert _parse({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}) == Text(
        "a", CacheHint("1h")
    )
    assert _parse({"type": "thinking", "thinking": "hm", "signature": "c2ln"}) == Thinking("hm", SIGNED)
    assert _parse({"type": "redacted_thinking", "data": "x"}) == Thinking(
        "", Signed("anthropic", "anthropic:redacted", "x")
    )
    assert _parse({"type": "tool_result", "tool_use_id": "t", "content": "out"}) == ToolResult(
        "t", (Text("out"),), plain=True
    )
    assert _parse({"type": "tool_reference", "tool_name": "WebFetch"}) == ToolReference("WebFetch")
    sources: list[tuple[dict[str, str], Base64 | Url | FileId]] = [
        ({"type": "base64", "media_type": "image/png", "data": "aQ=="}, Base64("image/png", "aQ==")),
        ({"type": "url", "url": "https://x"}, Url("https://x")),
        ({"type": "file", "file_id": "file_1"}, FileId("file_1")),
    ]
    for source, meant in sources:
        assert _parse({"type": "image", "source": source}) == Image(meant)
    plain = {"type": "text", "media_type": "text/plain", "data": "words"}
    assert _parse({"type": "document", "source": plain, "title": "t"}) == Document(InlineText("words"), "t")


def test_arguments_keep_their_letters() -> None:
    """Tool input is kept as text: key order, number spelling and escapes count for caches and for signatures."""
    raw = b'{"type":"tool_use","id":"t","name":"f","input":{"b":1.0,"a":"\\u00e9","n":1e3}}'
    part = parse_block(Raw(raw), "x")
    assert isinstance(part, ToolCall)
    assert part.arguments == '{"b":1.0,"a":"\\u00e9","n":1e3}'


def test_envelopes_are_opened() -> None:
    """State that we sealed for a client that cannot read it comes back as what it was."""
    kimi = Signed("moonshot", "openai_chat:reasoning", "")
    assert _parse({"type": "thinking", "thinking": "hm", "signature": seal(kimi)}) == Thinking("hm", kimi)
    assert _parse({"type": "redacted_thinking", "data": seal(kimi)}) == Thinking("", kimi)


@pytest.mark.parametrize(
    "block, where",
    [
        ({}, "type"),
        ({"type": 1}, "type"),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": None}, "text"),
        ({"type": "text", "text": ["a"]}, "text"),
        ({"type": "tool_use", "id": "t", "name": "f"}, "input"),
        ({"type": "tool_use", "name": "f", "input": {}}, "id"),
        ({"type": "tool_result", "content": ""}, "tool_use_id"),
        ({"type": "tool_result", "tool_use_id": "t", "is_error": "no"}, "is_error"),
        ({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text"}]}, "content[0].text"),
        ({"type": "image"}, None),
        ({"type": "image", "source": {"type": "base64", "data": "x"}}, "source.media_type"),
        ({"type": "thinking"}, "thinking"),
        ({"type": "text", "text": "a", "cache_control": 5}, "cache_control"),
    ],
)
def test_errors_name_the_member(block: dict[str, Any], where: str | None) -> None:
    """Whoever wrote the request must find the place; what has no source at all is passed on as it is."""
    if where is None:
        assert isinstance(_parse(block), Opaque)
        return
    with pytest.raises(BadRequest) as caught:
        _parse(block)
    assert caught.value.param == f"messages[0].content[0].{where}"


DEEP = '{"a":' * 3000 + "1" + "}" * 3000


@pytest.mark.parametrize(
    "arguments, sent, whole",
    [
        ('{"a": 1}', {"a": 1}, True),
        ("", {}, True),
        ("null", {}, True),
        ('{"a": "cut sh', {"raw_arguments": '{"a": "cut sh'}, False),
        ("[1]", {"raw_arguments": "[1]"}, False),
        ('"text"', {"raw_arguments": '"text"'}, False),
        (DEEP, {"raw_arguments": DEEP}, False),
    ],
)
def test_input_is_an_object(arguments: str, sent: Any, whole: bool) -> None:
    """The API takes objects only: half an argument is neither invented to its end nor thrown away."""
    written, carried = tool_input(ToolCall("t", "f", arguments))
    assert (_plain(written), carried) == (sent, whole)


def test_free_text_is_wrapped() -> None:
    """A custom tool's input is text; here its one member is `input`."""
    assert tool_input(ToolCall("t", "f", "*** patch", kind="custom")) == ({"input": "*** patch"}, True)


@pytest.mark.parametrize(
    "content, found, error, output",
    [
        (
            [
                {
                    "type": "web_search_result",
                    "url": "https://a",
                    "title": "A",
                    "page_age": "1d",
                    "encrypted_content": "x",
                }
            ],
            (Found("https://a", "A", "1d"),),
            "",
            "",
        ),
        ([{"type": "text", "text": "a"}], (), "", ""),
        ({"type": "web_search_tool_result_error", "error_code": "unavailable"}, (), "unavailable", ""),
        ({"type": "code_execution_result", "stdout": "1\n", "stderr": "e", "return_code": 1}, (), "", "1\ne"),
        ("odd", (), "", ""),
    ],
)
def test_what_a_tool_at_anthropic_gave(content: Any, found: tuple[Found, ...], error: str, output: str) -> None:
    """Pages, what was printed, or why it failed; all of it comes back as it was."""
    block = {"type": "web_search_tool_result", "tool_use_id": "s", "content": content}
    part = parse_block(Raw(json.dumps(block).encode()), "p")
    assert isinstance(part, ServerToolResult)
    assert (part.name, part.found, part.error, part.output) == ("web_search", found, error, output)


@pytest.mark.parametrize(
    "raw, url, title",
    [
        ({"type": "web_search_result_location", "url": "https://a", "title": "A", "cited_text": "q"}, "https://a", "A"),
        ({"type": "search_result_location", "source": "https://b", "title": None, "cited_text": "q"}, "https://b", ""),
        ({"type": "search_result_location", "source": "notes", "title": "N", "cited_text": "q"}, "", "N"),
        ({"type": "char_location", "document_title": "D", "cited_text": "q"}, "", "D"),
    ],
)
def test_citations_of_pages_and_of_documents(raw: dict[str, Any], url: str, title: str) -> None:
    """Only a page has an address."""
    found = citation(Raw(json.dumps(raw).encode()))
    assert (found.url, found.title, found.quote) == (url, title, "q")
