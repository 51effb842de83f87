"""A gateway that lives on a login: made, renewed, replaced and ended while it runs, as its user sees it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.codex import ChatGPTAccount, FakeCodex
from tests.fakes.issuer import Account
from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.cli.conftest import Strowger
from tests.integration.cli.logins import DEADLINE, check_no_secret

OTHER = Account(id="22222222-2222-4333-8444-555555555555", user="user-bob", email="bob@example.test", plan="plus")


@pytest.fixture
def backend(codex: CodexIssuer) -> Iterator[FakeCodex]:
    """ChatGPT's backend, which takes the tokens of that issuer for two accounts."""
    accounts = (ChatGPTAccount(id=codex.account.id), ChatGPTAccount(id=OTHER.id))
    with FakeCodex(issuer=codex, accounts=accounts).in_thread() as fake:
        yield fake


class Gateway:
    """A `strowger serve` on that backend. `log` has what it wrote to standard error so far."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self.log = log

    def ask(self) -> tuple[int, str]:
        """What becomes of one call."""
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=DEADLINE)) as connection:
            body = {"model": "codex:gpt-5.5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
            connection.request("POST", "/v1/messages", json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def until(self, good: Callable[[tuple[int, str]], bool]) -> str:
        """Ask until an answer is as it should be, which must be soon; gives that one."""
        deadline = time.monotonic() + DEADLINE
        while not good(answer := self.ask()):
            assert time.monotonic() < deadline, answer
        return answer[1]


@pytest.fixture
def gateway(backend: FakeCodex, tmp_path: Path) -> Iterator[Gateway]:
    config, log = tmp_path / "config.toml", tmp_path / "log"
    config.write_text(f'[providers.codex]\npreset = "codex"\nbase_url = "{backend.root}"\nauth = "login:codex"\n')
    command = (sys.executable, "-m", "strowger", "serve", "--config", str(config), "--port", "0")
    with log.open("w") as file, subprocess.Popen(command, stderr=file, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + DEADLINE
        while not (listening := re.search(r"listens on (\S+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        try:
            yield Gateway(listening[1], log)
        finally:
            process.kill()


@pytest.mark.slow
def test_a_day_with_a_login(
    codex: CodexIssuer, backend: FakeCodex, gateway: Gateway, strowger: Strowger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a login a call says what to do; then each change of it is taken up by the gateway that runs."""
    status, told = gateway.ask()
    assert (status, "strowger login codex" in told) == (403, True)

    assert strowger("login", "codex", "--device").returncode == 0
    gateway.until(lambda answer: answer[0] == 200)
    assert backend.requests[-1].header("chatgpt-account-id") == codex.account.id
    assert backend.requests[-1].header("originator") == "strowger"

    # Its time is over: the calls that notice cause one refresh, and are answered.
    before = codex.count("/oauth/token")
    codex.grants[-1].access.clear()
    with ThreadPoolExecutor(8) as clients:
        assert {status for status, _ in clients.map(lambda _: gateway.ask(), range(8))} == {200}
    assert codex.count("/oauth/token") == before + 1
    assert "ago" in strowger("auth", "status").stdout

    # Somebody else logs in: from now on he pays.
    codex.account = OTHER
    assert strowger("login", "codex", "--device").returncode == 0
    gateway.until(lambda _: backend.requests[-1].header("chatgpt-account-id") == OTHER.id)

    # The login is ended: the next calls say so, and what to do.
    assert strowger("logout", "codex").returncode == 0
    told = gateway.until(lambda answer: answer[0] == 403)
    assert "strowger login codex" in told

    assert strowger("login", "codex", "--device").returncode == 0
    gateway.until(lambda answer: answer[0] == 200)
    shown = strowger("status", "--json")
    check_no_secret(codex, told, shown.stdout, shown.stderr, gateway.log.read_text())
    assert str(os.environ["HOME"]) not in told
