"""A model of very little brain: it runs one harmless command with the client's own shell tool and quotes the result.

It sees a dialect-free view of the request and answers with a script step. Markers in the user's text choose what it
does; without one it says hello. Its command does arithmetic, so a result proves that a real shell has run it. One
command reads a pipe, so a test holds the turn until it writes there; what it writes may ask for the next command.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from tests.fakes.script import Call, Reply, Say, Think

COMMAND = "echo strowger-e2e-$((40+2))"
RESULT = "strowger-e2e-42"
SECOND_COMMAND = "echo strowger-e2e-$((50+7))"
SECOND_RESULT = "strowger-e2e-57"
# The same results for clients that run no command with a substitution in it.
WARY = {"run_shell_command": ("printf 'strowger-e2e-%d\\n' 0x2a", "printf 'strowger-e2e-%d\\n' 0x39")}
AT_GATE, GATE = "RUN_GATE", "gate"
# In milliseconds, where a tool would not wait so long for its command by itself: more than Codex gives it is cut down.
PATIENCE = 100_000
HELLO = "FAKE-DONE: hello from the fake upstream, grüße, 電話交換機 ☎."

_SHELLS = ("bash", "shell", "exec", "exec_command", "run_shell_command", "run_command", "terminal", "local_shell")
# Codex has its newest models write a script that calls its other tools: in a namespace, where the dialect has such.
_SCRIPTS = ("functions.exec", "functions__exec")
_SCRIPT = """\
// @exec: {{"yield_time_ms": {patience}}}
{before}const ran = await tools.exec_command({{cmd: {command}, yield_time_ms: {patience}}});
text(ran.output ?? ran);
"""


class View(Struct, frozen=True):
    """What the brain sees of a request: the last user turn, the tools on offer, what form the answer must have."""

    text: str
    results: tuple[str, ...] = ()
    tools: dict[str, dict[str, Any]] = {}
    forced: str | None = None
    must_call: bool = False
    schema: dict[str, Any] | None = None
    thinks: bool = False


def answer(view: View) -> Reply:
    """What the brain does with a request."""
    thoughts = (Think("Let me think about this: 思考. "),) if view.thinks else ()
    if view.forced is not None or view.must_call:
        name = view.forced or next(iter(view.tools))
        return Reply(parts=(*thoughts, Call(name, example(view.tools.get(name, {})))))
    if view.results and AT_GATE not in view.results[-1]:
        return _after_tools(view, thoughts)
    calls = _calls(view)
    if calls:
        return Reply(parts=(*thoughts, Say("I will run a tool."), *calls))
    if view.schema is not None:
        return Reply(parts=(*thoughts, Say(json.dumps(example(view.schema)))))
    return Reply(parts=(*thoughts, Say(HELLO)))


def _after_tools(view: View, thoughts: tuple[Think, ...]) -> Reply:
    structured = view.tools.get("StructuredOutput")
    if structured is not None and "USE_SCHEMA" in view.text:
        return Reply(parts=(*thoughts, Say("Done.")))
    quoted = " ".join(f"«{result.strip()}»" for result in view.results)
    return Reply(parts=(*thoughts, Say(f"FAKE-DONE: the tool said {quoted}.")))


def _calls(view: View) -> tuple[Call, ...]:
    structured = view.tools.get("StructuredOutput")
    if structured is not None:
        return (Call("StructuredOutput", example(structured)),)
    if "RUN_SEARCH" in view.text and "ToolSearch" in view.tools:
        return (Call("ToolSearch", {"query": "select:WebFetch", "max_results": 5}),)
    gate = AT_GATE in (view.results or (view.text,))[-1]
    wanted = gate or "RUN_TOOL" in view.text or "run a tool" in view.text.lower()
    shell = shell_tool(view.tools) if wanted else None
    if shell is None:
        return _script(view, f"cat {GATE}" if gate else COMMAND) if wanted else ()
    if gate:
        given = _shell_arguments(view.tools[shell], f"cat {GATE}")
        known = _members(view.tools[shell])
        given |= {name: PATIENCE for name in ("yield_time_ms", "timeout_ms") if name in known}
        return (Call(shell, given),)
    commands = WARY.get(shell, (COMMAND, SECOND_COMMAND))
    several = commands if "RUN_TOOLS" in view.text else commands[:1]
    return tuple(Call(shell, _shell_arguments(view.tools[shell], command)) for command in several)


def _script(view: View, command: str) -> tuple[Call, ...]:
    """The command by a script, if there is a tool for such; on RUN_NOTIFY it says something before it has ended."""
    name = next((name for name in _SCRIPTS if name in view.tools), None)
    before = 'notify("at it");\n' if "RUN_NOTIFY" in view.text else ""
    script = _SCRIPT.format(patience=PATIENCE, before=before, command=json.dumps(command))
    return (Call(name, {"input": script}),) if name else ()


def shell_tool(tools: dict[str, dict[str, Any]]) -> str | None:
    """The client's tool that runs shell commands, by its usual names."""
    by_name = {name.lower(): name for name in tools}
    return next((by_name[shell] for shell in _SHELLS if shell in by_name), None)


def _shell_arguments(schema: dict[str, Any], command: str) -> dict[str, Any]:
    arguments: dict[str, Any] = example(schema) if schema.get("type") == "object" else {}
    members = _members(schema)
    name = "cmd" if "cmd" in members else "command"
    # Some shells take the words of a command, not its text.
    listed = members.get(name, {}).get("type") == "array"
    return {**arguments, name: ["bash", "-lc", command] if listed else command}


def _members(schema: dict[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = schema.get("properties") or {}
    return members


def example(schema: dict[str, Any]) -> Any:
    """A small value that the JSON schema accepts: required members only, first of each choice."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return example(schema[union][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        members = schema.get("properties") or {}
        return {name: example(members.get(name, {})) for name in schema.get("required") or ()}
    if kind == "array":
        return [example(schema.get("items", {}))] if schema.get("minItems") else []
    simple: dict[str, Any] = {"integer": 42, "number": 42, "boolean": True, "null": None}
    return simple.get(kind, "FAKE")
