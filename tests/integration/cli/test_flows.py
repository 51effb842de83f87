"""`strowger flows`: which store is read, which calls are meant, and how mistakes are told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from strowger.cli import main
from strowger.flows.archive import Archive
from strowger.flows.query import FIELDS, BadFilter, parse
from tests.integration.cli.conftest import Flows


def test_the_configured_store_is_read(kept: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The one that `[flows] file` names, whether a gateway runs or not; `flows.jq` comes before what is asked."""
    config = tmp_path / "config.toml"
    program = 'map(select(.model == \\"opus\\"))'
    config.write_text(f'[flows]\nfile = "{kept}"\njq = ["{program}"]\n')
    assert main.run(("flows", "--config", str(config), "list", "--json", "--jq", "map(.session)")) == 0
    assert json.loads(capfd.readouterr().out) == ["s-1", "s-1", "s-1"]


def test_without_a_store_there_is_a_hint(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """There may have been no gateway yet, or it may keep nothing; exit code 1."""
    assert main.run(("flows", "--file", str(tmp_path / "none.db"), "list")) == 1
    told = capfd.readouterr().err
    assert "there is no store of flows at" in told
    assert "`[flows] store = false`" in told


def test_an_empty_store_is_told_of(kept: Path, flows: Flows, capfd: pytest.CaptureFixture[str]) -> None:
    """Not that the last call was not found."""
    assert flows("clear", "--all", "--yes")[0] == 0
    for command in ("show", "compare", "diff", "dump"):
        code, out, err = flows(command)
        assert (code, out) == (1, "")
        assert "no call is kept yet\n\nhint: `strowger demo` makes some\n" in err


def test_a_filter_that_is_wrong_is_shown(flows: Flows) -> None:
    """With a mark below the place; exit code 2."""
    code, out, err = flows("list", "--where", "model:opus stauts:200")
    assert (code, out) == (2, "")
    assert "error: there is no field `stauts`\n  model:opus stauts:200\n             ^^^^^^" in err
    assert "did you mean `status`?" in err


def test_jq_goes_from_list_to_list(flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several programs run one after the other. What gives no list, or is none of jq's, is wrong usage."""
    chosen = ("--jq", "map(select(.status == 200))", "--jq", "map({id, status})")
    assert json.loads(flows("list", "--json", *chosen, "-n", "2")[1]) == [
        {"id": "flow_0000000000000003", "status": 200},
        {"id": "flow_0000000000000004", "status": 200},
    ]
    assert flows("list", *chosen)[1].splitlines()[1].split()[:1] == ["00000000"]
    code, _, err = flows("list", "--jq", ".[0]")
    assert code == 2
    assert "`.[0]` gives no list" in err
    assert "hint: it begins with a list of calls" in err
    code, _, err = flows("list", "--jq", "map(")
    assert code == 2
    assert "jq cannot run `map(`" in err
    code, _, err = flows("diff", "--jq", "map(.id)")
    assert code == 1
    assert "made something else of the calls" in err
    monkeypatch.setitem(sys.modules, "jq", None)
    code, _, err = flows("list", "--jq", ".")
    assert code == 1
    assert "hint: pip install 'strowger[jq]'" in err


def test_a_call_is_named_in_few_signs(flows: Flows) -> None:
    """By the beginning of its id where that is one call's only, by `last`, by how many there were after it."""
    assert json.loads(flows("show", "--json")[1])["id"] == "flow_0000000000000004"
    assert json.loads(flows("show", "last-1", "--json")[1])["id"] == "flow_0000000000000003"
    assert json.loads(flows("show", "0000000000000002", "--json")[1])["id"] == "flow_0000000000000002"
    code, _, err = flows("show", "0000")
    assert code == 1
    assert "more than one flow begins with 0000" in err
    code, _, err = flows("show", "f00")
    assert code == 1
    assert "hint: list them: `strowger flows list`" in err


@pytest.mark.parametrize("value", ["*", '""', "yes", "1", ">0", "5xx", "p*", "1h", "ok", "plan", "verbatim"])
def test_the_store_has_every_field_of_a_filter(kept: Path, value: str) -> None:
    """And finds by it what its flows say of themselves."""
    archive = Archive(kept)
    every = archive.list()
    asked = 0
    for name in FIELDS:
        try:
            condition = parse(f"{name}:{value}")
        except BadFilter:
            continue  # not a value of this field
        asked += 1
        assert archive.list(condition) == [flow for flow in every if condition.matches(flow)], name
    archive.close()
    assert asked > 1


def test_as_many_as_there_are(flows: Flows) -> None:
    """Also where more are asked for than a store can count."""
    assert len(json.loads(flows("list", "--json", "-n", "9" * 30)[1])) == len(json.loads(flows("list", "--json")[1]))
    assert flows("tail", "-n", "9" * 30)[0] == 0


def test_a_file_of_anybodys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a file that is named nobody says that a gateway will mend it."""
    junk = tmp_path / "junk.db"
    junk.write_text("nothing that anybody wrote " * 40)
    for command in (("flows", "--file", str(junk), "list"), ("usage", "--file", str(junk))):
        assert main.run(command) == 1
        told = capfd.readouterr().err
        assert "junk.db: file is not a database\n\nhint: it is no store of flows, or a damaged one\n" in told
    config = tmp_path / "config.toml"
    config.write_text(f'[flows]\nfile = "{junk}"\n')
    assert main.run(("flows", "--config", str(config), "list")) == 1
    assert "a gateway that runs moves a broken file aside" in capfd.readouterr().err
