"""Tool names on their way to an upstream and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.dialects.names import ToolNames, as_written, plain, shortened
from strowger.ir.request import (
    CustomTool,
    FunctionTool,
    HostedTool,
    Message,
    Request,
    Tool,
    ToolCall,
    ToolChoice,
    ToolGroup,
    ToolReference,
    ToolResult,
)


def asked(*tools: Tool | ToolGroup | str, messages: tuple[Message, ...] = (), choice: str | None = None) -> Request:
    offered = tuple(FunctionTool(tool) if isinstance(tool, str) else tool for tool in tools)
    return Request(
        "openai_responses",
        "m",
        messages,
        tools=offered,
        tool_choice=None if choice is None else ToolChoice("tool", choice),
    )


def test_names_that_fit_are_left_alone() -> None:
    """There is nothing to give back then."""
    names = ToolNames(asked("mcp__server__tool-1"), 64)
    assert names.sent("mcp__server__tool-1") == "mcp__server__tool-1"
    assert names.client == {}


def test_a_grouped_tool_keeps_a_name_that_can_be_read() -> None:
    """`functions__exec` tells a model more than a hash does."""
    names = ToolNames(asked(ToolGroup("functions", (FunctionTool("exec"),)), "web search"), 64)
    assert names.sent("functions.exec") == "functions__exec"
    assert names.sent("web search") == "web_search"
    assert names.client == {"functions__exec": "functions.exec", "web_search": "web search"}


def test_a_name_of_which_nothing_is_left_gets_a_hash() -> None:
    """Of another script only underscores would stay."""
    names = ToolNames(asked("工具", "", "__"), 64)
    assert re.fullmatch("___[0-9a-f]{8}", names.sent("工具"))
    assert re.fullmatch("_[0-9a-f]{8}", names.sent(""))
    assert names.sent("__") == "__"


@pytest.mark.parametrize(
    "other",
    [
        FunctionTool("a__b"),
        CustomTool("a__b"),
        HostedTool("anthropic", "x", "a__b", Raw(b"{}")),
        ToolGroup("a__b", (FunctionTool("c"),)),
    ],
)
def test_a_name_that_is_taken_gets_a_hash(other: Tool | ToolGroup) -> None:
    """By a tool that has it by itself, whichever comes first; by a part of a group's name it is not taken."""
    names = ToolNames(asked("a.b", other), 64)
    taken = not isinstance(other, ToolGroup)
    assert bool(re.fullmatch("a__b_[0-9a-f]{8}", names.sent("a.b"))) is taken
    assert names.client[names.sent("a.b")] == "a.b"
    assert names.sent("a__b") == "a__b" or not taken


def test_two_that_would_fall_together_both_get_one() -> None:
    """So the order in which tools are listed changes nothing."""
    first, second = ToolNames(asked("a b", "a/b"), 64), ToolNames(asked("a/b", "a b"), 64)
    assert first.sent("a b") == second.sent("a b") != "a_b"
    assert second.sent("a/b") == first.sent("a/b") != first.sent("a b")
    assert first.client == {first.sent("a b"): "a b", first.sent("a/b"): "a/b"}


@pytest.mark.parametrize(
    "request_",
    [
        asked("a.b", messages=(Message("assistant", (ToolCall("1", "a__b", "{}"),)),)),
        asked("a.b", messages=(Message("tool", (ToolResult("1", (ToolReference("a__b"),)),)),)),
        asked("a.b", choice="a__b"),
    ],
)
def test_names_in_the_history_are_taken_too(request_: Request) -> None:
    """A tool that is no longer offered is still told of."""
    assert ToolNames(request_, 64).sent("a.b") != "a__b"


def test_names_that_the_request_does_not_have() -> None:
    """A stand-in for a vendor's tool gets no name twice either."""
    names = ToolNames(asked(), 64)
    assert names.sent("a b") == "a_b"
    assert names.sent("a/b") != "a_b"


def test_long_names_with_the_same_beginning_stay_different() -> None:
    """MCP servers give tools long names that differ at the end only; zero is no limit."""
    one, other = "mcp__" + "x" * 80 + "a", "mcp__" + "x" * 80 + "b"
    names = ToolNames(asked(one, other), 64)
    assert len({names.sent(one), names.sent(other)}) == 2
    assert {len(name) for name in names.client} == {64}
    assert ToolNames(asked(one), 0).sent(one) == one


def test_upstreams_that_take_any_name() -> None:
    """Only the length counts."""
    names = ToolNames(asked("a.b", "é" * 30), 20, as_written)
    assert names.sent("a.b") == "a.b"
    assert len(names.sent("é" * 30)) == 20


def test_a_short_limit_leaves_a_hash_alone() -> None:
    """Mistral's nine letters and digits."""
    nine = shortened("call_abcdefghij", "call_abcdefghij", 9)
    assert len(nine) == 9
    assert nine.isalnum()


@given(st.lists(st.text("ab._ -/é", max_size=90), unique=True, max_size=8), st.sampled_from([20, 64, 128]))
def test_every_name_is_taken_and_comes_back(given_names: list[str], longest: int) -> None:
    """Legal letters, short enough, no two alike, the same in every turn, and reversible."""
    names = ToolNames(asked(*given_names), longest)
    sent = [names.sent(name) for name in given_names]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) and len(name) <= longest for name in sent)
    assert len(set(sent)) == len(sent)
    assert [names.client.get(name, name) for name in sent] == given_names
    again = ToolNames(asked(*reversed(given_names)), longest)
    assert [again.sent(name) for name in given_names] == sent
    assert all(plain(name) == name for name in sent)


def test_a_client_of_the_same_dialect_may_leave_a_name_empty() -> None:
    """It is written as it was, for the vendor to judge; other dialects get something that can be called."""
    assert ToolNames(Request("x", "m"), 0, as_written).sent("") == ""
    assert ToolNames(Request("x", "m"), 64).sent("") != ""


def test_names_hold_as_long_as_the_request_lets_them() -> None:
    """Those that no other name can change are known at once; others are looked at again."""
    one = ToolNames(asked("run", "a.b"), 64)
    one.begin()
    assert [one.sent(name) for name in ("run", "a.b")] == ["run", "a__b"]
    both = one.end()
    assert (both.names, both.plain) == ((("run", "run"), ("a.b", "a__b")), False)
    assert ToolNames(asked("a.b"), 64).hold(both)
    assert not ToolNames(asked("a.b", "a__b"), 64).hold(both)
    one.begin()
    one.sent("run")
    alone = one.end()
    other = ToolNames(asked(), 64)
    assert alone.plain
    assert other.hold(alone)
    assert other.client == {}
