"""`strowger --NAME …`: the short form for Claude Code on a profile or via a provider."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Strowger

# Takes the place of Claude Code on the PATH: tells what it was started with, and where one call of its own went.
CLIENT = f"""#!{sys.executable}
import json, os, sys, urllib.error, urllib.request
request = urllib.request.Request(
    os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages",
    json.dumps({{"model": "claude-opus-4-8", "max_tokens": 5, "messages": []}}).encode(),
    {{"content-type": "application/json", "authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]}},
)
try:
    urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    said = error.read().decode()
print(json.dumps({{"arguments": sys.argv[1:], "said": said}}))
"""

CONFIG = """
[providers.one]
dialect = "openai_chat"
base_url = "http://127.0.0.1:9/one"
[providers.two]
dialect = "openai_chat"
base_url = "http://127.0.0.1:9/two"
[profiles.weekend]
via = "two"
"""


@pytest.fixture(autouse=True)
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Claude Code that only tells, and a configuration of two providers that nobody serves."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").write_text(CLIENT)
    (folder / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    monkeypatch.setenv("STROWGER_CONFIG", str(file))


@pytest.mark.parametrize("word, place", [("--two", "two"), ("--weekend", "two"), ("--one", "one")])
@pytest.mark.parametrize("separator", [(), ("--",)])
def test_short_for_a_launch(strowger: Strowger, word: str, place: str, separator: tuple[str, ...]) -> None:
    """Everything behind the name is the client's, with `--` or without; its calls go where the name says."""
    done = strowger(word, *separator, "-p", "hi", "--model", "opus")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["arguments"] == ["-p", "hi", "--model", "opus"]
    assert f"127.0.0.1:9/{place}/" in told["said"]


def test_no_such_name(strowger: Strowger) -> None:
    """What is no profile, provider or preset is an unknown option."""
    done = strowger("--nobody", "-p", "hi")
    assert done.returncode == 2
    assert "--nobody" in done.stderr


def test_own_options_stay(strowger: Strowger) -> None:
    """The version and the help are not names."""
    assert strowger("--version").stdout.startswith("strowger ")
    assert "strowger --deepseek" in strowger("--help").stdout
