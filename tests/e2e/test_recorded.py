"""A session of Claude Code, as the store has it afterwards: who asked what, what it cost, and why the cache broke."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from strowger.flows.archive import Archive
from strowger.flows.tape import Kind
from tests.e2e import clients
from tests.e2e.clients import claude, required
from tests.e2e.exchange import SECRETS, TOKEN, Started, clean_env, started
from tests.fakes.anthropic import KEY, FakeAnthropic
from tests.fakes.script import Reply, Usage, call, say
from tests.fakes.server import Seen

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

MODEL = "claude-opus-5-5"
# Of a vendor's, and of nobody's who takes part: only its form tells what it is.
FOUND = "sk-ant-api03-" + "Pl4ntedInAFile" * 6
CONFIG = """
[server]
port = 0
client_token = "env:E2E_TOKEN"
[providers.first]
preset = "anthropic"
base_url = "{first}"
auth = "env:E2E_ANTHROPIC_KEY"
billing = "metered"
[providers.second]
preset = "anthropic"
base_url = "{second}"
auth = "env:E2E_ANTHROPIC_KEY"
billing = "metered"
[[routes]]
match = {{ model = "*" }}
to = "{to}"
"""


class Recorded:
    """A gateway, and the two vendors that it can ask."""

    def __init__(self, home: Path, first: FakeAnthropic, second: FakeAnthropic) -> None:
        self.first, self.second = first, second
        self._home = home
        self.env = {**clean_env(home), "E2E_TOKEN": TOKEN, "E2E_ANTHROPIC_KEY": KEY}
        self.config = home / "config.toml"
        self.gateway = Started("", "")
        self.lead_to("first")

    def lead_to(self, provider: str) -> None:
        """Have the configuration send everything there."""
        addresses = {"first": self.first.base_url, "second": self.second.base_url}
        self.config.write_text(CONFIG.format(**addresses, to=provider))

    def moved(self, reply: Reply) -> Reply:
        """The configuration is changed while the client waits for this answer."""
        self.lead_to("second")
        self.gateway.ask("reload", b"")
        return reply

    def tell(self, *command: str) -> str:
        """What a command says, in a process of its own."""
        whole = [sys.executable, "-m", "strowger", *command]
        ran = subprocess.run(whole, env=self.env, capture_output=True, text=True, timeout=100, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def flows(self, *command: str) -> str:
        """What `strowger flows` says."""
        return self.tell("flows", "--config", str(self.config), *command)

    @property
    def store(self) -> Path:
        """The file that calls are kept in."""
        return self._home / ".state" / "strowger" / "flows.db"

    def written(self) -> dict[str, bytes]:
        """Every file that the gateway has written."""
        return {str(file): file.read_bytes() for file in (self._home / ".state").rglob("*") if file.is_file()}


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """With a store of its own."""
    home = tmp_path / "gateway"
    home.mkdir()
    with ExitStack() as stack:
        first, second = (stack.enter_context(FakeAnthropic().in_thread()) for _ in range(2))
        here = Recorded(home, first, second)
        here.gateway = stack.enter_context(started(here.config, home, here.env, SECRETS))
        yield here


def test_a_session_is_recorded(recorded: Recorded, home: Path) -> None:
    """A tool, a sub-agent, and a change of the route in the midst: the tree with its tokens and its money, the cache
    and what broke it, every byte as the vendors saw it, and nothing secret in what is given away.
    """
    program = required(clients.claude_329(), "claude-2.1.329")
    (home / "notes.txt").write_text(f"key={FOUND}\n")
    warm = Usage(fresh=1000, cached=8000, stored=1000, output=100)
    cold = Usage(fresh=1000, cached=0, stored=9000, output=100)
    task = {"description": "count", "prompt": "count to three", "subagent_type": "general-purpose"}
    recorded.first.script(
        call("Bash", {"command": "cat notes.txt", "description": "Reads"}, usage=warm),
        call("Agent", {**task, "run_in_background": False}, usage=warm),
        say("one, two, three", usage=warm),
        # it is the main agent's again, and it calls a tool: the next call finds another vendor
        lambda _: recorded.moved(call("Bash", {"command": "echo moved", "description": "Tells"}, usage=warm)),
    )
    recorded.second.script(say("All is done.", usage=cold))
    ran = claude(program, home, recorded.gateway.base_url, "look around", "--model", MODEL)
    assert (ran.code, ran.result["result"]) == (0, "All is done."), ran.result

    seen = [*recorded.first.inferences(), *recorded.second.inferences()]
    assert [len(recorded.first.inferences()), len(recorded.second.inferences())] == [4, 1]
    calls = _kept(recorded, len(seen))
    assert {one["session"] for one in calls} == {calls[0]["session"]}
    main, sub = _agents(calls)
    assert ([one["provider"] for one in main], len(sub)) == (["first", "first", "first", "second"], 1)
    assert sub[0]["agent_type"] in {"", "general-purpose"}

    _is_the_money_right(recorded, str(sub[0]["agent_id"]))
    _is_the_break_explained(recorded, str(calls[0]["session"]), main)
    _is_every_byte_there(recorded, calls, seen)
    _is_nothing_given_away(recorded)


def _kept(recorded: Recorded, count: int) -> list[dict[str, Any]]:
    """The calls for an answer that are over, oldest first, as the command line has them."""
    deadline = time.monotonic() + 100
    while True:
        told = json.loads(recorded.flows("list", "--json"))
        ended = [one for one in told if one["path"].startswith("/v1/messages") and one["outcome"] == "ok"]
        if len(ended) == count:
            return sorted(ended, key=lambda one: float(one["started"]))
        assert time.monotonic() < deadline, told


def _agents(calls: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return [one for one in calls if not one["agent_id"]], [one for one in calls if one["agent_id"]]


def _is_the_money_right(recorded: Recorded, sub: str) -> None:
    told = json.loads(recorded.tell("usage", "--config", str(recorded.config), "--by", "session,agent", "--json"))
    by_agent = {row["agent"]: row for row in told["rows"]}
    # platform.claude.com: 4 dollars in, 20 out, 0.20 read from the cache, 5 written to it, for a million
    warm = (1000 * 4 + 8000 * 0.2 + 1000 * 5 + 100 * 20) / 1e6
    cold = (1000 * 4 + 9000 * 5 + 100 * 20) / 1e6
    assert by_agent.keys() == {None, sub}
    assert by_agent[None]["billed_usd"] == pytest.approx(3 * warm + cold)
    assert by_agent[sub]["billed_usd"] == pytest.approx(warm)
    assert (told["total"]["calls"], told["total"]["input"], told["total"]["output"]) == (5, 50_000, 500)
    assert told["total"]["cache_rate"] == pytest.approx(32_000 / 50_000)


def _is_the_break_explained(recorded: Recorded, session: str, main: list[dict[str, Any]]) -> None:
    told = json.loads(recorded.flows("cache", session[:12], "--json"))
    assert (len(told["calls"]), told["fell"], told["lost_tokens"]) == (5, 1, 10_000)
    (broke,) = [one for one in told["calls"] if one["fell"]]
    assert (broke["id"], broke["path"], broke["by"]) == (main[-1]["id"], "provider", "strowger")
    assert "second instead of first" in broke["why"]
    assert told["hit"] == pytest.approx(32_000 / 50_000)


def _is_every_byte_there(recorded: Recorded, calls: list[dict[str, Any]], seen: list[Seen]) -> None:
    archive = Archive(recorded.store)
    try:
        for number, one in enumerate(calls):
            assert _digest(archive, one["id"], "forwarded") == hashlib.sha256(seen[number].raw).digest()
            answered = hashlib.sha256(_plain(seen[number])).digest()
            assert _digest(archive, one["id"], "upstream_response") == answered
            assert _digest(archive, one["id"], "client_response") == answered
            assert _digest(archive, one["id"], "client_request") == hashlib.sha256(seen[number].raw).digest()
    finally:
        archive.close()


def _digest(archive: Archive, flow: str, kind: Kind) -> bytes:
    message = archive.message(flow, kind)
    assert message is not None
    assert not message.cut
    return hashlib.sha256(message.body).digest()


def _plain(seen: Seen) -> bytes:
    return zlib.decompress(seen.answer, wbits=47) if seen.answer.startswith(b"\x1f\x8b") else seen.answer


def _is_nothing_given_away(recorded: Recorded) -> None:
    page = recorded.flows("export", "--html", "--where", "path:/v1/messages", "-n", "10", "-o", "-")
    assert "count to three" in page
    har = recorded.flows("dump", "--where", "path:/v1/messages", "--clean")
    log = json.loads(har)["log"]
    assert (log["version"], len(log["pages"]), len(log["entries"])) == ("1.2", 5, 10)
    for given in (page, har):
        for secret in (*SECRETS, FOUND):
            assert secret not in given
    for name, content in recorded.written().items():
        for secret in SECRETS:
            assert secret.encode() not in content, name
