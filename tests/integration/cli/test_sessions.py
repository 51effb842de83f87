"""`strowger sessions` and `strowger switch`, over a real gateway and real clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.cli.conftest import DEADLINE, Served, Strowger

# Asks whenever it is told to, and writes down which model answered; or runs a command of ours.
CLIENT = """
import json, os, subprocess, sys, urllib.request
MESSAGES = [{"role": "user", "content": "hi"}]
def ask():
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages",
        json.dumps({"model": "claude-opus-4-8", "max_tokens": 50, "messages": MESSAGES}).encode(),
        {
            "content-type": "application/json",
            "authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"],
            "x-claude-code-session-id": f"conversation-{os.getpid()}",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return answer.headers["x-strowger-route"]
for line in sys.stdin:
    ours = [sys.executable, "-m", "strowger", *line.split()]
    print(subprocess.check_output(ours, text=True).strip() if line.strip() else ask(), flush=True)
"""


@contextmanager
def client(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A client that `strowger run` has started, which asks once for every line that it is given."""
    command = [sys.executable, "-m", "strowger", "run", "--demo", "--quiet", *options, sys.executable, "-c", CLIENT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as child:
        try:
            yield child
        finally:
            assert child.stdin is not None
            child.stdin.close()
            assert child.wait(DEADLINE) == 0


def ask(child: subprocess.Popen[str], *words: str) -> str:
    """What it says to a call, or to a command of ours that it runs."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(" ".join(words) + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def test_nothing_runs(strowger: Strowger) -> None:
    """Exit code 1, and what to do about it; there is nobody to switch."""
    done = strowger("sessions")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger run claude`" in done.stderr
    done = strowger("switch", "demo")
    assert done.returncode == 1
    assert "no client is running" in done.stderr


def test_a_client_is_switched_while_it_runs(served: Served, strowger: Strowger) -> None:
    """Its next call goes elsewhere, the other client's does not; both are listed with where they go."""
    with client() as first, client("--via", "demo:demo-fast") as second:
        assert ask(first) == "demo:demo"
        assert ask(second) == "demo:demo-fast"
        listed = json.loads(strowger("sessions", "--json").stdout)["sessions"]
        goes = {one["via"]: one["id"] for one in listed}
        assert set(goes) == {None, "demo:demo-fast"}
        assert {one["gateway"] for one in listed} == {served.url}
        assert {one["project"] for one in listed} == {os.getcwd()}
        done = strowger("switch", "demo:demo-fast")
        assert done.returncode == 1
        assert "there are 2 clients" in done.stderr
        done = strowger("switch", goes[None][:6], "demo:demo-fast")
        assert done.returncode == 0, done.stderr
        assert "now goes via demo:demo-fast" in done.stdout
        assert strowger("sessions").stdout.count("via demo:demo-fast") == 2
        (conversation,) = next(one["sessions"] for one in listed if one["via"])
        assert conversation[:13] in strowger("sessions").stdout
        # Within a client it is the one that is meant.
        assert f"({goes[None][:6]}) now goes by the configuration" in ask(first, "switch", "default")
        assert ask(first, "switch", "demo:demo-fast").endswith("now goes via demo:demo-fast")
        assert strowger("switch", conversation, "default").returncode == 0
        assert ask(first) == "demo:demo-fast"
        assert ask(second) == "demo:demo"
    done = strowger("switch", conversation, "default")
    assert done.returncode == 1
    assert f"in session {conversation} has ended" in done.stderr


def test_a_client_that_nobody_launched(served: Served, strowger: Strowger) -> None:
    """Its conversation is known, and what moves it is told: there is nothing that a switch could be for."""
    call = {"model": "claude-opus-4-8", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"content-type": "application/json", "x-claude-code-session-id": "conversation-of-nobody"}
    request = urllib.request.Request(f"{served.url}/v1/messages", json.dumps(call).encode(), headers)
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        assert answer.status == 200
    done = strowger("switch", "conversation-of", "demo:demo-fast")
    assert done.returncode == 1
    assert "in session conversation-of-nobody was not started by `strowger run`" in done.stderr
    assert 'match = { session = "conversation-of-nobody" }' in done.stderr


@pytest.mark.parametrize("to", ["elsewhere", "deepseek"])
def test_a_mistake_changes_nothing(served: Served, strowger: Strowger, to: str) -> None:
    """What cannot be is told, with exit code 1, and the client goes on as it was."""
    with client() as child:
        assert ask(child) == "demo:demo"
        done = strowger("switch", to)
        assert done.returncode == 1
        assert "error:" in done.stderr
        assert ask(child) == "demo:demo"


def test_a_launch_of_its_own_can_be_switched(strowger: Strowger) -> None:
    """Where no gateway runs, the client's own is found all the same, and is gone with it."""
    with client() as child:
        assert ask(child) == "demo:demo"
        assert strowger("switch", "demo:demo-fast").returncode == 0
        assert ask(child) == "demo:demo-fast"
    assert strowger("sessions").returncode == 1
