"""Bugs that translators of Gemini requests are known for, each with the issues where it hurt.

Names in brackets are public projects and issue numbers. Chat, Responses and Anthropic stand for the other side.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.base import Capabilities
from strowger.dialects.gemini import DIALECT
from strowger.dialects.gemini.wire import SKIP_SIGNATURE
from strowger.dialects.openai_chat import DIALECT as CHAT
from strowger.dialects.openai_responses import DIALECT as RESPONSES
from strowger.ir.request import (
    CacheHint,
    FunctionTool,
    HostedTool,
    Message,
    Reasoning,
    Signed,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    WebSearch,
)
from tests.unit.dialects.gemini.asking import (
    GEMINI_2,
    GEMINI_3,
    HELLO,
    Json,
    asked,
    call,
    dumps,
    gave,
    lost,
    model,
    raw,
    said,
    sent,
    user,
)

CLAUDE = Capabilities(
    origin="anthropic", thinking="adaptive", efforts=("low", "medium", "high"), tool_result_images=True, betas=True
)
PNG = "iVBORw0KGgo="


def google_of_claude(body: Json, caps: Capabilities = GEMINI_3) -> Any:
    """What Gemini is sent for what a client of Anthropic asks."""
    request = ANTHROPIC.client.parse_request(dumps({"model": "m", "max_tokens": 9, **body}))
    return json.loads(DIALECT.upstream.render_request(request, "gemini-x", caps).body)


def claude_of_google(contents: list[Json], **members: Any) -> Any:
    """What Anthropic is sent for what a client of Gemini asks."""
    return json.loads(ANTHROPIC.upstream.render_request(asked(contents, **members), "claude", CLAUDE).body)


def chat_of_google(contents: list[Json], **members: Any) -> Any:
    """What a Chat server is sent."""
    return json.loads(CHAT.upstream.render_request(asked(contents, **members), "m", Capabilities()).body)


def responses_of_google(contents: list[Json], **members: Any) -> Any:
    """What OpenAI's Responses is sent."""
    return json.loads(RESPONSES.upstream.render_request(asked(contents, **members), "m", Capabilities()).body)


def calling(name: str, **members: Any) -> Json:
    """A call in a content of the model."""
    return {"role": "model", "parts": [{"functionCall": {"name": name, "args": {"a": 1}}, **members}]}


def giving(name: str, **response: Any) -> Json:
    """A response in a content of the user."""
    return {"role": "user", "parts": [{"functionResponse": {"name": name, "response": response}}]}


# ---- Gemini is the upstream ----


def test_invalid_signature_after_a_switch() -> None:
    """A signature of another vendor was replayed, and refused [CLIProxyAPI 1584, 3052; cc-switch 991]."""
    thought = Thinking("why", Signed("anthropic", "anthropic:signature", "abc"))
    body = sent(said(user("a"), model(thought, "b"), user("c")))
    assert b"abc" not in dumps(body)
    assert body["contents"][1]["parts"] == [{"text": "b"}]


def test_the_documented_value_is_the_only_one_that_is_made_up() -> None:
    """Fabricated and truncated signatures are refused [CLIProxyAPI PR 570, codex2api 613]."""
    body = sent(said(user("a"), model(call("c1")), user(gave("c1", "ok"))))
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == SKIP_SIGNATURE
    plain = sent(said(user("a"), model(call("c1")), user(gave("c1", "ok"))), GEMINI_2)
    assert "thoughtSignature" not in plain["contents"][1]["parts"][0]


def test_a_missing_thought_signature_is_no_400() -> None:
    """It was dropped from the call on the way through another client [CLIProxyAPI 2360, claudish 26]."""
    signed = Thinking("", Signed("google", "gemini:signature", "c2ln", "call:c1"))
    body = sent(said(user("a"), model(signed, call("c1"), call("c2")), user(gave("c1", "x"), gave("c2", "y"))))
    assert [part.get("thoughtSignature") for part in body["contents"][1]["parts"]] == ["c2ln", None]


def test_cache_hints_do_not_reach_google() -> None:
    """`cache_control` is unknown there, and every unknown name is a 400 [LiteLLM PR 39815]."""
    tool = FunctionTool("f", cache=CacheHint("1h"))
    assert b"cache" not in dumps(sent(said(user(Text("a", CacheHint())), tools=(tool,))))


def test_members_of_others_do_not_reach_google() -> None:
    """ "Unknown name" refuses the whole request [LiteLLM 27593, CLIProxyAPI 1725]."""
    body = google_of_claude(
        {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "new": 1}]}],
            "metadata": {"user_id": "u"},
            "context_management": {"edits": []},
            "tools": [{"name": "f", "input_schema": {"type": "object"}, "eager_input_streaming": True}],
        }
    )
    assert body.keys() == {"contents", "tools", "generationConfig"}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a"}]}]
    assert body["tools"][0]["functionDeclarations"][0].keys() == {"name", "parametersJsonSchema"}


def test_a_system_message_in_between_stays_there() -> None:
    """It was rejected, or hoisted to the top [CLIProxyAPI 3608, OmniRoute 12908]."""
    body = sent(said(user("a"), Message("system", (Text("now"),)), user("b"), system=(Text("top"),)))
    assert body["systemInstruction"]["parts"] == [{"text": "top"}]
    assert "now" in body["contents"][0]["parts"][1]["text"]


def test_no_system_message_is_forgotten() -> None:
    """Only the last one was kept [Portkey 457]."""
    body = sent(said(Message("system", (Text("a"),)), Message("system", (Text("b"),)), user("c")))
    assert [part["text"] for part in body["systemInstruction"]["parts"]] == ["a", "b"]


def test_calls_and_results_that_lost_each_other() -> None:
    """Compaction splits pairs, and one without the other is a 400 [OmniRoute 417, CLIProxyAPI 3688]."""
    request = said(user(gave("gone", "x")), model(call("c1"), call("c2")), user("b", gave("c2", "y")))
    contents = sent(request)["contents"]
    assert [part.get("text") for part in contents[0]["parts"]] == ["[result of tool call gone]", "x"]
    assert [part["functionResponse"]["id"] for part in contents[2]["parts"][:2]] == ["c1", "c2"]


def test_a_history_with_calls_but_without_tools() -> None:
    """Summaries are asked for without tools [opencode 8497]."""
    body = sent(said(user("a"), model(call("c1")), user(gave("c1", "x"))))
    assert "tools" not in body
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == "look"


def test_long_and_odd_tool_names_are_renamed_in_history_too() -> None:
    """Names of MCP servers have slashes, and run over 64 characters [ida-pro-mcp 129, ToolUniverse 65]."""
    name = "mcp/" + "x" * 80
    tools, choice = (FunctionTool(name),), ToolChoice("tool", name)
    body = sent(said(user("a"), model(call("c1", name)), user(gave("c1", "ok")), tools=tools, tool_choice=choice))
    declared = body["tools"][0]["functionDeclarations"][0]["name"]
    assert len(declared) == 64
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == declared
    assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == declared
    assert body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [declared]


@pytest.mark.parametrize(
    "effort, level", [("minimal", "MINIMAL"), ("xhigh", "HIGH"), ("max", "HIGH"), ("none", "MINIMAL")]
)
def test_effort_is_clamped_not_dropped(effort: str, level: str) -> None:
    """A word that the model does not know was dropped, or a 400 [CLIProxyAPI 1540, bifrost 1479]."""
    config = sent(said(reasoning=Reasoning(effort=effort)))["generationConfig"]["thinkingConfig"]
    assert config["thinkingLevel"] == level


def test_budget_and_level_never_go_together() -> None:
    """ "You can only set only one of thinking budget and thinking level." [OmniRoute 1528]"""
    reasoning = Reasoning("enabled", 2000, "high")
    assert "thinkingBudget" not in sent(said(reasoning=reasoning))["generationConfig"]["thinkingConfig"]
    assert "thinkingLevel" not in sent(said(reasoning=reasoning), GEMINI_2)["generationConfig"]["thinkingConfig"]


def test_schema_keywords_that_google_does_not_know() -> None:
    """`propertyNames`, `$ref`, `const`, `exclusiveMinimum`, lists of types [CLIProxyAPI PR 43, vibeproxy 338]."""
    schema = {
        "$schema": "x",
        "type": "object",
        "additionalProperties": False,
        "propertyNames": {"pattern": "a"},
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"const": "x"},
            "c": {"type": ["integer", "null"], "exclusiveMinimum": 0},
        },
        "$defs": {"A": {"type": "string"}},
    }
    request = said(tools=(FunctionTool("f", None, raw(schema)),))
    assert sent(request, GEMINI_2)["tools"][0]["functionDeclarations"][0]["parameters"] == {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING"},
            "b": {"type": "STRING", "enum": ["x"]},
            "c": {"type": "INTEGER", "nullable": True},
        },
    }
    assert len(lost(request, GEMINI_2)) == 2  # the rest keeps its meaning


def test_a_server_tool_has_no_schema() -> None:
    """It crashed the translation; forced, it broke the request [copilot-api 241, bifrost 3596, cc-switch 6410]."""
    search = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"), ability=WebSearch())
    body = sent(said(tools=(search,), tool_choice=ToolChoice("tool", "web_search")))
    assert body["tools"] == [{"googleSearch": {}}]
    assert "toolConfig" not in body


@pytest.mark.parametrize("caps", [GEMINI_2, GEMINI_3])
def test_pictures_in_results_stay(caps: Capabilities) -> None:
    """They were dropped, or became a placeholder [free-claude-code 512, antigravity-claude-proxy 22]."""
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "image", "source": source}]}
    use = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert PNG in json.dumps(google_of_claude({"messages": messages}, caps))


def test_a_probe_with_one_token_is_no_error() -> None:
    """`max_tokens: 1` asks whether a model is there [LiteLLM docs]."""
    assert google_of_claude({"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}) == {
        "contents": [{"role": "user", "parts": [{"text": "a"}]}],
        "generationConfig": {"maxOutputTokens": 1},
    }


def test_empty_texts_and_empty_turns_are_left_out() -> None:
    """ "contents.parts must not be empty" for a turn in which nothing is said."""
    assert [content["role"] for content in sent(said(user("a"), model(""), user("b")))["contents"]] == ["user"]


def test_a_search_beside_functions_is_refused_by_older_models() -> None:
    """ "Tool use with function calling is unsupported": the client's own tools stay, and the loss is an error."""
    search = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"), ability=WebSearch())
    request = said(tools=(FunctionTool("f"), search))
    assert [next(iter(tool)) for tool in sent(request, GEMINI_2)["tools"]] == ["functionDeclarations"]
    assert ("tools[1]", "error") in lost(request, GEMINI_2)


# ---- Gemini is the client's dialect ----

LOOP = [HELLO, calling("f"), giving("f", output="ok")]


def test_calls_without_ids_are_paired_elsewhere() -> None:
    """Anthropic and OpenAI refuse a result whose id is of no call."""
    claude = claude_of_google(LOOP)["messages"]
    assert claude[1]["content"][0]["id"] == claude[2]["content"][0]["tool_use_id"]
    chat = chat_of_google(LOOP)["messages"]
    assert chat[1]["tool_calls"][0]["id"] == chat[2]["tool_call_id"]
    items = responses_of_google(LOOP)["input"]
    assert items[1]["call_id"] == items[2]["call_id"]


def test_types_in_capitals_are_refused_elsewhere() -> None:
    """ "'OBJECT' is not valid under any of the given schemas": OpenAI and Anthropic want JSON Schema."""
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}}
    tools = [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]
    found = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    assert claude_of_google(LOOP, tools=tools)["tools"][0]["input_schema"] == found
    assert chat_of_google(LOOP, tools=tools)["tools"][0]["function"]["parameters"] == found
    assert responses_of_google(LOOP, tools=tools)["tools"][0]["parameters"] == found


def test_a_budget_of_minus_one_is_no_small_budget() -> None:
    """It leaves the choice to the model, and was taken for the least effort."""
    body = claude_of_google(
        [HELLO], generationConfig={"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True}}
    )
    assert body["thinking"]["type"] == "adaptive"


def test_a_result_that_is_an_error_is_one_elsewhere() -> None:
    """Gemini CLI says `error` where others have a flag."""
    claude = claude_of_google([HELLO, calling("f"), giving("f", error="no such file")])
    assert claude["messages"][2]["content"][0]["is_error"] is True


def test_googles_signatures_are_not_sent_elsewhere() -> None:
    """They are Google's, and Anthropic would refuse them."""
    contents = [HELLO, calling("f", thoughtSignature="c2ln"), giving("f", output="ok")]
    for body in (claude_of_google(contents), chat_of_google(contents), responses_of_google(contents)):
        assert b"c2ln" not in dumps(body)


def test_own_conversations_keep_every_signature() -> None:
    """On Google's own lane each stays on its part, byte for byte."""
    contents = [HELLO, calling("f", thoughtSignature="c2ln"), giving("f", output="ok")]
    assert sent(asked(contents), replace(GEMINI_3, tool_result_images=False))["contents"] == contents


def test_a_result_of_many_members_stays_whole() -> None:
    """Only the usual wrapping is taken off; the rest is what the model is to see."""
    claude = claude_of_google([HELLO, calling("f"), giving("f", temperature=20, unit="C")])
    content = claude["messages"][2]["content"][0]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    assert json.loads(text) == {"temperature": 20, "unit": "C"}


def test_tool_results_of_several_contents_are_one_turn_elsewhere() -> None:
    """Some clients write a content for each response."""
    parts = [{"functionCall": {"name": name, "args": {}}} for name in "ab"]
    contents = [HELLO, {"role": "model", "parts": parts}, giving("a", output="1"), giving("b", output="2")]
    claude = claude_of_google(contents)["messages"]
    assert [block["type"] for block in claude[2]["content"]] == ["tool_result", "tool_result"]


def test_state_of_a_result_is_no_result() -> None:
    """A result without a response is an empty one."""
    contents = [HELLO, calling("f"), {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}]
    assert isinstance(asked(contents).messages[2].parts[0], ToolResult)
    assert chat_of_google(contents)["messages"][2]["role"] == "tool"
