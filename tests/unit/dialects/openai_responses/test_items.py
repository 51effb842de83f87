"""Every kind of input item has a form in the middle or stays whole, and comes back as it was."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.envelope import seal
from strowger.dialects.openai_responses.items import parse_input, parse_item
from strowger.dialects.openai_responses.wire import (
    COMPACTION_BLOB,
    NAME,
    PLAIN,
    REASONING,
    SUMMARY,
    SUMMARY_HEAD,
    SUMMARY_ORIGIN,
    VENDOR,
)
from strowger.ir.request import (
    Message,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
)
from tests.unit.dialects.openai_responses.asking import Json, body, same

FUNCTION: Json = {"type": "function", "name": "f", "parameters": {}, "strict": None}
SUMMARY_PART = {"type": "summary_text", "text": "hm"}
REASONING_PART = {"type": "reasoning_text", "text": "well"}


def read(item: Json) -> Message:
    return parse_item(Raw(json.dumps(item).encode()), "input[0]")


def part(item: Json) -> Part:
    (one,) = read(item).parts
    return one


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "hi"},
        {"role": "system", "content": ""},
        {"role": "developer", "content": []},
        {"role": "user", "content": None},
        {"role": "user"},
        {"role": "critic", "content": "no"},
        {"type": None, "role": "user", "content": "hi"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}], "status": "completed"},
        {"role": "assistant", "content": "yes", "phase": "commentary"},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "phase": None,
            "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [SUMMARY_PART], "content": None, "encrypted_content": None},
        {"type": "reasoning", "summary": [SUMMARY_PART, SUMMARY_PART], "encrypted_content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [REASONING_PART], "status": "completed"},
        {"type": "reasoning", "id": "rs_1", "content": [REASONING_PART, REASONING_PART]},
        {"type": "reasoning", "id": "rs_1", "summary": [SUMMARY_PART], "content": [REASONING_PART]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "odd", "text": "x"}], "content": []},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": 7}]},
        {"type": "reasoning", "id": "", "summary": None, "encrypted_content": ""},
        {"type": "reasoning", "id": "rs_1", "summary": "words"},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
        {"type": "compaction", "encrypted_content": "", "id": None},
        {"type": "context_compaction", "encrypted_content": "x"},
        {"type": "compaction"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{", "status": "incomplete"},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "g", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "a.b", "namespace": "c.d", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "f", "namespace": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "c", "output": "", "status": "completed"},
        {"type": "function_call_output", "call_id": "c", "output": []},
        {"type": "function_call_output", "call_id": "c", "output": None},
        {"type": "function_call_output", "call_id": None, "output": "x", "name": "f", "namespace": "g"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
                {"type": "encrypted_content", "encrypted_content": "x"},
            ],
        },
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call", "call_id": "c", "name": "p", "namespace": "g", "input": ""},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "c",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        {"type": "local_shell_call_output", "id": "c", "output": "{}"},
        {"type": "local_shell_call_output", "id": "o", "call_id": "c", "output": "{}"},
        {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"], "timeout_ms": 1}, "environment": None},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "é", "stderr": "", "outcome": {}}]},
        {"type": "shell_call_output", "call_id": "c", "output": None},
        {"type": "apply_patch_call", "call_id": "c", "status": "completed", "operation": {"type": "delete_file"}},
        {"type": "apply_patch_call", "call_id": "c", "operation": "odd"},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no such file"},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "f"}},
        {"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {"paths": ["f"]}, "id": "t"},
        {"type": "tool_search_call", "call_id": "c", "arguments": "odd"},
        {
            "type": "tool_search_output",
            "call_id": "c",
            "execution": "client",
            "status": "completed",
            "tools": [FUNCTION],
        },
        {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": [FUNCTION]},
        {"type": "tool_search_output", "call_id": "c", "tools": []},
        {"type": "tool_search_output", "call_id": "c", "tools": None},
        {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]},
        {"type": "additional_tools", "role": "developer", "tools": None},
        {"type": "agent_message", "id": "am_1", "author": "a", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "web_search_call", "id": "ws_1", "status": "failed", "action": {"type": "open_page", "url": None}},
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "outputs": None},
        {"type": "image_generation_call", "id": "ig_1", "result": None},
        {"type": "mcp_call", "id": "mcp_1", "name": "f", "arguments": "{}", "server_label": "s"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
        {"type": "something_new", "deep": [{"a": None}]},
    ],
)
def test_an_item_comes_back(item: Json) -> None:
    """With its nulls, its odd shapes and the members that nobody knows."""
    assert same(body({"role": "user", "content": "x"}, item))


# ---- messages ----


def test_messages() -> None:
    """The easy form and the full one say the same."""
    assert read({"role": "user", "content": "hi"}).parts == (Text("hi"),)
    assert read({"type": "message", "role": "developer", "content": "hi"}).role == "developer"
    said = read(
        {"role": "assistant", "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]}
    )
    assert said.parts == (Text("a"), Refusal("b"))


def test_what_another_agent_said_is_read() -> None:
    """Any model can read it."""
    message = read({"type": "agent_message", "content": [{"type": "input_text", "text": "hi"}]})
    assert (message.role, message.parts) == ("user", (Text("hi"),))


# ---- thinking ----


def test_reasoning_is_signed_by_the_vendor() -> None:
    """As far as the body alone tells."""
    thought = part({"type": "reasoning", "id": "rs_1", "summary": [SUMMARY_PART], "encrypted_content": "x"})
    assert thought == Thinking("hm", Signed(VENDOR, REASONING, "x", "rs_1"), "summary")


def test_reasoning_without_a_blob_is_tied_by_its_id() -> None:
    """Its issuer has stored it."""
    thought = part({"type": "reasoning", "id": "rs_1", "summary": []})
    assert thought == Thinking("", Signed(VENDOR, PLAIN, "", "rs_1"))


def test_the_text_of_reasoning() -> None:
    """The summary's parts, else the content's."""
    two = part({"type": "reasoning", "summary": [SUMMARY_PART, SUMMARY_PART], "content": [REASONING_PART]})
    assert isinstance(two, Thinking)
    assert two.text == "hm\n\nhm"
    open_ = part({"type": "reasoning", "summary": [], "content": [REASONING_PART]})
    assert isinstance(open_, Thinking)
    assert (open_.text, open_.form) == ("well", "content")


def test_an_envelope_is_opened() -> None:
    """What another vendor signed came through this client and goes home."""
    signed = Signed("anthropic", "anthropic:signature", "sig", "x")
    thought = part({"type": "reasoning", "id": "rs_1", "summary": [SUMMARY_PART], "encrypted_content": seal(signed)})
    assert thought == Thinking("hm", signed, "summary")


def test_words_that_the_client_left_behind() -> None:
    """Some keep the blob alone; the signature is of the words too."""
    signed = Signed("anthropic", "anthropic:signature", "sig")
    for extra in ({}, {"later": 1}):  # read in one go, and member by member
        item = {"type": "reasoning", "summary": [], "encrypted_content": seal(signed, "hm"), **extra}
        message = parse_input(Raw(json.dumps([item]).encode()))[0]
        thought = message.parts[0]
        assert isinstance(thought, Thinking)
        assert (thought.text, thought.signed) == ("hm", signed)


def test_the_vendors_compaction_is_signed() -> None:
    """Nobody else can read it."""
    thought = part({"type": "compaction", "id": "cmp_1", "encrypted_content": "x"})
    assert thought == Thinking("", Signed(VENDOR, COMPACTION_BLOB, "x", "cmp_1"), "compaction")


def test_a_summary_of_ours_is_text() -> None:
    """Whichever model comes next can read what another one wrote."""
    sealed = seal(Signed(SUMMARY_ORIGIN, SUMMARY, "we did x"))
    message = read({"type": "compaction", "id": "cmp_1", "encrypted_content": sealed})
    assert message == Message("user", (Text(f"{SUMMARY_HEAD}\n\nwe did x"),), plain=True)


# ---- calls and results ----


def test_a_call_in_a_namespace_has_one_name() -> None:
    """The group's and the tool's."""
    call = part({"type": "function_call", "call_id": "c", "name": "f", "namespace": "g", "arguments": "{}"})
    assert call == ToolCall("c", "g.f", "{}", form="namespace:1")


def test_a_namespace_of_the_functions_own_name_is_none() -> None:
    """So the vendor writes a function without a group that a search has found; it was declared without."""
    call = part({"type": "function_call", "call_id": "c", "name": "f", "namespace": "f", "arguments": "{}", "id": ""})
    assert isinstance(call, ToolCall)
    assert call.name == "f"


@pytest.mark.parametrize(
    "kind,name,member",
    [
        ("local_shell_call", "local_shell", "action"),
        ("shell_call", "shell", "action"),
        ("apply_patch_call", "apply_patch", "operation"),
        ("tool_search_call", "tool_search", "arguments"),
    ],
)
def test_calls_of_the_vendors_client_tools(kind: str, name: str, member: str) -> None:
    """What to do is their arguments, so any model can read its history."""
    assert part({"type": kind, "call_id": "c", member: {"a": 1}}) == ToolCall("c", name, '{"a": 1}', form=kind)


def test_custom_calls_have_free_text() -> None:
    """It is no JSON."""
    call = part({"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "*** Begin"})
    assert call == ToolCall("c", "p", "*** Begin", kind="custom")


def test_outputs_answer_their_calls() -> None:
    """Under whichever member they name them."""
    plain = part({"type": "function_call_output", "call_id": "c", "output": "done"})
    assert plain == ToolResult("c", (Text("done"),), plain=True, form="function_call_output")
    shell = part({"type": "local_shell_call_output", "id": "c", "output": "done"})
    assert isinstance(shell, ToolResult)
    assert shell.call_id == "c"
    failed = part({"type": "apply_patch_call_output", "call_id": "c", "status": "failed"})
    assert isinstance(failed, ToolResult)
    assert failed.is_error


def test_a_search_names_the_tools_it_found() -> None:
    """Those of a group by both names."""
    group = {"type": "namespace", "name": "g", "description": "d", "tools": [FUNCTION]}
    result = part({"type": "tool_search_output", "call_id": "c", "tools": [FUNCTION, group]})
    assert isinstance(result, ToolResult)
    assert result.content == (ToolReference("f"), ToolReference("g.f"))


def test_what_the_provider_ran_itself() -> None:
    """A search of the web tells what was looked for."""
    search = part({"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}})
    assert isinstance(search, ServerToolCall)
    assert (search.name, json.loads(search.arguments)) == ("web_search", {"query": "q"})
    call = part({"type": "tool_search_call", "call_id": None, "id": "t", "arguments": {"paths": ["f"]}})
    assert isinstance(call, ServerToolCall)
    assert isinstance(part({"type": "tool_search_output", "call_id": None, "tools": []}), ServerToolResult)


def test_what_nobody_knows_stays_whole() -> None:
    """It means something to its vendor."""
    unknown = part({"type": "something_new", "x": 1})
    assert isinstance(unknown, Opaque)
    assert (unknown.origin, unknown.kind) == (NAME, "something_new")
