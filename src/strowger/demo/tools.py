"""Which of the offered tools the demo model calls, and with what arguments.

Pure. It calls only what is asked for, and only harmless things: a command comes from a short list of ones that read,
or is an echo; a file is named by the user, or is a README. Names of tools are those that agents in the field use.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from msgspec import Struct

from strowger.demo.request import ToolFunction
from strowger.demo.schema import Schema, instance, kind_of

GREETING = "echo hello from strowger"
"""What is run when nothing that may be run was asked for."""

_FAMILIES: dict[str, tuple[str, ...]] = {
    "shell": (
        *("bash", "shell", "localshell", "exec", "execcommand", "runcommand", "executecommand", "runshellcommand"),
        *("runterminalcmd", "runinterminal", "terminal", "powershell", "containerexec"),
    ),
    "list": ("ls", "list", "listdir", "listdirectory", "listfiles", "readfolder", "listfolder"),
    "glob": ("glob", "findfiles", "filesearch", "globfiles"),
    "read": ("read", "readfile", "readtextfile", "view", "viewfile", "openfile", "cat"),
    "search": ("grep", "search", "searchfiles", "searchfilecontent", "greptool", "ripgrep"),
    "write": ("write", "writefile", "createfile"),
}
"""Tool names by what they do, in lower case without separators."""

_WANTS: tuple[tuple[str, re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (want, re.compile(pattern, re.IGNORECASE), families)
    for want, pattern, families in (
        ("write", r"\b(write|create|save)\b.*(\bfile\b|\w\.\w{1,5}\b)", ("write",)),
        ("search", r"\b(search|grep|find)\b", ("search", "glob", "shell")),
        ("list", r"\b(list|ls)\b", ("list", "glob", "shell")),
        ("read", r"\b(read|open|cat)\b|\b(show|view)\b.*(\bfile\b|\w\.\w{1,5}\b)", ("read", "shell")),
        ("run", r"\b(run|execute|exec)\b", ("shell", "read", "list", "glob")),
        ("any", r"\b(use|call|invoke|try)\b.*\b(tools?|shell)\b", ("shell", "read", "list", "glob")),
        ("any", r"\bdo (something|anything|it)\b", ("shell", "read", "list", "glob")),
    )
)
"""What a user may want, and the families that can do it, the best first. The first pattern that fits decides."""

_READ = 2000
_HARMFUL = re.compile(r"delete|remove|drop|kill|edit|write|patch|update|send|post|pay|stop|cancel|exit", re.IGNORECASE)
_VERBS = frozenset(
    ("get", "fetch", "lookup", "look", "query", "find", "compute", "do", "make", "run", "call", "tool", "the", "for")
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SPANS = re.compile(r"`+([^`\n]+)`+")
_QUOTED = re.compile(r"[\"“]([^\"”\n]{1,200})[\"”]|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_RUN = re.compile(r"\b(run|execute|exec)\b", re.IGNORECASE)
_AFTER_RUN = re.compile(
    r"\b(?:run|execute|exec)\s+(?:the\s+)?(?:command\s+)?[\"']?([a-z][^\"'`\n.,;!?]*)", re.IGNORECASE
)
_FILE = re.compile(r"(?<![\w/.-])(?!\.)((?:[\w-][\w.-]*/)*[\w-]+\.[A-Za-z]\w{0,5}|README|Makefile|LICENSE)\b(?!/)")
_URL = re.compile(r"https?://[^\s`\"'<>)]+")
_NAMES = re.compile(r"\b(?:in|for|of|to|at|from|about)\s+((?:[A-Z][\w-]*)(?:\s+[A-Z][\w-]*){0,2})")
_FIGURES = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,9})?(?![\w])")
_FOLDER = re.compile(
    r"(?:working directory|current directory|workspace root|cwd)[^:\n]{0,20}:\s*[`\"']?(/[^\n`\"'<]*)", re.IGNORECASE
)


class Call(Struct, frozen=True):
    """A call to make: the tool's name and its arguments as JSON text."""

    name: str
    arguments: str


class Choice(Struct, frozen=True):
    """What was decided: the calls of this turn, and why, for the model to think aloud."""

    calls: tuple[Call, ...] = ()
    why: str = ""


def choose(prompt: str, tools: dict[str, ToolFunction], *, system: str, many: bool, step: int) -> Choice | None:
    """The calls for a prompt, or `None` when it asks for none, or for no more of them.

    `many` allows two calls at once, if asked for. `step` counts the turns of calls that this prompt has had: a prompt
    that names several commands and does not say "parallel" gets one a turn.
    """
    prompt = prompt[:_READ]
    name = pick(prompt, tools)
    if name is None:
        return None
    commands = asked_commands(prompt)
    together = many and re.search(r"\bparallel|\bat once\b|\bboth\b|\btwo (tool|call)", prompt, re.IGNORECASE)
    rounds = max(len(commands), 1) if family_of(name) == "shell" and not together else 1
    if step >= rounds:
        return None
    facts = Facts.gather(prompt, system)
    command, why = _command(prompt, commands[step] if commands else None)
    calls = [_call(tools[name], facts, command)]
    if together:
        also = [other for other in tools if other != name and _named(other, prompt)]
        calls.append(_call(tools[also[0]], facts, "pwd") if also else _second(tools, name, commands, facts))
    return Choice(tuple(calls), why)


def force(prompt: str, tools: dict[str, ToolFunction], *, system: str, name: str | None) -> Choice:
    """A call that the request demands: of the named tool, else of the best one for the prompt."""
    prompt = prompt[:_READ]
    name = name or pick(prompt, tools) or _safest(tools)
    commands = asked_commands(prompt)
    command, why = _command(prompt, commands[0] if commands else None)
    return Choice((_call(tools[name], Facts.gather(prompt, system), command),), why)


def pick(prompt: str, tools: dict[str, ToolFunction]) -> str | None:
    """The name of the tool that a prompt asks for, or `None`: by its name, by its words, or by what is wanted."""
    for name in tools:
        if _named(name, prompt):
            return name
    words = [word.lower() for word in _WORDS.findall(prompt)]
    for name in tools:
        if family_of(name) is None and not _HARMFUL.search(name) and _asked_for(name, words):
            return name
    shell = next((name for name in tools if family_of(name) == "shell"), None)
    if shell and asked_commands(prompt):
        return shell
    for _, pattern, families in _WANTS:
        if pattern.search(prompt):
            fitting = next((name for family in families for name in tools if family_of(name) == family), None)
            return fitting or (_safest(tools) if re.search(r"\btools?\b", prompt, re.IGNORECASE) else None)
    return None


def family_of(name: str) -> str | None:
    """What a tool does, by the name that agents give it; `mcp__files__read_file` counts as `read_file`."""
    plain = re.sub(r"[^a-z]", "", name.rpartition("__")[2].lower())
    return next((family for family, names in _FAMILIES.items() if plain in names), None)


def asked_commands(prompt: str) -> tuple[str, ...]:
    """The commands that a prompt spells out: what is in backticks, as written, else what follows the word "run"."""
    spans = [span.strip() for span in _SPANS.findall(prompt)]
    if _RUN.search(prompt):
        found = [span for span in spans if span and not _FILE.fullmatch(span)]
    else:
        found = [span for span in spans if allowed(span)]
    if not found:
        loose = [re.split(r"\s+(?:and|then|with|in|using)\b", text)[0].strip() for text in _AFTER_RUN.findall(prompt)]
        found = [text for text in loose if allowed(text)]
    return tuple(found)


def allowed(command: str) -> bool:
    """Whether a command may be run: one that only reads or prints, on plain files below here, nothing chained."""
    if re.search(r"[;&|<>$`\\!~*?(){}\n\r\[\]#]", command):
        return False
    try:
        program, *arguments = shlex.split(command) or [""]
    except ValueError:
        return False
    match program:
        case "echo":
            return True
        case "pwd" | "whoami":
            return not arguments
        case "date":
            return all(argument == "-u" or argument.startswith("+") for argument in arguments)
        case "uname":
            return all(re.fullmatch(r"-[a-z]+", argument) for argument in arguments)
        case "ls" | "cat" | "head" | "wc":
            paths = [argument for argument in arguments if not re.fullmatch(r"-[a-zA-Z0-9]+", argument)]
            # Without a file (a number is an option's), `cat` and its like would wait for their standard input.
            named = program == "ls" or any(not path.isdigit() for path in paths)
            return named and all(_plain_path(path) for path in paths)
    return False


def _plain_path(path: str) -> bool:
    return not path.startswith(("/", "-")) and not any(part[:1] == "." and part != "." for part in path.split("/"))


def _command(prompt: str, asked: str | None) -> tuple[str, str]:
    """The command to run, and a word on why it is that one."""
    if asked is None:
        want = next((want for want, pattern, _ in _WANTS if pattern.search(prompt)), "any")
        file = _FILE.search(prompt)
        guess = {"list": "ls", "read": f"cat {file[1] if file else 'README.md'}", "search": "ls"}.get(want, GREETING)
        return (guess if allowed(guess) else GREETING), ""
    if allowed(asked):
        return asked, ""
    return GREETING, f"`{asked[:80]}` is not on my short list of harmless commands, so I say hello instead. "


class Facts(Struct, frozen=True):
    """What a prompt says that arguments can be made of."""

    prompt: str
    folder: str
    files: tuple[str, ...]
    quoted: tuple[str, ...]
    names: tuple[str, ...]
    figures: tuple[str, ...]
    url: str

    @classmethod
    def gather(cls, prompt: str, system: str) -> Facts:
        """Reads the prompt; the folder comes from what the agent tells its model of the machine."""
        folder = _FOLDER.search(system)
        url = _URL.search(prompt)
        return cls(
            prompt=prompt,
            folder=folder[1].rstrip() if folder else "",
            files=tuple(_FILE.findall(_URL.sub("", prompt))),
            quoted=tuple(one or other for one, other in _QUOTED.findall(prompt)),
            names=tuple(_NAMES.findall(prompt)),
            figures=tuple(_FIGURES.findall(prompt)),
            url=url[0] if url else "http://127.0.0.1/",
        )

    def path(self, fallback: str) -> str:
        """The file that the prompt names, else the fallback; absolute if the agent said where it works."""
        file = self.files[0] if self.files else fallback
        return f"{self.folder.rstrip('/')}/{file}" if self.folder else file


def _call(tool: ToolFunction, facts: Facts, command: str) -> Call:
    """A call with the arguments that the tool's schema requires."""
    family = family_of(tool.name)
    taken = {"text": 0, "figure": 0}

    def next_of(kind: str, found: tuple[str, ...]) -> str | None:
        taken[kind] += 1
        return found[taken[kind] - 1] if taken[kind] <= len(found) else None

    def guess(name: str, schema: Schema) -> Any:
        kind = kind_of(schema)
        if kind in ("integer", "number"):
            figure = next_of("figure", facts.figures)
            return None if figure is None else int(float(figure)) if kind == "integer" else float(figure)
        if kind == "array" and family == "shell":
            return ["bash", "-c", command]
        if kind != "string" or "format" in schema:
            return None
        if name == "input" and family == "shell":
            return _typed(tool, command)
        known = _by_name(re.sub(r"[^a-z]", "", name.lower()), family, facts, command)
        return known or next_of("text", facts.quoted + facts.names)

    made = instance(tool.parameters or {"type": "object"}, guess)
    return Call(tool.name, json.dumps(made if isinstance(made, dict) else {}, ensure_ascii=False))


def _typed(tool: ToolFunction, command: str) -> str:
    """The text for a shell that takes bare text. Codex's newer one takes a script, in which the shell is a function."""
    if "tools.exec_command(" not in (tool.description or ""):
        return command
    return f"const ran = await tools.exec_command({json.dumps({'cmd': command})});\ntext(ran.output);"


def _by_name(name: str, family: str | None, facts: Facts, command: str) -> str | None:
    """A string argument whose name says what it is. `name` is in lower case, letters only."""
    match name:
        case "command" | "cmd" | "script":
            return command
        case "path" | "dirpath" | "directory" | "dir" | "folder" | "cwd" | "workdir" if family in ("list", "glob"):
            return facts.folder or "."
        case "filepath" | "path" | "file" | "filename" | "absolutepath" | "targetfile":
            return facts.path("strowger-demo.txt" if family == "write" else "README.md")
        case "dirpath" | "directory" | "dir" | "folder" | "cwd" | "workdir":
            return facts.folder or "."
        case "pattern" | "glob" | "regex" if family in ("glob", "list"):
            return "*"
        case "pattern" | "regex":
            return facts.quoted[0] if facts.quoted else "strowger"
        case "content" | "contents" | "filetext":
            return "hello from strowger\n"
        case "description" | "title" | "reason" | "explanation" | "justification":
            return "Strowger demo"
        case "prompt" | "task" | "instructions":
            # Never the user's own words: they made this call, and a sub-agent that is told them makes it again.
            return "Say hello, and nothing else."
        case "url" | "uri":
            return facts.url
        case "query" | "question" | "q":
            return facts.quoted[0] if facts.quoted else facts.prompt[:200]
    return None


def _second(tools: dict[str, ToolFunction], first: str, commands: tuple[str, ...], facts: Facts) -> Call:
    """The other half of two calls at once: the second command, else another thing that only reads."""
    if family_of(first) == "shell":
        wished = commands[1] if len(commands) > 1 else "pwd"
        return _call(tools[first], facts, wished if allowed(wished) else "pwd")
    others = (name for family in ("read", "list", "glob", "shell") for name in tools if family_of(name) == family)
    return _call(tools[next((name for name in others if name != first), first)], facts, GREETING)


def _named(name: str, prompt: str) -> bool:
    """Whether a prompt names a tool: as written if it could not be a plain word, else quoted or called a tool."""
    written = re.escape(name)
    if re.fullmatch(r"[a-z]+", name):
        return re.search(rf"`{written}`|\b{written} tool\b|\btool {written}\b", prompt) is not None
    if re.fullmatch(r"[A-Z][a-z]+", name):
        # "Read", "Write" and the like start a sentence as often as they name a tool; then the verbs decide.
        return re.search(rf"(?<!^)(?<![.!?]\s)\b{written}\b", prompt) is not None
    return re.search(rf"(?<!\w){written}(?!\w)", prompt) is not None


def _asked_for(name: str, words: list[str]) -> bool:
    """Whether a prompt's words, in lower case, ask for a tool: all the telling ones of its name, plurals included.

    A name of one word ("Agent", "multiply") is too easily mentioned: it must be ordered, as in "use an agent".
    """
    own = [word.lower() for word in _WORDS.findall(name.rpartition("__")[2])]
    if len(own) == 1:
        said = [word for word in words if word not in ("a", "an", "the", "sub")]
        before = ("use", "call", "invoke", "launch", "start", "try", "with")
        return any(word == own[0] and (at == 0 or said[at - 1] in before) for at, word in enumerate(said))
    telling = [word for word in own if word not in _VERBS and len(word) > 2]
    return bool(telling) and all(any(word.startswith(each) for word in words) for each in telling)


def _safest(tools: dict[str, ToolFunction]) -> str:
    """The tool to call when one must be called and none fits."""
    known = (name for family in ("shell", "read", "list", "glob") for name in tools if family_of(name) == family)
    mild = (name for name in tools if not _HARMFUL.search(name))
    return next(known, None) or next(mild, None) or next(iter(tools))
