"""Tools that a vendor defines and the client runs."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from strowger.dialects.client_tools import PLACEHOLDER, described, loaded, one_kind
from strowger.ir.request import (
    CacheHint,
    FunctionTool,
    HostedTool,
    Message,
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolSearch,
)


def hosted(kind: str, name: str = "") -> HostedTool:
    return HostedTool("anthropic", kind, name, Raw(b"{}"))


@pytest.mark.parametrize(
    "kind,name,member",
    [
        ("bash_20250124", "bash", "command"),
        ("text_editor_20250124", "str_replace_editor", "path"),
        ("text_editor_20250728", "str_replace_based_edit_tool", "insert_text"),
        ("memory_20250818", "memory", "old_path"),
    ],
)
def test_tools_that_the_client_runs_have_a_schema(kind: str, name: str, member: str) -> None:
    """With it they work on any model."""
    tool = described(hosted(kind, name))
    assert tool is not None
    assert tool.name == name
    assert tool.parameters is not None
    assert member in msgspec.json.decode(tool.parameters)["properties"]


def test_the_old_editor_can_undo_and_the_new_cannot() -> None:
    """The model must not be offered what the client will refuse."""
    old, new = described(hosted("text_editor_20250124", "e")), described(hosted("text_editor_20250429", "e"))
    assert old is not None
    assert new is not None
    assert b"undo_edit" in bytes(old.parameters or b"")
    assert b"undo_edit" not in bytes(new.parameters or b"")


def test_tools_that_the_vendor_runs_have_none() -> None:
    """Nobody else would run them."""
    assert described(hosted("web_search_20250305", "web_search")) is None
    assert described(hosted("computer_20250124", "computer")) is None


@pytest.mark.parametrize(
    "raw,member",
    [
        (b'{"type":"local_shell"}', "command"),
        (b'{"type":"shell"}', "commands"),
        (b'{"type":"shell","environment":{"type":"local"}}', "commands"),
        (b'{"type":"apply_patch"}', "diff"),
        (b'{"type":"tool_search","execution":"client","parameters":{"properties":{"query":{}}}}', "query"),
    ],
)
def test_tools_of_openai_that_the_client_runs_have_a_schema(raw: bytes, member: str) -> None:
    """They work on any model; a search among tools brings its own schema."""
    kind = msgspec.json.decode(raw)["type"]
    tool = described(HostedTool("openai_responses", kind, kind, Raw(raw)))
    assert tool is not None
    assert tool.name == kind
    assert tool.parameters is not None
    assert member in msgspec.json.decode(tool.parameters)["properties"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"shell","environment":{"type":"container_auto"}}',
        b'{"type":"tool_search"}',
        b'{"type":"tool_search","execution":"client"}',
        b'{"type":"shell","environment":7}',
    ],
)
def test_tools_that_run_at_openai_have_none(raw: bytes) -> None:
    """A container of the vendor's, a search by the vendor, and what is of no known shape."""
    kind = msgspec.json.decode(raw)["type"]
    assert described(HostedTool("openai_responses", kind, kind, Raw(raw))) is None


def test_the_cache_hint_stays() -> None:
    """It says something about the place, not about the tool."""
    tool = described(HostedTool("anthropic", "bash_20250124", "bash", Raw(b"{}"), CacheHint("1h")))
    assert tool is not None
    assert tool.cache == CacheHint("1h")


LATER = FunctionTool("later", deferred=True)
STAND_IN = FunctionTool(PLACEHOLDER, deferred=True)


def test_deferred_tools_are_loaded_by_a_result_that_names_them() -> None:
    """In whatever message it stands; the stand-in is no tool."""
    references = (ToolReference("later"), ToolReference("now"), ToolReference(PLACEHOLDER))
    told = Message("tool", (ToolResult("c", references),))
    tools = (FunctionTool("now"), LATER, STAND_IN)
    assert loaded((), tools) == frozenset()
    assert loaded((told,), tools) == {"later"}


def test_a_search_by_the_vendor_would_find_them_all() -> None:
    """So they are all shown where it does not run."""
    search = HostedTool("openai_responses", "tool_search", "tool_search", Raw(b"{}"), ability=ToolSearch())
    assert loaded((), (LATER, STAND_IN, search)) == {"later"}
    assert loaded((), (FunctionTool("now"), search)) == frozenset()


def test_one_kind_of_tools() -> None:
    """Functions stay, unless the client forces one of the others; where there is one kind only, nothing is lost."""
    function = (0, FunctionTool("f"))
    search = (1, HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}")))
    assert one_kind([function, search], None) == ([function], "its own tools")
    assert one_kind([function, search], ToolChoice("tool", "f")) == ([function], "its own tools")
    assert one_kind([function, search], ToolChoice("tool", "web_search")) == ([search], "functions")
    assert one_kind([function], None) == ([function], "")
    assert one_kind([search], None) == ([search], "")
