"""`strowger serve`: says where it is, and ends as it is told to."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from strowger.launcher import sessions
from tests.integration.cli.conftest import DEADLINE, Served, Strowger, serving

ASK = {"model": "any", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}


def ask(url: str, *, stream: bool) -> urllib.request.Request:
    """A request of a client that speaks Anthropic's dialect."""
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    return urllib.request.Request(f"{url}/v1/messages", json.dumps({**ASK, "stream": stream}).encode(), headers)


def test_it_says_where_it_is_and_serves(served: Served) -> None:
    """The banner has the URL for either dialect; there is an answer at it."""
    assert f"ANTHROPIC_BASE_URL={served.url}\n" in served.banner
    assert f"OPENAI_BASE_URL={served.url}/v1\n" in served.banner
    with urllib.request.urlopen(ask(served.url, stream=False), timeout=DEADLINE) as response:
        answer = json.load(response)
    assert answer["content"][-1]["type"] == "text"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(served: Served, number: signal.Signals) -> None:
    """Exit code 0, and no pid file is left."""
    folder = sessions.directory(os.environ)
    assert [session.pid for session in sessions.running(folder)] == [served.process.pid]
    served.process.send_signal(number)
    assert served.process.wait(DEADLINE) == 0
    assert list(folder.iterdir()) == []


class Held(NamedTuple):
    """A gateway whose provider gets no further than the first word until it is let go on."""

    gateway: Served
    go_on: threading.Event

    def heard(self, number: signal.Signals) -> None:
        """Send a signal, and wait until the gateway says that it waits for its call."""
        self.gateway.process.send_signal(number)
        assert self.gateway.process.stderr
        while not (line := self.gateway.process.stderr.readline()).startswith("finishing 1 call"):
            assert line, "the gateway has ended"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """Such a gateway: however slow a machine is, its call is still running when a signal comes."""
    go_on = threading.Event()

    class Upstream(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.say({"role": "assistant", "content": "first"}, None)
            go_on.wait(DEADLINE)
            with suppress(OSError):  # the gateway has gone
                self.say({}, "stop")
                self.wfile.write(b"data: [DONE]\n\n")

        def say(self, delta: dict[str, str], finish: str | None) -> None:
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            self.wfile.write(b"data: %s\n\n" % json.dumps({**chunk, "choices": [choice]}).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        thread = threading.Thread(target=upstream.serve_forever)
        thread.start()
        config = tmp_path / "held.toml"
        url = f"http://127.0.0.1:{upstream.server_port}/v1"
        config.write_text(
            f'[server]\ngrace_seconds = {DEADLINE}\n[providers.held]\ndialect = "openai_chat"\nbase_url = "{url}"\n'
        )
        try:
            with serving("--config", str(config)) as gateway:
                yield Held(gateway, go_on)
        finally:
            go_on.set()
            upstream.shutdown()
            thread.join()


def test_running_calls_are_finished(held: Held) -> None:
    """A stream that is under way when the signal comes still gets to its end."""
    with urllib.request.urlopen(ask(held.gateway.url, stream=True), timeout=DEADLINE) as response:
        begun = response.readline()
        held.heard(signal.SIGTERM)
        held.go_on.set()
        rest = response.read()
    assert begun.startswith(b"event:")
    assert b"event: message_stop" in rest
    assert held.gateway.process.wait(DEADLINE) == 0


def test_a_second_signal_does_not_wait(held: Held) -> None:
    """Who interrupts twice means now. The stream breaks, or says that it broke; it has no end that it did not reach."""
    with urllib.request.urlopen(ask(held.gateway.url, stream=True), timeout=DEADLINE) as response:
        response.readline()
        held.heard(signal.SIGINT)
        held.gateway.process.send_signal(signal.SIGINT)
        assert held.gateway.process.wait(DEADLINE) == 130
        try:
            rest = response.read()
            assert b"event: error" in rest
        except http.client.IncompleteRead as cut:
            rest = cut.partial
    assert b"event: message_stop" not in rest
    assert list(sessions.directory(os.environ).iterdir()) == []


def test_a_taken_port_is_wrong_usage(strowger: Strowger) -> None:
    """The error comes with a hint, and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = strowger("serve", "--demo", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot listen on 127.0.0.1")
    assert "\n\nhint: " in done.stderr
    assert done.stdout == ""


def test_a_foreign_bind_is_refused(strowger: Strowger) -> None:
    """Other machines are let in only by those who say so in the configuration."""
    done = strowger("serve", "--demo", "--bind", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert "allow_external_bind" in done.stderr


def test_an_open_bind_is_warned_about(tmp_path: Path) -> None:
    """Who has said so is reminded at each start."""
    config = tmp_path / "open.toml"
    config.write_text(
        '[server]\nbind = "0.0.0.0"\nport = 0\nallow_external_bind = true\nclient_token = "file:token"\n'
        '[providers.demo]\npreset = "demo"\n'.replace("file:token", f"file:{tmp_path}/token")
    )
    (tmp_path / "token").write_text("a-long-client-token")
    command = (sys.executable, "-m", "strowger", "serve", "--config", str(config))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        banner = ""
        while "pid file" not in banner:
            line = process.stderr.readline()
            assert line, banner
            banner += line
        process.terminate()
        assert process.wait(DEADLINE) == 0
    assert "warning: other machines can reach this gateway" in banner
    assert "a-long-client-token" not in banner


def test_a_broken_configuration_is_told_with_its_place(strowger: Strowger, tmp_path: Path) -> None:
    """File, line and the near miss; exit code 2."""
    config = tmp_path / "broken.toml"
    config.write_text("[server]\nprot = 4000\n")
    done = strowger("serve", "--config", str(config))
    assert done.returncode == 2
    assert f"error: {config}:2:" in done.stderr
    assert "port" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are numbered otherwise")
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&-", "<&-"])
def test_missing_standard_streams_are_no_hindrance(closed: str, tmp_path: Path) -> None:
    """Daemons are started so: a socket that got the number of one would be written to, or closed, as if it were it."""
    home = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    command = f'exec "{sys.executable}" -m strowger serve --demo --port 0 --log-file "{tmp_path}/log" {closed}'
    with subprocess.Popen(["/bin/sh", "-c", command], env=home) as process:
        try:
            gateway = _found(sessions.directory(home))
            assert process.poll() is None
            with urllib.request.urlopen(f"{gateway.url}/healthz", timeout=DEADLINE) as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()


def _found(folder: Path) -> sessions.Session:
    """The gateway that is entered there, once it is."""
    deadline = time.monotonic() + DEADLINE
    while not (running := sessions.running(folder)):
        assert time.monotonic() < deadline, "no gateway has come up"
        time.sleep(0.01)
    return running[0]
