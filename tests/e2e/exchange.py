"""A real gateway, as a user starts it, in front of fake vendors; and the environment that its clients get."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tests.fakes.anthropic import KEY as ANTHROPIC_KEY
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.chat import KEY as CHAT_KEY
from tests.fakes.chat import FakeChat
from tests.fakes.flavours import DEEPSEEK, KIMI, OPENAI
from tests.fakes.gemini import KEY as GEMINI_KEY
from tests.fakes.gemini import FakeGemini
from tests.fakes.responses import KEY as RESPONSES_KEY
from tests.fakes.responses import FakeResponses
from tests.fakes.responses_flavours import CODEX
from tests.fakes.server import FakeServer, Seen

TOKEN = "e2e-client-token-that-must-go-no-further"
SECRETS = (TOKEN, ANTHROPIC_KEY, CHAT_KEY, RESPONSES_KEY, GEMINI_KEY)
START_SECONDS = 100.0
SETTLING_SECONDS = 30.0
# A model of each provider, under a name that leads to it.
MODELS = {
    "cloud": "cloud:claude-sonnet-5",
    "gpt": "gpt:gpt-5.5",
    "deep": "deep:deepseek-v4-pro",
    "kimi": "kimi:kimi-k3",
    "resp": "resp:gpt-5.5",
    "codexb": "codexb:gpt-5.5",
    "gem": "gem:gemini-3-flash-preview",
}

CONFIG = """
[server]
port = 0
client_token = "env:E2E_TOKEN"
[limits]
heartbeat_seconds = 1
# What clients make of a failure is what is tested; the gateway would hide the first.
[retries]
attempts = 1
[providers.cloud]
preset = "anthropic"
base_url = "{cloud}"
auth = "env:E2E_ANTHROPIC_KEY"
[providers.gpt]
preset = "openai"
base_url = "{gpt}/v1"
auth = "env:E2E_CHAT_KEY"
[providers.deep]
preset = "deepseek"
base_url = "{deep}"
auth = "env:E2E_CHAT_KEY"
[providers.kimi]
preset = "moonshot"
base_url = "{kimi}/v1"
auth = "env:E2E_CHAT_KEY"
[providers.resp]
preset = "openai-responses"
base_url = "{resp}/v1"
auth = "env:E2E_RESPONSES_KEY"
[providers.codexb]
preset = "openai-responses"
base_url = "{codexb}/backend-api/codex"
auth = "env:E2E_RESPONSES_KEY"
# What the public API takes and this one refuses.
[providers.codexb.capabilities]
output_limit = false
sampling = false
stateful = false
user = false
count_tokens = false
hosted_tools = false
judges_itself = false
[providers.gem]
preset = "google"
base_url = "{gem}"
auth = "env:E2E_GEMINI_KEY"
# Codex knows a model by how its name begins, and gives it what it gives to that one.
[aliases]
"gpt-5.5-cloud" = "cloud:claude-sonnet-5"
"gpt-5.5-gpt" = "gpt:gpt-5.5"
"gpt-5.5-resp" = "resp:gpt-5.5"
"gpt-5.5-codexb" = "codexb:gpt-5.5"
"gpt-5.5-gem" = "gem:gemini-3-flash-preview"
[[routes]]
match = {{ model = "claude-*" }}
to = "cloud"
[[routes]]
match = {{ model = "gemini-*" }}
to = "gem"
[[routes]]
match = {{ model = "*" }}
to = "gpt"
[profiles.first]
via = "cloud:claude-sonnet-4-5"
[profiles.second]
via = "gem:gemini-3-flash-preview"
[profiles.third]
via = "codexb:gpt-5.5"
[profiles.fourth]
via = "gpt:gpt-5.5"
"""
# Four vendors in four dialects, three of which sign what they think.
PROFILES = {"first": "cloud", "second": "gem", "third": "codexb", "fourth": "gpt"}


class Vendors(Struct, frozen=True):
    """The fakes, by the provider names of the configuration.

    `cloud` speaks Messages; `gpt`, `deep` and `kimi` Chat; `resp` Responses as the public API has it, `codexb` as
    ChatGPT's Codex backend has it, which keeps nothing; `gem` Gemini.
    """

    cloud: FakeAnthropic
    gpt: FakeChat
    deep: FakeChat
    kimi: FakeChat
    resp: FakeResponses
    codexb: FakeResponses
    gem: FakeGemini


class Started(Struct, frozen=True):
    """A gateway that runs as a process of its own."""

    base_url: str
    admin_token: str

    def flows(self) -> list[dict[str, Any]]:
        """Its flows, in the order of arrival, once none of them runs: a client may be gone before a call is over."""
        deadline = time.monotonic() + SETTLING_SECONDS
        while True:
            flows: list[dict[str, Any]] = self.ask("flows?limit=100")["flows"]
            if all(flow["outcome"] != "running" for flow in flows) or time.monotonic() > deadline:
                return flows[::-1]
            time.sleep(0.02)

    def ask(self, what: str, body: bytes | None = None) -> dict[str, Any]:
        """What its admin API says; with a body, to a POST."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        request = urllib.request.Request(f"{self.base_url}/_strowger/{what}", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


class Exchange:
    """A gateway that runs, and the vendors behind it."""

    def __init__(self, fakes: Vendors, home: Path) -> None:
        self.cloud, self.gpt, self.deep, self.kimi = fakes.cloud, fakes.gpt, fakes.deep, fakes.kimi
        self.resp, self.codexb, self.gem = fakes.resp, fakes.codexb, fakes.gem
        self.vendors: dict[str, FakeServer] = {name: getattr(fakes, name) for name in fakes.__struct_fields__}
        self.home = home
        self._gateway = Started("", "")
        self._first_flow = 0.0

    @property
    def base_url(self) -> str:
        """Where the gateway is."""
        return self._gateway.base_url

    @property
    def config(self) -> Path:
        """The gateway's configuration file."""
        return self.home / "config.toml"

    @property
    def env(self) -> dict[str, str]:
        """The environment that the gateway runs in: nothing of the developer's but the PATH."""
        return {
            **clean_env(self.home),
            "E2E_TOKEN": TOKEN,
            "E2E_ANTHROPIC_KEY": ANTHROPIC_KEY,
            "E2E_CHAT_KEY": CHAT_KEY,
            "E2E_RESPONSES_KEY": RESPONSES_KEY,
            "E2E_GEMINI_KEY": GEMINI_KEY,
        }

    def reload(self) -> None:
        """Have the gateway read its configuration now."""
        self._gateway.ask("reload", b"")

    def clear(self) -> None:
        """Forget what earlier tests have done, once all of it is over."""
        self._gateway.flows()
        self.reload()  # accounts that rest after one test would make another wait
        self._first_flow = time.time()
        self.cloud.rules = replace(self.cloud.rules, lagging=False)
        self.reasoning_comes_home(True)
        for vendor in self.vendors.values():
            vendor.forget()

    def reasoning_comes_home(self, yes: bool) -> None:
        """Whether vendors of Responses insist on the reasoning behind a call. They do after `clear`."""
        self.resp.ledger.replay = self.codexb.ledger.replay = yes

    def flows(self) -> list[dict[str, Any]]:
        """The flows since `clear`, in the order of arrival."""
        return [flow for flow in self._gateway.flows() if flow["started"] >= round(self._first_flow, 3)]

    def launches(self) -> list[str]:
        """The ids of the clients that `strowger run` has on this gateway."""
        return [launch["id"] for launch in self._gateway.ask("status")["launches"]]

    def upstream(self, provider: str) -> list[Seen]:
        """What the provider was asked for; fails the test when it refused any of it, or got a client's token."""
        seen = self.vendors[provider].inferences()
        assert [request.refused for request in seen if request.refused] == []
        for request in seen:
            assert TOKEN not in str(request.headers)
            assert TOKEN.encode() not in request.raw
        return seen


@contextmanager
def running(home: Path) -> Iterator[Exchange]:
    """The vendors and a gateway, until the block ends. Fails when it does not end well, or has logged a secret."""
    with ExitStack() as stack:
        chats = FakeChat(OPENAI), FakeChat(DEEPSEEK), FakeChat(KIMI)
        fakes = Vendors(FakeAnthropic(), *chats, FakeResponses(), FakeResponses(CODEX), FakeGemini())
        exchange = Exchange(fakes, home)
        for fake in exchange.vendors.values():
            stack.enter_context(fake.in_thread())
        addresses = {name: fake.base_url for name, fake in exchange.vendors.items()}
        exchange.config.write_text(CONFIG.format(**addresses))
        with started(exchange.config, home, exchange.env, SECRETS) as gateway:
            exchange._gateway = gateway
            yield exchange


@contextmanager
def started(config: Path, home: Path, env: dict[str, str], secrets: Iterable[str]) -> Iterator[Started]:
    """A gateway, until the block ends. Fails when it does not end well, or has logged a secret."""
    command = [sys.executable, "-m", "strowger", "serve", "--config", str(config)]
    with (home / "gateway.err").open("wb") as log:
        process = subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=log)
        try:
            yield _joined(process, home)
        finally:
            stopped = _stop(process)
    log_text = (home / "gateway.err").read_text()
    assert stopped == 0, log_text[-4000:]
    assert [secret for secret in secrets if secret in log_text] == []


def _joined(process: subprocess.Popen[bytes], home: Path) -> Started:
    """Wait until the gateway has told where it is, in the pid file that `strowger run` reads too."""
    pidfile = home / "run" / "strowger" / "sessions" / f"{process.pid}.json"
    deadline = time.monotonic() + START_SECONDS
    while not pidfile.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            log = (home / "gateway.err").read_text()
            raise AssertionError(f"the gateway did not start (exit code {process.poll()}):\n{log}")
        time.sleep(0.02)
    session = msgspec.json.decode(pidfile.read_bytes())
    return Started(session["url"], session["admin_token"])


def _stop(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def clean_env(home: Path) -> dict[str, str]:
    """An environment in which a program finds a home of its own, and no way out of this machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_STATE_HOME": str(home / ".state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        # Nothing listens there: whoever wants to call home gets nowhere, at once.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        # They start themselves once more, for memory that a test does not need; the start is most of what they cost.
        "GEMINI_CLI_NO_RELAUNCH": "true",
        "QWEN_CODE_NO_RELAUNCH": "true",
    }
