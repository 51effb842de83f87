"""Which tool is called for which words, and that nothing harmful is ever run."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from strowger.demo import tools
from strowger.demo.request import ToolFunction

HERE = "# Environment\n - Primary working directory: /home/user/my project\n - Is a git repository: false"


def tool(name: str, *required: str, **types: Any) -> ToolFunction:
    """A tool whose properties are strings, or of the types given."""
    properties = {each: types.get(each, {"type": "string"}) for each in required}
    return ToolFunction(name, None, {"type": "object", "properties": properties, "required": list(required)})


def offer(*offered: ToolFunction) -> dict[str, ToolFunction]:
    """Tools by name."""
    return {each.name: each for each in offered}


CLAUDE = offer(
    tool("Agent", "description", "prompt"),
    tool("Bash", "command"),
    tool("Edit", "file_path", "old_string", "new_string"),
    tool("ListAgents"),
    tool("Read", "file_path"),
    tool("Skill", "skill"),
    tool("TaskCreate", "subject"),
    tool("WebFetch", "url", "prompt"),
    tool("Write", "file_path", "content"),
    tool("StructuredOutput", "answer", answer={"type": "integer"}),
)
PI = offer(
    tool("read", "path"), tool("bash", "command"), tool("edit", "path", "edits"), tool("write", "path", "content")
)
GEMINI = offer(tool("list_directory", "dir_path"), tool("read_file", "file_path"), tool("run_shell_command", "command"))
CODEX = offer(tool("exec_command", "cmd"), tool("write_stdin", "session_id", session_id={"type": "integer"}))
OLD_CODEX = offer(tool("shell", "command", command={"type": "array", "items": {"type": "string"}}))
MCP = offer(tool("mcp__files__read_file", "path"), tool("mcp__files__delete_file", "path"))
WEATHER = offer(tool("get_weather", "location", "unit", unit={"enum": ["c", "f"]}), tool("delete_everything"))
SUMS = offer(tool("multiply", "a", "b", a={"type": "number"}, b={"type": "integer"}))


def calls(prompt: str, offered: dict[str, ToolFunction], *, system: str = "", many: bool = True, step: int = 0) -> Any:
    """The calls of a choice, arguments decoded; None when there is no choice."""
    found = tools.choose(prompt, offered, system=system, many=many, step=step)
    return [(call.name, json.loads(call.arguments)) for call in found.calls] if found else None


@pytest.mark.parametrize(
    "prompt, offered, expected",
    [
        ("use tools", CLAUDE, ("Bash", {"command": "echo hello from strowger"})),
        ("run a tool", PI, ("bash", {"command": "echo hello from strowger"})),
        ('"run a tool"', PI, ("bash", {"command": "echo hello from strowger"})),
        ("run `ls -la`", CLAUDE, ("Bash", {"command": "ls -la"})),
        ("please run ls -la and tell me", CLAUDE, ("Bash", {"command": "ls -la"})),
        ("run `cat README.md`", GEMINI, ("run_shell_command", {"command": "cat README.md"})),
        ("execute `date +%Y`", CODEX, ("exec_command", {"cmd": "date +%Y"})),
        ("run `pwd`", OLD_CODEX, ("shell", {"command": ["bash", "-c", "pwd"]})),
        ("list the files here", GEMINI, ("list_directory", {"dir_path": "."})),
        ("list the files here", CLAUDE, ("Bash", {"command": "ls"})),
        ("read README.md", PI, ("read", {"path": "README.md"})),
        ("read it", CODEX, ("exec_command", {"cmd": "cat README.md"})),
        ("Read src/app.py, please", CLAUDE, ("Read", {"file_path": "src/app.py"})),
        ("read notes.txt", MCP, ("mcp__files__read_file", {"path": "notes.txt"})),
        ("do something", GEMINI, ("run_shell_command", {"command": "echo hello from strowger"})),
        ("write a file notes.txt", PI, ("write", {"path": "notes.txt", "content": "hello from strowger\n"})),
        ("You MUST call the StructuredOutput tool now.", CLAUDE, ("StructuredOutput", {"answer": 1})),
        ("fetch https://x.test/a with WebFetch", CLAUDE, ("WebFetch", {"url": "https://x.test/a"})),
        ("What's the weather in Paris?", WEATHER, ("get_weather", {"location": "Paris", "unit": "c"})),
        ('weather for "New York"?', WEATHER, ("get_weather", {"location": "New York", "unit": "c"})),
        ("use any tool", WEATHER, ("get_weather", {"location": "location", "unit": "c"})),
        ("multiply 3.5 by 4", SUMS, ("multiply", {"a": 3.5, "b": 4})),
        ("use an agent to look around", CLAUDE, ("Agent", {"prompt": "Say hello, and nothing else."})),
    ],
)
def test_words_choose_a_tool(prompt: str, offered: dict[str, ToolFunction], expected: tuple[str, Any]) -> None:
    """What is asked for is called, under whatever name the agent at hand gives it, with arguments that fit."""
    ((name, arguments),) = calls(prompt, offered)
    assert name == expected[0]
    assert expected[1].items() <= arguments.items()


@pytest.mark.parametrize(
    "prompt, offered",
    [
        ("hi there", CLAUDE),
        ("What is an agent?", CLAUDE),
        ("how do coding agents work with tasks?", CLAUDE),
        ("write a haiku", CLAUDE),
        ("show me a poem", PI),
        ("edit the file x.py", PI),
        ("delete everything", WEATHER),
        ("delete the file notes.txt", MCP),
        ("run the numbers", WEATHER),
        ("", CLAUDE),
    ],
)
def test_talk_chooses_none(prompt: str, offered: dict[str, ToolFunction]) -> None:
    """A tool that is merely mentioned is not called, and one that destroys is not guessed."""
    assert calls(prompt, offered) is None


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "ls; rm x",
        "echo hi > x",
        "echo $HOME",
        "echo `id`",
        "cat /etc/passwd",
        "cat ../x",
        "cat .env",
        "cat",
        "cat ~/.ssh/id",
        "ls /",
        "date -s 12:00",
        "curl http://x",
        "env",
        "echo 'a",
        "ls && id",
        "",
        "head -n 3",
        "wc --files0-from=x",
        "cat a/../../b",
        "cat sub/.git/config",
        "sudo ls",
        "python -c 1",
        "echo *",
        "pwd -P x",
    ],
)
def test_harmful_commands_are_replaced(command: str) -> None:
    """Only commands that read or print, on plain files below, are run; else hello is said, and the reason with it."""
    assert not tools.allowed(command)
    if "`" in command:
        return
    found = tools.choose(f"run `{command}`", CLAUDE, system="", many=False, step=0)
    assert found
    assert json.loads(found.calls[0].arguments) == {"command": tools.GREETING}
    if command:
        assert "short list" in found.why


@given(st.text(max_size=40), st.sampled_from(["run `{}`", "run {}", "execute the command {}", "cat {}", "read {}"]))
def test_only_allowed_commands_are_run(text: str, form: str) -> None:
    """Whatever the prompt, the command that leaves is on the list."""
    for step in range(3):
        found = tools.choose(form.format(text), OLD_CODEX, system="", many=True, step=step)
        for call in found.calls if found else ():
            assert tools.allowed(json.loads(call.arguments)["command"][2])


@pytest.mark.parametrize("command", ["ls", "ls -la src", "cat README", "head -n 3 a.txt", "uname -a", "date -u", "pwd"])
def test_reading_commands_are_allowed(command: str) -> None:
    """What only reads may be run as it was written."""
    assert tools.allowed(command)


def test_paths_are_absolute_where_the_agent_works() -> None:
    """An agent that says where it works gets absolute paths, as Claude Code's tools want them."""
    assert calls("read README.md", CLAUDE, system=HERE) == [("Read", {"file_path": "/home/user/my project/README.md"})]
    assert calls("list files", GEMINI, system=HERE) == [("list_directory", {"dir_path": "/home/user/my project"})]


def test_parallel_gives_two_calls() -> None:
    """Asked for two at once, it makes two, in one turn; not where the client allows only one."""
    assert calls("run `pwd` and `date` in parallel", CLAUDE) == [
        ("Bash", {"command": "pwd"}),
        ("Bash", {"command": "date"}),
    ]
    assert [name for name, _ in calls("use Bash and Read in parallel", CLAUDE)] == ["Bash", "Read"]
    assert [name for name, _ in calls("use two tools in parallel", GEMINI)] == ["run_shell_command"] * 2
    assert [name for name, _ in calls("read two files in parallel", PI)] == ["read", "bash"]
    assert calls("run `pwd` and `date` in parallel", CLAUDE, many=False) == [("Bash", {"command": "pwd"})]
    assert calls("run `pwd` and `date` in parallel", CLAUDE, step=1) is None


def test_several_commands_take_several_turns() -> None:
    """Commands that are not asked for at once come one after the other, and then no more."""
    turns = [calls("run `pwd`, then `date`", CLAUDE, step=step) for step in range(3)]
    assert turns == [[("Bash", {"command": "pwd"})], [("Bash", {"command": "date"})], None]


def test_a_forced_call_is_made() -> None:
    """When the request demands a call, there is one: of the named tool, else of the mildest."""
    named = tools.force("hi", CLAUDE, system="", name="Write")
    assert json.loads(named.calls[0].arguments)["file_path"] == "strowger-demo.txt"
    assert tools.force("hi", CLAUDE, system="", name=None).calls[0].name == "Bash"
    assert tools.force("hi", WEATHER, system="", name=None).calls[0].name == "get_weather"
    only = tools.force("hi", offer(tool("delete_all")), system="", name=None)
    assert only.calls == (tools.Call("delete_all", "{}"),)


def test_a_tool_without_schema_gets_an_object() -> None:
    """No schema, or one that is no object: arguments are an object all the same."""
    for parameters in (None, {}, {"type": "string"}):
        found = tools.force("hi", offer(ToolFunction("ping", None, parameters)), system="", name="ping")
        assert found.calls[0].arguments == "{}"
