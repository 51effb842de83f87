"""The command line as another process has it."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from strowger.cli import main
from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt, Flow
from strowger.flows.store import Store
from strowger.flows.tape import Tape
from strowger.ir.events import Usage
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.issuer_kimi import KimiIssuer

DEADLINE = 100.0
"""Seconds. A command takes a fraction of one; on a machine that others keep busy it has taken forty."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here start several processes each, one after the other: they have time for as many deadlines."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(240))


class Served(NamedTuple):
    """A `strowger serve` that listens; `banner` is what it printed."""

    process: subprocess.Popen[str]
    url: str
    banner: str


Strowger = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def strowger() -> Strowger:
    """Runs a command to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "strowger", *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)

    return run


@pytest.fixture
def served() -> Iterator[Served]:
    """A gateway on the demo provider, in a process of its own."""
    with serving("--demo") as served:
        yield served


@contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    """`strowger serve` on a free port, once it has told all of its banner."""
    command = (sys.executable, "-m", "strowger", "serve", "--port", "0", *arguments)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr
        banner = ""
        while "pid file" not in banner:
            line = process.stderr.readline()
            assert line, f"ended with {process.wait()} after: {banner}"
            banner += line
        listening = re.search(r"listens on (\S+)", banner)
        assert listening
        try:
            yield Served(process, listening[1], banner)
        finally:
            process.kill()


@pytest.fixture
def login_ports() -> Iterator[None]:
    """The two ports to which Codex's issuer sends browsers, for one test at a time on this machine."""
    fcntl = pytest.importorskip("fcntl", reason="no file locks to keep tests apart")
    with open(Path(tempfile.gettempdir()) / f"strowger-login-ports.{os.getuid()}", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that does nothing, so that no test opens the developer's."""
    monkeypatch.setenv("BROWSER", "true")


@pytest.fixture
def browser(no_browser: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that follows wherever it is sent; the file is what it shows at the end."""
    shown, program = tmp_path / "shown.html", tmp_path / "browser"
    program.write_text(f"#!{sys.executable}\n{_BROWSER}\nPath({str(shown)!r}).write_bytes(page)\n")
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(program))
    return shown


_BROWSER = """
import sys, urllib.error, urllib.request
from pathlib import Path

try:
    page = urllib.request.urlopen(sys.argv[1], timeout=100).read()
except urllib.error.HTTPError as error:
    page = error.read()
"""


@pytest.fixture
def codex(no_browser: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodexIssuer]:
    with CodexIssuer().in_thread() as issuer:
        issuer.interval = "0.05"
        monkeypatch.setenv("STROWGER_CODEX_ISSUER", issuer.base_url)
        yield issuer


@pytest.fixture
def kimi(no_browser: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[KimiIssuer]:
    with KimiIssuer().in_thread() as issuer:
        issuer.interval = 0.05
        monkeypatch.setenv("STROWGER_KIMI_ISSUER", issuer.base_url)
        yield issuer


Flows = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A store with three calls of a session (the second one failed after two attempts), and one of another client."""
    path = tmp_path / "flows.db"
    store = Store(path, tell=lambda event, fields: None)
    for flow in calls():
        store.opened(flow)
        store.finished(flow)
    store.close(DEADLINE)
    return path


@pytest.fixture
def flows(kept: Path, capfd: pytest.CaptureFixture[str]) -> Flows:
    """Runs `strowger flows` in this process: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(("flows", "--file", str(kept), *arguments))
        return code, *capfd.readouterr()

    return run


SECRET = "sk-ant-api03-Zm9vYmFyYmF6cXV4MTIz"
_EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"big","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"It is sk-ant-api03-Zm9v"}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"YmFyYmF6cXV4MTIz o\'clock."}}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":20}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


def calls() -> Iterator[Flow]:
    """What passed by, oldest first."""
    for number, (session, question, failed) in enumerate(
        (("s-1", "How late is it?", False), ("s-1", "And now?", True), ("s-1", "And now?", False), (None, "Hi", False))
    ):
        ticks = itertools.count(1)
        flow = Flow(
            id=f"flow_{number + 1:016x}",
            started=time.time() - 60 + number,
            clock=0.0,
            method="POST",
            path="/v1/messages",
            dialect="anthropic",
            agent="claude-cli/2.1.329",
            session=session,
            model="opus" if session else "haiku",
            stream=True,
            provider="p",
            upstream_model="big",
            upstream_dialect="anthropic",
            lane="verbatim",
        )
        flow.tape = tape = Tape(0.0, 1 << 20, lambda ticks=ticks: next(ticks) / 100)  # type: ignore[misc]
        said = [{"role": "user", "content": f"{question}\nI am in /home/anna; my key is {SECRET}."}]
        body = {"model": flow.model, "max_tokens": 9, "stream": True, "messages": said}
        head = (("Content-Type", "application/json"), ("X-Api-Key", SECRET), ("Host", "127.0.0.1:4000"))
        tape.begin("client_request", "POST /v1/messages?beta=true", head, json.dumps(body).encode())
        sent = json.dumps({**body, "model": "big"} if session else body).encode()
        for status in (529, 503) if failed else (200,):
            tape.begin("forwarded", "POST https://p.example/v1/messages", head[:2], sent)
            answer = tape.begin("upstream_response", str(status), (("Content-Type", "text/event-stream"),))
            flow.attempts.append(Attempt("p:big", "verbatim", status, seconds=0.1))
            for piece in (b'{"error":"busy"}',) if failed else _EVENTS:
                tape.add(answer, piece)
        flow.outcome, flow.status = ("failed", 503) if failed else ("ok", 200)
        flow.error, flow.error_kind = ("it has no room", "overloaded") if failed else (None, None)
        reply = tape.begin("client_response", str(flow.status), (("Content-Type", "text/event-stream"),))
        for piece in (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}',) if failed else _EVENTS:
            tape.add(reply, piece)
        flow.usage = Usage() if failed else Usage(input=100 + number, output=20, cache_read=80)
        flow.billing, flow.billed = "metered", None if failed else 0.25
        flow.losses.append(Loss("tools[0]", "no such tool"))
        flow.duration = 1.5
        yield flow
