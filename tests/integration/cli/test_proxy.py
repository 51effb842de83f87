"""`strowger proxy`: four lines, a port and a pid file of its own, and nothing left at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.cli.conftest import DEADLINE, Strowger

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

CONFIG = """
[proxy]
pid_file = "{pid_file}"
[providers.one]
dialect = "anthropic"
base_url = "http://127.0.0.1:1/anthropic"
auth = "env:PLANTED_KEY"
[providers.two]
dialect = "openai_chat"
base_url = "http://127.0.0.1:2/v1"
[profiles.work]
via = "two:m"
proxy = {{ port = 0 }}
"""


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration wants the pid file."""
    path = tmp_path / "proxy.json"
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(pid_file=path))
    monkeypatch.setenv("STROWGER_CONFIG", str(config))
    monkeypatch.setenv("PLANTED_KEY", "planted")
    return path


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command, and the four lines that it says."""
    command = (sys.executable, "-m", "strowger", "proxy", *arguments)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            yield process, [process.stderr.readline().rstrip("\n") for _ in range(4)]
        finally:
            process.kill()


def test_four_lines(pid_file: Path, strowger: Strowger) -> None:
    """Where it is, on which profile, where its file is and how it ends; `status` tells of it, nobody joins it."""
    with started("--profile", "work") as (process, lines):
        url = lines[0].removeprefix("local proxy ready at ")
        assert url.startswith("http://127.0.0.1:")
        assert lines[1:] == [
            'profile "work", upstream http://127.0.0.1:2/v1',
            f"pidfile {pid_file}",
            "press Ctrl+C to stop",
        ]
        with urllib.request.urlopen(f"{url}/health", timeout=DEADLINE) as answer:
            assert answer.status == 200
        entry = json.loads(pid_file.read_bytes())
        assert (entry["ccode_pid"], entry["port"]) == (process.pid, int(url.rpartition(":")[2]))
        assert url in strowger("status").stdout
        assert "no gateway is running" in strowger("env", "claude").stderr
        second = strowger("proxy")
        assert (second.returncode, f"process {process.pid}, which is running" in second.stderr) == (2, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
    assert not pid_file.exists()
    assert list(Path(os.environ["XDG_RUNTIME_DIR"]).glob("strowger/sessions/*")) == []


def test_via(pid_file: Path) -> None:
    """A provider in place of a profile; without a word, the names of models decide."""
    with started("--via", "one") as (_, lines):
        assert lines[1] == 'profile "default", upstream http://127.0.0.1:1/anthropic'
    pid_file.unlink(missing_ok=True)  # it was killed
    with started("--pid-file", str(pid_file.with_name("other"))) as (_, lines):
        assert lines[1] == 'profile "default", upstream by the model\'s name (one, two)'
        assert pid_file.with_name("other").exists()
        assert not pid_file.exists()


def test_what_is_refused(pid_file: Path, strowger: Strowger) -> None:
    """Another file in the pid file's place, an address that others reach, and a gateway that could answer nothing."""
    pid_file.write_text("somebody's notes")
    refused = strowger("proxy")
    assert (refused.returncode, "is no pid file of yours" in refused.stderr) == (2, True)
    assert pid_file.read_text() == "somebody's notes"
    assert "opens the gateway to other machines" in strowger("proxy", "--bind", "0.0.0.0").stderr
    Path(os.environ["STROWGER_CONFIG"]).write_text("")
    assert "no provider is configured" in strowger("proxy").stderr
