"""Requests written for an upstream of this dialect."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT, FAITHFUL
from strowger.dialects.base import Capabilities, Loss
from strowger.errors import Unsupported
from strowger.ir.request import (
    CacheHint,
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    OutputFormat,
    Request,
    Sampling,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.unit.dialects.anthropic.transcripts import USER, dumps, parse, paths, render

PLAIN = Capabilities(origin="somebody")
HI = Message("user", (Text("hi"),), plain=True)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = FunctionTool("ls", "List files", Raw(dumps(SCHEMA)))


def _chat(caps: Capabilities = FAITHFUL, **members: Any) -> tuple[dict[str, Any], list[Loss]]:
    """What a Chat client's request becomes."""
    return render(Request("openai_chat", "gpt", **{"messages": (HI,), **members}), caps)


def _own(caps: Capabilities, **members: Any) -> tuple[dict[str, Any], list[Loss]]:
    return render(parse(**members), caps)


def test_the_least_request() -> None:
    """The model is the route's, and max_tokens is required here."""
    assert _chat() == ({"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 32000}, [])


@pytest.mark.parametrize(
    "asked, caps, sent, lost",
    [
        (None, replace(FAITHFUL, default_max_tokens=9), 9, []),
        (None, replace(FAITHFUL, max_output_tokens=8192), 8192, []),
        (100, FAITHFUL, 100, []),
        (100_000, replace(FAITHFUL, max_output_tokens=8192), 8192, ["max_tokens"]),
        (1, replace(FAITHFUL, min_output_tokens=16), 16, ["max_tokens"]),
    ],
)
def test_max_tokens(asked: int | None, caps: Capabilities, sent: int, lost: list[str]) -> None:
    """Within what the model can do."""
    body, losses = _chat(caps, max_tokens=asked)
    assert (body["max_tokens"], paths(losses)) == (sent, lost)


def test_an_own_request_without_a_limit_stays_without() -> None:
    """Counting tokens needs none; elsewhere the vendor says it in its own words."""
    assert "max_tokens" not in _own(FAITHFUL)[0]


# ---- system ----


def test_one_system_text_is_a_string() -> None:
    """Several are blocks, each its own."""
    assert _chat(messages=(Message("system", (Text("a"),)), HI))[0]["system"] == "a"
    two = _chat(messages=(Message("system", (Text("a"),)), Message("developer", (Text("b"),)), HI))[0]["system"]
    assert two == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_the_attribution_goes_to_anthropic_only() -> None:
    """Elsewhere it is noise in front of the prompt that differs in each conversation."""
    line = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.abc;"}
    system = [line, {"type": "text", "text": "be brief"}]
    assert _own(FAITHFUL, system=system)[0]["system"] == system
    body, losses = _own(PLAIN, system=system)
    assert body["system"] == system[1:]
    assert [(loss.path, loss.severity) for loss in losses] == [("system[0]", "info")]


def test_mid_system_messages_become_notes_for_older_models() -> None:
    """In their place, without hoisting them to the top; everything else stays as it was."""
    messages = [USER, {"role": "system", "content": "now"}, {"role": "assistant", "content": "ok"}, USER]
    assert _own(FAITHFUL, messages=messages)[0]["messages"] == messages
    body, _ = _own(replace(FAITHFUL, mid_system=False), messages=messages)
    note = "<system-reminder>\nnow\n</system-reminder>"
    assert body["messages"][0] == {
        "role": "user",
        "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": note}],
    }
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


def test_a_prefill_that_the_model_refuses() -> None:
    """It is asked to go on instead."""
    messages = [USER, {"role": "assistant", "content": "The answer"}]
    body, losses = _own(replace(FAITHFUL, prefill=False), messages=messages)
    assert body["messages"][:2] == messages
    assert body["messages"][2]["role"] == "user"
    assert paths(losses) == ["messages[-1]"]


# ---- tools ----


def test_function_tools() -> None:
    """A schema is an object schema, also where there was none; strictness goes where it can be held to."""
    body, losses = _chat(
        tools=(
            TOOL,
            FunctionTool("now"),
            FunctionTool("x", parameters=Raw(b'{"properties":{}}')),
            replace(TOOL, name="s", strict=True),
        )
    )
    assert body["tools"] == [
        {"name": "ls", "description": "List files", "input_schema": SCHEMA},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
        {"name": "x", "input_schema": {"type": "object", "properties": {}}},
        {"name": "s", "description": "List files", "input_schema": SCHEMA, "strict": True},
    ]
    assert losses == []


@pytest.mark.parametrize(
    "tool, caps",
    [
        (replace(TOOL, strict=True), replace(FAITHFUL, strict_tools=False)),
        (replace(TOOL, strict=True, parameters=Raw(b'{"type":"object"}')), FAITHFUL),
    ],
)
def test_strictness_that_cannot_be_held(tool: FunctionTool, caps: Capabilities) -> None:
    """A strict tool with a schema that the vendor cannot enforce would be refused: it goes as an ordinary one."""
    body, losses = _chat(caps, tools=(tool,))
    assert "strict" not in body["tools"][0]
    assert paths(losses) == ["tools[0].strict"]


def test_schemas_keep_their_bytes() -> None:
    """The order of members counts for prompt caches."""
    raw = Raw(b'{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}}}')
    request = Request("openai_chat", "gpt", (HI,), tools=(FunctionTool("f", parameters=raw),))
    assert bytes(raw) in DIALECT.upstream.render_request(request, "m", FAITHFUL).body


def test_long_names_are_shortened_everywhere() -> None:
    """In the tool, the choice and the history alike, and the way back is told."""
    long = "mcp__" + "x" * 90
    request = Request(
        "openai_chat",
        "gpt",
        (HI, Message("assistant", (ToolCall("c", long, "{}"),)), Message("tool", (ToolResult("c", (Text("a"),)),))),
        tools=(replace(TOOL, name=long),),
        tool_choice=ToolChoice("tool", long),
    )
    rendered = DIALECT.upstream.render_request(request, "m", replace(FAITHFUL, max_tool_name=64))
    [(short, back)] = rendered.names.items()
    assert (len(short), back) == (64, long)
    assert rendered.body.count(short.encode()) == 3


def test_a_custom_tool_takes_one_text() -> None:
    """Its grammar cannot be enforced, and that is said."""
    body, losses = _chat(tools=(CustomTool("patch", "Apply a patch", Raw(b'{"type":"grammar"}')),))
    [tool] = body["tools"]
    assert (tool["name"], tool["input_schema"]["required"]) == ("patch", ["input"])
    assert paths(losses, "warning") == ["tools[0].format"]


def test_hosted_tools_of_others_are_serious_losses() -> None:
    """A client that relies on web search must hear that there is none."""
    search = HostedTool("openai_chat", "web_search", "web_search", Raw(b"{}"))
    body, losses = _chat(tools=(search, TOOL), tool_choice=ToolChoice("tool", "web_search"))
    assert [tool["name"] for tool in body["tools"]] == ["ls"]
    assert "tool_choice" not in body
    assert paths(losses, "error") == ["tools[0]"]


def test_own_server_tools_go_where_they_run() -> None:
    """A tool without a schema crashes nobody; one that the client runs gets its schema where its type is unknown."""
    search, bash = {"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"}
    assert _own(FAITHFUL, tools=[search, bash]) == ({**_own(FAITHFUL)[0], "tools": [search, bash]}, [])
    body, losses = _own(PLAIN, tools=[search, bash], tool_choice={"type": "tool", "name": "web_search"})
    assert [tool["name"] for tool in body["tools"]] == ["bash"]
    assert body["tools"][0]["input_schema"]["type"] == "object"
    assert [(loss.path, loss.severity) for loss in losses] == [
        ("tools[0]", "error"),
        ("tools[1]", "info"),
        ("tool_choice", "warning"),
    ]


def test_a_history_with_calls_needs_tools() -> None:
    """The API refuses one without; stubs that cannot be called make it whole."""
    messages = (
        HI,
        Message("assistant", (ToolCall("c", "ls", "{}"),)),
        Message("tool", (ToolResult("c", (Text("a"),)),)),
    )
    body, _ = _chat(messages=messages)
    assert body["tools"] == [{"name": "ls", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    "choice, parallel, sent",
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("tool", "ls"), None, {"type": "tool", "name": "ls"}),
        (ToolChoice("tool", "gone"), None, None),
    ],
)
def test_tool_choice(choice: ToolChoice | None, parallel: bool | None, sent: Any) -> None:
    """In this dialect's words; one that names a tool that is not there is dropped, for it would be refused."""
    assert _chat(tools=(TOOL,), tool_choice=choice, parallel=parallel)[0].get("tool_choice") == sent


def test_a_choice_without_tools_is_dropped() -> None:
    """It chooses nothing, and the API refuses it."""
    assert "tool_choice" not in _chat(tool_choice=ToolChoice("auto"))[0]


def test_servers_without_a_choice() -> None:
    """A forced call that cannot be forced is said."""
    caps = replace(FAITHFUL, tool_choice=False)
    assert paths(_chat(caps, tools=(TOOL,), tool_choice=ToolChoice("required"))[1]) == ["tool_choice"]
    assert _chat(caps, tools=(TOOL,), tool_choice=ToolChoice("auto"))[1] == []
    alone = _chat(replace(FAITHFUL, parallel_switch=False), tools=(TOOL,), parallel=False)
    assert paths(alone[1]) == ["tool_choice"]


def test_models_without_tools() -> None:
    """A serious loss: strict routes refuse it."""
    body, losses = _chat(replace(FAITHFUL, tools=False), tools=(TOOL,), tool_choice=ToolChoice("auto"))
    assert not {"tools", "tool_choice"} & set(body)
    assert paths(losses, "error") == ["tools"]


# ---- the rest ----


@pytest.mark.parametrize(
    "sampling, caps, sent, lost",
    [
        (Sampling(temperature=0.5), FAITHFUL, {"temperature": 0.5}, []),
        (Sampling(temperature=1.7), FAITHFUL, {"temperature": 1}, ["temperature"]),
        (Sampling(temperature=-1), FAITHFUL, {"temperature": 0}, ["temperature"]),
        (Sampling(temperature=0, top_p=0.5), FAITHFUL, {"temperature": 0}, ["top_p"]),
        (Sampling(top_p=0.5, top_k=3), FAITHFUL, {"top_p": 0.5, "top_k": 3}, []),
        (Sampling(top_k=3), replace(FAITHFUL, top_k=False), {}, ["top_k"]),
        (Sampling(temperature=0.5), replace(FAITHFUL, sampling=False), {}, ["temperature"]),
        (Sampling(stop=("a", "\n")), FAITHFUL, {"stop_sequences": ["a"]}, []),
        (
            Sampling(stop=("a", "b")),
            replace(FAITHFUL, max_stop_sequences=1),
            {"stop_sequences": ["a"]},
            [],
        ),
    ],
)
def test_sampling(sampling: Sampling, caps: Capabilities, sent: dict[str, Any], lost: list[str]) -> None:
    """Numbers in this dialect's ranges, and only what the model takes."""
    body, losses = _chat(caps, sampling=sampling)
    names = {"temperature", "top_p", "top_k", "stop_sequences"}
    assert {key: value for key, value in body.items() if key in names} == sent
    assert paths(losses) == lost


def test_structured_output() -> None:
    """A schema is enforced where the model can, closed as the vendor wants it."""
    open_schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    output = OutputFormat("json_schema", "answer", Raw(dumps(open_schema)), strict=False)
    body, losses = _chat(output=output)
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"a": {"type": "integer", "description": "minimum: 1"}},
            "additionalProperties": False,
        },
    }
    assert [(loss.path, loss.severity) for loss in losses] == [("response_format.json_schema", "info")]


def test_structured_output_in_words() -> None:
    """Elsewhere it is asked for in the system text, behind what the client wrote there."""
    system = Message("system", (Text("be brief"),))
    body, losses = _chat(messages=(system, HI), output=OutputFormat("json_object"))
    assert body["system"][0]["text"] == "be brief"
    assert "JSON object" in body["system"][1]["text"]
    assert paths(losses, "info") == ["response_format"]
    output = OutputFormat("json_schema", schema=Raw(dumps(SCHEMA)))
    body, losses = _chat(replace(FAITHFUL, structured_output="none"), output=output)
    assert dumps(SCHEMA).decode() in body["system"]
    assert paths(losses, "warning") == ["response_format"]


def test_own_members_for_a_plain_server() -> None:
    """What only Anthropic knows is left out, each a loss; what all know stays."""
    body, losses = _own(
        PLAIN,
        context_management={"edits": []},
        safeguards=[{"type": "x"}],
        output_config={"effort": "high"},
        metadata={"user_id": "u"},
        cache_control={"type": "ephemeral"},
        service_tier="standard_only",
        stream=True,
    )
    assert body == {"model": "m", "messages": [USER], "metadata": {"user_id": "u"}, "stream": True}
    assert sorted(paths(losses)) == ["cache_control", "context_management", "effort", "safeguards", "service_tier"]


def test_cache_breakpoints_are_capped() -> None:
    """The API refuses a fifth; the last four stay, for each covers what is before it."""
    hinted = Message("user", tuple(Text(str(i), CacheHint()) for i in range(6)))
    body, _ = _chat(messages=(hinted,))
    assert ["cache_control" in block for block in body["messages"][0]["content"]] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]


def test_agents_get_automatic_caching() -> None:
    """Chat providers cache by themselves; here it must be asked for, and pays in a conversation."""
    assert _chat(tools=(TOOL,))[0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in _chat()[0]
    assert "cache_control" not in _chat(replace(FAITHFUL, cache_hints=False), tools=(TOOL,))[0]
    hinted = Message("user", (Text("a", CacheHint()),))
    assert "cache_control" not in _chat(tools=(TOOL,), messages=(hinted,))[0]


def test_user_and_tier() -> None:
    """The user's id has a place here; a tier only if the provider has it."""
    body, losses = _chat(user="u", tier="flex", cache_key="k")
    assert body["metadata"] == {"user_id": "u"}
    assert "service_tier" not in body
    assert paths(losses, "info") == ["service_tier", "prompt_cache_key"]
    assert paths(_chat(replace(FAITHFUL, user=False), user="u")[1]) == ["user"]


def test_members_of_another_dialect_are_losses() -> None:
    """Each by its name; neutral values say nothing."""
    extras = {"seed": Raw(b"1"), "logprobs": Raw(b"true"), "n": Raw(b"1"), "store": Raw(b"false"), "user": Raw(b"null")}
    _, losses = _chat(extras=extras)
    assert paths(losses, "warning") == ["seed", "logprobs"]


@pytest.mark.parametrize("extras, param", [({"n": b"2"}, "n"), ({"modalities": b'["text","audio"]'}, "modalities")])
def test_what_must_not_be_dropped_is_refused(extras: dict[str, bytes], param: str) -> None:
    """One answer where two were asked for would be a lie, and so would be text instead of speech."""
    with pytest.raises(Unsupported) as caught:
        _chat(extras={key: Raw(value) for key, value in extras.items()})
    assert caught.value.param == param


def test_each_loss_comes_once() -> None:
    """Losses are a report, not a log."""
    _, losses = _chat(messages=(replace(HI, name="a"), replace(HI, name="b")))
    assert len(losses) == len(set(losses)) == 2


def test_stop_sequences_that_are_not_taken_are_watched_for() -> None:
    """The gateway ends the answer itself before those of white space and those that are too many."""
    request = Request("openai_chat", "gpt", (HI,), sampling=Sampling(stop=("\n", "a", "b")))
    rendered = DIALECT.upstream.render_request(request, "m", replace(FAITHFUL, max_stop_sequences=1))
    assert (rendered.stop, rendered.losses) == (("\n", "b"), ())
