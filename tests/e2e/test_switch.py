"""`strowger switch`: a client that runs goes on with another vendor, in another dialect, and comes back."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import clients
from tests.e2e.clients import SECONDS, required, run
from tests.e2e.exchange import MODELS, Exchange, clean_env
from tests.e2e.test_run import STROWGER
from tests.fakes.brain import RESULT
from tests.fakes.script import call

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

DONE = f"FAKE-DONE: the tool said «{RESULT}»."


class Talk:
    """One Claude Code, kept open, that is told something and answers."""

    def __init__(self, process: subprocess.Popen[str], session: str) -> None:
        self._process = process
        self.session = session

    def say(self, text: str) -> str:
        """Its answer to a message, when its turn is over."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        message = {"type": "user", "message": {"role": "user", "content": text}}
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["type"] == "result":
                assert not event["is_error"], event
                return str(event["result"])
        raise AssertionError("Claude Code has ended")


@contextmanager
def talking(exchange: Exchange, home: Path) -> Iterator[Talk]:
    """Claude Code, started by `strowger run` on the running gateway. It ends well when the block does."""
    program = required(clients.claude_329(), "claude-2.1.329")
    path = f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"
    command = [*STROWGER, "run", "--config", str(exchange.config), "claude", "--", "-p", "--allowedTools", "Bash"]
    command += ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    env = {**environment(exchange, home), "PATH": path, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    before = exchange.launches()
    with (home / "claude.err").open("w") as err:
        process = subprocess.Popen(
            command, cwd=home, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True
        )
        guard = threading.Timer(2 * SECONDS, process.kill)
        guard.start()
        try:
            yield Talk(process, _opened(exchange, before))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            code = process.wait(100)
            guard.cancel()
            assert process.stdout is not None
            process.stdout.close()
    assert code == 0, (home / "claude.err").read_text()


def _opened(exchange: Exchange, before: list[str]) -> str:
    """The launch that was not there before, as soon as it is."""
    deadline = time.monotonic() + 100
    while not (new := [launch for launch in exchange.launches() if launch not in before]):
        assert time.monotonic() < deadline, "the client has not come"
        time.sleep(0.05)
    return new[0]


def environment(exchange: Exchange, home: Path) -> dict[str, str]:
    return {**exchange.env, **clean_env(home), "XDG_RUNTIME_DIR": exchange.env["XDG_RUNTIME_DIR"]}


def switch(exchange: Exchange, home: Path, *words: str) -> None:
    ran = run([*STROWGER, "switch", *words], home, environment(exchange, home))
    assert ran.code == 0, ran.err


def test_claude_code_there_and_back(exchange: Exchange, home: Path) -> None:
    """Four vendors in four dialects in one session, each with a tool loop, and back to the first, which finds what it
    signed; nobody refuses anything, and nobody sees another's signatures.
    """
    with talking(exchange, home) as talk:
        assert talk.say("At first: RUN_TOOL") == DONE
        # The last one takes half of the tokens that it is asked for.
        for profile in ("third", "second", "fourth", "default", "first"):
            switch(exchange, home, profile)
            assert talk.say(f"On the {profile}: RUN_TOOL") == DONE
    assert [len(exchange.upstream(provider)) for provider in ("codexb", "gem", "gpt", "cloud")] == [2, 2, 2, 6]
    assert {flow["outcome"] for flow in exchange.flows()} == {"ok"}


def test_only_one_session(exchange: Exchange, home: Path, tmp_path: Path) -> None:
    """Of two sessions on one gateway, the one that is switched goes elsewhere, in the middle, and the other stays."""
    other = tmp_path / "other"
    other.mkdir()
    with talking(exchange, home) as first:
        with talking(exchange, other) as second:
            assert first.say("RUN_TOOL") == DONE
            assert second.say("RUN_TOOL") == DONE
            switch(exchange, home, first.session, MODELS["gem"])
            assert first.say("Again: RUN_TOOL") == DONE
            assert second.say("Again: RUN_TOOL") == DONE
    assert len(exchange.upstream("cloud")) == 6
    assert len(exchange.upstream("gem")) == 2


def test_subagents_have_a_model_of_their_own(exchange: Exchange, home: Path) -> None:
    """By a profile with a slot for them, sub-agents ask one vendor and the main agent another."""
    profile = '[profiles.split]\nvia = "gpt:gpt-5.5"\nmodels = { subagent = "gem:gemini-3-flash-preview" }\n'
    before = exchange.config.read_text()
    try:
        exchange.config.write_text(f"{before}\n{profile}")
        with talking(exchange, home) as talk:
            switch(exchange, home, "split")
            task = {"description": "look", "prompt": "In the sub-agent: RUN_TOOL", "subagent_type": "general-purpose"}
            exchange.vendors["gpt"].script(call("Agent", {**task, "run_in_background": False}))
            talk.say("ask an agent")
    finally:
        exchange.config.write_text(before)
    assert len(exchange.upstream("gem")) == 2
    assert all(b"In the sub-agent" in seen.raw for seen in exchange.upstream("gem"))
    assert len(exchange.upstream("gpt")) == 2
    assert exchange.upstream("cloud") == []
