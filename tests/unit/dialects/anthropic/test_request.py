"""Requests as Anthropic's clients write them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.dialects.anthropic import DIALECT, FAITHFUL
from strowger.dialects.base import Peek
from strowger.errors import BadRequest
from strowger.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    ToolChoice,
    WebSearch,
)
from tests.unit.dialects.anthropic.transcripts import USER, dumps, parse, render

NAME = b'"m"'
SESSION = "11111111-2222-3333-4444-555555555555"
NEW_USER_ID = json.dumps({"device_id": "d", "account_uuid": "", "session_id": SESSION})
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}


def _peek(**members: Any) -> Peek:
    return DIALECT.client.peek(dumps({"model": "m", **members}))


@pytest.mark.parametrize(
    "members, seen",
    [
        ({}, Peek("m", written=NAME)),
        ({"stream": True}, Peek("m", stream=True, written=NAME)),
        ({"stream": None}, Peek("m", written=NAME)),
        ({"metadata": {"user_id": NEW_USER_ID}}, Peek("m", session=SESSION, written=NAME)),
        (
            {"metadata": {"user_id": f"user_{'a' * 64}_account__session_{SESSION}"}},
            Peek("m", session=SESSION, written=NAME),
        ),
        ({"metadata": {"user_id": "someone"}}, Peek("m", written=NAME)),
        ({"metadata": {"user_id": "{broken"}}, Peek("m", written=NAME)),
        ({"metadata": {"user_id": 5}}, Peek("m", written=NAME)),
        ({"metadata": None, "messages": "not looked at"}, Peek("m", written=NAME)),
    ],
)
def test_peek(members: dict[str, Any], seen: Peek) -> None:
    """Routing sees the model, the stream flag and Claude Code's session; what else is wrong is not its matter."""
    found = _peek(**members)
    assert (found.model, found.stream, found.session, found.written) == (
        seen.model,
        seen.stream,
        seen.session,
        seen.written,
    )


def test_peek_sees_the_signatures_of_earlier_thinking() -> None:
    """Who issued them decides where the body may go; what only looks like one, in a text, is none."""
    blocks = [
        {"type": "thinking", "thinking": "…", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": '"signature": "bm9uZQ=="'},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"signature": "bm9uZQ=="}},
    ]
    messages = [USER, {"role": "assistant", "content": blocks}, USER]
    assert _peek(messages=messages).signatures == ("c2ln", "ZGF0YQ==")
    assert _peek(messages=[USER, 5]).signatures is None, "they were not looked for"


@pytest.mark.parametrize(
    "body, param", [(b'{"stream":true}', "model"), (b'{"model":5}', "model"), (b"[]", None), (b"{", None)]
)
def test_peek_refuses_in_plain_words(body: bytes, param: str | None) -> None:
    """A body that cannot be routed is refused by the member's name."""
    with pytest.raises(BadRequest) as caught:
        DIALECT.client.peek(body)
    assert caught.value.param == param


def test_bodies_of_bedrock_and_vertex_are_told_apart() -> None:
    """They name the model in the path, and get an error that says so."""
    body = dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [USER]})
    with pytest.raises(BadRequest, match="model: field required") as caught:
        DIALECT.client.parse_request(body)
    assert "Bedrock" in (caught.value.hint or "")


REQUESTS: list[dict[str, Any]] = [
    {},
    {"max_tokens": 5, "stream": True},
    {"stream": False},
    {"stream": None},
    {"system": "be brief"},
    {"system": ""},
    {"system": []},
    {"system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]},
    {
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.abc;"},
            {"type": "text", "text": "a"},
        ]
    },
    {"messages": []},
    {"messages": [{"role": "user", "content": []}]},
    {"messages": [{"role": "user", "content": "a", "newer": 1}]},
    {"messages": [USER, {"role": "system", "content": "now", "output_config": {"effort": "low"}}]},
    {"messages": [USER, USER, {"role": "assistant", "content": [{"type": "text", "text": ""}]}]},
    {"temperature": 1, "top_p": 0.5, "top_k": 3, "stop_sequences": ["a", " "]},
    {"temperature": 1.0, "stop_sequences": []},
    {
        "temperature": None,
        "stop_sequences": None,
        "tools": None,
        "tool_choice": None,
        "thinking": None,
        "metadata": None,
    },
    {"tools": []},
    {"tools": [{"name": "f", "description": "d", "input_schema": {"b": 1, "a": 2}}]},
    {
        "tools": [
            {"type": "custom", "name": "f", "input_schema": {}, "strict": True, "cache_control": {"type": "ephemeral"}}
        ]
    },
    {"tools": [{"type": None, "name": "f", "strict": False, "defer_loading": False}]},
    {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True, "eager_input_streaming": True}]},
    {
        "tools": [
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "max_uses": None,
                "cache_control": {"type": "ephemeral"},
            }
        ]
    },
    {"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]},
    {"tools": [{"name": "f"}], "tool_choice": {"type": "auto"}},
    {"tools": [{"name": "f"}], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
    {"tools": [{"name": "f"}], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": False}},
    {"tools": [{"name": "f"}], "tool_choice": {"type": "none"}},
    {"tools": [{"name": "f"}], "tool_choice": {"type": "newer", "x": 1}},
    {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
    {"thinking": {"type": "adaptive", "display": "updates"}, "output_config": {"effort": "xhigh"}},
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "between_tools", "x": 1}, "output_config": {}},
    {"output_config": {"effort": "of_next_year"}},
    {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "task_budget": {"total": 5}}},
    {"output_config": {"format": {"type": "newer"}}},
    {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    {"metadata": {"user_id": "u"}},
    {"metadata": {"user_id": None, "x": 1}},
    {"metadata": {}},
    {
        "service_tier": "standard_only",
        "container": {"id": "c"},
        "mcp_servers": [],
        "inference_geo": "us",
        "speed": "fast",
    },
    {"context_management": {"edits": []}, "safeguards": [{"type": "x"}], "cache_control": {"type": "ephemeral"}},
]


@pytest.mark.parametrize("members", REQUESTS, ids=json.dumps)
def test_parse_and_render_are_inverse(members: dict[str, Any]) -> None:
    """A request that may have everything comes out as it went in, with nothing lost."""
    body = {"model": "m", "messages": [USER], **members}
    assert render(DIALECT.client.parse_request(dumps(body))) == (body, [])


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_unknown = st.dictionaries(st.text(max_size=6).map("x-{}".format), _json, max_size=2)


@given(_unknown, _unknown, _unknown, _unknown, _unknown)
def test_unknown_members_survive_everywhere(top: Any, message: Any, block: Any, tool: Any, choice: Any) -> None:
    """Whatever Anthropic adds tomorrow, on any node, passes to Anthropic."""
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", **block}], **message}],
        "tools": [{"name": "f", "input_schema": {}, **tool}],
        "tool_choice": {"type": "auto", **choice},
        "thinking": {"type": "adaptive", **choice},
        "output_config": {"effort": "low", **choice},
        "metadata": {"user_id": "u", **choice},
        **top,
    }
    assert render(DIALECT.client.parse_request(dumps(body))) == (body, [])


def test_what_requests_mean() -> None:
    """The members are told in the words of the IR."""
    request = parse(
        max_tokens=9,
        stream=True,
        temperature=1,
        stop_sequences=["a"],
        thinking={"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        metadata={"user_id": "u"},
        service_tier="auto",
    )
    assert (request.origin, request.model, request.max_tokens, request.stream) == ("anthropic", "m", 9, True)
    assert request.messages == (Message("user", (Text("hi"),), plain=True),)
    assert request.sampling == Sampling(temperature=1, stop=("a",))
    assert request.reasoning == Reasoning("enabled", 2000, "high", "omitted")
    assert request.output == OutputFormat("json_schema", schema=Raw(dumps(SCHEMA)))
    assert (request.tool_choice, request.parallel) == (ToolChoice("required"), False)
    assert (request.user, request.tier) == ("u", "auto")
    assert not request.extras


def test_tools() -> None:
    """Tools that the client describes are function tools; types that Anthropic defines are hosted ones, whole."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    described = {"name": "f", "description": "d", "input_schema": SCHEMA, "defer_loading": True, "strict": True}
    function, hosted = parse(tools=[described, search]).tools
    assert function == FunctionTool("f", "d", Raw(dumps(SCHEMA)), strict=True, deferred=True)
    ability = WebSearch(max_uses=3)
    assert hosted == HostedTool("anthropic", "web_search_20250305", "web_search", Raw(dumps(search)), ability=ability)


def test_the_attribution_block_is_opaque() -> None:
    """It is no instruction to the model, so it must not become one for somebody else's."""
    block = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.abc; cc_entrypoint=sdk-cli;"}
    attribution, text = parse(system=[block, {"type": "text", "text": "be brief"}]).system
    assert attribution == Opaque("anthropic", "attribution", Raw(dumps(block)))
    assert text == Text("be brief")


def test_system_messages_stay_where_they_are() -> None:
    """Hoisting them would change what they refer to, and break every cache behind them."""
    request = parse(messages=[USER, {"role": "system", "content": "now"}])
    assert [message.role for message in request.messages] == ["user", "system"]
    assert request.system == ()


def test_halves_of_surrogate_pairs_are_mended() -> None:
    """JavaScript clients cut strings inside an emoji; the rest of the request must not be lost over it."""
    body = rb'{"model":"m","messages":[{"role":"user","content":"cut \ud83d, whole \ud83d\ude00, not \\ud83d"}]}'
    assert DIALECT.client.peek(body) == Peek("m")
    text = DIALECT.client.parse_request(body).messages[0].parts[0]
    assert text == Text("cut \ufffd, whole \U0001f600, not \\ud83d")


@pytest.mark.parametrize(
    "members, param",
    [
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["hi"]}]}, "messages[0].content[0]"),
        ({"system": 5}, "system"),
        ({"system": [{"text": "a"}]}, "system[0].type"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "a"}, "stop_sequences"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {}}, "thinking.type"),
        ({"metadata": "u"}, "metadata"),
    ],
    ids=str,
)
def test_errors_name_the_member(members: dict[str, Any], param: str) -> None:
    """Wrong types are refused here, in the client's own terms, not by some upstream in its."""
    with pytest.raises(BadRequest) as caught:
        parse(**members)
    assert caught.value.param == param


@given(st.binary(max_size=60))
def test_garbage_is_a_bad_request(body: bytes) -> None:
    """No bytes make the parser raise anything else."""
    with pytest.raises(BadRequest):
        DIALECT.client.parse_request(body)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_request_is_refused_or_read(position: int, byte: int) -> None:
    """One wrong byte gives a BadRequest or another request, never another exception."""
    body = bytearray(dumps({"model": "m", **REQUESTS[5], **REQUESTS[25], "messages": [USER] * 3}))
    body[position % len(body)] = byte
    with contextlib.suppress(BadRequest):
        request = DIALECT.client.parse_request(bytes(body))
        assert DIALECT.upstream.render_request(request, "m", FAITHFUL).body
