"""`strowger flows list`, `tail` and `clear`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from strowger.cli import main
from strowger.cli.flows_list import Following
from strowger.flows.archive import Archive
from strowger.flows.query import parse
from strowger.flows.store import Store
from tests.integration.cli.conftest import DEADLINE, Flows, Served, calls


def test_calls_are_listed_the_newest_last(flows: Flows) -> None:
    """A row for each, plain where it is piped; all that is known with --json. Nothing found is exit code 1."""
    code, out, _ = flows("list", "-n", "2")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == "ID WHEN CLIENT MODEL WENT TO STATUS IN CACHED OUT COST TIME".split()
    assert [line.split()[-6:] for line in lines[1:]] == [
        ["102", "78%", "20", "$0.2500", "1.5", "s"],
        ["103", "78%", "20", "$0.2500", "1.5", "s"],
    ]
    assert "\x1b" not in out
    failed = json.loads(flows("list", "--json", "--where", "outcome:failed attempts:2")[1])
    assert [flow["error"] for flow in failed] == ["it has no room"]
    code, out, err = flows("list", "--where", "model:sonnet")
    assert (code, out, err) == (1, "", "no call passes the filter\n")


def test_the_last_calls_are_printed_line_by_line(flows: Flows) -> None:
    """As words or as JSON."""
    code, out, _ = flows("tail", "-n", "2", "--where", "session:s-1")
    assert code == 0
    first, second = out.splitlines()
    assert "opus → p:big  failed 503  1.5 s" in first
    assert second.endswith("102 in (78% cached), 20 out  $0.2500  1 loss")
    line, *_ = flows("tail", "--json", "-n", "1")[1].splitlines()
    assert json.loads(line)["model"] == "haiku"


def test_calls_of_other_processes_are_followed(kept: Path) -> None:
    """What another process writes is printed as it comes; Ctrl-C ends it without a word."""
    command = (
        sys.executable,
        "-m",
        "strowger",
        "flows",
        "--file",
        str(kept),
        "tail",
        "-f",
        "-n",
        "1",
        "--where",
        "opus",
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "00000000  claude  opus" in process.stdout.readline()
            store = Store(kept, tell=lambda event, fields: None)
            flow = next(calls())
            flow.id, flow.model = "flow_00000000000000ff", "opus-new"
            store.opened(flow)
            store.finished(flow)
            line = process.stdout.readline()
            while "running" in line:
                line = process.stdout.readline()
            assert "opus-new → p:big  200" in line
            store.close(DEADLINE)
            process.send_signal(2)
            out, err = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "")


def test_the_first_call_is_waited_for(tmp_path: Path) -> None:
    """Who looks on from the beginning may be there before the gateway is."""
    path = tmp_path / "flows.db"
    command = (sys.executable, "-m", "strowger", "flows", "--file", str(path), "tail", "-f")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said == f"there is no store of flows at {path} yet: waiting for the first call\n"
            store = Store(path, tell=lambda event, fields: None)
            flow = next(calls())
            store.opened(flow)
            store.finished(flow)
            store.close(DEADLINE)
            line = process.stdout.readline()
            while "running" in line:
                line = process.stdout.readline()
            assert "opus → p:big  200" in line
        finally:
            process.kill()


def test_calls_are_lost_with_their_gateway(kept: Path) -> None:
    """Nobody writes that down, so it is looked for: once, for what began before and after the look began."""
    store = Store(kept, tell=lambda event, fields: None)
    archive = Archive(kept)
    before, after, cleared, other = running = [next(calls()) for _ in range(4)]
    for number, flow in enumerate(running):
        flow.id, flow.outcome = f"flow_{number}", "running"
    other.model = "haiku"
    try:
        store.opened(before)
        store.flush()
        following = Following(archive, parse("model:opus"))
        for flow in (after, cleared, other):
            store.opened(flow)
        store.flush()
        assert [flow["id"] for flow in following.news()] == [after.id, cleared.id]
        assert following.news() == []
        with closing(sqlite3.connect(kept, isolation_level=None)) as base:
            base.execute("INSERT INTO writers VALUES (99, ?, NULL, 0)", (2**22 + 1,))  # the process of nobody
            base.execute("UPDATE flows SET writer = 99 WHERE outcome = 'running'")
            base.execute("DELETE FROM flows WHERE id = ?", (cleared.id,))
        assert [(flow["id"], flow["outcome"]) for flow in following.news()] == [(before.id, "lost"), (after.id, "lost")]
        assert following.news() == []
    finally:
        archive.close()
        store.close(DEADLINE)


def test_calls_are_cleared(flows: Flows, kept: Path) -> None:
    """Those that pass the filter, those that are older, or all; never without being asked to, or asking."""
    code, _, err = flows("clear")
    assert code == 2
    assert "say which" in err
    code, _, err = flows("clear", "--all")
    assert code == 2
    assert "4 calls" in err
    assert flows("clear", "--all", "--older", "1d")[0] == 2
    assert flows("clear", "--older", "soon")[0] == 2
    assert flows("clear", "--older", "1d", "--yes")[:2] == (1, "Cleared 0 flow(s).\n")
    assert flows("clear", "--where", "outcome:failed", "--yes")[:2] == (0, "Cleared 1 flow(s).\n")
    assert flows("clear", "--older", "1s", "--where", "model:opus", "--yes")[:2] == (0, "Cleared 2 flow(s).\n")
    archive = Archive(kept)
    assert [flow["model"] for flow in archive.list()] == ["haiku"]
    archive.close()
    assert flows("clear", "--all", "--yes")[1] == "Cleared 1 flow(s).\n"
    code, _, err = flows("list")
    assert code == 1
    assert "no call is kept yet" in err


def test_a_reader_that_goes_away_ends_it(kept: Path) -> None:
    """As in `strowger flows list | head`: without a word, with the code that shells expect."""
    command = f"{sys.executable} -m strowger flows --file {kept} dump; echo $? >&2"
    done = subprocess.run(
        ["/bin/sh", "-c", f"( {command} ) | head -c 1"], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.stdout == "{"
    assert done.stderr.strip() in ("141", "0")  # the pipe may hold all of it


def test_a_real_call_is_found(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """What a gateway recorded is listed while it runs, from its own store: route, answer, and every message."""
    import urllib.request

    body = {"model": "claude-opus-4-8", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"content-type": "application/json", "x-api-key": "sk-ant-planted-secret-000000"}
    request = urllib.request.Request(f"{served.url}/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        flow_id = answer.headers["x-strowger-flow"]
    command = (sys.executable, "-m", "strowger", "flows", "tail", "-f", "--json", "--where", "outcome:ok")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
        finally:
            process.kill()
    assert told["provider"] == "demo"
    assert flow_id in (None, told["id"])
    assert main.run(("flows", "show", told["id"][5:13], "--headers")) == 0
    shown = capfd.readouterr().out
    assert "went           demo:demo" in shown
    assert "planted" not in shown
    assert main.run(("flows", "compare")) == 0
    assert '-  "model": "claude-opus-4-8"' in capfd.readouterr().out
