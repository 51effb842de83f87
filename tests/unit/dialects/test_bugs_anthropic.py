"""Bugs that translators to and from Anthropic's dialect are known for, each with the issues where it hurt.

Names in brackets are public projects and issue numbers. Chat stands for the other side.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT, FAITHFUL
from strowger.dialects.envelope import seal
from strowger.dialects.openai_chat import DIALECT as CHAT
from strowger.errors import ErrorKind, Refused
from strowger.ir.events import Checker, Failure, Finish, Start, StopReason, Usage, UsageUpdate
from strowger.ir.request import (
    CacheHint,
    FunctionTool,
    Message,
    Reasoning,
    Request,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from strowger.ir.response import Response
from tests.unit.dialects.anthropic.transcripts import (
    MESSAGE_STOP,
    PING,
    USER,
    block_start,
    block_stop,
    decode,
    decode_body,
    decoder_setup,
    delta,
    dumps,
    encode,
    encoder_setup,
    failure,
    fold_stream,
    foreign,
    frames,
    message_delta,
    message_start,
    parse,
    paths,
    render,
    sse,
    text,
    text_block,
    text_start,
)

BUDGET = replace(FAITHFUL, thinking="budget", efforts=(), thinking_replay="signed")


def _chunk(finish_reason: str | None = None, **delta_members: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta_members, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [choice]}


def _call(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": head["name"]} if "name" in head else {})}
    call = {"index": index, "function": function, **({"id": head["id"], "type": "function"} if "id" in head else {})}
    return _chunk(tool_calls=[call])


def _from_chat(*chunks: dict[str, Any], done: bool = True) -> list[dict[str, Any]]:
    """What a client of this dialect gets for a Chat upstream's stream."""
    decoder, encoder, checker = (
        CHAT.upstream.decoder(decoder_setup("openai")),
        DIALECT.client.encoder(encoder_setup()),
        Checker(),
    )
    data = b"".join(b"data: %s\n\n" % dumps(chunk) for chunk in chunks) + (b"data: [DONE]\n\n" if done else b"")
    events = decoder.feed(data) + decoder.close()
    for event in events:
        checker.check(event)
    return frames(b"".join(encoder.encode(event) for event in events))


def _blocks(sent: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The blocks of a stream, each (type, its text or arguments); indices are contiguous, nothing overlaps."""
    blocks: list[tuple[str, str]] = []
    open_block: int | None = None
    for event in sent:
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == len(blocks)
                open_block = event["index"]
                blocks.append((event["content_block"]["type"], ""))
            case "content_block_delta":
                assert event["index"] == open_block
                members = event["delta"]
                grown = members.get("text", members.get("thinking", members.get("partial_json", "")))
                blocks[-1] = (blocks[-1][0], blocks[-1][1] + grown)
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
    assert open_block is None
    return blocks


def _kinds(sent: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in sent]


# ---- blocks ----


def test_text_after_a_tool_opens_a_new_block() -> None:
    """One index for all text glues it to an earlier block. [claude-code-router PR 1356]"""
    sent = _from_chat(_chunk(content="a"), _call(0, "{}", id="c", name="f"), _chunk(content="b"), _chunk("stop"))
    assert _blocks(sent) == [("text", "a"), ("tool_use", "{}"), ("text", "b")]


def test_a_second_thinking_segment_opens_a_new_block() -> None:
    """And there is one message_start only. [claude-code-router 1725, litellm 33224, 32357]"""
    sent = _from_chat(
        _chunk(role="assistant", reasoning_content="x"),
        _chunk(content="a"),
        _chunk(role="assistant", reasoning_content="y"),
        _chunk(content="b"),
        _chunk("stop"),
    )
    assert _blocks(sent) == [("thinking", "x"), ("text", "a"), ("thinking", "y"), ("text", "b")]
    assert _kinds(sent).count("message_start") == 1


def test_block_indices_are_our_own() -> None:
    """The upstream's tool index says nothing about blocks. [litellm 13373, ollama 14816, ik_llama.cpp 1524]"""
    sent = _from_chat(_call(3, "{}", id="a", name="f"), _call(7, "{}", id="b", name="g"), _chunk("tool_calls"))
    assert _blocks(sent) == [("tool_use", "{}"), ("tool_use", "{}")]


def test_parallel_arguments_do_not_mix() -> None:
    """Chat interleaves them, blocks must not overlap. [praxis 266, sglang 39782, headroom PR 2890]"""
    sent = _from_chat(
        _call(0, "", id="a", name="f"),
        _call(1, "", id="b", name="g"),
        _call(0, '{"x"'),
        _call(1, '{"y"'),
        _call(0, ":1}"),
        _call(1, ":2}"),
        _chunk("tool_calls"),
    )
    assert _blocks(sent) == [("tool_use", '{"x":1}'), ("tool_use", '{"y":2}')]


def test_arguments_that_come_at_the_end_are_not_lost() -> None:
    """A tool must not be called with {} because its input came whole. [litellm 25321]"""
    start = block_start(0, type="tool_use", id="t", name="f", input={"a": 1})
    response = fold_stream(message_start(), start, block_stop(0), message_delta("tool_use"), MESSAGE_STOP)
    assert response.parts == (ToolCall("t", "f", '{"a":1}'),)


def test_tool_calls_are_in_the_stream_and_text_is_there_once() -> None:
    """[ccproxy-api 35, 5]"""
    sent = _from_chat(
        _chunk(role="assistant", content=""),
        _chunk(content="hi"),
        _call(0, "{}", id="c", name="f"),
        _chunk("tool_calls"),
    )
    assert _blocks(sent) == [("text", "hi"), ("tool_use", "{}")]


# ---- endings ----


@pytest.mark.parametrize("before", [(_chunk(content="half"),), (_call(0, '{"a', id="c", name="f"),)])
def test_a_cut_stream_is_an_error_not_an_end(before: Any) -> None:
    """No message_stop that the upstream did not send. [OmniRoute 7699, 6777, CLIProxyAPI 3996]"""
    sent = _from_chat(*before, done=False)
    assert sent[-1]["type"] == "error"
    assert not {"message_delta", "message_stop"} & set(_kinds(sent))


def test_an_upstream_that_says_nothing_is_an_error() -> None:
    """No message_stop without a message_start. [9router 1779]"""
    events = decode(b"")
    assert failure(events).kind is ErrorKind.UPSTREAM
    assert _kinds(encode(events)[0]) == ["error"]


def test_an_error_inside_a_block_comes_in_order() -> None:
    """The error is the last event, and the block is not closed as if it were whole. [cc-switch PR 7044]"""
    events = decode(
        sse(
            message_start(),
            text_start(0),
            text(0, "half"),
            {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
        )
    )
    assert _kinds(encode(events)[0])[-2:] == ["content_block_delta", "error"]


@pytest.mark.parametrize("finish_reason", ["stop", "tool_calls", None])
def test_a_tool_call_is_reported_as_one(finish_reason: str | None) -> None:
    """Whatever the upstream says: vLLM and Ollama say stop. [OmniRoute 3980, 7800]"""
    sent = _from_chat(_call(0, "{}", id="c", name="f"), *([_chunk(finish_reason)] if finish_reason else []))
    assert sent[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_limit_is_reported_as_one() -> None:
    """Half a tool call keeps its half and is not told as complete. [CLIProxyAPI 5439, 4675]"""
    sent = _from_chat(_call(0, '{"path": "/a', id="c", name="f"), _chunk("length"))
    assert _blocks(sent) == [("tool_use", '{"path": "/a')]
    assert sent[-2]["delta"]["stop_reason"] == "max_tokens"


def test_empty_choices_do_not_end_the_stream() -> None:
    """A chunk with filter results or usage only. [OmniRoute 9547]"""
    empty = {**_chunk(), "choices": [], "prompt_filter_results": []}
    assert _blocks(_from_chat(empty, _chunk(content="a"), empty, _chunk("stop"))) == [("text", "a")]


def test_a_refusal_is_no_empty_success() -> None:
    """It may come in the middle of the text."""
    sent = _from_chat(_chunk(content="well"), _chunk("content_filter"))
    assert sent[-2]["delta"]["stop_reason"] == "refusal"


def test_an_error_with_status_200_is_seen_before_content() -> None:
    """As a body or as the first event, so that another target can be tried."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert isinstance(decode_body(error)[0], Failure)
    assert isinstance(decode(sse(error))[0], Failure)


# ---- usage ----


def test_usage_is_estimated_at_the_start_and_told_at_the_end() -> None:
    """Clients show the first and bill by the last. [vercel/ai 17326, claude-code 22575]"""
    usage = {**_chunk(), "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}}
    sent = _from_chat(_chunk(content="a"), _chunk("stop"), usage)
    assert sent[0]["message"]["usage"]["input_tokens"] == 7
    assert sent[0]["message"]["usage"]["output_tokens"] >= 1
    assert (sent[-2]["usage"]["input_tokens"], sent[-2]["usage"]["output_tokens"]) == (20, 9)


def test_cached_tokens_are_counted_once() -> None:
    """Here they are beside the input, elsewhere inside; conserved both ways. [langfuse 22, pi 2148, copilot-api 210]"""
    sent, _ = encode(
        foreign(UsageUpdate(Usage(input=100, output=1, cache_read=80, cache_write=5)), Finish(StopReason.END, "stop"))
    )
    usage = sent[-2]["usage"]
    counts = [usage[f"{kind}input_tokens"] for kind in ("", "cache_read_", "cache_creation_")]
    assert counts == [15, 80, 5]
    back = [event.usage for event in decode(b"".join(sse(event) for event in sent)) if isinstance(event, UsageUpdate)]
    assert (back[-1].input, back[-1].cache_read) == (100, 80)


def test_more_cached_than_sent_is_not_negative() -> None:
    """Some servers count the cache in another way."""
    sent, _ = encode(foreign(UsageUpdate(Usage(input=10, output=1, cache_read=80)), Finish(StopReason.END, "stop")))
    assert sent[-2]["usage"]["input_tokens"] == 0


# ---- thinking ----


def test_foreign_signatures_are_not_replayed() -> None:
    """400 "Invalid signature in thinking block" after a switch. [CLIProxyAPI 1584, 9router 2227, cc-switch 991]"""
    sealed = seal(Signed("moonshot", "openai_chat:reasoning", ""))
    turn = [{"type": "thinking", "thinking": "hm", "signature": sealed}, {"type": "text", "text": "a"}]
    body, _ = render(parse(messages=[USER, {"role": "assistant", "content": turn}, USER]), BUDGET)
    assert body["messages"][1]["content"] == [{"type": "text", "text": "a"}]


def test_own_signatures_are_replayed_to_the_byte() -> None:
    """Neither trimmed nor made up; without one, no block. [CLIProxyAPI PR 570, codex2api 613, agentao 296]"""
    signature = "Eu8BCkYI+/=" * 30 + "=="
    turn = [{"type": "thinking", "thinking": "hm", "signature": signature}, {"type": "text", "text": "a"}]
    messages = [USER, {"role": "assistant", "content": turn}, USER]
    assert render(parse(messages=messages), BUDGET)[0]["messages"] == messages
    unsigned = [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "a"}]
    body, _ = render(parse(messages=[USER, {"role": "assistant", "content": unsigned}, USER]), BUDGET)
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text"]


def test_a_signature_stands_just_before_its_blocks_end() -> None:
    """[CLIProxyAPI PR 570]"""
    sent = _from_chat(_chunk(reasoning_content="x"), _chunk(content="a"), _chunk("stop"))
    end = _kinds(sent).index("content_block_stop")
    assert sent[end - 1]["delta"]["type"] == "signature_delta"


def test_budgets_fit() -> None:
    """At least 1,024 and less than max_tokens; efforts are not dropped. [OmniRoute 1528, bifrost 1479]"""
    request = Request(
        "openai_chat", "gpt", (Message("user", (Text("hi"),)),), reasoning=Reasoning(effort="high"), max_tokens=4000
    )
    assert render(request, BUDGET)[0]["thinking"] == {"type": "enabled", "budget_tokens": 3000}


# ---- requests ----


def test_cache_breakpoints_stay_where_they_are_allowed() -> None:
    """At most four, none on thinking, none added on the same wire. [litellm PR 39815, CLIProxyAPI 4561]"""
    thought = Thinking("hm", Signed("anthropic", "anthropic:signature", "s"))
    turn = Message("assistant", (thought, Text("a", CacheHint())))
    hinted = [Message("user", (Text(str(i), CacheHint()),)) for i in range(5)]
    body, _ = render(Request("openai_chat", "gpt", (*hinted, turn, *hinted[:1])))
    assert json.dumps(body).count("cache_control") == 4
    assert "cache_control" not in body["messages"][1]["content"][0]


@pytest.mark.parametrize("member", ["context_management", "safeguards", "container"])
def test_members_of_a_beta_are_kept_or_dropped_whole(member: str) -> None:
    """400 "Extra inputs are not permitted", or a feature that is gone unsaid. [sub2api PR 2833, litellm 27593]"""
    request = parse(**{member: {"x": 1}})
    assert render(request)[0][member] == {"x": 1}
    body, losses = render(request, replace(FAITHFUL, betas=False))
    assert member not in body
    assert paths(losses) == [member]


def test_system_messages_in_the_middle_are_not_hoisted() -> None:
    """It breaks the cache and what they refer to. [CLIProxyAPI 3608, 3622, OmniRoute 12908, bifrost PR 3945]"""
    messages = [USER, {"role": "assistant", "content": "a"}, USER, {"role": "system", "content": "now"}]
    assert render(parse(messages=messages))[0]["messages"] == messages
    older, _ = render(parse(messages=messages), replace(FAITHFUL, mid_system=False))
    assert "system" not in older
    assert "now" in json.dumps(older["messages"][2])


def test_all_system_messages_are_kept() -> None:
    """Not only the last. [Portkey 457]"""
    messages = (Message("system", (Text("a"),)), Message("system", (Text("b"),)), Message("user", (Text("c"),)))
    assert [block["text"] for block in render(Request("openai_chat", "gpt", messages))[0]["system"]] == ["a", "b"]


def test_orphans_do_not_fail_the_request() -> None:
    """Compaction splits pairs. [OmniRoute 417, CLIProxyAPI 3688, litellm 31400]"""
    messages = (
        Message("user", (Text("go"),)),
        Message("tool", (ToolResult("gone", (Text("words"),)),)),
        Message("assistant", (ToolCall("c", "f", "{}"),)),
        Message("user", (Text("on"),)),
    )
    body, losses = render(Request("openai_chat", "gpt", messages))
    assert "words" in json.dumps(body["messages"][0])
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]
    assert len(losses) == 2


def test_a_history_with_tools_needs_tools() -> None:
    """[opencode 8497]"""
    messages = (
        Message("user", (Text("go"),)),
        Message("assistant", (ToolCall("c", "f", "{}"),)),
        Message("tool", (ToolResult("c", (Text("a"),)),)),
    )
    assert render(Request("openai_chat", "gpt", messages))[0]["tools"][0]["name"] == "f"


def test_long_tool_names_come_back() -> None:
    """[ida-pro-mcp 129, oh-my-claudecode 235, ToolUniverse 65]"""
    name = "mcp__server.with.dots__" + "x" * 120
    request = Request("openai_chat", "gpt", (Message("user", (Text("go"),)),), tools=(FunctionTool(name),))
    rendered = DIALECT.upstream.render_request(request, "m", FAITHFUL)
    short = json.loads(rendered.body)["tools"][0]["name"]
    start = block_start(0, type="tool_use", id="t", name=short, input={})
    events = decode(
        sse(message_start(), start, block_stop(0), message_delta("tool_use"), MESSAGE_STOP), names=dict(rendered.names)
    )
    assert name in repr(events)


def test_server_tools_without_a_schema_do_not_crash() -> None:
    """Nor does a choice of one. [copilot-api 241, bifrost 3596, cc-switch 6410]"""
    request = parse(
        tools=[{"type": "web_search_20250305", "name": "web_search"}],
        tool_choice={"type": "tool", "name": "web_search"},
    )
    body, losses = render(request, replace(FAITHFUL, hosted_tools=False))
    assert not {"tools", "tool_choice"} & set(body)
    assert [loss.severity for loss in losses] == ["error", "warning"]


def test_pictures_in_results_are_not_lost() -> None:
    """[free-claude-code 512, antigravity-claude-proxy 22]"""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aQ=="}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [picture]}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    messages = [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body, _ = render(parse(messages=messages), replace(FAITHFUL, tool_result_images=False))
    assert picture in body["messages"][2]["content"]


def test_objects_are_always_full() -> None:
    """Clients crash on members that are not there. [routatic 19]"""
    sent, _ = encode([Start("openai_chat", "", ""), Finish(StopReason.END)])
    assert {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"} == set(
        sent[0]["message"]
    )
    assert {"stop_reason", "stop_sequence"} == set(sent[1]["delta"])


def test_a_probe_for_one_token_is_raised_to_the_minimum() -> None:
    """Claude Code asks for one token to see whether a model is there."""
    request = Request("openai_chat", "gpt", (Message("user", (Text("hi"),)),), max_tokens=1)
    assert render(request, replace(FAITHFUL, min_output_tokens=16))[0]["max_tokens"] == 16


def test_a_choice_of_an_absent_tool_is_dropped() -> None:
    """It was answered with a 502 once. [raine/claude-code-proxy 10]"""
    request = Request(
        "openai_chat",
        "gpt",
        (Message("user", (Text("hi"),)),),
        tools=(FunctionTool("f"),),
        tool_choice=ToolChoice("tool", "g"),
    )
    body, losses = render(request)
    assert "tool_choice" not in body
    assert paths(losses) == ["tool_choice"]


# ---- the wire ----


def test_pings_are_not_content() -> None:
    """An upstream's are swallowed, our own are legal at any time. [litellm PR 36024, sub2api 770, OmniRoute 10524]"""
    quiet = decode(sse(message_start(), *text_block(0, "a"), message_delta(), MESSAGE_STOP))
    pinged = sse(
        PING,
        message_start(),
        PING,
        text_start(0),
        PING,
        text(0, "a"),
        block_stop(0),
        PING,
        message_delta(),
        MESSAGE_STOP,
    )
    assert decode(b": keep-alive\n\n" + pinged) == quiet
    assert frames(DIALECT.client.encoder(encoder_setup()).heartbeat()) == [PING]


def test_an_upstreams_words_reach_the_client() -> None:
    """It repairs its request by them: compaction, thinking, capabilities. [claude-code-router 1799, claudish 148]"""
    body = dumps(
        {"type": "error", "error": {"type": "invalid_request_error", "message": "thinking.adaptive: not supported"}}
    )
    reply = DIALECT.client.render_error(DIALECT.upstream.parse_error(400, {}, body))
    assert (reply.status, reply.body) == (400, body)
    other = Refused(
        "maximum context length is 8 tokens", status=400, kind=ErrorKind.CONTEXT_OVERFLOW, dialect="openai_chat"
    )
    assert b"prompt is too long" in DIALECT.client.render_error(other).body


@pytest.mark.parametrize(
    "wire",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"data: ", b"data:"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: b": hello\n\n" + data,
        lambda data: data.replace(b'"delta":{"type":"text', b'\ndata: "delta":{"type":"text'),
        lambda data: data.removesuffix(b"\n\n"),
    ],
)
def test_sse_is_read_by_its_grammar(wire: Any) -> None:
    """CRLF, no space, a byte order mark, comments, data over several lines, a last blank line that is missing."""
    data = sse(message_start(), *text_block(0, "ü😀"), message_delta(), MESSAGE_STOP)
    told = wire(data)
    assert told != data
    assert decode(*(told[i : i + 1] for i in range(len(told)))) == decode(data)


def test_safeguards_survive() -> None:
    """Without its result auto mode reports failure. [CLIProxyAPI 6009]"""
    end = message_delta()
    end["delta"]["safeguard_results"] = [{"type": "dangerous_tool_use", "state": "available"}]
    sent, _ = encode(decode(sse(message_start(), *text_block(0, "a"), end, MESSAGE_STOP)))
    assert sent[-2]["delta"]["safeguard_results"] == end["delta"]["safeguard_results"]


def test_deltas_of_two_blocks_do_not_mix() -> None:
    """Servers of this very dialect have overlapped them."""
    response = fold_stream(
        message_start(),
        text_start(0),
        block_start(1, type="tool_use", id="t", name="f", input={}),
        text(0, "a"),
        delta(1, "input_json_delta", partial_json="{}"),
        text(0, "b"),
        block_stop(0),
        block_stop(1),
        message_delta("tool_use"),
        MESSAGE_STOP,
    )
    assert response.parts == (Text("ab"), ToolCall("t", "f", "{}"))


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_an_empty_page_range_does_not_reach_claude_code(pieces: int) -> None:
    """It refuses it, and the model asks the same again. [icebear0828/codex-proxy 533, OmniRoute 2889]"""
    text = '{"file_path":"/a","offset":0,"pages":""}'
    told = [text[at : at + pieces] for at in range(0, len(text), pieces)]
    sent = _from_chat(
        _call(0, "", id="call_1", name="Read"), *(_call(0, piece) for piece in told), _chunk("tool_calls")
    )
    assert _blocks(sent) == [("tool_use", '{"file_path":"/a","offset":0}')]
    part = ToolCall("call_1", "Read", text)
    whole = Response("openai_chat", "1", "gpt", (part, replace(part, name="Write")), Finish(StopReason.TOOL_USE))
    rendered, losses = DIALECT.client.render_response(whole, encoder_setup())
    assert [block["input"].get("pages") for block in json.loads(rendered)["content"]] == [None, ""]
    assert paths(losses) == ["Read.pages"]
    own = replace(whole, origin="anthropic")
    assert b'"pages":""' in DIALECT.client.render_response(own, encoder_setup())[0]


def test_a_tool_without_parameters_has_a_schema() -> None:
    """The API requires one."""
    raw = FunctionTool("f", parameters=Raw(b"{}"))
    body, _ = render(Request("openai_chat", "gpt", (Message("user", (Text("hi"),)),), tools=(raw, FunctionTool("g"))))
    assert [tool["input_schema"]["type"] for tool in body["tools"]] == ["object", "object"]
