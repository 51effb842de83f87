"""Tools that a vendor defines but the client runs: their schemas, for dialects that know only described tools.

Anthropic's models know these by heart, so clients send a type and no schema. Elsewhere they work as plain function
tools when they are given the schema that the vendor documents. Tools that the vendor itself runs are not here, but for
one: a search among deferred tools, in place of which the tools themselves are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from strowger.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    Tool,
    ToolChoice,
    ToolReference,
    ToolResult,
    ToolSearch,
)

PLACEHOLDER = "DeferredToolPlaceholder"
"""Claude Code's stand-in that keeps a list of deferred tools from being empty; it is never called."""

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_RANGE = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}


def _object(properties: dict[str, object], required: list[str]) -> Raw:
    return Raw(msgspec.json.encode({"type": "object", "properties": properties, "required": required}))


_BASH = _object(
    {
        "command": {"type": "string", "description": "The command to run"},
        "restart": {"type": "boolean", "description": "Restart the shell instead of running a command"},
    },
    [],
)
_MEMORY = _object(
    {
        "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"]},
        "path": {"type": "string", "description": "A path under /memories"},
        "view_range": _RANGE,
        "file_text": _STRING,
        "old_str": _STRING,
        "new_str": _STRING,
        "insert_line": _INTEGER,
        "insert_text": _STRING,
        "old_path": _STRING,
        "new_path": _STRING,
    },
    ["command"],
)


_WORDS = {"type": "array", "items": _STRING}
_LOCAL_SHELL = _object(
    {
        "command": {**_WORDS, "description": "The program and its arguments"},
        "working_directory": _STRING,
        "env": {"type": "object", "additionalProperties": _STRING},
        "timeout_ms": _INTEGER,
        "user": _STRING,
    },
    ["command"],
)
_SHELL = _object(
    {
        "commands": {**_WORDS, "description": "Shell commands to run, in this order"},
        "timeout_ms": _INTEGER,
        "max_output_length": {"type": "integer", "description": "Characters of output to keep"},
    },
    ["commands"],
)
_APPLY_PATCH = _object(
    {
        "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
        "path": {"type": "string", "description": "Path of the file, from the root of the workspace"},
        "diff": {
            "type": "string",
            "description": "What changes: hunks that begin with a line `@@`, then context lines with a space before "
            "them, removed lines with `-`, added lines with `+`. For a new file all lines with `+`",
        },
    },
    ["type", "path"],
)


def _editor(commands: list[str], inserted: str) -> Raw:
    return _object(
        {
            "command": {"type": "string", "enum": commands},
            "path": {"type": "string", "description": "Absolute path of a file or directory"},
            "view_range": {**_RANGE, "description": "First and last line to view; -1 for the end of the file"},
            "file_text": {"type": "string", "description": "Content of the file to create"},
            "old_str": {"type": "string", "description": "The exact text to replace; it must occur once"},
            "new_str": {"type": "string", "description": "The text that replaces it"},
            "insert_line": {"type": "integer", "description": "The line after which to insert; 0 for the beginning"},
            inserted: {"type": "string", "description": "The text to insert, or the replacement"},
        },
        ["command", "path"],
    )


_SCHEMAS: tuple[tuple[str, str, Raw], ...] = (
    ("bash_", "Run a command in a persistent bash shell.", _BASH),
    (
        "text_editor_20241022",
        "View, create and edit files.",
        _editor(["view", "create", "str_replace", "insert", "undo_edit"], "new_str"),
    ),
    (
        "text_editor_20250124",
        "View, create and edit files.",
        _editor(["view", "create", "str_replace", "insert", "undo_edit"], "new_str"),
    ),
    (
        "text_editor_",
        "View, create and edit files.",
        _editor(["view", "create", "str_replace", "insert"], "insert_text"),
    ),
    ("memory_", "Read and write notes that outlive this conversation, as files under /memories.", _MEMORY),
)
"""Prefix of the versioned type, description, schema; the first that fits counts."""

_EXACT: dict[str, tuple[str, Raw]] = {
    "local_shell": ("Run a program on the user's machine.", _LOCAL_SHELL),
    "shell": ("Run shell commands on the user's machine.", _SHELL),
    "apply_patch": ("Create, update or delete one file by a patch.", _APPLY_PATCH),
}
"""OpenAI's, whose types have no versions."""


class _Given(Struct):
    """What such a tool may say of itself: a search among tools brings its own schema when the client runs it."""

    execution: str | None = None
    description: str | None = None
    parameters: Raw = Raw(b"null")
    environment: dict[str, Raw] | None = None


def described(tool: HostedTool) -> FunctionTool | None:
    """The tool as one with a schema, or None when only its vendor can offer it."""
    if tool.type in _EXACT or tool.type == "tool_search":
        return _described_by_itself(tool)
    for prefix, description, schema in _SCHEMAS:
        if tool.type.startswith(prefix):
            return FunctionTool(tool.name or prefix.rstrip("_"), description, schema, cache=tool.cache)
    return None


def _described_by_itself(tool: HostedTool) -> FunctionTool | None:
    try:
        given = msgspec.json.decode(tool.raw, type=_Given)
    except msgspec.MsgspecError:
        return None
    if tool.type == "tool_search":
        if given.execution != "client" or bytes(given.parameters) == b"null":
            return None
        return FunctionTool(tool.name, given.description, given.parameters)
    if given.environment is not None and bytes(given.environment.get("type", b'"local"')) != b'"local"':
        return None  # it runs in a container of the vendor's
    description, schema = _EXACT[tool.type]
    return FunctionTool(tool.name or tool.type, description, schema)


def one_kind(
    tools: list[tuple[int, Tool]], choice: ToolChoice | None
) -> tuple[list[tuple[int, Tool]], Literal["", "functions", "its own tools"]]:
    """The tools that go to a provider which takes either functions or its own tools, and which of them stay behind:
    functions are kept, unless one of the others is asked for by its name. Tools come with their number in the request.
    """
    theirs = {tool.name for _, tool in tools if isinstance(tool, HostedTool)}
    if not theirs or all(isinstance(tool, HostedTool) for _, tool in tools):
        return tools, ""
    wanted = choice is not None and choice.mode == "tool" and choice.name in theirs
    kept = [(i, tool) for i, tool in tools if isinstance(tool, HostedTool) is wanted]
    return kept, "functions" if wanted else "its own tools"


def loaded(messages: Iterable[Message], tools: Sequence[Tool]) -> frozenset[str]:
    """The deferred tools that the model shall see where deferring is not known: those that a tool result has named. All
    of them where the vendor's own search would have found them, for it does not run elsewhere.
    """
    deferred = {tool.name for tool in tools if isinstance(tool, FunctionTool) and tool.deferred}
    if not deferred:
        return frozenset()
    if any(isinstance(tool, HostedTool) and isinstance(tool.ability, ToolSearch) for tool in tools):
        return frozenset(deferred - {PLACEHOLDER})
    named = {
        item.name
        for message in messages
        for part in message.parts
        if isinstance(part, ToolResult)
        for item in part.content
        if isinstance(item, ToolReference)
    }
    return frozenset(deferred & named - {PLACEHOLDER})
