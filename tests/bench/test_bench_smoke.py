"""The bench measures, from command line to table, on a relay that stands in for a proxy. No times are judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.endurance import STORE_MB, Look, bounded
from bench.matrix import directions

ROOT = Path(__file__).resolve().parents[2]
RELAY = Path(__file__).with_name("relay.py")
LOST = "import sys; print('no port for you'); sys.exit(3)"


def bench(out: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    command = [sys.executable, "-m", "bench", "--quick", "--seconds", "0.1", "--only", "direct", "--out", str(out)]
    ended = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended, json.loads(out.read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads CPU and memory from /proc")
@pytest.mark.timeout(300)
def test_measures_a_subject(tmp_path: Path) -> None:
    """A subject from the command line gets every figure of the measures that were asked for, and a row."""
    measures = ("--measure", "small", "--measure", "paced", "--measure", "burst")
    subject = f"relay={sys.executable} {RELAY} {{port}} {{upstream_port}}"
    ended, written = bench(tmp_path / "out.json", *measures, "--subject", subject)
    assert ended.returncode == 0, ended.stderr
    assert written["failures"] == []
    figures = {each["name"]: each["median"] for each in written["subjects"]}
    assert {"small_us", "paced_us", "burst_us", "idle_mb", "ready_ms"} <= figures["relay"].keys()
    assert all(value > 0 for value in figures["relay"].values())
    assert "small_us" not in figures["direct"]
    assert [line.split("|")[1].strip() for line in ended.stdout.splitlines()[2:]] == ["direct", "relay"]


@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads CPU and memory from /proc")
@pytest.mark.timeout(300)
def test_measures_all_directions(tmp_path: Path) -> None:
    """The matrix has every figure of every direction, and nothing is lost on the way."""
    command = [sys.executable, "-m", "bench", "--matrix", "--quick", "--seconds", "0.02"]
    out = tmp_path / "out.json"
    ended = subprocess.run([*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    figures = {each["name"]: each["median"] for each in json.loads(out.read_text())["subjects"]}
    assert {name for name in directions() if figures[name].keys() >= {"claude_us", "burst_us", "paced_us"}} == set(
        directions()
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads CPU and memory from /proc")
@pytest.mark.timeout(300)
def test_measures_what_recording_costs(tmp_path: Path) -> None:
    """Each lane has its figures with recording and without, and a ratio; nothing was dropped at this pace."""
    command = [sys.executable, "-m", "bench", "--recording", "--quick", "--out", str(tmp_path / "out.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    figures = {each["name"]: each["median"] for each in json.loads((tmp_path / "out.json").read_text())["subjects"]}
    assert figures.keys() == {f"{lane}, {word}" for lane in ("verbatim", "translated") for word in ("off", "on")}
    for name, each in figures.items():
        assert min(each[figure] for figure in ("turn_us", "whole_us", "paced_us", "burst_us")) > 0
        assert each.get("dropped") == (0 if name.endswith("on") else None)
    assert ended.stdout.count("%)") == 8


@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads CPU and memory from /proc")
@pytest.mark.timeout(300)
def test_looks_at_a_gateway_while_it_works(tmp_path: Path) -> None:
    """All calls are made, and memory, store and all else that is written are looked at on the way."""
    command = [sys.executable, "-m", "bench", "--calls", "400", "--out", str(tmp_path / "out.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    looks = json.loads((tmp_path / "out.json").read_text())
    assert [look["calls"] for look in looks] == list(range(20, 401, 20))
    assert min(look[figure] for look in looks for figure in ("memory", "others", "call_us")) > 0
    assert "| 400 |" in ended.stdout


def test_growth_is_told() -> None:
    """Memory that goes on growing, or a store beyond its room, is no pass; noise is one."""
    flat = [Look(calls, 100.0 + calls % 3, 60.0, 1.0, 900.0, 0) for calls in range(20)]
    assert bounded(flat)
    assert not bounded([replace(look, memory=look.memory + 2 * look.calls) for look in flat])
    assert not bounded([*flat[:-1], replace(flat[-1], store=2.0 * STORE_MB)])


@pytest.mark.skipif(sys.platform != "linux", reason="the bench reads CPU and memory from /proc")
def test_says_what_failed(tmp_path: Path) -> None:
    """A subject that does not start fails the run, with what it printed."""
    ended, written = bench(
        tmp_path / "out.json", "--measure", "small", "--subject", f'dud={sys.executable} -c "{LOST}"'
    )
    assert ended.returncode == 1
    assert [(each["subject"], each["measure"]) for each in written["failures"]] == [("dud", "start")]
    assert "no port for you" in ended.stdout
