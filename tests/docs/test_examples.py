"""What the pages show is true: configuration loads, Python runs, commands exist, and those marked so are run.

Every fenced block that says `toml`, `python`, `console` or `sh` is looked at. What happens to one can be changed by a
comment in the line above it:

    <!-- skip: the reason -->     it is not looked at
    <!-- run -->                  its `$ strowger …` lines are run; what follows each is what it must print, `…` for any
                                  text, also over lines
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from strowger.cli.main import cli
from strowger.config import InvalidConfig, load
from strowger.providers.presets import PRESETS
from tests.house import tree

BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>skip|run)(?:: (?P<reason>.+?))? -->\n+)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# A key that is shown by reference must be there to be loaded.
KEYS = {name: "planted" for preset in PRESETS.values() for name in preset.key_env}
SECONDS = 15


class Block(NamedTuple):
    """A fenced block: where it stands, in which language, what is written above it."""

    page: str
    line: int
    language: str
    mark: str
    reason: str
    text: str

    @property
    def name(self) -> str:
        """Page and line, for a test's name."""
        return f"{self.page}:{self.line}"


def blocks(*languages: str, marks: tuple[str, ...] = ("", "run")) -> list[Block]:
    """The blocks of all pages in these languages that bear one of these marks."""
    found = [
        Block(page, text.count("\n", 0, m.start("text")), m["language"], m["mark"] or "", m["reason"] or "", m["text"])
        for page in tree.tracked()
        if page.endswith(".md") and (text := tree.text(page))
        for m in BLOCK.finditer(text)
    ]
    return [block for block in found if block.language in languages and block.mark in marks]


def each(found: list[Block]) -> list[object]:
    """As parameters; a page may have none of a kind."""
    return [pytest.param(block, id=block.name) for block in found] or [
        pytest.param(None, marks=pytest.mark.skip(reason="no page has such a block"))
    ]


@pytest.mark.parametrize("block", each(blocks("toml")))
def test_configuration_loads(block: Block, tmp_path: Path) -> None:
    """A configuration that a page shows is accepted as it stands, without a warning."""
    file = tmp_path / "config.toml"
    file.write_text(block.text, "utf-8")
    try:
        loaded = load(file, env={**KEYS, "HOME": str(tmp_path)}, presets=PRESETS)
    except InvalidConfig as error:
        pytest.fail("\n".join(f"{problem.where}: {problem.message}" for problem in error.problems))
    assert [note.message for note in loaded.warnings] == []


@pytest.mark.parametrize("block", each(blocks("python")))
def test_python_runs(block: Block) -> None:
    """Python that a page shows compiles; where it is marked, it runs."""
    code = compile(block.text, block.name, "exec")
    if block.mark == "run":
        subprocess.run((sys.executable, "-c", block.text), check=True, timeout=SECONDS)
    assert code.co_code


@pytest.mark.parametrize("block", each(blocks("console", "sh")))
def test_commands_exist(block: Block) -> None:
    """Every `strowger` command that a page shows is there, with the options it is shown with."""
    for words in _commands(block):
        _check_words(words)


@pytest.mark.parametrize("block", each(blocks("console", marks=("run",))))
def test_marked_commands_do_as_shown(block: Block, tmp_path: Path) -> None:
    """What a page says a command prints is what it prints."""
    for command, shown in re.findall(r"^\$ (strowger .*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **KEYS}
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        wanted = ".*".join(re.escape(piece) for piece in shown.strip().split("…"))
        printed = (done.stdout + done.stderr).strip()
        assert re.fullmatch(wanted, printed, re.DOTALL), f"`{command}` printed\n{printed}\nand the page says\n{shown}"


def test_skips_have_reasons() -> None:
    """Who takes a block out of this says why."""
    bare = [
        block.name for block in blocks("toml", "python", "console", "sh", marks=("skip",)) if len(block.reason) < 10
    ]
    assert not bare


def test_something_is_looked_at() -> None:
    """The README shows a configuration and commands, or this whole file proves nothing."""
    assert [block for block in blocks("toml") if block.page == "README.md"]
    assert [words for block in blocks("console", "sh") if block.page == "README.md" for words in _commands(block)]


def _commands(block: Block) -> list[list[str]]:
    lines = re.sub(r"\\\n", " ", block.text).splitlines()
    words = [
        shlex.split(line.removeprefix("$ "), comments=True) for line in lines if re.match(r"(\$ )?strowger ", line)
    ]
    return [line[1:] for line in words]


def _check_words(words: list[str]) -> None:
    """Walk click's tree along the words of a command line, and parse what is left with the command found there."""
    command: click.Command = cli
    context = click.Context(command, info_name="strowger")
    while isinstance(command, click.Group) and words:
        first, *words = words
        if first.startswith("-"):
            assert first in _options(command), f"strowger has no option {first}"
            continue
        inner = command.get_command(context, first)
        assert inner is not None, f"there is no command `{first}`"
        command, context = inner, click.Context(inner, info_name=first, parent=context)
    try:
        command.make_context(command.name, words, parent=context, resilient_parsing=False)
    except click.UsageError as error:
        pytest.fail(f"`{' '.join(words)}`: {error.message}")
    except click.exceptions.Exit:
        pass  # --help and --version


def _options(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}
