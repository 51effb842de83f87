"""`strowger usage`."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from strowger.cli import main
from strowger.cli.usage import amount, dollars
from strowger.flows.flow import Flow
from strowger.flows.store import Store
from strowger.ir.events import Usage

Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@pytest.fixture
def run(kept: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `strowger usage` over three calls of a session and one without: exit code, output, errors."""

    def ran(*arguments: str) -> Ran:
        code = main.run(("usage", "--file", str(kept), *arguments))
        return code, *capfd.readouterr()

    return ran


def test_a_table_with_its_total(run: Run) -> None:
    """A row for each group and one for all; money is told, what nobody counted is no unpriced call."""
    code, told, errors = run("--by", "session")
    assert (code, errors) == (0, "")
    lines = told.splitlines()
    assert lines[0].split()[:3] == ["SESSION", "CALLS", "ERRORS"]
    assert lines[1].split() == ["s-1", "3", "1", "202", "160", "-", "79%", "40", "-", "$0.50", "-"]
    assert lines[2].split()[:3] == ["-", "1", "-"]
    assert lines[3].split() == ["total", "4", "1", "305", "240", "-", "79%", "60", "-", "$0.75", "-"]
    assert "without a price" not in told


def test_several_groups_and_a_filter(run: Run) -> None:
    """Groups are put together, and a filter leaves out what does not pass."""
    code, told, _ = run("--by", "model, outcome")
    assert code != 0
    code, told, _ = run("--by", "program,provider", "--where", "outcome:ok", "--limit", "1")
    assert code == 0
    assert told.splitlines()[1].split()[:3] == ["claude", "p", "3"]


def test_for_programs(run: Run) -> None:
    """JSON has rows and their total, CSV a head and rows; both have whole numbers and no signs of a terminal."""
    code, told, _ = run("--by", "session,model", "--json")
    assert code == 0
    read = json.loads(told)
    assert read["by"] == ["session", "model"]
    assert (read["rows"][0]["session"], read["rows"][0]["model"], read["rows"][0]["billed_usd"]) == ("s-1", "big", 0.5)
    assert (read["total"]["calls"], read["total"]["plan_usd"]) == (4, 0.0)
    code, told, _ = run("--by", "session", "--csv")
    rows = list(csv.DictReader(io.StringIO(told)))
    assert [(row["session"], row["calls"], row["input"]) for row in rows] == [("s-1", "3", "202"), ("", "1", "103")]


def test_nothing_is_told_as_nothing(run: Run, tmp_path: Path) -> None:
    """Exit code 1 where no call passes, an error where there is no store, 2 for what cannot be understood."""
    assert run("--where", "model:unheard-of")[0] == 1
    code, told, _ = run("--where", "model:unheard-of", "--json")
    assert (code, json.loads(told)["rows"]) == (1, [])
    assert run("--since", "soon")[0] == 2
    assert "since 30d until yesterday" in run("--until", "yesterday")[2]
    assert "hint" not in run("--since", "all", "--until", "yesterday")[2]
    assert run("--json", "--csv")[0] == 2
    assert run("--by", "model,model") == run("--by", "model")
    code, _, errors = run("--by", "colour")
    assert (code, "session, agent" in errors) == (2, True)
    code, _, errors = run("--file", str(tmp_path / "none.db"))
    assert (code, "there is no store of flows" in errors) == (1, True)


def test_agents_as_a_tree(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A session has its main agent, which has those that it started; each with its own calls."""
    path = tmp_path / "agents.db"
    store = Store(path, tell=lambda *_: None)
    for number, (agent, parent, kind) in enumerate([("", "", ""), ("a1", "", "Explore"), ("a2", "a1", "Plan")]):
        flow = Flow(id=f"flow_{number}", started=time.time(), clock=0.0, method="POST", path="/", dialect="anthropic")
        flow.session, flow.agent_id, flow.parent_agent_id, flow.agent_type = "s", agent or None, parent or None, kind
        flow.outcome, flow.usage, flow.billing, flow.billed = "ok", Usage(input=10, output=1), "plan", 1.0
        store.finished(flow)
    store.close()
    assert main.run(("usage", "--file", str(path), "--by", "session,agent", "--since", "all")) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line[:14].rstrip() for line in lines[1:5]] == ["s", "  main", "    Explore a1", "      Plan a2"]
    assert [line.split()[-1] for line in lines[1:6]] == ["$3.00", "$1.00", "$1.00", "$1.00", "$3.00"]


def test_the_budgets_of_today(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where the configuration has a budget for the day, the table says how that stands."""
    path, config = tmp_path / "today.db", tmp_path / "config.toml"
    store = Store(path, tell=lambda *_: None)
    flow = Flow(id="flow_1", started=time.time(), clock=0.0, method="POST", path="/", dialect="anthropic")
    flow.outcome, flow.usage, flow.billing, flow.billed = "ok", Usage(input=10, output=1), "metered", 0.75
    store.finished(flow)
    store.close()
    for limits, told in (
        ("warn = 0.5\nstop = 2", "today: $0.75 of $2.00 ([budgets.day]): nearly used up"),
        ("stop = 0.75", "today: $0.75 of $0.75 ([budgets.day]): used up, calls are refused"),
    ):
        config.write_text(f'[flows]\nfile = "{path}"\n[budgets.day]\n{limits}\n')
        assert main.run(("usage", "--config", str(config))) == 0
        assert told in capfd.readouterr().out.splitlines()


@pytest.mark.parametrize(
    "width, left_out",
    [(200, ""), (86, "REASONING"), (60, "REASONING WRITE CACHE"), (10, "INPUT OUTPUT MONEY VALUE")],
)
def test_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: int, left_out: str) -> None:
    """Columns are left out rather than wrapped, those that say nothing first; a pipe gets all of them."""
    whole = run("--by", "session")[1].splitlines()
    monkeypatch.setattr("strowger.cli.usage.terminal_width", lambda: width)
    lines = run("--by", "session")[1].splitlines()
    assert [name for name in left_out.split() if name in lines[0]] == []
    assert lines[0].split()[:2] == ["SESSION", "CALLS"]
    if width > 50:
        assert max(len(line) for line in lines if line.split()[0] in ("SESSION", "total")) <= width
    assert (lines == whole) is (width == 200)


@pytest.mark.parametrize(
    "tokens, told",
    [(0, "-"), (7, "7"), (9_999, "9,999"), (10_000, "10.0k"), (1_234_567, "1.2M"), (20_000_000_000, "20.0G")],
)
def test_amounts(tokens: int, told: str) -> None:
    """Large numbers are told in their unit."""
    assert amount(tokens) == told


@pytest.mark.parametrize(
    "value, told",
    [(None, "-"), (0.0, "-"), (0.00001, "<$0.0001"), (0.0012, "$0.0012"), (1.5, "$1.50"), (12345.6, "$12,345.60")],
)
def test_money(value: float | None, told: str) -> None:
    """Cents, and fractions of one where it is less."""
    assert dollars(value) == told
