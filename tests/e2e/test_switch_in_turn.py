"""`strowger switch` with Codex, Gemini CLI and aider in the middle of a turn: while a command of theirs runs, whose
result then goes to another vendor, in another dialect. One session of each goes to three vendors and comes back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e import acp, codex_server
from tests.e2e.clients import SECONDS, required, run
from tests.e2e.exchange import PROFILES, Exchange
from tests.e2e.gate import Gate
from tests.e2e.test_gemini_cli import runtime
from tests.e2e.test_moving import signed
from tests.e2e.test_run import STROWGER
from tests.e2e.test_run_others import AIDER, WHERE, digests, home, surroundings, untouched
from tests.fakes.brain import AT_GATE, RESULT
from tests.fakes.script import say

__all__ = ["home", "runtime"]

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

ON = f"on to the next: {AT_GATE}\n"
HOME = "home-again-42"


class Session:
    """A client that is launched on a profile, and the gate at which its commands wait."""

    def __init__(self, exchange: Exchange, home: Path, client: str, *, env: dict[str, str] | None = None) -> None:
        program = required(WHERE[client](), client)
        self.env = {**surroundings(exchange, home, program, joined=env is None), **(env or {})}
        self.client, self._home, self._config = client, home, exchange.config
        self.gate = Gate(home)

    def command(self, profile: str, *words: str) -> list[str]:
        """`strowger run` with the client."""
        return [*STROWGER, "run", "--config", str(self._config), "--profile", profile, self.client, "--", *words]

    def switch(self, profile: str, text: str, called: str | None = None) -> None:
        """Switch it while its next command waits, which then reads a text."""
        with self.gate.held(text):
            ran = run([*STROWGER, "switch", called or self.client, profile], self._home, self.env)
            assert ran.code == 0, ran.err


def asked(exchange: Exchange) -> dict[str, int]:
    """How often vendors were asked, by their profiles; none of them has refused anything."""
    counts = {profile: len(exchange.upstream(provider)) for profile, provider in PROFILES.items()}
    return {profile: count for profile, count in counts.items() if count}


def test_codex(exchange: Exchange, home: Path) -> None:
    """A thread that is kept open, on one WebSocket: a tool loop at Anthropic, and one whose results go to Gemini, to
    OpenAI's Responses, and to Anthropic again, which finds what it signed.
    """
    before = digests(home)
    session = Session(exchange, home, "codex")
    with codex_server.talking(session.command("first", "app-server"), home, session.env, 3 * SECONDS) as codex:
        assert RESULT in codex.say("At first: RUN_TOOL")
        codex.begin(f"Far away: {AT_GATE}")
        session.switch("second", ON)
        session.switch("third", ON)
        session.switch("first", HOME, called=codex.id)  # its own id for the conversation
        assert HOME in codex.end()
    assert asked(exchange) == {"first": 4, "second": 1, "third": 1}
    assert {(flow["session"], flow["outcome"]) for flow in exchange.flows()} == {(codex.id, "ok")}
    # Over its WebSocket it sends what is new only: the rest is known to the gateway, and told to whoever is new.
    assert b"At first: RUN_TOOL" in exchange.upstream("gem")[0].raw
    assert b"At first: RUN_TOOL" in exchange.upstream("codexb")[0].raw
    assert len(signed(exchange.upstream("cloud")[-1].body)) == 3
    untouched(exchange, home, before)


def test_gemini_cli(exchange: Exchange, home: Path, runtime: Path) -> None:
    """A session that is kept open, on a gateway of its own: a tool loop at Gemini, and one whose results go to
    Anthropic, to OpenAI's Responses, and to Gemini again, which finds what it signed.
    """
    before = digests(home)
    session = Session(exchange, home, "gemini", env={"XDG_RUNTIME_DIR": str(runtime)})
    command = session.command("second", "--acp", "--yolo", "--skip-trust", "-m", "gemini-3-flash-preview")
    with acp.talking(command, home, session.env, 3 * SECONDS) as gemini:
        assert RESULT in gemini.say("At first: RUN_TOOL")
        gemini.begin(f"Far away: {AT_GATE}")
        session.switch("first", ON)
        session.switch("third", ON)
        session.switch("second", HOME)
        assert HOME in gemini.end()
    assert asked(exchange) == {"first": 1, "second": 4, "third": 1}
    assert len(signed(exchange.upstream("gem")[-1].body)) >= 3
    untouched(exchange, home, before)


def test_aider(exchange: Exchange, home: Path) -> None:
    """It has no tools, but edits a file, has it tested and sends the model what the tests say: to Gemini, OpenAI's
    Responses and Anthropic, where it began, and where the next prompt goes.
    """
    before = digests(home)
    session = Session(exchange, home, "aider")
    (home / "check.sh").write_text("cat gate > said; cat said; ! grep -q WRONG said\n")
    first, second, third, last = (say(f"hello.txt\n```\n{word}\n```\n") for word in ("one", "two", "three", "four"))
    exchange.cloud.script(first, last)
    exchange.gem.script(second)
    exchange.codexb.script(third)
    words = (*AIDER.split(), "--auto-test", "--test-cmd", "sh check.sh")
    with ThreadPoolExecutor(1) as pool:
        prompts = "write hello.txt\nthank you\n/exit\n"
        aider = pool.submit(run, session.command("first", *words), home, session.env, prompts, 3 * SECONDS)
        session.switch("second", "WRONG at first\n")
        session.switch("third", "WRONG at the second\n")
        session.switch("first", "WRONG at the third\n")
        with session.gate.held("fine\n"):
            assert (home / "hello.txt").read_text() == "four\n"
    ran = aider.result()
    assert ran.code == 0, ran.out + ran.err
    assert "FAKE-DONE: hello" in ran.out
    assert asked(exchange) == {"first": 3, "second": 1, "third": 1}
    assert b"WRONG at first" in exchange.upstream("gem")[0].raw
    assert b"WRONG at the second" in exchange.upstream("codexb")[0].raw
    assert b"WRONG at the third" in exchange.upstream("cloud")[1].raw
    assert {flow["outcome"] for flow in exchange.flows()} == {"ok"}
    untouched(exchange, home, before)
