"""`strowger run` from its command line: which words are ours, and which the client's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Served, Strowger

ECHO = "import os, sys; print(sys.argv[1:], os.environ.get('ANTHROPIC_MODEL'))"


@pytest.mark.parametrize(
    "words, expected",
    [
        ((sys.executable, "-c", ECHO, "-p", "x y", "--model", "z"), "['-p', 'x y', '--model', 'z'] None"),
        ((sys.executable, "--", "-c", ECHO, "-p", "--"), "['-p', '--'] None"),
        (("--", sys.executable, "-c", ECHO, "--help"), "['--help'] None"),
        (("--model", "kimi", sys.executable, "-c", ECHO), "[] kimi"),
    ],
)
def test_words_after_the_command_are_the_clients(strowger: Strowger, words: tuple[str, ...], expected: str) -> None:
    """Our options come before the command; what follows is handed on as it is, without one `--`."""
    done = strowger("run", "--demo", *words)
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr
    assert done.stderr == ""


def test_the_exit_code_goes_through(strowger: Strowger) -> None:
    """A script cannot tell the difference to running the client itself."""
    assert strowger("run", "--demo", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_a_missing_client_is_told(strowger: Strowger) -> None:
    """As a shell tells it, with a hint besides."""
    done = strowger("run", "--demo", "no-such-client")
    assert done.returncode == 127
    assert done.stderr == "error: there is no command `no-such-client`\n\nhint: is it installed, and on the PATH?\n"


def test_nothing_to_run_is_wrong_usage(strowger: Strowger) -> None:
    """A command is needed."""
    assert strowger("run").returncode == 2


def test_no_provider_is_a_matter_of_configuration(strowger: Strowger) -> None:
    """Without a configuration there is nobody to answer; the hint names the demo."""
    done = strowger("run", sys.executable, "-c", "pass")
    assert done.returncode == 2
    assert "--demo" in done.stderr


def test_a_missing_key_is_told_before_the_client_starts(strowger: Strowger, tmp_path: Path) -> None:
    """Else the client's own words for a refused call are all that the user sees."""
    file = tmp_path / "config.toml"
    file.write_text('[providers.groq]\nauth = "env:NO_SUCH_KEY"\n')
    done = strowger("run", "--config", str(file), sys.executable, "-c", "pass")
    assert (done.returncode, done.stderr) == (0, "strowger: warning: no key for groq (NO_SUCH_KEY is not set)\n")


STRAIGHT = """
[providers.mine]
dialect = "anthropic"
base_url = "http://127.0.0.1:1/messages"
auth = "env:PLANTED_KEY"
[profiles.straight]
via = "mine:their-model"
env = { MINE = "1" }
proxy = { enabled = false }
"""


@pytest.mark.parametrize("alone", [True, False])
def test_without_a_gateway(
    strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Served, alone: bool
) -> None:
    """A profile may say that there is none: the client has the provider's address and key, and nothing is joined. The
    flag for a gateway of its own goes before.
    """
    file, claude = tmp_path / "config.toml", tmp_path / "claude"
    file.write_text(STRAIGHT)
    names = "ANTHROPIC_BASE_URL ANTHROPIC_AUTH_TOKEN STROWGER_SESSION ANTHROPIC_MODEL MINE STROWGER_LAUNCHED"
    claude.write_text(
        f"#!{sys.executable}\nimport os\nprint(*map(os.environ.get, '{names}'.split()))\nraise SystemExit(3)\n"
    )
    claude.chmod(0o755)
    monkeypatch.setenv("PLANTED_KEY", "planted")
    monkeypatch.setenv("STROWGER_SESSION", "another")
    words = ("--config", str(file), "--profile", "straight", *(("--alone",) if alone else ()))
    done = strowger("run", *words, str(claude))
    assert done.returncode == 3, done.stderr
    url, token, session, *rest = done.stdout.split()
    assert session != "another"
    assert (session == "None") != alone
    assert rest == ["None" if alone else "their-model", "1", "claude"]
    if alone:
        assert url.startswith("http://127.0.0.1:")
        assert token != "planted"
    else:
        assert (url, token) == ("http://127.0.0.1:1/messages", "planted")
    assert url != served.url
