"""`strowger logs`."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from strowger.cli.logs import logs
from strowger.cli.serve import serve
from strowger.config.paths import log_file
from strowger.flows.flow import Flow, summary
from strowger.launcher import sessions
from strowger.telemetry.logs import Log

LONGEST_SECONDS = 60


def call(model: str, **members: object) -> dict[str, object]:
    return {**summary(Flow("flow_1", 0.0, 0.0, "POST", "/v1/messages", "anthropic", model=model)), **members}


@pytest.fixture
def log() -> Log:
    """The gateways' own log, with a few lines."""
    made = Log(log_file(os.environ), "debug")
    made.write("info", "call", call("first"))
    made.write("warning", "reload", {"needs_restart": ["server"]})
    made.write("debug", "connection", {"host": "example"})
    made.write("error", "call", call("last\x1b[2J"))
    return made


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(logs, arguments, standalone_mode=False)
    assert result.return_value == 0, result.output
    return result.stdout


def test_the_last_lines_in_words(log: Log) -> None:
    """In the order in which they were written; nothing in them can steer the terminal."""
    words = shown()
    assert [line.split("  ", 1)[1] for line in words.splitlines()] == [
        "first  running  0 ms", "warning: reload  needs_restart: server", "connection  host: example",
        "last [2J  running  0 ms",
    ]  # fmt: skip
    assert shown("-n", "1").count("\n") == 1
    assert "first" in shown("-n", "4")
    assert shown("-n", "0") == ""


def test_lines_may_be_chosen(log: Log) -> None:
    """By their level and by the part of the gateway; the number is of those that are wanted."""
    assert "reload" in shown("--level", "warning", "-n", "2")
    assert shown("--level", "warning", "--area", "config", "--area", "server").count("\n") == 1
    assert shown("--area", "upstream", "-n", "1").endswith("connection  host: example\n")


def test_no_line_is_such_a_one(log: Log) -> None:
    """It is said, also where more are asked for than anybody can count."""
    result = CliRunner().invoke(logs, ["--area", "auth", "-n", "9" * 30], standalone_mode=False)
    assert (result.return_value, result.stdout, result.stderr) == (0, "", "no line of the log is such a one\n")


def test_as_they_were_written(log: Log) -> None:
    """For other programs."""
    assert shown("--json") == log_file(os.environ).read_text()
    assert json.loads(shown("--json", "-n", "1"))["model"] == "last\x1b[2J"


def test_what_several_gateways_wrote_is_one(log: Log, tmp_path: Path) -> None:
    """Running ones say where they log, and the configuration may name a file too."""
    other = Log(tmp_path / "other.log")
    other.write("info", "call", call("elsewhere"))
    session = sessions.Session(
        pid=os.getpid(), url="http://127.0.0.1:1", admin_token="", started=1.0, log=str(tmp_path / "other.log")
    )
    sessions.write(session, sessions.directory(os.environ))
    log.write("info", "call", call("the very last"))
    words = shown()
    assert words.index("last [2J") < words.index("elsewhere") < words.index("the very last")
    assert "elsewhere" not in shown("--file", str(log_file(os.environ)))


def test_no_log_is_no_lines() -> None:
    """And it is said where one would be."""
    result = CliRunner().invoke(logs, standalone_mode=False)
    assert result.return_value == 1
    assert "there is no log" in result.stderr
    assert str(log_file(os.environ)) in result.stderr
    result = CliRunner().invoke(logs, ["--file", "nowhere"], standalone_mode=False)
    assert (result.return_value, result.stderr) == (1, "there is no log at nowhere\n")


def test_following(log: Log) -> None:
    """What comes is told as it comes, also after the file was rotated."""
    program = subprocess.Popen(
        [sys.executable, "-m", "strowger", "logs", "-f", "-n", "1"], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    came: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert program.stdout is not None
        for line in program.stdout:
            came.put(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert "last" in came.get(timeout=LONGEST_SECONDS)
        log.write("info", "call", call("new"))
        assert "new" in came.get(timeout=LONGEST_SECONDS)
        log_file(os.environ).rename(log_file(os.environ).with_name("gateway.log.1"))
        log.write("info", "call", call("after"))
        assert "after" in came.get(timeout=LONGEST_SECONDS)
    finally:
        program.terminate()
        program.wait()
        reader.join()
        assert program.stdout is not None
        program.stdout.close()


@pytest.mark.parametrize("arguments, level", [([], None), (["-v"], "debug"), (["--log-level", "warning"], "warning")])
def test_how_much_is_told_can_be_said_at_the_start(arguments: list[str], level: str | None) -> None:
    """In short, too; who says nothing leaves it to the configuration."""
    assert serve.make_context("serve", arguments).params["log_level"] == level
