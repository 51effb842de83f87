"""Requests come back from parse and render as they were, and what they mean is read right."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.base import Spot
from strowger.dialects.openai_responses.request import parse_request, peek
from strowger.dialects.openai_responses.wire import COMPACT, COMPACTION, HAND_OVER
from strowger.errors import BadRequest
from strowger.ir.request import OutputFormat, Reasoning, Sampling, Text, ToolChoice
from tests.unit.dialects.openai_responses.asking import Json, body, parsed, same

USER = {"role": "user", "content": "hi"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
SEARCHED = {"type": "tool_search_output", "call_id": "c", "execution": "client", "tools": [FUNCTION]}


@pytest.mark.parametrize(
    "request_",
    [
        body(USER),
        {"model": "m", "input": "hi"},
        {"model": "m", "input": ""},
        {"model": "m", "input": []},
        {"model": "m", "input": None, "previous_response_id": "resp_1"},
        {"model": "m", "prompt": {"id": "pmpt_1", "variables": {"a": "b"}}},
        {"model": "", "input": "hi"},
        {"input": "hi"},
        body(USER, instructions="be brief"),
        body(USER, instructions=""),
        body(USER, instructions=None),
        body(USER, stream=True),
        body(USER, stream=False, store=False, include=["reasoning.encrypted_content"]),
        body(USER, stream=None, temperature=1, top_p=0.5, max_output_tokens=1, top_logprobs=3, truncation="auto"),
        body(USER, tools=[], tool_choice="auto", parallel_tool_calls=False, max_tool_calls=3),
        body(USER, tools=None, tool_choice=None),
        body(USER, reasoning={}),
        body(USER, reasoning=None),
        body(USER, reasoning={"effort": "minimal", "summary": "concise", "context": "auto"}),
        body(USER, reasoning={"effort": None, "summary": None, "generate_summary": "auto"}),
        body(USER, text={}),
        body(USER, text={"verbosity": "low"}),
        body(USER, text={"format": {"type": "text"}, "verbosity": "low"}),
        body(USER, text={"format": {"type": "json_object"}}),
        body(USER, text={"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": None, "x": 1}}),
        body(USER, text={"format": {"type": "grammar"}}),
        body(USER, text={"format": None}),
        body(USER, text=None),
        body(USER, max_output_tokens=-1),
        body(USER, user="u", safety_identifier="s", prompt_cache_key="k", service_tier="flex", metadata={"a": "b"}),
        body(USER, conversation={"id": "conv_1"}, background=True, context_management=[{"type": "compaction"}]),
        body(USER, client_metadata={"session_id": "s"}, generate=False, later={"deep": [None]}),
        body(USER, tools=[FUNCTION], tool_choice={"type": "function", "name": "f"}),
    ],
)
def test_a_request_comes_back(request_: Json) -> None:
    """Parse and render are inverse, with nulls, empty lists and members that nobody knows."""
    assert same(request_)


def test_what_a_request_says() -> None:
    """Each member has its field."""
    request = parsed(
        body(
            USER,
            instructions="be brief",
            stream=True,
            max_output_tokens=9,
            temperature=0.5,
            top_p=1,
            parallel_tool_calls=False,
            user="u",
            prompt_cache_key="k",
            service_tier="flex",
            tool_choice="required",
        )
    )
    assert request.system == (Text("be brief"),)
    assert request.messages[0].parts == (Text("hi"),)
    assert request.stream
    assert request.max_tokens == 9
    assert request.sampling == Sampling(0.5, 1)
    assert request.parallel is False
    assert (request.user, request.cache_key, request.tier) == ("u", "k", "flex")
    assert request.tool_choice == ToolChoice("required")


@pytest.mark.parametrize("word,display", [("auto", "summarized"), ("detailed", "summarized"), ("none", "omitted")])
def test_a_summary_says_how_much_is_shown(word: str, display: str) -> None:
    """The word itself stays for the vendor."""
    reasoning = parsed(body(USER, reasoning={"effort": "high", "summary": word})).reasoning
    assert reasoning == Reasoning(effort="high", display=display, extras={"summary": Raw(f'"{word}"'.encode())})


def test_a_format_is_read() -> None:
    """It is flat here, where Chat nests it."""
    output = parsed(body(USER, text={"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}}})).output
    assert output == OutputFormat("json_schema", "n", Raw(b'{"a": 1}'))


@pytest.mark.parametrize(
    "broken,where",
    [
        (b"[]", None),
        (b'{"model":1,"input":"x"}', "model"),
        (b'{"model":"m"}', "input"),
        (b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', "input"),
        (b'{"model":"m","input":7}', "input"),
        (b'{"model":"m","input":[7]}', "input[0]"),
        (b'{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}', "input[0].call_id"),
        (b'{"model":"m","input":[{"role":"user","content":7}]}', "input[0].content"),
        (b'{"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]}', "input[0].content[0].text"),
        (b'{"model":"m","input":"x","tools":[{"type":"function"}]}', "tools[0].name"),
        (b'{"model":"m","input":"x","max_output_tokens":"9"}', "max_output_tokens"),
    ],
)
def test_the_member_at_fault_is_named(broken: bytes, where: str | None) -> None:
    """A client finds its mistake."""
    with pytest.raises(BadRequest) as caught:
        parse_request(broken)
    assert caught.value.param == where


# ---- what routing needs ----


def test_a_peek() -> None:
    """Model, stream, and the conversation: Codex names it in its metadata, others by the cache key."""
    seen = peek(b'{"model":"a\\u0062","stream":true,"input":"x"}')
    assert (seen.model, seen.stream, seen.session, seen.written) == ("ab", True, None, b'"a\\u0062"')
    assert peek(b'{"model":"m","prompt_cache_key":"k","client_metadata":{"session_id":"s"}}').session == "k"
    assert peek(b'{"model":"m","client_metadata":{"session_id":"s","thread_id":"t"}}').session == "s"
    assert peek(b'{"model":"m","client_metadata":{"thread_id":"t"}}').session == "t"
    assert peek(b'{"model":"m","client_metadata":{"session_id":7}}').model == "m"


@pytest.mark.parametrize("broken", [b"", b"{}", b'{"model":7}', b'{"model":"m","stream":"yes"}', b"\xff"])
def test_a_peek_at_something_broken(broken: bytes) -> None:
    """It is the client's mistake, and told so."""
    with pytest.raises(BadRequest):
        peek(broken)


# ---- tools that items bring ----


def test_additional_tools_are_tools_of_the_request() -> None:
    """Codex's lite form has them in an item; they go back with it and not twice."""
    item = {"type": "additional_tools", "role": "developer", "id": "at_1", "tools": [FUNCTION]}
    request = body(item, USER)
    assert [tool.name for tool in parsed(request).tools] == ["f"]
    assert same(request)


def test_found_tools_are_tools_of_the_request() -> None:
    """A search that the client ran loads them; one that was there already is there once."""
    call = {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "f"}}
    request = body(USER, call, SEARCHED, {**call, "call_id": "d"}, {**SEARCHED, "call_id": "d"})
    assert [tool.name for tool in parsed(request).tools] == ["f"]
    assert [tool.name for tool in parsed({**request, "tools": [FUNCTION]}).tools] == ["f"]
    assert same(request)
    assert same({**request, "tools": [FUNCTION]})


# ---- compaction ----


def test_a_trigger_asks_for_a_summary() -> None:
    """Other vendors' models are asked in words, and may call nothing; the vendor gets the item and the client's own
    choice.
    """
    request = body(USER, {"type": "compaction_trigger", "id": "ct_1"}, tools=[FUNCTION], tool_choice="required")
    read = parsed(request)
    assert COMPACTION in read.forms
    assert read.messages[-1].parts == (Text(HAND_OVER),)
    assert read.tool_choice == ToolChoice("none")
    assert same(request)
    assert same(body(USER, {"type": "compaction_trigger"}))


def test_the_endpoint_asks_for_a_summary() -> None:
    """Its body has no trigger; the vendor gets it as it is."""
    spot = Spot(stream=False, form=COMPACT)
    request = {"model": "m", "input": [USER], "instructions": "be brief", "tool_choice": "auto"}
    read = parsed(request, spot)
    assert COMPACTION in read.forms
    assert read.messages[-1].parts == (Text(HAND_OVER),)
    assert not read.stream
    assert same(request, spot)


def test_the_url_can_say_that_it_is_no_stream() -> None:
    """The endpoint of compaction has one form of answer."""
    assert not parse_request(json.dumps(body(USER, stream=True)).encode(), Spot(stream=False)).stream
