"""The command line as another process has it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

DEADLINE = 15.0


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
