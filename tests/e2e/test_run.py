"""`strowger run`: a client from the terminal to its exit code, on a gateway that runs or on one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e import clients
from tests.e2e.clients import required, run
from tests.e2e.exchange import TOKEN, Exchange, clean_env
from tests.fakes.anthropic import KEY
from tests.fakes.brain import RESULT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

STROWGER = [sys.executable, "-m", "strowger"]
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.mark.client
@pytest.mark.parametrize("joined", [True, False], ids=["joined", "own gateway"])
def test_run_claude(exchange: Exchange, home: Path, joined: bool) -> None:
    """`strowger run claude -- -p …` is one step to a whole tool loop, with the child's output and nothing else."""
    program = required(clients.claude_329(), "claude-2.1.329")
    env = {**exchange.env, **clean_env(home), "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
    if joined:
        env["XDG_RUNTIME_DIR"] = exchange.env["XDG_RUNTIME_DIR"]
    # What would lead past the gateway has to go.
    env |= {"ANTHROPIC_API_KEY": "sk-ant-of-the-user", "CLAUDE_CODE_USE_BEDROCK": "1"}
    arguments = ["--config", str(exchange.config), "claude", "--", "-p", "RUN_TOOL", "--allowedTools", "Bash"]
    ran = run([*STROWGER, "run", *arguments], home, env)
    assert (ran.code, ran.out.strip()) == (0, f"FAKE-DONE: the tool said «{RESULT}»."), ran.err
    asked = exchange.upstream("cloud")
    assert len(asked) == 2
    assert all("sk-ant-of-the-user" not in str(seen.headers) for seen in exchange.cloud.requests)
    assert len(exchange.flows()) == (2 if joined else 0)


def test_environment_of_the_child(exchange: Exchange, home: Path) -> None:
    """Any command gets both dialects' addresses and a token of its own that opens the gateway only while it runs."""
    env = {**exchange.env, **clean_env(home), "OPENAI_API_KEY": "sk-of-the-user", "E2E_TOKEN": TOKEN}
    ran = run([*STROWGER, "run", "--config", str(exchange.config), sys.executable, "--", "-c", SHOW], home, env)
    assert ran.code == 0, ran.err
    child = json.loads(ran.out)
    url = child["ANTHROPIC_BASE_URL"]
    assert url.startswith("http://127.0.0.1:")
    assert child["OPENAI_BASE_URL"] == child["OPENAI_API_BASE"] == f"{url}/v1"
    assert "127.0.0.1" in child["NO_PROXY"]
    token = child["ANTHROPIC_AUTH_TOKEN"]
    assert token == child["OPENAI_API_KEY"]
    assert token not in (TOKEN, KEY, "sk-of-the-user")
    assert token not in ran.err


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code(exchange: Exchange, home: Path, code: int) -> None:
    """The child's exit code is the command's."""
    arguments = ["--config", str(exchange.config), sys.executable, "--", "-c", f"raise SystemExit({code})"]
    assert run([*STROWGER, "run", *arguments], home, {**exchange.env, **clean_env(home)}).code == code


def test_missing_command(exchange: Exchange, home: Path) -> None:
    """A command that is not there is 127, as in a shell, and the message names it."""
    arguments = ["--config", str(exchange.config), "no-such-client-anywhere"]
    ran = run([*STROWGER, "run", *arguments], home, {**exchange.env, **clean_env(home)})
    assert ran.code == 127
    assert "no-such-client-anywhere" in ran.err


def test_signal_reaches_the_child(exchange: Exchange, home: Path) -> None:
    """SIGTERM goes to the child, which may end in its own way; its code is the command's."""
    waits = (
        "import signal, sys, pathlib, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "pathlib.Path('ready').touch()\n"
        "while True: time.sleep(60)\n"
    )
    command = [*STROWGER, "run", "--config", str(exchange.config), sys.executable, "--", "-c", waits]
    process = subprocess.Popen(command, cwd=home, env={**exchange.env, **clean_env(home)}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 100
        while not (home / "ready").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 42
    finally:
        process.kill()
        process.wait()
