"""What real clients cost, and what they do when their session has spent its budget: stop, say why, not ask again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e import clients
from tests.e2e.clients import claude, required
from tests.e2e.codex import codex, codex_home, failure
from tests.e2e.exchange import SECRETS, TOKEN, Started, clean_env, started
from tests.fakes.anthropic import KEY, FakeAnthropic
from tests.fakes.script import Usage, call, say

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MODEL = "claude-opus-5-5"
# One call is a few hundredths of a cent.
CONFIG = """
[server]
port = 0
client_token = "env:E2E_TOKEN"
[providers.cloud]
preset = "anthropic"
base_url = "{url}"
auth = "env:E2E_ANTHROPIC_KEY"
billing = "metered"
[[routes]]
match = {{ model = "*" }}
to = "cloud"
"""
BUDGET = """
[budgets.session]
stop = 0.0001
"""


class Paid:
    """A gateway, and the vendor that is paid."""

    def __init__(self, gateway: Started, vendor: FakeAnthropic, home: Path, env: dict[str, str]) -> None:
        self.gateway = gateway
        self.vendor = vendor
        self._home = home
        self._env = env

    def outcomes(self, path: str) -> list[str]:
        """How the calls to a path ended."""
        return [flow["outcome"] for flow in self.gateway.flows() if flow["path"].endswith(path)]

    def usage(self, by: str) -> Any:
        """What `strowger usage` says, in a process of its own."""
        command = [
            sys.executable,
            "-m",
            "strowger",
            "usage",
            "--config",
            str(self._home / "config.toml"),
            "--by",
            by,
            "--json",
        ]
        ran = subprocess.run(command, env=self._env, capture_output=True, timeout=100, check=False)
        return json.loads(ran.stdout)


@contextmanager
def paying(home: Path, more: str) -> Iterator[Paid]:
    """The gateway is a process of its own, as users have it. `more`: for the end of its configuration."""
    home.mkdir()
    with FakeAnthropic().in_thread() as vendor:
        (home / "config.toml").write_text(CONFIG.format(url=vendor.base_url) + more)
        env = {**clean_env(home), "E2E_TOKEN": TOKEN, "E2E_ANTHROPIC_KEY": KEY}
        with started(home / "config.toml", home, env, SECRETS) as gateway:
            yield Paid(gateway, vendor, home, env)


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Paid]:
    """With a budget that the first call uses up."""
    with paying(tmp_path / "gateway", BUDGET) as here:
        yield here


@pytest.mark.client
def test_a_session_with_a_sub_agent_is_added_up(tmp_path: Path, home: Path) -> None:
    """Each agent's own calls, tokens, cache and money; the client's own reckoning of the tokens is the same."""
    program = required(clients.claude_329(), "claude-2.1.329")
    task = {"description": "count", "prompt": "count to three", "subagent_type": "general-purpose"}
    spent = Usage(fresh=1000, cached=8000, stored=1000, output=100)
    with paying(tmp_path / "gateway", "") as here:
        here.vendor.script(
            call("Agent", {**task, "run_in_background": False}, usage=spent),
            say("one, two, three", usage=spent),
            say("It has counted.", usage=spent),
        )
        ran = claude(program, home, here.gateway.base_url, "delegate", "--model", MODEL)
        assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
        calls = len(here.outcomes("/v1/messages"))
        deadline = time.monotonic() + 100
        while (told := here.usage("session,agent"))["total"]["calls"] != calls:
            assert time.monotonic() < deadline, told
    # platform.claude.com: 4 dollars in, 20 out, 0.20 read from the cache, 5 written to it, for a million
    each = (1000 * 4 + 8000 * 0.2 + 1000 * 5 + 100 * 20) / 1e6
    by_agent = {row["agent"]: row for row in told["rows"]}
    assert len({row["session"] for row in told["rows"]}) == 1
    (sub,) = [agent for agent in by_agent if agent is not None]
    assert by_agent[sub]["agent_type"] in {"", "general-purpose"}
    assert (by_agent[sub]["calls"], by_agent[None]["calls"]) == (1, 2)
    assert by_agent[None]["billed_usd"] == pytest.approx(2 * each)
    assert by_agent[sub]["billed_usd"] == pytest.approx(each)
    assert (told["total"]["input"], told["total"]["cache_rate"]) == (30_000, 0.8)
    mine = ran.result["modelUsage"][MODEL]
    assert (mine["inputTokens"], mine["cacheReadInputTokens"], mine["outputTokens"]) == (3000, 24_000, 300)


@pytest.mark.client
def test_claude_code_ends_its_turn(paid: Paid, home: Path) -> None:
    """The first call is answered, with a tool to run; the second is refused, once, and the user reads why."""
    program = required(clients.claude_329(), "claude-2.1.329")
    paid.vendor.script(call("Bash", {"command": "echo here", "description": "Says where"}), say("never said"))
    ran = claude(program, home, paid.gateway.base_url, "hello", "--model", MODEL)
    assert ran.code == 1
    assert "spend limit reached: this session has cost $0.00" in ran.result["result"]
    assert "[budgets.session]" in ran.result["result"]
    assert [line for line in ran.lines if line.get("subtype") == "api_retry"] == []
    assert len(paid.vendor.inferences()) == 1
    assert paid.outcomes("/v1/messages") == ["ok", "stopped"]


@pytest.mark.client
def test_codex_ends_its_turn(paid: Paid, home: Path) -> None:
    """The same over Responses, in the words that Codex knows."""
    program = required(clients.codex(), "codex")
    paid.vendor.script(call("exec_command", {"cmd": "echo here"}), say("never said"))
    codex_home(home, paid.gateway.base_url, MODEL)
    ran = codex(program, home, "hello")
    assert ran.code == 1
    assert "quota" in failure(ran).lower()
    assert len(paid.vendor.inferences()) == 1
    assert paid.outcomes("/responses") == ["ok", "stopped"]


@contextmanager
def _anthropic(url: str) -> Iterator[Callable[[], object]]:
    hi: Any = [{"role": "user", "content": "hi"}]
    with anthropic.Anthropic(base_url=url, api_key=TOKEN) as sdk:
        headers = {"x-claude-code-session-id": "s1"}
        yield lambda: sdk.messages.create(model=MODEL, max_tokens=100, messages=hi, extra_headers=headers)


@contextmanager
def _openai(url: str) -> Iterator[Callable[[], object]]:
    hi: Any = [{"role": "user", "content": "hi"}]
    with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN) as sdk:
        headers = {"x-claude-code-session-id": "s1"}
        yield lambda: sdk.chat.completions.create(model=MODEL, messages=hi, extra_headers=headers)


@pytest.mark.parametrize(
    "sdk, refused",
    [(_anthropic, anthropic.RateLimitError), (_openai, openai.RateLimitError)],
    ids=["anthropic", "openai"],
)
def test_sdks_ask_once(paid: Paid, sdk: Any, refused: type[Exception]) -> None:
    """SDKs repeat a 429 by themselves, but not this one."""
    paid.vendor.script(say("Hello", usage=Usage(fresh=100, output=20)))
    with sdk(paid.gateway.base_url) as ask:
        ask()
        with pytest.raises(refused, match="spend limit reached"):
            ask()
    assert [flow["outcome"] for flow in paid.gateway.flows()] == ["ok", "stopped"]
    assert len(paid.vendor.inferences()) == 1
