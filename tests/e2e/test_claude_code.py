"""Claude Code itself, through the gateway: on Anthropic untouched, and on every other dialect in translation."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.e2e import clients
from tests.e2e.clients import claude, required
from tests.e2e.crossings import Noted, tail
from tests.e2e.exchange import TOKEN, Exchange
from tests.fakes.brain import RESULT, SECOND_RESULT
from tests.fakes.script import Call, Reply, Say, Think, Usage, call, say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

# The name that the client asks for, and the provider that it leads to.
ROUTES = {
    "verbatim": ("claude-opus-5-5", "cloud"),
    "openai": ("claude-gpt-gpt-5.5", "gpt"),
    "deepseek": ("claude-deep-deepseek-v4-pro", "deep"),
    "kimi": ("claude-kimi-kimi-k3", "kimi"),
    "responses": ("claude-resp-gpt-5.5", "resp"),
    "codex backend": ("claude-codexb-gpt-5.5", "codexb"),
    "gemini": ("claude-gem-gemini-3-flash-preview", "gem"),
}
VERSIONS = {"2.1.329": clients.claude_329, "2.1.197": clients.claude_197}


@pytest.fixture
def program() -> str:
    """Claude Code 2.1.329, which CI always has."""
    return required(clients.claude_329(), "claude-2.1.329")


@pytest.mark.parametrize(
    "version, route",
    [
        *(("2.1.329", route) for route in ROUTES),
        *(("2.1.197", route) for route in ("verbatim", "deepseek", "codex backend", "gemini")),
        *tail(("2.1.197", "openai"), ("2.1.197", "kimi"), ("2.1.197", "responses")),
    ],
)
def test_tool_loop(exchange: Exchange, home: Path, crosses: Noted, version: str, route: str) -> None:
    """It runs its shell tool twice at once, sends results and thinking back, and tells what the tools said."""
    model, provider = ROUTES[route]
    crosses(f"claude-{version}", "Anthropic", provider)
    ran = claude(
        required(VERSIONS[version](), f"claude-{version}"), home, exchange.base_url, "RUN_TOOLS", "--model", model
    )
    assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
    # It runs them side by side, so the results come in any order.
    assert set(ran.result["result"].removeprefix("FAKE-DONE: the tool said ").rstrip(".").split()) == {
        f"«{RESULT}»",
        f"«{SECOND_RESULT}»",
    }
    # The fakes refuse thinking that did not come home unchanged, or that is missing in a tool loop.
    first, second = exchange.upstream(provider)
    flows = [flow for flow in exchange.flows() if flow["path"] == "/v1/messages"]
    assert [flow["outcome"] for flow in flows] == ["ok", "ok"]
    assert {flow["session"] for flow in flows} == {ran.result["session_id"]}
    assert {flow["provider"] for flow in flows} == {provider}
    assert {flow["lane"] for flow in flows} == {"verbatim" if route == "verbatim" else "translate"}
    if route == "verbatim":
        assert first.header("anthropic-version") == "2023-06-01"
        assert "interleaved-thinking" in (first.header("anthropic-beta") or "")
        assert first.header("x-claude-code-session-id") == ran.result["session_id"]
        assert second.body["system"][0]["text"].startswith("x-anthropic-billing-header:")
    else:
        assert b"x-anthropic-billing-header" not in first.raw
        assert b"cache_control" not in first.raw
        # The marks of what to cache stay behind; where a vendor takes a key instead, it is the conversation's.
        key = None if route in ("deepseek", "gemini") else ran.result["session_id"]
        assert [seen.body.get("prompt_cache_key") for seen in (first, second)] == [key, key]


@pytest.mark.parametrize("route", ["verbatim", "deepseek", "responses", "codex backend", "gemini"])
def test_two_turns(exchange: Exchange, home: Path, program: str, route: str) -> None:
    """In a second turn of the same session the thinking of the first comes home, or is left out where it may be."""
    model, provider = ROUTES[route]
    first = claude(program, home, exchange.base_url, "first: RUN_TOOL", "--model", model)
    session = first.result["session_id"]
    second = claude(program, home, exchange.base_url, "second: RUN_TOOL", "--model", model, "--resume", session)
    assert [RESULT in ran.result["result"] for ran in (first, second)] == [True, True]
    asked = exchange.upstream(provider)
    assert len(asked) == 4
    if route == "verbatim":
        kept = [
            block
            for message in asked[-1].body["messages"]
            for block in message["content"]
            if message["role"] == "assistant"
        ]
        assert sum(block["type"] == "thinking" for block in kept) == 3
    elif route == "deepseek":
        carried = [
            message.get("reasoning_content") for message in asked[-1].body["messages"] if "tool_calls" in message
        ]
        assert carried[-1] == "Let me think about this: 思考. "
    elif route == "gemini":
        parts = [part for content in asked[-1].body["contents"] for part in content["parts"]]
        assert all("thoughtSignature" in part for part in parts if "functionCall" in part)
    else:
        sealed = [item["encrypted_content"] for item in asked[-1].body["input"] if item.get("type") == "reasoning"]
        assert len(sealed) == 3


def tool_names(body: dict[str, Any]) -> list[str]:
    """The names of the tools on offer, in whatever dialect."""
    named = [tool.get("function", tool) for tool in body["tools"]]
    named += [function for tool in body["tools"] for function in tool.get("functionDeclarations", ())]
    return [tool["name"] for tool in named if "name" in tool]


@pytest.mark.parametrize("route", ["verbatim", "openai", "responses", "gemini"])
def test_tool_search(exchange: Exchange, home: Path, program: str, route: str) -> None:
    """Deferred tools work: the placeholder goes to nobody else, a tool that was found is offered like any other."""
    model, provider = ROUTES[route]
    ran = claude(program, home, exchange.base_url, "RUN_SEARCH", "--model", model)
    assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
    assert "WebFetch" in ran.result["result"]
    first, second = exchange.upstream(provider)
    if route == "verbatim":
        assert [tool["name"] for tool in first.body["tools"] if tool.get("defer_loading")] == [
            "DeferredToolPlaceholder"
        ]
        return
    names = [tool_names(seen.body) for seen in (first, second)]
    assert "ToolSearch" in names[0]
    assert "WebFetch" not in names[0]
    assert "WebFetch" in names[1]
    assert "DeferredToolPlaceholder" not in names[0] + names[1]
    assert b"defer_loading" not in first.raw + second.raw


def test_pairs_stay_together(exchange: Exchange, home: Path, program: str) -> None:
    """A cloud that lags behind knows members only beside their beta header: both halves arrive, or neither."""
    exchange.cloud.rules = replace(exchange.cloud.rules, lagging=True)
    ran = claude(program, home, exchange.base_url, "RUN_TOOL", "--model", ROUTES["verbatim"][0])
    assert RESULT in ran.result["result"]
    assert "output_config" in exchange.upstream("cloud")[0].body


@pytest.mark.parametrize("route", ["verbatim", "openai", "responses", "codex backend", "gemini"])
def test_json_schema(exchange: Exchange, home: Path, program: str, route: str) -> None:
    """`--json-schema` gives structured output."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    model, provider = ROUTES[route]
    ran = claude(program, home, exchange.base_url, "USE_SCHEMA", "--model", model, "--json-schema", json.dumps(schema))
    assert ran.code == 0
    assert ran.result["structured_output"] == {"a": 42}
    assert exchange.upstream(provider)


def test_answer_in_all_parts(exchange: Exchange, home: Path, program: str) -> None:
    """Thinking, text, calls in mixed pieces and usage arrive as the client's own blocks and counts."""
    parts = (Think("hm"), Say("Now: "), Call("Bash", {"command": "echo one"}), Call("Bash", {"command": "echo two"}))
    usage = Usage(fresh=30, cached=70, output=9, reasoning=4)
    exchange.deep.script(Reply(parts=parts, usage=usage, interleave=True, deltas=7), say("All done.", usage=usage))
    ran = claude(program, home, exchange.base_url, "go", "--model", ROUTES["deepseek"][0])
    assert (ran.code, ran.result["result"]) == (0, "All done.")
    blocks = [block for line in ran.lines if line["type"] == "assistant" for block in line["message"]["content"]]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use", "text"]
    assert [block["input"]["command"] for block in blocks if block["type"] == "tool_use"] == ["echo one", "echo two"]
    spent = ran.result["usage"]
    assert (spent["input_tokens"], spent["cache_read_input_tokens"], spent["output_tokens"]) == (60, 140, 18)


@pytest.mark.parametrize("route", ["verbatim", "codex backend", "gemini"])
def test_subagent_is_told_apart(exchange: Exchange, home: Path, program: str, route: str) -> None:
    """The calls of a sub-agent carry its id in the flow, those of the main agent none."""
    model, provider = ROUTES[route]
    task = {"description": "count", "prompt": "count to three", "subagent_type": "general-purpose"}
    exchange.vendors[provider].script(call("Agent", {**task, "run_in_background": False}))
    ran = claude(program, home, exchange.base_url, "delegate", "--model", model)
    assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
    exchange.upstream(provider)
    agents = [flow["agent_id"] for flow in exchange.flows() if flow["path"] == "/v1/messages"]
    assert agents[0] is None
    assert any(agents)
    assert len({flow["session"] for flow in exchange.flows()}) == 1


def test_model_discovery(exchange: Exchange, home: Path, program: str) -> None:
    """With discovery on, the client's model list has every route under a name that it shows."""
    # It asks for the list beside its first call, and may end before the list has come.
    exchange.cloud.script(say("Hello.", delay=1.0))
    ran = claude(
        program,
        home,
        exchange.base_url,
        "hi",
        CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="",
    )
    assert ran.code == 0
    listed = json.loads((home / ".claude" / "cache" / "gateway-models.json").read_text())
    found = json.dumps(listed)
    assert "claude-opus-5-5" in found
    assert "claude-deep-fake-model" in found


@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_probe(exchange: Exchange, path: str) -> None:
    """The client's connectivity probes are answered, without a token."""
    connection = http.client.HTTPConnection(exchange.base_url.removeprefix("http://"), timeout=60)
    try:
        connection.request("HEAD", path, headers={"User-Agent": "Bun/1.4.4"})
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def test_wrong_token(exchange: Exchange, home: Path, program: str) -> None:
    """A wrong client token ends the client at once, with a reason, instead of minutes of retries."""
    ran = claude(program, home, exchange.base_url, "hi", ANTHROPIC_AUTH_TOKEN="wrong")
    assert (ran.code, ran.result["api_error_status"]) == (1, 403)
    assert "token" in ran.result["result"]
    assert TOKEN not in ran.out
    assert exchange.cloud.requests == []
