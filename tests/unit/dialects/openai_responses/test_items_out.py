"""Parts as items for our clients."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.openai_responses.items_out import (
    Voice,
    annotation_node,
    call_node,
    free_text,
    image_node,
    server_node,
)
from strowger.ir.request import (
    Base64,
    Citation,
    CustomTool,
    Found,
    FunctionTool,
    HostedTool,
    Image,
    ServerToolCall,
    ServerToolResult,
    ToolCall,
    ToolGroup,
    ToolSearch,
    Url,
)
from tests.unit.dialects.openai_responses.answering import encoder_setup, request

TOOLS = (
    FunctionTool("ls"),
    CustomTool("apply_patch"),
    ToolGroup("agents", (FunctionTool("spawn"), CustomTool("say"))),
    HostedTool("openai_responses", "tool_search", "tool_search", Raw(b'{"type":"tool_search","execution":"client"}')),
    HostedTool("openai_responses", "local_shell", "local_shell", Raw(b'{"type":"local_shell"}')),
)


def voice(origin: str = "anthropic", tools: tuple[Any, ...] = TOOLS) -> Voice:
    """How an answer to a request with these tools is written."""
    spoken = Voice(encoder_setup(request=request(tools=tools)))
    spoken.begin(origin)
    return spoken


@pytest.mark.parametrize(
    "call, form",
    [
        (ToolCall("c", "ls", ""), "function_call"),
        (ToolCall("c", "unknown", ""), "function_call"),
        (ToolCall("c", "unknown", "", kind="custom"), "custom_tool_call"),
        (ToolCall("c", "apply_patch", ""), "custom_tool_call"),
        (ToolCall("c", "agents.spawn", ""), "function_call"),
        (ToolCall("c", "agents.say", ""), "custom_tool_call"),
        (ToolCall("c", "tool_search", ""), "tool_search_call"),
        (ToolCall("c", "local_shell", ""), "local_shell_call"),
    ],
)
def test_a_call_has_the_form_of_its_tool(call: ToolCall, form: str) -> None:
    """As the client offered it; other dialects know only functions."""
    assert voice().form_of(call) == form


def test_a_search_that_the_provider_runs_is_no_call_of_the_client() -> None:
    """A function that happens to have its name is one."""
    hosted = HostedTool("openai_responses", "tool_search", "tool_search", Raw(b"{}"), ability=ToolSearch())
    assert voice(tools=(hosted,)).form_of(ToolCall("c", "tool_search", "")) == "function_call"


@pytest.mark.parametrize(
    "call, node",
    [
        (ToolCall("c", "ls", "{}"), {"type": "function_call", "name": "ls", "arguments": "{}"}),
        (
            ToolCall("c", "agents.spawn", "{}"),
            {"type": "function_call", "name": "spawn", "namespace": "agents", "arguments": "{}"},
        ),
        (
            ToolCall("c", "apply_patch", "*** Begin"),
            {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin"},
        ),
        (
            ToolCall("c", "tool_search", '{"query":"x"}'),
            {"type": "tool_search_call", "execution": "client", "arguments": {"query": Raw(b'"x"')}},
        ),
        (ToolCall("c", "local_shell", "cut {"), {"type": "local_shell_call", "action": {"type": "exec", "env": {}}}),
        (
            ToolCall("c", "local_shell", '{"command":["ls"],"env":{"A":"b"}}'),
            {
                "type": "local_shell_call",
                "action": {"type": "exec", "command": Raw(b'["ls"]'), "env": Raw(b'{"A":"b"}')},
            },
        ),
    ],
)
def test_calls(call: ToolCall, node: dict[str, Any]) -> None:
    """Names with their namespace apart, arguments where the item has them."""
    spoken = voice()
    written = call_node(spoken, call, spoken.form_of(call), call.arguments)
    assert written == {"call_id": "c", "status": "completed", **node}


@pytest.mark.parametrize(
    "tool, called, named",
    [
        (FunctionTool("files.read"), "files.read", {"name": "files.read"}),
        (
            ToolGroup("my.files", (FunctionTool("read.all"),)),
            "my.files.read.all",
            {"name": "read.all", "namespace": "my.files"},
        ),
    ],
)
def test_a_dot_makes_no_namespace(tool: FunctionTool | ToolGroup, called: str, named: dict[str, Any]) -> None:
    """Only what the client offered in one comes back in one, wherever its names have dots."""
    assert voice(tools=(tool,)).named(ToolCall("c", called, "{}")) == named


def test_calls_of_an_upstream_of_this_dialect() -> None:
    """Keep their form and members; a tool that a search has found is its own namespace."""
    spoken = voice("openai_responses", ())
    call = ToolCall("c", "agents.spawn", "{}", extras={"id": Raw(b'"fc_1"')}, form="namespace:6")
    assert call_node(spoken, call, spoken.form_of(call), "{}") == {
        "type": "function_call",
        "call_id": "c",
        "name": "spawn",
        "namespace": "agents",
        "arguments": "{}",
        "id": Raw(b'"fc_1"'),
    }
    assert spoken.named(ToolCall("c", "found", "{}", form="namespace:0")) == {"name": "found", "namespace": "found"}


@pytest.mark.parametrize(
    "arguments, text",
    [('{"input":"*** Begin"}', "*** Begin"), ('{"other":1}', '{"other":1}'), ("*** Begin", "*** Begin"), ("", "")],
)
def test_free_text_inside_arguments(arguments: str, text: str) -> None:
    """What stands for a text is unwrapped; anything else is the text."""
    assert free_text(arguments) == text


def test_citations_of_web_pages() -> None:
    """With their stretch of the text, or all of it; what is no page has no annotation."""
    cited = annotation_node(Citation(Raw(b"{}"), "http://a", "A", start=1, end=3), 9)
    whole = annotation_node(Citation(Raw(b"{}"), "http://a"), 9)
    assert cited == Raw(b'{"type":"url_citation","url":"http://a","title":"A","start_index":1,"end_index":3}')
    assert whole == Raw(b'{"type":"url_citation","url":"http://a","title":"","start_index":0,"end_index":9}')
    assert annotation_node(Citation(Raw(b"{}"), quote="page 3"), 9) is None


def test_searches_and_pages() -> None:
    """What was asked and found, or which page was read; and whether it failed."""
    found = ServerToolResult("c", "x", Raw(b"{}"), "web_search", (Found("http://a", "A"),))
    search = server_node("ws_1", "web_search_call", ServerToolCall("c", "web_search", ""), '{"query":"q"}', found)
    assert search["action"] == {"type": "search", "query": "q", "sources": [{"type": "url", "url": "http://a"}]}
    page = server_node("ws_1", "web_search_call", ServerToolCall("c", "web_fetch", ""), '{"url":"http://a"}', None)
    assert (page["action"], page["status"]) == ({"type": "open_page", "url": "http://a"}, "completed")
    failed = ServerToolResult("c", "x", Raw(b"{}"), error="unavailable")
    assert server_node("w", "web_search_call", ServerToolCall("c", "web_search", ""), "", failed)["status"] == "failed"


def test_code_that_ran() -> None:
    """With what it printed."""
    printed = ServerToolResult("c", "x", Raw(b"{}"), "code_execution", output="2\n")
    call = ServerToolCall("c", "code_execution", "")
    node = server_node("ci_1", "code_interpreter_call", call, '{"code":"1+1"}', printed)
    assert (node["code"], node["outputs"]) == ("1+1", [{"type": "logs", "logs": "2\n"}])


def test_pictures() -> None:
    """As the picture that a tool made, where its bytes are here."""
    node = image_node(voice(), Image(Base64("image/png", "AAAA")))
    assert node is not None
    assert (node["type"], node["result"], node["output_format"]) == ("image_generation_call", "AAAA", "png")
    assert image_node(voice(), Image(Url("http://a"))) is None
