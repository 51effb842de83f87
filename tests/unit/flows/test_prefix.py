"""A request as its vendor caches it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.flows.prefix import Parting, Prefix, parting, prefix_of, shared


def told(dialect: str = "anthropic", **members: Any) -> Prefix:
    prefix = prefix_of(dialect, json.dumps(members).encode())
    assert prefix is not None
    return prefix


def tool(name: str, description: str = "does it") -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": {"type": "object"}}


def says(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


BASE: dict[str, Any] = {
    "model": "claude-test",
    "messages": [says("user", "hello"), says("assistant", "hi"), says("user", "go on")],
    "system": [{"type": "text", "text": "be kind"}, {"type": "text", "text": "and quick"}],
    "tools": [tool("Read"), tool("Write"), tool("Bash")],
}


def parted(**changes: Any) -> Parting | None:
    """Where a request parts from BASE."""
    return parting(told(**BASE), told(**{**BASE, **changes}))


def test_the_order_is_the_vendors_own() -> None:
    """Claude Code writes messages first, and Anthropic caches tools first."""
    assert [block.path for block in told(**BASE).blocks] == [
        "tools[0]",
        "tools[1]",
        "tools[2]",
        "system[0]",
        "system[1]",
        "messages[0].content[0]",
        "messages[1].content[0]",
        "messages[2].content[0]",
    ]


def test_what_is_only_added_does_not_part() -> None:
    """A turn more is what the cache is for."""
    assert parted(messages=[*BASE["messages"], says("assistant", "done"), says("user", "thanks")]) is None


def test_marks_for_the_cache_are_no_part_of_it() -> None:
    """They move with every turn."""
    marked = [{"type": "text", "text": "go on", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert parted(messages=[*BASE["messages"][:2], {"role": "user", "content": marked}]) is None


def test_a_bare_text_is_the_same_as_one_part() -> None:
    """Agents write the last message one way, and the same message in the next turn another."""
    bare = [says("user", "hello"), says("assistant", "hi"), {"role": "user", "content": "go on"}]
    assert parted(messages=bare) is None


@pytest.mark.parametrize(
    "changes, path, what",
    [
        (
            {"tools": [tool("Read"), tool("Write"), tool("Bash", "runs it")]},
            "tools[2].description",
            "tools[2].description changed (of Bash)",
        ),
        (
            {"tools": [tool("Read"), tool("Glob"), tool("Write"), tool("Bash")]},
            "tools[1]",
            "tools[1] (Glob) was put in before what was there",
        ),
        ({"tools": [tool("Read"), tool("Bash")]}, "tools[1]", "tools[1] (Write) was taken out"),
        (
            {"tools": [tool("Read"), tool("Write")]},
            "tools[2]",
            "tools[2] is gone",
        ),
        ({"system": [{"type": "text", "text": "be cruel"}]}, "system[0].text", "system[0].text changed"),
        (
            {"messages": [says("user", "hello"), says("assistant", "HI"), says("user", "go on")]},
            "messages[1].content[0].content.text",
            "message 1 was rewritten at content.text",
        ),
        (
            {"messages": [says("user", "a summary")]},
            "messages[0].content[0].content.text",
            "message 0 was rewritten at content.text",
        ),
        (
            {"messages": BASE["messages"][:2]},
            "messages[2].content[0]",
            "everything from messages[2].content[0] on is gone",
        ),
        ({"thinking": {"type": "enabled"}}, "thinking", "thinking was put in"),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "tool_choice was put in"),
    ],
)
def test_the_first_place_is_named(changes: dict[str, Any], path: str, what: str) -> None:
    """In words that lead to the change."""
    found = parted(**changes)
    assert found is not None
    assert (found.path, found.what) == (path, what)


def test_what_is_kept_and_what_is_lost_is_told_in_bytes() -> None:
    """A change in the first tool costs everything, one in the last message next to nothing."""
    first = parted(tools=[tool("Read", "x"), *BASE["tools"][1:]])
    last = parted(messages=[*BASE["messages"][:2], says("user", "stop")])
    assert first is not None
    assert last is not None
    assert first.kept == 0
    assert last.lost < last.kept
    assert first.kept + first.lost == last.kept + last.lost == told(**BASE).size


def test_the_attribution_block_has_its_own_words() -> None:
    """It changes with the client's version, and all that follows is paid anew."""
    before = told(**{**BASE, "system": [{"type": "text", "text": "x-anthropic-billing-header: v=1"}]})
    after = told(**{**BASE, "system": [{"type": "text", "text": "x-anthropic-billing-header: v=2"}]})
    found = parting(before, after)
    assert found is not None
    assert (found.path, found.what) == ("system[0]", "the attribution block changed")


@pytest.mark.parametrize(
    "dialect, members, paths",
    [
        (
            "openai_chat",
            {"messages": [{"role": "system", "content": "s"}], "tools": [{"type": "function"}]},
            ["tools[0]", "messages[0]"],
        ),
        (
            "openai_responses",
            {"input": [{"type": "function_call"}], "instructions": "i", "tools": [{"name": "t"}]},
            ["instructions", "tools[0]", "input[0]"],
        ),
        ("openai_responses", {"input": "hello"}, ["input"]),
        (
            "gemini",
            {"contents": [{"parts": [{"text": "a"}, {"text": "b"}]}], "systemInstruction": {"parts": []}},
            ["systemInstruction", "contents[0].parts[0]", "contents[0].parts[1]"],
        ),
        ("gemini", {"request": {"contents": [{"parts": [{"text": "a"}]}]}}, ["contents[0].parts[0]"]),
    ],
)
def test_every_dialect_has_its_order(dialect: str, members: dict[str, Any], paths: list[str]) -> None:
    """Also inside Code Assist's envelope."""
    assert [block.path for block in told(dialect, **members).blocks] == paths


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_what_is_no_request_has_no_prefix(body: bytes) -> None:
    """Whatever was recorded."""
    assert prefix_of("anthropic", body) is None


@given(st.lists(st.text(max_size=4), max_size=6), st.lists(st.text(max_size=4), max_size=6))
def test_a_parting_is_where_the_shared_part_ends(one: list[str], other: list[str]) -> None:
    """However two conversations look."""
    before, after = (told(messages=[says("user", text) for text in texts]) for texts in (one, other))
    count = shared(before, after)
    assert [b.digest for b in before.blocks[:count]] == [b.digest for b in after.blocks[:count]]
    found = parting(before, after)
    assert (found is None) == (count == len(before.blocks))
    if found is not None:
        assert found.kept == sum(block.size for block in before.blocks[:count])
