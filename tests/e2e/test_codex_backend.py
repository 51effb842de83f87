"""Claude Code and Codex on a ChatGPT subscription: whatever happens behind the gateway, they notice nothing of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strowger import __version__
from tests.e2e import clients, codex_server
from tests.e2e.chatgpt import HOUR, Subscription, subscribed
from tests.e2e.clients import SECONDS, claude, required, run
from tests.e2e.codex import codex, codex_home, items, said
from tests.e2e.exchange import clean_env
from tests.e2e.gate import Gate
from tests.e2e.test_run import STROWGER
from tests.fakes.brain import AT_GATE, RESULT
from tests.fakes.responses import connection_limit
from tests.fakes.responses_parts import at_capacity, rate_limited_inside
from tests.fakes.script import Call, Reply, Say, Step, Think

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

EXPIRED = "Provided authentication token is expired. Please try signing in again."
DONE = "FAKE-DONE: all steps."


def step(number: int, *, thinks: bool = True) -> Reply:
    """A turn that runs the client's shell once more."""
    thoughts = (Think(f"Step {number}. "),) if thinks else ()
    return Reply(parts=(*thoughts, Call("Bash", {"command": f"echo step-$(({number}+100))"})))


def spoken(context: list[dict[str, Any]]) -> list[str]:
    """What the client's tools said, of all that the model has before it."""
    return [str(item["output"]) for item in context if item.get("type") == "function_call_output"]


def spoken_by_scripts(context: list[dict[str, Any]]) -> list[str]:
    """The same of the scripts by which Codex's newest models call tools."""
    return [str(item["output"]) for item in context if item.get("type") == "custom_tool_call_output"]


def attempts(flow: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Where a call was tried, and why not there."""
    return [(attempt["target"], attempt["reason"]) for attempt in flow["attempts"]]


def test_claude_code_notices_nothing(home: Path) -> None:
    """A tool loop over one socket, each turn saying only what is new, goes on through a rate limit, the end of the
    connection's life, a token that has ended, and a provider that takes over for one turn.
    """
    program = required(clients.claude_329(), "claude-2.1.329")
    with subscribed(home) as it:

        def token_ends(_: dict[str, Any]) -> Step:
            it.issuer.clock.forward(2 * HOUR)
            return connection_limit()

        end = Reply(parts=(Think("Done."), Say(DONE)))
        trouble: list[Any] = [rate_limited_inside(0.2), step(3), connection_limit(), step(4), token_ends, step(5)]
        it.codex.script(step(1), step(2), *trouble, at_capacity(), at_capacity(), end)
        it.other.script(step(6, thinks=False))
        ran = claude(program, home, it.gateway.base_url, "Go through all steps.", "--model", "claude-opus-5-5")
        assert (ran.code, ran.result["is_error"], ran.result["result"]) == (0, False, DONE)
        check_flows(it)
        check_sockets(it)


def check_flows(it: Subscription) -> None:
    """Seven turns, all of them answered; the rate limit was waited for, the lack of capacity moved one of them on."""
    flows = it.flows()
    assert [flow["outcome"] for flow in flows] == ["ok"] * 7
    assert [flow["provider"] for flow in flows] == ["codex"] * 5 + ["other", "codex"]
    here, there = "codex:gpt-5.5", "other:gpt-5.5"
    assert attempts(flows[2]) == [(here, "rate_limited"), (here, None)]
    assert flows[2]["attempts"][1]["waited_ms"] >= 200
    assert attempts(flows[5]) == [(here, "overloaded"), (here, "overloaded"), (there, None)]
    for quiet in (0, 1, 3, 4, 6):
        assert attempts(flows[quiet]) == [(here, None)]
    # What the other one did is known to the first, and every result came home in its order.
    told = spoken(it.codex.contexts[-1])
    assert [f"step-{100 + number}" in result for number, result in enumerate(told, 1)] == [True] * 6


def check_sockets(it: Subscription) -> None:
    """Nothing but sockets, three one after another, the last with a new token; on each, turns that only go on."""
    shaken = [seen for seen in it.codex.requests if seen.method == "GET" and seen.path.endswith("/responses")]
    assert [seen.status for seen in shaken] == [101, 101, 401, 101]
    assert [seen.refused for seen in it.codex.requests if seen.refused] == [EXPIRED]
    assert it.issuer.count("/oauth/token") == 1
    assert shaken[3].header("authorization") not in {seen.header("authorization") for seen in shaken[:3]}
    assert {seen.header("originator") for seen in shaken} == {"strowger"}
    asked = it.codex.inferences()
    assert {seen.method for seen in asked} == {"WS"}
    assert len({seen.connection for seen in asked}) == 3
    # The first on each connection is whole, and so is what follows a refusal or another provider's turn.
    goes_on = ["previous_response_id" in seen.body for seen in asked]
    assert goes_on == [False, True, True, False, True, False, True, False, True, False, False]
    assert [status for seen in asked if (status := seen.status) != 101] == [400, 400]


def test_claude_code_on_a_lite_model(home: Path) -> None:
    """Its tools are found in the input, where such a model wants them, and each turn still says only what is new."""
    program = required(clients.claude_329(), "claude-2.1.329")
    with subscribed(home, lite=("gpt-5.6-sol",)) as it:
        ran = claude(program, home, it.gateway.base_url, "RUN_TOOL", "--model", "claude-codex-gpt-5.6-sol:high")
        assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
        assert RESULT in ran.result["result"]
        assert it.refused() == []
        first, second = [seen.body for seen in it.codex.inferences()]
        assert first["input"][0]["type"] == "additional_tools"
        assert first["reasoning"] == {"effort": "high", "summary": "auto", "context": "all_turns"}
        assert "previous_response_id" in second


@pytest.mark.parametrize("sockets", [False, True], ids=["sse", "websocket"])
def test_codex_through_the_gateway(home: Path, sockets: bool) -> None:
    """Codex itself, on a login that it knows nothing of: its bytes pass untouched, under our name and account."""
    program = required(clients.codex(), "codex")
    with subscribed(home, continuation=sockets) as it:
        codex_home(home, it.gateway.base_url, "gpt-5.5", sockets=sockets)
        ran = codex(program, home, "RUN_TOOL")
        assert ran.code == 0, ran.out
        assert RESULT in said(ran)
        assert [item["exit_code"] for item in items(ran, "command_execution")] == [0]
        assert [flow["lane"] for flow in it.flows() if flow["path"].endswith("/responses")] == ["verbatim"] * 2
        asked = it.codex.inferences()
        assert it.refused() == []
        assert {seen.header("originator") for seen in asked} == {"strowger"}
        assert {seen.header("user-agent") for seen in asked} == {f"strowger/{__version__}"}
        assert {seen.header("chatgpt-account-id") for seen in asked} == {it.issuer.account.id}
        # What Codex says of its conversation is its own.
        thread = next(line["thread_id"] for line in ran.lines if line["type"] == "thread.started")
        assert {seen.header("thread-id") for seen in asked} == {thread}
        assert [RESULT in "".join(spoken(context)) for context in it.codex.contexts] == [False, True]


def test_codex_leaves_and_comes_back(home: Path) -> None:
    """Switched to another provider in the middle of a turn, and back: on one socket of its own, and one of the
    backend's, which is told what it has missed, and nothing that it knows.
    """
    program = required(clients.codex(), "codex")
    with subscribed(home) as it:
        folder = home / "gateway"
        env = {**clean_env(home), "XDG_RUNTIME_DIR": str(folder / "run")}
        command = [*STROWGER, "run", "--config", str(folder / "config.toml"), "--via", "codex:gpt-5.5", program, "--"]
        gate = Gate(home)
        with codex_server.talking([*command, "app-server"], home, env, 3 * SECONDS) as thread:
            assert RESULT in thread.say("At first: RUN_TOOL")
            thread.begin(f"Away: {AT_GATE}")
            for to, text in (("other:gpt-5.5", f"once more: {AT_GATE}\n"), ("codex:gpt-5.5", "home-again-42\n")):
                with gate.held(text):
                    ran = run([*STROWGER, "switch", "codex", to], home, env)
                    assert ran.code == 0, ran.err
            assert "home-again-42" in thread.end()
            assert RESULT in thread.say("At last: RUN_TOOL")
        assert [flow["provider"] for flow in it.flows()] == ["codex"] * 3 + ["other"] + ["codex"] * 3
        assert {flow["outcome"] for flow in it.flows()} == {"ok"}
        assert [seen.refused for seen in (*it.codex.inferences(), *it.other.inferences()) if seen.refused] == []
        assert len({seen.connection for seen in it.codex.inferences()}) == 1
        assert ["previous_response_id" in seen.body for seen in it.codex.inferences()] == [False] + [True] * 5
        told = spoken_by_scripts(it.codex.contexts[-1])
        assert [RESULT in told[0], AT_GATE in told[1], "home-again-42" in told[2], RESULT in told[3]] == [True] * 4
