"""Real Claude Code on routes that ask what a call is for: each part of its work goes to a vendor of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.e2e import clients
from tests.e2e.clients import claude, required, run
from tests.e2e.exchange import Exchange, clean_env
from tests.e2e.test_run import STROWGER
from tests.fakes.script import call

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

ROUTES = """
[[routes]]
match = { agent = "general-purpose" }
to = "gpt:gpt-5.5"
[[routes]]
match = { plan = true, subagent = false }
to = "gem:gemini-3-flash-preview"
"""


def test_planning_and_sub_agents(exchange: Exchange, home: Path) -> None:
    """A version that says nothing of itself in headers plans with one vendor, and its sub-agent of a type asks another;
    what is left goes where everything goes.
    """
    program = required(clients.claude_197(), "claude-2.1.197")
    before = exchange.config.read_text()
    task = {"description": "count", "prompt": "count to three", "subagent_type": "general-purpose"}
    try:
        exchange.config.write_text(before.replace("[[routes]]", f"{ROUTES}[[routes]]", 1))
        exchange.reload()
        exchange.gem.script(call("Agent", {**task, "run_in_background": False}))
        planned = claude(program, home, exchange.base_url, "delegate", "--permission-mode", "plan")
        acted = claude(program, home, exchange.base_url, "hello")
    finally:
        exchange.config.write_text(before)
        exchange.reload()
    assert (planned.code, acted.code) == (0, 0), (planned.result, acted.result)
    assert len(exchange.upstream("gem")) == 2
    assert [b"count to three" in seen.raw for seen in exchange.upstream("gpt")] == [True]
    assert [b"hello" in seen.raw for seen in exchange.upstream("cloud")] == [True]
    (flow,) = [flow for flow in exchange.flows() if flow["provider"] == "gpt"]
    assert (flow["request_class"], flow["agent_type"]) == ("subagent", "general-purpose")


def test_the_room_of_the_model_that_answers(exchange: Exchange, home: Path) -> None:
    """Claude Code takes a model that it does not know for what it is, and not for one of a million tokens."""
    program = required(clients.claude_329(), "claude-2.1.329")
    env = {**exchange.env, **clean_env(home), "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
    env |= {"XDG_RUNTIME_DIR": exchange.env["XDG_RUNTIME_DIR"], "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    arguments = ["--config", str(exchange.config), "--model", "gpt:gpt-4o", "claude", "--", "-p", "hi"]
    ran = run([*STROWGER, "run", *arguments, "--output-format", "json"], home, env)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["modelUsage"]["gpt:gpt-4o"]["contextWindow"] == 128_000
