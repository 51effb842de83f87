"""pi and aider, in either dialect, on vendors of either dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import clients
from tests.e2e.clients import pi_home, required, run
from tests.e2e.exchange import TOKEN, Exchange
from tests.fakes.brain import RESULT
from tests.fakes.script import say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(90)]

MODELS = {
    "cloud": "cloud:claude-sonnet-5",
    "gpt": "gpt:gpt-5.5",
    "deep": "deep:deepseek-v4-pro",
    "kimi": "kimi:kimi-k3",
}


@pytest.mark.parametrize(
    "api, provider",
    [
        ("anthropic-messages", "cloud"),
        ("anthropic-messages", "gpt"),
        ("anthropic-messages", "kimi"),
        ("openai-completions", "cloud"),
        ("openai-completions", "gpt"),
        ("openai-completions", "deep"),
    ],
)
def test_pi_tool_loop(exchange: Exchange, home: Path, api: str, provider: str) -> None:
    """pi runs its shell tool and tells what it said, whatever it speaks and whatever the vendor speaks."""
    program = required(clients.pi(), "pi")
    # pi adds /v1 to an Anthropic address by itself, and to an OpenAI one not.
    base_url = exchange.base_url if api == "anthropic-messages" else f"{exchange.base_url}/v1"
    pi_home(home, base_url, api, MODELS[provider])
    ran = run([program, "--provider", "e2e", "--model", MODELS[provider], "-p", "RUN_TOOL"], home, {})
    assert (ran.code, ran.out.strip()) == (0, f"FAKE-DONE: the tool said «{RESULT}»."), ran.err
    assert len(exchange.upstream(provider)) == 2
    same = (api == "anthropic-messages") == (provider == "cloud")
    # pi says max_completion_tokens, which DeepSeek calls max_tokens: that is a change of more than the model's name.
    untouched = same and provider != "deep"
    assert {flow["lane"] for flow in exchange.flows()} == {"verbatim" if untouched else "translate"}


@pytest.mark.parametrize("dialect, provider", [("openai", "cloud"), ("anthropic", "gpt")])
def test_aider_edits_a_file(exchange: Exchange, home: Path, dialect: str, provider: str) -> None:
    """aider reads the answer as an edit of a file, through translation in either direction."""
    program = required(clients.aider(), "aider")
    exchange.vendors[provider].script(say("hello.txt\n```\nhello from aider, grüße\n```\n"))
    env = {
        "OPENAI_API_BASE": f"{exchange.base_url}/v1",
        "OPENAI_API_KEY": TOKEN,
        "ANTHROPIC_API_BASE": exchange.base_url,
        "ANTHROPIC_API_KEY": TOKEN,
    }
    options = "--no-git --yes-always --no-check-update --no-show-model-warnings --no-analytics --no-pretty"
    options += " --edit-format whole --map-tokens 0"
    model = f"{dialect}/{MODELS[provider]}"
    ran = run([program, "--model", model, *options.split(), "--message", "create hello.txt"], home, env)
    assert (ran.code, (home / "hello.txt").read_text()) == (0, "hello from aider, grüße\n"), ran.out
    assert len(exchange.upstream(provider)) == 1
