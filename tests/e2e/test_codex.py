"""Codex itself, through the gateway: on Responses untouched, and on every other dialect in translation."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from strowger.launcher.agents import AGENTS
from tests.e2e import clients
from tests.e2e.clients import Ran, required, run
from tests.e2e.codex import OPTIONS, codex, codex_home, items, said
from tests.e2e.crossings import Noted, tail
from tests.e2e.exchange import MODELS, Exchange, clean_env
from tests.e2e.tap import tapped
from tests.fakes.brain import COMMAND, RESULT, SECOND_COMMAND, SECOND_RESULT
from tests.fakes.responses_parts import Freeform, NamespacedCall
from tests.fakes.responses_view import PATCH
from tests.fakes.script import Call, Part, Reply, ScriptItem, call

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

VERBATIM = ("resp", "codexb")
FOREIGN = ("cloud", "gpt", "gem")
PROVIDERS = (*VERBATIM, *FOREIGN)
# Known to Codex by how it begins: such a model gets more tools.
KNOWN = "gpt-5.5-{}"
# The client's own answer to the tool that starts an agent, inside the request that carries it.
AGENT_STARTED = re.compile(r'\\"agent_id\\": ?\\"[0-9a-f-]{36}')


@pytest.fixture
def program() -> str:
    """Codex, or a skip."""
    return required(clients.codex(), "codex")


def lanes(exchange: Exchange) -> set[str]:
    """How its calls went."""
    return {flow["lane"] for flow in exchange.flows() if flow["path"].endswith("/responses")}


@pytest.mark.parametrize("sockets", [False, True], ids=["sse", "websocket"])
@pytest.mark.parametrize("provider", [*PROVIDERS, "deep"])
def test_tool_loop(exchange: Exchange, home: Path, program: str, crosses: Noted, provider: str, sockets: bool) -> None:
    """It runs its shell tool, sends result and reasoning back, and tells what the tool said."""
    crosses("codex", "Responses over a WebSocket" if sockets else "Responses", provider)
    with tapped(exchange.base_url) as tap:
        codex_home(home, tap.base_url, MODELS[provider], sockets=sockets)
        ran = codex(program, home, "RUN_TOOL")
    assert ran.code == 0, ran.out
    assert RESULT in said(ran)
    assert [item["exit_code"] for item in items(ran, "command_execution")] == [0]
    # The fakes refuse reasoning, thinking and signatures that did not come home unchanged.
    assert len(exchange.upstream(provider)) == 2
    assert lanes(exchange) == {"verbatim" if provider in VERBATIM else "translate"}
    upgrades = [opening for opening in tap.openings if "upgrade: websocket" in opening]
    assert bool(upgrades) == sockets
    assert any(opening.startswith("post") for opening in tap.openings) != sockets
    (session,) = {flow["session"] for flow in exchange.flows()}
    assert session == next(line["thread_id"] for line in ran.lines if line["type"] == "thread.started")


@pytest.mark.parametrize("provider", ["resp", "cloud", "gem"])
def test_reasoning_is_shown(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """A summary of the reasoning is asked for, and is shown, whoever reasons."""
    codex_home(home, exchange.base_url, KNOWN.format(provider))
    ran = codex(program, home, "hi", "-c", 'model_reasoning_summary="auto"')
    assert ran.code == 0, ran.out
    assert [item["text"] for item in items(ran, "reasoning")] == ["Let me think about this: 思考. "]


@pytest.mark.parametrize(
    "provider, sockets",
    [("resp", False), ("gpt", False), ("codexb", True), ("cloud", True), ("gem", True)],
    ids=["resp", "gpt", "codexb-websocket", "cloud-websocket", "gem-websocket"],
)
def test_two_turns(exchange: Exchange, home: Path, program: str, provider: str, sockets: bool) -> None:
    """A resumed session brings the first turn's calls, results and reasoning home, to whom they belong."""
    codex_home(home, exchange.base_url, KNOWN.format(provider), sockets=sockets)
    first = codex(program, home, "first: RUN_TOOL")
    assert (first.code, RESULT in said(first)) == (0, True), first.out
    thread = next(line["thread_id"] for line in first.lines if line["type"] == "thread.started")
    second = codex(program, home, "second: RUN_TOOL", "resume", thread)
    assert (second.code, RESULT in said(second)) == (0, True), second.out
    asked = exchange.upstream(provider)
    assert len(asked) == 4
    assert all(text in asked[-1].raw.decode() for text in ("first: RUN_TOOL", "second: RUN_TOOL"))


@pytest.mark.parametrize("provider", ["codexb", *FOREIGN])
def test_parallel_calls(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """Two calls of one answer are both run, and both results come back."""
    codex_home(home, exchange.base_url, MODELS[provider], sockets=True)
    ran = codex(program, home, "RUN_TOOLS")
    assert ran.code == 0, ran.out
    assert all(result in said(ran) for result in (RESULT, SECOND_RESULT))
    commands = [item["command"] for item in items(ran, "command_execution")]
    assert sorted(COMMAND in command or SECOND_COMMAND in command for command in commands) == [True, True]
    assert len(exchange.upstream(provider)) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
def test_apply_patch(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """A tool whose input is free text works where the vendor has such tools, and where it has only JSON ones."""
    part: Part = Freeform("apply_patch", PATCH) if provider in VERBATIM else Call("apply_patch", {"input": PATCH})
    if provider == "gpt":
        part = Call("apply_patch", PATCH)
    exchange.vendors[provider].script(Reply(parts=(part,)))
    codex_home(home, exchange.base_url, KNOWN.format(provider))
    ran = codex(program, home, "patch it")
    assert ran.code == 0, ran.out
    assert (home / "strowger-e2e.txt").read_text() == "strowger-e2e-42\n"
    assert [item["status"] for item in items(ran, "file_change")] == ["completed"]
    assert len(exchange.upstream(provider)) == 2


def offered(body: dict[str, Any], word: str) -> str:
    """The name under which a model of another dialect finds a tool: the one that has `word` in it."""
    tools = body["tools"]
    declared = [*tools, *(tool.get("function", {}) for tool in tools)]
    declared += [function for tool in tools for function in tool.get("functionDeclarations", ())]
    (name,) = {tool["name"] for tool in declared if word in tool.get("name", "")}
    return str(name)


def calls_agents(provider: str, name: str, given: dict[str, Any]) -> ScriptItem:
    """A model that calls a tool of the namespace in which Codex keeps its agents."""
    if provider in VERBATIM:
        return Reply(parts=(NamespacedCall(name, given, namespace="multi_agent_v1"),))
    return lambda body: call(offered(body, name), given)


@pytest.mark.parametrize("provider", ["codexb", *FOREIGN])
def test_namespaced_tools(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """A tool in a namespace is offered under one name to those who have no namespaces, and called under its own."""
    exchange.vendors[provider].script(calls_agents(provider, "wait_agent", {"targets": []}))
    codex_home(home, exchange.base_url, MODELS[provider])
    ran = codex(program, home, "wait for your agents")
    assert ran.code == 0, ran.out
    # That is what the client's own tool says.
    assert "agent ids must be non-empty" in said(ran)
    assert len(exchange.upstream(provider)) == 2


@pytest.mark.parametrize("provider", ["codexb", "cloud"])
def test_subagent(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """A sub-agent asks beside the main agent, in a thread of its own and the same session."""
    exchange.vendors[provider].script(calls_agents(provider, "spawn_agent", {"message": "count to three"}))
    codex_home(home, exchange.base_url, MODELS[provider])
    ran = codex(program, home, "delegate")
    assert ran.code == 0, ran.out
    asked = [seen.raw.decode() for seen in exchange.upstream(provider)]
    # Its last words are about the tool's result, or about the end of the sub-agent, where that came first.
    assert any(AGENT_STARTED.search(text) for text in asked)
    assert any("count to three" in text and "delegate" not in text for text in asked)
    flows = exchange.flows()
    assert len({flow["session"] for flow in flows}) == 1
    # Who it was, in a thread of its own; the main agent, which started it, is none.
    assert {bool(flow["agent_id"]) for flow in flows} == {True, False}
    assert {flow["parent_agent_id"] for flow in flows} == {None}


def launched(exchange: Exchange, home: Path, program: str, prompt: str, *options: str, **more: str) -> Ran:
    """`strowger run … codex -- exec …`, with more in its environment."""
    env = {**exchange.env, **clean_env(home), "XDG_RUNTIME_DIR": exchange.env["XDG_RUNTIME_DIR"], **more}
    command = [sys.executable, "-m", "strowger", "run", "--config", str(exchange.config), *options]
    return run([*command, program, "--", "exec", *OPTIONS, prompt], home, env)


@pytest.mark.parametrize("provider", ["codexb", "cloud"])
def test_run_codex(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """`strowger run codex -- exec …` is one step to a whole tool loop."""
    # What would lead past the gateway has to go.
    keys = {"OPENAI_API_KEY": "sk-of-the-user", "CODEX_API_KEY": "sk-of-the-user"}
    ran = launched(exchange, home, program, "RUN_TOOL", "--model", MODELS[provider], **keys)
    assert ran.code == 0, ran.err
    assert RESULT in said(ran)
    assert len(exchange.upstream(provider)) == 2
    assert all("sk-of-the-user" not in str(seen.headers) for seen in exchange.vendors[provider].requests)


@pytest.mark.parametrize("provider", ["codexb", "cloud", "gpt", *tail(("gem",))])
def test_scripts(exchange: Exchange, home: Path, program: str, provider: str) -> None:
    """A Codex that nobody has told of a model asks for its newest, which writes scripts that call its other tools: free
    text in a namespace, with more results than calls. Others write them as well as they can.
    """
    ran = launched(exchange, home, program, "RUN_TOOL RUN_NOTIFY", "--via", MODELS[provider])
    assert ran.code == 0, ran.err
    assert RESULT in said(ran)
    assert len(exchange.upstream(provider)) == 2
    assert [flow["model"] for flow in exchange.flows()] == [asked for _, asked in AGENTS["codex"].asks[""]] * 2
