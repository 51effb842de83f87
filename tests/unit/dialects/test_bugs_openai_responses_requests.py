"""Bugs that translators of Responses requests are known for, each with the issues where it hurt.

Names in brackets are public projects and issue numbers. Anthropic stands for the other side.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.base import Capabilities, EncoderSetup
from strowger.dialects.envelope import seal
from strowger.dialects.openai_chat import DIALECT as CHAT
from strowger.dialects.openai_responses import DIALECT
from strowger.ir.events import Finish, StopReason
from strowger.ir.request import (
    Base64,
    CacheHint,
    FunctionTool,
    HostedTool,
    Image,
    Message,
    Reasoning,
    Request,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from strowger.ir.response import Response
from tests.unit.dialects.openai_responses.asking import CODEX, OPENAI, Json, body, foreign, items, parsed, sent

CLAUDE = Capabilities(
    origin="anthropic", thinking="adaptive", efforts=("low", "medium", "high"), tool_result_images=True, betas=True
)
USER = {"role": "user", "content": "hi"}
HI = Message("user", (Text("hi"),))
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}


def claude(request: Json, caps: Capabilities = CLAUDE) -> Json:
    """What Anthropic is sent for what a Responses client asks."""
    written: Json = json.loads(ANTHROPIC.upstream.render_request(parsed(request), "claude", caps).body)
    return written


def chat(request: Json) -> Json:
    """What a Chat server is sent."""
    written: Json = json.loads(CHAT.upstream.render_request(parsed(request), "m", Capabilities()).body)
    return written


def call(number: int, **members: Any) -> Json:
    return {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": "{}", **members}


def output(number: int) -> Json:
    return {"type": "function_call_output", "call_id": f"c{number}", "output": f"r{number}"}


def test_a_foreign_signature_is_not_sent() -> None:
    """400 `Invalid signature in thinking block` after a switch of provider (CPA 1584 3052 2172, 9router 2227)."""
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    said = {"role": "assistant", "content": "ok"}
    assert claude(body(USER, reasoning, said, USER))["messages"][1]["content"] == "ok"
    thought = Thinking("hm", Signed("anthropic", "anthropic:signature", "sig"))
    assert [item["type"] for item in items(HI, Message("assistant", (thought, Text("ok"))))] == ["message", "message"]


def test_own_state_comes_home_through_the_other_client() -> None:
    """Byte for byte: an Anthropic signature in a reasoning item, encrypted reasoning in a thinking block."""
    sealed = seal(Signed("anthropic", "anthropic:signature", "sig"))
    summary = [{"type": "summary_text", "text": "hm"}]
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": sealed}
    turn = claude(body(USER, reasoning, call(1), output(1)))["messages"][1]["content"]
    assert turn[0] == {"type": "thinking", "thinking": "hm", "signature": "sig"}
    block = {
        "type": "thinking",
        "thinking": "hm",
        "signature": seal(Signed("openai", "openai_responses:reasoning", "x", "rs_1")),
    }
    request = {"model": "m", "max_tokens": 9, "messages": [USER, {"role": "assistant", "content": [block]}, USER]}
    read = ANTHROPIC.client.parse_request(json.dumps(request).encode())
    assert sent(read)[0]["input"][1] == {**reasoning, "encrypted_content": "x"}


def test_words_that_a_client_drops_come_home_too() -> None:
    """A signature without the words that it signs is refused (Gemini CLI, and clients that keep the blob alone)."""
    signed = Signed("anthropic", "anthropic:signature", "sig")
    finish = Finish(StopReason.END)
    answer = Response("anthropic", "msg_1", "claude", (Thinking("hm", signed), Text("ok")), finish)
    setup = EncoderSetup("m", lambda prefix: f"{prefix}1")
    written = json.loads(DIALECT.client.render_response(answer, setup)[0])["output"]
    written[0]["summary"] = []
    turn = claude(body(USER, *written, USER))["messages"][1]["content"]
    assert turn[0] == {"type": "thinking", "thinking": "hm", "signature": "sig"}


def test_encrypted_reasoning_of_another_account_is_not_replayed() -> None:
    """400 `invalid_encrypted_content` (bifrost 5410, CPA 3189, OCX 2229)."""
    blob = Thinking("", Signed("azure", "openai_responses:reasoning", "x", "rs_1"))
    assert all(item["type"] == "message" for item in items(HI, Message("assistant", (blob, Text("ok")))))


def test_a_system_message_in_between_stays_there() -> None:
    """Hoisting it breaks the prompt cache and the sense (CPA 3608, OmniRoute 12908, inspect_ai 4095)."""
    given = items(HI, Message("system", (Text("mind"),)), Message("assistant", (Text("ok"),)))
    assert [item["role"] for item in given] == ["user", "developer", "assistant"]


def test_no_system_message_is_forgotten() -> None:
    """Only the last of them was kept (Portkey 457)."""
    request = body({"role": "developer", "content": "a"}, {"role": "developer", "content": "b"}, USER, instructions="x")
    system = json.dumps(claude(request)["system"])
    assert all(f'"{word}"' in system for word in ("x", "a", "b"))
    assert chat(request)["messages"][-1]["content"] == "hi"


def test_calls_and_results_that_lost_each_other() -> None:
    """400 after compaction or trimming split the pairs (OmniRoute 417, CPA 3688, hermes 84890)."""
    written = claude(body(USER, call(1), USER, output(2)))
    kinds = [block["type"] for turn in written["messages"][1:] for block in turn["content"]]
    assert kinds[:2] == ["tool_use", "tool_result"]
    assert "r2" in json.dumps(written)
    given = items(HI, Message("assistant", (ToolCall("a", "f", "{}"),)), Message("user", (ToolResult("b"), Text("x"))))
    assert [item["type"] for item in given[1:3]] == ["function_call", "function_call_output"]


def test_parallel_calls_are_one_turn() -> None:
    """Each item became a turn, so that results no longer followed their calls (ccproxy-api PR 26)."""
    request = body(USER, call(1), call(2), output(1), output(2), tools=[FUNCTION])
    turns = claude(request)["messages"]
    assert [block["type"] for block in turns[1]["content"]] == ["tool_use", "tool_use"]
    assert [block["tool_use_id"] for block in turns[2]["content"]] == ["c1", "c2"]
    messages = chat(request)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert len(messages[1]["tool_calls"]) == 2


def test_a_history_with_calls_but_without_tools() -> None:
    """Refused upstream (opencode 8497)."""
    assert [tool["name"] for tool in claude(body(USER, call(1), output(1)))["tools"]] == ["f"]


def test_long_tool_names_are_shortened_in_history_too() -> None:
    """Names over 64 characters were passed through (ida-pro-mcp 129, ToolUniverse 65)."""
    name = "mcp__server__" + "x" * 80
    request = foreign(HI, Message("assistant", (ToolCall("c", name, "{}"),)), tools=(FunctionTool(name),))
    rendered = DIALECT.upstream.render_request(request, "m", OPENAI)
    written = json.loads(rendered.body)
    short = written["tools"][0]["name"]
    assert len(short) <= 64
    assert written["input"][1]["name"] == short
    assert rendered.names == {short: name}


@pytest.mark.parametrize("effort,sent_as", [("minimal", "low"), ("max", "high"), ("medium", "medium")])
def test_effort_is_clamped_not_dropped(effort: str, sent_as: str) -> None:
    """Unknown words were refused upstream or silently lost (CPA 1540, OmniRoute 1528, bifrost 1479)."""
    assert sent(foreign(HI, reasoning=Reasoning(effort=effort)))[0]["reasoning"]["effort"] == sent_as
    assert claude(body(USER, reasoning={"effort": effort}))["output_config"]["effort"] == sent_as


def test_pictures_in_results_stay() -> None:
    """They were dropped or became a placeholder (free-claude-code 512, antigravity-claude-proxy 22)."""
    result = ToolResult("c", (Image(Base64("image/png", "AA==")),))
    given = items(HI, Message("assistant", (ToolCall("c", "f", "{}"),)), Message("user", (result,)))
    assert given[-1]["output"][0]["image_url"] == "data:image/png;base64,AA=="
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}
    block = claude(body(USER, call(1), {**output(1), "output": [picture]}))["messages"][2]["content"][0]
    assert block["content"][0]["source"] == {"type": "base64", "media_type": "image/png", "data": "AA=="}


def test_additional_tools_are_not_ignored() -> None:
    """Codex's lite form has its tools in an item (chatgpt-codex-proxy 9)."""
    request = body({"type": "additional_tools", "role": "developer", "tools": [FUNCTION]}, USER)
    assert [tool["name"] for tool in claude(request)["tools"]] == ["f"]
    assert [tool["function"]["name"] for tool in chat(request)["tools"]] == ["f"]
    assert "tools" not in sent(parsed(request))[0]


def test_apply_patch_stays_free_text() -> None:
    """It became a function with JSON arguments for the vendor too (CPA 5753)."""
    custom = {
        "type": "custom",
        "name": "apply_patch",
        "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
    }
    patch = {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Begin Patch"}
    request = body(USER, patch, {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"}, tools=[custom])
    written = sent(parsed(request), CODEX)[0]
    assert (written["tools"], written["input"][1]) == ([custom], patch)
    block = claude(request)["messages"][1]["content"][0]
    assert (block["name"], block["input"]) == ("apply_patch", {"input": "*** Begin Patch"})


def test_results_name_the_call_not_the_item() -> None:
    """`fc_` ids of items and `call_` ids of calls were mixed (ccproxy-api PR 65)."""
    turns = claude(body(USER, call(1, id="fc_9"), {**output(1), "id": "fco_9"}))["messages"]
    assert turns[1]["content"][0]["id"] == "c1"
    assert turns[2]["content"][0]["tool_use_id"] == "c1"
    assert "id" not in items(HI, Message("assistant", (ToolCall("toolu_1", "f", "{}"),)))[1]


def test_a_probe_with_one_token_is_no_error() -> None:
    """Clients ask for one token to see whether a model is there; the API's least is 16 (LiteLLM)."""
    assert sent(foreign(HI, max_tokens=1))[0]["max_output_tokens"] == 16


def test_functions_are_not_strict_by_default() -> None:
    """The API's default is strict: a model then fills in every optional argument (raine)."""
    tools = (FunctionTool("f", parameters=Raw(b'{"type":"object","properties":{"x":{}}}')),)
    assert sent(foreign(HI, tools=tools))[0]["tools"][0]["strict"] is False


def test_what_codex_sends_is_not_lost_on_the_way() -> None:
    """Its namespaces, its client-run search and its results, on a Chat server and on Anthropic."""
    group = {"type": "namespace", "name": "agents", "description": "d", "tools": [FUNCTION]}
    search = {"type": "tool_search", "execution": "client", "description": "d", "parameters": {"type": "object"}}
    found = {**FUNCTION, "name": "found"}
    request = body(
        USER,
        {"type": "tool_search_call", "call_id": "c0", "execution": "client", "arguments": {"query": "x"}},
        {"type": "tool_search_output", "call_id": "c0", "execution": "client", "tools": [found]},
        call(1, namespace="agents"),
        output(1),
        tools=[group, search],
    )
    names = [tool["function"]["name"] for tool in chat(request)["tools"]]
    assert names == ["agents__f", "tool_search", "found"]
    blocks = [block for turn in claude(request)["messages"] for block in turn["content"] if isinstance(block, dict)]
    assert [block["name"] for block in blocks if block["type"] == "tool_use"] == ["tool_search", names[0]]


def test_a_compaction_reads_like_a_question_elsewhere() -> None:
    """Codex aborts unless its trigger yields one compaction item, which takes a summary (CPA PR 5516)."""
    request = body(USER, {"role": "assistant", "content": "ok"}, {"type": "compaction_trigger"}, tools=[FUNCTION])
    written = claude(request)
    assert "hand-over summary" in json.dumps(written["messages"][-1])
    assert written["tool_choice"] == {"type": "none"}
    summary = {"type": "compaction", "encrypted_content": seal(Signed("strowger", "strowger:summary", "we did x"))}
    assert "we did x" in json.dumps(claude(body(summary, USER))["messages"][0])
    assert "we did x" in sent(parsed(body(summary, USER)), OPENAI)[0]["input"][0]["content"]


def test_nothing_is_left_of_a_foreign_request() -> None:
    """A member of another dialect is refused by the ChatGPT backend (openai/codex 26173, metapi 446)."""
    request = Request(
        origin="anthropic",
        model="m",
        messages=(HI,),
        max_tokens=9,
        user="u",
        extras={"context_management": Raw(b"{}")},
    )
    assert sent(replace(request, stream=True), CODEX)[0].keys() == {"model", "input", "stream", "store", "include"}


def test_reasoning_is_asked_for_where_nothing_is_stored() -> None:
    """Else it is gone with the answer, and the next turn begins to think anew (bifrost 5410, experiential 965)."""
    written = sent(foreign(HI, reasoning=Reasoning(effort="high")))[0]
    assert written["store"] is False
    assert "reasoning.encrypted_content" in written["include"]


def test_a_server_tool_has_no_schema() -> None:
    """It crashed the translation; forced, it broke the request (copilot-api 241, bifrost 3596, cc-switch 6410)."""
    search = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"), ability=WebSearch())
    forced = ToolChoice("tool", "web_search")
    written, _ = sent(foreign(HI, tools=(search,), tool_choice=forced))
    assert (written["tools"][0]["type"], written["tool_choice"]) == ("web_search", {"type": "web_search"})
    without, losses = sent(foreign(HI, tools=(search,), tool_choice=forced), replace(OPENAI, web_search=""))
    assert "tools" not in without
    assert without.get("tool_choice", "auto") in ("auto", "none")
    assert "error" in {loss.severity for loss in losses}


def test_a_schema_that_strict_mode_refuses_is_not_sent_as_strict() -> None:
    """`propertyNames` and optional members are a 400 there; the schema stays, the promise does not (CPA PR 43)."""
    schema = {"type": "object", "properties": {"a": {"type": "object", "propertyNames": {"pattern": "^x"}}}}
    tool = FunctionTool("f", parameters=Raw(json.dumps(schema).encode()), strict=True)
    written, losses = sent(foreign(HI, tools=(tool,)))
    assert written["tools"][0]["strict"] is False
    assert written["tools"][0]["parameters"] == schema
    assert any("strict" in loss.path for loss in losses)


def test_cache_hints_do_not_reach_openai() -> None:
    """`cache_control` is unknown there (LiteLLM PR 39815, CPA 4561)."""
    hinted = Message("user", (Text("hi", cache=CacheHint("1h")),))
    tool = FunctionTool("f", cache=CacheHint("1h"))
    assert "cache_control" not in json.dumps(sent(foreign(hinted, tools=(tool,)))[0])
