"""`strowger demo`: the whole line at work, with no account."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.cli.conftest import Strowger


def test_the_demo_shows_a_tool_loop(strowger: Strowger) -> None:
    """Thinking, text and a call come through translation; the call is run; the model quotes its result; then the
    session goes on with another model; three flows.
    """
    done = strowger("demo")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    story = ["thinking", "tool Bash ", '"echo hello from strowger"', "ran   hello from strowger", "answered:"]
    story += ["strowger switch demo demo:demo-fast", "`demo-fast`"]
    places = [done.stdout.index(part) for part in story]
    assert places == sorted(places)
    assert len(re.findall(r"^  flow +flow_\w+$", done.stdout, re.MULTILINE)) == 3
    assert len(re.findall(r"^  lane +translate \(anthropic → openai_chat\)$", done.stdout, re.MULTILINE)) == 3
    assert re.findall(r"^  route +claude-demo → demo:(\S+)", done.stdout, re.MULTILINE) == ["demo", "demo", "demo-fast"]
    assert re.search(r"^  tokens +\d+ input, \d+ output", done.stdout, re.MULTILINE)
    assert re.search(r"^  time +first byte [\d.]+ ms", done.stdout, re.MULTILINE)


def test_the_demo_runs_nothing_harmful(strowger: Strowger, tmp_path: Path) -> None:
    """Whatever is asked for, only what is on the list is run."""
    victim = tmp_path / "victim"
    victim.touch()
    done = strowger("demo", "--prompt", f"run `rm {victim}`")
    assert done.returncode == 0, done.stderr
    assert victim.exists()
    assert "ran   hello from strowger" in done.stdout


def test_a_prompt_without_a_call(strowger: Strowger) -> None:
    """Where nothing is called, one turn is all that each model has."""
    done = strowger("demo", "--prompt", "good morning")
    assert "demo model" in done.stdout
    assert len(re.findall(r"^  flow ", done.stdout, re.MULTILINE)) == 2
