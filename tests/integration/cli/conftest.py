"""The command line as another process has it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.issuer_kimi import KimiIssuer

DEADLINE = 40.0


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
    command = (sys.executable, "-m", "strowger", "serve", "--demo", "--port", "0")
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
    page = urllib.request.urlopen(sys.argv[1], timeout=40).read()
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
