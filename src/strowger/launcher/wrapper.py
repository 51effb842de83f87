"""A wrapper: a small script that has an agent's name, stands before it in the PATH and starts it through Strowger.

It carries a mark with a digest of itself, so that what is not ours, or was changed since, is neither replaced nor
removed. It finds the agent behind itself by the PATH, passes over its like, and runs the agent alone when Strowger is
gone. Must not know what an agent needs.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from strowger.config.paths import home_dir, programs_dir
from strowger.config.private import replace_file
from strowger.errors import ConfigError

LAUNCHED = "STROWGER_LAUNCHED"
"""Names the agent that a process was launched with; one that it starts by the same name needs no launch of its own."""

_MARK = "strowger-wrapper"
_HEAD_BYTES = 512

_POSIX = """\
# Starts {agent} through Strowger. `strowger toggle {agent} off` takes this file away.

ours() {{
  line=
  [ -r "$1" ] && {{ IFS= read -r line && IFS= read -r line; }} <"$1"
  case $line in "# {mark} "*) return 0 ;; esac
  return 1
}}

# the program behind this file: the first by its name that is not another file like this
alone() {{
  rest=$PATH:
  while [ -n "$rest" ]; do
    file=${{rest%%:*}}
    file=${{file:-.}}/{agent}
    rest=${{rest#*:}}
    if [ -f "$file" ] && [ -x "$file" ] && ! ours "$file"; then exec "$file" "$@"; fi
  done
  file={real}
  if [ -f "$file" ] && [ -x "$file" ] && ! ours "$file"; then exec "$file" "$@"; fi
  echo "{agent}: there is no such program behind $0" >&2
  exit 127
}}

# a program that is there, and so is the interpreter that its first line names
works() {{
  [ -f "$1" ] && [ -x "$1" ] || return 1
  line=
  [ -r "$1" ] && IFS= read -r line <"$1"
  case $line in "#!"*) ;; *) return 0 ;; esac
  set -f
  set -- ${{line#??}}
  set +f
  [ -x "$1" ]
}}

# no gateway is needed to tell a version, nor another one inside a launch
case "$#$1" in 1--version | 1--help | 1-h) alone "$@" ;; esac
[ "${launched}" = {agent} ] && alone "$@"

if works {program}; then
  export {launched}={agent}
  exec {start} run{options} {agent} -- "$@"
fi
other=$(command -v strowger)
if works "$other"; then
  export {launched}={agent}
  exec "$other" run{options} {agent} -- "$@"
fi
echo "strowger is gone, so {agent} runs without it; remove $0 to hear no more of it" >&2
alone "$@"
"""

_WINDOWS = """\
rem Starts {agent} through Strowger. `strowger toggle {agent} off` takes this file away.
setlocal
if "%~2"=="" if "%~1"=="--version" goto alone
if "%{launched}%"=="{agent}" goto alone
if not exist {program} goto gone
set {launched}={agent}
{start} run{options} {agent} -- %*
exit /b %ERRORLEVEL%
:gone
echo strowger is gone, so {agent} runs without it; remove %~f0 to hear no more of it 1>&2
:alone
for /f "delims=" %%f in ('where {agent} 2^>nul') do (
  findstr /b /c:"rem {mark} " "%%f" >nul 2>&1 || (
    call "%%f" %*
    exit /b
  )
)
echo {agent}: there is no such program behind %~f0 1>&2
exit /b 127
"""


class Wrapper(Struct, frozen=True):
    """A wrapper that is there. `changed`: somebody has written to it since it was made."""

    path: Path
    agent: str
    changed: bool


class State(Struct, frozen=True):
    """How an agent's name is taken. `found` are our wrappers for it, `front` the program that a shell starts."""

    found: tuple[Wrapper, ...]
    front: Path | None

    @property
    def in_force(self) -> bool:
        """Whether a shell that looks the name up now starts a wrapper."""
        return any(wrapper.path == self.front for wrapper in self.found)


def installation() -> tuple[str, ...]:
    """How this very installation is started, whatever the PATH is."""
    program = shutil.which("strowger", path=str(Path(sys.executable).parent))
    return (program,) if program else (sys.executable, "-m", "strowger")


def text(agent: str, start: Sequence[str], options: Sequence[str], real: str, *, platform: str = sys.platform) -> str:
    """The script for an agent. `start` is how Strowger is started, `options` are for `strowger run`, `real` is the
    program to fall back on where the PATH has none.
    """
    windows = platform == "win32"

    def quoted(words: Sequence[str]) -> str:
        return subprocess.list2cmdline(words).replace("%", "%%") if windows else shlex.join(words)

    body = (_WINDOWS if windows else _POSIX).format(
        agent=agent,
        mark=_MARK,
        launched=LAUNCHED,
        program=f'"{start[0]}"'.replace("%", "%%") if windows else shlex.quote(start[0]),
        start=quoted(start),
        options=f" {quoted(options)}" if options else "",
        real=shlex.quote(real),
    )
    first, remark = ("@echo off", "rem") if windows else ("#!/bin/sh", "#")
    made = f"{first}\n{remark} {_MARK} {agent} {_digest(agent, body)}\n{body}"
    return made.replace("\n", "\r\n") if windows else made


def is_wrapper(path: Path) -> bool:
    """Whether a file bears our mark, whatever else is in it."""
    return _mark(path) is not None


def state(agent: str, env: Mapping[str, str]) -> State:
    """What there is under an agent's name: in the folders of the PATH, and in those where we put wrappers."""
    front = shutil.which(agent, path=env.get("PATH"))
    folders = dict.fromkeys((*_path(env), *_ours(env)))
    found = [wrapper for folder in folders if (wrapper := _read(folder / _file_name(agent), agent)) is not None]
    return State(tuple(found), Path(front).absolute() if front else None)


def place(agent: str, real: str, env: Mapping[str, str]) -> Path:
    """Where the wrapper shall stand: where one is, else before the program in the PATH, else in a folder of ours that
    the user has to put there. Raises ConfigError when something else is in its place.
    """
    if there := state(agent, env).found:
        if there[0].changed:
            raise ConfigError(f"{there[0].path} was changed since it was made", hint="look at it, and remove it")
        return there[0].path
    path, name = _path(env), _file_name(agent)
    behind = path.index(Path(real).parent) if Path(real).parent in path else len(path)
    for folder in _ours(env):
        if folder in path[:behind] and _is_yours(folder) and not os.path.lexists(folder / name):
            return folder / name
    chosen = programs_dir(env) / name
    if os.path.lexists(chosen):
        raise ConfigError(f"{chosen} is there already, and is not ours", hint="look at it, and remove it")
    return chosen


def install(path: Path, script: str) -> None:
    """Write a wrapper. Raises ConfigError."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _is_yours(path.parent):
            raise ConfigError(f"others may write to {path.parent}", hint=f"chmod go-w {path.parent}")
        replace_file(path, script.encode(), mode=0o755)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def remove(wrapper: Wrapper, env: Mapping[str, str]) -> None:
    """Take a wrapper away, and our folder when it is empty. Raises ConfigError, also when it is not as it was made."""
    if wrapper.changed:
        raise ConfigError(
            f"{wrapper.path} was changed since it was made, and stays", hint="look at it, and remove it yourself"
        )
    try:
        wrapper.path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{wrapper.path} cannot be removed: {error.strerror}") from None
    folder = programs_dir(env)
    if wrapper.path.parent == folder and not any(folder.iterdir()):
        folder.rmdir()


def first_in_path(folder: Path, env: Mapping[str, str], *, platform: str = sys.platform) -> str:
    """What a user has to write, and where, for a folder to come first in the PATH."""
    shell = Path(env.get("SHELL", "")).name
    if platform == "win32":
        return f"put {folder} first in the Path of your user variables"
    if shell == "fish":
        return f"run once: fish_add_path --move --prepend {shlex.quote(str(folder))}"
    file = {"zsh": "~/.zshrc", "bash": "~/.bashrc"}.get(shell, "~/.profile")
    return f'add to {file}, as its last line: export PATH={shlex.quote(str(folder))}:"$PATH"'


def _read(path: Path, agent: str) -> Wrapper | None:
    """The wrapper in a file of ours; None for whatever else is there."""
    mark = _mark(path)
    if mark is None or mark[:1] != (agent,):
        return None
    try:
        found = path.lstat()
        lines = path.read_bytes().decode(errors="replace").replace("\r\n", "\n").split("\n", 2)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Wrapper(path, agent, changed=mark[1:] != (_digest(agent, lines[2]),))


def _mark(path: Path) -> tuple[str, ...] | None:
    """The words behind the mark in a file's second line."""
    if not path.is_file():  # a pipe would make us wait
        return None
    try:
        with path.open("rb") as file:
            lines = file.read(_HEAD_BYTES).split(b"\n", 2)
    except OSError:
        return None
    words = lines[1].decode(errors="replace").split() if len(lines) > 2 else []
    return tuple(words[2:]) if words[1:2] == [_MARK] and words[0] in ("#", "rem") else None


def _digest(agent: str, body: str) -> str:
    return hashlib.sha256(f"{agent}\n{body}".encode()).hexdigest()[:32]


def _file_name(agent: str) -> str:
    return f"{agent}.cmd" if sys.platform == "win32" else agent


def _path(env: Mapping[str, str]) -> list[Path]:
    return [Path(folder).absolute() for folder in env.get("PATH", "").split(os.pathsep)]


def _ours(env: Mapping[str, str]) -> Iterator[Path]:
    """Where wrappers may stand: in our own folder, else where programs of a user's own are."""
    yield programs_dir(env)
    if sys.platform != "win32":
        yield home_dir(env) / ".local" / "bin"
        yield home_dir(env) / "bin"


def _is_yours(folder: Path) -> bool:
    """Whether you, and nobody else, may write to a folder."""
    try:
        found = folder.stat()
    except OSError:
        return False
    if sys.platform == "win32":
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
