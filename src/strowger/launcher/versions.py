"""Which version of a program is installed, asked within bounds: the package that it is part of, else the program.

Must not know which programs there are.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

SECONDS = 8.0
"""How long a program may take to tell its version: Python programs with many parts take seconds on a busy machine."""

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
_FOLDERS_UP = 4


class _Package(msgspec.Struct):
    name: str = ""
    version: str = ""


async def version_of(program: str, env: Mapping[str, str], seconds: float = SECONDS) -> str | None:
    """A program's version, or None when it does not tell in time. A package that npm installed is read, not run."""
    return packaged(Path(program)) or await told((program, "--version"), env, seconds)


def packaged(program: Path) -> str | None:
    """The version in the package.json nearest above a script, or in the name of a versioned binary."""
    try:
        file = program.resolve(strict=True)
    except OSError:
        return None
    if _VERSION.fullmatch(file.name):  # Claude Code's installer: …/claude/versions/2.1.329
        return file.name
    if "node_modules" not in file.parts:
        return None  # a package.json above it would be of the project that it happens to be in
    for folder in file.parents[:_FOLDERS_UP]:
        if folder.name == "node_modules":
            return None
        try:
            package = msgspec.json.decode((folder / "package.json").read_bytes(), type=_Package)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
        if package.name and package.version:
            return package.version
    return None


async def told(command: Sequence[str], env: Mapping[str, str], seconds: float = SECONDS) -> str | None:
    """The first version in what a command says; it is ended when it takes too long."""
    with anyio.move_on_after(seconds):
        try:
            done = await anyio.run_process(
                command,
                env=dict(env),
                check=False,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            return None
        found = _VERSION.search(done.stdout.decode("utf-8", "replace")[:2000])
        return found[0] if found and done.returncode == 0 else None
    return None


def parts(version: str | None) -> tuple[int, ...] | None:
    """The numbers of a version, for comparing."""
    found = _VERSION.search(version or "")
    return tuple(int(number) for number in found[0].split(".")) if found else None


def runs_on_node(program: Path) -> bool:
    """Whether a program is a script for Node.js, so that it matters which Node.js there is."""
    try:
        with program.open("rb") as file:
            first = file.readline(200)
    except OSError:
        return False
    return first.startswith(b"#!") and b"node" in first


async def missing_node(wanted: tuple[int, ...] | None, program: str, env: Mapping[str, str]) -> str | None:
    """What a program needs that is not there: a Node.js of a version, where it is a script for one. None: nothing."""
    if wanted is None or not runs_on_node(Path(program)):
        return None
    name = ".".join(str(number) for number in wanted)
    there = await told(("node", "--version"), env)
    if there is None:
        return f"needs Node.js {name} or newer; there is no `node` on the PATH"
    return None if (parts(there) or ()) >= wanted else f"needs Node.js {name} or newer; `node` is {there}"
