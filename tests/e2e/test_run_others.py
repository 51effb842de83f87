"""`strowger run` with pi, opencode, kimi-code, qwen-code and aider: a tool loop in a home where everything else leads
elsewhere, and none of it is touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import clients
from tests.e2e.clients import NODE_22, SECONDS, Ran, required, run
from tests.e2e.crossings import IN_TAIL
from tests.e2e.exchange import MODELS, Exchange, clean_env
from tests.e2e.others import FOUND
from tests.e2e.test_gemini_cli import runtime
from tests.e2e.test_run import STROWGER
from tests.e2e.test_switch import DONE, switch
from tests.fakes.brain import RESULT
from tests.fakes.script import say

__all__ = ["runtime"]

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

NOWHERE = "http://127.0.0.1:9"
PLANTED = "sk-of-the-user-that-must-stay-at-home"
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "MOONSHOT_API_KEY")

# What a user may have, each leading elsewhere.
PREPARED = {
    ".config/opencode/opencode.json": json.dumps(
        {
            "$schema": "https://opencode.ai/config.json",
            "model": "anthropic/claude-sonnet-4-5",
            "provider": {"anthropic": {"options": {"baseURL": f"{NOWHERE}/v1"}}},
        }
    ),
    ".local/share/opencode/auth.json": json.dumps({"anthropic": {"type": "api", "key": PLANTED}}),
    ".pi/agent/models.json": json.dumps(
        {"providers": {"mine": {"baseUrl": NOWHERE, "apiKey": PLANTED, "api": "openai-completions", "models": []}}}
    ),
    ".pi/agent/settings.json": json.dumps({"defaultProvider": "anthropic", "defaultModel": "claude-sonnet-4-5"}),
    ".qwen/settings.json": json.dumps(
        {
            "$version": 4,
            "security": {"auth": {"selectedType": "openai", "apiKey": PLANTED, "baseUrl": f"{NOWHERE}/v1"}},
            "model": {"name": "qwen3-of-the-user"},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"disableAutoUpdate": True},
        }
    ),
    ".qwen/.env": f"OPENAI_BASE_URL={NOWHERE}/v1\nOPENAI_API_KEY={PLANTED}\n",
    ".aider.conf.yml": f"openai-api-base: {NOWHERE}/v1\nopenai-api-key: {PLANTED}\nmodel: gpt-4o\nweak-model: gpt-4o\n",
    ".env": f"OPENAI_API_BASE={NOWHERE}/v1\nOPENAI_API_KEY={PLANTED}\n",
    ".kimi-code/config.toml": f'default_model = "mine"\n[providers.mine]\ntype = "kimi"\nbase_url = "{NOWHERE}/v1"\n'
    f'api_key = "{PLANTED}"\n[models.mine]\nprovider = "mine"\nmodel = "kimi-k2"\nmax_context_size = 100000\n',
    ".claude/settings.json": json.dumps({"model": "opus"}),
    ".codex/config.toml": 'model = "gpt-5"\n',
    ".gemini/settings.json": json.dumps({"security": {"auth": {"selectedType": "oauth-personal"}}}),
}

AIDER = "--no-git --yes-always --no-check-update --no-analytics --no-pretty --edit-format whole --map-tokens 0"
WORDS = {
    "pi": ("-p",),
    "opencode": ("run", "--format", "json"),
    "kimi": ("--output-format", "stream-json", "-p"),
    "qwen": ("--yolo", "-p"),
    "aider": (*AIDER.split(), "--message"),
    "claude": ("--allowedTools", "Bash", "-p"),
    "codex": ("exec", "--skip-git-repo-check", "--json", "--dangerously-bypass-approvals-and-sandbox"),
    "gemini": ("--yolo", "--skip-trust", "-m", "gemini-3-flash-preview", "-p"),
}
WHERE: dict[str, Callable[[], str | None]] = {
    **{name: find for name, (find, _) in FOUND.items()},
    "claude": clients.claude_329,
    "codex": clients.codex,
    "gemini": clients.gemini,
}


@pytest.fixture
def home(home: Path) -> Path:
    """A home in which somebody has used all of these agents."""
    for name, text in PREPARED.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    return home


def digests(home: Path) -> dict[str, str]:
    """What the user's own files hold."""
    return {name: hashlib.sha256((home / name).read_bytes()).hexdigest() for name in PREPARED}


def surroundings(exchange: Exchange, home: Path, program: str, *, joined: bool) -> dict[str, str]:
    """A user's environment: keys of every vendor, and the agent on the path; with `joined` on the gateway's machine."""
    path = f"{Path(program).parent}{os.pathsep}{NODE_22}{os.pathsep}{os.environ['PATH']}"
    env = {**exchange.env, **clean_env(home), **dict.fromkeys(KEYS, PLANTED), "PATH": path}
    return {**env, "XDG_RUNTIME_DIR": exchange.env["XDG_RUNTIME_DIR"]} if joined else env


def launched(
    exchange: Exchange, home: Path, client: str, provider: str, prompt: str, *, joined: bool, **more: str
) -> Ran:
    """`strowger run` with an agent, its calls going to one vendor. `more` is for the environment."""
    program = required(WHERE[client](), client)
    env = surroundings(exchange, home, program, joined=joined)
    order = ["run", "--config", str(exchange.config), "--via", MODELS[provider], client, "--", *WORDS[client], prompt]
    return run([*STROWGER, *order], home, {**env, **more}, seconds=2 * SECONDS)


QUICK = (("pi", "codexb"), ("claude", "gpt"), ("codex", "cloud"))
SLOW = (("opencode", "gem"), ("kimi", "cloud"), ("qwen", "resp"))


def untouched(exchange: Exchange, home: Path, before: dict[str, str]) -> None:
    """Nothing of the user's has changed, nothing of ours is left, and no key of his went anywhere."""
    assert digests(home) == before
    left = [path for folder in (home, exchange.home) for path in folder.rglob("launch-*")]
    assert left == []
    for vendor in exchange.vendors.values():
        assert all(PLANTED not in str(seen.headers) and PLANTED.encode() not in seen.raw for seen in vendor.requests)


# A gateway of its own is the same for all of them, and those that take long are launched and switched elsewhere.
@pytest.mark.parametrize(
    "client, provider, joined",
    [
        *(pytest.param(*pair, True, id=f"{pair[0]}-{pair[1]}-joined") for pair in QUICK),
        pytest.param("codex", "cloud", False, id="codex-cloud-own gateway"),
        *(pytest.param(*pair, True, id=f"{pair[0]}-{pair[1]}-joined", marks=IN_TAIL) for pair in SLOW),
        *(
            pytest.param(*pair, False, id=f"{pair[0]}-{pair[1]}-own gateway", marks=IN_TAIL)
            for pair in (*QUICK[:2], *SLOW)
        ),
    ],
)
def test_tool_loop(exchange: Exchange, home: Path, client: str, provider: str, joined: bool) -> None:
    """One step to a whole tool loop, whatever the user's own settings and keys say; they stay as they are."""
    before = digests(home)
    # Chat, which qwen-code speaks, has no place for encrypted reasoning.
    exchange.reasoning_comes_home(client != "qwen")
    ran = launched(exchange, home, client, provider, "RUN_TOOL", joined=joined)
    assert ran.code == 0, ran.out + ran.err
    assert "FAKE-DONE: the tool said" in ran.out, ran.out + ran.err
    assert RESULT in ran.out
    # Some ask for a title besides.
    assert len(exchange.upstream(provider)) in (2, 3)
    untouched(exchange, home, before)


def test_gemini_with_a_login_of_its_own(exchange: Exchange, home: Path, runtime: Path) -> None:
    """A user who has logged in at Google goes to the gateway all the same: a system setting wins over his own."""
    before = digests(home)
    ran = launched(exchange, home, "gemini", "cloud", "RUN_TOOL", joined=False, XDG_RUNTIME_DIR=str(runtime))
    assert ran.code == 0, ran.out + ran.err
    assert RESULT in ran.out, ran.out + ran.err
    assert len(exchange.upstream("cloud")) == 2
    untouched(exchange, home, before)


@pytest.mark.parametrize("joined", [True, pytest.param(False, marks=IN_TAIL)], ids=["joined", "own gateway"])
def test_aider_edits_a_file(exchange: Exchange, home: Path, joined: bool) -> None:
    """It has no tools, but an edit to make."""
    before = digests(home)
    exchange.vendors["resp"].script(say("hello.txt\n```\nhello from aider, grüße\n```\n"))
    ran = launched(exchange, home, "aider", "resp", "create hello.txt", joined=joined)
    assert ran.code == 0, ran.out
    assert (home / "hello.txt").read_text() == "hello from aider, grüße\n", ran.out
    assert len(exchange.upstream("resp")) == 1
    untouched(exchange, home, before)


class Pi:
    """A pi that is kept open, by its JSON lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def say(self, text: str) -> str:
        """Its answer to a message, when it is done."""
        self._send({"type": "prompt", "message": text})
        self._wait(lambda event: event["type"] == "agent_end")
        self._send({"type": "get_last_assistant_text"})
        answer = self._wait(lambda event: event.get("command") == "get_last_assistant_text")
        return str(answer["data"]["text"])

    def _send(self, command: dict[str, str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _wait(self, fits: Any) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if fits(event):
                return event
        raise AssertionError("pi has ended")


@contextmanager
def talking(exchange: Exchange, home: Path, *words: str) -> Iterator[Pi]:
    """pi, started by `strowger run` on the running gateway."""
    program = required(clients.pi(), "pi")
    env = surroundings(exchange, home, program, joined=True)
    command = [*STROWGER, "run", "--config", str(exchange.config), *words, "pi", "--", "--mode", "rpc"]
    with (home / "pi.err").open("w") as err:
        process = subprocess.Popen(
            command, cwd=home, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True
        )
        guard = threading.Timer(2 * SECONDS, process.kill)
        guard.start()
        try:
            yield Pi(process)
        finally:
            process.communicate()
            guard.cancel()


def test_pi_there_and_back(exchange: Exchange, home: Path) -> None:
    """A session of pi goes through four dialects, each with a tool loop, and back to the first vendor, which finds what
    it signed.
    """
    before = digests(home)
    with talking(exchange, home, "--profile", "first") as pi:
        assert pi.say("At first: RUN_TOOL") == DONE
        for profile in ("third", "second", "fourth", "first"):
            switch(exchange, home, "pi", profile)
            assert pi.say(f"On the {profile}: RUN_TOOL") == DONE
    assert [len(exchange.upstream(provider)) for provider in ("codexb", "gem", "gpt", "cloud")] == [2, 2, 2, 4]
    assert {flow["outcome"] for flow in exchange.flows()} == {"ok"}
    untouched(exchange, home, before)


def test_pi_without_a_choice(exchange: Exchange, home: Path) -> None:
    """With nothing said, it asks for a model that some provider lists under its own name."""
    with talking(exchange, home) as pi:
        assert pi.say("RUN_TOOL") == DONE
    assert len([seen for vendor in exchange.vendors.values() for seen in vendor.inferences()]) == 2
