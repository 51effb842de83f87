"""What is said while a login goes on, and whether a browser is of any use."""

from __future__ import annotations

import io
import sys

import click
import pytest

from strowger.auth.issuers import CODEX, KIMI
from strowger.auth.oauth import DeviceCode
from strowger.cli.terminal import Terminal, can_open
from strowger.config.references import Secret

URL = "https://auth.example.test/authorize?x=y"


@pytest.mark.parametrize(
    "env, opens",
    [
        ({"BROWSER": "firefox", "SSH_CONNECTION": "a b"}, True),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": "localhost:10", "SSH_CONNECTION": "a b"}, False),
        ({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}, False),
        ({}, False),
    ],
)
def test_can_open(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], opens: bool) -> None:
    """A browser that opens on another machine, or over the terminal, is none; $BROWSER is somebody's decision."""
    monkeypatch.setattr(sys, "platform", "linux")
    assert can_open(env) is opens


def test_desktops_have_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such thing as a display variable."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert can_open({})
    assert not can_open({"SSH_CONNECTION": "a b"})


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """At this machine, whoever runs the tests from where."""
    for name in ("SSH_CONNECTION", "SSH_TTY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


def test_the_page_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The address is all there is on standard output; the other ways are named."""
    Terminal(CODEX, opens=False).page(URL)
    printed = capsys.readouterr()
    assert printed.out == f"{URL}\n"
    assert "ssh" not in printed.err
    assert "open it in a browser on this machine" in printed.err
    assert "`strowger login codex --device`" in printed.err


def test_over_ssh_the_way_back_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The browser of another machine comes back to that machine, unless the port is forwarded."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")
    Terminal(CODEX, opens=True).page(f"{URL}&redirect_uri=http%3A%2F%2Flocalhost%3A1457%2Fauth%2Fcallback")
    assert "`ssh -L 1457:127.0.0.1:1457 …`" in capsys.readouterr().err


def test_pasting_says_what_to_expect(capsys: pytest.CaptureFixture[str]) -> None:
    """That the browser ends at an error is told before it happens."""
    Terminal(CODEX, opens=False, pastes=True).page(URL)
    printed = capsys.readouterr()
    assert "any browser" in printed.err
    assert "the browser shows an error" in printed.err
    assert "Waiting" not in printed.err


@pytest.mark.parametrize("complete, does", [("", "type this code"), (f"{URL}&code=AB-12", "confirm if it shows")])
def test_the_code_stands_alone(capsys: pytest.CaptureFixture[str], complete: str, does: str) -> None:
    """Page and code, a line each; whether the code is to be typed or compared depends on the page."""
    Terminal(KIMI, opens=False).code(DeviceCode("AB-12", Secret("dc"), URL, complete, 5, 900))
    printed = capsys.readouterr()
    assert printed.out == f"{complete or URL}\nAB-12\n"
    assert does in printed.err
    assert "dc" not in printed.out + printed.err.replace("code", "")


def test_an_issuer_steers_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the terminal by its signs, nor this machine by a page that is none of the web."""
    opened: list[str] = []
    monkeypatch.setattr(Terminal, "_browse", lambda _, url: opened.append(url))
    page = "file:///etc/passwd"
    Terminal(KIMI, opens=True).code(DeviceCode("A\x1b[2JB", Secret("dc"), page, page, 5, 900))
    assert capsys.readouterr().out == f"{page}\nA\ufffd[2JB\n"
    assert opened == []


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal one line is written again and again, and wiped before anything else is said; elsewhere none is."""
    for stream, shown in ((_Tty(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        terminal = Terminal(KIMI, opens=False)
        terminal.waiting(125.0)
        terminal.slower(10.0)
        terminal.trouble("no connection")
        written = stream.getvalue()
        assert written.count("\r\x1b[K") == (3 if shown else 0)
        written = click.unstyle(written)
        assert ("2m 5s left" in written) is shown
        assert ("every 10 seconds" in written) is shown
        assert written.endswith("warning: no connection; still waiting\n")


@pytest.mark.parametrize("seconds, told", [(3700.0, "1h 1m ahead of"), (-61.0, "1m 1s behind")])
def test_a_wrong_clock(capsys: pytest.CaptureFixture[str], seconds: float, told: str) -> None:
    """By how much, in which direction, and what comes of it."""
    Terminal(CODEX, opens=False).skewed(seconds)
    assert f"the clock of this machine is {told} ChatGPT (Codex)'s" in capsys.readouterr().err
