"""`strowger run` from its command line: which words are ours, and which the client's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Strowger

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
