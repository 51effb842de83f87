"""Runs real client programs against an address, each with a fresh home, and hands back what they said.

Where they are: Claude Code 2.1.329 inside the claude-agent-sdk package, the others where scripts/clients.sh puts them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.e2e.exchange import TOKEN, clean_env

INSTALLED = Path(os.environ.get("STROWGER_CLIENTS") or Path.home() / ".cache" / "strowger" / "clients")
# Clients whose absence is a failure and not a skip, so that CI cannot lose them unnoticed.
MUST_BE_HERE = os.environ.get("STROWGER_E2E", "").split(",")
SECONDS = 120.0
NODE_22 = INSTALLED / "node22" / "node_modules" / ".bin"


class Ran(Struct, frozen=True):
    """How a client ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its output as JSON lines; what is no object is left out."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def result(self) -> dict[str, Any]:
        """Claude Code's `result` line."""
        found = [line for line in self.lines if line.get("type") == "result"]
        assert found, f"exit code {self.code}\n{self.out[-2000:]}\n{self.err[-2000:]}"
        return found[-1]


def claude_329() -> str | None:
    """The Claude Code that the Agent SDK brings along."""
    spec = find_spec("claude_agent_sdk")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    return _program(folder / "_bundled" / "claude")


def claude_197() -> str | None:
    """The Claude Code that npm gives to Node 20."""
    return _program(INSTALLED / "claude" / "node_modules" / ".bin" / "claude")


def pi() -> str | None:
    """The pi coding agent."""
    return _program(INSTALLED / "pi" / "node_modules" / ".bin" / "pi")


def aider() -> str | None:
    """aider, in its own virtual environment."""
    return _program(INSTALLED / "aider" / "bin" / "aider")


def codex() -> str | None:
    """Codex, which speaks Responses only."""
    return _program(INSTALLED / "codex" / "node_modules" / ".bin" / "codex")


def gemini() -> str | None:
    """Gemini CLI."""
    return _program(INSTALLED / "gemini" / "node_modules" / ".bin" / "gemini")


def opencode() -> str | None:
    """opencode, which speaks all four dialects."""
    return _program(INSTALLED / "opencode" / "node_modules" / ".bin" / "opencode")


def qwen() -> str | None:
    """qwen-code."""
    return _program(INSTALLED / "qwen" / "node_modules" / ".bin" / "qwen")


def kimi() -> str | None:
    """kimi-code. It runs on the Node 22 beside it, whose folder has to stand first in the PATH."""
    return _program(INSTALLED / "kimi" / "node_modules" / ".bin" / "kimi") if _program(NODE_22 / "node") else None


def _program(path: Path) -> str | None:
    return str(path) if path.is_file() and os.access(path, os.X_OK) else None


def required(program: str | None, name: str) -> str:
    """The program, or a skip that says what is missing. Where $STROWGER_E2E names it, missing is failing."""
    if program is not None:
        return program
    reason = f"{name} is not installed here (scripts/clients.sh, or pip install .[e2e] for Claude Code 2.1.329)"
    if name in MUST_BE_HERE:
        pytest.fail(reason)
    pytest.skip(reason)


def run(command: list[str], home: Path, env: dict[str, str], stdin: str = "", seconds: float = SECONDS) -> Ran:
    """Run a program to its end in `home`. Fails the test when it takes too long, and shows what it wrote."""
    everything = {**clean_env(home), **env}
    process = subprocess.Popen(
        command,
        cwd=home,
        env=everything,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        # Its shell's children hold the pipes too; the whole group is ours.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{command[0]} took more than {seconds} s\n{out[-3000:]}\n{err[-3000:]}")
    return Ran(process.returncode, out, err)


@contextmanager
def kept_open(
    command: list[str], folder: Path, env: Mapping[str, str], seconds: float
) -> Iterator[subprocess.Popen[str]]:
    """A program that is talked to through its pipes, for so many seconds at most; it ends with the block. What it says
    besides is in `folder`.
    """
    with (folder / "client.err").open("w") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True
        )
        guard = threading.Timer(seconds, process.kill)
        guard.start()
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()
            guard.cancel()


def tell(process: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
    """Say something to such a program, on a line."""
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def claude_env(base_url: str, **more: str) -> dict[str, str]:
    """What points Claude Code to a gateway."""
    return {
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        **more,
    }


def claude(program: str, home: Path, base_url: str, prompt: str, *arguments: str, stdin: str = "", **env: str) -> Ran:
    """`claude -p`, with its shell tool allowed, telling everything as JSON lines."""
    command = [program, "-p", *([prompt] if prompt else []), "--allowedTools", "Bash"]
    command += ["--output-format", "stream-json", "--verbose", *arguments]
    return run(command, home, claude_env(base_url, **env), stdin)
